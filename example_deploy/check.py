"""Tell everything that is wrong with the secrets in config.py; needs no key."""

from __future__ import annotations

from pathlib import Path

from luggage.commands import check

MAIN_OK = True


def main(argv: list[str]) -> int:
    """Check this deployment's secrets; demo.key is published on purpose."""
    return check.main(argv, Path(__file__).with_name("config.py"), published=("demo.key",))
