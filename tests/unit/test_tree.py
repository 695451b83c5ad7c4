"""What must not stand anywhere in what git tracks."""

from __future__ import annotations

import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# In two parts, or this file would hold it.
EXAMPLE = "s3" + "cret"


def test_the_value_that_a_newcomer_seals_stands_nowhere() -> None:
    """So that whoever seals that very value, and looks for it, finds nothing but a leak."""
    done = subprocess.run(
        ["git", "grep", "--untracked", "-l", "-a", "-F", EXAMPLE],
        cwd=ROOT,
        check=False,
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout) == (1, "")
