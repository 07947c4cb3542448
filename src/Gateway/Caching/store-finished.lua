-- Completes the storing of a finished job. store-job.lua has noted that it is finished, and the caller has written its
-- bytes. Releases the lock of the fetch, and wakes waiting nodes. Returns 1 if the job is stored, 0 if not.

local job, lock, final = KEYS[1], KEYS[2], KEYS[3]
local held = ARGV[1]              -- the value of the lock during this fetch; empty: the caller has no lock
local order = ARGV[2]             -- the order of this snapshot
local written = ARGV[3] == '1'    -- whether the caller wrote the bytes
local channel, name = ARGV[4], ARGV[5]

-- Another node may have stored a newer answer while the caller wrote. The bytes may then be outdated.
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
