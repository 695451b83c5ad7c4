"""`signing-key` and `sign` as a user runs them."""

from __future__ import annotations

import base64
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from depots import ROOT, Checkout
from sealed_trees import D, described

from luggage.crypto import Secret, keys, signing
from luggage.proof import seal, signature
from luggage.proof.seal import Seal

SEAL = Seal(described(), D, {}, {}, {"pex": D})
LISTEN = """\
import os, sys
def hear(event, words):
    if event == "open" and isinstance(words[0], (str, bytes)):
        with_hook.append(os.path.abspath(os.fsdecode(words[0])))
with_hook = []
sys.addaudithook(hear)
import atexit
atexit.register(lambda: open(os.environ["HEARD"], "w").write("\\n".join(with_hook)))
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    """A signing key, and a seal in build/."""
    made = Checkout(tmp_path / "made", {})
    done = made.run("signing-key", "release")
    assert done.returncode == 0, done.stderr
    (made.root / "build").mkdir()
    (made.root / "build/seal.json").write_bytes(seal.dump(SEAL))
    return made


def key_of(checkout: Checkout) -> signing.SigningKey:
    text = (checkout.root / "release.sign.key").read_text()
    assert text.endswith("\n")
    return signing.parse_signing(Secret(text[:-1]))


def test_a_signing_key_is_for_its_owner_and_never_overwritten(checkout: Checkout) -> None:
    """The verify key on stdout; with --public again, and no file is made."""
    path = checkout.root / "release.sign.key"
    assert path.stat().st_mode & 0o7777 == 0o600
    assert path.read_text().startswith("lugsign1.")
    told = checkout.refuse("signing-key", "release")
    assert "release.sign.key: is there already" in told
    done = checkout.run("signing-key", "release", "--public")
    assert done.stdout.decode() == key_of(checkout).public.dump() + "\n"
    done = checkout.run("signing-key", "other")
    verify = signing.parse_verify(done.stdout.decode().strip())
    assert verify.id in done.stderr.decode()
    assert "cannot be read" in checkout.refuse("signing-key", "none", "--public")
    assert "not lower-case" in checkout.refuse("signing-key", "../x")
    (checkout.root / ".gitignore").write_text("home\n")
    assert "git would not ignore it" in checkout.refuse("signing-key", "third")


def test_the_verify_key_has_a_file_as_well(checkout: Checkout) -> None:
    """NAME.verify beside the signing key, which a second call leaves alone; --public writes none.

    The shell may have made it already, empty, for what goes to stdout.
    """
    path = checkout.root / "release.verify"
    text = key_of(checkout).public.dump() + "\n"
    assert path.read_text() == text
    assert path.stat().st_mode & 0o777 == 0o644
    told = checkout.refuse("signing-key", "release")
    assert "signing-key release --public" in told
    assert path.read_text() == text
    path.unlink()
    assert checkout.run("signing-key", "release", "--public").returncode == 0
    assert not path.exists()
    (checkout.root / "other.verify").touch()
    done = checkout.run("signing-key", "other", "--pem")
    assert done.stdout.startswith(b"-----BEGIN PUBLIC KEY-----")
    assert signing.parse_verify((checkout.root / "other.verify").read_text().strip())


def test_a_verify_key_of_another_is_not_overwritten(checkout: Checkout) -> None:
    """It is told before a signing key is made."""
    (checkout.root / "mine.verify").write_text(key_of(checkout).public.dump() + "\n")
    told = checkout.refuse("signing-key", "mine")
    assert "mine.verify: is there already" in told
    assert not (checkout.root / "mine.sign.key").exists()


def test_a_key_that_is_not_there_is_told_with_what_to_do(checkout: Checkout) -> None:
    """Where a signing key is made, and how one is named."""
    told = checkout.refuse("sign", SIGNING_KEY_FILE="nokey")
    assert "error: nokey: cannot be read: No such file or directory\nhint: " in told
    assert "SIGNING_KEY_FILE=release.sign.key" in told
    assert "python -m depot signing-key release" in told
    told = checkout.refuse("signing-key", "none", "--public")
    assert "none.sign.key: cannot be read: No such file or directory\nhint: " in told
    assert "python -m depot signing-key none" in told


def test_the_verify_key_as_openssl_takes_it(checkout: Checkout) -> None:
    """SubjectPublicKeyInfo: whoever has no luggage verifies a seal with openssl."""
    done = checkout.run("signing-key", "release", "--public", "--pem")
    lines = done.stdout.decode().splitlines()
    assert (lines[0], lines[2:]) == ("-----BEGIN PUBLIC KEY-----", ["-----END PUBLIC KEY-----"])
    assert base64.b64decode(lines[1])[-32:] == key_of(checkout).public.raw
    checkout.run("sign", "--key", "release.sign.key")
    (checkout.root / "verify.pem").write_bytes(done.stdout)
    words = "openssl pkeyutl -verify -pubin -inkey verify.pem -rawin -in build/seal.json"
    words += " -sigfile build/seal.json.sig"
    done = subprocess.run(words.split(), cwd=checkout.root, check=False, capture_output=True)
    assert (done.returncode, b"Verified Successfully" in done.stdout) == (0, True), done.stderr


def test_a_seal_is_signed(checkout: Checkout) -> None:
    """64 bytes beside it, by the key that SIGNING_KEY_FILE or --key names; always the same ones."""
    for words, variables in (
        ((), {"SIGNING_KEY_FILE": "release.sign.key"}),
        (("build/seal.json", "--key", "release.sign.key"), {}),
    ):
        done = checkout.run("sign", *words, **variables)
        assert (done.returncode, done.stdout) == (0, b"build/seal.json.sig\n"), done.stderr
        key = key_of(checkout)
        told = f"signed by {key.public.id}: example, commit c0c0c0c0c0c0, serial 7\n"
        assert done.stderr.decode() == told
        made = (checkout.root / "build/seal.json.sig").read_bytes()
        signature.check(seal.dump(SEAL), made, key.public)
    assert sorted(path.name for path in (checkout.root / "build").iterdir()) == [
        "seal.json",
        "seal.json.sig",
    ]


def test_a_release_without_a_serial_is_told(checkout: Checkout) -> None:
    """It is signed; but a key bundle that asks for signatures starts none without a serial."""
    path = checkout.root / "build/seal.json"
    path.write_bytes(seal.dump(replace(SEAL, manifest=described(None))))
    done = checkout.run("sign", "--key", "release.sign.key")
    told = done.stderr.decode()
    assert done.returncode == 0
    assert "commit c0c0c0c0c0c0, no serial\n" in told
    assert "note: " in told and "depot serial --raise" in told


def test_another_signature_that_was_there_is_told(checkout: Checkout) -> None:
    """It is replaced: that of an older seal is of no use."""
    (checkout.root / "build/seal.json.sig").write_bytes(bytes(64))
    done = checkout.run("sign", "--key", "release.sign.key")
    assert b"note: build/seal.json.sig: replaced the signature that was there" in done.stderr


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (seal.dump(replace(SEAL, manifest=replace(SEAL.manifest, dirty=True))), "dirty"),
        (
            seal.dump(replace(SEAL, manifest=replace(SEAL.manifest, dirty=True, commit=None))),
            "of no commit",
        ),
        (b"{}\n", "error: build/seal.json: seal: without a format"),
        (seal.dump(SEAL)[:-1], "error: build/seal.json: seal: not in canonical form"),
        (None, "cannot be read"),
    ],
)
def test_what_must_not_be_signed_is_refused(
    checkout: Checkout, data: bytes | None, told: str
) -> None:
    """Dirty, of no commit, no seal, another spelling of one, none: and no signature is left."""
    path = checkout.root / "build/seal.json"
    path.unlink() if data is None else path.write_bytes(data)
    assert told in checkout.refuse("sign", "--key", "release.sign.key")


def test_the_wrong_key_is_refused(checkout: Checkout) -> None:
    """None, a private key, a verify key, one in the arguments; nothing of it is shown."""
    assert "SIGNING_KEY_FILE is not set" in checkout.refuse("sign")
    checkout.keep("demo.key", keys.generate())
    told = checkout.refuse("sign", "--key", "demo.key")
    assert "demo.key: this is a private key, where the signing key is needed" in told
    (checkout.root / "verify.key").write_text(key_of(checkout).public.dump())
    told = checkout.refuse("sign", "--key", "verify.key")
    assert "this is a verify key, where the signing key is needed" in told
    text = (checkout.root / "release.sign.key").read_text().strip()
    told = checkout.refuse("sign", "--key", text)
    assert "consider it leaked" in told
    assert text not in told
    told = checkout.refuse("encrypt", "LINES_API_KEY", text)
    assert text not in told


def test_others_who_can_read_the_key_are_a_warning(checkout: Checkout) -> None:
    """As for every key file."""
    (checkout.root / "release.sign.key").chmod(0o644)
    done = checkout.run("sign", "--key", "release.sign.key")
    assert done.returncode == 0
    assert b"warning: release.sign.key: others can read this key" in done.stderr


def test_it_sees_nothing_but_the_seal(checkout: Checkout, tmp_path: Path) -> None:
    """In a folder that has only the seal, and no other file of the project is opened."""
    (tmp_path / "hook").mkdir()
    (tmp_path / "hook/sitecustomize.py").write_text(LISTEN)
    alone = tmp_path / "alone"
    alone.mkdir()
    shutil.copy(checkout.root / "build/seal.json", alone)
    heard = tmp_path / "heard"
    path = os.pathsep.join(map(str, (tmp_path / "hook", ROOT, checkout.root)))
    done = subprocess.run(
        [sys.executable, "-m", "depot", "sign", "seal.json"],
        cwd=alone,
        env=checkout.environ(
            PYTHONPATH=path,
            HEARD=str(heard),
            SIGNING_KEY_FILE=str(checkout.root / "release.sign.key"),
        ),
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, b"seal.json.sig\n"), done.stderr
    assert sorted(it.name for it in alone.iterdir()) == ["seal.json", "seal.json.sig"]
    opened = {Path(line) for line in heard.read_text().splitlines()}
    own = {it for it in opened if it.is_relative_to(checkout.root) and it.suffix != ".pyc"}
    allowed = {checkout.config.parent / name for name in ("__init__.py", "__main__.py")}
    assert own - allowed == {checkout.root / "release.sign.key"}
    assert alone / "seal.json" in opened
