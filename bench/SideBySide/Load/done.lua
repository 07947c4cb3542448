-- Prints one line for the caller: requests, microseconds, failures, p50 and p99 in microseconds, and the next number.
local threads = {}

function setup(thread)
  table.insert(threads, thread)
end

function done(summary, latency)
  local errors = summary.errors
  local failed = errors.connect + errors.read + errors.write + errors.status + errors.timeout
  print(string.format("DONE %d %d %d %d %d %d", summary.requests, summary.duration, failed,
    latency:percentile(50), latency:percentile(99), threads[1]:get("number") or 0))
end
