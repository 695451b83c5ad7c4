"""Opening, starting and encrypting → how long each takes, beside others that do the same.

Every pair is measured in turns within one run, and the median is told: what the machine does
besides falls on both. What cannot be installed is left out, and said.
"""

from __future__ import annotations

import argparse
import base64
import os
import statistics
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Callable, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
BUILD = ROOT / "build" / "benchmark"
CONFIG = """\
from luggage import crypto

SECRETS = crypto.Secrets(
    format=1,
    project="bench",
    environments={{
        "demo": crypto.Environment(
            public_key="{public}",
            epoch=1,
            values={{
{values}
            }},
        ),
    }},
)
"""
MAIN = """\
import sys
from luggage import commands
sys.exit(commands.main(sys.argv, "depot"))
"""
PYRAGE = """\
import statistics, sys, time, pyrage
count, rounds = map(int, sys.argv[1:])
identity = pyrage.x25519.Identity.generate()
boxes = [pyrage.encrypt(b"value %d" % n, [identity.to_public()]) for n in range(count)]
times = []
for _ in range(rounds):
    start = time.perf_counter()
    for box in boxes:
        pyrage.decrypt(box, [identity])
    times.append(time.perf_counter() - start)
print(statistics.median(times))
"""


class LeftOut(Exception):  # noqa: N818 - no error
    """Why something was not measured."""


def main() -> int:
    """Measure and tell, a line each on stdout."""
    parser = argparse.ArgumentParser(prog="python benchmarks/secrets", description=__doc__)
    parser.add_argument("--secrets", type=int, default=1000, help="how many (default: 1,000)")
    parser.add_argument("--rounds", type=int, default=9, help="at least 5 (default: 9)")
    parser.add_argument("--no-others", action="store_true", help="luggage and PyNaCl alone")
    options = parser.parse_args()
    rounds = max(5, options.rounds)
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    print(f"Python {sys.version.split()[0]}, {options.secrets:,} secrets, medians of {rounds}\n")
    bare = opening(options.secrets, rounds)
    starting(rounds)
    encrypting(rounds)
    if not options.no_others:
        others(options.secrets, rounds, bare)
    return 0


def medians(rounds: int, *measured: Callable[[], object]) -> list[float]:
    """The median seconds of each, measured in turns."""
    times: list[list[float]] = [[] for _ in measured]
    for _ in range(rounds):
        for spent, call in zip(times, measured, strict=True):
            began = time.perf_counter()
            call()
            spent.append(time.perf_counter() - began)
    return [statistics.median(spent) for spent in times]


def opening(count: int, rounds: int) -> float:
    """`Secrets.open` against PyNaCl's SealedBox on the same boxes; seconds of the latter."""
    from nacl.public import PrivateKey, SealedBox  # noqa: PLC0415

    from luggage.crypto import Environment, Secrets, keys  # noqa: PLC0415

    key = keys.generate()
    values = sealed(key, count)
    environment = Environment(public_key=key.public.dump(), epoch=1, values=values)
    secrets = Secrets(format=1, project="bench", environments={"demo": environment})
    bundle = keys.Bundle((key,))
    boxes = [base64.urlsafe_b64decode(it.split(".")[2] + "==") for it in values.values()]
    opener = SealedBox(PrivateKey(key.reveal()))
    bare, ours = medians(
        rounds,
        lambda: [opener.decrypt(box) for box in boxes],
        lambda: secrets.open_with(bundle),
    )
    tell(f"open {count:,}: bare SealedBox", bare)
    tell(f"open {count:,}: luggage", ours, f"{ours / bare:.2f} × bare (target: 1.3)")
    return bare


def sealed(key: object, count: int) -> dict[str, str]:
    """Name → sealed value."""
    from luggage.crypto import Secret, envelope  # noqa: PLC0415

    found = {}
    for n in range(count):
        place = envelope.Context("bench", "demo", f"NAME_{n}", key.public, 1)  # type: ignore[attr-defined]
        found[f"NAME_{n}"] = envelope.seal(Secret(b"value %d" % n), "text", place)
    return found


def starting(rounds: int) -> None:
    """A process that opens ten secrets against one that does nothing, and against the floor."""
    from luggage.crypto import keys  # noqa: PLC0415

    with tempfile.TemporaryDirectory() as name:
        folder, key = Path(name), keys.generate()
        lines = [f'                "{n}": "{text}",' for n, text in sealed(key, 10).items()]
        text = CONFIG.format(public=key.public.dump(), values="\n".join(lines))
        (folder / "config.py").write_text(text)
        environ = environment(folder) | {"SECRET_KEY": str(key.dump().reveal())}
        programs = (
            "pass",
            "import nacl.bindings",
            "import dataclasses, typing, nacl.bindings",
            "import config; config.SECRETS.open()",
        )

        def start(program: str) -> None:
            subprocess.run([sys.executable, "-c", program], check=True, env=environ, cwd=folder)

        for program in programs:
            start(program)  # bytecode is written, and files are in memory
        calls = [lambda program=it: start(program) for it in programs]  # type: ignore[misc]
        nothing, *spent = medians(rounds * 2 + 1, *calls)
    print()
    tell("start: python -c pass", nothing)
    notes = ("PyNaCl alone", "with what any of our modules imports", "target: 30 ms more")
    for program, seconds, note in zip(programs[1:], spent, notes, strict=True):
        tell(f"start: {program[:36]}", seconds, f"{(seconds - nothing) * 1e3:+.1f} ms; {note}")


