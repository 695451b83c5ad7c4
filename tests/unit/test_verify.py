"""What `verify` refuses of a pex and of a saved image, and that it takes what was signed."""

from __future__ import annotations

import copy
import io
import json
import random
import tarfile
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import artifacts
import pytest
from artifacts import MANIFEST, SITE, Release

from luggage.crypto import signing
from luggage.errors import LuggageError
from luggage.proof import manifest, seal, tree
from luggage.seal import artifact, verify
from luggage.seal.verify import Verdict, Wanted

WANTED = Wanted(artifacts.KEY.public, 7)


@pytest.fixture(scope="module")
def made() -> Release:
    return artifacts.release()


def of_image(path: Path, wanted: Wanted = WANTED) -> Verdict:
    found = artifact.load(path)
    return verify.verify(found, verify.given(found, None, None), wanted)


def of_pex(path: Path, wanted: Wanted = WANTED) -> Verdict:
    found = artifact.load(path)
    outside = (path.parent / seal.FILE).read_bytes()
    signed = (path.parent / seal.SIGNATURE).read_bytes()
    return verify.verify(found, verify.given(found, outside, signed), wanted)


def refused(look: Callable[[Path], Verdict], path: Path) -> str:
    """What is told of an artifact that is refused, at whatever step."""
    try:
        verdict = look(path)
    except LuggageError as error:
        return error.message
    assert verdict.problems
    return "\n".join(verdict.problems)


# --- what is right ------------------------------------------------------------------------------


@pytest.mark.parametrize("squeezed", [False, True])
def test_what_was_signed_is_taken(made: Release, tmp_path: Path, squeezed: bool) -> None:
    """A pex, and an image with plain and with compressed layers, without one problem."""
    assert of_pex(made.write_pex(tmp_path)).problems == ()
    verdict = of_image(made.write_image(tmp_path / "image.tar", squeezed=squeezed))
    assert verdict.problems == ()
    assert verdict.seal == made.seal
    assert verdict.files == sum(info.isfile() for layer in made.layers for info, _ in layer)


@pytest.mark.parametrize("indexed", [False, True])
def test_an_oci_archive_is_taken(made: Release, tmp_path: Path, indexed: bool) -> None:
    """The other format that engines save, with and without an index of platforms."""
    (tmp_path / "image.tar").write_bytes(artifacts.oci_archive(made, indexed=indexed))
    assert of_image(tmp_path / "image.tar").problems == ()


def test_what_each_builder_writes_beside_is_taken(made: Release, tmp_path: Path) -> None:
    """Docker's classic builder, BuildKit, and buildah: words without a meaning for a start."""
    for words in (
        {"Image": f"sha256:{'a' * 64}", "AttachStdin": False},
        {"ArgsEscaped": True, "WorkingDir": "/"},
        {"Hostname": "56520fb96615", "Labels": {"io.buildah.version": "1.28.2"}},
    ):
        other = made.copy()
        other.configuration["config"] |= words
        assert of_image(other.write_image(tmp_path / "image.tar")).problems == ()


def test_a_variable_that_was_allowed_is_taken(made: Release, tmp_path: Path) -> None:
    """--allow-env NAME lets an image set one more, and no other value for one of ours."""
    other = made.copy()
    other.configuration["config"]["Env"].append("TZ=UTC")
    path = other.write_image(tmp_path / "image.tar")
    assert of_image(path).problems == (
        "configuration: variable 'TZ' is set, and is none of run.docker's",
    )
    assert of_image(path, replace(WANTED, allow_env=("TZ",))).problems == ()


@pytest.mark.parametrize("name", ["LD_PRELOAD", "PYTHONPATH", "GLIBC_TUNABLES", "PATH"])
def test_what_says_which_code_is_loaded_is_never_allowed(
    made: Release, tmp_path: Path, name: str
) -> None:
    """Whoever sets it puts other code in front of all that was compared."""
    other = made.copy()
    env = other.configuration["config"]["Env"]
    env[:] = [*(it for it in env if not it.startswith(f"{name}=")), f"{name}=/tmp/x"]
    path = other.write_image(tmp_path / "image.tar")
    (told,) = of_image(path, replace(WANTED, allow_env=(name,))).problems
    assert told.startswith(f"configuration: variable {name!r} is ")


