-- Marks a login as ended by the provider. A mark gives way only to a later one. Returns 1 if the mark is news.

local mark = KEYS[1]
local order = ARGV[1]     -- sessions of logins that began before this have ended
local lasting = ARGV[2]   -- in milliseconds

local known = redis.pcall('GET', mark)
if type(known) == 'string' and (tonumber(known) or 0) >= tonumber(order) then return 0 end
redis.call('SET', mark, order, 'PX', lasting)
return 1
