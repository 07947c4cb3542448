-- Gives permits of a quota to a node, and takes back those that the node did not use.
-- Returns how many were granted, when all permits are there again, and the time; both times in microseconds.
--
-- The value is the time at which the bucket is full, and the time at which that was written. If Redis's clock was set
-- back since, both move along; otherwise the bucket would count as empty.

local quota = KEYS[1]
local interval = tonumber(ARGV[1])   -- between two permits, in microseconds
local burst = tonumber(ARGV[2])      -- the most permits that there can be
local wanted = tonumber(ARGV[3])
local back = tonumber(ARGV[4])       -- permits that come back; negative: those that were spent while Redis was away

local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local full = now + burst * interval
local restored, written = string.match(redis.call('GET', quota) or '', '^(%S+) ?(%S*)')
restored, written = tonumber(restored or '') or now, tonumber(written or '') or now
if written > now then restored = restored - (written - now) end

restored = math.max(now, math.min(full, math.max(now, math.min(full, restored)) - back * interval))
local granted = math.min(wanted, math.max(0, math.floor(burst - (restored - now) / interval + 0.000001)))
restored = restored + granted * interval

-- A quota that is full again need not be remembered.
if restored > now then
  local lasting = math.ceil((restored - now) / 1000) + 1000
  redis.call('SET', quota, string.format('%.3f %.0f', restored, now), 'PX', lasting)
else
  redis.call('DEL', quota)
end
return {granted, string.format('%.3f', restored), string.format('%.0f', now)}
