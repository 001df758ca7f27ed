-- Put one instance's frame, drop frames that are too old, answer with the rest.
-- KEYS: evidence
-- ARGV: 1 instance, 2 frame, 3 microseconds a frame lives, 4 seconds the key lives
-- Returns {instance, frame, …}.
local time = redis.call('TIME')
local now = string.format('%d%06d', time[1], time[2])
redis.call('HSET', KEYS[1], ARGV[1], now .. ' ' .. ARGV[2])
redis.call('EXPIRE', KEYS[1], ARGV[4])
local frames = {}
local all = redis.call('HGETALL', KEYS[1])
for i = 1, #all, 2 do
  local space = string.find(all[i + 1], ' ', 1, true)
  local at = space and tonumber(string.sub(all[i + 1], 1, space - 1))
  if at and tonumber(now) - at <= tonumber(ARGV[3]) then
    frames[#frames + 1] = all[i]
    frames[#frames + 1] = string.sub(all[i + 1], space + 1)
  else
    redis.call('HDEL', KEYS[1], all[i])
  end
end
return frames
