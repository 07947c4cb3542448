-- Asks for the right to fetch a job from the upstream. One caller in the whole cluster gets it: the fetch lock.
-- A caller that knows no snapshot of the job is given the one that is here, in the same trip.
--
-- The lock holds one of these texts:
--   o:{owner}:{order}      a fetch is under way
--   f:{order}:{failure}    the last fetch brought no job; nobody fetches until this expires, unless the job is purged
--   r:{order}:{failure}    likewise, but only for callers who waited for that very fetch

local job, lock, final = KEYS[1], KEYS[2], KEYS[3]
local caller = ARGV[1]            -- who asks: becomes the owner of the lock
local lease = ARGV[2]             -- how long the lock lasts, in milliseconds
local known = ARGV[3]             -- the order of the snapshot that the caller knows; empty: none
local purged = tonumber(ARGV[4])  -- the order of the last purge of this job
local rejected = ARGV[5]          -- how a stored value begins that the caller found unusable; empty: there is none
local awaited = ARGV[6]           -- the order of the fetch that the caller waited for; 0: none
local above = tonumber(ARGV[7])   -- the new fetch gets an order above this
local overdue = ARGV[8]           -- a lock that lasts longer than anybody sets one for; empty: there is none
local unusable = ARGV[9]          -- like rejected, but about the finished job; empty: there is none

-- Whether a stored value is not a snapshot, or is the one that the caller found unusable.
local function is_unusable(key, beginning)
  local data = redis.pcall('HGET', key, 'data')
  if type(data) ~= 'string' then
    -- The hash of a finished job holds no data.
    return key == final or data ~= false or redis.call('HGET', key, 'finished') ~= '1'
  end
  if string.sub(data, 1, 3) ~= 'GWJ' or string.sub(data, 1, string.len(beginning)) == beginning then return true end
  -- The cache that reads a finished job expects two numbers beside it.
  return key == final
    and (not tonumber(redis.call('HGET', key, 'absexp')) or redis.call('HGET', key, 'sldexp') ~= '-1')
end

-- Clear away what is not a snapshot, so that it does not stay in the way of one.
if rejected ~= '' and is_unusable(job, rejected) then redis.call('DEL', job) end
local is_final_unusable = unusable ~= '' and is_unusable(final, unusable)

-- Hand over the snapshot. A finished job, or a large one, is read by a command of its own.
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

-- Look at the lock. What is no lock of ours, or lasts too long, is removed.
local held = redis.pcall('GET', lock)
local left = redis.call('PTTL', lock)
if held and (type(held) == 'table' or left < 0 or held == overdue or not string.find(held, '^[ofr]:')) then
  redis.call('DEL', lock)
elseif held then
  local kind, about = string.match(held, '^([fr]):(%d+):')
  -- Nobody is to wait for an owner while Redis takes no writes, for the owner could not hand over its result.
  -- To append nothing is a write that changes nothing: it fails then, and so does this script.
  if not kind then redis.call('APPEND', lock, '') end
  if not kind or kind == 'f' and tonumber(about) > purged or kind == 'r' and about == awaited then
    return {'held', held, left}
  end
end

-- A node may be writing the finished job until here, for it holds the lock while it does.
if is_final_unusable then
  redis.call('DEL', final)
  if finished then redis.call('DEL', job) end
end

-- The lock is the caller's. Orders are microseconds of Redis's clock, and always grow.
local time = redis.call('TIME')
local mine = time[1] * 1000000 + time[2]
if mine <= order then mine = order + 1 end
if mine <= purged then mine = purged + 1 end
if mine <= above then mine = above + 1 end
mine = string.format('%.0f', mine)
redis.call('SET', lock, 'o:' .. caller .. ':' .. mine, 'PX', lease)
return {'mine', mine}
