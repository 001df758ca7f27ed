-- One heartbeat: note the member, answer with the clock, the asked versions, the break-glass orders and, if asked for,
-- the fleet. What a member reports is written only when it has changed, as it is long and the heartbeats are many.
-- Writing may be refused (full, read-only, too few replicas), and a key may hold what it should not: the rest is answered
-- all the same, or one odd key would cut the whole fleet off.
-- KEYS: members, seen, secret, then the state of each asked split, then the inbox of each
-- ARGV: 1 member, 2 its beat, 3 microseconds after which an unseen member is dropped, 4 bytes read of an order,
--       5 "1" to list the members
-- Returns {microseconds now, {revision, id, revision, id, …}, {place of the split, why its state cannot be read, …},
--          {place of the split, order, …}, {place of the split, why its inbox cannot be read, …}, 1 with a secret,
--          why writing was refused, {member, microseconds, beat, …}}.
local time = redis.call('TIME')
local now = string.format('%d%06d', time[1], time[2])
local splits = (#KEYS - 3) / 2

local refused = ''
local function try(...)
  local reply = redis.pcall(...)
  if type(reply) == 'table' and reply.err then
    refused = reply.err
    return nil
  end
  return reply
end
try('HSET', KEYS[2], ARGV[1], now)
if try('HGET', KEYS[1], ARGV[1]) ~= ARGV[2] then
  try('HSET', KEYS[1], ARGV[1], ARGV[2])
end

local versions, unread = {}, {}
for i = 1, splits do
  local version = redis.pcall('HMGET', KEYS[3 + i], 'revision', 'id')
  local why = version.err
  if why and not string.find(why, '^WRONGTYPE') then
    return version -- access is denied, to all states alike
  end
  if not why and not version[1] and not version[2] and redis.call('EXISTS', KEYS[3 + i]) == 1 then
    why = 'fields revision and id are missing'
  end
  if why then
    unread[#unread + 1] = i
    unread[#unread + 1] = why
  end
  versions[#versions + 1] = version[1] or ''
  versions[#versions + 1] = version[2] or ''
end

-- Inboxes are empty but in an emergency, so they are first asked for together, as many as Lua passes at once.
local orders, odd = {}, {}
local function look(i)
  local order = redis.pcall('GETRANGE', KEYS[i], 0, ARGV[4] - 1)
  if type(order) == 'table' then
    odd[#odd + 1] = i - 3 - splits
    odd[#odd + 1] = order.err
  elseif order ~= '' then
    orders[#orders + 1] = i - 3 - splits
    orders[#orders + 1] = order
  elseif redis.call('EXISTS', KEYS[i]) == 1 then
    odd[#odd + 1] = i - 3 - splits
    odd[#odd + 1] = 'it is an empty string, which says nothing'
  end
end
for first = 4 + splits, #KEYS, 1000 do
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
  local clocks = try('HGETALL', KEYS[2]) or {}
  for i = 1, #clocks, 2 do
    seen[clocks[i]] = clocks[i + 1]
  end
  local beats = try('HGETALL', KEYS[1]) or {}
  for i = 1, #beats, 2 do
    local clock = seen[beats[i]]
    if clock and #clock <= 16 and not string.find(clock, '%D') and
      tonumber(now) - tonumber(clock) <= tonumber(ARGV[3]) then
      members[#members + 1] = beats[i]
      members[#members + 1] = clock
      members[#members + 1] = beats[i + 1]
    else
      try('HDEL', KEYS[1], beats[i])
      try('HDEL', KEYS[2], beats[i])
    end
  end
end
local secret = redis.pcall('STRLEN', KEYS[3]) -- an error if it is no string: something is there
return {now, versions, unread, orders, odd, secret ~= 0 and 1 or 0, refused, members}
