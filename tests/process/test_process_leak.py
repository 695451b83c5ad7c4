"""A canary travels the whole way, from the prompt to a crash, and is looked for everywhere."""

from __future__ import annotations

import base64
import contextlib
import copy
import dataclasses
import json
import os
import pickle
import pty
import select
import signal
import subprocess
import sys
import threading
import time
import traceback
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType

import pytest
from running import PACKAGE, Made, free_port, started

from luggage.crypto import Opened, Secret, keys, sources


def spellings(secret: str) -> list[bytes]:
    """A text as it is, and as it stands in hex and in base64."""
    raw = secret.encode()
    found = [raw, raw.hex().encode()]
    for cut in range(3):  # base64 has three spellings, by where the text starts
        coded = base64.b64encode(raw[cut : cut + (len(raw) - cut) // 3 * 3])
        found += [coded, base64.urlsafe_b64encode(base64.b64decode(coded))]
    return found


def spellings_of_key(text: str) -> list[bytes]:
    """The text of a key, and its 32 bytes."""
    raw: bytes = keys.parse_keys(Secret(text)).keys[0].reveal()
    return [*spellings(text), raw, raw.hex().encode(), repr(raw).encode()[2:-1]]


def holds(data: bytes, wanted: list[bytes]) -> bool:
    return any(it in data for it in wanted)


class Watch:
    """Looks at the command line and the environment of every process, all the time."""

    def __init__(
        self, *secrets: list[bytes], also: tuple[str, ...] = ("cmdline", "environ")
    ) -> None:
        self.wanted = [it for spelled in secrets for it in spelled]
        self.also = also
        self.found: set[str] = set()
        self.looked = 0
        self.stop = threading.Event()

    def look(self) -> None:
        while not self.stop.is_set():
            for folder in Path("/proc").iterdir():
                for name in self.also if folder.name.isdigit() else ():
                    with contextlib.suppress(OSError):
                        data = (folder / name).read_bytes()
                        self.looked += 1
                        if holds(data, self.wanted):
                            self.found.add(f"{name} of {folder.name}: {data[:200]!r}")
            time.sleep(0.02)

    @contextlib.contextmanager
    def watching(self) -> Iterator[Watch]:
        thread = threading.Thread(target=self.look, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self.stop.set()
            thread.join(10)


def in_files(folders: list[Path], wanted: list[bytes]) -> list[str]:
    """The files below the folders whose name or content holds what is looked for."""
    found = []
    for folder in folders:
        for path in folder.rglob("*"):
            with contextlib.suppress(OSError):
                inside = path.read_bytes() if path.is_file() else b""
                if holds(str(path).encode() + b"\0" + inside, wanted):
                    found.append(str(path))
    return found


def typed(made: Made, environ: dict[str, str], value: str) -> bytes:
    """What a terminal shows while a value is typed, twice, at the prompt of `encrypt`."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(made.folder)
        words = [sys.executable, "-m", PACKAGE, "encrypt", "CANARY"]
        os.execve(sys.executable, words, environ)
    shown, asked = b"", 0
    end = time.monotonic() + 30
    while time.monotonic() < end:
        if select.select([terminal], [], [], 0.1)[0]:
            try:
                data = os.read(terminal, 4096)
            except OSError:
                break
            shown += data
            if not data:
                break
        if asked < 2 and shown.endswith((b"for test: ", b"again: ")[asked]):
            asked += 1
            os.write(terminal, value.encode() + b"\n")
    os.close(terminal)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0, shown
    return shown


@pytest.mark.parametrize("how", ["prompt", "stdin"])
def test_neither_key_nor_value_is_found_anywhere(made: Made, tmp_path: Path, how: str) -> None:
    """Not in any command line or environment, log, temporary file, state or core dump."""
    value = f"canary-{uuid.uuid4().hex}"
    files = tmp_path / "elsewhere"
    files.mkdir()
    # Outside what is searched, as the operator's own copy of it.
    key_file = files / "SECRET_KEY"
    key_file.write_text(made.key + "\n")
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    environ = made.environ(
        PORT=str(free_port()),
        SECRET_KEY_FILE=str(key_file),
        TMPDIR=str(temporary),
        LOG_LEVEL="debug",
    )
    value_is, key_is = spellings(value), spellings_of_key(made.key)
    with Watch(value_is, key_is).watching() as watch:
        if how == "prompt":
            shown = typed(made, environ, value)
        else:
            done = subprocess.run(
                [sys.executable, "-m", PACKAGE, "encrypt", "CANARY"],
                cwd=made.folder,
                env=environ,
                input=value.encode() + b"\n",
                capture_output=True,
                check=True,
            )
            shown = done.stdout + done.stderr
        assert not holds(shown, value_is)
        with started(made, environ=environ) as running:
            running.wait_for("gunicorn: ready")
            running.wait_for("loop +. the secret has")
            assert running.get("/")[1].split()[1] == str(len(value)), "the app has the value"
            with pytest.raises(OSError):
                running.get("/crash")
            running.wait_for("RuntimeError: the app does not work")
            [gunicorn] = running.children("gunicorn")
            [worker] = running.children("gunicorn", gunicorn)
            before = len(running.lines)
            os.kill(worker, signal.SIGABRT)
            running.wait_for("Booting worker|ready", after=before)
            state = Path(environ["LUGGAGE_RUN"])
            folders = [
                made.folder / PACKAGE,
                made.folder / "run",
                temporary,
                state,
                Path("/dev/shm"),
            ]
            assert in_files(folders, value_is + key_is) == []
            running.signal(signal.SIGTERM)
            assert running.wait() == 0
        assert in_files([*folders, made.folder / ".local"], value_is + key_is) == []
        assert not list(made.folder.rglob("core*"))
        assert not holds(running.text.encode(), value_is + key_is)
    assert watch.looked > 100
    assert watch.found == set()


def test_the_search_finds_what_is_there(tmp_path: Path) -> None:
    """Each place that is searched above is one where a leak would be found."""
    value = f"canary-{uuid.uuid4().hex}"
    wanted = spellings(value)
    for spelled in wanted:
        (tmp_path / "file").write_bytes(b"x" + spelled + b"y")
        assert in_files([tmp_path], wanted) == [str(tmp_path / "file")]
    coded = base64.b64encode(b"ab" + value.encode() + b"cd")
    assert holds(coded, wanted), "whatever stands before it"
    environ = {"PATH": os.environ["PATH"], "X": value}
    with (
        Watch(wanted).watching() as watch,
        subprocess.Popen(["sleep", "60"], env=environ) as process,
    ):
        end = time.monotonic() + 20
        while not any(str(process.pid) in it for it in watch.found):
            assert time.monotonic() < end
            time.sleep(0.02)
        process.kill()


def locals_of(trace: TracebackType | None) -> list[object]:
    """Every local variable of every frame, as error reporters collect them."""
    found: list[object] = []
    while trace is not None:
        found += trace.tb_frame.f_locals.values()
        trace = trace.tb_next
    return found


SERIALISERS: dict[str, Callable[[object], object]] = {
    "repr": repr,
    "str": str,
    "format": lambda it: f"{it} {it!r:>9}",
    "vars": vars,
    "asdict": dataclasses.asdict,  # type: ignore[dict-item]
    "json": lambda it: json.dumps(it, default=vars),
    "json-repr": lambda it: json.dumps(it, default=repr),
    "pickle": pickle.dumps,
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    "getstate": lambda it: it.__getstate__(),
    "reduce": lambda it: it.__reduce_ex__(4),
    "slots": lambda it: [getattr(it, name) for name in getattr(it, "__slots__", ())],
}


def crash(value: str, key: str) -> TracebackType | None:
    """The traceback of an app that fails while it holds all that luggage gives it."""

    def request(opened: Opened, bundle: keys.Bundle, read: sources.KeyText) -> None:
        password, private = opened["KEY"], bundle.keys[0]
        everything = {"password": password, "nested": [opened, {"key": private}], "read": read}
        raise RuntimeError(f"{password} {private} {bundle} {opened} {len(everything)}")

    try:
        request(
            Opened("demo", {"KEY": Secret(value)}),
            keys.parse_keys(Secret(key)),
            sources.read({"SECRET_KEY": key}),
        )
    except RuntimeError as error:
        told = "".join(
            traceback.TracebackException.from_exception(error, capture_locals=True).format()
        )
        assert "password = <secret" in told
        # The frame of this very function holds what it tests with.
        assert error.__traceback__ is not None
        inner = error.__traceback__.tb_next
        shown = "".join(
            repr(frame.locals)
            for frame in traceback.StackSummary.extract(
                traceback.walk_tb(inner), capture_locals=True
            )
        )
        assert not holds((shown + str(error)).encode(), spellings(value) + spellings_of_key(key))
        return inner
    return None


@pytest.mark.parametrize("way", SERIALISERS)
def test_an_error_reporter_gets_neither_key_nor_value(way: str) -> None:
    """Frame by frame, whatever it does with the local variables that luggage made."""
    value, key = f"canary-{uuid.uuid4().hex}", str(keys.generate().dump().reveal())
    wanted = spellings(value) + spellings_of_key(key)
    seen = 0
    for thing in locals_of(crash(value, key)):
        seen += 1
        try:
            made = SERIALISERS[way](thing)
        except (TypeError, AttributeError) as refused:
            made = refused
        data = made if isinstance(made, bytes) else f"{made!s} {made!r}".encode()
        assert not holds(data, wanted), type(thing)
    assert seen >= 6
