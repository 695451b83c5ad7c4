"""Make the key that releases are signed with."""

from __future__ import annotations

import sys

from luggage.commands import words
from luggage.commands.deployment import current
from luggage.configfile import signingkey
from luggage.crypto import names
from luggage.errors import UsageError
from luggage.run.kernel import kin

MAIN_OK = True

EXAMPLES = """\
Writes the signing key to NAME.sign.key beside the deployment's package, for its owner alone, and
the verify key to NAME.verify and to stdout. Whoever has the signing key can sign releases: keep it
off the machines that run them, and never in git. The verify key is no secret: `verify` asks for it,
and `bundle` puts it beside a private key.

examples:
  python -m {package} signing-key release
  python -m {package} signing-key release --public          its verify key, once more
  python -m {package} signing-key release --public --pem    the same, for openssl
"""


def main(argv: list[str]) -> int:
    """Make the signing key argv[1]; its verify key on stdout."""
    deployment = current()
    parser = words.Words("signing-key", __doc__, EXAMPLES, deployment)
    parser.add_argument("name", metavar="NAME", help="such as release: a-z, 0-9 and -")
    parser.add_argument("--public", action="store_true", help="of the key that is there: make none")
    parser.add_argument("--pem", action="store_true", help="the verify key as PEM")
    options = parser.read(argv[1:])
    if not names.is_place(options.name):
        raise UsageError(
            "signing-key: the name is not lower-case letters, digits and '-'", "such as: release"
        )
    kin.hide()
    path = deployment.root.resolve() / f"{options.name}{signingkey.SUFFIX}"
    if options.public:
        key = signingkey.read(
            path, f"to make one: python -m {deployment.package} signing-key {options.name}"
        )
    else:
        key = signingkey.make(path, words.ignored)
        print(
            f"note: {words.shown(path)} has the signing key {key.public.id}: copy it to a safe "
            "place; nothing can make it again",
            file=sys.stderr,
        )
    print(signingkey.pem(key.public) if options.pem else key.public.dump())
    return 0
