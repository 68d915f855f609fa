#!/usr/bin/env python3
"""Shows that the test images do what they are for: ZAP finds what is planted, and fails as it is told to.

    check.py            every case, with times; exit 1 when one fails
    check.py --record   and writes the answers of ZAP's API to tests/fixtures/zap, for the tests of a typed client

Each case starts a ZAP of its own on an internal network that is removed at the end, with all that is on it.
"""

import argparse
import http.client
import pathlib
import signal
import sys
import time
import tomllib
import traceback
import urllib.parse

from world import Failed, World, docker, holds_for, must, wait_for

REPOSITORY = pathlib.Path(__file__).parents[2]
FIXTURES = REPOSITORY / "tests/fixtures/zap"
ENDLESS, DEAF, HANGING = "60001", "60002", "Hanging (test of proctor)"
# How long a thing must last to count as "does not end".
STUCK_S = 5


class Recorder:
    """Answers as they came, each in a file, and a README of which call gave which."""

    def __init__(self, on):
        self.on = on
        self.rows = []

    def __call__(self, name, api, path, **parameters):
        if not self.on:
            return
        status, body = api.call(path, **parameters)
        query = f"?{urllib.parse.urlencode(parameters)}" if parameters else ""
        FIXTURES.mkdir(parents=True, exist_ok=True)
        (FIXTURES / f"{name}.json").write_bytes(body)
        self.rows.append(f"| `{name}.json` | {status} | `{path}/{query}` |")

    def finish(self):
        if self.on:
            table = "\n".join(sorted(self.rows))
            (FIXTURES / "README.md").write_text(README.format(table=table), encoding="utf-8")


README = """# Answers of a real ZAP 2.17.0

Recorded by `tests/images/check.py --record`, byte for byte, from the image of `tests/images/zap`. `shop` is
examples/shop, `page` is tests/images/page.py. The names of the files say in which state ZAP was; the switches are in
tests/images/README.md. Calls are `GET /JSON/…` with the headers `Host: zap` and `X-ZAP-API-Key`.

A wrong key, or a caller that `api.addrs` does not permit, gives no answer to record: ZAP closes the connection without
a byte.

| file | status | call |
|---|---|---|
{table}
"""


def planted(identity):
    """(path, ZAP's rules) of a planted defect of the running shop."""
    oracle = tomllib.loads((REPOSITORY / "examples/shop/DEFECTS.toml").read_text(encoding="utf-8"))
    defect = next(one for one in oracle["live"] if one["id"] == identity)
    return urllib.parse.urlsplit(defect["path"]).path, {str(rule) for rule in defect["zap"]}


def seen(alerts, path, rule, param=None):
    """The alerts of a rule on a path."""
    return [
        alert
        for alert in alerts
        if alert["pluginId"] == rule and path_of(alert) == path and param in (None, alert["param"])
    ]


def path_of(alert):
    return urllib.parse.urlsplit(alert["url"]).path


def finds_the_defects_of_the_shop(world, record):
    """Spider, passive and active scan of examples/shop against the oracle's list of live defects."""
    shop = world.shop()
    api, seconds = world.zap()
    record("version", api, "core/view/version")
    record("ascan_scanners", api, "ascan/view/scanners")
    record("pscan_scanners", api, "pscan/view/scanners")
    refuses(api, shop, record)
    # A URL that ZAP has not seen is none it would scan.
    must(api.error("ascan/action/scan", url=f"{shop}/") == (400, "url_not_found"), "an unseen URL can be scanned")
    record("ascan_url_not_found", api, "ascan/action/scan", url=f"{shop}/")
    spider = api.spider(f"{shop}/")
    record("spider_status", api, "spider/view/status", scanId=spider)
    record("spider_results", api, "spider/view/results", scanId=spider)
    record("spider_scans", api, "spider/view/scans")
    api.passive_ends()
    record("pscan_records_none", api, "pscan/view/recordsToScan")
    record("pscan_current_tasks_none", api, "pscan/view/currentTasks")
    scan = api.active(f"{shop}/")
    record("ascan_status", api, "ascan/view/status", scanId=scan)
    record("ascan_progress_running", api, "ascan/view/scanProgress", scanId=scan)
    api.active_ends(scan)
    api.passive_ends()
    alerts = api.alerts(shop)
    record_the_end(api, shop, scan, alerts, record)
    judge_the_shop(alerts, int(api.get("ascan/view/scans")[0]["reqCount"]))
    world.remove(api)
    return f"{len(alerts)} alerts, ZAP ready after {seconds:.1f} s"


