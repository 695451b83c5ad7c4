"""Ten thousand flipped bytes in a real pex and in the tars of an image's layers, some more in the
rest of the saved file, and files that two readers read differently → how many `verify` refused.
"""

from __future__ import annotations

import argparse
import contextlib
import multiprocessing
import os
import random
import sys
import tempfile
import time
from collections import Counter
from multiprocessing.pool import Pool
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent


def main() -> int:
    """Flip `--cases` bytes, one at a time; the table on stdout."""
    parser = argparse.ArgumentParser(prog="python benchmarks/verify", description=__doc__)
    parser.add_argument("--pex", type=Path, help="default: the one in build")
    parser.add_argument("--image", help="a name, or a saved image (default: the pex's name)")
    parser.add_argument("--cases", type=int, default=10_000, help="default: 10,000")
    parser.add_argument("--outside", type=int, help="bytes of the rest (default: a fortieth)")
    parser.add_argument("--seed", default=os.urandom(4).hex(), help="to repeat a run")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    options = parser.parse_args()
    pex = options.pex or next((ROOT / "build").glob("*.pex"))
    image = options.image or pex.stem
    print(f"{options.cases:,} cases, --seed {options.seed}, {pex}, image {image}", flush=True)
    with tempfile.TemporaryDirectory(prefix="luggage-") as folder:
        saved = Path(image)
        if not saved.exists():
            saved = Path(folder) / "image.tar"
            engine.find(dict(os.environ)).save(image, saved)
        chance = random.Random(options.seed)
        cases = list(flips.cases(pex, saved, options.cases, chance))
        chance.shuffle(cases)
        began = time.monotonic()
        counts: Counter[tuple[str, bool]] = Counter()
        context = multiprocessing.get_context("spawn")
        with contextlib.suppress(KeyboardInterrupt), context.Pool(options.jobs) as pool:
            for case, refused in pool.imap_unordered(flips.run, cases, chunksize=20):
                what = "pex" if case.layer is None else f"layer {case.layer + 1}'s tar"
                counts[what, refused] += 1
                if not refused:
                    print(f"TAKEN: {what}, byte {case.at}, xor {case.by}", flush=True)
                if sys.stderr.isatty():
                    print(f"\r{counts.total():,} of {len(cases):,}", end="", file=sys.stderr)
            count = options.cases // 40 if options.outside is None else options.outside
            rest = _outside(pool, saved, count, chance)
    for what in sorted({what for what, _ in counts}):
        taken, refused = counts[what, False], counts[what, True]
        print(f"{what:<13} {refused:>7,} of {refused + taken:,} refused")
    total = sum(refused for (_, is_refused), refused in counts.items() if is_refused)
    print(f"{total:,} of {counts.total():,} refused, in {time.monotonic() - began:.0f} s")
    if counts.total() < len(cases):
        print(f"stopped before {len(cases):,}")
        return 1
    told = ", ".join(f"{number:,} {what}" for what, number in sorted(rest.items()))
    print(f"{rest.total():,} bytes of the saved file outside of the layers: {told}")
    taken_ = [name for name, refused in outside.structures() if not refused]
    print(f"files that two readers read differently: {', '.join(taken_) or 'all refused'}")
    return 1 if total < len(cases) or rest[outside.TAKEN] or taken_ else 0


def _outside(pool: Pool, saved: Path, count: int, chance: random.Random) -> Counter[str]:
    """What became of the saved file with bytes changed outside of the layers."""
    key = signing.generate()
    found = artifact.load(saved)
    given = verify.given(found, None, None)
    given = Given(given.seal, key.sign(given.seal))
    places = list(outside.places(saved, count, chance, given, key.public))
    counts: Counter[str] = Counter()
    for place, what in pool.imap_unordered(outside.run, places):
        counts[what] += 1
        if what == outside.TAKEN:
            print(f"TAKEN: the saved file, byte {place.at}, xor {place.by}", flush=True)
    return counts


if __name__ == "__main__":
    sys.path[:0] = [str(ROOT)]
    os.environ["PYTHONPATH"] = os.pathsep.join(
        it for it in (str(ROOT), str(Path(__file__).parent), os.environ.get("PYTHONPATH")) if it
    )
    from luggage.bootstrap import ensure

    ensure()
    import flips
    import outside

    from luggage.buildpex import engine
    from luggage.crypto import signing
    from luggage.seal import artifact, verify
    from luggage.seal.verify import Given

    sys.exit(main())