def test_a_hard_link_is_the_file_it_names(made: Release, tmp_path: Path) -> None:
    """Engines write equal files of one inode so; one that names nothing, or changes it, is none."""
    name = "usr/bin/python3.13"
    other = made.copy()
    layer, at = other.member("usr/odd name")
    data = layer[other.member(name)[1]][1]
    listed = [artifacts.entry(it) for it in layer if not it[0].name.startswith("app")]
    listed = [it for it in listed if it.path != "usr/odd name"]
    twin = replace(next(it for it in listed if it.path == name), path="usr/odd name")
    text = tree.dump([*listed, twin])
    assert twin.size == len(data)
    other.put("app/seal/root.mtree", text)
    digests = {**made.seal.layers, "root": artifacts.sha256(text)}
    other = artifacts.resealed(other, layers=digests)
    layer, at = other.member("usr/odd name")
    layer[at] = artifacts.link("usr/odd name", name, tarfile.LNKTYPE, 0o755)
    assert of_image(other.write_image(tmp_path / "image.tar")).problems == ()
    for target, mode in (("usr/bin/none", 0o755), (name, 0o4755), ("../etc/passwd", 0o755)):
        layer[at] = artifacts.link("usr/odd name", target, tarfile.LNKTYPE, mode)
        assert refused(of_image, other.write_image(tmp_path / "image.tar"))


# --- a pex that is not --------------------------------------------------------------------------


def _in_pex(change: Callable[[zipfile.ZipFile], None]) -> Callable[[Release], bytes]:
    def made(found: Release) -> bytes:
        out = io.BytesIO(found.pex)
        with zipfile.ZipFile(out, "a") as archive:
            change(archive)
        return out.getvalue()

    return made


def _replaced(path: str, data: bytes) -> Callable[[Release], bytes]:
    return lambda found: artifacts.pex({**artifacts.SOURCES, path: data})


def _link(archive: zipfile.ZipFile) -> None:
    info = zipfile.ZipInfo("depot/out.py")
    info.external_attr = 0o120777 << 16
    archive.writestr(info, "../../etc/passwd")


PEXES: dict[str, tuple[Callable[[Release], bytes], str]] = {
    "other content": (_replaced("depot/start.py", b"import os\n"), "'depot/start.py': its content"),
    "a file more": (_replaced("depot/more.py", b""), "pex: its SHA-256"),
    "a file removed": (
        lambda _: artifacts.pex({"depot/__init__.py": b""}),
        "'depot/config.py': missing",
    ),
    "bytes after the zip": (lambda found: found.pex + b"\0", "pex: its SHA-256"),
    "bytes before the zip": (lambda found: b"#!/bin/evil\n" + found.pex, "pex: its SHA-256"),
    "the shell's head": (lambda found: found.pex.replace(b"exit 1", b"exit 2"), "pex: its SHA-256"),
    "truncated": (lambda found: found.pex[:-40], "not a pex, or damaged"),
    "empty": (lambda found: b"", "ends without its end mark"),
    "no zip": (lambda found: b"#!/bin/sh\n", "not a pex, or damaged"),
    "a path twice": (
        _in_pex(lambda it: it.writestr("depot/start.py", "")),
        "'depot/start.py' stands twice",
    ),
    "a path that leaves": (_in_pex(lambda it: it.writestr("../x", "")), "not a plain relative"),
    "an absolute path": (_in_pex(lambda it: it.writestr("/x", "")), "not a plain relative path"),
    "a link that leaves": (_in_pex(_link), "a link that leaves the pex"),
    "no manifest": (lambda _: artifacts.pex(described=b"{}"), "manifest: without a format"),
}


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("case", PEXES)
def test_a_pex_that_was_changed_is_refused(made: Release, tmp_path: Path, case: str) -> None:
    """Each way to change it, for its own reason."""
    change, why = PEXES[case]
    path = made.write_pex(tmp_path)
    path.write_bytes(change(made))
    assert why in refused(of_pex, path)


