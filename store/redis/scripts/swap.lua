-- Compare and swap. Nothing is written unless everything is: all that can fail comes before the first write.
-- KEYS: state, events, inbox, splits, outbox
-- ARGV: 1 previous revision, 2 previous id, 3 next revision, 4 next id, 5 newest schema that the caller may touch,
--       6 next schema, 7 document, 8 event, 9 events kept, 10 channel, 11 notice, 12 split, 13 order that the change
--       carries out or '', 14 bytes read of an order, 15 "1" if the split is given up,
--       16 milliseconds that events are kept for, 17 events that the outbox keeps
-- Returns {verdict, stored revision, stored id, stored schema, why nobody was told, why the event is not in the outbox}.
local stored = redis.call('HMGET', KEYS[1], 'revision', 'id', 'schema')
local revision, id, schema = stored[1] or '0', stored[2] or '', stored[3] or '0'
if revision == ARGV[3] and id == ARGV[4] then
  return {'already', revision, id, schema, '', ''}
end
local isBare = not stored[1] and redis.call('EXISTS', KEYS[1]) == 1
if isBare or string.find(revision, '%D') or not tonumber(schema) then
  return {'corrupt', stored[1] or '', id, schema, '', ''}
end
if ARGV[13] ~= '' and redis.pcall('GETRANGE', KEYS[3], 0, ARGV[14] - 1) ~= ARGV[13] then
  return {'gone', revision, id, schema, '', ''}
end
if tonumber(schema) > tonumber(ARGV[5]) then
  return {'newer', revision, id, schema, '', ''}
end
if revision ~= ARGV[1] or id ~= ARGV[2] then
  return {'conflict', revision, id, schema, '', ''}
end
local listed = redis.call('SISMEMBER', KEYS[4], ARGV[12])
local lost = append(KEYS[2], KEYS[5], ARGV[8], ARGV[9], ARGV[16], ARGV[17])
redis.call('HSET', KEYS[1], 'revision', ARGV[3], 'id', ARGV[4], 'schema', ARGV[6], 'doc', ARGV[7])
if listed == 0 then
  redis.call('SADD', KEYS[4], ARGV[12])
end
local told = redis.pcall('PUBLISH', ARGV[10], ARGV[11])
if ARGV[13] ~= '' or ARGV[15] == '1' then
  redis.call('DEL', KEYS[3])
end
return {'written', ARGV[3], ARGV[4], ARGV[6], type(told) == 'table' and told.err or '', lost}
