-- Answer with the windows that are not too old.
-- KEYS: windows
-- ARGV: 1 microseconds that a window is shown
-- Returns {member, window, …}.
local time = redis.call('TIME')
local now = tonumber(string.format('%d%06d', time[1], time[2]))
local windows = {}
local all = redis.call('HGETALL', KEYS[1])
for i = 1, #all, 2 do
  local space = string.find(all[i + 1], ' ', 1, true)
  local at = space and tonumber(string.sub(all[i + 1], 1, space - 1))
  if at and now - at <= tonumber(ARGV[1]) then
    windows[#windows + 1] = all[i]
    windows[#windows + 1] = string.sub(all[i + 1], space + 1)
  end
end
return windows
