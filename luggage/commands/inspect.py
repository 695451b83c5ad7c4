"""Show what is in an artifact, and whether this key opens its secrets; runs nothing of it."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

from luggage.commands import keyed, looking, words
from luggage.commands.deployment import current
from luggage.configfile import grammar, unlock, write
from luggage.configfile.unlock import Given
from luggage.crypto.errors import SecretError
from luggage.crypto.signing import VerifyKey
from luggage.errors import LuggageError
from luggage.proof import seal, signature
from luggage.seal import artifact, contents
from luggage.seal.artifact import Artifact

MAIN_OK = True

_VERIFY = "`verify` tells whether it is this artifact's"
EXAMPLES = """\
Project, commit, serial, Python; wheels, Debian's packages, layers and sizes; environments and the
names of their secrets, never a value. With a key (SECRET_KEY_FILE=PATH, or SECRET_KEY) also whether
it opens them. Nothing is proved about who made it: `verify` does that.

examples:
  python -m {package} inspect build/app.pex
  SECRET_KEY_FILE=prod.key python -m {package} inspect app:latest
  python -m {package} inspect app.tar --json | jq .wheels
"""


def main(argv: list[str]) -> int:
    """Describe the artifact argv[1] on stdout."""
    parser = words.Words("inspect", __doc__, EXAMPLES, current())
    looking.add(parser, "file")
    parser.add_argument("--json", action="store_true", help="everything, as one JSON object")
    options = parser.read(argv[1:])
    given = _key()
    found = looking.load(options.file, dict(os.environ), image=options.image, squeeze=True)
    told = contents.document(found, _secrets(found, given), _signed(found, given))
    print(json.dumps(told, indent=2) if options.json else contents.page(told))
    return 0


def _key() -> Given | None:
    """The keys that the key sources hold, or None; one that cannot be read is an error."""
    try:
        return keyed.given(os.environ)
    except SecretError as error:
        if error.reason != "no-key":
            raise
    return None


def _secrets(found: Artifact, given: Given | None) -> list[dict[str, Any]]:
    """Each environment of the packed config module, read as text, with the names of its secrets."""
    if found.config is None:
        return []
    try:
        config = grammar.read(found.config)
    except LuggageError as error:
        if found.manifest.sealed:
            print(f"warning: the packed config module: {error.message}", file=sys.stderr)
        return []
    keys = unlock.opened(config, given) if given else {}
    told = []
    for environment, there in config.environments.items():
        secrets = []
        for name in there.values:
            opens = None
            if given is not None:
                opens = environment in keys
            if environment in keys:
                try:
                    unlock.value(config, environment, name, keys[environment])
                except SecretError:
                    opens = False
            secrets.append({"name": name, "opens": opens})
        told.append(
            {
                "environment": environment,
                "key_id": unlock.ids(config)[environment],
                "epoch": there.epoch,
                "opens": None if given is None else environment in keys,
                "secrets": secrets,
            }
        )
    return told


def _signed(found: Artifact, given: Given | None) -> str:
    """Whether there is a seal of it and a signature, and by whom, as far as the key bundle tells.

    Only `verify` compares the seal with everything in the artifact.
    """
    sealed, signed = _beside(found)
    if why := _not_its_own(found, sealed):
        return f"no: {why}"
    if sealed is None or signed is None:
        return "no"
    bundle = None if given is None else given.bundle.verify_key
    if bundle is None:
        return f"its seal has a signature; {_VERIFY}"
    key = VerifyKey(bundle)
    try:
        signature.check(sealed, signed, key)
    except LuggageError:
        return f"its seal is not signed by {key.id}, the verify key of this key bundle"
    return f"its seal is signed by {key.id}; {_VERIFY}"


def _not_its_own(found: Artifact, sealed: bytes | None) -> str:
    """Why the seal cannot be that of the artifact, or nothing."""
    if sealed is None:
        return "without a seal"
    try:
        told = seal.parse(sealed)
    except LuggageError as error:
        beside = Path(found.name).parent / seal.FILE
        place = beside if found.kind == artifact.PEX else f"{seal.FOLDER}/{seal.FILE}"
        return f"{place}: {error.message}"
    same = told.manifest == found.manifest
    if found.kind == artifact.PEX:
        same = same and told.pex == found.sha256
    return "" if same else "its seal is another artifact's, or it was changed"


def _beside(found: Artifact) -> tuple[bytes | None, bytes | None]:
    if found.kind == artifact.IMAGE:
        return found.seal, found.signature
    folder = Path(found.name).parent
    return tuple(  # type: ignore[return-value]
        write.read(path) if path.exists() else None
        for path in (folder / seal.FILE, folder / seal.SIGNATURE)
    )
