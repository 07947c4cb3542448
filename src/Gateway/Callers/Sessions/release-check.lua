-- Releases the lock of a session check if this check still holds it.

local lock = KEYS[1]
local mine = ARGV[1]    -- the value of the lock during this check

if redis.call('GET', lock) ~= mine then return 0 end
return redis.call('DEL', lock)
