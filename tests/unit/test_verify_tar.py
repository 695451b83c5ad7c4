"""A tar that two readers could take for different things is refused by the one that verifies."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from pathlib import Path

import adversaries
import artifacts
import pytest

from luggage.errors import LuggageError
from luggage.seal import artifact
from luggage.seal.tarred import Reader, TarError

END = bytes(1024)


def header(info: tarfile.TarInfo, *patches: tuple[int, bytes]) -> bytes:
    """One header with some bytes changed, and a checksum that fits again."""
    block = bytearray(info.tobuf(tarfile.USTAR_FORMAT, "utf-8", "surrogateescape"))
    for at, data in patches:
        block[at : at + len(data)] = data
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


def plain(name: str = "a", size: int = 0, kind: bytes = b"0") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.size, info.type = size, kind
    return info


def extended(*records: bytes, kind: bytes = b"x") -> bytes:
    """An extended header, padded."""
    data = b"".join(records)
    return header(plain("pax", len(data), kind)) + data + bytes(-len(data) % 512)


def record(key: bytes, value: bytes) -> bytes:
    """LENGTH KEY=VALUE, where the length counts itself."""
    size = len(key) + len(value) + 3
    while size != len(b"%d %s=%s\n" % (size, key, value)):
        size += 1
    return b"%d %s=%s\n" % (size, key, value)


def read(data: bytes) -> list[tuple[str, str, bytes]]:
    reader = Reader(io.BytesIO(data).read)
    return [(it.path, it.kind, b"".join(reader.body())) for it in reader]


def test_what_engines_write_is_read() -> None:
    """Plain and long names, folders with a slash, links, the folder of all; modes with a type."""
    long = "n" * 200
    data = (
        header(plain("./", kind=b"5"))
        + header(plain("./folder/", kind=b"5"), (100, b"0040755\0"))
        + header(plain("./folder/a", 3))
        + b"abc"
        + bytes(509)
        + extended(record(b"path", long.encode()), record(b"mtime", b"1.5"))
        + header(plain("short"))
        + extended(long.encode() + b"g\0", kind=b"L")
        + header(plain("short"), (257, b"ustar  \0"))
        + END
        + bytes(9000)
    )
    assert read(data) == [
        ("", "dir", b""),
        ("folder", "dir", b""),
        ("folder/a", "file", b"abc"),
        (long, "file", b""),
        (f"{long}g", "file", b""),
    ]


def test_a_body_that_is_not_read_is_left_out() -> None:
    """As an index of members does."""
    data = header(plain("a", 600)) + b"x" * 600 + bytes(424) + header(plain("b")) + END
    assert [it.path for it in Reader(io.BytesIO(data).read)] == ["a", "b"]


FIRST = header(plain())
REFUSED = {
    "no end": FIRST,
    "half an end": FIRST + bytes(512),
    "cut in a header": FIRST[:100],
    "cut in a body": header(plain(size=600)) + b"x" * 100,
    "one empty block, then more": FIRST + bytes(512) + header(plain("b")) + END,
    "a member after the end": FIRST + END + header(plain("b")) + END,
    "one byte after the end": FIRST + END + b"\0" * 511 + b"x",
    "padding that is not zeros": header(plain(size=3)) + b"abc" + b"x" * 509 + END,
    "a wrong checksum": FIRST[:1] + b"x" + FIRST[2:] + END,
    "an old format": header(plain(), (257, bytes(8))) + END,
    "a format of its own": header(plain(), (508, b"tar\0")) + END,
    "a prefix in GNU's format": header(plain(), (257, b"ustar  \0"), (345, b"etc\0")) + END,
    "a size with an underscore": header(plain(), (124, b"1_0\0")) + END,
    "a size with a sign": header(plain(), (124, b"+10\0")) + END,
    "a size in base 256": header(plain(), (124, b"\x80" + bytes(10) + b"\1")) + END,
    "a size that ends and goes on": header(plain(), (124, b"0\0007")) + END,
    "a mode with an odd bit": header(plain(), (100, b"2000644\0")) + END,
    "an owner that is no number": header(plain(), (108, b"root\0")) + END,
    "a folder with bytes": header(plain(size=3, kind=b"5")) + b"abc" + bytes(509) + END,
    "a link with bytes": header(plain(size=3, kind=b"2"), (157, b"x")) + b"abc" + bytes(509) + END,
    "a link to nothing": header(plain(kind=b"2")) + END,
    "a sparse file": header(plain(kind=b"S")) + END,
    "a file of the oldest kind": header(plain(kind=b"\0")) + END,
    "a kind that is not known": header(plain(kind=b"V")) + END,
    "a global header": extended(record(b"path", b"b"), kind=b"g") + FIRST + END,
    "a file with a slash": header(plain("a/")) + END,
    "two slashes": header(plain("a//b")) + END,
    "a file that is all": header(plain("./")) + END,
    "a name twice": FIRST + FIRST + END,
    "a name twice, once with ./": FIRST + header(plain("./a")) + END,
    "a size of its own": extended(record(b"size", b"5")) + FIRST + END,
    "a sparse map": extended(record(b"GNU.sparse.major", b"1")) + FIRST + END,
    "a capability": extended(record(b"SCHILY.xattr.security.capability", b"1")) + FIRST + END,
    "an access list": extended(record(b"SCHILY.acl.access", b"1")) + FIRST + END,
    "a path twice": extended(record(b"path", b"b"), record(b"path", b"c")) + FIRST + END,
    "two extended headers": extended(record(b"path", b"b")) * 2 + FIRST + END,
    "two kinds of them": (
        extended(record(b"path", b"b")) + extended(b"c\0", kind=b"L") + FIRST + END
    ),
    "an empty path": extended(record(b"path", b"")) + FIRST + END,
    "a path with a NUL": extended(record(b"path", b"b\0c")) + FIRST + END,
    "a path that leaves": extended(record(b"path", b"../b")) + FIRST + END,
    "a record that is too short": extended(b"5 path=b\n") + FIRST + END,
    "a record that is too long": extended(b"99 path=b\n") + FIRST + END,
    "a record without a line's end": extended(b"9 path=bc") + FIRST + END,
    "an empty extended header": extended() + FIRST + END,
    "an extended header and no member": extended(record(b"path", b"b")) + END,
    "an extended header too long": header(plain("pax", 1 << 20, b"x")) + bytes(1 << 20) + END,
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_two_readers_could_take_differently_is_refused(case: str) -> None:
    """Each for its own reason, though Python's own reader, or an engine's, would take many."""
    with pytest.raises(TarError):
        read(REFUSED[case])


# --- the file that an engine saves --------------------------------------------------------------


def members(path: Path) -> dict[str, bytes]:
    with tarfile.open(path) as archive:
        return {it.name: archive.extractfile(it).read() for it in archive}  # type: ignore[union-attr]


def refused(path: Path, files: dict[str, bytes]) -> str:
    """What is told of a saved image of these files."""
    path.write_bytes(artifacts.tar([artifacts.file(*it) for it in files.items()]))
    with pytest.raises(LuggageError) as caught:
        artifact.load(path)
    return caught.value.message


@pytest.fixture
def saved(tmp_path: Path) -> tuple[Path, dict[str, bytes]]:
    path = artifacts.release().write_image(tmp_path / "image.tar")
    return path, members(path)


def named(files: dict[str, bytes]) -> str:
    return next(name for name in files if name.endswith(".json") and name != "manifest.json")


def test_a_configuration_that_is_not_what_its_name_tells(
    saved: tuple[Path, dict[str, bytes]],
) -> None:
    """Its name is its SHA-256."""
    path, files = saved
    files[named(files)] += b" "
    assert "the configuration is not the one that its name tells" in refused(path, files)


def test_a_layer_that_is_not_the_one_that_is_named(saved: tuple[Path, dict[str, bytes]]) -> None:
    """Two layers swapped in the file: engines would refuse that as well."""
    path, files = saved
    files["0/layer.tar"], files["1/layer.tar"] = files["1/layer.tar"], files["0/layer.tar"]
    assert "layer 1 is not the one that the image names" in refused(path, files)


def test_a_layer_too_few(saved: tuple[Path, dict[str, bytes]]) -> None:
    """Every one that the configuration names is in the file."""
    path, files = saved
    files["manifest.json"] = files["manifest.json"].replace(b', "4/layer.tar"', b"")
    assert "does not name each of its layers" in refused(path, files)
    files["manifest.json"] = files["manifest.json"].replace(b"3/layer.tar", b"5/layer.tar")
    assert refused(path, files)


def test_members_that_engines_take_for_one(saved: tuple[Path, dict[str, bytes]]) -> None:
    """`config` beside `Config` in manifest.json: an engine takes the last."""
    path, files = saved
    files["manifest.json"] = files["manifest.json"].replace(b"[{", b'[{"config": "x", ', 1)
    assert "a member stands twice" in refused(path, files)


def test_two_formats_that_name_different_images(
    saved: tuple[Path, dict[str, bytes]], tmp_path: Path
) -> None:
    """One engine would run the one, another the other."""
    path, files = saved
    (tmp_path / "oci.tar").write_bytes(artifacts.oci_archive(artifacts.release()))
    other = members(tmp_path / "oci.tar")
    assert "name different images" in refused(path, files | other)


def test_a_blob_that_is_not_what_its_name_tells(tmp_path: Path) -> None:
    """Any of an OCI archive's; the layers and the configuration as well."""
    path = tmp_path / "oci.tar"
    path.write_bytes(artifacts.oci_archive(artifacts.release()))
    files = members(path)
    for name in files:
        if name.startswith("blobs/"):
            assert refused(path, {**files, name: files[name] + b" "})