def test_a_zip_that_unpacks_to_more_than_there_is_room_for_is_refused(
    made: Release, tmp_path: Path
) -> None:
    """Before anything is unpacked: by what its directory says."""
    path = made.write_pex(tmp_path)
    data = bytearray(made.pex)
    at = data.rindex(b"PK\1\2")
    data[at + 24 : at + 28] = (0xFFFFFFF0).to_bytes(4, "little")
    second = data.rindex(b"PK\1\2", 0, at)
    data[second + 24 : second + 28] = (0xFFFFFFF0).to_bytes(4, "little")
    path.write_bytes(data)
    assert "too large" in refused(of_pex, path)


# --- an image that is not -----------------------------------------------------------------------


def _content(found: Release) -> None:
    found.put(f"{SITE}/six.py", b"six = 7\n")


def _source(found: Release) -> None:
    found.put(f"{SITE}/depot/start.py", b"import evil   \n")


def _mode(found: Release) -> None:
    layer, at = found.member("usr/bin/python3.13")
    layer[at][0].mode = 0o4755


def _folder_mode(found: Release) -> None:
    layer, at = found.member("usr")
    layer[at][0].mode = 0o777


def _owner(found: Release) -> None:
    layer, at = found.member(f"{SITE}/six.py")
    layer[at][0].uid = 65532


def _group(found: Release) -> None:
    layer, at = found.member("run/luggage")
    layer[at][0].gid = 0


def _target(found: Release) -> None:
    layer, at = found.member("app/bin/python")
    layer[at][0].linkname = "/tmp/python"


def _kind(found: Release) -> None:
    layer, at = found.member(f"{SITE}/six.py")
    layer[at] = artifacts.link(f"{SITE}/six.py", "/tmp/six.py")


def _added(found: Release) -> None:
    found.layers[3].append(artifacts.file(f"{SITE}/evil.pth", b"import evil"))


def _added_to_the_seal(found: Release) -> None:
    found.layers[4].append(artifacts.file("app/seal/evil.py", b""))


def _removed(found: Release) -> None:
    layer, at = found.member(f"{SITE}/six.py")
    del layer[at]


def _whiteout(found: Release) -> None:
    found.layers[4].append(artifacts.file(f"{SITE}/.wh.six.py"))


def _opaque(found: Release) -> None:
    found.layers[4].append(artifacts.file(f"{SITE}/.wh..wh..opq"))


def _layer(found: Release) -> None:
    found.layers.append([artifacts.folder("app")])


def _replacing(found: Release) -> None:
    layer, at = found.member(f"{SITE}/six.py")
    found.layers[4].append(artifacts.file(f"{SITE}/six.py", b"evil"))
    assert layer[at]


def _no_listing(found: Release) -> None:
    layer, at = found.member("app/seal/deps.mtree")
    del layer[at]


def _listing(found: Release) -> None:
    found.put("app/seal/deps.mtree", tree.HEAD)


def _sbom(found: Release) -> None:
    found.put("app/seal/sbom.cdx.json", b"{}\n")


def _no_sbom(found: Release) -> None:
    layer, at = found.member("app/seal/sbom.cdx.json")
    del layer[at]


def _manifest(found: Release) -> None:
    found.put(f"{SITE}/{manifest.FILE}", manifest.dump(replace(MANIFEST, serial=8)))


def _seal_mode(found: Release) -> None:
    layer, at = found.member("app/seal/seal.json")
    layer[at][0].mode = 0o666


def _device(found: Release) -> None:
    info = tarfile.TarInfo("usr/null")
    info.type, info.devmajor, info.devminor = tarfile.CHRTYPE, 1, 3
    found.layers[0].append((info, b""))


