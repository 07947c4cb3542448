-- Sets the mark of a login that the provider has ended. Only a later mark replaces a mark. Returns 1 if it was set.

local mark = KEYS[1]
local order = ARGV[1]     -- ends the sessions whose login has a smaller or equal order
local lasting = ARGV[2]   -- in milliseconds

local known = redis.pcall('GET', mark)
if type(known) == 'string' and (tonumber(known) or 0) >= tonumber(order) then return 0 end
redis.call('SET', mark, order, 'PX', lasting)
return 1