def test_a_configuration_in_another_case(saved: tuple[Path, dict[str, bytes]]) -> None:
    """`CONFIG` alone is `config` to an engine, and nothing to a strict reader."""
    path, files = saved
    old = named(files)
    data = files.pop(old).replace(b'"config"', b'"CONFIG"')
    name = f"{hashlib.sha256(data).hexdigest()}.json"
    files[name] = data
    described = json.loads(files["manifest.json"])
    described[0]["Config"] = name
    files["manifest.json"] = json.dumps(described).encode()
    assert "has a member 'CONFIG'" in refused(path, files)


def test_a_compressed_file_says_what_to_do(tmp_path: Path) -> None:
    """gunzip first."""
    path = tmp_path / "image.tar.gz"
    path.write_bytes(b"\x1f\x8b\x08" + bytes(100))
    with pytest.raises(LuggageError, match="compressed") as caught:
        artifact.load(path)
    assert caught.value.hint == "unpack it first: gunzip"


def test_a_name_in_a_zip_that_is_cut_off_is_refused(tmp_path: Path) -> None:
    """zipfile ends a name at a NUL, others need not."""
    release = artifacts.release()
    path = release.write_pex(tmp_path)
    path.write_bytes(release.pex.replace(b"depot/start.py", b"depot/st\0rt.py"))
    with pytest.raises(LuggageError, match="not a plain relative path"):
        artifact.load(path)


