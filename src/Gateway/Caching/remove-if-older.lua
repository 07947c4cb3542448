-- Removes a stored job if it was fetched before a purge.

local job = KEYS[1]
local purged = tonumber(ARGV[1])   -- the order of the purge

local order = redis.pcall('HGET', job, 'order')
if type(order) == 'string' and tonumber(order) and tonumber(order) > purged then return 0 end
return redis.call('UNLINK', job)
