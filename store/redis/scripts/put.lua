-- Put one member's frame of one second, and its window; take or renew the lease on the split's evidence.
-- All that a retry does again changes nothing, but for the count of late frames.
-- KEYS: evidence of the second, judge, windows
-- ARGV: 1 member, 2 epoch, 3 second, 4 "1" with a frame, 5 frame, 6 "1" with a window, 7 window, 8 microseconds of a lease,
--       9 seconds that evidence is kept, 10 microseconds that a window is shown, 11 seconds that windows are kept,
--       12 seconds that the judge is kept
-- Returns {"1" for the holder, version of the judge's state, summary, "1" if late}.
local time = redis.call('TIME')
local clock = tonumber(time[1])
local now = tonumber(string.format('%d%06d', time[1], time[2]))
local judge = redis.call('HMGET', KEYS[2], 'version', 'epoch', 'folded', 'summary', 'holder', 'until', 'term')
local version = string.match(judge[1] or '', '^%d+$') or '0'
local epoch, judged = tonumber(ARGV[2]), tonumber(judge[2]) or 0
if epoch < judged then
  if ARGV[4] == '1' then
    redis.call('HINCRBY', KEYS[2], 'late', 1)
  end
  return {'', version, judge[4] or '', '1'}
end

-- A frame that the seal counted and that comes again is not late.
local late = ''
if ARGV[4] == '1' then
  local second, kept = tonumber(ARGV[3]), tonumber(ARGV[9])
  local isFolded = epoch == judged and second <= (tonumber(judge[3]) or 0)
  local isSealed = redis.call('HEXISTS', KEYS[1], 'sealed') == 1
  if not isFolded and not isSealed and math.abs(clock - second) <= kept then
    redis.call('HSET', KEYS[1], ARGV[1], ARGV[5])
    redis.call('EXPIREAT', KEYS[1], second + kept + 1)
  elseif isFolded or not isSealed or redis.call('HGET', KEYS[1], ARGV[1]) ~= ARGV[5] then
    late = '1'
    redis.call('HINCRBY', KEYS[2], 'late', 1)
    if isSealed then
      redis.call('HINCRBY', KEYS[1], 'late', 1)
    end
  end
end

-- Of the other windows one at random is dropped if it is old, so that those of members that have gone do not pile up.
if ARGV[6] == '1' then
  redis.call('HSET', KEYS[3], ARGV[1], string.format('%.0f ', now) .. ARGV[7])
  redis.call('EXPIRE', KEYS[3], ARGV[11])
  local other = redis.call('HRANDFIELD', KEYS[3], 1, 'WITHVALUES')
  local at = tonumber(string.match(other[2], '^%d+') or 0)
  if now - at > tonumber(ARGV[10]) then
    redis.call('HDEL', KEYS[3], other[1])
  end
end

-- Who is at a later epoch takes the lease from who is at an earlier one, and would fold what is over.
local isHeld = judge[5] and judge[5] ~= ARGV[1] and now < (tonumber(judge[6]) or 0)
local holds = ''
if not isHeld or epoch > (tonumber(judge[7]) or 0) then
  holds = '1'
  redis.call('HSET', KEYS[2], 'holder', ARGV[1], 'until', string.format('%.0f', now + ARGV[8]), 'term', ARGV[2])
  redis.call('EXPIRE', KEYS[2], ARGV[12])
end
return {holds, version, judge[4] or '', late}
