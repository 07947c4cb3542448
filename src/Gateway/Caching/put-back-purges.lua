-- Puts back purges that Redis has lost. Returns the number of purges that were missing or older in Redis.
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

-- Other nodes check only the last purge, and a purge that was put back may be an earlier one. The member '/' is not a
-- scope. It becomes the last member, and tells other nodes to read the whole set.
if changed > 0 then
  local last = redis.call('ZREVRANGE', purges, 0, 0, 'WITHSCORES')
  redis.call('ZADD', purges, string.format('%.0f', tonumber(last[2]) + 1), '/')
end
return changed
