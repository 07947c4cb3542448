-- Requests jobs by Zipf's law: the n-th most popular job is requested an n-th as often as the first. Arguments: the
-- path up to the job's number, the number of jobs, and a seed.
local before, after, jobs
local up_to = {}

function init(arguments)
  jobs = tonumber(arguments[2])
  math.randomseed(tonumber(arguments[3]))
  before = "GET " .. arguments[1]
  after = " HTTP/1.1\r\nHost: " .. wrk.headers["Host"] .. "\r\nX-Api-Key: " .. wrk.headers["X-Api-Key"] .. "\r\n\r\n"
  local sum = 0
  for n = 1, jobs do
    sum = sum + 1 / n
    up_to[n] = sum
  end
end

function request()
  local drawn, low, high = math.random() * up_to[jobs], 1, jobs
  while low < high do
    local middle = math.floor((low + high) / 2)
    if up_to[middle] < drawn then low = middle + 1 else high = middle end
  end
  return string.format("%s%012d%s", before, low, after)
end
