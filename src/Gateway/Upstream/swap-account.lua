-- Replaces the state of an account if it is the one that the caller has seen. Otherwise returns the current state, so
-- that the caller can try again. A state is a version, a line feed, and JSON.
-- Returns whether it was replaced, and the time in microseconds.

local account = KEYS[1]
local seen = ARGV[1]             -- the version that the caller has seen
local version, state = ARGV[2], ARGV[3]
local lasting = ARGV[4]          -- in milliseconds

local held = redis.pcall('GET', account)
if type(held) == 'table' then
  redis.call('DEL', account)
  held = false
end
held = held or ''
local time = redis.call('TIME')
local now = string.format('%.0f', time[1] * 1000000 + time[2])
if string.match(held, '^[^\n]*') ~= seen then return {0, now, held} end
redis.call('SET', account, version .. '\n' .. state, 'PX', lasting)
return {1, now}
