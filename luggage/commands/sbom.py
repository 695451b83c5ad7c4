"""Print the SBOM of an artifact: what is in it, for scanners, as CycloneDX JSON."""

from __future__ import annotations

import os
import re
import tempfile
from pathlib import Path

from luggage.commands import looking, words
from luggage.commands.deployment import current
from luggage.crypto import Secret
from luggage.errors import LuggageError

MAIN_OK = True

# What a terminal obeys is in no SBOM of ours.
_WRITTEN = re.compile(rb"[ -~]*\n")

EXAMPLES = """\
The bytes that were packed: wheels with version and hash, luggage, and of an image Debian's
packages. Nothing of the artifact is run, and nothing is proved about who made it: `verify` does
that first.

examples:
  python -m {package} sbom build/app.pex
  python -m {package} sbom app:latest --output app.cdx.json
  docker save registry.example.org/app -o app.tar && python -m {package} sbom app.tar
"""


def main(argv: list[str]) -> int:
    """Write the SBOM of the artifact argv[1] to stdout, or to a file, whose name is on stdout."""
    parser = words.Words("sbom", __doc__, EXAMPLES, current())
    looking.add(parser, "file")
    parser.add_argument("--output", metavar="FILE", type=Path, help="instead of stdout")
    options = parser.read(argv[1:])
    found = looking.load(options.file, dict(os.environ), image=options.image)
    if found.sbom is None:
        raise LuggageError(
            f"{found.name}: holds no SBOM: packed by an older luggage",
            "pack it anew: ./create --refresh",
        )
    if _WRITTEN.fullmatch(found.sbom) is None:
        raise LuggageError(
            f"{found.name}: its SBOM has bytes that luggage never writes there",
            "do not trust it: fetch it again, and verify it first",
        )
    if options.output is None:
        words.put_out("sbom", Secret(found.sbom))
    else:
        _write(options.output, found.sbom)
        print(words.shown(options.output.absolute()))
    return 0


def _write(path: Path, data: bytes) -> None:
    """Replace `path`, whole or not at all; raises LuggageError."""
    try:
        # Nobody else has a name in it, and the file in it has the mode that the umask says.
        with tempfile.TemporaryDirectory(prefix=".luggage-sbom-", dir=path.parent) as folder:
            temporary = Path(folder) / "sbom"
            temporary.write_bytes(data)
            temporary.replace(path)
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise LuggageError(f"{path}: cannot be written: {why}") from error
