-- Record an event that changes no state, unless one of that id was recorded. Nothing is written unless everything is.
-- KEYS: state, note of the id, events, outbox
-- ARGV: 1 this call, 2 seconds that the id is noted, 3 event, 4 events kept, 5 milliseconds that they are kept for,
--       6 events that the outbox keeps, 7 channel, 8 notice
-- Returns {'recorded' by this call, 'known' or 'none' without a state, why nobody was told}.
if redis.call('EXISTS', KEYS[1]) == 0 then
  return {'none', ''}
end
local noted = redis.call('GET', KEYS[2])
if noted then
  return {noted == ARGV[1] and 'recorded' or 'known', ''}
end
redis.call('XLEN', KEYS[3]) -- they fail where there is something else
redis.call('XLEN', KEYS[4])
redis.call('SET', KEYS[2], ARGV[1], 'EX', ARGV[2])
append(KEYS[3], KEYS[4], ARGV[3], ARGV[4], ARGV[5], ARGV[6])
local told = redis.pcall('PUBLISH', ARGV[7], ARGV[8])
return {'recorded', type(told) == 'table' and told.err or ''}
