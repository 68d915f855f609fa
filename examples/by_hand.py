#!/usr/bin/env python3
"""Run our analysers on a tree by hand, without the daemon, and print what they find.

    python3 examples/by_hand.py TREE --tools DIR [--rules config/rules] [--only semgrep,bandit] > findings.json

prints a JSON list of {tool, rule, path, line, severity}, paths relative to TREE. It is the second witness: what
proctor reports for a tree must be what this prints. DIR holds `<tool>/bin/<tool>` (Python tools, each in a virtual
environment of its own), `eslint/node_modules` with `eslint.config.mjs` beside it, and `bin/gitleaks`.
"""

import argparse
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

TIME_LIMIT_S = 900
CANARY = "proctor.canary."
VULTURE_LINE = re.compile(r"^(?P<path>.+?):(?P<line>\d+): (?P<what>.+) \((?P<sure>\d+)% confidence\)$")


class Bench:
    """Where the tools live, what they look at, and a neutral place to stand on."""

    def __init__(self, options, scratch):
        self.tree = options.tree.resolve()
        self.tools = options.tools.resolve()
        self.rules = options.rules.resolve()
        self.scratch = scratch

    def run(self, *argv, cwd=None, exits=(0,)):
        """Run one tool with nothing to read and a home of its own; returns stdout."""
        home = self.scratch / "home"
        home.mkdir(exist_ok=True)
        done = subprocess.run(
            [str(word) for word in argv],
            cwd=cwd or self.scratch,
            env={"PATH": os.environ["PATH"], "HOME": str(home), "LC_ALL": "C.UTF-8"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=TIME_LIMIT_S,
        )
        if done.returncode not in exits:
            sys.exit(f"{argv[0]} ended with {done.returncode}:\n{done.stderr[-2000:]}")
        return done.stdout

    def file(self, name, text):
        path = self.scratch / name
        path.write_text(text, encoding="utf-8")
        return path

    def inside(self, path):
        return str(pathlib.Path(path).relative_to(self.tree))


def finding(tool, rule, path, line, severity):
    return {"tool": tool, "rule": rule, "path": path, "line": line, "severity": severity.lower()}


def semgrep(bench):
    argv = [bench.tools / "semgrep/bin/semgrep", "scan", "--metrics", "off", "--disable-version-check", "--no-git-ignore"]
    argv += ["--x-ignore-semgrepignore-files", "--disable-nosem", "--max-target-bytes", "0", "--timeout", "10"]
    argv += ["--jobs", "2", "--json", "--quiet", "--config", "."]
    out = json.loads(bench.run(*argv, bench.tree, cwd=bench.rules))
    if out["errors"]:
        sys.exit(f"semgrep could not read everything: {json.dumps(out['errors'])[:2000]}")
    for hit in out["results"]:
        if not hit["check_id"].startswith(CANARY):
            path = bench.inside(hit["path"])
            yield finding("semgrep", hit["check_id"], path, hit["start"]["line"], hit["extra"]["severity"])


def bandit(bench):
    ini = bench.file("bandit.ini", "[bandit]\n")
    flags = ["-r", "-q", "-f", "json", "--ini", ini, "-x", "", "--ignore-nosec"]
    out = json.loads(bench.run(bench.tools / "bandit/bin/bandit", *flags, bench.tree, exits=(0, 1)))
    for hit in out["results"]:
        path = bench.inside(hit["filename"])
        yield finding("bandit", hit["test_id"], path, hit["line_number"], hit["issue_severity"])


def ruff(bench):
    flags = ["check", "--isolated", "--no-cache", "--no-fix", "--select", "S,E9", "--ignore-noqa"]
    flags += ["--no-respect-gitignore", "--exclude", "", "--output-format", "json"]
    for hit in json.loads(bench.run(bench.tools / "ruff/bin/ruff", *flags, bench.tree, exits=(0, 1))):
        yield finding("ruff", hit["code"], bench.inside(hit["filename"]), hit["location"]["row"], "medium")


def vulture(bench):
    flags = ["--config", "/dev/null", "--min-confidence", "60"]
    for text in bench.run(bench.tools / "vulture/bin/vulture", *flags, bench.tree, exits=(0, 3)).splitlines():
        hit = VULTURE_LINE.match(text)
        kind = re.match(r"(unused \w+|unreachable code|unsatisfiable|redundant)", hit["what"])[0].replace(" ", "-")
        yield finding("vulture", kind, bench.inside(hit["path"]), int(hit["line"]), "low")


def detect_secrets(bench):
    out = bench.run(bench.tools / "ds/bin/detect-secrets", "-C", bench.tree, "scan", "--all-files", "--no-verify", ".")
    for path, hits in json.loads(out)["results"].items():
        for hit in hits:
            yield finding("detect-secrets", hit["type"], path, hit["line_number"], "high")


def gitleaks(bench):
    config = bench.file("gitleaks.toml", "[extend]\nuseDefault = true\n")
    flags = ["dir", "--no-banner", "--no-color", "--report-format", "json", "--report-path", "-", "--redact"]
    flags += ["--exit-code", "42", "--config", config, "--gitleaks-ignore-path", "/nonexistent", "--ignore-gitleaks-allow"]
    for hit in json.loads(bench.run(bench.tools / "bin/gitleaks", *flags, bench.tree, exits=(0, 42))):
        yield finding("gitleaks", hit["RuleID"], bench.inside(hit["File"]), hit["StartLine"], "high")


def eslint(bench):
    home = bench.tools / "eslint"
    flags = ["--config", home / "eslint.config.mjs", "--no-inline-config", "--no-warn-ignored", "--format", "json", "."]
    out = bench.run(home / "node_modules/.bin/eslint", *flags, cwd=bench.tree, exits=(0, 1))
    for file in json.loads(out):
        for hit in file["messages"]:
            severity = "high" if hit["severity"] == 2 else "medium"
            yield finding("eslint", hit["ruleId"], bench.inside(file["filePath"]), hit["line"], severity)


TOOLS = {
    "semgrep": semgrep,
    "bandit": bandit,
    "ruff": ruff,
    "vulture": vulture,
    "detect-secrets": detect_secrets,
    "gitleaks": gitleaks,
    "eslint": eslint,
}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tree", type=pathlib.Path)
    parser.add_argument("--tools", type=pathlib.Path, required=True)
    parser.add_argument("--rules", type=pathlib.Path, default=pathlib.Path(__file__).parents[1] / "config/rules")
    parser.add_argument("--only", default=",".join(TOOLS), help="names of tools, joined by commas")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="by-hand-") as scratch:
        bench = Bench(options, pathlib.Path(scratch).resolve())
        found = [hit for name in options.only.split(",") for hit in TOOLS[name](bench)]
    json.dump(sorted(found, key=lambda hit: (hit["path"], hit["line"], hit["tool"], hit["rule"])), sys.stdout, indent=1)
    print()


if __name__ == "__main__":
    main()
