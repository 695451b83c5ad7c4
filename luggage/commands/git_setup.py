"""Set git up, in this clone, to merge config.py secret by secret."""

from __future__ import annotations

import os
import re
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path

from luggage.buildpex.git import Git
from luggage.commands.deployment import Deployment, current
from luggage.commands.words import Words, shown
from luggage.configfile import write
from luggage.errors import LuggageError

MAIN_OK = True

EXAMPLES = """\
Two branches that add secrets touch neighbouring lines, which git takes for a conflict. With this,
git merges config.py by environment and name, and the rest of it as text. What only people can
settle stays a conflict, and the message says for each name what to do.

It changes this clone alone: its .git/config and .git/info/attributes. So every clone needs it
once; one without it merges as text. It does nothing where all is set up.

--hook also has `check` run before every commit. A hook that is there is never overwritten.

examples:
  python -m {package} git-setup
  python -m {package} git-setup --hook
  python -m {package} git-setup --remove
"""
# A driver that cannot run leaves ours as if it were merged: then git's own merge does the work, and
# as nobody verified what came of it, it is a conflict even where its lines have none.
_DRIVER = (
    '(cd {root} && exec {run} merge-driver "$OLDPWD/%O" "$OLDPWD/%A" "$OLDPWD/%B" %P) || '
    "{{ grep -q '^<<<<<<< ' %A && exit 1; "
    "echo 'luggage: merged as text, which nothing verified: once `check` finds nothing, git add' "
    ">&2; git merge-file -L ours -L base -L theirs %A %O %B; exit 1; }}"
)
# `check` reads the file, so what is staged must be that.
_HOOK = """\
#!/bin/sh
{mark}
python={python}
if ! git diff --cached --quiet -- {path} && ! git diff --quiet -- {path}; then
    echo 'error: config.py: staged otherwise than it is, so it cannot be checked' >&2
    echo 'hint: git add it as it is, or git stash --keep-index' >&2
    exit 1
fi
cd {root} || exit 1
if ! command -v "$python" >/dev/null; then
    echo "error: hook pre-commit: $python is gone" >&2
    echo 'hint: python3 -m {package} git-setup --hook' >&2
    exit 1
fi
exec "$python" -m {package} check
"""


@dataclass(frozen=True)
class Plan:
    """What this clone's files are to hold."""

    driver: str
    command: str
    attributes: Path
    line: str
    hook: Path
    mark: str
    script: str
    check: str


def main(argv: list[str]) -> int:
    """Set the clone up, or take that back; says on stdout what was changed."""
    deployment = current()
    words = Words("git-setup", __doc__, EXAMPLES, deployment)
    words.add_argument("--hook", action="store_true", help="run `check` before every commit")
    words.add_argument("--remove", action="store_true", help="take everything back")
    options = words.read(argv[1:])
    git = Clone.of(deployment.folder.resolve(), os.environ)
    if git is None:
        raise LuggageError(
            f"{deployment.folder}: not in a git repository", "git init, or install git"
        )
    assert isinstance(git, Clone)  # noqa: S101 - `of` makes its own class
    plan = _plan(git, deployment)
    if options.remove:
        done = _remove(git, plan)
        print("\n".join(done) or "nothing of it was set up")
        return 0
    done = _set_up(git, plan, hook=options.hook)
    print("\n".join(done) or "all is set up already")
    return 0


class Clone(Git):
    """The repository of the deployment, and the settings of this clone of it."""

    def line(self, *words: str) -> str:
        """What git answers, in one line."""
        return os.fsdecode(self._run(*words)).removesuffix("\n")

    def path(self, name: str) -> Path:
        """Where git keeps a file of its own."""
        return Path(os.path.normpath(self.root / self.line("rev-parse", "--git-path", name)))

    def setting(self, name: str) -> str | None:
        """A setting of this clone's own, or None."""
        status, out, _ = self._capture("config", "--local", "--get", name)
        return None if status else os.fsdecode(out).removesuffix("\n")

    def set(self, name: str, value: str) -> None:
        """Change a setting of this clone."""
        self._run("config", "--local", name, value)

    def forget(self, section: str) -> bool:
        """Take a section of this clone's settings away; whether there was one."""
        return self._capture("config", "--local", "--remove-section", section)[0] == 0


