"""A million tampered secrets → a table of what luggage made of them; status 1 at any fault."""

from __future__ import annotations

import argparse
import functools
import multiprocessing
import os
import sys
import time
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
CHUNK = 2000


def main() -> int:
    """Run `--cases` cases on all cores; the table on stdout, progress on a terminal."""
    parser = argparse.ArgumentParser(prog="python benchmarks/tamper", description=__doc__)
    parser.add_argument("--cases", type=int, default=1_000_000, help="default: 1,000,000")
    parser.add_argument("--seed", help="to repeat a run (default: another each time)")
    parser.add_argument("--case", type=int, metavar="N", help="show one case of such a run")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    options = parser.parse_args()
    seed = options.seed or os.urandom(4).hex()
    print(f"{options.cases:,} cases, --seed {seed}", flush=True)
    if options.case is not None:
        family, outcome, attempt = cases.one(seed, options.cases, options.case)
        print(f"{family}: {outcome}\n{attempt}")
        return 0
    began = time.monotonic()
    faults: list[int] = []
    total: Counter[tuple[str, str]] = Counter()
    starts = range(0, options.cases, CHUNK)
    work = functools.partial(cases.run, seed, options.cases, CHUNK)
    with multiprocessing.get_context("spawn").Pool(options.jobs) as pool:
        for found in pool.imap_unordered(work, starts):
            total += found.counts
            faults += found.faults
            _progress(total.total(), options.cases, began)
    print(table(total))
    for number in faults[:10]:
        print(
            f"see: python benchmarks/tamper --seed {seed} --cases {options.cases} --case {number}"
        )
    seconds = time.monotonic() - began
    print(f"{total.total():,} cases in {seconds:.0f} s: {len(faults)} faults")
    return 1 if faults else 0


def _progress(done: int, wanted: int, began: float) -> None:
    if sys.stderr.isatty():
        rate = done / (time.monotonic() - began)
        end = "\n" if done == wanted else ""
        print(f"\r{done:,} of {wanted:,}, {rate:,.0f} a second", end=end, file=sys.stderr)


def table(total: Counter[tuple[str, str]]) -> str:
    """A line for each family, and one for each reason of refusal."""
    good = ("genuine", "fresh")
    columns = ("refused", "untouched", "fresh", "WRONG", "CRASH", "LEAK")
    lines = [f"{'family':<28}" + "".join(f"{name:>11}" for name in ("cases", *columns))]
    rows: dict[str, Counter[str]] = {}
    reasons: Counter[str] = Counter()
    for (family, outcome), count in total.items():
        kind = outcome if outcome in (*good, *cases.FAULTS) else "refused"
        rows.setdefault(family, Counter())[{"genuine": "untouched"}.get(kind, kind)] += count
        if kind == "refused":
            reasons[outcome] += count
    rows = dict(sorted(rows.items()))
    rows["all"] = sum(rows.values(), Counter())
    for family, row in rows.items():
        numbers = (row.total(), *(row[name] for name in columns))
        lines.append(f"{family:<28}" + "".join(f"{number:>11,}" for number in numbers))
    lines += ["", "refused as: " + ", ".join(f"{r} {n:,}" for r, n in reasons.most_common())]
    lines += [
        "untouched: the change came out as the text that was there, at its own place",
        "fresh: sealed anew by someone who has only the public key, which anyone may: it opens",
        "WRONG: opened although it must not. CRASH: another exception. LEAK: a value in a message",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.path[:0] = [str(ROOT)]
    os.environ["PYTHONPATH"] = os.pathsep.join(
        it for it in (str(ROOT), str(Path(__file__).parent), os.environ.get("PYTHONPATH")) if it
    )
    from luggage.bootstrap import ensure

    ensure()
    import cases

    sys.exit(main())
