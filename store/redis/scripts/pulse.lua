-- One heartbeat: note the member, answer with the clock, the asked versions, the break-glass orders and, if asked for,
-- the fleet. What a member reports is written only when it has changed, as it is long and the heartbeats are many.
-- Writing may be refused (full, read-only, too few replicas): the rest is answered all the same.
-- KEYS: members, seen, then the state of each asked split, then the inbox of each
-- ARGV: 1 member, 2 its beat, 3 microseconds after which an unseen member is dropped, 4 bytes read of an order,
--       5 "1" to list the members
-- Returns {microseconds now, {revision, id, revision, id, …}, {place of the split, order, …},
--          {place of the split, why its inbox cannot be read, …}, why writing was refused, {member, microseconds, beat, …}}.
local time = redis.call('TIME')
local now = string.format('%d%06d', time[1], time[2])
local splits = (#KEYS - 2) / 2

local refused = ''
local function write(...)
  local reply = redis.pcall(...)
  if type(reply) == 'table' and reply.err then
    refused = reply.err
  end
end
write('HSET', KEYS[2], ARGV[1], now)
if redis.call('HGET', KEYS[1], ARGV[1]) ~= ARGV[2] then
  write('HSET', KEYS[1], ARGV[1], ARGV[2])
end

local versions = {}
for i = 3, 2 + splits do
  local version = redis.call('HMGET', KEYS[i], 'revision', 'id')
  versions[#versions + 1] = version[1] or ''
  versions[#versions + 1] = version[2] or ''
end

-- Inboxes are empty but in an emergency, so they are first asked for together, as many as Lua passes at once.
local orders, odd = {}, {}
local function look(i)
  local order = redis.pcall('GETRANGE', KEYS[i], 0, ARGV[4] - 1)
  if type(order) == 'table' then
    odd[#odd + 1] = i - 2 - splits
    odd[#odd + 1] = order.err
  elseif order ~= '' then
    orders[#orders + 1] = i - 2 - splits
    orders[#orders + 1] = order
  elseif redis.call('EXISTS', KEYS[i]) == 1 then
    odd[#odd + 1] = i - 2 - splits
    odd[#odd + 1] = 'it is an empty string, which says nothing'
  end
end
for first = 3 + splits, #KEYS, 1000 do
  local last = math.min(first + 999, #KEYS)
  if redis.call('EXISTS', unpack(KEYS, first, last)) > 0 then
    for i = first, last do
      look(i)
    end
  end
end

local members = {}
if ARGV[5] == '1' then
  local seen = {}
  local clocks = redis.call('HGETALL', KEYS[2])
  for i = 1, #clocks, 2 do
    seen[clocks[i]] = clocks[i + 1]
  end
  local beats = redis.call('HGETALL', KEYS[1])
  for i = 1, #beats, 2 do
    local clock = tonumber(seen[beats[i]])
    if clock and tonumber(now) - clock <= tonumber(ARGV[3]) then
      members[#members + 1] = beats[i]
      members[#members + 1] = seen[beats[i]]
      members[#members + 1] = beats[i + 1]
    else
      write('HDEL', KEYS[1], beats[i])
      write('HDEL', KEYS[2], beats[i])
    end
  end
end
return {now, versions, orders, odd, refused, members}
