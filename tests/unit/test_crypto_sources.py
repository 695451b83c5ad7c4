"""Where a process finds its key: every source, and what is refused."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from luggage.crypto import SecretError, keys, sources

KEY = keys.generate().dump().reveal()
OTHER = keys.generate().dump().reveal()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An empty stand-in for /run/secrets."""
    (tmp_path / "run").mkdir()
    return tmp_path / "run"


def memory_file(text: str, *, name: str = "luggage-key", seal: bool = True) -> int:
    descriptor = os.memfd_create(name, os.MFD_ALLOW_SEALING)
    os.write(descriptor, text.encode())
    if seal:
        seals = fcntl.F_SEAL_WRITE | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_SEAL
        fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, seals)
    return descriptor


@pytest.fixture
def descriptor() -> Iterator[int]:
    """A key as the first process hands it over."""
    number = memory_file(f"{KEY}\n")
    yield number
    os.close(number)


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    return path


def refused(environ: dict[str, str], folder: Path) -> SecretError:
    with pytest.raises(SecretError) as caught:
        sources.read(environ, engine_folder=folder)
    for text in (KEY, OTHER, KEY[:20]):
        assert text not in caught.value.render()
    return caught.value


@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
def test_each_source_alone_is_read(tmp_path: Path, folder: Path, end: str) -> None:
    """A file, systemd's folder, the engine's folder and the variable all work, one line end off."""
    path = write(tmp_path / "key", KEY + end)
    write(tmp_path / "credentials" / "SECRET_KEY", KEY + end)
    write(tmp_path / "engine" / "SECRET_KEY", KEY + end)
    found = [
        sources.read({"SECRET_KEY_FILE": str(path)}, engine_folder=folder),
        sources.read(
            {"CREDENTIALS_DIRECTORY": str(tmp_path / "credentials")}, engine_folder=folder
        ),
        sources.read({}, engine_folder=tmp_path / "engine"),
        sources.read({"SECRET_KEY": KEY + end}, engine_folder=folder),
    ]
    assert [it.text.reveal() for it in found] == [KEY] * 4
    assert [it.source for it in found] == [
        "SECRET_KEY_FILE",
        "$CREDENTIALS_DIRECTORY/SECRET_KEY",
        str(tmp_path / "engine" / "SECRET_KEY"),
        "SECRET_KEY",
    ]


def test_the_descriptor_is_read_and_not_passed_on(folder: Path, descriptor: int) -> None:
    """The inherited memory file can be read again and again; no child gets it by accident."""
    os.set_inheritable(descriptor, True)
    os.lseek(descriptor, 10, os.SEEK_SET)
    for _ in range(2):
        found = sources.read({"LUGGAGE_KEY_FD": str(descriptor)}, engine_folder=folder)
        assert (found.source, found.text.reveal()) == ("LUGGAGE_KEY_FD", KEY)
    assert not os.get_inheritable(descriptor)


def test_another_process_reads_the_descriptor(descriptor: int) -> None:
    """A process that inherits the descriptor finds the key with nothing but its number."""
    code = (
        "import os; from luggage.crypto import sources;"
        "print(sources.read(os.environ).text.reveal())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"LUGGAGE_KEY_FD": str(descriptor), "PYTHONPATH": ":".join(filter(None, sys.path))},
        pass_fds=[descriptor],
        capture_output=True,
        text=True,
        check=True,
    )
    assert f"{KEY}\n" == done.stdout


def test_what_is_not_our_memory_file_is_refused(tmp_path: Path, folder: Path) -> None:
    """No descriptor, a file on disk, another memory file, an unsealed one: each is refused."""
    path = write(tmp_path / "memfd:luggage-key", KEY)
    opened = [
        os.open(path, os.O_RDONLY),
        memory_file(KEY, name="other"),
        memory_file(KEY, seal=False),
    ]
    try:
        for number in [*map(str, opened), "987654", "-1", "x", "1e3", "٣"]:
            assert "LUGGAGE_KEY_FD" in refused({"LUGGAGE_KEY_FD": number}, folder).message
    finally:
        for number in opened:
            os.close(number)


def test_two_sources_that_agree_are_one(tmp_path: Path, folder: Path) -> None:
    """The same key twice is no error, whatever its line end."""
    path = write(tmp_path / "key", f"{KEY}\n")
    found = sources.read({"SECRET_KEY_FILE": str(path), "SECRET_KEY": KEY}, engine_folder=folder)
    assert found.text.reveal() == KEY


