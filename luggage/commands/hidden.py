"""A text → the same text as the user's editor left it, in a folder that is gone afterwards."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from luggage.buildpex import process
from luggage.configfile import write
from luggage.crypto import Secret, sources
from luggage.errors import LuggageError

_IN_MEMORY = ("tmpfs", "ramfs")
_MOST_DESCRIPTORS = 65_536
_FALLBACKS = ("vi", "nano")
_MOST_BYTES = 64 * 1024 * 1024
_KEYS = (sources.DESCRIPTOR, sources.FILE, sources.CREDENTIALS, sources.VARIABLE)
_VIM = re.compile(r"n?vim(?:\..+)?")
# After vimrc was read: nothing of the text in files elsewhere, and no settings from the text.
_VIM_QUIET = ("nobackup", "nowritebackup", "noswapfile", "noundofile", "nomodeline")


@contextmanager
def folder(environ: Mapping[str, str]) -> Iterator[Path]:
    """A folder for this user alone, removed at the end: by this process, or, where it is killed, by
    another that waits for its end.
    """
    parent, in_memory = place(environ, _mounts())
    if not in_memory:
        print(
            f"warning: no memory file system found, so the values lie in {parent} for a while: a "
            "disk may keep what was deleted",
            file=sys.stderr,
        )
    try:
        made = Path(tempfile.mkdtemp(prefix="luggage-edit-", dir=parent))
    except OSError as error:
        raise LuggageError(f"{parent}: no folder can be made there: {error.strerror}") from error
    reader, writer = os.pipe()
    keeper = _keeper(made, reader, writer)
    try:
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)
        os.close(writer)
        os.waitpid(keeper, 0)


def place(environ: Mapping[str, str], mounts: str) -> tuple[Path, bool]:
    """The folder to make ours in, and whether it lies in memory; `mounts` as /proc/self/mounts."""
    named = [environ.get("XDG_RUNTIME_DIR"), "/dev/shm", tempfile.gettempdir()]  # noqa: S108
    folders = [Path(name) for name in named if name and Path(name).is_absolute()]
    usable = [it for it in folders if it.is_dir() and os.access(it, os.W_OK | os.X_OK)]
    for it in usable:
        if kind(it.resolve(), mounts) in _IN_MEMORY:
            return it, True
    return (usable[-1] if usable else Path(tempfile.gettempdir())), False


def kind(path: Path, mounts: str) -> str:
    """The type of the file system that `path` lies in, or nothing where that is unknown."""
    found, depth = "", -1
    for line in mounts.splitlines():
        words = line.split(" ")
        if len(words) < 3:
            continue
        point = Path(re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), words[1]))
        # The last of several mounts on one point covers the others.
        if path.is_relative_to(point) and len(point.parts) >= depth:
            found, depth = words[2], len(point.parts)
    return found


def _mounts() -> str:
    try:
        return Path("/proc/self/mounts").read_text(errors="replace")
    except OSError:
        return ""


def _keeper(made: Path, reader: int, writer: int) -> int:
    """A process of its own session that removes the folder as soon as no one holds `writer`."""
    assert threading.active_count() == 1  # noqa: S101 - else a fork could wait for ever
    child = os.fork()
    if child:
        os.close(reader)
        return child
    try:
        os.setsid()
        os.close(writer)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT):
            signal.signal(number, signal.SIG_IGN)
        # Who reads our output to its end must not wait for this process.
        os.dup2(reader, 3)
        os.closerange(4, _MOST_DESCRIPTORS)
        null = os.open(os.devnull, os.O_RDWR)
        for standard in range(3):
            os.dup2(null, standard)
        os.read(3, 1)
        shutil.rmtree(made, ignore_errors=True)
    finally:
        os._exit(0)


def words(environ: Mapping[str, str]) -> list[str]:
    """The editor's argument list: $VISUAL, $EDITOR, or what there is; raises LuggageError."""
    for variable in ("VISUAL", "EDITOR"):
        try:
            found = shlex.split(environ.get(variable, ""))
        except ValueError:
            raise LuggageError(f"${variable}: a quote is never closed") from None
        if found:
            return found
    for name in _FALLBACKS:
        if shutil.which(name, path=environ.get("PATH", os.defpath)):
            return [name]
    raise LuggageError("edit: no editor found", "set one: export EDITOR=nano")


def edited(file: Path, editor: list[str], environ: Mapping[str, str]) -> Secret:
    """Let the user edit `file`, and return its bytes; raises LuggageError."""
    argv, more = _quiet(editor, file, environ)
    clean = {name: value for name, value in environ.items() if name not in _KEYS} | more
    with _unless_the_editor_is_meant():
        status = process.attached(
            [*argv, str(file)], environ=clean, cwd=Path.cwd(), subject=f"editor {argv[0]}"
        )
    if status:
        how = f"by signal {-status}" if status < 0 else f"with status {status}"
        raise LuggageError(
            f"editor {argv[0]}: ended {how}: nothing was changed, and what was typed is gone"
        )
    try:
        with file.open("rb") as opened:
            text = Secret(opened.read(_MOST_BYTES + 1))
    except OSError as error:
        why = error.strerror
    else:
        if len(text.reveal()) <= _MOST_BYTES:
            return text
        why = "larger than 64 MiB"
    raise LuggageError(f"edit: the edited file cannot be read: {why}: nothing was changed")


def create(file: Path, text: Secret) -> None:
    """Make `file` with the bytes of `text`, for its owner alone; raises LuggageError."""
    try:
        write.create_private(file, text.reveal())
    except OSError as error:
        why = error.strerror
    else:
        return
    raise LuggageError(f"{file.parent}: cannot be written to: {why}")


def _quiet(
    editor: list[str], file: Path, environ: Mapping[str, str]
) -> tuple[list[str], dict[str, str]]:
    """The editor told to keep its traces in our folder, as far as it is known how."""
    program = shutil.which(editor[0], path=environ.get("PATH", os.defpath))
    if program is None or _VIM.fullmatch(Path(program).resolve().name) is None:
        return editor, {}
    flags = ["-n", "-i", "NONE", "--cmd", "set nomodeline"]
    for option in _VIM_QUIET:
        flags += ["-c", f"silent! set {option}"]
    ours = str(file.parent)
    return [editor[0], *flags, *editor[1:]], {"TMPDIR": ours, "XDG_STATE_HOME": ours}


@contextmanager
def _unless_the_editor_is_meant() -> Iterator[None]:
    """At the terminal ^C and ^\\ are for the editor: it inherits no handler, but would SIG_IGN."""
    before = {
        number: signal.signal(number, lambda *_: None) for number in (signal.SIGINT, signal.SIGQUIT)
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