def refuses(api, shop, record):
    """What ZAP says to calls that are wrong."""
    try:
        raise Failed(f"a wrong key was answered: {api.call('core/view/version', key='wrong')}")
    except (ConnectionError, http.client.RemoteDisconnected):
        pass
    must(api.error("spider/view/status", scanId="7") == (400, "does_not_exist"), "an unknown spider has a status")
    record("spider_does_not_exist", api, "spider/view/status", scanId="7")
    record("bad_view", api, "core/view/nonsense")
    record("missing_parameter", api, "ascan/action/skipScanner")
    record("ascan_does_not_exist", api, "ascan/view/status", scanId="7")


def record_the_end(api, shop, scan, alerts, record):
    for name, path in {"ascan_scans": "scans", "ascan_progress_finished": "scanProgress"}.items():
        record(name, api, f"ascan/view/{path}", **({"scanId": scan} if path == "scanProgress" else {}))
    record("alerts", api, "alert/view/alerts", baseurl=shop, start="0", count="50")
    record("alerts_past_the_end", api, "alert/view/alerts", baseurl=shop, start="5000", count="50")
    record("alert_counts_by_risk", api, "alert/view/alertCountsByRisk", url=shop, recurse="true")
    record("number_of_messages", api, "core/view/numberOfMessages", baseurl=shop)
    for evidence in seen(alerts, "/search", "40012")[:1]:
        record("message", api, "core/view/message", id=evidence["messageId"])


def judge_the_shop(alerts, requests):
    for identity, rule, param in [
        ("reflected-xss", "40012", "q"),
        ("sql-injection-product", "40018", "id"),
        ("sql-injection-login", "40018", "name"),
    ]:
        path, rules = planted(identity)
        must(rule in rules, f"the oracle does not give {identity} to rule {rule}")
        must(seen(alerts, path, rule, param), f"{identity} was not found: {path} {param}, rule {rule}")
    path, rules = planted("missing-security-headers")
    for rule in rules:
        must(seen(alerts, path, rule), f"missing-security-headers was not found: {path}, rule {rule}")
    must(not seen(alerts, "/cart", "40018"), "SQL injection was invented: /cart is clean")
    must(requests > 50, f"only {requests} requests were sent")


def finds_the_page_and_nothing_else(world, _record):
    """On a small page the alerts are exactly those that are planted."""
    page = world.page()
    api, seconds = world.zap()
    api.spider(f"{page}/")
    api.active_ends(api.active(f"{page}/"))
    api.passive_ends()
    alerts = api.alerts(page)
    active = {(alert["pluginId"], path_of(alert), alert["param"]) for alert in alerts if alert["sourceid"] == "1"}
    passive = {(alert["pluginId"], path_of(alert)) for alert in alerts if alert["sourceid"] == "3"}
    must(active == {("40012", "/found", "words"), ("40018", "/item", "id")}, f"active alerts are {sorted(active)}")
    wanted = {(rule, where) for rule in ("10020", "10021", "10038") for where in ("/", "/found", "/item")}
    must(passive == wanted, f"passive alerts are {sorted(passive)}")
    world.remove(api)
    return f"exactly {len(active)} active, {len(passive)} passive; ZAP ready after {seconds:.1f} s"


def endless_rule_ends_when_skipped(world, record):
    """active=endless: the scan hangs at one rule, and skipping that rule ends it. passive=none: no passive scanning."""
    page = world.page()
    api, _ = world.zap(active="endless", passive="none")
    api.spider(f"{page}/")
    scan = api.active(f"{page}/")
    hangs_at(api, scan, ENDLESS)
    record("ascan_progress_stuck", api, "ascan/view/scanProgress", scanId=scan)
    api.get("ascan/action/skipScanner", scanId=scan, scannerId=ENDLESS)
    api.active_ends(scan, limit_s=20)
    record("ascan_progress_skipped", api, "ascan/view/scanProgress", scanId=scan)
    must(api.error("pscan/view/recordsToScan") == (400, "no_implementor"), "there is a passive queue")
    record("pscan_no_implementor", api, "pscan/view/recordsToScan")
    sources = {alert["sourceid"] for alert in api.alerts(page)}
    must(sources == {"1"}, f"alerts come from {sources}: only an active scan ran")
    world.remove(api)
    return "hung, skipped, ended; no passive queue, no passive alert"


def hangs_at(api, scan, rule):
    """The scan has come to this rule and goes no further."""

    def others_end():
        states = [state for other, state in api.rules(scan).items() if other != rule]
        return all(state == "Complete" for state in states) or None

    def runs():
        return api.progress(scan) < 100 and api.rules(scan)[rule] != "Complete"

    wait_for("the other rules end", 120, others_end)
    holds_for(f"rule {rule} runs", STUCK_S, runs)


