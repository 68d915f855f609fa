-- Prints the figures as proctor reads them: one line of JSON, null where there is no number. wrk's own text mixes units,
-- and a run without this file ends just as well.
local function number(value)
  local finite = value == value and value > -math.huge and value < math.huge
  return finite and string.format("%.3f", value) or "null"
end

done = function(summary, latency)
  local errors = summary.errors
  local figures = "null"
  -- Without an answer its least latency is -2^63 and its mean is not a number.
  if summary.requests > 0 then
    local parts = {}
    for _, percent in ipairs({ 50, 90, 95, 99 }) do
      parts[#parts + 1] = string.format('"p%d":%s', percent, number(latency:percentile(percent) / 1000))
    end
    figures = string.format('{%s,"max":%s}', table.concat(parts, ","), number(latency.max / 1000))
  end
  io.write(string.format(
    '\nproctor {"ok":%.0f,"not_ok":%.0f,"unanswered":%.0f,"seconds":%s,"latency_ms":%s,"caveats":["closed_loop","corrected","redirects_count"]}\n',
    summary.requests - errors.status, errors.status, errors.connect + errors.read + errors.write,
    number(summary.duration / 1e6), figures
  ))
end
