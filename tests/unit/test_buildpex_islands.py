"""luggage.buildpex.islands: what belongs to the pack island stays behind, and nothing else."""

from __future__ import annotations

from pathlib import Path

from luggage.buildpex.islands import left_behind

ROOT = Path(__file__).parents[2]


def test_the_rooms_of_the_pack_island_stay_behind_whole() -> None:
    """Every file of such a room stays behind, data files included; a like-named one does not."""
    files = {
        "luggage/buildpex/__init__.py": b"",
        "luggage/buildpex/tools.txt": b"",
        "luggage/configfile/seal.py": b"",
        "luggage/buildpexes.py": b"",
        "luggage/crypto/keys.py": b"",
    }
    assert set(left_behind(files)) == {
        "luggage/buildpex/__init__.py",
        "luggage/buildpex/tools.txt",
        "luggage/configfile/seal.py",
    }


def test_what_imports_from_it_stays_behind_through_any_number_of_steps() -> None:
    """Every way to write an import counts, and so does one inside a function."""
    files = {
        "luggage/commands/a.py": b"from luggage.buildpex import Pack\n",
        "luggage/commands/b.py": b"def f():\n    import luggage.configfile.seal\n",
        "deploy/c.py": b"from luggage.commands import a\n",
        "deploy/d.py": b"from . import c\n",
        "deploy/e.py": b"from .d import main\n",
        "deploy/f.py": b"from luggage import buildpex\n",
        "deploy/sub/__init__.py": b"",
        "deploy/sub/g.py": b"from ..c import main\n",
        "deploy/h.py": b"from luggage.commands import start\n",
        "deploy/i.py": b"import luggage.commands\n",
    }
    assert set(left_behind(files)) == {
        *("luggage/commands/a.py", "luggage/commands/b.py", "deploy/c.py", "deploy/d.py"),
        *("deploy/e.py", "deploy/f.py", "deploy/sub/g.py"),
    }


def test_imports_for_types_and_what_is_no_python_do_not_count() -> None:
    """`if TYPE_CHECKING:` never happens at run time; a template is not code."""
    files = {
        "app/types.py": b"if TYPE_CHECKING:\n    from luggage.buildpex import Pack\n",
        "app/template.py": b"from luggage.buildpex import {{ name }}\n",
        "app/data.txt": b"from luggage.buildpex import Pack\n",
    }
    assert left_behind(files) == {}
    files["app/types.py"] += b"else:\n    import luggage.buildpex\n"
    assert set(left_behind(files)) == {"app/types.py"}


def test_of_this_checkout_exactly_the_commands_that_pack_or_edit_stay_behind() -> None:
    """The rule, applied to the real tree, leaves the run island whole."""
    files = {
        path.relative_to(ROOT).as_posix(): path.read_bytes()
        for package in ("luggage", "example_app", "example_deploy")
        for path in (ROOT / package).rglob("*.py")
    }
    rooms = ("luggage/buildpex/", "luggage/configfile/", "luggage/seal/")
    left = {path for path in left_behind(files) if not path.startswith(rooms)}
    assert {"luggage/commands/lock.py", "luggage/commands/mkpex.py"} <= left
    assert all(path.rpartition("/")[0] in ("luggage/commands", "example_deploy") for path in left)
