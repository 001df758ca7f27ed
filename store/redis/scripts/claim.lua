-- Claim events of the outbox for a group: first those that were claimed and not acknowledged for some time, then those that
-- nobody has claimed.
-- KEYS: outbox
-- ARGV: 1 group, 2 member, 3 limit, 4 milliseconds after which a claim is over, 5 the entry after which the group begins if
--       it is not there, 6 milliseconds after which a member that is silent and has nothing is forgotten
-- Returns {milliseconds now, {receipt, tries, event, …}}.
local key, group, member, left = KEYS[1], ARGV[1], ARGV[2], tonumber(ARGV[3])
local time = redis.call('TIME')
local now = string.format('%d%03d', time[1], math.floor(time[2] / 1000))

-- Each run of a proxy is a consumer of its own. Where a new one comes, old ones go. A server that is full takes no new one
-- here and lets what follows do.
local joined = redis.pcall('XGROUP', 'CREATECONSUMER', key, group, member)
if joined == 1 then
  for _, consumer in ipairs(redis.call('XINFO', 'CONSUMERS', key, group)) do -- name, its, pending, its, idle, its …
    if consumer[4] == 0 and consumer[6] > tonumber(ARGV[6]) then
      redis.call('XGROUP', 'DELCONSUMER', key, group, consumer[2])
    end
  end
elseif joined ~= 0 and not string.find(joined.err, 'OOM', 1, true) then
  redis.call('XGROUP', 'CREATE', key, group, ARGV[5], 'MKSTREAM')
end

local claimed = {}
local function take(entry, tries)
  local event = ''
  for i = 1, #entry[2], 2 do
    if entry[2][i] == 'event' then
      event = entry[2][i + 1]
    end
  end
  claimed[#claimed + 1] = entry[1]
  claimed[#claimed + 1] = tries
  claimed[#claimed + 1] = event
  left = left - 1
end

-- What was trimmed while it was pending is acknowledged: it is claimed in vain, in one way or another by version.
local from = '-'
while left > 0 do
  local pending = redis.call('XPENDING', key, group, 'IDLE', ARGV[4], from, '+', left)
  if #pending == 0 then
    break
  end
  for _, p in ipairs(pending) do -- id, consumer, idle, tries
    local entry = redis.call('XCLAIM', key, group, member, 0, p[1])[1]
    if entry then
      take(entry, p[4] + 1)
    else
      redis.call('XACK', key, group, p[1])
    end
    from = '(' .. p[1]
  end
end
if left > 0 then
  local fresh = redis.call('XREADGROUP', 'GROUP', group, member, 'COUNT', left, 'STREAMS', key, '>')
  for _, entry in ipairs(fresh and fresh[1][2] or {}) do
    take(entry, 1)
  end
end
return {now, claimed}
