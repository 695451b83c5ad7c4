"""The environment and the files of a process → the text of its key."""

# Every process opens its secrets as it starts, and the first reads its key before: pathlib, re and
# dataclasses would take longer to import than all that is done here.
# ruff: noqa: PTH115, PTH123

from __future__ import annotations

import fcntl
import os
import stat
from collections.abc import Iterator, Mapping

from luggage.crypto.errors import SecretError
from luggage.crypto.secret import Secret

DESCRIPTOR = "LUGGAGE_KEY_FD"
FILE = "SECRET_KEY_FILE"
CREDENTIALS = "CREDENTIALS_DIRECTORY"
VARIABLE = "SECRET_KEY"
ENGINE_FOLDER = "/run/secrets"
MEMORY_NAME = "luggage-key"
MAX_BYTES = 4096
_SEALS = fcntl.F_SEAL_WRITE | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SHRINK


class KeyText:
    """The text of a key without its line end, and the name of the source that held it."""

    __slots__ = ("source", "text")

    def __init__(self, source: str, text: Secret) -> None:
        self.source = source
        self.text = text


def read(
    environ: Mapping[str, str], *, engine_folder: str | os.PathLike[str] = ENGINE_FOLDER
) -> KeyText:
    """The one key text that the sources hold; raises SecretError if there is none, or two differ.

    The descriptor is luggage's own hand-over: all other sources were compared before it was made.
    With it, files are not read again, since they may have been rotated under the running system;
    SECRET_KEY, which cannot change, is compared still.
    """
    engine = f"{os.fspath(engine_folder)}/{VARIABLE}"
    found = list(_all(environ, engine))
    if not found:
        raise _none(environ, engine)
    first = found[0]
    for other in found[1:]:
        if other.text.reveal() != first.text.reveal():
            one = DESCRIPTOR if environ.get(DESCRIPTOR) else first.source
            raise SecretError(
                f"{one} and {other.source}: hold different keys",
                "keep the right one and remove the other",
                reason="sources",
            )
    return first


def _all(environ: Mapping[str, str], engine: str) -> Iterator[KeyText]:
    number = environ.get(DESCRIPTOR)
    if number:
        yield _from_descriptor(number)
    else:
        path = environ.get(FILE)
        if path:
            yield _from_file(FILE, path, must_exist=True)
        folder = environ.get(CREDENTIALS)
        if folder:
            yield from _optional(f"${CREDENTIALS}/{VARIABLE}", f"{folder}/{VARIABLE}")
        yield from _optional(engine, engine)
    if environ.get(VARIABLE):
        yield KeyText(VARIABLE, _clean(VARIABLE, Secret(os.fsencode(environ[VARIABLE]))))


def _none(environ: Mapping[str, str], engine: str) -> SecretError:
    empty = [name for name in (DESCRIPTOR, FILE, VARIABLE) if environ.get(name) == ""]
    note = f" ({' and '.join(empty)}: set, but empty)" if empty else ""
    return SecretError(
        f"no key: looked at {FILE}, ${CREDENTIALS}/{VARIABLE}, {engine} and {VARIABLE}{note}",
        f'{FILE}=PATH names the key file, or: export {VARIABLE}="$(cat PATH)"',
        reason="no-key",
    )


def _optional(source: str, path: str) -> Iterator[KeyText]:
    try:
        os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError:
        pass  # reading it tells what is wrong
    yield _from_file(source, path)


def _from_file(source: str, path: str, *, must_exist: bool = False) -> KeyText:
    try:
        with open(path, "rb") as file:
            raw = Secret(file.read(MAX_BYTES + 1))
    except (OSError, ValueError) as error:
        why = error
    else:
        return KeyText(source, _clean(source, raw))
    named = f"check the path: {path}" if _is_no_key(path) else "check the path"
    hint = named if must_exist else f"make it readable for uid {os.geteuid()}, or remove it"
    if isinstance(why, IsADirectoryError):
        hint = "engines mount a folder where the host has no such file: see the path before the ':'"
    raise SecretError(f"{source}: cannot be read: {_why(why)}", hint, reason="source")


def _why(error: OSError | ValueError) -> str:
    return str(error.strerror) if isinstance(error, OSError) else "not a path"


def _is_no_key(path: str) -> bool:
    """Whether it can be shown: a key put in SECRET_KEY_FILE by mistake must not be.

    Such as a key without its start, which is a long word; the folders of a path are shorter ones.
    """
    import re  # noqa: PLC0415 - for a message alone

    return path.isprintable() and re.search(r"lug(key|bundle|sign)|[\w+=-]{40}", path, re.I) is None


def _from_descriptor(number: str) -> KeyText:
    """The key in the sealed memory file that the first process made (luggage.run.start.handover).

    After a colon, the file's name holds the source that the key was read from, once.
    """
    if not (number.isascii() and number.isdigit() and len(number) <= 6):
        raise SecretError(f"{DESCRIPTOR}: not the number of a descriptor", reason="source")
    descriptor = int(number)
    if not _is_ours(descriptor):
        raise SecretError(
            f"{DESCRIPTOR}: descriptor {descriptor} is not the key's memory file",
            f"unset {DESCRIPTOR}: luggage sets it for the processes it starts",
            reason="source",
        )
    raw = Secret(os.pread(descriptor, MAX_BYTES + 1, 0))
    os.set_inheritable(descriptor, False)
    name = os.readlink(f"/proc/self/fd/{descriptor}").removesuffix(" (deleted)")
    source = name.removeprefix(f"/memfd:{MEMORY_NAME}").removeprefix(":") or DESCRIPTOR
    return KeyText(source, _clean(source, raw))


def _is_ours(descriptor: int) -> bool:
    """Whether it is the sealed memory file: by its name, and as no file of a disk takes seals."""
    try:
        target = os.readlink(f"/proc/self/fd/{descriptor}")
        regular = stat.S_ISREG(os.fstat(descriptor).st_mode)
        seals = fcntl.fcntl(descriptor, fcntl.F_GET_SEALS)
    except OSError:
        return False
    named = target.startswith(f"/memfd:{MEMORY_NAME}")
    return named and regular and seals & _SEALS == _SEALS


def _clean(source: str, raw: Secret) -> Secret:
    """The text without its one line end; raises SecretError about `source`."""
    size = len(raw.reveal())
    if size > MAX_BYTES:
        raise SecretError(f"{source}: longer than {MAX_BYTES:,} bytes", reason="size")
    if not raw.reveal().isascii():
        raise SecretError(f"{source}: not a key: not ASCII text", reason="shape")
    text = Secret(_without_line_end(raw.reveal().decode("ascii")))
    if not text.reveal():
        raise SecretError(f"{source}: empty", "put the text of a key file in it", reason="empty")
    return text


def _without_line_end(text: str) -> str:
    return text[:-2] if text.endswith("\r\n") else text.removesuffix("\n")
