"""Every server and every fault → what became of the good requests meanwhile.

Each cell is a server of its own, the same app and the same clients: good requests at a fixed rate,
one of a hundred bad. All in one run, fault by fault, on loopback. Within the hour; --full takes
three.
"""

from __future__ import annotations

import argparse
import os
import platform
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
OUT = ROOT / "build" / "benchmark" / "failsafe"
DOCS = ROOT / "docs"
PEERS = ("gunicorn==", "pyuwsgi==", "supervisor==", "granian==", "waitress==")
if __name__ == "__main__":
    sys.path[:0] = [str(ROOT)]
    from luggage.bootstrap import ensure

    ensure()

import cells  # noqa: E402
import report  # noqa: E402
import servers  # noqa: E402
import tree  # noqa: E402
from cells import Fault, Plan, Result  # noqa: E402
from servers import Server  # noqa: E402


def main() -> int:
    """Run what was asked for; 1 where a server did not start."""
    options = arguments()
    if options.list:
        print("servers:", ", ".join(server.name for server in servers.SERVERS))
        print("faults: ", ", ".join(fault.name for fault in cells.FAULTS))
        return 0
    seconds = options.seconds or (60.0 if options.full else 15.0)
    plan = Plan(seconds, options.tail, options.rate, options.seed)
    wanted = cells.chosen(options.only)
    python = servers.environment([server for server, _ in wanted])
    began = time.monotonic()
    results = bench(wanted, plan, python, options.out)
    found = report.by_place(results)
    how = f"{described(plan, python)}, {(time.monotonic() - began) / 60:.0f} minutes."
    text = f"{report.tables(found)}\n\n{how}"
    print(text)
    (options.out / "failsafe.md").write_text(text + "\n")
    (options.out / "failsafe.svg").write_text(report.svg(found))
    if options.docs:
        page = DOCS / "failsafe.md"
        shown = f"{report.page(found)}\n\n{how} Every figure: [failsafe.csv](failsafe.csv)."
        page.write_text(report.placed(page.read_text(), shown))
        for name in ("failsafe.svg", "failsafe.csv"):
            shutil.copy(options.out / name, DOCS / name)
    return int(any(result.error for result in results))


def arguments() -> argparse.Namespace:
    """The words of the command line."""
    parser = argparse.ArgumentParser(prog="python benchmarks/failsafe", description=__doc__)
    parser.add_argument("--full", action="store_true", help="cells of 60 seconds, not 15")
    parser.add_argument(
        "--only",
        nargs="*",
        default=[],
        metavar="SERVER/FAULT",
        help="either may be left out, or have a *: luggage, /lock, gunicorn/mix-*",
    )
    parser.add_argument("--list", action="store_true", help="name servers and faults")
    parser.add_argument("--rate", type=float, default=Plan.rate, help="requests a second (50)")
    parser.add_argument("--seconds", type=float, help="of faults in each cell")
    parser.add_argument("--tail", type=float, default=Plan.tail, help="seconds after them (5)")
    parser.add_argument("--seed", type=int, default=Plan.seed, help="of the bad requests' places")
    parser.add_argument("--out", type=Path, default=OUT, help="folder for CSV, table, SVG and logs")
    parser.add_argument("--docs", action="store_true", help="write them into docs/ as well")
    return parser.parse_args()


def bench(wanted: list[tuple[Server, Fault]], plan: Plan, python: Path, out: Path) -> list[Result]:
    """All cells, one after the other; the CSV holds what is done, if it is ended before."""
    tree.adopt_orphans()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # those who crash leave no file
    out.mkdir(parents=True, exist_ok=True)
    logs = out / "logs"
    shutil.rmtree(logs, ignore_errors=True)
    logs.mkdir()
    results: list[Result] = []
    began = time.monotonic()
    try:
        for number, (server, fault) in enumerate(wanted, 1):
            with tempfile.TemporaryDirectory(prefix="failsafe-") as name:
                folder = Path(name) / server.name
                result = cells.run(server, fault, plan, python, folder)
                shutil.copy(folder / "log", logs / f"{server.name}-{fault.name}.log")
            results.append(result)
            report.write(out / "failsafe.csv", results)
            left = (time.monotonic() - began) / number * (len(wanted) - number)
            say(f"{number}/{len(wanted)} {told(result)}; {left / 60:.0f} min left")
    finally:
        tree.end()
    return results


def told(result: Result) -> str:
    """A cell on a line."""
    name = f"{result.server}/{result.fault}"
    if result.error:
        return f"{name:<28} {result.error.splitlines()[-1]}, as its log tells"
    served = f"{report.percent(result.percent)} p99 {report.seconds(result.p99)}"
    after = "" if result.recovered else f", {report.percent(result.after)} after it"
    return f"{name:<28} {served}{after} ({result.answers}; bad: {result.bad or 'none'})"


def described(plan: Plan, python: Path) -> str:
    """What the figures hold for."""
    words = ["git", "rev-parse", "--short=12", "HEAD"]
    done = subprocess.run(words, cwd=ROOT, check=False, capture_output=True, text=True)
    asked = [str(python), "-m", "pip", "freeze", "--all"]
    found = subprocess.run(asked, check=True, capture_output=True, text=True)
    versions = [it.replace("==", " ") for it in found.stdout.split() if it.startswith(PEERS)]
    return (
        f"Commit {done.stdout.strip() or 'unknown'}, {', '.join(versions)}, "
        f"Python {platform.python_version()}, {os.cpu_count()} cores, {plan.rate:.0f} requests a "
        f"second, cells of {plan.seconds:.0f} s and {plan.tail:.0f} s without faults, seed "
        f"{plan.seed}"
    )


def say(text: str) -> None:
    """Progress."""
    print(f"failsafe: {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    # As at Ctrl-C: what was started is ended.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    sys.exit(main())
