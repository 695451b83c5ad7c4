"""luggage.proof.start: nothing is opened in what is not what was packed."""

from __future__ import annotations

import os
import re
import signal
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from sealed_trees import FILES, SEALED, SITE, D, Image, digest

from luggage.crypto import keys, signing
from luggage.crypto.keys import Bundle
from luggage.errors import LuggageError
from luggage.proof import files, manifest, seal, start
from luggage.proof.image import Place

PAGE = f"{SITE}/example_app/page.py"
SEAL = f"{seal.FOLDER}/{seal.FILE}"


@pytest.fixture
def image(tmp_path: Path) -> Image:
    return Image(tmp_path / "root")


NOT_CHECKED = "signature not checked: the key names no verify key"


def refused(image: Image, *told: str, bundle: Bundle | None = None) -> LuggageError:
    """The one refusal, in which each text of `told` stands."""
    with pytest.raises(LuggageError) as caught:
        start.check(image.place(), bundle, SEALED)
    for text in told:
        assert text in caught.value.message
    assert caught.value.status == 1
    return caught.value


def test_a_bare_key_starts_what_was_packed_and_says_what_it_did_not_check(image: Image) -> None:
    """Every file of the listings was read; whether there is a signature is told as it is."""
    for bundle, told in ((None, "unsigned"), (Bundle((keys.generate(),)), NOT_CHECKED)):
        if bundle:
            image.sign(signing.generate())
        report = start.check(image.place(), bundle, SEALED)
        assert (report.kind, report.files, report.signed_by) == ("image", len(FILES) + 1, None)
        manifested = (image.root / SITE / manifest.FILE).stat().st_size
        assert report.size == sum(map(len, FILES.values())) + manifested
        assert str(report) == f"image: {len(FILES) + 1} files as packed, {told}, serial 7"


@pytest.mark.parametrize("path", [*FILES, f"{SITE}/{manifest.FILE}"])
@pytest.mark.parametrize("at", [0, -1])
def test_a_byte_flipped_anywhere_is_refused(image: Image, path: str, at: int) -> None:
    """Also in files that are not loaded yet, and with the time and the size as they were."""
    place = image.root / path
    was = place.stat()
    data = bytearray(place.read_bytes())
    data[at] ^= 1
    place.write_bytes(data)
    os.utime(place, ns=(was.st_atime_ns, was.st_mtime_ns))
    refused(image, f"/{path}: changed")


