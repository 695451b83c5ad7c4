"""The pages that every deployment answers itself, and what it tells of its version."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any
from wsgiref.util import setup_testing_defaults
from wsgiref.validate import validator

import pytest

from luggage import __version__, proof, web
from luggage.errors import LuggageError
from luggage.proof import Manifest
from luggage.web.version import of_manifest


def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    start_response("418 I'm a teapot", [("Content-Type", "text/plain")])
    return [b"the app"]


def ask(path: str, method: str = "GET", **more: str) -> tuple[str, dict[str, str], bytes]:
    """What the endpoints around `app` answer, as WSGI's own validator allows it."""
    environ: dict[str, Any] = {"PATH_INFO": path, "REQUEST_METHOD": method}
    environ |= {"SCRIPT_NAME": "", "QUERY_STRING": "", **more}
    setup_testing_defaults(environ)
    seen: list[Any] = []
    wrapped = validator(web.endpoints(app, version={"version": "1", "commit": None}))
    answer = wrapped(environ, lambda status, headers, *_: seen.extend([status, dict(headers)]))
    body = b"".join(answer)
    answer.close()  # type: ignore[attr-defined]
    return seen[0], seen[1], body


@pytest.mark.parametrize("path", ["/-/ready", "/-/healthy"])
def test_ready_and_healthy(path: str) -> None:
    """200, and never from a cache."""
    status, headers, body = ask(path)
    assert status == "200 OK"
    assert headers["Cache-Control"] == "no-store"
    assert int(headers["Content-Length"]) == len(body) > 0


def test_version_is_json() -> None:
    """What it was given, as JSON."""
    status, headers, body = ask("/-/version")
    assert (status, headers["Content-Type"]) == ("200 OK", "application/json")
    assert json.loads(body) == {"commit": None, "version": "1"}


def test_head_has_no_body() -> None:
    """HEAD is GET without the page."""
    status, headers, body = ask("/-/version", "HEAD")
    assert (status, body) == ("200 OK", b"")
    assert int(headers["Content-Length"]) > 0


def test_other_methods_are_refused() -> None:
    """Nothing can be sent to them."""
    status, headers, _ = ask("/-/healthy", "POST")
    assert status.startswith("405 ")
    assert headers["Allow"] == "GET, HEAD"


@pytest.mark.parametrize("path", ["/", "/-/", "/-/other", "/-/healthy/", "/x/-/healthy"])
def test_all_else_is_the_apps(path: str) -> None:
    """No other path is taken from it."""
    assert ask(path)[2] == b"the app"


def test_a_mounted_path_is_the_apps() -> None:
    """`/shop/-/ready`, where the app is mounted at `/shop`, is not ours."""
    assert ask("/-/ready", SCRIPT_NAME="/shop")[2] == b"the app"


MANIFEST = Manifest(
    project="p",
    commit="c" * 40,
    dirty=False,
    entry="deploy",
    python="3.13.5",
    platform="linux-x86_64",
    lock="0" * 64,
    tools={},
    wheels=(),
    files={},
    sealed={},
    serial=None,
)


def manifest(folder: Path, **more: Any) -> Path:
    path = folder / "luggage-manifest.json"
    path.write_bytes(proof.dump(replace(MANIFEST, **more)))
    return path


@pytest.mark.parametrize(
    ("more", "named"),
    [
        ({}, "c" * 40),
        ({"dirty": True}, "c" * 40 + "-dirty"),
        ({"commit": None, "dirty": True}, "unversioned"),
    ],
)
def test_the_version_is_the_images_tag(tmp_path: Path, more: dict[str, object], named: str) -> None:
    """The commit, marked where the tree was dirty; `unversioned` without git."""
    told = of_manifest(manifest(tmp_path, **more))
    assert told["version"] == named
    assert (told["project"], told["luggage"]) == ("p", __version__)


def test_unpacked(tmp_path: Path) -> None:
    """Without a manifest it runs from a checkout."""
    assert of_manifest(tmp_path / "no")["version"] == "unpacked"
    assert web.version("luggage")["version"] == "unpacked"


@pytest.mark.parametrize("text", ["", "{}", "[]", "no", '{"commit": 1}'])
def test_a_manifest_that_cannot_be_read(tmp_path: Path, text: str) -> None:
    """Rather an error at the start than a wrong answer."""
    path = tmp_path / "luggage-manifest.json"
    path.write_text(text)
    with pytest.raises(LuggageError, match="cannot be read"):
        of_manifest(path)


@pytest.mark.parametrize(("old", "new"), [(b'":"', b'": "'), (b'"p"', b'"P"'), (b"{}", b"[]")])
def test_a_manifest_is_read_by_its_grammar(tmp_path: Path, old: bytes, new: bytes) -> None:
    """The one reader: what is not canonical, or not by docs/format.md, is refused here as well."""
    path = manifest(tmp_path)
    path.write_bytes(path.read_bytes().replace(old, new, 1))
    with pytest.raises(LuggageError, match="cannot be read: manifest: not "):
        of_manifest(path)


def test_no_such_package() -> None:
    """Named."""
    with pytest.raises(LuggageError, match="package 'no_such': not found"):
        web.version("no_such")