def _pipe(found: Release) -> None:
    info = tarfile.TarInfo("usr/pipe")
    info.type = tarfile.FIFOTYPE
    found.layers[0].append((info, b""))


def _leaving(found: Release) -> None:
    found.layers[3].append(artifacts.file("app/../etc/passwd"))


def _absolute(found: Release) -> None:
    found.layers[3].append(artifacts.file("/etc/passwd"))


def _twice(found: Release) -> None:
    layer, at = found.member(f"{SITE}/six.py")
    layer.append(layer[at])


def _below_a_link(found: Release) -> None:
    found.layers[3].append(artifacts.file("app/bin/python/evil"))


def _attribute(found: Release) -> None:
    layer, at = found.member("usr/bin/python3.13")
    layer[at][0].pax_headers = {"SCHILY.xattr.security.capability": "\1"}


def _swapped(found: Release) -> None:
    one, at = found.member(f"{SITE}/depot/start.py")
    other, there = found.member(f"{SITE}/six.py")
    one[at], other[there] = (
        artifacts.file(one[at][0].name, other[there][1]),
        artifacts.file(other[there][0].name, one[at][1]),
    )


IMAGES: dict[str, tuple[Callable[[Release], None], str]] = {
    "content": (_content, f"'{SITE}/six.py': its content"),
    "content of a source": (_source, f"'{SITE}/depot/start.py': its content"),
    "mode": (_mode, "'usr/bin/python3.13': mode 4755, and 0755 was sealed"),
    "mode of a folder": (_folder_mode, "'usr': mode 0777, and 0755 was sealed"),
    "owner": (_owner, f"'{SITE}/six.py': belongs to 65532:0, and 0:0 was sealed"),
    "group": (_group, "'run/luggage': belongs to 65532:0, and 65532:65532 was sealed"),
    "target": (_target, "'app/bin/python': links to '/tmp/python', and"),
    "kind": (_kind, f"'{SITE}/six.py': a link, and a file was sealed"),
    "a file more": (_added, f"'{SITE}/evil.pth': was added"),
    "a file more beside the seal": (_added_to_the_seal, "'app/seal/evil.py': was added"),
    "a file removed": (_removed, f"'{SITE}/six.py': missing"),
    "a whiteout": (_whiteout, f"'{SITE}/.wh.six.py': a layer takes away"),
    "an opaque whiteout": (_opaque, f"'{SITE}/.wh..wh..opq': a layer takes away"),
    "a layer more": (_layer, "layers: 6, and no more than 5 were made"),
    "a layer that replaces": (_replacing, f"'{SITE}/six.py': a layer replaces"),
    "no listing": (_no_listing, "'app/seal/deps.mtree': missing"),
    "another listing": (_listing, "'app/seal/deps.mtree': not the listing that was sealed"),
    "another SBOM": (_sbom, "SBOM: its content"),
    "no SBOM": (_no_sbom, "SBOM: missing"),
    "another manifest": (_manifest, "luggage-manifest.json: not the manifest that was sealed"),
    "a seal that others write": (_seal_mode, "'app/seal/seal.json': not a file of root's"),
    "a device": (_device, "'usr/null': a device"),
    "a pipe": (_pipe, "'usr/pipe': a device, a pipe"),
    "a path that leaves": (_leaving, "'app/../etc/passwd': not a plain relative path"),
    "an absolute path": (_absolute, "'/etc/passwd': not a plain relative path"),
    "a path twice in a layer": (_twice, f"'{SITE}/six.py' stands twice"),
    "a path below a link": (_below_a_link, "'app/bin/python/evil': lies below what is no folder"),
    "an extended attribute": (_attribute, "a member has extended attributes"),
    "two files swapped": (_swapped, f"'{SITE}/six.py': its content"),
}


