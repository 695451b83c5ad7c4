"""pip's settings of the host, translated for another machine; and the cache of wheels."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from luggage.buildpex import collect
from luggage.errors import LuggageError

HASH = f"--hash=sha256:{'0' * 64}"


def test_variables_win_over_files_and_later_files_over_earlier() -> None:
    """pip's own order: files as they come, `[download]` over `[global]`, variables over all."""
    configs = [
        "[global]\nindex-url = https://a.example/simple\ntimeout = 10\nretries = 1\n",
        "[global]\nindex-url = https://b.example/simple\n[download]\nretries = 2\n",
    ]
    text, warnings = collect.translate(configs, {"PIP_TIMEOUT": "30", "HOME": "/home/x"})
    assert text == "[global]\nindex-url = https://b.example/simple\ntimeout = 30\nretries = 2\n"
    assert warnings == []


@pytest.mark.parametrize("value", ["/opt/wheels", "./wheels", "file:///opt/wheels", "~/wheels"])
def test_path_of_the_host_is_left_out_with_one_warning(value: str) -> None:
    """What names a folder of the host is dropped and told once; the rest of the setting stays."""
    environ = {"PIP_FIND_LINKS": f"{value} https://a.example/links"}
    text, warnings = collect.translate([f"[global]\nfind-links = {value}\n"], environ)
    assert text == "[global]\nfind-links = https://a.example/links\n"
    assert warnings == ["pip setting 'find-links': names a path of the host, left out"]


def test_settings_that_change_what_is_fetched_stay_out() -> None:
    """Only what says where wheels come from is passed: the lock alone says which."""
    environ = {
        "PIP_TARGET": "/tmp/x",
        "PIP_CONSTRAINT": "c.txt",
        "PIP_NO_DEPS": "0",
        "PIP_USER": "1",
    }
    assert collect.translate([], environ) == ("[global]\n", [])


def test_values_over_several_lines_are_kept() -> None:
    """A setting of several values has them all, with underscores in its name or not."""
    config = "[global]\nextra_index_url =\n    https://a.example\n    https://b.example\n"
    text, _ = collect.translate([config], {})
    assert text == "[global]\nextra-index-url = https://a.example https://b.example\n"


def test_file_that_cannot_be_read_is_told() -> None:
    """A broken configuration file is left out, with a warning."""
    _, warnings = collect.translate(["no section\n"], {})
    assert warnings == ["a pip configuration file: cannot be read, left out"]


def test_credentials_are_not_shown() -> None:
    """Neither a URL's user and password nor those of a proxy are in what is shown."""
    environ = {"https_proxy": "http://me:pr0xy@proxy.example:3128"}
    said = "cannot reach https://u:t0ken@a.example/simple via me:pr0xy of proxy.example"
    shown = collect.quiet(said, environ)
    assert shown == "cannot reach https://****@a.example/simple via **** of proxy.example"


def test_folder_is_named_by_locks_and_python(tmp_path: Path) -> None:
    """Another lock, another order of locks or another Python is another folder."""
    one, two = tmp_path / "one", tmp_path / "two"
    one.write_text("a==1\n")
    two.write_text("b==1\n")
    names = {
        collect.digest([one, two], "3.13.5"),
        collect.digest([two, one], "3.13.5"),
        collect.digest([one, two], "3.13.6"),
        collect.digest([one], "3.13.5"),
    }
    assert len(names) == 4


def test_slower_fetch_of_the_same_is_as_good(tmp_path: Path) -> None:
    """Where another has put the same folder there, that is no error; `--again` replaces it."""
    folder = tmp_path / "folder"
    for number in (1, 2):
        new = tmp_path / f"new.{number}"
        (new / "wheels").mkdir(parents=True)
        (new / "wheels" / f"{number}.whl").touch()
        collect.settle(new, folder)
    assert [path.name for path in folder.iterdir()] == ["2.whl"]


