-- Asks for one job after the other; takes the path up to the number, and the first number.
local before, after

function init(arguments)
  number = tonumber(arguments[2])
  before = "GET " .. arguments[1]
  after = " HTTP/1.1\r\nHost: " .. wrk.headers["Host"] .. "\r\nX-Api-Key: " .. wrk.headers["X-Api-Key"] .. "\r\n\r\n"
end

function request()
  local text = string.format("%s%012d%s", before, number, after)
  number = number + 1
  return text
end