@pytest.mark.parametrize("case", IMAGES)
def test_an_image_that_was_changed_is_refused(made: Release, tmp_path: Path, case: str) -> None:
    """Each kind of change of its tree, for its own reason."""
    change, why = IMAGES[case]
    other = made.copy()
    change(other)
    path = other.write_image(tmp_path / "image.tar")
    assert why in refused(of_image, path)


CONFIGURATIONS: dict[str, tuple[str, object]] = {
    "Entrypoint": ("Entrypoint", ["/bin/sh"]),
    "Entrypoint gone": ("Entrypoint", None),
    "Cmd": ("Cmd", ["loop"]),
    "User": ("User", "0:0"),
    "no User": ("User", ""),
    "Healthcheck": ("Healthcheck", {"Test": ["CMD", "/app/bin/python", "-c", "evil"]}),
    "no Healthcheck": ("Healthcheck", None),
    "StopSignal": ("StopSignal", "SIGKILL"),
    "OnBuild": ("OnBuild", ["RUN evil"]),
    "Volumes": ("Volumes", {"/app": {}}),
    "WorkingDir": ("WorkingDir", "/tmp"),
    "Shell": ("Shell", ["/tmp/sh"]),
    "Hostname": ("Hostname", "other"),
    "a new word": ("StartInterval", 5),
    "the same in another case": ("entrypoint", ["/bin/sh"]),
    "Labels": ("Labels", {"traefik.enable": "true"}),
    "a label of another seal": ("Labels", {"luggage.seal": "a" * 64}),
    "a label of another commit": ("Labels", {"org.opencontainers.image.revision": "a" * 40}),
    "labels that are none": ("Labels", ["a"]),
    "ExposedPorts": ("ExposedPorts", {"8000/evil": {}}),
    "Env gone": ("Env", ["LANG=C.UTF-8", "HOST=0.0.0.0"]),
    "Env changed": ("Env", ["PATH=/tmp:/app/bin", "LANG=C.UTF-8", "HOST=0.0.0.0"]),
    "Env more": (
        "Env",
        ["PATH=/app/bin:/usr/bin", "LANG=C.UTF-8", "HOST=0.0.0.0", "LD_PRELOAD=/tmp/x"],
    ),
    "Env twice": (
        "Env",
        ["PATH=/tmp", "PATH=/app/bin:/usr/bin", "LANG=C.UTF-8", "HOST=0.0.0.0"],
    ),
}


@pytest.mark.parametrize("case", CONFIGURATIONS)
def test_an_image_that_is_started_otherwise_is_refused(
    made: Release, tmp_path: Path, case: str
) -> None:
    """Whatever of its configuration an engine obeys."""
    word, value = CONFIGURATIONS[case]
    other = made.copy()
    other.configuration["config"][word] = value
    path = other.write_image(tmp_path / "image.tar")
    told = refused(of_image, path)
    assert "configuration" in told or "stands twice" in told


@pytest.mark.parametrize(("word", "value"), [("architecture", "arm64"), ("os", "windows")])
def test_an_image_for_another_machine_is_refused(
    made: Release, tmp_path: Path, word: str, value: str
) -> None:
    """An engine chooses by it; the manifest says for which one it was packed."""
    other = made.copy()
    other.configuration[word] = value
    told = refused(of_image, other.write_image(tmp_path / "image.tar"))
    assert told.startswith(f"configuration: {word} is {value!r}, and not ")


def test_a_configuration_that_is_written_twice_is_refused(made: Release, tmp_path: Path) -> None:
    """Engines take `Config` for `config`, and the last of two."""
    for word in ("Config", "ROOTFS", "con\u017fig"):
        other = made.copy()
        other.configuration[word] = copy.deepcopy(other.configuration["config"])
        path = other.write_image(tmp_path / "image.tar")
        told = refused(of_image, path)
        assert "stands twice" in told or "has a member" in told


# --- a seal that is not -------------------------------------------------------------------------


