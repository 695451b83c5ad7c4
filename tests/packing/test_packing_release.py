"""A release of luggage, rehearsed whole in a checkout of its own."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest
from releases import ROOT, Checkout

from luggage import __version__, bootstrap

pytestmark = pytest.mark.packing

FILES = (
    *(".ci", ".gitignore", "CHANGELOG.md", "LICENSE", "README.md", "luggage", "pyproject.toml"),
    *("requirements.txt", "setup.py"),
)
VERSION = "987.6.5"
WHEEL = f"sealed_luggage-{VERSION}-py3-none-any.whl"
SDIST = f"sealed_luggage-{VERSION}.tar.gz"
IMPORT_ALL = """\
import importlib, pkgutil, luggage
for module in pkgutil.walk_packages(luggage.__path__, "luggage."):
    if module.name != "luggage.__main__":
        importlib.import_module(module.name)
        print(module.name)
"""


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """This tree, released."""
    made = Checkout(tmp_path_factory.mktemp("release") / "checkout")
    made.root.mkdir()
    ignored = shutil.ignore_patterns("__pycache__")
    for name in FILES:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, made.root / name, ignore=ignored)
        else:
            shutil.copy(ROOT / name, made.root)
    head, _, rest = (ROOT / "CHANGELOG.md").read_text().partition("## Unreleased\n")
    made.write("CHANGELOG.md", f"{head}## Unreleased\n\n### Fixed\n\n- Rehearsed.\n{rest}")
    made.git("init", "-q", "-b", "main")
    made.commit()
    before = made.state()
    dry = made.release(VERSION, "--dry-run", SOURCE_DATE_EPOCH="1900000000")
    assert (dry.returncode, made.state()) == (0, before), dry.stderr
    done = made.release(VERSION, SOURCE_DATE_EPOCH="1900000000")
    assert done.returncode == 0, done.stderr
    names = [Path(line).name for line in done.stdout.splitlines()]
    assert names == [SDIST, WHEEL, "SHA256SUMS"]
    assert f"git push --atomic REMOTE HEAD v{VERSION}" in done.stderr
    return made


def test_the_changelog_and_the_version_are_one_commit(released: Checkout) -> None:
    """What was unreleased has the version and the date; the tag is annotated with it."""
    assert released.git("log", "-1", "--format=%s") == f"release: {VERSION}"
    assert released.git("diff", "--name-only", "HEAD~1") == "CHANGELOG.md\nluggage/__init__.py"
    text = released.read("CHANGELOG.md")
    assert f"\n## Unreleased\n\n## {VERSION} (2030-03-17)\n\n### Fixed\n\n- Rehearsed.\n" in text
    old = (ROOT / "CHANGELOG.md").read_text()
    assert text.endswith(old.partition("## Unreleased\n")[2].lstrip("\n"))
    init = (ROOT / "luggage/__init__.py").read_text()
    assert released.read("luggage/__init__.py") == init.replace(__version__, VERSION)
    assert released.git("cat-file", "-t", f"v{VERSION}") == "tag"
    assert released.git("tag", "--format=%(contents)", "--list", f"v{VERSION}").startswith(
        f"luggage {VERSION}\n\nFixed\n\n- Rehearsed."
    )
    assert released.git("rev-parse", f"v{VERSION}^{{commit}}") == released.git("rev-parse", "HEAD")
    assert released.git("status", "--porcelain") == ""


def test_the_tag_gives_the_same_bytes_elsewhere(released: Checkout, tmp_path: Path) -> None:
    """Another path, umask, time zone, second and git; the sums are those of the files."""
    subprocess.run(["git", "clone", "-q", released.root, tmp_path / "else where"], check=True)
    other = Checkout(tmp_path / "else where")
    settings = tmp_path / "gitconfig"
    settings.write_text("[core]\n\tautocrlf = true\n")
    done = other.release(
        VERSION,
        "--rebuild",
        umask=0o077,
        TZ="Pacific/Kiritimati",
        LC_ALL="C",
        GIT_CONFIG_GLOBAL=str(settings),
    )
    assert done.returncode == 0, done.stderr
    there, here = (it.root / "dist" / VERSION for it in (other, released))
    for name in (SDIST, WHEEL, "SHA256SUMS"):
        assert (there / name).read_bytes() == (here / name).read_bytes(), name
    expected = [(hashlib.sha256((here / it).read_bytes()).hexdigest(), it) for it in (SDIST, WHEEL)]
    lines = (here / "SHA256SUMS").read_text().splitlines()
    assert [tuple(line.split("  ")) for line in lines] == expected


def test_the_wheel_holds_the_library_whole_and_nothing_else(released: Checkout) -> None:
    """Both islands, with their data files; no example and no test."""
    with zipfile.ZipFile(released.root / "dist" / VERSION / WHEEL) as archive:
        held = {it for it in archive.namelist() if ".dist-info/" not in it}
    assert held == set(released.git("ls-files", "luggage").splitlines())


def test_the_wheel_works_with_its_locked_dependencies(
    released: Checkout, wheels: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a fresh environment: its version, every module of it, and a command of either island."""
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheels))
    tools = ROOT / "luggage/buildpex/tools.txt"
    python = str(bootstrap.make(tmp_path / "venv", [ROOT / "requirements.txt", tools]))
    wheel = str(released.root / "dist" / VERSION / WHEEL)
    pip = [python, "-m", "pip", "install", "-q", "--no-deps", "--no-index", wheel]
    subprocess.run(pip, check=True)
    package = tmp_path / "shop"
    package.mkdir()
    (package / "__init__.py").touch()
    main = "import sys\nfrom luggage import commands\nsys.exit(commands.main(sys.argv, 'shop'))\n"
    (package / "__main__.py").write_text(main)

    def told(*words: str) -> str:
        clean = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
        return subprocess.run(
            [python, *words], cwd=tmp_path, env=clean, check=True, capture_output=True, text=True
        ).stdout

    assert told("-m", "luggage", "--version") == f"luggage {VERSION}\n"
    imported = told("-c", IMPORT_ALL).split()
    assert {"luggage.buildpex.pex", "luggage.configfile.write", "luggage.web.worker"} <= {*imported}
    assert told("-m", "shop", "healthy", "--help").startswith("usage: python -m PACKAGE healthy")
    assert told("-m", "shop", "lock", "--help").startswith("usage: python -m shop lock")
