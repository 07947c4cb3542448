-- Adds what a node has counted within an hour to the counts of all nodes. Returns 1, or 0 if the batch was added
-- before: its reply was lost, and the node has sent it again.

local hour = KEYS[1]               -- a hash: each counter with its counts, and each node with its last batch
local last = KEYS[2]               -- a sorted set: each counter with its last use, in seconds
local node = ARGV[1]
local batch = tonumber(ARGV[2])
local lifetime = ARGV[3]           -- of the hour, in seconds
local oldest = ARGV[4]             -- earlier uses are forgotten
-- then for each counter: its name, its counts, and its last use

if tonumber(redis.call('HGET', hour, node) or 0) >= batch then return 0 end
redis.call('HSET', hour, node, batch)

for i = 5, #ARGV, 3 do
  local known = string.gmatch(redis.call('HGET', hour, ARGV[i]) or '', '%d+')
  local sums = {}
  for added in string.gmatch(ARGV[i + 1], '%d+') do
    sums[#sums + 1] = string.format('%.0f', tonumber(known() or 0) + tonumber(added))
  end
  redis.call('HSET', hour, ARGV[i], table.concat(sums, ' '))

  local used = tonumber(ARGV[i + 2])
  if used > tonumber(redis.call('ZSCORE', last, ARGV[i]) or 0) then redis.call('ZADD', last, used, ARGV[i]) end
end
redis.call('EXPIRE', hour, lifetime)
redis.call('ZREMRANGEBYSCORE', last, '-inf', oldest)
redis.call('EXPIRE', last, 34560000)
return 1