def test_a_foreign_signature_is_refused(made: Release, tmp_path: Path) -> None:
    """Everything is right but the key."""
    stranger = artifacts.release(key=signing.generate())
    for look, path in (
        (of_pex, stranger.write_pex(tmp_path)),
        (of_image, stranger.write_image(tmp_path / "image.tar")),
    ):
        told = refused(look, path)
        assert told == f"signature: not by key {WANTED.key.id}, or not of this seal"  # type: ignore[union-attr]


def test_no_signature_is_refused(made: Release, tmp_path: Path) -> None:
    """A seal that nobody signed proves nothing."""
    other = made.copy()
    layer, at = other.member("app/seal/seal.json.sig")
    del layer[at]
    path = other.write_image(tmp_path / "image.tar")
    assert refused(of_image, path) == "signature: there is none"
    assert of_image(path, Wanted(None)).problems == ()


def test_a_second_signature_must_fit_as_well(made: Release, tmp_path: Path) -> None:
    """The one in the image is what its start looks at, whatever was given from outside."""
    other = made.copy()
    other.put("app/seal/seal.json.sig", bytes(64))
    found = artifact.load(other.write_image(tmp_path / "image.tar"))
    told = verify.verify(found, verify.given(found, None, made.signature), WANTED).problems
    assert len(told) == 1
    assert told[0].startswith("signature: not by key")


def test_another_releases_seal_is_refused(made: Release, tmp_path: Path) -> None:
    """Seal and signature of another release of the same key, beside a pex and in an image."""
    other = artifacts.release(replace(MANIFEST, commit="6" * 40))
    path = made.write_pex(tmp_path)
    (tmp_path / seal.FILE).write_bytes(other.sealed)
    (tmp_path / seal.SIGNATURE).write_bytes(other.signature)
    assert "pex: its SHA-256" in refused(of_pex, path)
    mixed = made.copy()
    mixed.layers[4] = other.layers[4]
    image = mixed.write_image(tmp_path / "image.tar")
    assert "not the manifest that was sealed" in refused(of_image, image)


def test_a_seal_from_outside_that_is_not_the_images_is_refused(
    made: Release, tmp_path: Path
) -> None:
    """--seal names the one it must have."""
    other = artifacts.release(replace(MANIFEST, commit="6" * 40))
    found = artifact.load(made.write_image(tmp_path / "image.tar"))
    with pytest.raises(LuggageError, match="not the one that was given"):
        verify.given(found, other.sealed, other.signature)


def test_a_pex_alone_has_no_image(made: Release, tmp_path: Path) -> None:
    """A seal that was made without an image proves none."""
    other = artifacts.resealed(made, layers={}, debian={}, sbom={"pex": made.seal.sbom["pex"]})
    told = refused(of_image, other.write_image(tmp_path / "image.tar"))
    assert "made for a pex alone" in told


@pytest.mark.parametrize("serial", [6, None])
def test_a_stale_serial_is_refused(tmp_path: Path, serial: int | None) -> None:
    """A release that is older than what is asked for, though it was signed."""
    old = artifacts.release(replace(MANIFEST, serial=serial))
    for look, path in (
        (of_pex, old.write_pex(tmp_path)),
        (of_image, old.write_image(tmp_path / "image.tar")),
    ):
        assert refused(look, path) == f"serial: {serial or 'none'}, and 7 is the least"


def test_no_seal_is_an_error(made: Release, tmp_path: Path) -> None:
    """It says how to get one."""
    found = artifact.load(made.write_pex(tmp_path))
    with pytest.raises(LuggageError, match="has no seal"):
        verify.given(found, None, None)


def test_everything_wrong_is_told_at_once(made: Release, tmp_path: Path) -> None:
    """The first twenty, and then how many there are more."""
    other = made.copy()
    other.layers[3] += [artifacts.file(f"app/evil{number}") for number in range(30)]
    other.configuration["config"]["User"] = "0"
    problems = of_image(other.write_image(tmp_path / "image.tar")).problems
    assert len(problems) == 31
    assert len(verify.summary(problems)) == 21
    assert verify.summary(problems)[-1] == "and 11 more, 31 in all"


# --- a file that is not -------------------------------------------------------------------------


