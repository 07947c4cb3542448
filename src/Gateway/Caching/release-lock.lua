-- Releases the lock of a fetch that brought no job: leaves word of why, and wakes those who wait.

local lock = KEYS[1]
local mine = ARGV[1]        -- what the lock holds during this fetch
local word = ARGV[2]        -- why there is no job; acquire-lock.lua says in which form
local lasting = ARGV[3]     -- in milliseconds
local channel, name = ARGV[4], ARGV[5]

local held = redis.pcall('GET', lock)
if held and held ~= mine then return 0 end
redis.call('SET', lock, word, 'PX', lasting)
redis.pcall('PUBLISH', channel, name)
return 1
