"""A command's words → its options, echoing none: any may be a secret put there by mistake."""

from __future__ import annotations

import argparse
import os
import re
from typing import NoReturn

from luggage.commands.deployment import Deployment
from luggage.errors import UsageError
from luggage.proof import manifest

_SERIAL = re.compile(r"[1-9][0-9]{0,18}")
KEY = re.compile(r"lug(?:key|bundle|sign)[0-9]")


class Words(argparse.ArgumentParser):
    """The parser of one command, with its examples; `more` is what else they are filled with."""

    def __init__(
        self, command: str, about: str | None, epilog: str, deployment: Deployment, **more: str
    ):
        called = deployment.called(os.environ)
        examples = epilog.replace("python -m {package}", "{called}")
        super().__init__(
            prog=f"{called} {command}",
            description=about,
            epilog=examples.format(called=called, package=deployment.package, **more),
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        self.command = command

    def read(self, words: list[str]) -> argparse.Namespace:
        """The options; raises UsageError."""
        if any(KEY.match(word) for word in words):
            raise UsageError(
                f"{self.command}: a private key was given as an argument, where others can see it",
                "consider it leaked: rotate it; and give the name of a key file instead",
            )
        return self.parse_args(words)

    def error(self, message: str) -> NoReturn:
        """Refuse, without the words."""
        raise UsageError(
            f"{self.command}: these arguments cannot be read", self.format_usage().strip()
        )

    def serial(self, option: str, text: str | None) -> int | None:
        """The serial that was given with the option, if it was; raises UsageError."""
        if text is None:
            return None
        number = int(text) if _SERIAL.fullmatch(text) else 0
        if not 1 <= number <= manifest.MAX_SERIAL:
            raise UsageError(f"{option}: not a number from 1 to 2^63 - 1")
        return number

    def check_secret(self, name: str) -> None:
        """Refuse what cannot be a secret's name."""
        if not manifest.is_secret(name):
            raise UsageError(
                f"{self.command}: not the name of a secret", "A-Z, 0-9 and _, such as LINES_API_KEY"
            )
