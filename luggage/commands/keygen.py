"""Make the key of a new environment."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from pathlib import Path

from luggage.buildpex import process
from luggage.commands.deployment import current
from luggage.configfile import keygen
from luggage.errors import LuggageError

MAIN_OK = True

EXAMPLES = """\
Writes the private key to ENV.key beside the deployment's package, for its owner alone, and the
public key into config.py. A key is never overwritten. Keep a copy in a safe place, never in git:
with it every secret of the environment can be read, and without it none.

examples:
  python -m {package} keygen prod
  SECRET_KEY_FILE=prod.key python -m {package} start
"""
_IGNORED, _NOT_IGNORED = 0, 1


def main(argv: list[str], config: Path | None = None) -> int:
    """Make environment argv[1] in `config` or the deployment's own; the key file on stdout."""
    deployment = current()
    parser = argparse.ArgumentParser(
        prog=f"python -m {deployment.package} keygen",
        description=__doc__,
        epilog=EXAMPLES.format(package=deployment.package),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("env", metavar="ENV", help="such as prod: a-z, 0-9 and -")
    options = parser.parse_args(argv[1:])
    root = deployment.root.resolve()
    made = keygen.add(config or deployment.config, root, options.env, _ignored)
    print(made.path)
    print(
        f"note: key {made.key_id} opens environment '{options.env}': copy the file to a safe "
        "place; nothing can make it again",
        file=sys.stderr,
    )
    return 0


def _ignored(path: Path) -> bool:
    """Whether git ignores `path`, or there is no repository that it could be committed to."""
    if not any((folder / ".git").exists() for folder in path.parents):
        return True
    if shutil.which("git") is None:
        raise LuggageError(
            f"{path}: lies in a git repository, but there is no git to ask whether it is ignored",
            "install git",
        )
    status, _, err = process.capture(
        ["git", "check-ignore", "--quiet", "--", str(path)],
        environ={k: v for k, v in os.environ.items() if not k.startswith("GIT_")},
        cwd=path.parent,
        subject="git check-ignore",
    )
    if status not in (_IGNORED, _NOT_IGNORED):
        why = err.decode(errors="replace").strip()
        raise LuggageError(f"{path}: git cannot tell whether it is ignored: {why}")
    return status == _IGNORED
