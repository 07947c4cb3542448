-- Puts back purges that Redis has lost. Returns how many of them it did not know.
-- The arguments are pairs: a scope, and the order of its purge.

local purges = KEYS[1]

local changed = 0
for i = 1, #ARGV, 2 do
  local known = redis.call('ZSCORE', purges, ARGV[i])
  if not known or tonumber(known) < tonumber(ARGV[i + 1]) then
    redis.call('ZADD', purges, ARGV[i + 1], ARGV[i])
    changed = changed + 1
  end
end

-- What is put back need not be the last, and other nodes look at the last only. The member '/' is no scope: it comes
-- last, and says that there is something to read.
if changed > 0 then
  local last = redis.call('ZREVRANGE', purges, 0, 0, 'WITHSCORES')
  redis.call('ZADD', purges, string.format('%.0f', tonumber(last[2]) + 1), '/')
end
return changed
