"""Seal a secret into config.py; needs no key."""

from __future__ import annotations

from pathlib import Path

from luggage.commands import encrypt

MAIN_OK = True


def main(argv: list[str]) -> int:
    """Seal the value given by prompt or stdin as argv[1] of this deployment."""
    return encrypt.main(argv, Path(__file__).with_name("config.py"))
