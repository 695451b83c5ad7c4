"""Checked wheels → the same wheels without their dead weight, and with a true RECORD."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import re
import shutil
import time
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from luggage.buildpex import deadweight
from luggage.buildpex.deadweight import Rule
from luggage.buildpex.lock import normalise
from luggage.buildpex.named import named
from luggage.buildpex.pex import EPOCH
from luggage.buildpex.sources import Source
from luggage.errors import LuggageError

# They sign a RECORD that is not this one.
_SIGNATURES = ("RECORD.jws", "RECORD.p7s")
_READS_FILES = re.compile(rb"__file__|__path__|resource|get_data")
_MODULE = (".py", ".so")


@dataclass(frozen=True)
class Slimmed:
    """A wheel of the same name at `path`, and what is left out: files, and their size in bytes."""

    path: Path
    files: int
    size: int


def wanted(sources: Iterable[Source], rules: Iterable[Rule]) -> frozenset[str]:
    """What the sources import, or name, that a rule might drop from a wheel; mostly nothing.

    So it may stand in the key of a cache, beside the lock and the rules. A slash stands behind a
    name whose files may be read.
    """
    folders = {rule.path.rstrip("/").rpartition("/")[2] for rule in rules if not rule.keep}
    spelt = re.compile("|".join(map(re.escape, sorted(folders))).encode())
    found: set[str] = set()
    own = set()
    for source in sources:
        own.add(source.path.split("/")[0].removesuffix(".py"))
        if source.path.endswith(".py") and spelt.search(source.data):
            found |= _asked(source.data, _package(source.path))
    names = ((name, name.rstrip("/").split(".")) for name in found)
    return frozenset(it for it, n in names if n[0] not in own and folders.intersection(n))


def wheel(
    path: Path,
    into: Path,
    rules: Iterable[Rule],
    *,
    wanted: Iterable[str] = (),
    keep_all: bool = False,
) -> Slimmed:
    """One wheel, as `wheels` does it, where no other is."""
    (slimmed,) = wheels([path], into, rules, wanted=wanted, keep_all=keep_all)
    return slimmed


def wheels(
    paths: Sequence[Path],
    into: Path,
    rules: Iterable[Rule],
    *,
    wanted: Iterable[str] = (),
    keep_all: bool = False,
) -> tuple[Slimmed, ...]:
    """Write each wheel into `into` without what the rules drop, in the order of `paths`.

    A module stays that another wheel imports, or that is `wanted`, and what it imports with it; so
    do the files of a package that is named where files are read. A wheel that loses nothing is
    copied as it is. Files are stored, not compressed: no zlib shows in the bytes. Raises
    LuggageError where a wheel is none.
    """
    if keep_all:
        return tuple(Slimmed(Path(shutil.copyfile(p, into / p.name)), 0, 0) for p in paths)
    declared = tuple(rules)
    opened = [_Wheel.read(path, declared) for path in paths]
    _revive(opened, wanted)
    return tuple(_write(one, into / one.path.name) for one in opened)


@dataclass
class _Wheel:
    """`installed` is where each file of the archive will lie, `dropped` what is left out of it."""

    path: Path
    archive: zipfile.ZipFile
    installed: dict[str, str]
    dropped: set[str] = field(default_factory=set)

    @classmethod
    def read(cls, path: Path, rules: Sequence[Rule]) -> _Wheel:
        try:
            # In memory, so that nothing is left open whatever fails.
            archive = zipfile.ZipFile(io.BytesIO(path.read_bytes()))
        except zipfile.BadZipFile as error:
            raise LuggageError(f"wheel '{path.name}': {error}") from error
        names = [info.filename for info in archive.infolist() if not info.is_dir()]
        if len(set(names)) < len(names):
            twice = next(name for name in names if names.count(name) > 1)
            raise LuggageError(
                f"wheel '{path.name}': holds '{twice}' twice", "keep_all=True packs it as it is"
            )
        made = cls(path, archive, {there: name for name in names if (there := _installed(name))})
        made.dropped = deadweight.select(
            list(made.installed), normalise(path.name.split("-")[0]), rules, made.said
        )
        return made

    def text(self, path: str) -> bytes:
        return self.archive.read(self.installed[path])

    def said(self, word: str) -> bool:
        wanted = re.compile(rb"\b" + re.escape(word.encode()) + rb"\b")
        return any(wanted.search(self.text(path)) for path in self.modules(self.installed))

    def modules(self, paths: Iterable[str]) -> Iterator[str]:
        return (path for path in paths if path.endswith(".py"))

    def revive(self, path: str) -> None:
        """Keep a module after all, and the files beside it where it reads any."""
        self.dropped.discard(path)
        if path.endswith(".py") and _READS_FILES.search(self.text(path)):
            self.keep_beside(path)

    def keep_beside(self, path: str) -> None:
        """Keep the files beside a module, and below, that are no modules."""
        folder = path.rpartition("/")[0] + "/"
        beside = {it for it in self.dropped if it.startswith(folder)}
        self.dropped -= {it for it in beside if not it.endswith(_MODULE)}


def _installed(name: str) -> str | None:
    """Where a file of an archive will lie below site-packages, or None where elsewhere."""
    parts = name.split("/")
    if len(parts) > 2 and parts[0].endswith(".data"):
        return "/".join(parts[2:]) if parts[1] in ("purelib", "platlib") else None
    return name


def _module(path: str) -> str:
    """`a/b/__init__.py` is `a.b`, `a/c.cpython-313-….so` is `a.c`."""
    folder, _, name = path.rpartition("/")
    parts = [*filter(None, folder.split("/")), name.split(".")[0]]
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _package(path: str) -> str:
    return path.rpartition("/")[0].replace("/", ".")


def _asked(text: bytes, package: str) -> set[str]:
    """What a module names; once more with a slash behind it where the module reads files."""
    names = named(text, package)
    return names | {f"{name}/" for name in names} if _READS_FILES.search(text) else names


def _revive(wheels: Sequence[_Wheel], wanted: Iterable[str]) -> None:
    """Take out of `dropped` what is imported by anything that stays, and by what it imports."""
    dropped = ((one, path) for one in wheels for path in sorted(one.dropped))
    out = {_module(path): (one, path) for one, path in dropped if path.endswith(_MODULE)}
    if not out:
        return
    packages = {f"{name}/": it for name, it in out.items() if it[1].endswith("/__init__.py")}
    # An import has to spell the first part of the name that is not kept.
    firsts = {next(p for p in _prefixes(module) if p in out) for module in out}
    words = "|".join(sorted(re.escape(first.rpartition(".")[2]) for first in firsts))
    spelt = re.compile(rf"\b(?:{words})\b".encode())

    asked = list(wanted)
    for one in wheels:
        kept = one.installed.keys() - one.dropped
        for path in one.modules(kept):
            text = one.text(path)
            if spelt.search(text):
                asked += _asked(text, _package(path))
        for path in kept:
            if path.endswith(".dist-info/entry_points.txt"):
                asked += re.findall(r"[\w.]+", one.text(path).decode(errors="replace"))
    while asked:
        name = asked.pop()
        if name in packages:
            one, path = packages[name]
            one.keep_beside(path)
        for prefix in _prefixes(name.rstrip("/")):
            if found := out.pop(prefix, None):
                one, path = found
                one.revive(path)
                if path.endswith(".py"):
                    asked += _asked(one.text(path), _package(path))


def _prefixes(module: str) -> list[str]:
    """`a.b.c` is imported by way of `a` and `a.b`."""
    parts = module.split(".")
    return [".".join(parts[: end + 1]) for end in range(len(parts))]


def _write(one: _Wheel, output: Path) -> Slimmed:
    if not one.dropped:
        return Slimmed(Path(shutil.copyfile(one.path, output)), 0, 0)
    out = {one.installed[path] for path in one.dropped}
    kept = [info for info in one.archive.infolist() if _stays(info, out)]
    record = next((i for i in kept if re.fullmatch(r"[^/]+\.dist-info/RECORD", i.filename)), None)
    if record is None:
        raise LuggageError(f"wheel '{one.path.name}': has no RECORD, so is none")
    lines = io.StringIO()
    rows = csv.writer(lines, lineterminator="\n")
    with zipfile.ZipFile(output, "w", zipfile.ZIP_STORED) as slim:
        for info in kept:
            if info is record:
                continue
            data = b"" if info.is_dir() else one.archive.read(info)
            slim.writestr(_entry(info), data)
            if not info.is_dir():
                digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).decode()
                rows.writerow([info.filename, f"sha256={digest.rstrip('=')}", len(data)])
        rows.writerow([record.filename, "", ""])
        slim.writestr(_entry(record), lines.getvalue())
    size = sum(one.archive.getinfo(name).file_size for name in out)
    return Slimmed(output, len(out), size)


def _stays(info: zipfile.ZipInfo, out: set[str]) -> bool:
    """Whether an entry of the archive is written; a folder where nothing below it was left out."""
    if info.is_dir():
        return not any(name.startswith(info.filename) for name in out)
    return info.filename not in out and not info.filename.endswith(_SIGNATURES)


def _entry(info: zipfile.ZipInfo) -> zipfile.ZipInfo:
    moment = time.gmtime(EPOCH)
    entry = zipfile.ZipInfo(info.filename, moment[:6])
    entry.external_attr = info.external_attr
    entry.create_system = info.create_system
    return entry
