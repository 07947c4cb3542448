-- Acquires the fetch lock of a job, which one caller in the cluster can hold. If the caller knows no snapshot of the
-- job, the script returns the stored one instead.
--
-- The lock holds one of these texts:
--   o:{owner}:{order}      a fetch is under way
--   f:{order}:{failure}    the last fetch brought no job; no node fetches until this expires or the job is purged
--   r:{order}:{failure}    likewise, but only for callers who waited for that fetch

local job, lock, final = KEYS[1], KEYS[2], KEYS[3]
local caller = ARGV[1]            -- the owner of the lock, if it is acquired
local lease = ARGV[2]             -- how long the lock lasts, in milliseconds
local known = ARGV[3]             -- the order of the snapshot that the caller knows; empty: none
local purged = tonumber(ARGV[4])  -- the order of the last purge of this job
local rejected = ARGV[5]          -- the prefix of a stored value that the caller found unusable; empty: none
local awaited = ARGV[6]           -- the order of the fetch that the caller waited for; 0: none
local above = tonumber(ARGV[7])   -- the new fetch gets an order above this
local overdue = ARGV[8]           -- a lock that lasts longer than a node can set; empty: none
local unusable = ARGV[9]          -- like rejected, for the finished job
local soft = tonumber(ARGV[10])   -- the order of the last soft purge of this job: failures before it do not count

-- Whether a stored value is not a snapshot, or is the value that the caller found unusable.
local function is_unusable(key, beginning)
  local data = redis.pcall('HGET', key, 'data')
  if type(data) ~= 'string' then
    -- The hash of a finished job holds no data.
    return key == final or data ~= false or redis.call('HGET', key, 'finished') ~= '1'
  end
  if string.sub(data, 1, 3) ~= 'GWJ' or string.sub(data, 1, string.len(beginning)) == beginning then return true end
  -- The distributed cache expects two numbers beside a finished job.
  return key == final
    and (not tonumber(redis.call('HGET', key, 'absexp')) or redis.call('HGET', key, 'sldexp') ~= '-1')
end

-- Remove a value that is not a snapshot, so that a snapshot can be stored.
if rejected ~= '' and is_unusable(job, rejected) then redis.call('DEL', job) end
local is_final_unusable = unusable ~= '' and is_unusable(final, unusable)

-- Return the snapshot. A finished or large job is read by a separate command.
local order, finished = 0, false
local size = redis.pcall('HSTRLEN', job, 'data')
if type(size) == 'number' then
  finished = size == 0 and redis.call('HGET', job, 'finished') == '1'
  if size > 0 or finished then order = tonumber(redis.call('HGET', job, 'order') or 0) or 0 end
end
if known == '' then
  if type(size) ~= 'number' or size > 262144 or finished and order > purged then return {'elsewhere'} end
  if size > 0 then return {'job', redis.call('HGET', job, 'data')} end
end
if not is_final_unusable and order > (tonumber(known) or 0) and order > purged then return {'look'} end

-- Check the lock. A value that is no lock, or lasts too long, is removed.
local held = redis.pcall('GET', lock)
local left = redis.call('PTTL', lock)
if held and (type(held) == 'table' or left < 0 or held == overdue or not string.find(held, '^[ofr]:')) then
  redis.call('DEL', lock)
elseif held then
  local kind, about = string.match(held, '^([fr]):(%d+):')
  -- While Redis refuses writes, the owner cannot store its result, so no node must wait for it.
  -- APPEND of nothing changes nothing, but fails like any write, and the script fails with it.
  if not kind then redis.call('APPEND', lock, '') end
  if not kind or kind == 'f' and tonumber(about) > math.max(purged, soft) or kind == 'r' and about == awaited then
    return {'held', held, left}
  end
end

-- Only now is it safe to remove the finished job: a node that writes it would hold the lock.
if is_final_unusable then
  redis.call('DEL', final)
  if finished then redis.call('DEL', job) end
end

-- Set the lock. Orders are microseconds of Redis's clock, and always grow.
local time = redis.call('TIME')
local mine = time[1] * 1000000 + time[2]
if mine <= order then mine = order + 1 end
mine = math.max(mine, purged + 1, soft + 1)
if mine <= above then mine = above + 1 end
mine = string.format('%.0f', mine)
redis.call('SET', lock, 'o:' .. caller .. ':' .. mine, 'PX', lease)
return {'mine', mine}
