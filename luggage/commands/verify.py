"""Prove, before it gets a key, that an artifact is what was signed; runs nothing of it."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from luggage.commands import looking, verifying, words
from luggage.commands.deployment import current
from luggage.configfile import keyfile, write
from luggage.crypto.signing import VerifyKey
from luggage.errors import LuggageError, UsageError, all_wrong
from luggage.proof import seal
from luggage.run import kin
from luggage.seal import artifact, verify
from luggage.seal.artifact import Artifact
from luggage.seal.verify import Verdict, Wanted

MAIN_OK = True

VARIABLE = "VERIFY_KEY"
EXAMPLES = """\
Compares everything with the seal, and the seal with its signature: every byte of a pex; of an image
each file, folder and link with mode and owner, and how it is started. Needs no network, and for a
file no engine. Do it where you deploy, before the artifact gets its key.

A pex has its seal and signature beside it (seal.json, seal.json.sig), an image in it. The verify
key is what `signing-key` printed: a text, a file with it, or in VERIFY_KEY; a key bundle may hold
it.

What was verified is what `image` names on stdout, and not what the name names later: run that. Of a
file that is to be loaded: load it, verify it by its name, run what `image` named.

examples:
  python -m {package} verify build/{package}.pex --verify-key lugverify1.…
  python -m {package} verify registry.example.org/app@sha256:… --verify-key release.verify
  docker load -i app.tar && python -m {package} verify app:latest --key prod.key --allow-env TZ
"""


def main(argv: list[str]) -> int:
    """Verify the artifact argv[1]; one line a fact on stdout."""
    parser = words.Words("verify", __doc__, EXAMPLES, current())
    looking.add(parser, "file")
    parser.add_argument("--verify-key", metavar="KEY", help=f"instead of {VARIABLE}; or a file")
    parser.add_argument("--key", metavar="FILE", type=Path, help="a key bundle with a verify key")
    parser.add_argument("--seal", metavar="FILE", type=Path, help="default: beside a pex")
    parser.add_argument("--signature", metavar="FILE", type=Path, help="default: SEAL.sig")
    parser.add_argument("--minimum-serial", metavar="N", help="refuse what is older")
    parser.add_argument(
        "--allow-env",
        metavar="NAME",
        action="append",
        default=[],
        help="a variable that the image may set; as often as needed",
    )
    parser.add_argument(
        "--unsigned", action="store_true", help="prove nothing about who made it: no verify key"
    )
    options = parser.read(argv[1:])
    wanted = _wanted(options, parser.serial("--minimum-serial", options.minimum_serial))
    found = looking.load(options.file, dict(os.environ), image=options.image)
    given = verify.given(found, *_beside(found, options))
    verdict = verify.verify(found, given, wanted)
    if verdict.problems:
        told = verify.summary(verdict.problems)
        raise LuggageError(
            all_wrong(f"{options.file}: {it}" for it in told),
            _hint(verdict.problems),
        )
    if wanted.key is None:
        print(
            "warning: --unsigned: it agrees with its own seal, which anyone can make: nothing is "
            "proved about who made it",
            file=sys.stderr,
        )
    for word, fact in _facts(found, verdict, wanted):
        print(f"{word:<10}{fact}")
    return 0


def _hint(problems: Sequence[str]) -> str:
    if all(it.startswith("configuration: Healthcheck is None") for it in problems):
        return (
            "the OCI format has no health checks: build with podman's --format docker, and save "
            "with --format docker-archive"
        )
    return "do not run it, and give it no key: fetch it again, from where it was signed"


def _wanted(options: argparse.Namespace, minimum: int | None) -> Wanted:
    """What is asked for; verify keys from several places must be one."""
    serials = [] if minimum is None else [minimum]
    found: dict[str, VerifyKey] = {}
    if options.verify_key is not None:
        found["--verify-key"] = verifying.key(options.verify_key, "--verify-key")
    elif os.environ.get(VARIABLE) and not options.unsigned:
        found[VARIABLE] = verifying.key(os.environ[VARIABLE], VARIABLE)
    if options.key is not None:
        kin.hide()
        bundle = keyfile.read(options.key)
        if bundle.verify_key is None:
            raise LuggageError(
                f"{options.key}: holds no verify key",
                "put one in with `bundle … --verify-key`, or add: --verify-key lugverify1.…",
            )
        found[str(options.key)] = VerifyKey(bundle.verify_key)
        serials += [] if bundle.minimum_serial is None else [bundle.minimum_serial]
    if len(set(found.values())) > 1:
        raise LuggageError(f"{' and '.join(found)}: different verify keys", "give the right one")
    if options.unsigned and found:
        raise UsageError("verify: --unsigned and a verify key", "leave out one of the two")
    if not found and not options.unsigned:
        raise LuggageError(
            "verify: no verify key, so nothing can be proved",
            "add --verify-key lugverify1.…, which `signing-key` printed where it was signed;\n"
            "or --unsigned, to look for damage alone",
        )
    key = next(iter(found.values()), None)
    return Wanted(key, max(serials, default=None), tuple(options.allow_env))


def _beside(found: Artifact, options: argparse.Namespace) -> tuple[bytes | None, bytes | None]:
    """Seal and signature, from the files that were named, or for a pex from beside it."""
    place, signed = options.seal, options.signature
    if found.kind == artifact.PEX and place is None:
        beside = Path(options.file).parent / seal.FILE
        place = beside if beside.exists() else None
    if place is not None and signed is None:
        beside = place.with_name(f"{place.name}.sig")
        signed = beside if beside.exists() else None
    return (
        None if place is None else write.read(place),
        None if signed is None else write.read(signed),
    )


def _facts(found: Artifact, verdict: Verdict, wanted: Wanted) -> list[tuple[str, str]]:
    manifest = verdict.seal.manifest
    commit = "no commit" if manifest.commit is None else f"commit {manifest.commit}"
    least = "" if wanted.minimum_serial is None else f", {wanted.minimum_serial} or more asked for"
    whole = f"{verdict.files:,} files, {verdict.size / 1e6:.1f} MB"
    if found.kind == artifact.IMAGE:
        whole += f", in {len(found.layers)} layers, and the configuration"
    return [
        ("verified", f"{found.kind} {found.name}"),
        ("signed", "by nobody that was asked for" if wanted.key is None else f"by {wanted.key.id}"),
        ("project", f"{manifest.project}, {commit}{', dirty' if manifest.dirty else ''}"),
        ("serial", f"{'none' if manifest.serial is None else manifest.serial}{least}"),
        ("python", f"{manifest.python}, {manifest.platform}"),
        ("content", whole),
        ("pex", f"SHA-256 {verdict.seal.pex}"),
        *(
            [("image", found.id or f"sha256:{found.sha256}")]
            if found.kind == artifact.IMAGE
            else []
        ),
    ]