def deaf_rule_only_dies_with_zap(world, record):
    """active=deaf: neither skip nor stop ends it. passive=unread: the queue only grows."""
    page = world.page()
    api, _ = world.zap(active="deaf", passive="unread")
    api.spider(f"{page}/")
    before = api.waiting()
    must(before > 0, "the passive queue is empty after the spider")
    scan = api.active(f"{page}/")
    hangs_at(api, scan, DEAF)
    holds_for("the queue is not read", STUCK_S, lambda: api.waiting() >= before)
    record("pscan_records_stuck", api, "pscan/view/recordsToScan")
    must({alert["sourceid"] for alert in api.alerts(page)} == {"1"}, "a queue that nobody reads gave alerts")
    api.get("ascan/action/skipScanner", scanId=scan, scannerId=DEAF)
    holds_for("a skipped deaf rule runs", STUCK_S, lambda: api.progress(scan) < 100)
    api.get("ascan/action/stop", scanId=scan)
    holds_for("a stopped deaf rule runs", STUCK_S, lambda: api.rules(scan)[DEAF] != "Complete")
    record("ascan_scans_stopped", api, "ascan/view/scans")
    record("ascan_progress_stopped", api, "ascan/view/scanProgress", scanId=scan)
    api.get("pscan/action/clearQueue")
    must(api.waiting() == 0, "the queue is not empty after it was cleared")
    world.remove(api)
    return f"deaf to skip and stop; {before} records unread, 0 after clearQueue"


def throwing_rules_are_in_the_log_only(world, record):
    """active=throwing, passive=throwing: the API says that all is well, the log does not."""
    page = world.page()
    api, _ = world.zap(active="throwing", passive="throwing")
    api.spider(f"{page}/")
    scan = api.active(f"{page}/")
    api.active_ends(scan)
    api.passive_ends()
    record("ascan_progress_thrown", api, "ascan/view/scanProgress", scanId=scan)
    must(set(api.rules(scan).values()) == {"Complete"}, f"states of the rules: {api.rules(scan)}")
    log = api.log()
    for words in ("ThrowingRule - Error occurred while scanning a message", "' failed on record "):
        must(words in log, f"ZAP's log does not say {words!r}")
    rules = {alert["pluginId"] for alert in api.alerts(page)}
    must(rules == {"40012", "40018", "10020", "10021", "10038"}, f"the other rules gave {sorted(rules)}")
    world.remove(api)
    return "every rule Complete by the API, both failures in the log, nothing else lost"


def hanging_passive_rule_holds_the_queue(world, record):
    """passive=hanging: the tasks name the rule. active=none: a scan without rules ends at once and looks clean."""
    page = world.page()
    api, _ = world.zap(active="none", passive="hanging")
    must(api.get("ascan/view/scanners") == [], "there are active rules")
    record("ascan_scanners_none", api, "ascan/view/scanners")
    api.spider(f"{page}/")

    def named():
        return any(task["name"] == HANGING for task in api.get("pscan/view/currentTasks")) or None

    wait_for("a task names the hanging rule", 30, named)
    holds_for("the queue stands", STUCK_S, lambda: api.waiting() > 0 and named())
    record("pscan_records_hanging", api, "pscan/view/recordsToScan")
    record("pscan_current_tasks_hanging", api, "pscan/view/currentTasks")
    scan = api.active(f"{page}/")
    api.active_ends(scan, limit_s=20)
    record("ascan_scans_no_rules", api, "ascan/view/scans")
    must(api.get("ascan/view/scans")[0]["alertCount"] == "0", "a scan without rules found something")
    world.remove(api)
    return "queue stands and names its rule; a scan without rules ends at 100 %"


CASES = [
    finds_the_defects_of_the_shop,
    finds_the_page_and_nothing_else,
    endless_rule_ends_when_skipped,
    deaf_rule_only_dies_with_zap,
    throwing_rules_are_in_the_log_only,
    hanging_passive_rule_holds_the_queue,
]


def run(case, record):
    """True when the case passed. Whatever happens, its world is removed."""
    began = time.monotonic()
    try:
        with World() as world:
            words, passed = case(world, record), True
    except Failed as error:
        words, passed = str(error), False
    except Exception:  # pylint: disable=broad-except  # one broken case must not hide the others
        words, passed = traceback.format_exc(), False
    print(f"{'ok' if passed else 'FAILED':7}{case.__name__} ({time.monotonic() - began:.1f} s): {words}", flush=True)
    return passed


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--record", action="store_true")
    parser.add_argument("cases", nargs="*", help="names, or parts of them; default: all")
    options = parser.parse_args()
    # As Ctrl-C does, so that the case that runs removes its world.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    docker("version")
    record = Recorder(options.record)
    chosen = [case for case in CASES if not options.cases or any(part in case.__name__ for part in options.cases)]
    passed = [run(case, record) for case in chosen]
    if not passed:
        sys.exit("error: no case has such a name")
    if not options.cases:
        record.finish()
    sys.exit(0 if all(passed) else 1)


if __name__ == "__main__":
    main()
