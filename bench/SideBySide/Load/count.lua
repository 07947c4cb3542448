-- Requests one job after the other. Arguments: the path up to the job's number, the first number, and how often each
-- job is requested. A thousand jobs are requested that often before the next thousand.
local before, after, first, times
local stretch, asked = 1000, 0

function init(arguments)
  first = tonumber(arguments[2])
  times = tonumber(arguments[3])
  number = first
  before = "GET " .. arguments[1]
  after = " HTTP/1.1\r\nHost: " .. wrk.headers["Host"] .. "\r\nX-Api-Key: " .. wrk.headers["X-Api-Key"] .. "\r\n\r\n"
end

function request()
  local job = first + math.floor(asked / (stretch * times)) * stretch + asked % stretch
  asked = asked + 1
  if job >= number then number = job + 1 end
  return string.format("%s%012d%s", before, job, after)
end
