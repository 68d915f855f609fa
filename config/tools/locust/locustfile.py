"""Asks for one page, as often as it answers, and prints the figures as proctor reads them: one line of JSON. Each request
is filed under its status, 0 where nothing answered: locust's own counts cannot tell an error page from a broken
connection. The time is kept here, too: `-t` counts from the start of the program, and may be over before the load begins."""

import json
import os
import sys
import time

import gevent
from locust import HttpUser, constant, events, task

URL = os.environ["PROCTOR_URL"]
DURATION_S = float(os.environ["PROCTOR_DURATION_S"])
# Named for each request: locust's sessions do not look at http_proxy, and would ask past the gate.
GATE = os.environ.get("PROCTOR_PROXY")
PROXIES = {"http": GATE, "https": GATE} if GATE else None
# Without a time limit a request to a server that never answers has no end at all.
TIMEOUT_S = 60
clock = {}


class Visitor(HttpUser):
    wait_time = constant(0)

    @task
    def visit(self):
        # A wrong certificate is another tool's finding.
        options = {"allow_redirects": False, "timeout": TIMEOUT_S, "proxies": PROXIES, "verify": False}
        with self.client.get(URL, catch_response=True, **options) as answer:
            answer.request_meta["name"] = str(answer.status_code)
            if 200 <= answer.status_code < 300:
                answer.success()
            else:
                answer.failure(f"status {answer.status_code}")


@events.test_start.add_listener
def start(environment, **_):
    clock["start"] = time.monotonic()
    gevent.spawn_later(DURATION_S, environment.runner.quit)


@events.test_stop.add_listener
def stop(**_):
    clock["stop"] = time.monotonic()


@events.quitting.add_listener
def report(environment, **_):
    counts, times = {}, {}
    for (name, _method), entry in environment.stats.entries.items():
        status = int(name) if name.isdecimal() else 0
        kind = "ok" if 200 <= status < 300 else "not_ok" if status else "unanswered"
        counts[kind] = counts.get(kind, 0) + entry.num_requests
        if status:
            for time_ms, count in entry.response_times.items():
                times[time_ms] = times.get(time_ms, 0) + count
    figures = {
        "ok": counts.get("ok", 0), "not_ok": counts.get("not_ok", 0), "unanswered": counts.get("unanswered", 0),
        "seconds": clock.get("stop", time.monotonic()) - clock.get("start", time.monotonic()),
        "latency_ms": percentiles(times),
        "caveats": ["closed_loop", "rounded", "client_bound"],
    }
    sys.stdout.write(f"\nproctor {json.dumps(figures)}\n")
    sys.stdout.flush()


def percentiles(times):
    total = sum(times.values())
    if not total:
        return None
    found = {"max": max(times)}
    for percent in (50, 90, 95, 99):
        seen = 0
        for time_ms in sorted(times):
            seen += times[time_ms]
            if seen * 100 >= total * percent:
                found[f"p{percent}"] = time_ms
                break
    return found