def test_two_sources_that_differ_are_both_named(
    tmp_path: Path, folder: Path, descriptor: int
) -> None:
    """No source wins over another: two keys that differ are an error, whichever two they are."""
    path = str(write(tmp_path / "key", KEY))
    credentials = str(write(tmp_path / "credentials" / "SECRET_KEY", OTHER).parent)
    engine = write(tmp_path / "engine" / "SECRET_KEY", OTHER)
    number = str(descriptor)
    for environ, there, names in (
        ({"SECRET_KEY_FILE": path, "SECRET_KEY": OTHER}, folder, ("SECRET_KEY_FILE", "SECRET_KEY")),
        (
            {"SECRET_KEY_FILE": path, "CREDENTIALS_DIRECTORY": credentials},
            folder,
            ("SECRET_KEY_FILE", "$CREDENTIALS_DIRECTORY"),
        ),
        ({"SECRET_KEY": KEY}, engine.parent, (str(engine), "SECRET_KEY")),
        ({"LUGGAGE_KEY_FD": number, "SECRET_KEY": OTHER}, folder, ("LUGGAGE_KEY_FD", "SECRET_KEY")),
    ):
        error = refused(environ, there)
        assert error.reason == "sources"
        assert all(name in error.message for name in names)


def test_a_key_file_rotated_under_a_running_system_does_not_stop_it(
    tmp_path: Path, descriptor: int
) -> None:
    """With the key handed over, files are not read again: a restarted worker starts."""
    path = str(write(tmp_path / "key", OTHER))
    engine = write(tmp_path / "engine" / "SECRET_KEY", OTHER)
    environ = {"LUGGAGE_KEY_FD": str(descriptor), "SECRET_KEY_FILE": path}
    assert sources.read(environ, engine_folder=engine.parent).text.reveal() == KEY


def test_no_key_says_where_it_was_looked_for(folder: Path) -> None:
    """Without any key, one error names all sources, and one that is set but empty."""
    error = refused({"SECRET_KEY": "", "CREDENTIALS_DIRECTORY": str(folder)}, folder)
    assert error.reason == "no-key"
    for name in ("SECRET_KEY_FILE", "CREDENTIALS_DIRECTORY", str(folder), "SECRET_KEY"):
        assert name in error.message
    assert "SECRET_KEY: set, but empty" in error.message
    assert "$(cat" in (error.hint or "")


def test_a_named_file_that_is_not_there_is_an_error(tmp_path: Path, folder: Path) -> None:
    """SECRET_KEY_FILE is never passed over, and a key put in it by mistake is not shown."""
    for path in (str(tmp_path / "none"), KEY, "a\0b", str(tmp_path), f"{tmp_path}/none/{KEY}"):
        error = refused({"SECRET_KEY_FILE": path, "SECRET_KEY": KEY}, folder)
        assert "SECRET_KEY_FILE: cannot be read" in error.message


def test_an_engine_secret_that_is_no_file_is_an_error(folder: Path) -> None:
    """What stands at the engine's path is read or told, never passed over."""
    (folder / "SECRET_KEY").symlink_to(folder / "gone")
    assert "cannot be read" in refused({"SECRET_KEY": KEY}, folder).message


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("A" * 4097, "longer than 4,096 bytes"),
        (KEY + "é", "not ASCII"),
        ("\n", "empty"),
    ],
)
def test_what_cannot_be_a_key_is_refused(
    tmp_path: Path, folder: Path, text: str, told: str
) -> None:
    """Too long, not ASCII or empty: refused by the name of the source, in files and variables."""
    path = str(write(tmp_path / "key", text))
    for environ in ({"SECRET_KEY_FILE": path}, {"SECRET_KEY": text}):
        error = refused(environ, folder)
        assert next(iter(environ)) in error.message
        assert told in error.message


def test_only_one_line_end_is_taken_off(folder: Path) -> None:
    """Any other white space is part of the text, and so refused as a key."""
    for text in (f"{KEY}\n\n", f" {KEY}", f"{KEY}\r"):
        found = sources.read({"SECRET_KEY": text}, engine_folder=folder)
        with pytest.raises(SecretError):
            keys.parse_keys(found.text, found.source)
