"""Random faults, one after another, for some minutes → whether each healed and was told.

A deployment of a web server, two loops and a cron is asked for a good page fifty times a second,
while something hits it every few seconds: kill -9, SIGSTOP, a full state folder, a log that nobody
reads, a clock that jumps, requests that never end, garbage, an operator. Three rounds: the usual
one; one in which the clock is set; one whose log's reader has gone.
"""

from __future__ import annotations

import argparse
import os
import platform
import random
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
OUT = ROOT / "build" / "benchmark" / "soak"
if __name__ == "__main__":
    sys.path[:0] = [str(ROOT)]
    from luggage.bootstrap import ensure

    ensure()
    sys.path[:0] = [str(HERE)]
    sys.path.append(str(HERE.parent / "failsafe"))  # its module tree

import place  # noqa: E402
import report  # noqa: E402
import tree  # noqa: E402
from faults import BY_NAME, FAULTS, Fault  # noqa: E402
from rounds import HEAL, Round  # noqa: E402

OWN = 8  # times as often as others, a clock that is set comes in its round
SHARES = {"usual": 0.6, "clock": 0.2, "closed": 0.2}


def main() -> int:
    """Run it; 1 where something did not heal, or was not told."""
    options = arguments()
    if options.list:
        print("\n".join(fault.name for fault in FAULTS))
        return 0
    chosen = [BY_NAME[name] for name in options.only] or list(FAULTS)
    seed = options.seed if options.seed is not None else random.SystemRandom().randrange(10**6)
    rounds, left_out = planned(chosen, seed, options)
    for line in [f"seed {seed}", *left_out]:
        print(line, flush=True)
    options.out.mkdir(parents=True, exist_ok=True)
    tree.adopt_orphans()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    began = time.monotonic()
    try:
        for it in rounds:
            it.run()
    finally:
        tree.end()
    outcomes = [outcome for it in rounds for outcome in it.outcomes]
    wrong = [text for it in rounds for text in it.wrong]
    bad = sum(bool(outcome.wrong) for outcome in outcomes)
    minutes = (time.monotonic() - began) / 60
    asked = sum(outcome.found.asked for outcome in outcomes)
    text = "\n".join(
        [
            report.table(outcomes),
            "",
            f"{len(outcomes)} faults in {minutes:.1f} minutes, seed {seed}; {asked:,} good "
            f"requests; {machine()}.",
            *left_out,
            *wrong,
            f"{bad} faults did not heal, or were not told; {len(wrong)} other things were wrong."
            if bad or wrong
            else "Every fault healed, and was told.",
        ]
    )
    print(f"\n{text}")
    report.write(options.out / "soak.csv", outcomes)
    (options.out / "soak.md").write_text(text + "\n")
    return int(bool(bad or wrong or not outcomes))


def planned(
    chosen: Sequence[Fault], seed: int, options: argparse.Namespace
) -> tuple[list[Round], list[str]]:
    """The rounds that have any of the faults, and what is left out here."""
    left_out = []
    if not place.Place(options.out, clock=False).apart:
        left_out.append("left out: a full state folder: no mount namespace may be made here")
        chosen = [
            fault for fault in chosen if "full" not in fault.name and "crowd" not in fault.name
        ]
    names = [name for name in SHARES if any(name in fault.rounds for fault in chosen)]
    if "clock" in names and not place.has_compiler():
        left_out.append("left out: a clock that is set: there is no cc")
        names.remove("clock")
    whole = sum(SHARES[name] for name in names)
    return [
        Round(
            name,
            [
                it
                for it in chosen
                if name in it.rounds
                for _ in range(OWN if it.rounds == {"clock"} else 1)
            ],
            options.minutes * 60 * SHARES[name] / whole,
            f"{seed} {name}",
            options.out,
            lambda text: print(text, flush=True),
            options.slack,
            options.heal,
        )
        for name in names
    ], left_out


def arguments() -> argparse.Namespace:
    """The words of the command line."""
    parser = argparse.ArgumentParser(prog="python benchmarks/soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10, help="(default: 10)")
    parser.add_argument("--seed", type=int, help="the same faults in the same order")
    parser.add_argument(
        "--only", nargs="*", default=[], metavar="FAULT", choices=BY_NAME, help="these; see --list"
    )
    parser.add_argument(
        "--slack", type=float, default=0, help="more seconds without an answer, on a slow machine"
    )
    parser.add_argument(
        "--heal", type=float, default=HEAL, help="seconds to be as before (default: %(default)g)"
    )
    parser.add_argument("--list", action="store_true", help="name the faults")
    parser.add_argument("--out", type=Path, default=OUT, help=f"(default: {OUT.relative_to(ROOT)})")
    return parser.parse_args()


def machine() -> str:
    """Where it was run."""
    kernel = platform.release().split("-")[0]
    return f"{os.cpu_count()} processors, Linux {kernel}, Python {platform.python_version()}"


if __name__ == "__main__":
    sys.exit(main())