def test_a_seal_in_an_image_that_cannot_be_read_is_named(made: Release, tmp_path: Path) -> None:
    """By the image, and by its place there."""
    other = made.copy()
    other.put("app/seal/seal.json", b"{}\n")
    path = other.write_image(tmp_path / "image.tar")
    assert refused(of_image, path) == f"{path}: app/seal/seal.json: seal: without a format"


def test_a_replaced_listing_is_one_line(made: Release, tmp_path: Path) -> None:
    """What a listing that was not sealed names, or leaves out, is no matter."""
    other = made.copy()
    other.put("app/seal/deps.mtree", tree.HEAD)
    (told,) = of_image(other.write_image(tmp_path / "image.tar")).problems
    assert told == (
        "'app/seal/deps.mtree': not the listing that was sealed: nothing is compared with it"
    )


def test_several_images_need_a_name(made: Release, tmp_path: Path) -> None:
    """Of several in one file none is taken by chance."""
    data = made.write_image(tmp_path / "image.tar").read_bytes()
    described = b'"RepoTags": ["thing:latest"]'
    assert data.count(described) == 1
    with tarfile.open(tmp_path / "image.tar") as archive:
        files = {it.name: archive.extractfile(it).read() for it in archive}  # type: ignore[union-attr]
    one = files["manifest.json"]
    two = one.replace(b'["thing:latest"]', b'["thing:second"], "Parent": "sha256:0"')
    files["manifest.json"] = one[:-1] + b"," + two[1:]
    path = tmp_path / "two.tar"
    path.write_bytes(artifacts.tar([artifacts.file(*it) for it in files.items()]))
    with pytest.raises(LuggageError, match="holds 2 images: thing:latest, thing:second"):
        artifact.load(path)
    assert artifact.load(path, image="thing:second").manifest == MANIFEST
    why = "two.tar: holds no image 'thing:third', but thing:latest, thing:second"
    with pytest.raises(LuggageError, match=why):
        artifact.load(path, image="thing:third")


@pytest.mark.parametrize("engine", ["docker", "oci"])
def test_an_image_with_two_names_is_one(made: Release, tmp_path: Path, engine: str) -> None:
    """Beside another one it is counted once, and both its names are told."""
    path = tmp_path / "image.tar"
    if engine == "docker":
        described, tags = "manifest.json", (b'["thing:latest"]', b'["thing:latest", "thing:1"]')
        made.write_image(path)
    else:
        described, tags = "index.json", (b"thing:latest", b"thing:1")
        path.write_bytes(artifacts.oci_archive(made))
    with tarfile.open(path) as archive:
        files = {it.name: archive.extractfile(it).read() for it in archive}  # type: ignore[union-attr]
    told = json.loads(files[described])
    images = told if engine == "docker" else told["manifests"]
    second = json.loads(json.dumps(images[0]).encode().replace(*tags))
    images[:] = [second] if engine == "docker" else [images[0], second]
    files[described] = json.dumps(told).encode()
    path.write_bytes(artifacts.tar([artifacts.file(*it) for it in files.items()]))
    assert artifact.load(path).manifest == MANIFEST
    third = json.loads(json.dumps(images[0]))
    third |= {"RepoTags": ["other:1"], "annotations": {}, "size": 7}
    images.append(third)
    files[described] = json.dumps(told).encode()
    path.write_bytes(artifacts.tar([artifacts.file(*it) for it in files.items()]))
    last = "other:1" if engine == "docker" else "one without a name"
    why = rf"holds 2 images: thing:latest \(also thing:1\), {last}$"
    with pytest.raises(LuggageError, match=why):
        artifact.load(path)


def test_what_is_neither_is_refused(tmp_path: Path) -> None:
    """A tar of something else, and a file that is none."""
    path = tmp_path / "some.tar"
    path.write_bytes(artifacts.tar([artifacts.file("a")]))
    with pytest.raises(LuggageError, match="neither a pex nor a saved image"):
        artifact.load(path)
    path.write_bytes(b"x" * 5000)
    with pytest.raises(LuggageError, match="not a tar"):
        artifact.load(path)
    with pytest.raises(LuggageError, match=r"cannot be read: No such file"):
        artifact.load(tmp_path / "none")


