-- Take a member off the list, and its namesakes that have been unseen for some time.
-- KEYS: members, seen
-- ARGV: 1 member, 2 microseconds after which an unseen namesake goes too
-- A member is name/boot; a boot has no slash, a name may have.
local time = redis.call('TIME')
local now = tonumber(string.format('%d%06d', time[1], time[2]))
local name = string.match(ARGV[1], '^(.*)/')
for _, member in ipairs(redis.call('HKEYS', KEYS[1])) do
  local gone = member == ARGV[1]
  if not gone and string.match(member, '^(.*)/') == name then
    local seen = tonumber(redis.call('HGET', KEYS[2], member))
    gone = not seen or now - seen >= tonumber(ARGV[2])
  end
  if gone then
    redis.call('HDEL', KEYS[1], member)
    redis.call('HDEL', KEYS[2], member)
  end
end
return ''
