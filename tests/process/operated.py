"""What an operator types, while a real supervisor runs."""

from __future__ import annotations

import subprocess
import sys

from running import PACKAGE, Made


def ctl(made: Made, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """`ctl WORDS` in the environment of the deployment."""
    return subprocess.run(
        [sys.executable, "-W", "error", "-m", PACKAGE, "ctl", *words],
        cwd=made.folder,
        env=made.environ() | variables,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
