#!/usr/bin/env python3
"""Prove the oracle of examples/shop with the tools themselves: no finding by magic.

    python3 examples/prove_shop.py --tools DIR            a few rounds, each with one defect removed per file
    python3 examples/prove_shop.py --tools DIR --each     a round per defect, alone (slow)

Scans the shop as it is, then copies of it with defects removed, then one with all of them removed. Every scan must
report exactly what DEFECTS.toml says: the findings of what was removed are gone, all others stand where they were.
"""

import argparse
import itertools
import pathlib
import sys
import tempfile

HERE = pathlib.Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE / "shop")]
sys.dont_write_bytecode = True

import by_hand  # noqa: E402
import verify  # noqa: E402


def rounds(oracle, each):
    """Lists of defects to remove together: none, then some, then all."""
    defects = oracle["defect"]
    by_file = {}
    for defect in defects:
        by_file.setdefault(defect["file"], []).append(defect)
    some = [[one] for one in defects] if each else itertools.zip_longest(*by_file.values())
    return [[], *([one for one in group if one] for group in some), defects]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tools", type=pathlib.Path, required=True)
    parser.add_argument("--each", action="store_true")
    options = parser.parse_args()
    oracle = verify.load()
    wrong = 0
    for removed in rounds(oracle, options.each):
        names = [defect["id"] for defect in removed]
        print(f"--- without {', '.join(names) or 'nothing'}", flush=True)
        with tempfile.TemporaryDirectory(prefix="prove-shop-") as folder:
            copy = pathlib.Path(folder) / "shop"
            verify.copy_without(removed, copy)
            found = by_hand.run(copy, options.tools)
        wrong += not verify.judge(oracle, found, set(by_hand.TOOLS), removed)
    print(f"{wrong} rounds differ from the oracle" if wrong else "every round is as the oracle says")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
