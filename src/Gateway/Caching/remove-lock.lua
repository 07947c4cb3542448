-- Removes a lock if a certain fetch still holds it.

local lock = KEYS[1]
local prefix = ARGV[1]   -- the prefix of this fetch's lock

local held = redis.pcall('GET', lock)
if type(held) ~= 'string' or string.find(held, prefix, 1, true) ~= 1 then return 0 end
return redis.call('DEL', lock)
