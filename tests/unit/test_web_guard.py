"""Who may change something, and under which name a page may be asked for."""

from __future__ import annotations

import pytest

from luggage.web import guard

HOST = "127.0.0.1:9000"
SAME = f"http://{HOST}"


@pytest.mark.parametrize(
    ("method", "headers"),
    [
        ("PUT", {}),
        ("PUT", {"content-type": "application/x-www-form-urlencoded"}),  # as curl -d sends it
        ("POST", {"content-type": "application/json; charset=utf-8"}),
        ("PUT", {"origin": SAME, "sec-fetch-site": "same-origin"}),
        ("PUT", {"origin": f"https://{HOST}"}),
        ("PUT", {"sec-fetch-site": "none"}),
    ],
)
def test_a_tool_and_the_same_site_may(method: str, headers: dict[str, str]) -> None:
    """curl tells nothing of where it comes from; a browser does."""
    assert guard.changes(method, {"host": HOST, **headers}) is None


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"sec-fetch-site": "cross-site"}, 403),
        ({"sec-fetch-site": "same-site"}, 403),
        ({"sec-fetch-site": "anything"}, 403),
        ({"origin": "https://evil.example"}, 403),
        ({"origin": "null"}, 403),
        ({"origin": ""}, 403),
        ({"origin": "http://["}, 403),
        ({"origin": "http://127.0.0.1:8000"}, 403),
        ({"origin": "http://127.0.0.1:9000.evil.example"}, 403),
        ({"origin": SAME, "host": ""}, 403),
        ({"content-type": "text/plain"}, 415),
        ({"content-type": "TEXT/PLAIN; x=application/json"}, 415),
        ({"content-type": "application/x-www-form-urlencoded"}, 415),
        ({"content-type": "multipart/form-data; boundary=x"}, 415),
        ({}, 415),
    ],
)
def test_another_site_may_not(headers: dict[str, str], status: int) -> None:
    """By either header; and a POST that a form could send is refused without any."""
    json = {} if status == 415 else {"content-type": "application/json"}
    refused = guard.changes("POST", {"host": HOST, **json, **headers})
    assert refused is not None
    assert refused[0] == status


@pytest.mark.parametrize(
    "host",
    [
        None,
        "127.0.0.1",
        HOST,
        "10.1.2.3:80",
        "[::1]:9000",
        "[fe80::1]",
        "localhost",
        "LOCALHOST:9000",
        "shop.localhost:9000",
        "web:9000",
        "box.example",
        "Box.Example:9000",
    ],
)
def test_names_that_no_site_has(host: str | None) -> None:
    """Addresses, this machine, names without a dot, and its own."""
    assert guard.named(host, {"box.example"}) is None


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:9000",
        "127.0.0.1.evil.example",
        "localhost.evil.example:9000",
        "evil.example.:9000",
        "127.0.0.1.nip.io",
        "a.b:",
    ],
)
def test_names_that_a_site_may_have(host: str) -> None:
    """DNS rebinding: they may point here, and then their page could read what stands here."""
    refused = guard.named(host, {"box.example"})
    assert refused is not None
    assert refused[0] == 421
