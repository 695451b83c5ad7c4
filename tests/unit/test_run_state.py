"""The state folder and the socket: private, exclusive, and clear errors."""

from __future__ import annotations

import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from luggage.errors import LuggageError
from luggage.run.kernel import listen, private
from luggage.run.start import state


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def tree(folder: Path) -> dict[str, tuple[int, str]]:
    return {
        str(path.relative_to(folder)): (mode(path), path.read_text() if path.is_file() else "")
        for path in [folder, *folder.rglob("*")]
    }


def test_a_folder_in_the_named_one_is_used_and_swept(tmp_path: Path) -> None:
    """What an earlier run left is not started; nothing is left but the lock."""
    environ = {"LUGGAGE_RUN": str(tmp_path / "run")}
    with state.folder(environ) as path:
        assert path == tmp_path / "run" / "luggage"
    (path / "config").mkdir()
    (path / "config" / "old").write_text("{}")
    with state.folder(environ) as path:
        assert mode(path) == 0o700
        assert {mode(path / name) for name in state.PARTS} == {0o700}
        assert list((path / "config").iterdir()) == []
    assert sorted(tree(tmp_path / "run")) == [".", "luggage", "luggage/lock"]


def test_what_a_killed_one_has_left_is_swept(tmp_path: Path) -> None:
    """Its TMPDIR as well, which lies there where there is no other place: a volume of a pod
    outlives the container, and each next one would be refused."""
    environ = {"LUGGAGE_RUN": str(tmp_path)}
    (tmp_path / "luggage" / "private").mkdir(parents=True)
    (tmp_path / "luggage" / "lock").touch()
    left = tmp_path / "luggage" / f"{private.PREFIX}x1y2z3_9"
    left.mkdir()
    (left / "much").write_text("of it")
    with state.folder(environ) as path:
        assert {it.name for it in path.iterdir()} == {state.LOCK, *state.PARTS}


UNTIDY = """
import os, sys
from pathlib import Path
from luggage.run.start import state
if os.getuid() == 0:  # whom no rights stop
    os.setuid(65534)
environ = {"LUGGAGE_RUN": sys.argv[1]}
with state.folder(environ) as path:
    shut = path / "private" / "loop" / "shut"
    (shut / "deep").mkdir(parents=True)
    shut.chmod(0o500)
print("ended")
with state.folder(environ) as path:
    assert not list((path / "private").iterdir())
print("begun")
"""


def test_what_a_process_has_locked_away_stops_neither_the_end_nor_the_next_start() -> None:
    """A folder without the right to write in it, as some tools leave them, in RUNTIME_DIRECTORY."""
    with tempfile.TemporaryDirectory() as place:  # pytest's own let nobody else in
        Path(place).chmod(0o777)
        done = subprocess.run(
            [sys.executable, "-c", UNTIDY, f"{place}/run"],
            capture_output=True,
            text=True,
            check=False,
        )
    assert (done.stdout, done.stderr) == ("ended\nbegun\n", "")


def test_what_is_not_ours_stays(tmp_path: Path) -> None:
    """A folder with the user's own `config`, `messages` and even `luggage`: no change at all."""
    for name in ("config", "messages", "luggage/config"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "mine").write_text("kept")
    tmp_path.chmod(0o755)
    before = tree(tmp_path)
    with (
        pytest.raises(LuggageError, match=r"^LUGGAGE_RUN .*: luggage in it is not ours$"),
        state.folder({"LUGGAGE_RUN": str(tmp_path)}),
    ):
        pass
    assert tree(tmp_path) == before
    (tmp_path / "luggage").rename(tmp_path / "other")
    with state.folder({"LUGGAGE_RUN": str(tmp_path)}):
        pass
    after = tree(tmp_path)
    assert {
        name: after[name] for name in after if name.split("/")[0] in ("config", "messages")
    } == {name: before[name] for name in before if name.split("/")[0] in ("config", "messages")}
    assert after["."] == before["."]


@pytest.mark.parametrize("kind", ["link", "file"])
def test_what_is_no_folder_is_not_ours(tmp_path: Path, kind: str) -> None:
    """A link is not followed: whoever may write beside it could have put it there."""
    (tmp_path / "far").mkdir(mode=0o755)
    place = tmp_path / "luggage"
    place.symlink_to(tmp_path / "far") if kind == "link" else place.write_text("")
    with (
        pytest.raises(LuggageError, match="luggage in it is not ours"),
        state.folder({"LUGGAGE_RUN": str(tmp_path)}),
    ):
        pass
    assert mode(tmp_path / "far") == 0o755
    with state.folder({}, tmp_path) as fresh:
        assert fresh.parent != tmp_path


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
    (tmp_path / "usual").mkdir()
    with state.folder({}, tmp_path / "usual") as first:
        assert first == tmp_path / "usual" / "luggage"
        with state.folder({}, tmp_path / "usual") as second:
            assert second.name.startswith("luggage-")
            assert mode(second) == 0o700
        assert not second.exists()
    with state.folder({}, tmp_path / "no" / "such") as third:
        assert third.parent != tmp_path


def test_a_place_that_cannot_be_is_named(tmp_path: Path) -> None:
    """The variable, the path and the reason."""
    (tmp_path / "file").write_text("")
    for name, reason in (("file/run", "not a directory"), ("file", "file exists")):
        with (
            pytest.raises(LuggageError, match=rf"^LUGGAGE_RUN .*/{name}: {reason}$"),
            state.folder({"LUGGAGE_RUN": str(tmp_path / name)}),
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


def test_the_root_file_system_is_no_usual_place(tmp_path: Path) -> None:
    """Only a place on a file system of its own counts: a container's own layer stays untouched."""
    memory = Path("/dev/shm")
    assert memory.stat().st_dev != Path("/").stat().st_dev
    assert state.apart(memory) == memory
    assert state.apart(memory, root=memory) is None
    assert state.apart(tmp_path, root=tmp_path) is None
    assert state.apart(tmp_path / "missing") is None
