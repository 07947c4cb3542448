-- Prolongs a lock if a certain fetch still holds it.

local lock = KEYS[1]
local mine = ARGV[1]    -- the value of the lock during this fetch
local lease = ARGV[2]   -- how long the lock lasts from now on, in milliseconds

if redis.pcall('GET', lock) ~= mine then return 0 end
return redis.call('PEXPIRE', lock, lease)