def test_a_byte_flipped_in_the_middle_of_a_long_file_is_refused(image: Image) -> None:
    """A file is read to its end, whatever fits into memory at once."""
    place = image.root / SITE / "flask/big.so"
    data = bytearray(place.read_bytes())
    for at in (1 << 18, (1 << 18) - 1, len(data) // 2):
        data[at] ^= 1
        place.write_bytes(data)
        refused(image, "big.so: changed")
        data[at] ^= 1


def _swap(root: Path) -> None:
    one, two = root / PAGE, root / SITE / "example_app/other.py"
    data = one.read_bytes()
    one.write_bytes(two.read_bytes())
    two.write_bytes(data)


def _link(root: Path) -> None:
    (root / "bin").unlink()
    (root / "bin").symlink_to("usr/sbin")


def _folder_for_file(root: Path) -> None:
    (root / PAGE).unlink()
    (root / PAGE).mkdir()


def _pipe_for_file(root: Path) -> None:
    (root / PAGE).unlink()
    os.mkfifo(root / PAGE)


def _link_for_file(root: Path) -> None:
    (root / PAGE).rename(root / "elsewhere")
    (root / PAGE).symlink_to(root / "elsewhere")


def _link_for_folder(root: Path) -> None:
    (root / SITE / "example_app").rename(root / "elsewhere")
    (root / SITE / "example_app").symlink_to(root / "elsewhere")


def _odd_name(root: Path) -> None:
    (root / SITE / os.fsdecode(b"a\xff\n\x1b.py")).touch()


DAMAGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "swapped": (_swap, f"/{SITE}/example_app/other.py: changed\n/{PAGE}: changed"),
    "appended": (lambda root: (root / PAGE).write_bytes(b"page = 1\n\n"), "page.py: changed"),
    "emptied": (lambda root: (root / PAGE).write_bytes(b""), "page.py: changed"),
    "missing": (lambda root: (root / PAGE).unlink(), f"/{PAGE}: missing"),
    "module": (lambda root: (root / SITE / "x.py").touch(), f"/{SITE}/x.py: was not packed"),
    "pth": (lambda root: (root / SITE / "x.pth").touch(), "x.pth: was not packed"),
    "package": (lambda root: (root / SITE / "flask/x").mkdir(), "flask/x: was not packed"),
    "site": (
        lambda root: (root / "usr/lib/python3.13/sitecustomize.py").touch(),
        "/usr/lib/python3.13/sitecustomize.py: was not packed",
    ),
    "app": (lambda root: (root / "app/pyvenv.cfg").touch(), "/app/pyvenv.cfg: was not packed"),
    "link": (_link, "/bin: leads elsewhere"),
    "folder-for-file": (_folder_for_file, "page.py: not a file"),
    "pipe-for-file": (_pipe_for_file, "page.py: not a file"),
    "link-for-file": (_link_for_file, "page.py: not a file"),
    "link-for-folder": (_link_for_folder, "example_app: not a folder"),
    "mode": (lambda root: (root / PAGE).chmod(0o666), "its mode is 0666, not 0644"),
    "folder-mode": (
        lambda root: (root / SITE).chmod(0o777),
        f"/{SITE}: its mode is 0777, not 0755",
    ),
    "odd-name": (_odd_name, f"/{SITE}/a\\377\\012\\033.py: was not packed"),
    "seal": (lambda root: (root / SEAL).unlink(), "seal.json: missing"),
    "seal-cut": (lambda root: (root / SEAL).write_bytes(b"{"), "seal.json: seal: not JSON"),
    "sbom-changed": (
        lambda root: (root / seal.FOLDER / seal.SBOM).write_bytes(b"[]\n"),
        "sbom.cdx.json: changed",
    ),
    "listing": (lambda root: (root / seal.FOLDER / "app.mtree").unlink(), "app.mtree: missing"),
    "listing-changed": (
        lambda root: (root / seal.FOLDER / "deps.mtree").write_bytes(b"#mtree\n"),
        "deps.mtree: changed",
    ),
    "listing-more": (
        lambda root: (root / seal.FOLDER / "x.mtree").touch(),
        "x.mtree: was not packed",
    ),
    "manifest": (
        lambda root: (root / SITE / manifest.FILE).unlink(),
        "luggage-manifest.json: missing",
    ),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_any_damage_is_named(image: Image, damage: str) -> None:
    """Changed, swapped, missing, planted, of another kind or mode: the path and what is wrong."""
    change, told = DAMAGES[damage]
    change(image.root)
    refused(image, "this image is not what was packed", told)


def test_everything_wrong_is_told_but_not_for_ever(image: Image) -> None:
    """Ten paths, and how many more there are."""
    for number in range(25):
        (image.root / SITE / f"x{number:02}.py").touch()
    message = refused(image, "x00.py", "x09.py", "and 15 more").message
    assert "x10.py" not in message


@pytest.mark.parametrize("alone", [True, False])
def test_one_process_finds_what_two_find(
    image: Image, alone: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where there is one processor, or the helper cannot be had."""
    count = {0} if alone else {0, 1}
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: count)
    start.check(image.place(), None, SEALED)
    for path in FILES:
        (image.root / path).write_bytes(b"x")
    refused(image, *[f"/{path}: changed" for path in FILES])


def test_a_helper_that_is_killed_is_no_gap(image: Image, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it had begun is done again by the one that is left."""
    mine, listdir = os.getpid(), os.listdir

    def die(path: int | str) -> list[str]:
        if os.getpid() != mine:
            os.kill(os.getpid(), signal.SIGKILL)
        elif isinstance(path, int):
            time.sleep(0.02)  # so that the helper gets its turns
        return listdir(path)

    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: {0, 1})
    monkeypatch.setattr(os, "listdir", die)
    above = [folder for path in FILES for folder in Path(path).parents[:-1]]
    folders = {image.root / folder for folder in above}
    for folder in folders:
        (folder / "x.py").touch()
    refused(image, "x.py: was not packed", f"and {len(folders) - 10} more")


def test_no_process_is_left(image: Image) -> None:
    """The helper is reaped, and its pipe closed."""
    start.check(image.place(), None, SEALED)
    children = Path(f"/proc/self/task/{os.getpid()}/children")
    before = (children.read_text(), len(list(Path("/proc/self/fd").iterdir())))
    start.check(image.place(), None, SEALED)
    assert before == (children.read_text(), len(list(Path("/proc/self/fd").iterdir())))


def test_no_process_is_left_where_the_check_is_interrupted(
    image: Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    """TERM, which ends the start meanwhile, leaves no helper and no pipe."""
    children = Path(f"/proc/self/task/{os.getpid()}/children")
    start.check(image.place(), None, SEALED)
    before = (children.read_text(), len(list(Path("/proc/self/fd").iterdir())))
    mine, listdir = os.getpid(), os.listdir

    def leave(path: int | str) -> list[str]:
        if isinstance(path, int) and os.getpid() == mine:
            raise SystemExit(0)
        if isinstance(path, int):
            time.sleep(5)
        return listdir(path)

    began = time.monotonic()
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: {0, 1})
    monkeypatch.setattr(os, "listdir", leave)
    with pytest.raises(SystemExit):
        start.check(image.place(), None, SEALED)
    assert before == (children.read_text(), len(list(Path("/proc/self/fd").iterdir())))
    assert time.monotonic() - began < 4, "it is not waited for until it has done its share"


def test_where_no_process_can_be_had_one_does_all(
    image: Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A limit of processes is no reason not to start."""

    def refuse() -> int:
        raise BlockingIOError(11, "Resource temporarily unavailable")

    before = len(list(Path("/proc/self/fd").iterdir()))
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: {0, 1})
    monkeypatch.setattr(os, "fork", refuse)
    assert start.check(image.place(), None, SEALED).files == len(FILES) + 1
    assert before == len(list(Path("/proc/self/fd").iterdir()))


def test_what_an_engine_fills_is_no_damage(image: Image) -> None:
    """Its own files and mounts, outside /app: hosts, /run, /tmp, volumes, and what it hides."""
    root = image.root
    image.write("etc/passwd", b"app:x:65532:65532::/:\n")
    image.seal()
    (root / "etc/passwd").write_bytes(b"app:x:65532:65532::/:\n12345:*:12345:0::/:\n")
    for path in ("etc/hosts", "etc/resolv.conf", "run/secrets", "tmp/x", "proc/1", "data/x"):
        (root / path).parent.mkdir(exist_ok=True)
        (root / path).touch()
    (root / "etc/mtab").symlink_to("/proc/mounts")
    (root / "run/luggage").rmdir()
    (root / "etc/ssl/ca.pem").write_bytes(b"the operator's authority\n")
    (root / "etc/thing/deep").mkdir(parents=True)
    mounts = [f"{root}/etc/ssl", f"{root}/etc/thing/deep/er", "/elsewhere", f"{root}/proc"]
    text = "".join(f"1 2 0:3 / {path} rw - tmpfs tmpfs rw\n" for path in mounts).encode()
    assert start.check(image.place(text), None, SEALED).kind == "image"
    refused(image, "/etc/ssl/ca.pem: changed\n/etc/thing: was not packed")


def test_what_is_mounted_in_app_is_looked_at(image: Image) -> None:
    """A file mounted over a module is as bad as a changed one, and a planted one as well."""
    (image.root / PAGE).write_bytes(b"page = 3\n")
    (image.root / SITE / "x.py").touch()
    mounts = [image.root / PAGE, image.root / SITE / "x.py"]
    text = "".join(f"1 2 0:3 / {path} rw - tmpfs tmpfs rw\n" for path in mounts).encode()
    with pytest.raises(LuggageError, match=r"page.py: changed\n.*x.py: was not packed"):
        start.check(image.place(text), None, SEALED)


def test_what_anybody_may_write_may_hold_more(image: Image) -> None:
    """A process of the image may leave files there, and must start again afterwards."""
    (image.root / "usr/spool").mkdir()
    (image.root / "usr/spool").chmod(0o1777)
    image.seal()
    (image.root / "usr/spool/x").touch()
    assert start.check(image.place(), None, SEALED).kind == "image"


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"LINES_API_KEY": "lug1.a.b"}, "'MOOD_API_KEY' of environment 'demo': removed"),
        (
            SEALED["demo"] | {"MOOD_API_KEY": "lug1.a.old"},
            "'MOOD_API_KEY' of environment 'demo': r",
        ),
        (SEALED["demo"] | {"MORE": "lug1.a.b"}, "'MORE' of environment 'demo': added"),
    ],
)
def test_a_secret_that_is_not_the_packed_one_is_named(
    image: Image, change: dict[str, str], told: str
) -> None:
    """Removed, replaced by an older one, added: the secret and its environment, and no value."""
    with pytest.raises(LuggageError) as caught:
        start.check(image.place(), None, SEALED | {"demo": change})
    assert told in caught.value.message
    assert "lug1" not in caught.value.message


def test_an_environment_that_is_gone_is_named_by_its_secrets(image: Image) -> None:
    """All its secrets were removed."""
    with pytest.raises(LuggageError, match="'LINES_API_KEY' of environment 'demo': removed"):
        start.check(image.place(), None, {"prod": {}})


def test_a_seal_of_another_build_is_refused(image: Image) -> None:
    """Layers of two builds that do not belong together."""
    image.reseal(manifest=replace(image.manifest, commit="d1" * 20))
    refused(image, "seal.json: names another manifest than luggage-manifest.json")


def test_two_layers_that_bring_the_same_path_differently_are_refused(image: Image) -> None:
    """What is run would depend on the order of the layers."""
    folder = image.root / seal.FOLDER
    line = f"./{PAGE} type=file mode=0644 uid=0 gid=0 size=1 sha256digest={D}\n"
    listing = (folder / "luggage.mtree").read_bytes() + line.encode()
    (folder / "luggage.mtree").write_bytes(listing)
    image.reseal(layers={**image.stated.layers, "luggage": digest(listing)})
    refused(image, f"/{PAGE}: is listed twice, and differently")


def test_a_signed_image_starts_with_its_verify_key(image: Image) -> None:
    """And the log says by whom it was signed."""
    key = signing.generate()
    image.sign(key)
    bundle = Bundle((keys.generate(),), key.public.raw, 7)
    report = start.check(image.place(), bundle, SEALED)
    assert report.signed_by == key.public.id
    assert str(report).endswith(f"signed by {key.public.id}, serial 7")


def test_the_wrong_signature_is_refused(image: Image) -> None:
    """None, another's, one of another seal, a cut one."""
    key = signing.generate()
    bundle = Bundle((keys.generate(),), key.public.raw, 1)
    place = image.root / seal.FOLDER / seal.SIGNATURE
    refused(image, "this image is unsigned", key.public.id, bundle=bundle)
    image.sign(signing.generate())
    refused(image, f"not by key {key.public.id}", bundle=bundle)
    image.sign(key)
    whole = place.read_bytes()
    place.write_bytes(whole[:63])
    refused(image, "signature: 63 bytes long", bundle=bundle)
    place.write_bytes(whole)
    image.reseal(pex="f" * 64)
    refused(image, f"not by key {key.public.id}", bundle=bundle)


@pytest.mark.parametrize("serial", [None, 6])
def test_a_serial_below_the_minimum_is_refused(tmp_path: Path, serial: int | None) -> None:
    """An old release, rightly signed and whole, does not come back."""
    key = signing.generate()
    image = Image(tmp_path / "root", serial)
    image.sign(key)
    bundle = Bundle((keys.generate(),), key.public.raw, 7)
    told = "has no serial" if serial is None else "has serial 6"
    refused(image, f"this image {told}, but the key is for 7 and later ones", bundle=bundle)
    assert start.check(image.place(), replace(bundle, minimum_serial=6) if serial else None)


@pytest.mark.parametrize("case", ["unsigned", "foreign", "cut", "old", "a pex alone"])
def test_who_starts_it_is_told_not_to_run_it(tmp_path: Path, case: str) -> None:
    """Signing it, or asking for less, is what whoever changed it would want: no hint says so."""
    key = signing.generate()
    image = Image(tmp_path / "root", 6 if case == "old" else 7)
    if case != "unsigned":
        image.sign(signing.generate() if case == "foreign" else key)
    signed = image.root / seal.FOLDER / seal.SIGNATURE
    if case == "cut":
        signed.write_bytes(signed.read_bytes()[:63])
    bundle = Bundle((keys.generate(),), key.public.raw, 7)
    place = image.place()
    if case == "a pex alone":
        place = Place(image.root / SITE, tmp_path / "other", tmp_path / "example.pex")
    with pytest.raises(LuggageError) as caught:
        start.check(place, bundle, SEALED)
    hint = caught.value.hint or ""
    assert hint.startswith("do not run it: get the release again")
    assert "verify it before it gets a key" in hint
    assert not re.search(r"deploy sign|\./create|lower|bundle|--raise", hint)


def test_a_checkout_is_not_checked(tmp_path: Path) -> None:
    """Nothing was packed, so nothing can differ from it; a key for signed releases makes it told.

    Whoever runs it with some other pex, which sets PEX, has no artifact for that.
    """
    for place in (Place(tmp_path, tmp_path), Place(tmp_path, tmp_path, tmp_path / "tool.pex")):
        report = start.check(place, None, SEALED)
        assert (str(report), report.asked) == ("a checkout: not sealed", False)
        bundle = Bundle((keys.generate(),), signing.generate().public.raw, 1)
        report = start.check(place, bundle, SEALED)
        assert report.asked
        assert str(report) == "a checkout: not sealed, though the key is for signed releases"


def test_a_pex_without_its_manifest_is_no_checkout(tmp_path: Path) -> None:
    """What pex unpacked is known by pex's own file, so that losing the manifest is told."""
    image = Image(tmp_path / "root")
    (image.root / SITE / manifest.FILE).unlink()
    (image.root / "app/PEX-INFO").touch()
    place = Place(image.root / SITE, tmp_path / "other", tmp_path / "example.pex")
    with pytest.raises(LuggageError, match=r"not what was packed\n.*manifest\.json: missing"):
        start.check(place, None, SEALED)


def test_a_pex_is_compared_with_its_manifest(tmp_path: Path) -> None:
    """It has no listings: its sources and its sealed values can be checked all the same."""
    image = Image(tmp_path / "root")
    place = Place(image.root / SITE, tmp_path / "other")
    cache = image.root / SITE / "example_app/__pycache__"
    cache.mkdir()
    (cache / "page.cpython-313.pyc").touch()
    (image.root / SITE / "flask/more.py").touch()
    report = start.check(place, None, SEALED)
    assert (report.kind, report.files) == ("pex", len(image.manifest.files))
    with pytest.raises(LuggageError, match="'MOOD_API_KEY' of environment 'demo': removed"):
        start.check(place, None, {"demo": {"LINES_API_KEY": "lug1.a.b"}})
    (image.root / PAGE).write_bytes(b"page = 3\n")
    (image.root / SITE / "example_app/other.py").unlink()
    (image.root / SITE / "luggage/more.py").touch()
    with pytest.raises(LuggageError) as caught:
        start.check(place, None, SEALED)
    site = f"{image.root}/{SITE}"
    assert caught.value.message.splitlines() == [
        "this pex is not what was packed",
        f"{site}/example_app/other.py: missing",
        f"{site}/example_app/page.py: changed",
        f"{site}/luggage/more.py: was not packed",
    ]


def test_a_pex_is_signed_by_what_lies_beside_its_file(tmp_path: Path) -> None:
    """A pex cannot hold its own digest; where the key wants a signature, both files are needed."""
    image = Image(tmp_path / "root")
    key = signing.generate()
    bundle = Bundle((keys.generate(),), key.public.raw, 7)
    pex = tmp_path / "example.pex"
    pex.write_bytes(b"pex")
    place = Place(image.root / SITE, tmp_path / "other", pex)
    with pytest.raises(LuggageError, match="this pex is unsigned"):
        start.check(place, bundle, SEALED)
    image.reseal(pex=digest(b"pex"))
    image.sign(key)
    for name in (seal.FILE, seal.SIGNATURE):
        (image.root / seal.FOLDER / name).rename(tmp_path / name)
    assert start.check(place, bundle, SEALED).signed_by == key.public.id
    assert start.check(place, None, SEALED).signed_by is None
    assert NOT_CHECKED in str(start.check(place, None, SEALED))
    (tmp_path / seal.SIGNATURE).unlink()
    assert "unsigned" in str(start.check(place, None, SEALED))


@pytest.mark.parametrize("signed", [True, False])
def test_a_seal_that_is_not_of_the_pex_beside_it_is_told(tmp_path: Path, signed: bool) -> None:
    """Of another pex, of another manifest, damaged: whatever the key asks for."""
    image = Image(tmp_path / "root")
    bundle = Bundle((keys.generate(),), signing.generate().public.raw, 7) if signed else None
    pex = tmp_path / "example.pex"
    pex.write_bytes(b"another pex")
    place = Place(image.root / SITE, tmp_path / "other", pex)
    image.reseal(pex=digest(b"pex"))
    beside = tmp_path / seal.FILE
    for change, told in (
        ({"pex": digest(b"pex")}, f"{beside}: is of another pex"),
        (
            {"pex": digest(b"another pex"), "manifest": replace(image.manifest, commit="d1" * 20)},
            f"{beside}: names another manifest than {manifest.FILE}",
        ),
    ):
        image.reseal(**change)
        beside.write_bytes((image.root / SEAL).read_bytes())
        with pytest.raises(LuggageError) as caught:
            start.check(place, bundle, SEALED)
        assert caught.value.message.splitlines() == ["this pex is not what was packed", told]
    beside.write_bytes(b"{")
    with pytest.raises(LuggageError, match=r"seal\.json: seal: not JSON"):
        start.check(place, bundle, SEALED)


def test_a_link_to_a_folder_in_a_pex_is_told(tmp_path: Path) -> None:
    """Python follows it: what lies behind it was not packed."""
    image = Image(tmp_path / "root")
    place = Place(image.root / SITE, tmp_path / "other")
    (tmp_path / "elsewhere").mkdir()
    (image.root / SITE / "luggage/more").symlink_to(tmp_path / "elsewhere")
    (image.root / SITE / "example_app/__pycache__").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(LuggageError) as caught:
        start.check(place, None, SEALED)
    assert [line.rpartition(f"{SITE}/")[2] for line in caught.value.message.splitlines()[1:]] == [
        "example_app/__pycache__: was not packed",
        "luggage/more: was not packed",
    ]


def test_a_folder_of_a_pex_that_cannot_be_listed_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may hold anything. (Root reads every folder, so the kernel is told to refuse.)"""
    image = Image(tmp_path / "root")
    closed = image.root / SITE / "example_app/closed"
    closed.mkdir()
    scandir = os.scandir

    def refuse(path: str) -> object:
        if os.fspath(path) == os.fspath(closed):
            raise PermissionError(13, "Permission denied", os.fspath(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(LuggageError, match="closed: cannot be read: Permission denied"):
        start.check(Place(image.root / SITE, tmp_path / "other"), None, SEALED)


def test_mount_points_are_read_as_the_kernel_writes_them() -> None:
    """Octal escapes, and only what lies in the root."""
    text = (
        b"22 1 0:20 / / rw - overlay overlay rw\n"
        b"23 22 0:21 / /a\\040b rw,nosuid shared:1 - proc proc rw\nshort\n"
    )
    assert files.mounted(text) == {b"a b"}
