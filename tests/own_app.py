"""docs/own-app.md → its files and its commands, done word for word in a shell."""

from __future__ import annotations

import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "own-app.md"
# What stands between two blocks, then a block: its kind and its lines.
FENCE = re.compile(r"((?:(?!```).*\n)*)```([a-z]*)\n((?:(?!```).*\n)*)```\n")
NAMED = re.compile(r"^`([a-z_/]+\.py)`", re.MULTILINE)
FIRST = "LUGGAGE=$HOME/luggage"
CREATE = "./create"
DOCKER = 'docker run --rm -e SECRET_KEY="$(cat prod.key)" -p 8000:8000 shop'
PEX = 'SECRET_KEY="$(cat prod.key)" build/shop.pex start'
COPIED = (
    ".dockerignore",
    ".gitignore",
    "build.docker",
    "create",
    "requirements.in",
    "requirements.txt",
    "run.docker",
)
IDENTITY = {
    "GIT_AUTHOR_NAME": "T",
    "GIT_AUTHOR_EMAIL": "t@example.org",
    "GIT_COMMITTER_NAME": "T",
    "GIT_COMMITTER_EMAIL": "t@example.org",
}


@dataclass(frozen=True)
class Step:
    """A file to write, or a command to type."""

    file: str | None
    text: str


def steps() -> list[Step]:
    """What the page tells to do, in its order."""
    found = []
    for text, kind, block in FENCE.findall(PAGE.read_text("utf-8")):
        named = NAMED.findall(text)
        assert len(named) == (kind == "python"), f"{named}: not one file and its text"
        if kind == "python":
            (file,) = named
            found.append(Step(file, block))
        else:
            assert all(line.startswith("$ ") for line in block.splitlines()), block
            found += [Step(None, line[2:]) for line in block.splitlines()]
    return found


def follow(
    folder: Path, luggage: Path, *, image: str | None = None, **environ: str
) -> subprocess.CompletedProcess[str]:
    """Do it all in `folder`, with a checkout of luggage, up to what runs for ever.

    What `./create` says is in the result. `image` is another name for the image, so that a user's
    own stays where it is.
    """
    script = ["set -eu"]
    done = steps()
    assert [it.text for it in done if it.file is None][:1] == [FIRST]
    assert [it.text for it in done[-2:]] == [DOCKER, PEX]
    for number, step in enumerate(done[1:-2]):
        if step.text == CREATE and image:
            script.append(f"sed -i 's/^IMAGE=.*/IMAGE={image}/' create && git commit -qam image")
        if step.file is None:
            script.append(step.text)
            continue
        (folder / f"{number}.py").write_text(step.text, "utf-8")
        script.append(f'cp "{folder}/{number}.py" {step.file}')
    return subprocess.run(
        ["sh", "-c", "\n".join(script)],
        cwd=folder,
        env={**bare(), **IDENTITY, "LUGGAGE": str(luggage), **environ},
        check=False,
        capture_output=True,
        text=True,
    )


def bare() -> dict[str, str]:
    """The environment of a shell in which no virtual environment is active."""
    mine = str(ROOT / ".venv")
    path = ":".join(p for p in os.environ["PATH"].split(":") if not p.startswith(mine))
    return {k: v for k, v in os.environ.items() if k != "VIRTUAL_ENV"} | {"PATH": path}
