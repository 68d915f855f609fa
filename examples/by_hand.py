#!/usr/bin/env python3
"""Run our analysers on a tree by hand, without the daemon, and print what they find.

    python3 examples/by_hand.py TREE --tools DIR [--only semgrep,bandit] > findings.json

prints a JSON list of {tool, rule, path, line}, paths relative to TREE. It is the second witness: what proctor reports
for a tree must be what this prints. DIR is the folder `proctor tools install` filled, or one laid out like it:
`<tool>.../bin/<tool>`, for eslint `eslint.../node_modules/.bin/eslint`.
"""

import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile

REPOSITORY = pathlib.Path(__file__).parents[1].resolve()
CONFIG = REPOSITORY / "config/tools"
TIME_LIMIT_S = 1800


class Bench:
    """Where the tools live, what they look at, and a neutral place to stand on."""

    def __init__(self, options, scratch):
        self.tree = options.tree.resolve()
        self.tools = options.tools.resolve()
        self.scratch = scratch

    def program(self, tool, inside="bin"):
        """The program of a tool, in its own folder or one level below."""
        found = [path for depth in ("", "*/") for path in self.tools.glob(f"{tool}*/{depth}{inside}/{tool}")]
        if not found:
            sys.exit(f"{tool} is not installed in {self.tools}")
        return found[0]

    def run(self, *argv, cwd=None, exits=(0,), **variables):
        """Run one tool with nothing to read and a home of its own; returns stdout."""
        done = subprocess.run(
            [str(word) for word in argv],
            cwd=cwd or self.scratch,
            env={"PATH": os.environ["PATH"], "HOME": str(self.scratch), "LC_ALL": "C.UTF-8", **variables},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=TIME_LIMIT_S,
        )
        if done.returncode not in exits:
            sys.exit(f"{argv[0]} ended with {done.returncode}:\n{done.stderr[-2000:]}")
        return done.stdout

    def finding(self, tool, rule, path, line):
        return {"tool": tool, "rule": rule, "path": str((self.tree / path).relative_to(self.tree)), "line": line}


def semgrep(bench):
    flags = ["scan", "--metrics", "off", "--disable-version-check", "--no-git-ignore"]
    flags += ["--x-ignore-semgrepignore-files", "--disable-nosem", "--max-target-bytes", "0", "--timeout", "30"]
    flags += ["--timeout-threshold", "0", "--jobs", "2", "--json", "--quiet"]
    flags += ["--config", ".", "--config", CONFIG / "semgrep/parse-everything.yml"]
    out = json.loads(bench.run(bench.program("semgrep"), *flags, bench.tree, cwd=REPOSITORY / "config/rules"))
    for error in out["errors"]:
        print(f"semgrep could not read everything: {json.dumps(error)[:500]}", file=sys.stderr)
    for hit in out["results"]:
        yield bench.finding("semgrep", hit["check_id"], hit["path"], hit["start"]["line"])


def bandit(bench):
    flags = ["-r", "-q", "-f", "json", "--ini", CONFIG / "bandit/empty.ini", "-x", "", "--ignore-nosec"]
    for hit in json.loads(bench.run(bench.program("bandit"), *flags, bench.tree, exits=(0, 1)))["results"]:
        yield bench.finding("bandit", hit["test_id"], hit["filename"], hit["line_number"])


def ruff(bench):
    flags = ["check", "--isolated", "--no-cache", "--no-fix", "--select", "S,E9", "--ignore-noqa"]
    flags += ["--no-respect-gitignore", "--exclude", "", "--output-format", "json"]
    for hit in json.loads(bench.run(bench.program("ruff"), *flags, bench.tree, exits=(0, 1))):
        yield bench.finding("ruff", hit["code"], hit["filename"], hit["location"]["row"])


def vulture(bench):
    flags = ["--config", "/dev/null", "--min-confidence", "60"]
    for text in bench.run(bench.program("vulture"), *flags, bench.tree, exits=(0, 3)).splitlines():
        place, what = text.split(": ", 1)
        path, line = place.rsplit(":", 1)
        rule = "-".join(what.split("'")[0].split())
        yield bench.finding("vulture", rule, path, int(line))


def detect_secrets(bench):
    out = bench.run(bench.program("detect-secrets"), "-C", bench.tree, "scan", "--all-files", "--no-verify", ".")
    for path, hits in json.loads(out)["results"].items():
        for hit in hits:
            yield bench.finding("detect-secrets", hit["type"], path, hit["line_number"])


def gitleaks(bench):
    flags = ["dir", "--no-banner", "--no-color", "--report-format", "json", "--report-path", "-", "--redact"]
    flags += ["--exit-code", "42", "--config", CONFIG / "gitleaks/gitleaks.toml"]
    flags += ["--gitleaks-ignore-path", bench.scratch / "none", "--ignore-gitleaks-allow"]
    for hit in json.loads(bench.run(bench.program("gitleaks"), *flags, bench.tree, exits=(0, 42))):
        yield bench.finding("gitleaks", hit["RuleID"], hit["File"], hit["StartLine"])


def eslint(bench):
    program = bench.program("eslint", inside="node_modules/.bin")
    flags = ["--config", CONFIG / "eslint/eslint.config.mjs", "--no-inline-config", "--no-warn-ignored"]
    out = bench.run(
        program, *flags, "--format", "json", ".", cwd=bench.tree, exits=(0, 1), PROCTOR_TOOL_DIR=str(program.parents[2])
    )
    for file in json.loads(out):
        for hit in file["messages"]:
            yield bench.finding("eslint", hit["ruleId"], file["filePath"], hit["line"])


TOOLS = {
    "semgrep": semgrep,
    "bandit": bandit,
    "ruff": ruff,
    "vulture": vulture,
    "detect-secrets": detect_secrets,
    "gitleaks": gitleaks,
    "eslint": eslint,
}


def run(tree, tools, only=tuple(TOOLS)):
    """Every finding of the tools in `only`, sorted by place."""
    options = argparse.Namespace(tree=pathlib.Path(tree), tools=pathlib.Path(tools))
    with tempfile.TemporaryDirectory(prefix="by-hand-") as scratch:
        bench = Bench(options, pathlib.Path(scratch).resolve())
        found = [hit for name in only for hit in TOOLS[name](bench)]
    return sorted(found, key=lambda hit: (hit["path"], hit["line"], hit["tool"], hit["rule"]))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tree", type=pathlib.Path)
    parser.add_argument("--tools", type=pathlib.Path, required=True)
    parser.add_argument("--only", default=",".join(TOOLS), help="names of tools, joined by commas")
    options = parser.parse_args()
    json.dump(run(options.tree, options.tools, options.only.split(",")), sys.stdout, indent=1)
    print()


if __name__ == "__main__":
    main()
