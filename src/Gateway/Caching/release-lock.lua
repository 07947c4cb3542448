-- Releases the lock of a fetch that brought no job, stores the failure in its place, and wakes waiting nodes.

local lock = KEYS[1]
local mine = ARGV[1]        -- the value of the lock during this fetch
local failure = ARGV[2]     -- the failure, in a form that acquire-lock.lua describes
local lifetime = ARGV[3]    -- of the failure, in milliseconds
local channel, name = ARGV[4], ARGV[5]

local held = redis.pcall('GET', lock)
if held and held ~= mine then return 0 end
redis.call('SET', lock, failure, 'PX', lifetime)
redis.pcall('PUBLISH', channel, name)
return 1
