-- Compare and swap. Nothing is written unless everything is: all that can fail comes before the first write.
-- KEYS: state, events
-- ARGV: 1 previous revision, 2 previous id, 3 next revision, 4 next id, 5 newest schema that the caller may touch,
--       6 next schema, 7 document, 8 event, 9 events kept, 10 channel, 11 notice
-- Returns {verdict, stored revision, stored id, stored schema}.
local stored = redis.call('HMGET', KEYS[1], 'revision', 'id', 'schema')
local revision, id, schema = stored[1] or '0', stored[2] or '', stored[3] or '0'
if revision == ARGV[3] and id == ARGV[4] then
  return {'already', revision, id, schema}
end
if tonumber(schema) > tonumber(ARGV[5]) then
  return {'newer', revision, id, schema}
end
if revision ~= ARGV[1] or id ~= ARGV[2] then
  return {'conflict', revision, id, schema}
end
redis.call('XADD', KEYS[2], 'MAXLEN', '~', ARGV[9], '*', 'event', ARGV[8])
redis.call('HSET', KEYS[1], 'revision', ARGV[3], 'id', ARGV[4], 'schema', ARGV[6], 'doc', ARGV[7])
redis.call('PUBLISH', ARGV[10], ARGV[11])
return {'written', ARGV[3], ARGV[4], ARGV[6]}
