-- Removes a lock if it still is that of a certain fetch.

local lock = KEYS[1]
local beginning = ARGV[1]   -- how the lock of this fetch begins, and of no other

local held = redis.pcall('GET', lock)
if type(held) ~= 'string' or string.find(held, beginning, 1, true) ~= 1 then return 0 end
return redis.call('DEL', lock)
