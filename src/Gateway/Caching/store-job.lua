-- Stores a snapshot unless the stored one outranks it, releases the lock of the fetch, and wakes waiting nodes.
-- Returns 1 if the snapshot was stored, 0 if it was outranked or purged, or the error of a Redis that refuses writes.
--
-- For a finished job, this script only notes that the job is finished. The caller then writes the bytes to the key
-- `final`, and releases the lock by store-finished.lua.

local job, lock, final = KEYS[1], KEYS[2], KEYS[3]
local held = ARGV[1]              -- the value of the lock during this fetch; empty: the caller has no lock
local order = tonumber(ARGV[2])   -- the order of this snapshot
local kind = ARGV[3]              -- 1: a finished job, 2: the upstream has no such job, 0: anything else
local data = ARGV[4]              -- empty for a finished job
local retention = ARGV[5]         -- in milliseconds
local purged = tonumber(ARGV[6])  -- the order of the last purge of this job
local channel, name = ARGV[7], ARGV[8]

local known_order, known_kind, refusal = 0, false, nil
local size = redis.pcall('HSTRLEN', job, 'data')
if type(size) == 'number' then
  local noted = redis.call('HGET', job, 'finished')
  if size > 0 or noted == '1' then
    known_order = tonumber(redis.call('HGET', job, 'order') or 0) or 0
    known_kind = noted
  end
end
-- Redis may have evicted the note but not the finished job.
if not known_kind then
  local finished = redis.pcall('HSTRLEN', final, 'data')
  if type(finished) == 'number' and finished > 0 then known_kind = '1' end
elseif known_order <= purged then
  known_order, known_kind = 0, false
end

-- The rule of JobSnapshot.Outranks: an unfinished job never replaces a finished one; otherwise the later fetch wins.
local wins = order > known_order
if known_kind ~= '2' and kind ~= '2' and (known_kind == '1') ~= (kind == '1') then wins = known_kind ~= '1' end
if order <= purged then wins = false end

-- Store first, because Redis checks its memory limit only until a script's first write.
if wins then
  if type(size) ~= 'number' then redis.call('DEL', job) end
  local stored
  if kind == '1' then
    stored = redis.pcall('HSET', job, 'order', ARGV[2], 'finished', kind)
  else
    stored = redis.pcall('HSET', job, 'data', data, 'order', ARGV[2], 'finished', kind)
  end
  if type(stored) == 'table' then
    refusal = stored
  else
    redis.call('PEXPIRE', job, retention)
    if kind == '1' then
      redis.call('HDEL', job, 'data')
      return 1
    end
    redis.call('UNLINK', final)
  end
end
if redis.pcall('GET', lock) == held then redis.call('DEL', lock) end

-- Other nodes may have the job in memory as finished.
if wins and kind == '2' then redis.pcall('PUBLISH', channel, 'gone ' .. ARGV[2] .. ' ' .. name) end
if held ~= '' then redis.pcall('PUBLISH', channel, name) end
return refusal or (wins and 1 or 0)