def _plan(git: Clone, deployment: Deployment) -> Plan:
    inside = git.line("rev-parse", "--show-prefix")
    root = str(Path(inside).parent)
    python = shlex.quote(sys.executable)
    run = f"{python} -m {deployment.package}"
    if "%" in root + run:
        raise LuggageError(
            f"{deployment.folder}: git cannot call what has a '%' in its path", "move the checkout"
        )
    driver = f"luggage-{deployment.package}"
    path = shlex.quote(f":(top,literal){inside}{deployment.config.name}")
    mark = f"# luggage: `python -m {deployment.package} git-setup --remove` takes this hook away"
    return Plan(
        driver,
        _DRIVER.format(root=shlex.quote(root), run=run),
        git.path("info/attributes"),
        f"{_pattern(inside + deployment.config.name)} merge={driver}",
        git.path("hooks/pre-commit"),
        mark,
        _HOOK.format(
            mark=mark,
            path=path,
            root=shlex.quote(root),
            python=python,
            package=deployment.package,
        ),
        f"cd {shlex.quote(root)} && {run} check",
    )


def _pattern(path: str) -> str:
    """The pattern of gitattributes(5) for one path."""
    pattern = "/" + re.sub(r"([*?\[\\])", r"\\\1", path)
    if re.fullmatch(r"[!-~]+", pattern) and '"' not in pattern:
        return pattern
    if not path.isprintable():
        raise LuggageError(f"{path!r}: git cannot be told of such a name", "rename the folder")
    return '"' + pattern.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _set_up(git: Clone, plan: Plan, *, hook: bool) -> list[str]:
    there = _text(plan.hook)
    if hook and there and not _is_ours(there, plan):
        raise LuggageError(
            f"{shown(plan.hook)}: is there already, and is never overwritten",
            f"add to it: {plan.check}",
        )
    done = []
    settings = {
        f"merge.{plan.driver}.name": "the secrets of config.py, one by one",
        f"merge.{plan.driver}.driver": plan.command,
    }
    if any(git.setting(name) != value for name, value in settings.items()):
        for name, value in settings.items():
            git.set(name, value)
        done.append(f"{shown(git.path('config'))}: merge driver {plan.driver}")
    lines = (_text(plan.attributes) or "").splitlines()
    if plan.line not in lines:
        _replace(plan.attributes, [*lines, plan.line])
        done.append(f"{shown(plan.attributes)}: {plan.line}")
    merged_by = git.line("check-attr", "merge", "--", "config.py").rpartition(": ")[2]
    if merged_by != plan.driver:
        raise LuggageError(
            f"{shown(plan.attributes)}: git merges config.py by '{merged_by}', not by luggage",
            "remove the line that says so",
        )
    if hook and there != plan.script:
        plan.hook.parent.mkdir(parents=True, exist_ok=True)
        plan.hook.write_text(plan.script)
        plan.hook.chmod(0o755)
        done.append(f"{shown(plan.hook)}: `check` before every commit")
    return done


def _remove(git: Clone, plan: Plan) -> list[str]:
    done = []
    if git.forget(f"merge.{plan.driver}"):
        done.append(f"{shown(git.path('config'))}: merge driver {plan.driver} removed")
    lines = (_text(plan.attributes) or "").splitlines()
    if plan.line in lines:
        _replace(plan.attributes, [line for line in lines if line != plan.line])
        done.append(f"{shown(plan.attributes)}: its line removed")
    if _is_ours(_text(plan.hook) or "", plan):
        plan.hook.unlink()
        done.append(f"{shown(plan.hook)}: removed")
    return done


def _is_ours(script: str, plan: Plan) -> bool:
    """Whether a hook is one that this made, if for another interpreter, and nobody changed."""
    return _any_python(script) == _any_python(plan.script)


def _any_python(script: str) -> str:
    return re.sub(r"^python=.*", "", script, count=1, flags=re.MULTILINE)


def _text(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8", errors="surrogateescape")
    except FileNotFoundError:
        return None
    except OSError as error:
        raise LuggageError(f"{path}: cannot be read: {error.strerror}") from error


def _replace(path: Path, lines: list[str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    text = "".join(f"{line}\n" for line in lines)
    write.update(path, lambda _: text.encode("utf-8", "surrogateescape"))
