-- Compare and swap the state of a split's judge, and remove the frames that it has folded in.
-- A version that is no number is none: the state is written over.
-- KEYS: judge, then the evidence of each folded second
-- ARGV: 1 previous version, 2 next version, 3 epoch, 4 folded, 5 document, 6 summary, 7 seconds that the judge is kept
-- Returns {} if the state is what it should be, else {version, epoch, folded} of what is stored.
local stored = redis.call('HMGET', KEYS[1], 'version', 'epoch', 'folded', 'doc')
local version = string.match(stored[1] or '', '^%d+$') or '0'
local epoch, folded = tonumber(stored[2]) or 0, tonumber(stored[3]) or 0
local nextEpoch, nextFolded = tonumber(ARGV[3]), tonumber(ARGV[4])
local isNext = version == ARGV[2] and stored[2] == ARGV[3] and stored[3] == ARGV[4] and stored[4] == ARGV[5]
local goesBack = nextEpoch < epoch or nextEpoch == epoch and nextFolded < folded
if not isNext then
  if version ~= ARGV[1] or goesBack then
    return {version, string.format('%.0f', epoch), string.format('%.0f', folded)}
  end
  redis.call('HSET', KEYS[1], 'version', ARGV[2], 'epoch', ARGV[3], 'folded', ARGV[4], 'doc', ARGV[5], 'summary', ARGV[6])
  redis.call('EXPIRE', KEYS[1], ARGV[7])
end
for i = 2, #KEYS do
  redis.call('UNLINK', KEYS[i])
end
return {}
