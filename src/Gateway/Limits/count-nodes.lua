-- Notes that a node is alive, and counts the nodes. A node that was not heard of for five seconds is gone. A time that
-- lies ahead is from before the clock was set back.

local nodes = KEYS[1]   -- a sorted set: each node with the time at which it was heard of, in seconds
local node = ARGV[1]

local time = redis.call('TIME')
redis.call('ZADD', nodes, time[1], node)
redis.call('ZREMRANGEBYSCORE', nodes, '-inf', time[1] - 5)
redis.call('ZREMRANGEBYSCORE', nodes, time[1] + 5, '+inf')
redis.call('EXPIRE', nodes, 60)
return redis.call('ZCARD', nodes)
