-- Records that a node is alive, and counts the live nodes. A node counts as dead five seconds after its last report. A
-- time in the future was written before Redis's clock was set back, and is removed.

local nodes = KEYS[1]   -- a sorted set: each node with the time of its last report, in seconds
local node = ARGV[1]

local time = redis.call('TIME')
redis.call('ZADD', nodes, time[1], node)
redis.call('ZREMRANGEBYSCORE', nodes, '-inf', time[1] - 5)
redis.call('ZREMRANGEBYSCORE', nodes, time[1] + 5, '+inf')
redis.call('EXPIRE', nodes, 86400)
return redis.call('ZCARD', nodes)
