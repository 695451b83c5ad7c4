"""A new environment: its key file first, then its public key in the config module."""

from __future__ import annotations

from pathlib import Path

import pytest

from luggage.configfile import grammar, keygen
from luggage.crypto import Secret, keys
from luggage.errors import LuggageError

EMPTY = b"""from luggage import crypto

SECRETS = crypto.Secrets(
    format=1,
    project="example",
    environments={},
)
"""


def yes(path: Path) -> bool:
    return True


def no(path: Path) -> bool:
    return False


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """The config module of a deployment without environments."""
    (tmp_path / "deploy").mkdir()
    path = tmp_path / "deploy" / "config.py"
    path.write_bytes(EMPTY)
    return path


def test_the_key_file_opens_what_the_module_names(config: Path, tmp_path: Path) -> None:
    """The key file is one line, for its owner alone, and its public key is in the module."""
    made = keygen.add(config, tmp_path, "demo", yes)
    assert (tmp_path / "demo.key", 0o600) == (made.path, made.path.stat().st_mode & 0o7777)
    text = made.path.read_text()
    assert text.endswith("\n")
    key = keys.parse_keys(Secret(text.removesuffix("\n"))).keys[0]
    demo = grammar.read(config.read_bytes()).environments["demo"]
    assert (key.public.dump(), 1, {}) == (demo.public_key, demo.epoch, demo.values)
    assert made.key_id == key.public.id
    keygen.add(config, tmp_path, "prod", yes)
    assert list(grammar.read(config.read_bytes()).environments) == ["demo", "prod"]


def refused(config: Path, root: Path, name: str, ignored: object = yes) -> str:
    before = config.read_bytes()
    files = set(root.rglob("*"))
    with pytest.raises(LuggageError) as caught:
        keygen.add(config, root, name, ignored)  # type: ignore[arg-type]
    assert before == config.read_bytes()
    assert files == set(root.rglob("*"))
    return caught.value.render()


def test_a_key_is_never_overwritten(config: Path, tmp_path: Path) -> None:
    """A key file that is there stays, though no environment names it."""
    path = tmp_path / "demo.key"
    path.write_text("precious")
    assert "is there already" in refused(config, tmp_path, "demo")
    assert path.read_text() == "precious"


def test_an_environment_that_is_there_is_refused(config: Path, tmp_path: Path) -> None:
    """A second key for an environment would lock out its values."""
    keygen.add(config, tmp_path, "demo", yes).path.rename(tmp_path / "moved.key")
    assert "'demo' is there already" in refused(config, tmp_path, "demo")


def test_a_key_that_git_would_not_ignore_is_refused(config: Path, tmp_path: Path) -> None:
    """A private key never lies where it could be committed."""
    assert ".gitignore" in refused(config, tmp_path, "demo", no)


def test_a_key_inside_a_package_is_refused(config: Path, tmp_path: Path) -> None:
    """A private key never lies where it could be packed: not in a package, nor below one."""
    (tmp_path / "__init__.py").touch()
    (tmp_path / "below").mkdir()
    for root in (tmp_path, tmp_path / "below"):
        assert "inside the package" in refused(config, root, "demo")


@pytest.mark.parametrize("name", ["", "Demo", "../x", "a b", "a\n", "-a", "a" * 64])
def test_only_the_name_of_an_environment_is_taken(config: Path, tmp_path: Path, name: str) -> None:
    """The name is the name of a file as well: nothing but the grammar's letters."""
    assert "lower-case" in refused(config, tmp_path, name)


@pytest.mark.parametrize("text", [b"", b"SECRETS = None\n", EMPTY + b"\nSECRETS = 1\n", b"\xff"])
def test_no_key_is_left_where_the_module_cannot_take_it(
    config: Path, tmp_path: Path, text: bytes
) -> None:
    """A module that breaks the grammar is left as it is, and there is no key file."""
    config.write_bytes(text)
    refused(config, tmp_path, "demo")


def test_no_key_is_left_where_writing_the_module_fails(config: Path, tmp_path: Path) -> None:
    """Where the module changes after it was checked, the new key, which nobody has, is removed."""

    def breaks(path: Path) -> bool:
        config.write_bytes(b"SECRETS = None\n")
        return True

    with pytest.raises(LuggageError):
        keygen.add(config, tmp_path, "demo", breaks)
    assert not (tmp_path / "demo.key").exists()


def test_a_missing_module_is_an_error(tmp_path: Path) -> None:
    """Where there is no config module, no key is made."""
    with pytest.raises(LuggageError):
        keygen.add(tmp_path / "config.py", tmp_path, "demo", yes)
    assert not list(tmp_path.iterdir())
