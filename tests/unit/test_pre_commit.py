"""The hook for pre-commit, as pre-commit runs it: the package, what it requires, and no more."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest
from depots import HEAD

from luggage.configfile import splice
from luggage.crypto import Secret, envelope, keys

ROOT = Path(__file__).parent.parent.parent
MAIN = """\
import sys
from luggage import commands
sys.exit(commands.main(sys.argv, "deploy"))
"""


def required(*names: str) -> set[str]:
    """The distributions that `names` need, all the way down, without any extra."""
    found: set[str] = set()
    waiting = list(names)
    while waiting:
        name = re.sub(r"[-_.]+", "-", waiting.pop()).lower()
        try:
            lines = metadata.requires(name) or []
        except metadata.PackageNotFoundError:
            continue  # for another system, or another Python
        if name not in found:
            found.add(name)
            waiting += [re.split(r"[^\w.-]", it)[0] for it in lines if "extra ==" not in it]
    return found


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of a virtual environment into which only the library was installed."""
    folder = tmp_path_factory.mktemp("hook")
    source = folder / "source"
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "luggage", source / "luggage", ignore=ignored)
    for name in ("setup.py", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder / "venv"], check=True)
    (site,) = (folder / "venv" / "lib").glob("python*/site-packages")
    build = [sys.executable, "-W", "ignore", "setup.py", "-q", "build", "--build-lib", str(site)]
    subprocess.run(build, cwd=source, check=True)
    asked = re.search(r"install_requires=\[(.*?)\]", (ROOT / "setup.py").read_text(), re.DOTALL)
    assert asked is not None
    for name in required(*re.findall(r'"([\w-]+)', asked[1])):
        for file in metadata.files(name) or ():
            top = site / file.parts[0]
            if file.parts[0] not in ("..", "__pycache__") and not top.exists():
                top.symlink_to(
                    Path(str(file.locate())).parents[len(file.parts) - 2]
                    if len(file.parts) > 1
                    else Path(str(file.locate()))
                )
    return folder / "venv" / "bin" / "python"


def test_the_hook_finds_a_value_in_clear(python: Path, tmp_path: Path) -> None:
    """In a repository whose deployment is `deploy`: it passes, and with a planted value it fails;
    the value is not shown.
    """
    text = (ROOT / ".pre-commit-hooks.yaml").read_text()
    (entry,) = re.findall(r"^  entry: (.*)$", text, re.MULTILINE)
    config = tmp_path / "deploy" / "config.py"
    config.parent.mkdir()
    (config.parent / "__init__.py").touch()
    (config.parent / "__main__.py").write_text(MAIN)
    key = keys.generate()
    source = splice.add_environment(HEAD.encode(), "demo", key.public.dump())
    sealed = {
        name: envelope.seal(
            Secret(b"v"), "text", envelope.Context("thing", "demo", name, key.public, 1)
        )
        for name in ("LINES_API_KEY", "MOOD_API_KEY")
    }
    good = splice.put_many(source, "demo", sealed).decode()
    environ = {
        "PATH": f"{python.parent}{os.pathsep}{os.environ['PATH']}",
        "HOME": str(tmp_path / "home"),
        "VIRTUAL_ENV": str(python.parent.parent),
    }
    what = "import luggage, importlib.util as u; print(luggage.__file__, u.find_spec('pex'))"
    there = subprocess.run(
        ["python", "-c", what], cwd=tmp_path, env=environ, check=True, capture_output=True
    ).stdout.decode()
    assert there.startswith(str(python.parent.parent))
    assert there.endswith(" None\n"), "nothing but what the library requires"
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@b"]
    config.write_text(good)
    subprocess.run([*git, "init", "-q"], cwd=tmp_path, check=True)
    subprocess.run([*git, "add", "-A"], cwd=tmp_path, check=True)
    subprocess.run([*git, "commit", "-q", "-m", "m"], cwd=tmp_path, env=environ, check=True)
    for planted, status in ((good, 0), (good.replace(sealed["MOOD_API_KEY"], "hunter2"), 1)):
        config.write_text(planted)
        subprocess.run([*git, "add", "-A"], cwd=tmp_path, check=True)
        done = subprocess.run(
            entry.split(), cwd=tmp_path, env=environ, check=False, capture_output=True, text=True
        )
        assert done.returncode == status, done.stdout + done.stderr
        assert ("MOOD_API_KEY" in done.stdout + done.stderr) == bool(status)
        assert "hunter2" not in done.stdout + done.stderr
        assert "Traceback" not in done.stderr
