-- Returns the time, the number of purges, and the order of the last one, so that a node can tell if there was a purge.

local purges = KEYS[1]

local time = redis.call('TIME')
local last = redis.call('ZREVRANGE', purges, 0, 0, 'WITHSCORES')
return {string.format('%.0f', time[1] * 1000000 + time[2]), redis.call('ZCARD', purges), last[2] or ''}
