"""`python -m luggage COMMAND …` in an artifact → a command of the deployment that it holds.

So an image needs no name of a package in its entry point: the manifest has it.
"""

from __future__ import annotations

import gc
import os
import sys

from luggage import __version__, bootstrap

if __name__ == "__main__":
    if sys.argv[1:] == ["--version"]:  # in a bare checkout, too, where the imports below fail
        print(f"luggage {__version__}")
        sys.exit()
    bootstrap.heed_term()  # before the imports below, which take PID 1 a while
    gc.disable()  # imports leave no garbage to speak of; it is on again before a command runs
    if sys.argv[1:2] == ["start"]:
        # What the web server imports takes longest, and executing this anew would import all of
        # the below twice. So these two come first.
        from luggage.run.start import handover, warm

        warm.begin(os.environ, [sys.executable, "-I", "-m", "luggage", "gunicorn"])
        handover.claim_early(os.environ)

from pathlib import Path

from luggage import commands, proof
from luggage.errors import LuggageError
from luggage.proof import manifest


def entry(folder: Path) -> str:
    """The package that the manifest in `folder` names; raises LuggageError where there is none."""
    try:
        return proof.parse((folder / manifest.FILE).read_bytes()).entry
    except FileNotFoundError:
        raise LuggageError(
            f"manifest {folder / manifest.FILE}: there is none, so this is no artifact",
            "in a checkout: python -m deploy …",
        ) from None
    except OSError as error:
        raise LuggageError(f"manifest {error.filename}: {error.strerror}", "pack again") from error


def main(argv: list[str]) -> int:
    """Run the command that `argv[1:]` names, and return its exit status."""
    try:
        package = entry(Path(__file__).resolve().parent.parent)
    except LuggageError as error:
        print(error.render(), file=sys.stderr)
        return error.status
    return commands.main(argv, package)


if __name__ == "__main__":
    sys.exit(main(sys.argv))
