"""The robot: a line every four seconds, as in the example's own deployment."""

from __future__ import annotations

import logging
import sys

from example_app.robot import Robot
from plain.clients import client


def main() -> None:
    """Run until TERM or INT comes."""
    logging.basicConfig(level=logging.INFO, stream=sys.stdout, format="%(levelname)s %(message)s")
    lines = client("example-lines", "LINES_API_KEY", timeout=5, attempts=6)
    Robot(lambda text: lines.add("lines", {"text": text}), 4.0).run()


if __name__ == "__main__":
    main()
