"""luggage.buildpex.refresh: locks made anew by a real uv, from indexes on the disk."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from wheel_maker import index, wheel

from luggage.buildpex import lock, refresh
from luggage.buildpex.changes import Changes
from luggage.errors import LuggageError

REPOSITORY = Path(__file__).parents[2]
HOST = {k: v for k, v in os.environ.items() if not k.startswith("UV_")}


class Project:
    """A folder with loose requirements, and a public index that anyone can put wheels on."""

    def __init__(self, root: Path) -> None:
        self.root = root / "project"
        self.root.mkdir()
        self.public = root / "public"
        self.cache = root / "cache"

    def ask(self, *lines: str, source: str = "requirements.in") -> None:
        """Write the loose requirements."""
        path = self.root / source
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(f"{line}\n" for line in lines))

    def environ(self, **variables: str) -> dict[str, str]:
        """The public index, and nothing else."""
        address = index(self.public, self.public.with_name(f"index{len(variables)}"))
        return {
            **HOST,
            "UV_DEFAULT_INDEX": address,
            "UV_CACHE_DIR": str(self.cache),
            "UV_NO_CONFIG": "1",
            **variables,
        }

    def refresh(
        self, upgrade: list[str] | None = None, dry: bool = False, **variables: str
    ) -> tuple[Changes, ...]:
        """Make the locks anew."""
        wanted = [it for it in refresh.LOCKS if (self.root / it.source).exists()]
        environ = self.environ(**variables)
        uv = refresh.find_uv(environ, Path(sys.executable), self.root)
        return refresh.refresh(self.root, wanted, upgrade, environ, uv=uv, dry=dry)

    def pins(self, name: str = "requirements.txt") -> dict[str, tuple[str, frozenset[str]]]:
        """Name → version and hashes."""
        return {it.name: (it.version, it.hashes) for it in lock.read(self.root / name)}

    def files(self) -> list[str]:
        return sorted(path.name for path in self.root.iterdir())


@pytest.fixture
def project(tmp_path: Path) -> Project:
    made = Project(tmp_path)
    wheel(made.public, "other", "2.0", requires=["leaf"])
    wheel(made.public, "leaf", "9.0")
    return made


def test_a_name_of_ones_own_is_taken_from_the_folder_alone(project: Project) -> None:
    """An index that offers a higher version, and one for what another package asks for, loses."""
    project.ask("own", "other")
    evil = wheel(project.public, "own", "9.0")
    own = wheel(project.root / "wheels", "own", "1.0", requires=["leaf"])
    leaf = wheel(project.root / "wheels", "leaf", "1.0")
    project.refresh()
    pins = project.pins()
    assert pins["own"] == ("1.0", frozenset([own]))
    assert pins["leaf"] == ("1.0", frozenset([leaf]))
    assert pins["other"][0] == "2.0"
    text = (project.root / "requirements.txt").read_text()
    assert evil not in text
    assert str(project.root) not in text
    assert "wheels" not in text
    assert project.files() == ["requirements.in", "requirements.txt", "wheels"]


def test_what_was_locked_from_an_index_becomes_ones_own(project: Project) -> None:
    """Once a wheel of that name lies in the folder, the old pin does not stay."""
    project.ask("other")
    project.refresh()
    assert project.pins()["leaf"][0] == "9.0"
    mine = wheel(project.root / "wheels", "leaf", "1.0")
    (changed,) = project.refresh()
    assert project.pins()["leaf"] == ("1.0", frozenset([mine]))
    assert changed.table() == "requirements.txt\n  leaf  9.0 -> 1.0  older"


def test_a_wheel_built_again_has_its_new_hash(project: Project) -> None:
    """Same name and version, other bytes: the lock is made anew with them, and says so."""
    project.ask("own")
    wheel(project.root / "wheels", "own", "1.0")
    project.refresh()
    again = wheel(project.root / "wheels", "own", "1.0", text="again = True\n")
    (changed,) = project.refresh()
    assert (changed.versions, changed.hashes) == ((), ("own",))
    assert project.pins()["own"] == ("1.0", frozenset([again]))


def test_uv_set_otherwise_cannot_bring_in_another(project: Project) -> None:
    """A strategy that takes the best of all indexes is put right; links that hold another wheel of
    that name are refused, and the old lock stays.
    """
    project.ask("own")
    own = wheel(project.root / "wheels", "own", "1.0")
    wheel(project.public, "own", "9.0")
    project.refresh(UV_INDEX_STRATEGY="unsafe-best-match")
    assert project.pins()["own"] == ("1.0", frozenset([own]))
    before = (project.root / "requirements.txt").read_bytes()
    with pytest.raises(LuggageError, match=r"own==9\.0: found elsewhere") as caught:
        project.refresh([], UV_FIND_LINKS=str(project.public))
    assert "UV_FIND_LINKS" in (caught.value.hint or "")
    assert (project.root / "requirements.txt").read_bytes() == before


def test_a_wheel_for_one_python_is_locked(project: Project) -> None:
    """Compiled packages of one's own come as a wheel for each Python."""
    project.ask("own")
    tags = ("cp311-cp311-manylinux_2_17_x86_64", "cp313-cp313-manylinux_2_17_x86_64")
    digests = {wheel(project.root / "wheels", "own", "1.0", tag=tag) for tag in tags}
    project.refresh()
    assert project.pins()["own"] == ("1.0", frozenset(digests))


def test_a_source_distribution_of_ones_own_is_refused(project: Project) -> None:
    """Else its name would be asked of an index."""
    project.ask("own")
    (project.root / "wheels").mkdir()
    (project.root / "wheels" / "own-1.0.tar.gz").touch()
    with pytest.raises(LuggageError, match="a source distribution"):
        project.refresh()
    assert project.files() == ["requirements.in", "wheels"]


