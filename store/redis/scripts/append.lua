-- Log an event in its split's stream and put it into the outbox. It is prepended to the scripts that do so. Returns why the
-- event is not in the outbox, '' if it is: that must keep no change back, and no kill.
local function append(events, outbox, event, kept, keptMillis, outboxKept)
  local id = redis.call('XADD', events, 'MAXLEN', '~', kept, '*', 'event', event)
  local oldest = math.max(0, tonumber(string.match(id, '^%d+')) - keptMillis)
  redis.call('XTRIM', events, 'MINID', string.format('%.0f', oldest))
  local put = redis.pcall('XADD', outbox, 'MAXLEN', '~', outboxKept, '*', 'event', event)
  return type(put) == 'table' and put.err or ''
end

