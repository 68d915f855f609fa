#!/usr/bin/env python3
"""Show each live defect of a running shop: `python3 attack.py http://127.0.0.1:5000`.

Sends the requests of the `live` list of DEFECTS.toml and looks for what they must bring to light. Exit 1 if one of
them shows nothing: then the shop, or the list, is no longer what it says. Talks to this machine only.
"""

import base64
import http.client
import pathlib
import sys
import tomllib
import urllib.parse

HERE = pathlib.Path(__file__).parent
TIME_LIMIT_S = 10
HOSTS = {"127.0.0.1", "localhost"}


def send(address, attack):
    """The answer to one attack: status, headers, text."""
    connection = http.client.HTTPConnection(address.hostname, address.port, timeout=TIME_LIMIT_S)
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    if "cookie" in attack:
        name, value = attack["cookie"]
        headers["Cookie"] = f"{name}={base64.b64encode(value.encode()).decode()}"
    connection.request(attack["method"], attack["path"], body=attack.get("body"), headers=headers)
    answer = connection.getresponse()
    text = answer.read().decode(errors="replace")
    connection.close()
    return answer.status, answer.headers, text


def shortcomings(attack, status, headers, text):
    """What the answer lacks to show the defect."""
    if status != attack["status"]:
        yield f"status {status}, not {attack['status']}"
    if attack.get("text", "") not in text:
        yield f"no {attack['text']!r} in the answer"
    if "header" in attack:
        name, part = attack["header"]
        if not any(part in value for value in headers.get_all(name, [])):
            yield f"no {part!r} in the header {name}"
    if "lacks" in attack:
        name, part = attack["lacks"]
        if any(part in value for value in headers.get_all(name, [])):
            yield f"{part!r} is in the header {name}"
    for name in attack.get("absent", []):
        if name in headers:
            yield f"the header {name} is there"


def main():
    address = urllib.parse.urlsplit(sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:5000")
    if address.hostname not in HOSTS:
        sys.exit(f"{address.hostname} is not this machine")
    failed = 0
    for attack in tomllib.loads((HERE / "DEFECTS.toml").read_text(encoding="utf-8"))["live"]:
        lacks = list(shortcomings(attack, *send(address, attack)))
        failed += bool(lacks)
        print(f"{'not shown' if lacks else 'shown':10} {attack['id']:26} {'; '.join(lacks)}".rstrip())
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