def test_dry_run_tells_and_writes_nothing(project: Project) -> None:
    """The later locks agree with what the first would be."""
    project.ask("other", "leaf")
    project.ask("leaf", source="tests/requirements.in")
    project.refresh()
    before = (project.root / "requirements.txt").read_bytes()
    wheel(project.public, "leaf", "9.1")
    wheel(project.public, "leaf", "10.0")
    project.ask("other", "leaf<10")
    first, second = project.refresh([], dry=True)
    assert first.table() == "requirements.txt\n  leaf  9.0 -> 9.1  minor"
    assert second.table() == "tests/requirements.txt\n  leaf  9.0 -> 9.1  minor"
    assert (project.root / "requirements.txt").read_bytes() == before
    assert project.files() == ["requirements.in", "requirements.txt", "tests"]
    project.refresh([])
    text = (project.root / "tests/requirements.txt").read_text()
    assert "-c requirements.txt" in text
    assert ".lock-" not in text


def test_upgrade_of_what_is_no_pin_is_told(project: Project) -> None:
    """Every such name, and the pins that look like it; in any spelling, and of any lock."""
    project.ask("other")
    project.refresh()
    before = (project.root / "requirements.txt").read_bytes()
    with pytest.raises(LuggageError) as caught:
        project.refresh(["othr", "Leaf", "nosuchpkg"])
    assert caught.value.message == "no such pin: othr, nosuchpkg"
    assert caught.value.hint is not None
    assert caught.value.hint.splitlines()[0] == "is it other?"
    assert "requirements.in" in caught.value.hint
    assert (project.root / "requirements.txt").read_bytes() == before
    assert [it.same for it in project.refresh(["Leaf", "OTHER"])] == [True]


def test_upgrade_of_one_leaves_the_others(project: Project) -> None:
    """What is pinned stays pinned, unless it is named."""
    project.ask("other", "leaf")
    project.refresh()
    wheel(project.public, "leaf", "9.1")
    wheel(project.public, "other", "2.1")
    assert all(it.same for it in project.refresh())
    project.refresh(["other"])
    assert {name: pin[0] for name, pin in project.pins().items()} == {"leaf": "9.0", "other": "2.1"}


def test_a_lock_that_cannot_be_made_leaves_all(project: Project) -> None:
    """uv says what is wrong, and the old locks are there, with nothing beside them."""
    project.ask("leaf")
    project.ask("./no such thing", source="tests/requirements.in")
    (project.root / "requirements.txt").write_text("old\n")
    with pytest.raises(LuggageError, match=r"(?s)lock 'tests/requirements\.txt': uv: failed"):
        project.refresh()
    assert project.files() == ["requirements.in", "requirements.txt", "tests"]
    assert (project.root / "requirements.txt").read_text() == "old\n"


def test_an_empty_list_of_requirements_needs_no_network(project: Project) -> None:
    """A lock is made where there was none, and made again it is the same."""
    project.ask()
    (made,) = project.refresh()
    assert made.versions == ()
    assert (project.root / "requirements.txt").stat().st_mode & 0o777 == 0o644
    (again,) = project.refresh()
    assert again.same


def test_a_lock_that_pins_the_same_is_left_untouched(project: Project) -> None:
    """Its comments are the maker's: they name who asked for a pin there."""
    project.ask()
    (project.root / "requirements.txt").write_text("# written elsewhere\n")
    (changed,) = project.refresh()
    assert changed.same
    assert (project.root / "requirements.txt").read_text() == "# written elsewhere\n"


def test_uv_is_installed_from_its_lock_where_there_is_none(tmp_path: Path) -> None:
    """The one that luggage/buildpex/uv.txt pins with hashes, in the project's build folder; it is
    the same as the tests' own.
    """
    path = refresh.find_uv({"PATH": ""}, tmp_path / "python", tmp_path)
    assert path == str(tmp_path / "build/uv/bin/uv")
    told = subprocess.run([path, "--version"], check=True, capture_output=True, text=True).stdout
    (pin,) = lock.read(refresh.UV)
    assert told.split()[1] == pin.version
    (beside,) = (it for it in lock.read(REPOSITORY / "tests/requirements.txt") if it.name == "uv")
    assert (beside.version, beside.hashes) == (pin.version, pin.hashes)


def test_the_command_tells_a_table_or_json(project: Project) -> None:
    """On stdout; what did not change, and that nothing was written, on stderr."""
    package = project.root / "shop"
    package.mkdir()
    (package / "__init__.py").touch()
    main = "import sys\nfrom luggage import commands\nsys.exit(commands.main(sys.argv, 'shop'))\n"
    (package / "__main__.py").write_text(main)
    project.ask("leaf")
    project.ask("leaf", source="tests/requirements.in")
    project.refresh()
    (project.root / "tests/requirements.txt").unlink()

    def locked(*words: str) -> tuple[str, str]:
        done = subprocess.run(
            [sys.executable, "-m", "shop", "lock", *words],
            cwd=project.root,
            env={**project.environ(), "PYTHONPATH": str(REPOSITORY)},
            check=True,
            capture_output=True,
            text=True,
        )
        return done.stdout, done.stderr

    out, err = locked("--dry-run")
    assert out == "tests/requirements.txt\n  leaf   -> 9.0  added\n"
    assert err == "unchanged: requirements.txt\ndry run: nothing was written\n"
    out, _ = locked("--json")
    assert [it["lock"] for it in json.loads(out)] == ["requirements.txt", "tests/requirements.txt"]
    assert locked() == ("", "unchanged: requirements.txt, tests/requirements.txt\n")
