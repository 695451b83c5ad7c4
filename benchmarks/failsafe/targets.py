"""What a runtime must do beside serving → what luggage does, measured, beside what it should be.

Each word is a group of measurements; all of them take some minutes, of which reloading takes most.
"""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
if __name__ == "__main__":
    sys.path[:0] = [str(ROOT)]
    from luggage.bootstrap import ensure

    ensure()

import healing  # noqa: E402
import honest  # noqa: E402
import report  # noqa: E402
import stopping  # noqa: E402
import throughput  # noqa: E402
import tree  # noqa: E402
from bench import Bench, Found  # noqa: E402

GROUPS: dict[str, Callable[[Bench], Iterator[Found]]] = {
    "honest": honest.measured,
    "term": stopping.term,
    "reload": stopping.reload,
    "back": healing.back,
    "wedge": healing.wedge,
    "orphans": healing.orphans,
    "memory": healing.memory,
    "throughput": throughput.measured,
}


def main() -> int:
    """Measure, a line each; 1 where a target is missed."""
    parser = argparse.ArgumentParser(
        prog="python benchmarks/failsafe/targets.py", description=__doc__
    )
    parser.add_argument("groups", nargs="*", choices=[*GROUPS, []], metavar="GROUP", default=[])
    parser.epilog = f"groups: {', '.join(GROUPS)}"
    parser.add_argument("--rounds", type=int, default=9, help="of what is repeated (default: 9)")
    parser.add_argument("--reloads", type=int, default=100, help="default: 100")
    parser.add_argument("--requests", type=int, default=20_000, help="at least, while reloading")
    parser.add_argument("--seconds", type=float, default=5.0, help="of each run for throughput")
    parser.add_argument("--docs", action="store_true", help="write it into docs/failsafe.md")
    options = parser.parse_args()
    tree.adopt_orphans()
    found: list[Found] = []
    try:
        for name in options.groups or GROUPS:
            with tempfile.TemporaryDirectory(prefix="failsafe-") as folder:
                bench = Bench(
                    Path(sys.executable),
                    Path(folder),
                    options.rounds,
                    options.reloads,
                    options.requests,
                    options.seconds,
                )
                for it in GROUPS[name](bench):
                    print(it, file=sys.stderr, flush=True)
                    found.append(it)
    finally:
        tree.end()
    rows = [
        f"| {it.measure} | {it.target} | {it.told}{'' if it.met else ', missed'} |" for it in found
    ]
    text = "\n".join(["| measure | target | found |", "|---|---|---|", *rows])
    print(text)
    if options.docs:
        page = ROOT / "docs" / "failsafe.md"
        page.write_text(report.placed(page.read_text(), text, f"{report.MARK}/targets"))
    return int(not all(it.met for it in found))


if __name__ == "__main__":
    # As at Ctrl-C: what was started is ended.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    sys.exit(main())
