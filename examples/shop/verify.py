#!/usr/bin/env python3
"""Compare findings with the oracle, DEFECTS.toml.

    verify.py < findings.json            which defects each tool found, missed, or invented; exit 1 unless exact
    verify.py --removed ID < found.json  the same for a copy of the shop from which these defects were removed
    verify.py --remove ID --into FOLDER  make such a copy (ID may be repeated; `all` means every one)
    verify.py --lines                    check the oracle itself against the files of the shop

Findings are a JSON list of {tool, rule, path, line}, or an object with that list under `findings`; a finding may have
`severity`, which is then compared too. Only tools named by --tools (default: those that report anything) are judged.
"""

import argparse
import collections
import json
import pathlib
import shutil
import sys
import tomllib

HERE = pathlib.Path(__file__).parent
SEVERITIES = ["info", "low", "medium", "high", "critical"]


def load():
    return tomllib.loads((HERE / "DEFECTS.toml").read_text(encoding="utf-8"))


def chosen(oracle, names):
    """The defects of these names."""
    known = {defect["id"]: defect for defect in oracle["defect"]}
    if names == ["all"]:
        return list(known.values())
    unknown = [name for name in names if name not in known]
    if unknown:
        sys.exit(f"no defect is called {', '.join(unknown)}")
    return [known[name] for name in names]


def keys(defect, kind="tools"):
    """Each finding of a defect as (tool, rule, path, line), as often as it is reported."""
    for one in defect.get(kind, []):
        key = (one["tool"], one["rule"], defect["file"], one.get("line", defect["line"]))
        yield from [key] * one.get("times", 1)


def expected(oracle, removed=()):
    """{finding: how often}: everything the tools must report when these defects are removed."""
    gone = {defect["id"] for defect in removed}
    kept = [key for defect in oracle["defect"] if defect["id"] not in gone for key in keys(defect)]
    kept += [(one["tool"], one["rule"], one["file"], one["line"]) for one in oracle["standing"]]
    brought = [key for defect in removed for key in keys(defect, "brings")]
    return collections.Counter(kept + brought)


def repaired(lines, edits):
    """The lines of a file after some edits. Missing lines become empty ones: no line moves."""
    lines = list(lines)
    for edit in edits:
        first, last = edit["from_line"] - 1, edit["to_line"]
        new = edit["with"].split("\n")
        lines[first:last] = new + [""] * (last - first - len(new))
    return lines


def copy_without(removed, folder):
    """Copy the shop into `folder` with these defects removed."""
    shutil.copytree(HERE, folder, ignore=shutil.ignore_patterns("__pycache__"))
    for defect in removed:
        path = pathlib.Path(folder) / defect["file"]
        lines = path.read_text(encoding="utf-8").split("\n")
        path.write_text("\n".join(repaired(lines, defect["remove"])), encoding="utf-8")


def drift(oracle):
    """Complaints about an oracle that no longer fits its files."""
    taken = {}
    for entry in oracle["defect"]:
        lines = (HERE / entry["file"]).read_text(encoding="utf-8").split("\n")
        if entry["needle"] not in lines[entry["line"] - 1]:
            yield f"{entry['id']}: {entry['file']}:{entry['line']} does not hold {entry['needle']!r}"
        for edit in entry["remove"]:
            if edit["with"].count("\n") > edit["to_line"] - edit["from_line"]:
                yield f"{entry['id']}: the edit of line {edit['from_line']} would move lines"
            for line in range(edit["from_line"], edit["to_line"] + 1):
                owner = taken.setdefault((entry["file"], line), entry["id"])
                if owner != entry["id"]:
                    yield f"{entry['id']}: line {line} of {entry['file']} is also edited by {owner}"
        if repaired(lines, entry["remove"]) == lines:
            yield f"{entry['id']}: removing it changes nothing"
    totals = collections.Counter(tool for tool, *_ in expected(oracle).elements())
    if dict(totals) != oracle["expected_total"]:
        yield f"expected_total is {oracle['expected_total']}, the entries sum up to {dict(totals)}"
    for path in oracle["clean_files"]:
        if not (HERE / path).is_file():
            yield f"clean_files: there is no {path}"
        if any(key[2] == path for key in expected(oracle)):
            yield f"clean_files: {path} has findings"


def read_findings(text):
    document = json.loads(text)
    return document["findings"] if isinstance(document, dict) else document


def judge(oracle, found, tools, removed=()):
    """Print a line per expected finding that is missed and per finding that is invented; True if there is none."""
    must = collections.Counter(key for key in expected(oracle, removed).elements() if key[0] in tools)
    has = collections.Counter((one["tool"], one["rule"], one["path"], one["line"]) for one in found if one["tool"] in tools)
    for word, keys_of_it in (("missed", must - has), ("invented", has - must)):
        for (tool, rule, path, line), times in sorted(keys_of_it.items()):
            print(f"{word:9} {tool:15} {rule}  {path}:{line}" + (f"  x{times}" if times > 1 else ""))
    for tool in sorted(tools):
        wanted = sum(times for key, times in must.items() if key[0] == tool)
        lost = sum(times for key, times in (must - has).items() if key[0] == tool)
        extra = sum(times for key, times in (has - must).items() if key[0] == tool)
        print(f"{tool:15} {wanted - lost} of {wanted} found, {extra} invented")
    return must == has


def too_mild(oracle, found, tools, removed=()):
    """Complaints about defects that no tool takes as seriously as the oracle asks; silent without severities."""
    severities = collections.defaultdict(list)
    for one in found:
        if "severity" in one:
            severities[one["tool"], one["rule"], one["path"], one["line"]].append(SEVERITIES.index(one["severity"]))
    gone = {defect["id"] for defect in removed}
    for defect in oracle["defect"]:
        seen = [severity for key in keys(defect) if key[0] in tools for severity in severities[key]]
        if defect["id"] not in gone and seen and max(seen) < SEVERITIES.index(defect["severity"]):
            yield f"{defect['id']}: at most {SEVERITIES[max(seen)]}, must be {defect['severity']} at least"


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lines", action="store_true")
    parser.add_argument("--remove", action="append", default=[], metavar="ID")
    parser.add_argument("--into", type=pathlib.Path, metavar="FOLDER")
    parser.add_argument("--removed", action="append", default=[], metavar="ID")
    parser.add_argument("--tools", help="names joined by commas")
    return parser.parse_args()


def main():
    options = arguments()
    oracle = load()
    complaints = list(drift(oracle))
    if options.remove:
        copy_without(chosen(oracle, options.remove), options.into)
    elif not options.lines:
        found = read_findings(sys.stdin.read())
        tools = set(options.tools.split(",")) if options.tools else {one["tool"] for one in found}
        removed = chosen(oracle, options.removed)
        if not judge(oracle, found, tools, removed):
            complaints.append("the findings are not those of the oracle")
        complaints += too_mild(oracle, found, tools, removed)
    print("\n".join(complaints) or "as the oracle says")
    sys.exit(1 if complaints else 0)


if __name__ == "__main__":
    main()
