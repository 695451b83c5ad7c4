"""luggage.buildpex.private: wheels of one's own, which nobody else's can replace."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from wheel_maker import index, wheel

from luggage.buildpex import collect, lock, private
from luggage.errors import LuggageError

HASH = "0" * 64


def pinned(path: Path, *lines: tuple[str, str]) -> Path:
    """A lock of pins with one hash each."""
    path.write_text("".join(f"{pin} --hash=sha256:{digest}\n" for pin, digest in lines))
    return path


def chosen(folder: Path, *lines: tuple[str, str]) -> private.Chosen:
    there = lock.read(pinned(folder.parent / "requirements.txt", *lines))
    return private.chosen(private.read(folder), [("requirements.txt", there)])


def test_what_the_lock_lists_is_taken_and_the_rest_is_told(tmp_path: Path) -> None:
    """By hash; a wheel that no line names is left out with a warning, and a README is nothing."""
    one = wheel(tmp_path / "wheels", "own_thing", "1.0")
    wheel(tmp_path / "wheels", "own_thing", "0.9")
    wheel(tmp_path / "wheels", "spare", "1.0")
    (tmp_path / "wheels" / "README").write_text("ours")
    found = chosen(tmp_path / "wheels", ("own-thing==1.0", one), ("flask==3.1.3", HASH))
    assert [str(it) for it in found.wheels] == ["wheels/own_thing-1.0-py3-none-any.whl"]
    assert found.names == {"own-thing", "spare"}
    assert found.warnings == (
        "wheels/own_thing-0.9-py3-none-any.whl: no line of requirements.txt names it, left out",
        "wheels/spare-1.0-py3-none-any.whl: no line of requirements.txt names it, left out",
    )


def test_a_folder_that_is_not_there_holds_nothing(tmp_path: Path) -> None:
    """Most projects have none."""
    assert private.read(tmp_path / "wheels") == ()


def test_everything_wrong_is_told_at_once(tmp_path: Path) -> None:
    """A wheel with another hash, and a pin that only an index could answer."""
    digest = wheel(tmp_path / "wheels", "one", "1.0")
    wheel(tmp_path / "wheels", "two", "1.0")
    with pytest.raises(LuggageError) as caught:
        chosen(tmp_path / "wheels", ("one==1.0", HASH), ("two==9.0", HASH))
    assert caught.value.message.splitlines() == [
        f"wheels/one-1.0-py3-none-any.whl: has SHA-256 {digest}, which requirements.txt:1 does "
        "not list",
        "requirements.txt:2: two==9.0: not among one's own wheels, which are "
        "wheels/two-1.0-py3-none-any.whl; no index is asked for it",
    ]
    assert "python -m deploy lock" in (caught.value.hint or "")


@pytest.mark.parametrize("name", ["own-1.0.tar.gz", "own-1.0.zip", "own.whl", "own-1.0.whl"])
def test_what_only_looks_like_a_wheel_of_ones_own_is_refused(tmp_path: Path, name: str) -> None:
    """Its name would be asked of an index."""
    (tmp_path / name).touch()
    with pytest.raises(LuggageError, match=f"{name}: ") as caught:
        private.read(tmp_path)
    assert "python -m pip wheel --no-deps" in (caught.value.hint or "")


def collected(root: Path, *more: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """The wheels of root/requirements.txt, with root/wheels for one's own."""
    environ = {k: v for k, v in os.environ.items() if not k.startswith("PIP_")}
    environ |= {"PIP_CONFIG_FILE": os.devnull, **variables}
    words = [sys.executable, "-m", "luggage.buildpex.collect", "--cache", str(root / "cache")]
    words += ["--private", str(root / "wheels"), *more, str(root / "requirements.txt")]
    return subprocess.run(words, env=environ, capture_output=True, text=True, check=False)