# --- what engines would read otherwise ------------------------------------------------------------


@pytest.mark.parametrize("case", adversaries.RIGHT)
def test_an_image_as_an_engine_saves_it_is_taken(tmp_path: Path, case: str) -> None:
    """What the archives below are made of."""
    path = tmp_path / "image.tar"
    path.write_bytes(adversaries.archive(adversaries.RIGHT[case], artifacts.release()))
    assert artifact.load(path).manifest == artifacts.MANIFEST


@pytest.mark.parametrize("case", adversaries.WRONG)
def test_an_image_that_an_engine_would_read_otherwise_is_refused(tmp_path: Path, case: str) -> None:
    """Each has the signed tree for one reader and another for the next."""
    make, why = adversaries.WRONG[case]
    path = tmp_path / "image.tar"
    path.write_bytes(adversaries.archive(make, artifacts.release()))
    with pytest.raises(LuggageError) as caught:
        artifact.load(path)
    assert why in caught.value.message


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE])
@pytest.mark.parametrize(
    "name", ["index.json", "manifest.json", "oci-layout", "blobs", "x", f"{'a' * 64}/layer.tar"]
)
def test_a_link_in_a_saved_image_is_refused(tmp_path: Path, name: str, kind: bytes) -> None:
    """An engine that unpacks the file follows it."""
    made = adversaries.docker_archive(artifacts.release())
    made = [it for it in made if it[0].name != name]
    made.append(artifacts.link(name, "0/layer.tar", kind))
    (tmp_path / "image.tar").write_bytes(artifacts.tar(made))
    with pytest.raises(LuggageError, match="a link"):
        artifact.load(tmp_path / "image.tar")


