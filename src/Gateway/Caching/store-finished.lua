-- Ends the storing of a finished job: store-job.lua noted that it is finished, and the caller then wrote its bytes.
-- Releases the lock of its fetch, and wakes those who wait for it.
-- Returns 1 if the job is stored, 0 if not.

local job, lock, final = KEYS[1], KEYS[2], KEYS[3]
local held = ARGV[1]              -- what the lock holds during this fetch; empty: the caller has no lock
local order = ARGV[2]             -- the order of this snapshot
local written = ARGV[3] == '1'    -- whether the caller wrote the bytes
local channel, name = ARGV[4], ARGV[5]

-- While the caller wrote, another node may have stored a newer answer. The bytes may then be the wrong ones.
local noted = redis.pcall('HGET', job, 'order')
local outdated = noted and noted ~= order
if outdated or not written then redis.call('UNLINK', final) end
if not outdated and not written then redis.call('DEL', job) end

if redis.pcall('GET', lock) == held then redis.call('DEL', lock) end
-- Other nodes may have read the bytes.
if outdated and redis.pcall('HGET', job, 'finished') == '2' then
  redis.pcall('PUBLISH', channel, 'gone ' .. noted .. ' ' .. name)
end
if held ~= '' then redis.pcall('PUBLISH', channel, name) end
return written and not outdated and 1 or 0
