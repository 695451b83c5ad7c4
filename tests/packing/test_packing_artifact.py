"""What is in a pex, and that it starts."""

from __future__ import annotations

import hashlib
import json
import subprocess
import zipfile
from pathlib import Path

import pytest
from packed import PACKAGES, ROOT, Checkout, Pex

from luggage.buildpex import islands, lock
from luggage.proof import manifest

pytestmark = pytest.mark.packing


def packed_sources(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {
            name: archive.read(name)
            for name in archive.namelist()
            if name.startswith(tuple(f"{package}/" for package in PACKAGES))
            and not name.endswith("/")
        }


def test_it_lists_its_commands(pex: Pex) -> None:
    """`example.pex --help` names what runs, and says where what packs is to be found."""
    done = pex("--help")
    assert done.returncode == 0, done.stderr
    usage, _, commands = done.stdout.partition("commands:")
    assert usage == f"usage: {pex.path} COMMAND …\n\n"
    assert "\n  start " in commands
    assert "\n  mkpex" not in commands
    assert "is not in an artifact" in commands


@pytest.mark.parametrize("command", ["mkpex", "encrypt", "lock", "keygen"])
def test_a_command_of_the_pack_island_is_told_to_be_absent(pex: Pex, command: str) -> None:
    """Status 2, a plain line and the way out; no traceback."""
    done = pex(command)
    assert done.returncode == 2
    assert done.stderr.startswith(f"error: command '{command}': there is none in this artifact\n")
    assert "see a checkout" in done.stderr
    assert "Traceback" not in done.stderr


def test_every_module_that_is_packed_imports_there(pex: Pex) -> None:
    """The run island is whole: nothing packed needs anything that stayed behind."""
    modules = sorted(
        {
            islands.module_name(path)
            for path in packed_sources(pex.path)
            if path.endswith(".py") and not path.endswith("__main__.py")
        }
    )
    assert {"luggage.crypto", "luggage.run", "luggage.commands.dispatch"} <= set(modules)
    code = (
        "import importlib, json, sys\n"
        "failed = {}\n"
        "for name in json.loads(sys.argv[1]):\n"
        "    try:\n"
        "        importlib.import_module(name)\n"
        "    except BaseException as error:\n"
        "        failed[name] = repr(error)\n"
        "print(json.dumps(failed))\n"
    )
    key = (ROOT / "demo.key").read_text().strip()  # for the module that the web server imports
    done = pex("-c", code, json.dumps(modules), PEX_INTERPRETER="1", SECRET_KEY=key)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == {}


def test_the_pack_island_and_its_tools_are_absent(pex: Pex) -> None:
    """Neither its rooms nor pex itself, as an importable package, are in the artifact."""
    for room in islands.PACK_ISLAND:
        prefix = room.replace(".", "/")
        assert not [path for path in packed_sources(pex.path) if path.startswith(prefix)]
    code = (
        "import importlib.util as u; print([n for n in ('pex', 'uv', 'pytest') if u.find_spec(n)])"
    )
    done = pex("-c", code, PEX_INTERPRETER="1")
    assert done.stdout == "[]\n"


def test_the_manifest_tells_what_is_there(artifact: Path, pristine: Checkout) -> None:
    """Inside and beside the pex the same bytes; every source, wheel and sealed value by digest."""
    data = (artifact / "manifest.json").read_bytes()
    with zipfile.ZipFile(artifact / "example.pex") as archive:
        assert archive.read("luggage-manifest.json") == data
        inner = {name.split("/")[1] for name in archive.namelist() if name.startswith(".deps/")}
    told = manifest.parse(data)
    assert told.files == {
        path: hashlib.sha256(content).hexdigest()
        for path, content in packed_sources(artifact / "example.pex").items()
    }
    assert {wheel.file for wheel in told.wheels} == inner - {""}
    assert told.commit == pristine.git("rev-parse", "HEAD")
    assert (told.dirty, told.project, told.entry) == (False, "example", "example_deploy")
    locked = (pristine.root / "requirements.txt").read_bytes()
    assert told.lock == hashlib.sha256(locked).hexdigest()
    pins = lock.read(pristine.root / "requirements.txt")
    hashes = {(pin.name, pin.version, digest) for pin in pins for digest in pin.hashes}
    assert {(wheel.name, wheel.version, wheel.sha256) for wheel in told.wheels} <= hashes
    tools = lock.read(pristine.root / "luggage/buildpex/tools.txt")
    assert told.tools == {pin.name: pin.version for pin in tools}
    assert {"LINES_API_KEY", "MOOD_API_KEY"} <= set(told.sealed["demo"])


def test_the_manifest_is_beside_the_packages_where_it_runs(pex: Pex, artifact: Path) -> None:
    """A running artifact can read its own manifest."""
    code = (
        "import luggage, pathlib, sys;"
        "p = pathlib.Path(luggage.__file__).parents[1] / 'luggage-manifest.json';"
        "sys.stdout.write(p.read_text())"
    )
    done = pex("-c", code, PEX_INTERPRETER="1")
    assert done.stdout.encode() == (artifact / "manifest.json").read_bytes()


def test_a_dirty_tree_and_a_tree_without_git_say_so(project: Checkout, tmp_path: Path) -> None:
    """A new file is packed and makes the artifact dirty; a listing without a commit does too."""
    (project.root / "example_app/new.txt").write_text("new")
    (project.root / "luggage/ignored.key").write_text("lugkey1." + "k" * 48)
    assert project.mkpex(tmp_path / "dirty").returncode == 0
    told = manifest.parse((tmp_path / "dirty/manifest.json").read_bytes())
    assert told.dirty
    assert told.commit == project.git("rev-parse", "HEAD")
    assert "example_app/new.txt" in told.files
    assert "luggage/ignored.key" not in told.files

    listing = tmp_path / "files"
    listing.write_bytes(
        subprocess.run(
            ["git", "ls-files", "-z"], cwd=project.root, check=True, capture_output=True
        ).stdout
    )
    commit = "c" * 40
    words = ("--files", str(listing), "--commit", commit)
    assert project.mkpex(tmp_path / "told", *words).returncode == 0
    told = manifest.parse((tmp_path / "told/manifest.json").read_bytes())
    assert (told.commit, told.dirty) == (commit, False)
    assert "example_app/new.txt" not in told.files
