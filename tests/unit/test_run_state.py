"""The state folder and the socket: private, exclusive, and clear errors."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from luggage.errors import LuggageError
from luggage.run import listen, state


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_the_named_folder_is_used_and_swept(tmp_path: Path) -> None:
    """What an earlier run left is not started; what is not ours stays."""
    folder = tmp_path / "run"
    (folder / "config").mkdir(parents=True)
    (folder / "config" / "old").write_text("{}")
    (folder / "data").write_text("kept")
    with state.folder({"LUGGAGE_RUN": str(folder)}) as path:
        assert path == folder
        assert [mode(path), mode(path / "config"), mode(path / "messages")] == [0o700] * 3
        assert list((path / "config").iterdir()) == []
    assert (folder / "data").read_text() == "kept"
    assert not (folder / "config").exists()


def test_only_one_may_have_it(tmp_path: Path) -> None:
    """A second supervisor there is refused; afterwards it is free again."""
    environ = {"LUGGAGE_RUN": str(tmp_path)}
    with (
        state.folder(environ),
        pytest.raises(LuggageError, match="another luggage runs there"),
        state.folder(environ),
    ):
        pass
    with state.folder(environ):
        pass


def test_the_usual_place_then_memory(tmp_path: Path) -> None:
    """The usual folder where it can be made and nobody has it, else a new one, gone at the end."""
    with state.folder({}, tmp_path / "usual") as first:
        assert first == tmp_path / "usual"
        with state.folder({}, tmp_path / "usual") as second:
            assert second.name.startswith("luggage-")
            assert mode(second) == 0o700
        assert not second.exists()
    with state.folder({}, tmp_path / "no" / "such") as third:
        assert third.parent != tmp_path


def test_a_place_that_cannot_be_is_named(tmp_path: Path) -> None:
    """The variable, the path and the reason."""
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(LuggageError, match=r"^LUGGAGE_RUN .*/file/run: not a directory$"),
        state.folder({"LUGGAGE_RUN": str(tmp_path / "file" / "run")}),
    ):
        pass


def test_a_port_in_use() -> None:
    """The address and what to do."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(LuggageError) as caught:
            listen.listen("127.0.0.1", port)
    assert caught.value.message == f"127.0.0.1:{port}: another program listens there"
    with listen.listen("127.0.0.1", port) as again:
        assert again.getsockname()[1] == port


@pytest.mark.parametrize(
    ("host", "words"),
    [("192.0.2.1", "192.0.2.1:"), ("no.such.host.invalid", "HOST 'no.such.host.invalid':")],
)
def test_a_host_that_is_not_here(host: str, words: str) -> None:
    """An address of another machine, and a name that nobody knows."""
    with pytest.raises(LuggageError) as caught:
        listen.listen(host, 8000)
    assert caught.value.message.startswith(words)
    assert "set HOST to an address of this machine" in str(caught.value.hint)


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("0.0.0.0", "http://localhost:80/"),
        ("::", "http://localhost:80/"),
        ("127.0.0.1", "http://127.0.0.1:80/"),
        ("::1", "http://[::1]:80/"),
    ],
)
def test_what_to_open_in_a_browser(host: str, url: str) -> None:
    """An address that a browser understands."""
    assert listen.url(host, 80) == url
