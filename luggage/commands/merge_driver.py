"""Merge config.py entry by entry; git calls it, once `git-setup` was run."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

from luggage.buildpex import process
from luggage.commands.arguments import Words
from luggage.commands.deployment import current
from luggage.configfile import grammar, merge, write
from luggage.configfile.module import NAME, ConfigError
from luggage.errors import LuggageError, all_wrong

MAIN_OK = True

EXAMPLES = """\
git gives it the files and their path. It writes the result over OURS. Exit status: 0 where all is
merged, 1 where people must settle something: OURS has conflict markers then, and stderr says, for
each name, what to do.

example:
  python -m {package} merge-driver BASE OURS THEIRS deploy/config.py
"""
_MERGE_FILE = ("git", "merge-file", "-p", "-L", "ours", "-L", "base", "-L", "theirs")
_MOST_CONFLICTS = 127  # git merge-file's status is their number, up to this


def main(argv: list[str]) -> int:
    """Merge the versions in the files argv[1] (the base), argv[2] (ours) and argv[3] (theirs)."""
    parser = Words("merge-driver", __doc__, EXAMPLES, current())
    for name in ("base", "ours", "theirs"):
        parser.add_argument(name, metavar=name.upper(), type=Path)
    parser.add_argument("path", metavar="PATH", help="what the file is called in the repository")
    options = parser.read(argv[1:])
    texts = [write.read(path) for path in (options.base, options.ours, options.theirs)]
    try:
        plan = merge.plan(*texts)
    except ConfigError as error:
        return _as_text(options.ours, texts, _about(options.path, error))
    clean, merged = _text_merge(plan.base, plan.ours, plan.theirs)
    if not clean and not plan.conflicts:
        plan = plan.aligned()
        clean, merged = _text_merge(plan.base, plan.ours, plan.theirs)
    if clean and not plan.conflicts and plan.proved(merged):
        options.ours.write_bytes(merged)
        return 0
    if clean or (plan.conflicts and not plan.shown(merged)):
        merged = merge.whole(plan.ours, plan.theirs)
    options.ours.write_bytes(merged)
    raise _problem(options.path, plan)


def _problem(path: str, plan: merge.Plan) -> LuggageError:
    if not plan.conflicts:
        return LuggageError(
            f"{path}: the two sides do not fit together, beside their secrets",
            "settle what stands between the conflict markers, then: git add",
        )
    hints = [f"{it.subject}: {it.hint}" for it in plan.conflicts]
    return LuggageError(
        all_wrong(f"{path}: {it.message}" for it in plan.conflicts),
        all_wrong([*hints, f"then: git add {path}"]),
    )


def _about(path: str, error: ConfigError) -> str:
    return f"{path}: {error.message.removeprefix('config.py: ')}"


def _as_text(ours: Path, texts: list[bytes], why: str) -> int:
    """Git's own merge, for what is no config module: nothing is known of its secrets."""
    clean, merged = _text_merge(*texts)
    ours.write_bytes(merged)
    told = f"{why}: merged as text, not by its secrets"
    if clean and NAME.encode() in merged:
        try:
            grammar.read(merged)
        except ConfigError as error:
            wrong = error.message.removeprefix("config.py: ")
            raise LuggageError(
                f"{told}; what came of it is refused: {wrong}",
                "mend it; once `check` finds nothing: git add",
            ) from None
    print(f"note: {told}: look at it", file=sys.stderr)
    return 0 if clean else 1


def _text_merge(base: bytes, ours: bytes, theirs: bytes) -> tuple[bool, bytes]:
    """What `git merge-file` makes of three texts, and whether it found no conflict."""
    with tempfile.TemporaryDirectory(prefix="luggage-merge-") as name:
        folder = Path(name)
        for version, text in (("ours", ours), ("base", base), ("theirs", theirs)):
            (folder / version).write_bytes(text)
        status, out, err = process.capture(
            [*_MERGE_FILE, "ours", "base", "theirs"],
            environ={k: v for k, v in os.environ.items() if not k.startswith("GIT_")},
            cwd=folder,
            subject="git merge-file",
        )
    if not 0 <= status <= _MOST_CONFLICTS:
        raise LuggageError(f"git merge-file: {err.decode(errors='replace').strip()}")
    return status == 0, out
