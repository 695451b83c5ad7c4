"""An artifact that is not what was packed: no secret is opened, and nothing listens."""

from __future__ import annotations

import signal
import socket
from collections.abc import Callable
from pathlib import Path

import pytest
from running import CANARY, PACKAGE, Made, free_port, started
from unpacked import Packed, pack

from luggage.crypto import Secret, keys, signing
from luggage.crypto.keys import Bundle


@pytest.fixture
def packed(made: Made) -> Packed:
    return pack(made)


def refused(packed: Packed, *words: str, key: str = "", **variables: str) -> str:
    """What a command tells that ends with 1, before it listens and before a secret is opened."""
    port = free_port()
    environ = packed.made.environ(
        PORT=str(port), SECRET_KEY=key or packed.made.key, PEX=str(packed.pex), **variables
    )
    with (
        socket.create_server(("127.0.0.1", port)),
        started(packed.made, environ=environ, instead=packed.words(*words)) as running,
    ):
        assert running.wait() == 1
        text = running.text
    assert "error: " in text
    for never in ("the secret has", "starting", "Traceback", CANARY, "in use"):
        assert never not in text, text
    return text


def test_what_is_as_it_was_packed_starts(packed: Packed) -> None:
    """With a bare key; the log says how much was checked, and that nobody signed it."""
    port = str(free_port())
    environ = packed.made.environ(PORT=port, SECRET_KEY=packed.made.key)
    with started(packed.made, environ=environ, instead=packed.words("start")) as running:
        count = f"{len(packed.manifest.files):,}"
        running.wait_for(rf"pex: {count} files as packed \([0-9]+ ms\), unsigned, serial 7$")
        running.wait_for("gunicorn: ready")
        running.wait_for("loop +. the secret has 24 letters")
        running.signal(signal.SIGTERM)
        assert running.wait() == 0


def test_a_signed_one_starts_with_its_verify_key(packed: Packed) -> None:
    """The key bundle names the key that signs; the log names it as well."""
    key = signing.generate()
    packed.sign(key)
    environ = packed.made.environ(
        PORT=str(free_port()), SECRET_KEY=packed.bundle(key.public.raw, 7), PEX=str(packed.pex)
    )
    with started(packed.made, environ=environ, instead=packed.words("start")) as running:
        running.wait_for(f"signed by {key.public.id}, serial 7$")
        running.wait_for("gunicorn: ready")
        running.signal(signal.SIGTERM)
        assert running.wait() == 0


DAMAGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "not-yet-loaded": (
        lambda site: (site / "luggage/run/pages/page.py").write_bytes(b"\n"),
        "luggage/run/pages/page.py: changed",
    ),
    "missing": (lambda site: (site / "luggage/proof/serial.py").unlink(), "serial.py: missing"),
    "planted": (lambda site: (site / PACKAGE / "more.py").touch(), "more.py: was not packed"),
    "manifest": (
        lambda site: (site / "luggage-manifest.json").write_bytes(b"{}"),
        "manifest: without a format",
    ),
}


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("command", ["start", "gunicorn", "loop"])
def test_damage_is_refused_by_whatever_opens_secrets(
    packed: Packed, damage: str, command: str
) -> None:
    """Under the supervisor, and by a command that is run by itself."""
    change, told = DAMAGES[damage]
    change(packed.site)
    words = (command, "deploy_under_test.app:app")[: 2 if command == "gunicorn" else 1]
    text = refused(packed, *words)
    assert "error: this pex is not what was packed" in text
    assert told in text


@pytest.mark.parametrize("how", ["removed", "replaced"])
def test_a_secret_that_is_not_the_packed_one_is_named(packed: Packed, how: str) -> None:
    """Its line taken out of config.py, or an older one put in its place."""
    path = packed.site / PACKAGE / "config.py"
    text = path.read_text()
    sealed = text.partition('"CANARY": ')[2].partition("}")[0]
    old = f'"CANARY": {sealed}'
    path.write_text(text.replace(old, old[:-9] + "AAAAAAAA'" if how == "replaced" else ""))
    told = refused(packed, "start")
    assert f"secret 'CANARY' of environment 'test': {how} after packing" in told
    assert "config.py: changed" in told


def test_what_the_key_asks_for_and_is_not_there_is_refused(packed: Packed) -> None:
    """No signature, another's, and a release that is older than the minimum."""
    key = signing.generate()
    assert "this pex is unsigned" in refused(packed, "start", key=packed.bundle(key.public.raw, 7))
    packed.sign(signing.generate())
    text = refused(packed, "start", key=packed.bundle(key.public.raw, 7))
    assert f"not by key {key.public.id}" in text
    packed.sign(key)
    text = refused(packed, "loop", key=packed.bundle(key.public.raw, 8))
    assert "this pex has serial 7, but the key is for 8 and later ones" in text


def test_a_checkout_is_started_without_a_word(made: Made) -> None:
    """Nothing was packed: nothing is checked."""
    with started(made) as running:
        running.wait_for("starting gunicorn, loop, spare$")
        assert "packed" not in running.text and "sealed" not in running.text
        running.signal(signal.SIGTERM)
        assert running.wait() == 0


def test_a_checkout_that_gets_a_key_for_signed_releases_says_so(made: Made) -> None:
    """Nothing is checked there either, and whoever relies on it must see that."""
    (key,) = keys.parse_keys(Secret(made.key)).keys
    bundle = Bundle((key,), signing.generate().public.raw, 1).dump().reveal()
    with started(made, SECRET_KEY=str(bundle)) as running:
        running.wait_for("a checkout: not sealed, though the key is for signed releases$")
        running.wait_for("starting gunicorn, loop, spare$")
        running.signal(signal.SIGTERM)
        assert running.wait() == 0


def test_a_pex_that_lost_its_manifest_is_no_checkout(packed: Packed) -> None:
    """pex's own file beside it tells what it is."""
    (packed.site / "luggage-manifest.json").unlink()
    (packed.site.parents[2] / "PEX-INFO").touch()
    text = refused(packed, "start")
    assert "error: this pex is not what was packed" in text
    assert "luggage-manifest.json: missing" in text


def test_a_seal_of_another_pex_is_told_with_a_bare_key(packed: Packed) -> None:
    """Two releases were mixed up, and `unsigned` would say that there is no signature."""
    packed.sign(signing.generate())
    packed.pex.write_bytes(b"the next pex")
    assert "seal.json: is of another pex" in refused(packed, "start")