def test_they_are_collected_and_no_index_is_asked(tmp_path: Path) -> None:
    """One's own come from the folder, the others from an index, which is never told the name of
    one's own: there is a wheel of it there that would not match.
    """
    one = wheel(tmp_path / "wheels", "own", "1.0")
    other = wheel(tmp_path / "public", "other", "2.0")
    wheel(tmp_path / "public", "own", "1.0", text="EVIL = True\n")
    address = index(tmp_path / "public", tmp_path / "index")
    pinned(tmp_path / "requirements.txt", ("own==1.0", one), ("other==2.0", other))
    done = collected(tmp_path, PIP_INDEX_URL=address)
    assert (done.returncode, done.stderr) == (0, "")
    folder = Path(done.stdout.split()[1])
    taken = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert taken == {
        "other-2.0-py3-none-any.whl": (tmp_path / "public/other-2.0-py3-none-any.whl").read_bytes(),
        "own-1.0-py3-none-any.whl": (tmp_path / "wheels/own-1.0-py3-none-any.whl").read_bytes(),
    }
    (folder / "own-1.0-py3-none-any.whl").unlink()
    again = collected(tmp_path, PIP_NO_INDEX="1")
    assert again.stdout == f"reused {folder}\n"
    assert len(list(folder.iterdir())) == 2


def test_a_marked_pin_of_ones_own_is_not_fetched(tmp_path: Path) -> None:
    """Where its wheel is missing, packing tells; an index that has it is not asked."""
    wheel(tmp_path / "wheels", "own", "1.0")
    digest = wheel(tmp_path / "public", "own", "2.0")
    pinned(tmp_path / "requirements.txt", ("own==2.0 ; python_version >= '3'", digest))
    done = collected(tmp_path, PIP_INDEX_URL=index(tmp_path / "public", tmp_path / "index"))
    assert done.returncode == 0
    assert list(Path(done.stdout.split()[1]).iterdir()) == []


def test_a_changed_wheel_is_refused_though_the_cache_is_filled(tmp_path: Path) -> None:
    """What lies in the folder is checked each time, not only when wheels are fetched."""
    pinned(tmp_path / "requirements.txt", ("own==1.0", wheel(tmp_path / "wheels", "own", "1.0")))
    assert collected(tmp_path, PIP_NO_INDEX="1").returncode == 0
    wheel(tmp_path / "wheels", "own", "1.0", text="EVIL = True\n")
    done = collected(tmp_path, PIP_NO_INDEX="1")
    assert done.returncode == 1
    assert done.stderr.startswith("error: wheels/own-1.0-py3-none-any.whl: has SHA-256 ")
    assert done.stderr.endswith(
        "hint: if you changed the wheels yourself: python -m deploy lock\n"
        "      else do not go on: someone else changed them, or the lock\n"
    )


def test_where_nothing_is_fetched_it_is_checked_all_the_same(tmp_path: Path) -> None:
    """`--kept`, as packing asks for the folder: refused, or warned of where the folder is there."""
    pinned(tmp_path / "requirements.txt", ("own==1.0", wheel(tmp_path / "wheels", "own", "1.0")))
    wheel(tmp_path / "wheels", "spare", "1.0")
    absent = collected(tmp_path, "--kept")
    assert (absent.returncode, absent.stderr) == (collect.UNFETCHED, "")
    folder = collected(tmp_path, PIP_NO_INDEX="1").stdout.split()[1]
    kept = collected(tmp_path, "--kept")
    assert (kept.returncode, kept.stdout) == (0, f"{folder}\n")
    assert kept.stderr == (
        "warning: wheels/spare-1.0-py3-none-any.whl: no line of requirements.txt names it, "
        "left out\n"
    )
    wheel(tmp_path / "wheels", "own", "1.0", text="EVIL = True\n")
    assert "has SHA-256" in collected(tmp_path, "--kept").stderr


def test_a_lock_from_elsewhere_is_told(tmp_path: Path) -> None:
    """A fresh lock's pin of one's own name has hashes of one's own wheels and no other."""
    digest = wheel(tmp_path, "own", "1.0")
    own = private.read(tmp_path)
    fresh = lock.parse(f"own==1.0 --hash=sha256:{digest} --hash=sha256:{HASH}\n", "l")
    assert private.strangers(fresh, own) == [
        "own==1.0: found elsewhere, and a wheel of one's own has its name"
    ]
    assert private.strangers(lock.parse(f"own==1.0 --hash=sha256:{digest}\n", "l"), own) == []


def test_collect_takes_all_names_of_the_folder(tmp_path: Path) -> None:
    """`owned` reads the folder and the locks."""
    digest = wheel(tmp_path / "wheels", "own", "1.0")
    path = pinned(tmp_path / "requirements.txt", ("own==1.0", digest))
    assert collect.owned(tmp_path / "wheels", [path]).names == {"own"}
    assert collect.owned(tmp_path / "none", [path]) == private.Chosen()
