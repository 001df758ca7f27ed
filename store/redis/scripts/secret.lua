-- The first proposal becomes the secret; an empty text is none. A secret that is there is read even if writes are refused.
-- KEYS: secret
-- ARGV: 1 proposal, may be empty
local secret = redis.call('GET', KEYS[1])
if (not secret or secret == '') and ARGV[1] ~= '' then
  redis.call('SET', KEYS[1], ARGV[1])
  secret = ARGV[1]
end
return secret or ''