def encrypting(rounds: int) -> None:
    """`python -m … encrypt NAME`, a whole process."""
    from luggage.crypto import keys  # noqa: PLC0415

    with tempfile.TemporaryDirectory() as name:
        folder, key = Path(name), keys.generate()
        (folder / "depot").mkdir()
        (folder / "depot" / "__init__.py").touch()
        (folder / "depot" / "__main__.py").write_text(MAIN)
        lines = [f'                "{n}": "{text}",' for n, text in sealed(key, 10).items()]
        text = CONFIG.format(public=key.public.dump(), values="\n".join(lines))
        (folder / "depot" / "config.py").write_text(text)
        environ = environment(folder) | {"HOME": str(folder)}

        def encrypt() -> None:
            words = [sys.executable, "-m", "depot", "encrypt", "NAME_3"]
            subprocess.run(
                words, input=b"x\n", check=True, capture_output=True, env=environ, cwd=folder
            )

        encrypt()
        [seconds] = medians(rounds, encrypt)
    print()
    tell("encrypt, as a command", seconds, "target: 350 ms")


def environment(folder: Path) -> dict[str, str]:
    """A small environment, in which Python keeps its bytecode as it does for users."""
    return {"PATH": os.environ["PATH"], "PYTHONPATH": f"{ROOT}{os.pathsep}{folder}"}


def others(count: int, rounds: int, bare: float) -> None:
    """The same number of values, opened by other tools."""
    print()
    for name, measure in (("pyrage", pyrage), ("dotenvx", dotenvx), ("age", age)):
        try:
            seconds, note = measure(count, rounds)
            tell(f"open {count:,}: {name}", seconds, f"{seconds / bare:,.1f} × bare; {note}")
        except LeftOut as why:
            print(f"{f'open {count:,}: {name}':<52} left out: {why}")


def run(words: Sequence[str | Path], why: str, **options: object) -> str:
    """stdout of a command; LeftOut where it cannot be done."""
    try:
        done = subprocess.run(words, check=False, capture_output=True, text=True, **options)  # type: ignore[call-overload]
    except OSError as error:
        raise LeftOut(f"{why}: {error.strerror}") from error
    if done.returncode:
        lines = (done.stderr or done.stdout).strip().splitlines()
        raise LeftOut(f"{why}: {lines[-1] if lines else done.returncode}")
    return str(done.stdout)


def pyrage(count: int, rounds: int) -> tuple[float, str]:
    """age in Rust, in process, from PyPI, in a virtual environment of its own."""
    folder = BUILD / "pyrage"
    python = folder / "bin" / "python"
    if not python.exists():
        venv.create(folder, with_pip=True)
    words = [python, "-m", "pip", "install", "-q", "--disable-pip-version-check", "pyrage==1.4.0"]
    run(words, "cannot be installed")
    said = run([python, "-c", PYRAGE, str(count), str(rounds)], "does not run")
    return float(said), "in process"


def dotenvx(count: int, rounds: int) -> tuple[float, str]:
    """One process that opens all of them, from npm."""
    folder = BUILD / "dotenvx"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "package.json").write_text('{"private": true}')
    words = ["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", "--silent"]
    run([*words, "@dotenvx/dotenvx@2.38.2"], "cannot be installed", cwd=folder)
    program = folder / "node_modules" / ".bin" / "dotenvx"
    with tempfile.TemporaryDirectory() as name:
        environ = {"PATH": os.environ["PATH"], "HOME": name}
        file = Path(name) / ".env"
        file.write_text("".join(f"NAME_{n}=value {n}\n" for n in range(count)))
        run([program, "encrypt"], "does not encrypt", cwd=name, env=environ)
        words = [program, "get", "NAME_0"]
        if "value 0" not in run(words, "does not decrypt", cwd=name, env=environ):
            raise LeftOut("it did not give the value")
        [seconds] = medians(
            5, lambda: run([program, "get"], "does not decrypt", cwd=name, env=environ)
        )
    return seconds, "one process"


def age(count: int, rounds: int) -> tuple[float, str]:
    """A process for each value, as age is used."""
    with tempfile.TemporaryDirectory() as name:
        key, box = Path(name) / "key", Path(name) / "box"
        run(["age-keygen", "-o", key], "cannot be used")
        recipient = run(["age-keygen", "-y", key], "cannot be used").strip()
        run(["age", "-r", recipient, "-o", box], "does not encrypt", input="value")
        few = 20

        def decrypt() -> None:
            for _ in range(few):
                run(["age", "-d", "-i", key, box], "does not decrypt")

        [seconds] = medians(rounds, decrypt)
    return seconds * count / few, f"a process each, {few} measured"


def tell(what: str, seconds: float, note: str = "") -> None:
    """A line of the table."""
    print(f"{what:<52} {seconds * 1e3:>10,.1f} ms  {note}".rstrip())


if __name__ == "__main__":
    sys.path[:0] = [str(ROOT)]
    from luggage.bootstrap import ensure

    ensure()
    sys.exit(main())