@pytest.mark.parametrize("kind", ["image", "pex"])
def test_more_texts_than_there_is_room_for_are_refused(
    made: Release, tmp_path: Path, kind: str
) -> None:
    """Before they are read: config modules, and what lies beside the seal, are kept."""
    path = tmp_path / f"some.{kind}"
    data = bytes(16 << 20)
    if kind == "pex":
        path.write_bytes(made.pex)
        with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
            for number in range(5):
                info = zipfile.ZipInfo(f"p{number}/config.py")
                info.external_attr, info.compress_type = 0o100644 << 16, zipfile.ZIP_DEFLATED
                archive.writestr(info, data)
    else:
        other = made.copy()
        for number in range(5):
            other.layers[number].append(artifacts.file(f"app/seal/{number}", data))
        other.write_image(path, squeezed=True)
    with pytest.raises(LuggageError, match="more texts before it than any artifact has"):
        artifact.load(path)


def test_more_layers_than_engines_take_are_refused(made: Release, tmp_path: Path) -> None:
    """Each of them costs memory."""
    other = made.copy()
    other.layers += [[artifacts.folder("app")]] * 123
    with pytest.raises(LuggageError, match="more layers than engines take"):
        artifact.load(other.write_image(tmp_path / "image.tar"))


# --- one byte -----------------------------------------------------------------------------------


def test_a_flipped_byte_of_a_pex_is_refused(made: Release, tmp_path: Path) -> None:
    """Of 300, at random places, each bit pattern: all."""
    chance = random.Random(4)
    path = made.write_pex(tmp_path)
    for _ in range(300):
        data = bytearray(made.pex)
        data[chance.randrange(len(data))] ^= chance.randrange(1, 256)
        path.write_bytes(data)
        assert refused(of_pex, path)


def test_a_flipped_byte_of_a_file_in_an_image_is_refused(made: Release, tmp_path: Path) -> None:
    """Of 300, in any file, with layers and configuration made to fit: all."""
    chance = random.Random(4)
    places = [
        (layer, at, number)
        for layer, members in enumerate(made.layers)
        for at, (_, data) in enumerate(members)
        for number in range(len(data))
    ]
    for layer, at, number in chance.sample(places, 300):
        other = made.copy()
        info, data = other.layers[layer][at]
        changed = bytearray(data)
        changed[number] ^= chance.randrange(1, 256)
        other.layers[layer][at] = info, bytes(changed)
        path = other.write_image(tmp_path / "image.tar")
        assert refused(of_image, path)


def test_a_flipped_byte_of_a_layer_in_a_saved_image_is_refused(
    made: Release, tmp_path: Path
) -> None:
    """Of 200, in headers and contents alike: the layer is no longer the one that is named."""
    chance = random.Random(4)
    whole = made.write_image(tmp_path / "image.tar").read_bytes()
    with tarfile.open(tmp_path / "image.tar") as archive:
        spans = [
            range(it.offset_data, it.offset_data + it.size)
            for it in archive
            if it.name != "manifest.json"
        ]
    for _ in range(200):
        data = bytearray(whole)
        data[chance.choice(chance.choice(spans))] ^= chance.randrange(1, 256)
        (tmp_path / "image.tar").write_bytes(data)
        assert refused(of_image, tmp_path / "image.tar")


def test_a_truncated_image_is_refused(made: Release, tmp_path: Path) -> None:
    """Cut anywhere but in the empty blocks at its end."""
    path = made.write_image(tmp_path / "image.tar")
    data = path.read_bytes()
    end = len(data.rstrip(b"\0"))
    for size in random.Random(4).sample(range(end), 60):
        path.write_bytes(data[:size])
        assert refused(of_image, path)
