"""Post a line every few seconds, for ever."""

from __future__ import annotations

import os

from example_app.client import Client
from example_app.robot import Robot, seconds
from example_deploy.config import SECRETS, App
from example_deploy.parts import account
from luggage.commands.arguments import Words
from luggage.commands.deployment import current
from luggage.run import beat, claim, logs, settings

MAIN_OK = True

EXAMPLES = """\
examples:
  SECRET_KEY="$(cat demo.key)" python -m {package} loop
  SECRET_KEY="$(cat demo.key)" API_URL=https://lines.example/1 python -m {package} loop --every 60

variables:
{variables}
"""


def main(argv: list[str]) -> int:
    """Run the robot until TERM or INT comes."""
    parser = Words("loop", __doc__, EXAMPLES, current(), variables=settings.describe(App))
    parser.add_argument(
        "--every", type=seconds, default=4.0, metavar="SECONDS", help="default: %(default)s"
    )
    options = parser.read(argv[1:])
    app = settings.read(App, os.environ)
    claim(os.environ)
    logs.configure(os.environ)
    # Six attempts last for five seconds: the stand-in starts at the same time as this.
    lines = Client(app.service, account(SECRETS.open(), "LINES_API_KEY"), attempts=6)
    Robot(lambda text: lines.add("lines", {"text": text}), options.every, beat=beat).run()
    return 0
