-- Leases permits of a quota to a node, and takes unused permits back.
-- Returns the number of granted permits, the time at which the bucket is full, and the time, both in microseconds.
--
-- The value holds the time at which the bucket is full, and the time at which that was written. If Redis's clock was
-- set back since, both are shifted; otherwise the bucket would seem empty for that time.

local quota = KEYS[1]
local interval = tonumber(ARGV[1])   -- between two permits, in microseconds
local burst = tonumber(ARGV[2])      -- the size of the bucket
local wanted = tonumber(ARGV[3])
local back = tonumber(ARGV[4])       -- the permits given back; negative: spent while Redis was away

local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local full = now + burst * interval
local restored, written = string.match(redis.call('GET', quota) or '', '^(%S+) ?(%S*)')
restored, written = tonumber(restored or '') or now, tonumber(written or '') or now
if written > now then restored = restored - (written - now) end

restored = math.max(now, math.min(full, math.max(now, math.min(full, restored)) - back * interval))
local granted = math.min(wanted, math.max(0, math.floor(burst - (restored - now) / interval + 0.000001)))
restored = restored + granted * interval

-- A full bucket needs no value.
if restored > now then
  local lifetime = math.ceil((restored - now) / 1000) + 1000
  redis.call('SET', quota, string.format('%.3f %.0f', restored, now), 'PX', lifetime)
else
  redis.call('DEL', quota)
end
return {granted, string.format('%.3f', restored), string.format('%.0f', now)}
