-- One heartbeat: note the member, drop those unseen for long, answer with the clock, the asked versions and the fleet.
-- KEYS: members, then one state per asked split
-- ARGV: 1 member, 2 its beat, 3 microseconds after which an unseen member is dropped
-- Returns {microseconds now, {revision, id, revision, id, …}, {member, 'microseconds beat', …}}.
local time = redis.call('TIME')
local now = string.format('%d%06d', time[1], time[2])
redis.call('HSET', KEYS[1], ARGV[1], now .. ' ' .. ARGV[2])
local versions = {}
for i = 2, #KEYS do
  local version = redis.call('HMGET', KEYS[i], 'revision', 'id')
  versions[#versions + 1] = version[1] or ''
  versions[#versions + 1] = version[2] or ''
end
local members = {}
local all = redis.call('HGETALL', KEYS[1])
for i = 1, #all, 2 do
  local seen = tonumber(string.match(all[i + 1], '^(%d+) '))
  if seen and tonumber(now) - seen <= tonumber(ARGV[3]) then
    members[#members + 1] = all[i]
    members[#members + 1] = all[i + 1]
  else
    redis.call('HDEL', KEYS[1], all[i])
  end
end
return {now, versions, members}
