"""A path → a new private key in a file of its own, kept only where the config module names it."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from luggage.configfile import write
from luggage.crypto import keys
from luggage.crypto.keys import MAX_TEXT, Bundle, PrivateKey
from luggage.crypto.secret import Secret
from luggage.errors import LuggageError


@contextmanager
def made(
    path: Path,
    config: Path,
    ignored: Callable[[Path], bool],
    taken: Callable[[Path], LuggageError],
) -> Iterator[PrivateKey]:
    """A new key, on the disk in `path` before the body puts its public key into `config`.

    So nothing can be sealed to a key that was lost. Where the body fails and `config` does not
    name the key, nobody has it, and its file goes. A file is never overwritten: `taken` makes the
    error where there is one.
    """
    key = keys.generate()
    create(path, key.dump(), ignored, taken)
    try:
        yield key
    except BaseException:
        if key.public.dump().encode() not in config.read_bytes():
            path.unlink()
        raise


def create(
    path: Path,
    text: Secret,
    ignored: Callable[[Path], bool],
    taken: Callable[[Path], LuggageError],
) -> None:
    """Write the text of a key, or of a bundle, to the new file `path`; raises LuggageError.

    `ignored` tells whether a file is safe from being committed.
    """
    _check_place(path, ignored)
    try:
        write.create_private(path, f"{text.reveal()}\n".encode())
    except FileExistsError:
        there = True
    except OSError as error:
        raise LuggageError(f"{path}: cannot be made: {error.strerror}") from None
    else:
        there = False
    if there:
        raise taken(path)


def read(path: Path) -> Bundle:
    """The key, or the bundle, in a key file; raises LuggageError."""
    return keys.parse_keys(line(path), str(path))


def line(path: Path, hint: str | None = None) -> Secret:
    """The one line of a key file, without its end; raises LuggageError, with `hint` where it cannot
    be read.
    """
    try:
        with path.open("rb") as file:
            raw = Secret(file.read(MAX_TEXT + 3))
    except OSError as error:
        raise LuggageError(
            f"{path}: cannot be read: {error.strerror}",
            hint or "name the file that has the key, readable for this user",
        ) from None
    if not raw.reveal().isascii():
        raise LuggageError(f"{path}: not a key: not ASCII text")
    return _line(raw)


def key_id(path: Path) -> str | None:
    """The id of the one key in a file, or None."""
    try:
        found = read(path).keys
    except LuggageError:
        return None
    return found[0].public.id if len(found) == 1 else None


def taken(path: Path, used: Mapping[str, str]) -> LuggageError:
    """What to do with a file that stands where a new key belongs; `used` are the ids of the keys
    that the config module names, by environment.
    """
    there = key_id(path)
    message = f"{path}: is there already, and a key is never overwritten"
    if there is None:
        return LuggageError(
            f"{message}: it holds no whole key",
            "where an interrupted command left it, remove it, then run it again: "
            f"rm {_quoted(path)}",
        )
    if there in used.values():
        return LuggageError(
            f"{message}: it has the key {there}, which config.py names", "give it a name of its own"
        )
    spare = path.with_name(f"{path.stem}.spare{path.suffix}")
    return LuggageError(
        f"{message}: it has the key {there}, to which no value of this config.py is sealed",
        "either the same command runs now, or one was interrupted before it changed config.py, or "
        "another branch uses it.\n"
        f"nothing is lost: move it away, then run it again: mv -n {_quoted(path)} {_quoted(spare)}",
    )


def _quoted(path: Path) -> str:
    return shlex.quote(str(path))


def _line(raw: Secret) -> Secret:
    text = raw.reveal().decode("ascii")
    return Secret(text[:-2] if text.endswith("\r\n") else text.removesuffix("\n"))


def _check_place(path: Path, ignored: Callable[[Path], bool]) -> None:
    for folder in path.parents:
        if (folder / "__init__.py").exists():
            raise LuggageError(
                f"{path}: would lie inside the package '{folder.name}', which is shipped",
                "keep the deployment's package in a folder that is not one",
            )
    if not path.parent.is_dir():
        raise LuggageError(f"{path}: cannot be made: there is no folder {path.parent}")
    if not ignored(path):
        raise LuggageError(
            f"{path}: git would not ignore it, so the key could be committed",
            "add a line to .gitignore: *.key",
        )
