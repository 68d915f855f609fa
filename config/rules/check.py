#!/usr/bin/env python3
"""Check our semgrep rules against the annotations of their test files.

    python3 config/rules/check.py --semgrep PATH_OF_SEMGREP

`# ruleid: a, b` (or `// ruleid:`) says: exactly the rules a and b match on the next line of code. `# ok: a` says: a
does not match there. The comparison is exact: a match on a line without an annotation is an error, as is a rule
without both a positive and a negative example, a rule without the metadata readers rely on, or a file semgrep could
not parse. (`semgrep --validate` needs the network, so loading the rules and running them is the validation.)
"""

import argparse
import collections
import json
import pathlib
import re
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).parent.resolve()
TESTS = HERE / "tests"
TIME_LIMIT_S = 600
ANNOTATION = re.compile(r"^\s*(?:#|//|\{?/\*)\s*(ruleid|ok):\s*(?P<ids>[\w., -]+)")
METADATA = ("cwe", "category", "confidence", "references")
SEVERITIES = {"LOW", "MEDIUM", "HIGH", "CRITICAL"}


def annotations(path):
    """{(line, rule)} that must match and that must not, from the comments of one test file."""
    must, must_not, waiting = set(), set(), []
    for number, text in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if note := ANNOTATION.match(text):
            kept = must if note[1] == "ruleid" else must_not
            waiting += [(kept, rule.strip(" */}")) for rule in note["ids"].split(",")]
        elif text.strip():
            for kept, rule in waiting:
                kept.add((number, rule))
            waiting = []
    return must, must_not


def run(semgrep):
    """What semgrep finds in the test files with every rule of this folder; bare rule ids need this working folder."""
    flags = ["--metrics", "off", "--disable-version-check", "--no-git-ignore", "--x-ignore-semgrepignore-files"]
    flags += ["--disable-nosem", "--jobs", "2", "--json", "--quiet", "--config", "."]
    with tempfile.TemporaryDirectory() as home:
        done = subprocess.run(
            [semgrep, "scan", *flags, str(TESTS)],
            cwd=HERE,
            env={"HOME": home, "PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=TIME_LIMIT_S,
        )
    if not done.stdout.startswith("{"):
        sys.exit(f"semgrep ended with {done.returncode} and printed no JSON:\n{done.stderr[-2000:]}")
    out = json.loads(done.stdout)
    if out["errors"]:
        sys.exit("\n".join(f"semgrep: {json.dumps(error)[:800]}" for error in out["errors"]))
    return out["results"]


def compare(path, found):
    """Complaints about one test file."""
    must, must_not = annotations(path)
    for line, rule in sorted(must - found):
        yield f"{path.name}:{line}: {rule} must match here and does not"
    for line, rule in sorted(found - must):
        word = "must not" if (line, rule) in must_not else "is not expected to"
        yield f"{path.name}:{line}: {rule} {word} match here"


def untested(rules):
    """Complaints about rules that no annotation, positive or negative, speaks of."""
    notes = [annotations(path) for path in test_files()]
    positive = {rule for must, _ in notes for _, rule in must}
    negative = {rule for _, must_not in notes for _, rule in must_not}
    yield from (f"{rule}: no `ruleid:` example" for rule in sorted(rules - positive))
    yield from (f"{rule}: no `ok:` example" for rule in sorted(rules - negative))
    yield from (f"{rule}: annotated, but there is no such rule" for rule in sorted((positive | negative) - rules))


def incomplete(hits):
    """Complaints about rules whose matches lack what the parsers and the reports rely on."""
    for hit in {hit["check_id"]: hit for hit in hits}.values():
        extra = hit["extra"]
        missing = [key for key in METADATA if not extra["metadata"].get(key)]
        if missing:
            yield f"{hit['check_id']}: metadata lacks {', '.join(missing)}"
        if extra["severity"] not in SEVERITIES:
            yield f"{hit['check_id']}: severity {extra['severity']} is none of {sorted(SEVERITIES)}"
        if not all(re.match(r"CWE-\d+: .", cwe) for cwe in extra["metadata"].get("cwe", [])):
            yield f"{hit['check_id']}: a CWE is not written as `CWE-<number>: <name>`"


def repeated(hits):
    """Complaints about rules that report one line twice."""
    places = collections.Counter((hit["path"], hit["start"]["line"], hit["check_id"]) for hit in hits)
    for (path, line, rule), times in sorted(places.items()):
        if times > 1:
            yield f"{pathlib.Path(path).name}:{line}: {rule} reports this line {times} times"


def test_files():
    return sorted(path for path in TESTS.iterdir() if path.suffix in {".py", ".js", ".jsx"})


def rule_ids():
    files = [path for path in HERE.glob("*.yml") if path.name != "canary.yml"]
    return {rule for path in files for rule in re.findall(r"^  - id: (\S+)$", path.read_text("utf-8"), re.MULTILINE)}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--semgrep", default="semgrep", help="the program, default: from PATH")
    hits = [hit for hit in run(parser.parse_args().semgrep) if not hit["check_id"].startswith("proctor.canary")]
    rules = rule_ids()
    complaints = list(untested(rules))
    complaints += incomplete(hits)
    complaints += repeated(hits)
    for path in test_files():
        here = {(hit["start"]["line"], hit["check_id"]) for hit in hits if pathlib.Path(hit["path"]).name == path.name}
        complaints += compare(path, here)
    print("\n".join(complaints) or f"{len(rules)} rules, {len(hits)} matches in {len(test_files())} files, as annotated")
    sys.exit(1 if complaints else 0)


if __name__ == "__main__":
    main()
