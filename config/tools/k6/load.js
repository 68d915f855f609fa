// Asks for one page, as often as it answers, and prints the figures as proctor reads them: one line of JSON. It counts by
// itself: k6 files a refused connection as an answer after 0 ms, and calls a run without a request a good one.
import http from 'k6/http';
import { Counter, Trend } from 'k6/metrics';

const { PROCTOR_URL, PROCTOR_HOST, PROCTOR_ADDRESS, PROCTOR_CONCURRENCY, PROCTOR_DURATION_S } = __ENV;

const ok = new Counter('proctor_ok');
const notOk = new Counter('proctor_not_ok');
const unanswered = new Counter('proctor_unanswered');
const latency = new Trend('proctor_latency', true);

export const options = {
  scenarios: {
    load: {
      executor: 'constant-vus',
      vus: Number(PROCTOR_CONCURRENCY),
      duration: `${PROCTOR_DURATION_S}s`,
      gracefulStop: '1s',
    },
  },
  // Nobody looks the name up: it stood for this address when the job began.
  hosts: PROCTOR_HOST === PROCTOR_ADDRESS || PROCTOR_HOST.startsWith('[') ? {} : { [PROCTOR_HOST]: PROCTOR_ADDRESS },
  maxRedirects: 0,
  discardResponseBodies: true,
  // A wrong certificate is another tool's finding.
  insecureSkipTLSVerify: true,
  summaryTrendStats: ['med', 'p(90)', 'p(95)', 'p(99)', 'max'],
  // Its exit code then says so, too, when nothing was answered.
  thresholds: { http_reqs: ['count>0'], proctor_ok: ['count>0'] },
};

export default function () {
  const answer = http.get(PROCTOR_URL, { timeout: '60s' });
  if (answer.status === 0) {
    unanswered.add(1);
    return;
  }
  latency.add(answer.timings.duration);
  (answer.status >= 200 && answer.status < 300 ? ok : notOk).add(1);
}

export function handleSummary(data) {
  const count = (name) => (data.metrics[name] ? data.metrics[name].values.count : 0);
  const times = data.metrics.proctor_latency && data.metrics.proctor_latency.values;
  const figures = {
    ok: count('proctor_ok'),
    not_ok: count('proctor_not_ok'),
    unanswered: count('proctor_unanswered'),
    seconds: data.state.testRunDurationMs / 1000,
    latency_ms: times && {
      p50: times.med, p90: times['p(90)'], p95: times['p(95)'], p99: times['p(99)'], max: times.max,
    },
    caveats: ['closed_loop'],
  };
  if (!times) figures.latency_ms = null;
  return { stdout: `\nproctor ${JSON.stringify(figures)}\n` };
}
