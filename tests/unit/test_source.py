"""One small protocol: whatever opens is a source of secrets, and an app never knows which."""

from __future__ import annotations

import json
import threading
import traceback
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from mypy import api
from source_examples import MountedSecrets, VaultSecrets

from luggage.crypto import (
    FakeSecrets,
    MissingSecretError,
    Opened,
    Secret,
    SecretError,
    Source,
    opened_from,
)

ROOT = Path(__file__).parent.parent.parent
CANARY = "canary-71d0"
TOKEN = "canary-token-93bb"


class Vault(BaseHTTPRequestHandler):
    """Answers as Vault's KV version 2 does; each path is one case."""

    def do_GET(self) -> None:
        if self.headers["X-Vault-Token"] != TOKEN:
            return self.answer(403, {"errors": ["permission denied"]})
        if self.path == "/v1/secret/data/moved":
            return self.answer(307, {}, Location="/v1/secret/data/shop")
        bodies = {
            "/v1/secret/data/shop": {"data": {"data": {"KEY": CANARY, "OTHER": "x"}}},
            "/v1/secret/data/odd": {"data": {"data": {"lower": CANARY}}},
            "/v1/secret/data/list": {"data": [CANARY]},
            "/v1/secret/data/deep": {"data": {"data": {"KEY": {"canary": CANARY}}}},
            "/v1/secret/data/number": {"data": {"data": 5}},
        }
        if self.path not in bodies:
            return self.answer(404, {"errors": []})
        return self.answer(200, bodies[self.path])

    def answer(self, status: int, body: object, **headers: str) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        """Nothing: the tests' output is no access log."""


@pytest.fixture
def vault(tmp_path: Path) -> Iterator[dict[str, str]]:
    """The environment of a process that may ask a running Vault."""
    token = tmp_path / "token"
    token.write_text(f"{TOKEN}\n")
    with ThreadingHTTPServer(("127.0.0.1", 0), Vault) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield {
            "VAULT_ADDR": f"http://127.0.0.1:{server.server_port}",
            "VAULT_TOKEN_FILE": str(token),
        }
        server.shutdown()
        thread.join()


def app(source: Source, environ: dict[str, str]) -> str:
    """An application: it is given a source, and knows nothing of which."""
    value = source.open(environ)["KEY"].reveal()
    assert isinstance(value, str)
    return value


def test_a_vault_is_a_source_like_any_other(vault: dict[str, str], tmp_path: Path) -> None:
    """The app gets the same value from a Vault, from mounted files and from a fake."""
    (tmp_path / "mounted").mkdir()
    (tmp_path / "mounted" / "KEY").write_text(CANARY)
    (tmp_path / "mounted" / "..data").mkdir()
    for source in (
        VaultSecrets("secret/data/shop", required=("KEY",)),
        MountedSecrets(tmp_path / "mounted", required=("KEY",)),
        FakeSecrets({"KEY": CANARY}),
    ):
        assert app(source, vault) == CANARY


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("shop", "secret 'MISSING': required, but environment 'vault' has no value"),
        ("odd", "the name of a secret is not upper-case"),
        ("nothing", "answered 404"),
        ("moved", "answered 307"),
        ("list", "could not be asked: TypeError"),
        ("number", "could not be asked: AttributeError"),
        ("deep", "could not be asked: AttributeError"),
    ],
)
def test_what_a_vault_does_not_give_is_told_and_never_shown(
    vault: dict[str, str], path: str, told: str
) -> None:
    """Every failure is one SecretError; no value and no token is in it or in its traceback."""
    with pytest.raises(SecretError) as caught:
        VaultSecrets(f"secret/data/{path}", required=("MISSING",)).open(vault)
    assert told in caught.value.message
    shown = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    assert "canary" not in "".join(shown.format())


def test_a_refused_token_and_a_dead_vault_are_told(vault: dict[str, str], tmp_path: Path) -> None:
    """A wrong token, no token file, no server: one SecretError each."""
    (tmp_path / "wrong").write_text("no")
    source = VaultSecrets("secret/data/shop")
    for change, told in (
        ({"VAULT_TOKEN_FILE": str(tmp_path / "wrong")}, "answered 403"),
        ({"VAULT_TOKEN_FILE": str(tmp_path / "none")}, "FileNotFoundError"),
        ({"VAULT_ADDR": "http://127.0.0.1:1"}, "NewConnectionError"),
    ):
        with pytest.raises(SecretError, match=told):
            source.open(vault | change)


def test_a_name_that_a_source_does_not_have_says_how_it_is_added(vault: dict[str, str]) -> None:
    """The hint is the source's own: `encrypt` adds nothing to a Vault."""
    with pytest.raises(MissingSecretError) as caught:
        VaultSecrets("secret/data/shop").open(vault)["NOPE"]
    assert caught.value.hint == "vault kv patch secret/data/shop NAME=-"


def test_raw_values_are_typed_and_everything_wrong_is_told_at_once() -> None:
    """A source of one's own gets the checks that sealed values get."""
    raw = {"A": b"text", "B": b"\xff", "C": b'{"a": [1]}', "D": b"https://h/"}
    given = {name: Secret(value) for name, value in raw.items()}
    types = {"B": "bytes", "C": "json", "D": "url"}
    opened = opened_from("test", given, types=types, required=("A",))
    assert isinstance(opened, Opened)
    assert {name: opened[name].reveal() for name in opened} == {
        "A": "text",
        "B": b"\xff",
        "C": {"a": [1]},
        "D": "https://h/",
    }
    wrong = {"B": Secret(b"\xff"), "C": Secret(b"{"), "E": Secret(b"x" * 65_537)}
    with pytest.raises(SecretError) as caught:
        opened_from("test", wrong, types={"C": "json"}, required=("F",))
    for told in ("'B' of test: not UTF-8", "'C' of test: not strict", "65,536 bytes", "'F': requ"):
        assert told in caught.value.message


CHECKED = """\
from typing import assert_type
from luggage.commands import gunicorn, start
from luggage.crypto import FakeSecrets, Opened, Secrets, Source
from source_examples import MountedSecrets, VaultSecrets

def deployment(source: Source) -> None:
    assert_type(source.open(), Opened)
    start.main([], (), source)
    gunicorn.main([], "a:b", source)

def every(a: Secrets, b: FakeSecrets, c: VaultSecrets, d: MountedSecrets) -> None:
    deployment(a)
    deployment(b)
    deployment(c)
    deployment(d)

class NoSource:
    def open(self) -> dict[str, str]:
        return {}

deployment(NoSource())
"""


def test_mypy_accepts_every_source_and_refuses_what_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Secrets, its fakes and the examples follow the protocol, and start and gunicorn take it."""
    module = tmp_path / "checked.py"
    module.write_text(CHECKED)
    monkeypatch.setenv("MYPYPATH", f"{ROOT}:{Path(__file__).parent}")
    monkeypatch.chdir(ROOT)
    said, _, _ = api.run(["--strict", "--no-incremental", str(module)])
    errors = [line for line in said.splitlines() if ": error:" in line]
    assert len(errors) == 1, said
    assert f"checked.py:{len(CHECKED.splitlines())}: error: Argument 1 to" in errors[0]
