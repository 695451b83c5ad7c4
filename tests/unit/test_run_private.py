"""Rooms of processes: who has what for itself, and what is left of it."""

from __future__ import annotations

import os
import stat
import time
from pathlib import Path

import pytest

from luggage.errors import LuggageError
from luggage.run.kernel.private import Room, private, temporary


@pytest.fixture
def state(tmp_path: Path) -> Path:
    made = tmp_path / "state"
    made.mkdir()
    return made


@pytest.fixture
def usual(tmp_path: Path) -> Path:
    made = tmp_path / "usual"
    made.mkdir()
    return made


def gone(path: Path) -> bool:
    end = time.monotonic() + 10
    while path.exists() and time.monotonic() < end:
        time.sleep(0.01)
    return not path.exists()


def test_what_is_temporary_goes_with_the_life(state: Path, usual: Path) -> None:
    """Each life has an empty folder; what it leaves there is removed, what it is to keep is not."""
    with private(state, {}, usual) as rooms:
        one = rooms.begin("loop.1")
        tmp, kept = (Path(one.variables[name]) for name in ("TMPDIR", "RUNTIME_DIRECTORY"))
        assert tmp.parent.parent == usual
        assert kept == state / "private" / "loop.1"
        for folder in (tmp, kept, tmp.parent, kept.parent):
            assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        (tmp / "much").mkdir()
        (kept / "little").touch()
        beside = rooms.begin("loop.1")
        assert beside.variables["TMPDIR"] != str(tmp)
        rooms.end(one)
        assert gone(tmp)
        assert Path(beside.variables["TMPDIR"]).is_dir()
        assert (Path(rooms.begin("loop.1").variables["RUNTIME_DIRECTORY"]) / "little").exists()
        rooms.end(Room())
    assert list(usual.iterdir()) == []


def test_the_inherited_folder_comes_first(tmp_path: Path, state: Path, usual: Path) -> None:
    """What cannot be written is passed over; the state folder is the last resort."""
    given = tmp_path / "given"
    given.mkdir()
    for environ, wanted in (
        ({"TMPDIR": str(given)}, given),
        ({"TMPDIR": str(tmp_path / "nowhere")}, usual),
        ({"TMPDIR": ""}, usual),
    ):
        with private(state, environ, usual) as rooms:
            assert Path(rooms.begin("loop").variables["TMPDIR"]).parent.parent == wanted
    with private(state, {}, tmp_path / "nowhere") as rooms:
        assert Path(rooms.begin("loop").variables["TMPDIR"]).parent.parent == state
    assert {it.name for it in state.iterdir()} == {"private"}
    with pytest.raises(LuggageError, match="TMPDIR: nowhere to make a folder"):
        temporary({}, tmp_path / "nowhere", tmp_path / "no").__enter__()


def test_without_room_a_process_is_started_all_the_same(state: Path, usual: Path) -> None:
    """What is full, or gone, is no reason not to run."""
    with private(state, {}, usual) as rooms:
        [folder] = usual.iterdir()
        folder.rmdir()
        (state / "private").rmdir()
        assert rooms.begin("loop") == Room()


def test_what_a_killed_supervisor_has_left_is_removed(state: Path, usual: Path) -> None:
    """But not what one that runs has, nor one that has only just been made, nor what is others'."""
    old, young = usual / "luggage-tmp-old", usual / "luggage-tmp-young"
    for folder in (old, young):
        (folder / "loop-x").mkdir(parents=True)
    (usual / "other").mkdir()
    link = usual / "luggage-tmp-link"
    link.symlink_to(usual / "other")
    hour = time.time() - 3600
    with private(state, {}, usual) as rooms:
        running = Path(rooms.begin("loop").variables["TMPDIR"]).parent
        for path in (old, running, usual / "other"):
            os.utime(path, (hour, hour))
        os.utime(link, (hour, hour), follow_symlinks=False)
        with private(state, {}, usual):
            names = {it.name for it in usual.iterdir()} - {running.name}
            assert running.is_dir()
            assert {"luggage-tmp-young", "luggage-tmp-link", "other"} < names
            assert "luggage-tmp-old" not in names
