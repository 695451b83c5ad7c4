"""What is asked of a running supervisor → its answer, by the socket in its state folder.

One JSON object, on a line, goes to it: `{"command": "restart", "names": ["loop"]}`. Such lines come
back: `{"say": "text"}`, any number of them, while it works; `{}` as a sign of life; and in the end
`{"status": 0, "result": …}`. With status 1 the result is `{"error": …, "hint": …}`.
"""

# It runs through `docker exec`, beside a system that may be in need: few imports.

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import socket
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from luggage.errors import LuggageError

SOCKET = "control"
LOCK = "lock"  # start/state.py
VARIABLE = "LUGGAGE_RUN"
NAME = "luggage"
USUAL = "/run"
MEMORY = "/dev/shm"  # noqa: S108 - only looked into
PREFIX = "luggage-"
PATIENCE = 10.0  # seconds without any sign of life
LONGEST = 16 << 20  # bytes of one line


def find(
    environ: Mapping[str, str],
    state: str | None = None,
    *,
    usual: str = USUAL,
    memory: str = MEMORY,
) -> tuple[str, socket.socket]:
    """The state folder of the one supervisor that runs, and a connection to it.

    It is looked for where a supervisor would make its folder under `environ` (state.py), or where
    `state` says. Raises LuggageError where there is none, or more than one.
    """
    places = list(_places(environ, state, usual, memory))
    found: list[tuple[str, socket.socket]] = []
    denied: list[str] = []
    for place in places:
        try:
            found.append((place, connect(place)))
        except PermissionError:
            denied.append(place)
        except OSError:
            continue
    if len(found) == 1:
        return found[0]
    for _, connection in found:
        connection.close()
    if found:
        raise LuggageError(
            "more than one luggage runs here: " + ", ".join(place for place, _ in found),
            f"choose one: --state {found[0][0]}",
        )
    busy = [place for place in places if _held(place)]
    if busy:
        raise LuggageError(
            f"{', '.join(busy)}: luggage cannot be asked there now: it is at its checks and "
            "releases, or ends",
            "its log tells which; ask again when that is over",
        )
    if denied:
        raise LuggageError(
            f"no luggage of this user's runs here; another's may, in {', '.join(denied)}",
            _as_whom(denied),
        )
    if state is not None or environ.get(VARIABLE):
        where = state if state is not None else f"{VARIABLE} {environ[VARIABLE]}"
        raise LuggageError(
            f"{where}: no luggage runs there", "name the folder that its start names"
        )
    raise LuggageError(
        "no luggage runs here",
        f"start it; or name its state folder with --state, or with {VARIABLE} as its start did",
    )


def _as_whom(denied: Iterable[str]) -> str:
    """Whom these folders are for; root is refused as well, where it has no capabilities."""
    owners = set()
    for place in denied:
        for path in (place, os.path.dirname(place)):  # noqa: PTH120
            with contextlib.suppress(OSError):
                owners.add(os.stat(path, follow_symlinks=False).st_uid)  # noqa: PTH116
                break
    if not owners:
        return "ask as that user"
    first, *others = sorted(owners)
    uids = " or ".join(map(str, (first, *others)))
    return f"ask as uid {uids}: docker exec -u {first} …, or sudo -u '#{first}' …"


def connect(folder: str) -> socket.socket:
    """A connection to the supervisor whose state folder this is; raises OSError."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.settimeout(PATIENCE)
        with short(folder) as path:
            connection.connect(path)
    except OSError:
        connection.close()
        raise
    return connection


def ask(
    connection: socket.socket,
    command: str,
    names: Iterable[str] = (),
    say: Callable[[str], object] = lambda _: None,
    patience: float = PATIENCE,
) -> Any:
    """The result of `command`; `say` gets what is told meanwhile.

    Raises LuggageError where the supervisor refuses, or cannot do it, or does not answer.
    """
    with connection, connection.makefile("rb") as lines:
        try:
            connection.settimeout(patience)
            told = {"command": command, "names": list(names)}
            connection.sendall(json.dumps(told).encode() + b"\n")
            while line := lines.readline(LONGEST):
                answer = json.loads(line)
                if "say" in answer:
                    say(answer["say"])
                if "status" in answer:
                    return _result(answer)
        except TimeoutError:
            raise LuggageError(
                f"the supervisor does not answer: nothing for {patience:.0f} s",
                "is its container paused, or the machine overloaded? else end it with KILL",
            ) from None
        except (OSError, ValueError, TypeError) as error:
            raise LuggageError(f"the supervisor's answer: {error}", "see its log") from error
    raise LuggageError("the supervisor ended before it had answered", "see its log")


@contextlib.contextmanager
def short(folder: str, name: str = SOCKET) -> Iterator[str]:
    """A path of a socket in `folder` for as long as this lasts: the kernel takes 107 bytes."""
    whole = os.path.join(folder, name)  # noqa: PTH118
    if len(os.fsencode(whole)) < 108:
        yield whole
        return
    number = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{number}/{name}"
    finally:
        os.close(number)


def _result(answer: dict[str, Any]) -> Any:
    result = answer.get("result")
    if answer["status"] == 0:
        return result
    told = result if isinstance(result, dict) else {}
    raise LuggageError(str(told.get("error") or "not done"), told.get("hint"))


def _places(
    environ: Mapping[str, str], state: str | None, usual: str, memory: str
) -> Iterator[str]:
    """The folders that a supervisor's socket may lie in."""
    if state is not None:
        yield from _here(state)
    elif environ.get(VARIABLE):
        yield from _here(environ[VARIABLE])
    else:
        yield os.path.join(usual, NAME)  # noqa: PTH118
        # As tempfile has it, where there is no /dev/shm.
        for parent in dict.fromkeys((memory, environ.get("TMPDIR") or "/tmp")):  # noqa: S108
            with contextlib.suppress(OSError):
                for entry in sorted(os.scandir(parent), key=lambda it: it.name):
                    if entry.name.startswith(PREFIX) and _ours(entry):
                        yield entry.path


def _held(folder: str) -> bool:
    """Whether a supervisor has this folder: it hears nobody yet, or nobody any more."""
    try:
        lock = os.open(os.path.join(folder, LOCK), os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)  # noqa: PTH118
    except OSError:
        return False
    try:
        # Given back at once: whoever wants it meanwhile tries again.
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(lock)
    return False


def _here(folder: str) -> Iterator[str]:
    """`folder` is the state folder, or that in which it lies."""
    inner = os.path.join(folder, NAME)  # noqa: PTH118
    parts = [os.path.join(inner, name) for name in (SOCKET, LOCK)]  # noqa: PTH118
    yield inner if any(os.path.exists(part) for part in parts) else folder  # noqa: PTH110


def _ours(entry: os.DirEntry[str]) -> bool:
    with contextlib.suppress(OSError):
        about = entry.stat(follow_symlinks=False)
        return entry.is_dir(follow_symlinks=False) and os.getuid() in (0, about.st_uid)
    return False