def test_a_link_that_engines_write_is_taken(tmp_path: Path) -> None:
    """A layer under the name that older readers know."""
    made = adversaries.docker_archive(artifacts.release())
    for name, target in (("a", f"{'b' * 64}.tar"), ("c", f"{'d' * 64}/layer.tar")):
        made.append(artifacts.link(f"{name * 64}/layer.tar", f"../{target}"))
    (tmp_path / "image.tar").write_bytes(artifacts.tar(made))
    assert artifact.load(tmp_path / "image.tar").manifest == artifacts.MANIFEST


def test_the_format_before_manifest_json_is_refused(saved: tuple[Path, dict[str, bytes]]) -> None:
    """An engine reads `repositories` where manifest.json is not there, whatever lies beside."""
    path, files = saved
    path.write_bytes(artifacts.oci_archive(artifacts.release()))
    files = members(path)
    assert "no longer write" in refused(path, {**files, "repositories": b"{}"})


@pytest.mark.parametrize(
    "start",
    ["1f8b08", "425a68", "fd377a585a00", "28b52ffd", "502a4d18", "5f2a4d18"],
)
def test_a_tar_that_starts_as_what_is_compressed_is_refused(start: str) -> None:
    """Engines look at the first bytes."""
    data = header(plain("a"), (0, bytes.fromhex(start))) + END
    with pytest.raises(TarError, match="compressed"):
        read(data)


@pytest.mark.parametrize("at", [50, 200, 280, 400])
def test_bytes_in_what_an_extended_header_does_not_use_are_refused(at: int) -> None:
    """Nothing reads them, so anything could be hidden there."""
    data = record(b"path", b"b")
    block = header(plain("pax", len(data), b"x"), (at, b"\xfd\1"))
    with pytest.raises(TarError, match="bytes of something else"):
        read(block + data.ljust(512, b"\0") + FIRST + END)


def test_a_manifest_that_could_be_an_index_is_refused(tmp_path: Path) -> None:
    """One that has both, and one that is named as the other."""
    blobs: adversaries.Blobs = {}
    good = artifacts.release()
    one = adversaries.described(blobs, good, [artifacts.tar(it) for it in good.layers])
    data = blobs[str(one["digest"]).replace(":", "/").join(("blobs/", ""))]
    both = json.dumps({**json.loads(data), "manifests": []}).encode()
    kind = "application/vnd.oci.image.index.v1+json"
    inner = adversaries.blob(blobs, adversaries.index(one), kind)
    outer = adversaries.blob(blobs, adversaries.index(inner), kind)
    for wrong, why in (
        (adversaries.blob(blobs, both, str(one["mediaType"])), "of another kind than it says"),
        (adversaries.blob(blobs, data, kind), "of another kind than it says"),
        (outer, "holds an index in an index"),
    ):
        told = artifacts.file("index.json", adversaries.index(wrong))
        (tmp_path / "image.tar").write_bytes(artifacts.tar(adversaries.layout(blobs, told)))
        with pytest.raises(LuggageError, match=why):
            artifact.load(tmp_path / "image.tar")


def test_what_an_archive_says_reaches_no_terminal_as_it_is(
    saved: tuple[Path, dict[str, bytes]],
) -> None:
    """Names of files, and what stands in them."""
    path, files = saved
    described = json.loads(files["manifest.json"])
    name = "\x1b[2J.json"
    described[0]["Config"] = name
    files["manifest.json"] = json.dumps(described).encode()
    for data in (bytes(17 << 20), b"\x1b", b"{}"):
        told = refused(path, {**files, name: data})
        assert told.isprintable()
    described[0]["RepoTags"] = 5
    files["manifest.json"] = json.dumps(described).encode()
    assert "manifest.json: RepoTags': not as engines" in refused(path, files)