def test_failed_fetch_leaves_nothing(tmp_path: Path) -> None:
    """Where pip fails, its words are shown, and neither a folder nor a half-made one is left."""
    lock = tmp_path / "lock.txt"
    lock.write_text(f"nothing==1 --hash=sha256:{'0' * 64}\n")
    cache = tmp_path / "cache"
    environ = {k: v for k, v in os.environ.items() if not k.startswith("PIP_")}
    environ |= {"PIP_NO_INDEX": "1", "PIP_CONFIG_FILE": os.devnull}
    words = [sys.executable, "-m", "luggage.buildpex.collect", "--cache", str(cache), str(lock)]
    done = subprocess.run(words, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "error: lock.txt: its wheels could not be fetched" in done.stderr
    assert "No matching distribution found for nothing==1" in done.stderr
    assert list(cache.iterdir()) == []


def test_complete_folder_is_reused(tmp_path: Path) -> None:
    """A folder that is there is not fetched again, and the answer says so."""
    lock = tmp_path / "lock.txt"
    lock.write_text("never-fetched==1\n")
    folder = tmp_path / collect.digest([lock], platform.python_version())
    folder.mkdir()
    words = [sys.executable, "-m", "luggage.buildpex.collect", "--cache", str(tmp_path), str(lock)]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    assert done.stdout == f"reused {folder}\n"


def test_what_killed_fetches_left_is_swept(tmp_path: Path) -> None:
    """Old temporary folders go; those of a fetch that may still run, and the wheels, stay."""
    for name, age in (("new.old", 100.0), ("new.young", 1_000.0), ("wheels", 100.0)):
        (tmp_path / name).mkdir()
        os.utime(tmp_path / name, (age, age))
    collect.sweep(tmp_path, before=500.0)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["new.young", "wheels"]


def test_pip_error_is_one_of_ours(tmp_path: Path) -> None:
    """`fetch` raises a LuggageError that names the lock."""
    lock = tmp_path / "lock.txt"
    lock.write_text(f"nothing==1 {HASH}\n")
    environ = {**os.environ, "PIP_NO_INDEX": "1"}
    with pytest.raises(LuggageError, match=r"^lock\.txt: its wheels could not be fetched"):
        collect.fetch([lock], tmp_path, environ)


def _collect(cache: Path, *locks: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    environ = {k: v for k, v in os.environ.items() if not k.startswith("PIP_")}
    environ |= {"PIP_NO_INDEX": "1", "PIP_CONFIG_FILE": os.devnull, **variables}
    words = [sys.executable, "-m", "luggage.buildpex.collect", "--cache", str(cache)]
    return subprocess.run(
        [*words, *map(str, locks)], env=environ, capture_output=True, text=True, check=False
    )


def test_missing_locks_are_named(tmp_path: Path) -> None:
    """Both are told, with what makes them."""
    one, two = tmp_path / "one.txt", tmp_path / "two.txt"
    done = _collect(tmp_path / "cache", one, two)
    assert done.returncode == 1
    assert done.stderr == (
        f"error: lock '{one}': not found\nerror: lock '{two}': not found\n"
        "hint: make it: python -m deploy lock\n"
    )


def test_line_without_a_hash_is_told_before_pip_runs(tmp_path: Path) -> None:
    """pip would show the hash of whatever it got, and advise to paste it."""
    lock = tmp_path / "lock.txt"
    lock.write_text(f"good==1 {HASH}\nno-hash==1\n")
    done = _collect(tmp_path / "cache", lock)
    assert done.returncode == 1
    assert done.stderr.startswith("error: lock.txt:2: 'no-hash==1': no --hash=sha256:…\n")
    assert "python -m deploy lock" in done.stderr
    assert "could not be fetched" not in done.stderr


def test_wheel_that_the_lock_does_not_list_is_no_matter_of_the_network(tmp_path: Path) -> None:
    """Neither pip's advice to take the new hash nor a word about proxies: do not go on."""
    links = tmp_path / "links"
    links.mkdir()
    with zipfile.ZipFile(links / "thing-1-py3-none-any.whl", "w") as archive:
        archive.writestr("thing.py", "")
        archive.writestr("thing-1.dist-info/METADATA", "Metadata-Version: 2.1\nName: thing\n")
        archive.writestr("thing-1.dist-info/WHEEL", "Wheel-Version: 1.0\n")
    lock = tmp_path / "lock.txt"
    lock.write_text(f"thing==1 {HASH}\n")
    done = _collect(tmp_path / "cache", lock, PIP_FIND_LINKS=str(links))
    assert done.returncode == 1
    lines = done.stderr.splitlines()
    assert lines[0] == "error: lock.txt: what was fetched is not what the lock lists"
    assert any("thing==1 from file:" in line for line in lines)
    assert any("Got        " in line for line in lines)
    assert "hint: the lock or the package was changed: do not go on\n" in done.stderr
    for advice in ("update the hashes", "network", "error: ERROR"):
        assert advice not in done.stderr


def test_pip_prefixes_and_repeated_tries_are_not_shown() -> None:
    """One try of several, without `WARNING:` and `ERROR:` behind our own `error:`."""
    said = "".join(f"WARNING: Retrying (total={n}): refused: /simple/\n" for n in (2, 1, 0))
    error = collect.failure("lock.txt", said + "ERROR: No matching distribution found for a==1\n")
    assert error.message.splitlines() == [
        "lock.txt: its wheels could not be fetched",
        "Retrying (total=0): refused: /simple/",
        "No matching distribution found for a==1",
    ]
    assert "network" in str(error.hint)


def test_full_disk_is_told_as_one() -> None:
    """The hint is about room, not about the network."""
    error = collect.failure("l", "ERROR: Could not install: [Errno 28] No space left on device\n")
    assert error.render() == "error: l: no space is left for its wheels\nhint: make room: df -h"


def test_lock_without_a_line_needs_no_pip(tmp_path: Path) -> None:
    """An empty lock asks for no wheels."""
    lock = tmp_path / "lock.txt"
    lock.write_text("# nothing\n")
    done = _collect(tmp_path / "cache", lock)
    assert (done.returncode, done.stderr) == (0, "")


def test_cache_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    """What the system refuses is told with the file and its words."""
    lock = tmp_path / "lock.txt"
    lock.write_text("")
    done = _collect(lock / "cache", lock)
    assert done.returncode == 1
    assert done.stderr == f"error: {lock}/cache: Not a directory\n"
