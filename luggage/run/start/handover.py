"""The key, wherever it is → a sealed memory file that children inherit, and no trace elsewhere."""

from __future__ import annotations

# A container's first process does this twice, and all that it starts waits: no pathlib.
# ruff: noqa: PTH123
import contextlib
import fcntl
import os
import signal
import sys
from collections.abc import Mapping, MutableMapping

from luggage.crypto import sources
from luggage.crypto.errors import SecretError
from luggage.run.kernel import kin

_SEALS = fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE
_STOP = {signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGHUP}


_refused: list[SecretError] = []


def claim_early(environ: MutableMapping[str, str]) -> None:
    """As `claim`, before anything else is imported; what is wrong with the key is told by `claim`.

    By then more may be found wrong, and a pipe would hold the key no more.
    """
    try:
        claim(environ, prove=False)
    except SecretError as error:
        _refused.append(error)


def claim(environ: MutableMapping[str, str] | None = None, *, prove: bool = True) -> None:
    """Take the key out of this process's environment; every command that runs for ever starts so.

    Removing a variable is not enough, as /proc/PID/environ keeps what the process was started with.
    So the key goes into a memory file and this very command is executed anew, without SECRET_KEY
    and SECRET_KEY_FILE, and with the memory file's number in LUGGAGE_KEY_FD. The sources are read
    once: a pipe holds the key only once. With LUGGAGE_KEY_FD there, or with no source at all, it
    returns; so it does under a supervisor, which has the key and gives it to whom it wants. From
    then on no other process of the same user can look into this one (`kin.hide`). Under the
    supervisor, it makes the process a good child as well (`kin.join`).

    Where it returns to a process that no supervisor has started, the artifact is proved to be what
    was packed (`proven.prove`), unless the caller does that.

    Raises SecretError where the sources of the key differ or cannot be read, and LuggageError where
    the artifact is another.
    """
    if _refused:
        raise _refused.pop()
    environ = os.environ if environ is None else environ
    kin.stand()
    kin.hide()
    supervised = kin.join(environ)
    number = environ.get(sources.DESCRIPTOR)
    if number or supervised:
        # Not for a container's first process.
        from luggage import board  # noqa: PLC0415
        from luggage.run.kernel import heart  # noqa: PLC0415

        for variable in (sources.DESCRIPTOR, board.VARIABLE, heart.VARIABLE):
            with contextlib.suppress(OSError, ValueError):  # reading the key tells
                os.set_inheritable(int(environ.get(variable, "")), False)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOP)
        if prove and not supervised:
            _prove(environ)
        return
    try:
        key = sources.read(environ)
    except SecretError as error:
        if error.reason != "no-key":
            raise
        if prove:
            _prove(environ)
        return  # opening the secrets tells, where any are needed
    descriptor = remember(key.text.reveal(), key.source)
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()
    # PID 1 loses a signal that comes while no handler is set, but not one that waits.
    signal.pthread_sigmask(signal.SIG_BLOCK, _STOP)
    # sys.argv would lose -I and -m: the module's folder would come first on sys.path.
    os.execve(  # noqa: S606 - no shell is wanted
        sys.executable, [sys.executable, *sys.orig_argv[1:]], without_key(environ, descriptor)
    )


def _prove(environ: Mapping[str, str]) -> None:
    from luggage.run.start.proven import prove  # noqa: PLC0415 - many imports, and `start` has its own call

    prove(environ)


def keeper(process: int, proc: str = "/proc") -> tuple[int, str] | None:
    """Pid and name of the nearest process above `process` whose environment shows SECRET_KEY.

    Such as the init that `docker run --init` puts in front, or a shell that started us. One that
    this user cannot look into keeps the key from this user's other processes as well.
    """
    while (process := _parent(process, proc)) > 0:
        with contextlib.suppress(OSError):
            variables = _read(f"{proc}/{process}/environ").split(b"\0")
            start = f"{sources.VARIABLE}=".encode()
            if any(it.startswith(start) and it != start for it in variables):
                return process, _read(f"{proc}/{process}/comm").decode(errors="replace").strip()
    return None


def _parent(process: int, proc: str) -> int:
    try:
        # The name, in parentheses, may hold anything.
        return int(_read(f"{proc}/{process}/stat").rpartition(b")")[2].split()[1])
    except OSError:
        return 0


def _read(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()


def remember(text: str, source: str = "") -> int:
    """A new memory file that holds `text` for good; its descriptor, which children inherit.

    `source` is what an error about the key names.
    """
    name = f"{sources.MEMORY_NAME}:{source}" if source else sources.MEMORY_NAME
    descriptor = os.memfd_create(name, os.MFD_ALLOW_SEALING)
    os.write(descriptor, text.encode())
    fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, _SEALS)
    return descriptor


def without_key(environ: Mapping[str, str], descriptor: int) -> dict[str, str]:
    """`environ` with the key's descriptor instead of the key."""
    kept = {k: v for k, v in environ.items() if k not in (sources.VARIABLE, sources.FILE)}
    kept[sources.DESCRIPTOR] = str(descriptor)
    return kept
