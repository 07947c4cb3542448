-- Records a purge, and removes purges that are too old to matter. Returns the order of the purge in microseconds. It is
-- greater than the order of any earlier purge, and at least the given one.

local purges = KEYS[1]              -- a sorted set: each scope with the order of its last purge
local scope = ARGV[1]
local least = tonumber(ARGV[2])     -- the latest clock of all servers that give out orders
local lasting = tonumber(ARGV[3])   -- how long a purge matters, in microseconds

local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local last = redis.call('ZREVRANGE', purges, 0, 0, 'WITHSCORES')
local order = math.max(now, least)
if last[2] and tonumber(last[2]) >= order then order = tonumber(last[2]) + 1 end
redis.call('ZREMRANGEBYSCORE', purges, '-inf', string.format('%.0f', now - lasting))
redis.call('ZADD', purges, string.format('%.0f', order), scope)
return string.format('%.0f', order)
