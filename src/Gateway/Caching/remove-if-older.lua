-- Removes a stored job if it was fetched before a purge. Returns 1 if there was one, else 0.

local job, final = KEYS[1], KEYS[2]
local purged = tonumber(ARGV[1])   -- the order of the purge

local order = redis.pcall('HGET', job, 'order')
if type(order) == 'string' and tonumber(order) and tonumber(order) > purged then return 0 end
return math.min(1, redis.call('UNLINK', job, final))
