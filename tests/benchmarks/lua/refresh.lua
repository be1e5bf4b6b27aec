-- As requests.lua, but every answer brings the refresh token of a request to come.
local waiting, first, last = {}, 1, 0

local function push(body)
  last = last + 1
  waiting[last] = body
end

function init(args)
  for line in io.lines(args[1]) do push(line:match("([^\t]*)$")) end
end

function request()
  local body = waiting[first]
  waiting[first] = nil
  first = first + 1
  local headers = { ["Host"] = wrk.headers["Host"], ["Content-Type"] = "application/json" }
  return wrk.format("POST", "/api/v1/auth/token", headers, body)
end

function response(status, headers, body)
  local token = body:match('"refresh_token":"([^"]+)"')
  if token then push('{"grant_type":"refresh_token","refresh_token":"' .. token .. '"}') end
end

function done(summary, latency, requests)
  io.write(string.format(
    'FIGURES {"requests": %d, "seconds": %f, "p50_ms": %f, "p99_ms": %f, "refused": %d, "broken": %d}\n',
    summary.requests, summary.duration / 1e6, latency:percentile(50) / 1000, latency:percentile(99) / 1000,
    summary.errors.status, summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.timeout
  ))
end
