"""One commit, packed twenty times as differently as can be → whether every byte came out the same.

Each `./create --check` packs twice: as ever, and once more from nothing, elsewhere, as another user
and in another time zone. Ten of them, with every engine that is here, are twenty packings. It takes
some ten minutes.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[2]))

import alone
import ways
from commands import FailedError, UnavailableError
from engines_here import Engines
from judged import judged
from ways import WAYS, Packed


def main() -> int:
    """Pack in every way, or in those of --only, and compare; 0 where all did and all are equal."""
    parser = argparse.ArgumentParser(prog="python benchmarks/reproduce", description=__doc__)
    parser.add_argument("--json", type=Path, metavar="FILE", help="what was measured")
    parser.add_argument("--only", metavar="WORD", help="the ways whose name has this word in it")
    options = parser.parse_args()
    chosen = [way for way in WAYS if options.only is None or options.only in way.name]
    made: dict[str, Packed] = {}
    took: dict[str, float] = {}
    os.umask(0o022)
    with tempfile.TemporaryDirectory(prefix="luggage-reproduce-") as name:
        base = Path(name)
        base.chmod(0o755)
        origin = ways.last_commit(base)
        with Engines(base, os.environ) as engines:
            for way in chosen:
                begin = time.monotonic()
                try:
                    if way.engine == "none":
                        found = alone.packed(way, ways.checkout(way, origin))
                    else:
                        found = ways.packed(way, engines.of(way), ways.checkout(way, origin))
                except UnavailableError as error:
                    print(f"{way.name:45} left out: {error}", flush=True)
                    continue
                except FailedError as error:
                    print(f"{way.name:45} FAILED: {error}", flush=True)
                    continue
                made[way.name], took[way.name] = found, time.monotonic() - begin
                digest = found.files["example.pex"][:16]
                print(f"{way.name:45} {digest}  {took[way.name]:.0f} s", flush=True)
    verdict = judged(list(made.values()), len(chosen))
    print("\n" + "\n".join(verdict.lines()), flush=True)
    if options.json:
        rows = [{"way": it, "seconds": took[it], **asdict(made[it])} for it in made]
        told = {"same": verdict.same, "packings": verdict.packings, "wanted": verdict.wanted}
        options.json.write_text(json.dumps({**told, "rows": rows}, indent=1) + "\n")
    return verdict.status


if __name__ == "__main__":
    # As at Ctrl-C: what was made is removed.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    sys.exit(main())
