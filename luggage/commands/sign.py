"""Sign what was packed: the seal, which names all of it."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from luggage.commands import keyed, words
from luggage.commands.deployment import current
from luggage.configfile import signingkey, write
from luggage.errors import LuggageError
from luggage.proof import seal, signature
from luggage.run.kernel import kin

MAIN_OK = True

KEY = "SIGNING_KEY_FILE"
EXAMPLES = """\
Reads the seal and the signing key, and no other file of the project: so it can be done on a machine
that has nothing else. The signature is written beside the seal, as SEAL.sig. A seal of sources that
differ from their commit is refused.

examples:
  SIGNING_KEY_FILE=release.sign.key python -m {package} sign
  python -m {package} sign /media/usb/seal.json --key release.sign.key
  ./create                                           puts the signature into the image
"""


def main(argv: list[str]) -> int:
    """Sign the seal argv[1], or the one in build; the signature's file on stdout."""
    deployment = current()
    parser = words.Words("sign", __doc__, EXAMPLES, deployment)
    parser.add_argument(
        "seal", metavar="SEAL", nargs="?", type=Path, help=f"default: build/{seal.FILE}"
    )
    parser.add_argument("--key", metavar="FILE", type=Path, help=f"instead of {KEY}")
    options = parser.read(argv[1:])
    path = options.seal or words.shown(deployment.root.resolve() / "build" / seal.FILE)
    file = options.key or (Path(os.environ[KEY]) if os.environ.get(KEY) else None)
    hint = (
        f"{KEY}=release.sign.key python -m {deployment.package} sign\n"
        f"where there is none yet: python -m {deployment.package} signing-key release"
    )
    if file is None:
        raise LuggageError(f"sign: no key: {KEY} is not set", hint)
    kin.hide()
    key = signingkey.read(file, hint)
    keyed.warn_of_readers(file)
    data = write.read(path)
    try:
        told = seal.parse(data).manifest
    except LuggageError as error:
        raise LuggageError(f"{path}: {error.message}", error.hint) from error
    made = signature.sign(data, key)
    place = path.with_name(f"{path.name}.sig")
    if _put(place, made):
        print(f"note: {place}: replaced the signature that was there", file=sys.stderr)
    serial = "no serial" if told.serial is None else f"serial {told.serial}"
    print(
        f"signed by {key.public.id}: {told.project}, commit {told.commit or '':.12}, {serial}",
        file=sys.stderr,
    )
    if told.serial is None:
        print(
            "note: a key bundle with a verify key starts no release without a serial: "
            f"python -m {deployment.package} serial --raise",
            file=sys.stderr,
        )
    print(place)
    return 0


def _put(place: Path, data: bytes) -> bool:
    """Write the file whole or not at all; whether another signature stood there."""
    temporary = place.with_name(f".{place.name}.{os.getpid()}.tmp")
    try:
        before = place.read_bytes() if place.exists() else data
        try:
            temporary.write_bytes(data)
            temporary.replace(place)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise LuggageError(f"{place}: cannot be written: {error.strerror}") from error
    return before != data
