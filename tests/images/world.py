"""The containers and the network of one check, and ZAP's API. Whatever happens, nothing of it is left."""

import http.client
import json
import pathlib
import secrets
import subprocess
import time
import urllib.parse

HERE = pathlib.Path(__file__).parent
LABEL = "proctor-test.check"
ZAP = "proctor-test/zap:2.17.0"
SHOP = "proctor-test/shop:latest"
ZAP_PORT = 8080
DOCKER_LIMIT_S = 120
# Measured: 2.5 s on a quiet machine, 15 s with five builds beside it.
READY_LIMIT_S = 120
# One answer of the API; the slowest here is the start of a scan.
CALL_LIMIT_S = 30


class Failed(Exception):
    """Something is not as it must be."""


def docker(*words, limit=DOCKER_LIMIT_S):
    """What a docker command prints, both streams."""
    argv = ["docker", *map(str, words)]
    done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=limit, check=False)
    if done.returncode != 0:
        raise Failed(f"{' '.join(argv)} ended with {done.returncode}: {done.stdout.strip()}")
    return done.stdout.strip()


def must(condition, words):
    if not condition:
        raise Failed(words)


def wait_for(what, limit_s, ask):
    """The first answer of `ask` that is not None, within the limit."""
    end = time.monotonic() + limit_s
    while True:
        answer = ask()
        if answer is not None:
            return answer
        if time.monotonic() > end:
            raise Failed(f"{what}: not within {limit_s} s")
        time.sleep(0.2)


def holds_for(what, seconds, condition):
    """The condition is true now and stays true."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        must(condition(), f"{what}: no longer so")
        time.sleep(0.5)


class World:
    """An internal network with a label of its own."""

    def __init__(self):
        self.name = f"proctor-check-{secrets.token_hex(4)}"
        self.label = f"{LABEL}={self.name}"

    def __enter__(self):
        docker("network", "create", "--internal", "--label", self.label, self.name)
        return self

    def __exit__(self, *_error):
        containers = self.mine("ps", "--all")
        if containers:
            docker("rm", "--force", "--volumes", *containers)
        for network in self.mine("network", "ls"):
            docker("network", "rm", network)
        left = self.mine("ps", "--all") + self.mine("network", "ls")
        must(not left, f"left behind: {left}")

    def mine(self, *words):
        return docker(*words, "--quiet", "--filter", f"label={self.label}").split()

    def create(self, alias, image, *words):
        """A container that other containers of the network reach under this name."""
        limits = ["--memory", "1g", "--memory-swap", "1g", "--pids-limit", "512", "--cap-drop", "ALL"]
        options = ["--label", self.label, "--network", self.name, "--network-alias", alias, "--init", *limits]
        options += ["--security-opt", "no-new-privileges"]
        return docker("create", *options, image, *words)

    def shop(self):
        container = self.create("shop", SHOP)
        docker("start", container)
        health = "{{ .State.Health.Status }}"
        wait_for("the shop is healthy", 60, lambda: docker("inspect", "-f", health, container) == "healthy" or None)
        return "http://shop:5000"

    def page(self):
        container = self.create("page", SHOP, "python3", "/tmp/page.py")
        docker("cp", HERE / "page.py", f"{container}:/tmp/page.py")
        docker("start", container)
        return "http://page:5000"

    def address(self, container):
        return docker("inspect", "-f", "{{ range .NetworkSettings.Networks }}{{ .IPAddress }}{{ end }}", container)

    def zap(self, **switches):
        """A ZAP that is ready, and the seconds that took."""
        key = secrets.token_hex(16)
        config = {"api.key": key, "api.addrs.addr.name": ".*", "api.addrs.addr.regex": "true"}
        config |= {f"proctor.{name}": value for name, value in switches.items()}
        options = [word for name, value in config.items() for word in ("-config", f"{name}={value}")]
        command = ["zap.sh", "-Xmx512m", "-daemon", "-silent", "-host", "0.0.0.0", "-port", ZAP_PORT, *options]
        began = time.monotonic()
        container = self.create("zap", ZAP, *command)
        docker("start", container)
        api = Api(container, self.address(container), key)
        wait_for("ZAP is ready", READY_LIMIT_S, api.ready)
        return api, time.monotonic() - began

    def remove(self, api):
        docker("rm", "--force", "--volumes", api.container)


class Api:
    """ZAP's API as a client outside of its container sees it."""

    def __init__(self, container, address, key):
        self.container = container
        self.address = address
        self.key = key

    def call(self, path, key=None, **parameters):
        """(status, body) of one call."""
        query = f"?{urllib.parse.urlencode(parameters)}" if parameters else ""
        connection = http.client.HTTPConnection(self.address, ZAP_PORT, timeout=CALL_LIMIT_S)
        try:
            # With the address and a published port as Host, ZAP takes the call for one to be proxied to itself.
            headers = {"Host": "zap", "X-ZAP-API-Key": key or self.key}
            connection.request("GET", f"/JSON/{path}/{query}", headers=headers)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def get(self, path, **parameters):
        """The answer of a call that must succeed; a map with one entry is that entry."""
        status, body = self.call(path, **parameters)
        must(status == 200, f"{path} {parameters} answered {status}: {body[:300]!r}")
        answer = json.loads(body)
        return next(iter(answer.values())) if len(answer) == 1 else answer

    def error(self, path, **parameters):
        """(status, code) of a call that must fail."""
        status, body = self.call(path, **parameters)
        must(status != 200, f"{path} {parameters} succeeded: {body[:300]!r}")
        return status, json.loads(body)["code"]

    def ready(self):
        try:
            return self.get("core/view/version")
        except (OSError, http.client.HTTPException):
            running = docker("inspect", "-f", "{{ .State.Running }}", self.container)
            must(running == "true", f"ZAP ended before it was ready:\n{self.log()[-2000:]}")
            return None

    def log(self):
        return docker("logs", self.container)

    def spider(self, url, limit_s=120):
        scan = self.get("spider/action/scan", url=url)
        status = "spider/view/status"
        wait_for(f"the spider of {url} ends", limit_s, lambda: self.get(status, scanId=scan) == "100" or None)
        return scan

    def passive_ends(self, limit_s=120):
        wait_for("the passive queue is empty", limit_s, lambda: self.waiting() == 0 or None)

    def waiting(self):
        return int(self.get("pscan/view/recordsToScan"))

    def active(self, url):
        return self.get("ascan/action/scan", url=url, recurse="true")

    def progress(self, scan):
        return int(self.get("ascan/view/status", scanId=scan))

    def active_ends(self, scan, limit_s=240):
        wait_for(f"active scan {scan} ends", limit_s, lambda: self.progress(scan) == 100 or None)

    def rules(self, scan):
        """{rule id: state} of an active scan."""
        hosts = self.get("ascan/view/scanProgress", scanId=scan)[1::2]
        return {rule["Plugin"][1]: rule["Plugin"][3] for host in hosts for rule in host["HostProcess"]}

    def alerts(self, base):
        return self.get("alert/view/alerts", baseurl=base)
