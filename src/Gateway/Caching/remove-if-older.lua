-- Removes a stored job if it was fetched before a purge. Returns 1 if there was one, else 0. A soft purge removes
-- nothing: each node takes the job for stale.

local job, final = KEYS[1], KEYS[2]
local purged = tonumber(ARGV[1])   -- the order of the purge
local is_soft = ARGV[2] == '1'

local order = redis.pcall('HGET', job, 'order')
if type(order) == 'string' and tonumber(order) and tonumber(order) > purged then return 0 end
if is_soft then
  local size = redis.pcall('HSTRLEN', final, 'data')
  return (type(order) == 'string' or type(size) == 'number' and size > 0) and 1 or 0
end
return math.min(1, redis.call('UNLINK', job, final))
