"""API keys → the digests in `accounts.json` by which the stand-in accepts them.

    printf %s "$NEW_KEY" | python3 -m example_app.accounts example-lines

adds one. Needs nothing but Python, so that it works on a bare machine.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from pathlib import Path
from typing import Any, TextIO

FILE = Path(__file__).with_name("accounts.json")


def load(file: Path = FILE) -> dict[str, dict[str, Any]]:
    """By application id: `accepts`, digests of its keys; `seeds`, first objects of its classes."""
    accounts: dict[str, dict[str, Any]] = json.loads(file.read_text(encoding="utf-8"))
    return accounts


def digest(key: str) -> str:
    """SHA-256 of a key, in hex. Fit for long random keys; a short one can be guessed from it."""
    return hashlib.sha256(key.encode("utf-8")).hexdigest()


def accept(application: str, key: str, file: Path = FILE) -> bool:
    """Make the stand-in accept `key` for `application` as well; False where it does already."""
    accounts = load(file)
    accepts = accounts[application]["accepts"]
    if digest(key) in accepts:
        return False
    accepts.append(digest(key))
    new = file.with_name(f".{file.name}.new")
    new.write_text(json.dumps(accounts, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    os.replace(new, file)  # noqa: PTH105 - the name says that it is atomic
    return True


def main(argv: list[str], stdin: TextIO) -> int:
    """`APPLICATION`, and a key on stdin (a last line feed is not part of it) → one more digest."""
    names = load()
    if len(argv) != 2 or argv[1] not in names:
        sys.stderr.write(f"{__doc__}\napplications: {', '.join(names)}\n")
        return 2
    key = stdin.read().removesuffix("\n")
    if not key:
        sys.stderr.write("error: no key on stdin\n")
        return 1
    how = "accepts it now" if accept(argv[1], key) else "accepted it before"
    sys.stdout.write(f"{argv[1]}: {how}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv, sys.stdin))
