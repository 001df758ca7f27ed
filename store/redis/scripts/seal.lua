-- Seal one second, if its frames are complete or patience has passed, and answer with what the seal holds. What is sealed
-- is never opened: the frames are those that were there, and put.lua adds none.
-- KEYS: evidence of the second, judge
-- ARGV: 1 epoch, 2 second, 3 microseconds of patience after its end, 4 seconds that evidence is kept, 5… expected members
-- The field sealed lists, as JSON, who was missing. It cannot be a member's: those have a slash in them.
-- Returns {late frames, {missing, …}, {member, frame, …}}; {} if the second is not sealed, was folded, or its epoch is over.
local judge = redis.call('HMGET', KEYS[2], 'epoch', 'folded')
local epoch, judged, second = tonumber(ARGV[1]), tonumber(judge[1]) or 0, tonumber(ARGV[2])
if epoch < judged or epoch == judged and second <= (tonumber(judge[2]) or 0) then
  return {}
end

local all = redis.call('HGETALL', KEYS[1])
local sealed, late, frames, has = nil, 0, {}, {}
for i = 1, #all, 2 do
  if string.find(all[i], '/', 1, true) then
    frames[#frames + 1] = all[i]
    frames[#frames + 1] = all[i + 1]
    has[all[i]] = true
  elseif all[i] == 'sealed' then
    sealed = all[i + 1]
  elseif all[i] == 'late' then
    late = tonumber(all[i + 1]) or 0
  end
end
if sealed then
  return {late, cjson.decode(sealed), frames}
end

local missing = {}
for i = 5, #ARGV do
  if not has[ARGV[i]] then
    missing[#missing + 1] = ARGV[i]
  end
end
local time = redis.call('TIME')
local now = tonumber(string.format('%d%06d', time[1], time[2]))
local isComplete = #missing == 0 and #ARGV >= 5
if not isComplete and now < (second + 1) * 1000000 + ARGV[3] then
  return {}
end
redis.call('HSET', KEYS[1], 'sealed', #missing > 0 and cjson.encode(missing) or '[]')
redis.call('EXPIREAT', KEYS[1], second + ARGV[4] + 1)
return {0, missing, frames}
