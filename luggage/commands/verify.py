"""Prove, before it gets a key, that an artifact is what was signed; runs nothing of it."""

from __future__ import annotations

import argparse
import hashlib
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
from luggage.run.kernel import kin
from luggage.seal import artifact, configuration, verify
from luggage.seal.artifact import Artifact
from luggage.seal.verify import Given, Verdict, Wanted

MAIN_OK = True

VARIABLE = "VERIFY_KEY"
_DO_NOT = "do not run it, and give it no key"
_AGAIN = f"{_DO_NOT}: fetch it again, from where it was signed"
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
  python -m {package} verify build/app.pex --verify-key lugverify1.…
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
    found, verdict = _compared(options, wanted)
    _check(options.file, verdict.problems)
    if wanted.key is None:
        print(
            "warning: --unsigned: it agrees with its own seal, which anyone can make: nothing is "
            "proved about who made it",
            file=sys.stderr,
        )
    for word, fact in _facts(found, verdict, wanted):
        print(f"{word:<10}{fact}")
    return 0


def _compared(options: argparse.Namespace, wanted: Wanted) -> tuple[Artifact, Verdict]:
    """The artifact, and what was found; raises LuggageError where it cannot be compared."""
    outside, signed = _beside(options)
    try:
        path = Path(options.file)
        if outside is not None and path.is_file() and artifact.is_pex(path):
            # Nobody's zip is read that is not the sealed one.
            given = Given(outside, signed)
            _check(options.file, verify.ahead(_sha256(path), given, wanted))
        found = looking.load(options.file, dict(os.environ), image=options.image)
    except artifact.UnreadableError as error:
        raise _warned(error) from error
    try:
        return found, verify.verify(found, verify.given(found, outside, signed), wanted)
    except LuggageError as error:
        raise _warned(error) from error


def _check(file: str, problems: Sequence[str]) -> None:
    """Raise LuggageError where there are any."""
    if problems:
        told = verify.summary(problems)
        raise LuggageError(all_wrong(f"{file}: {it}" for it in told), _hint(problems))


def _hint(problems: Sequence[str]) -> str:
    package = current().package
    hint = None
    if all(it.startswith("configuration: Healthcheck is None") for it in problems):
        hint = (
            "the OCI format has no health checks: build with podman's --format docker, and save "
            "with --format docker-archive"
        )
    elif set(problems) == {verify.UNSIGNED}:
        hint = f"where it is yours to sign: python -m {package} sign; of an image, then: ./create"
    elif all(it.startswith("serial: none") for it in problems):
        hint = f"where it is yours to pack: python -m {package} serial --raise, and then anew"
    return f"{hint}\n{_DO_NOT}" if hint else _AGAIN


def _warned(error: LuggageError) -> LuggageError:
    """The same, with what not to do at the end."""
    return LuggageError(error.message, f"{error.hint}\n{_DO_NOT}" if error.hint else _AGAIN)


def _sha256(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise LuggageError(f"{path}: cannot be read: {error.strerror}") from error


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
    if never := [it for it in options.allow_env if configuration.loads(it)]:
        raise LuggageError(
            all_wrong(
                f"--allow-env {it}: says which code is loaded: never allowed" for it in never
            ),
            "make the image without it",
        )
    key = next(iter(found.values()), None)
    return Wanted(key, max(serials, default=None), tuple(options.allow_env))


def _beside(options: argparse.Namespace) -> tuple[bytes | None, bytes | None]:
    """Seal and signature, from the files that were named, or for a pex from beside it."""
    place, signed = options.seal, options.signature
    if artifact.is_pex(Path(options.file)) and place is None:
        beside = Path(options.file).parent / seal.FILE
        place = beside if beside.exists() else None
    if place is not None and signed is None:
        beside = place.with_name(f"{place.name}.sig")
        signed = beside if beside.exists() else None
    return (
        None if place is None else _seal(place),
        None if signed is None else write.read(signed),
    )


def _seal(place: Path) -> bytes:
    """The bytes of the seal in a file; raises LuggageError where it is none."""
    data = write.read(place)
    try:
        seal.parse(data)
    except LuggageError as error:
        raise _warned(LuggageError(f"{place}: {error.message}", error.hint)) from error
    return data


def _facts(found: Artifact, verdict: Verdict, wanted: Wanted) -> list[tuple[str, str]]:
    manifest = verdict.seal.manifest
    commit = "no commit" if manifest.commit is None else f"commit {manifest.commit}"
    least = "" if wanted.minimum_serial is None else f", {wanted.minimum_serial} or more asked for"
    whole = f"{verdict.files:,} files, {verdict.size / 1e6:.1f} MB"
    if found.kind == artifact.IMAGE:
        whole += f", in {len(found.layers)} layers, and the configuration"
    return [
        ("verified", f"{found.kind} {found.name}"),
        ("signed", "not checked: --unsigned" if wanted.key is None else f"by {wanted.key.id}"),
        ("project", f"{manifest.project}, {commit}{', dirty' if manifest.dirty else ''}"),
        ("serial", f"{'none' if manifest.serial is None else manifest.serial}{least}"),
        ("python", f"{manifest.python}, {manifest.platform}"),
        ("content", whole),
        *(
            ("allowed", f"{ascii(name)[1:-1]}={ascii(value)[1:-1]}")
            for name, value in configuration.variables(found.configuration or {}).items()
        ),
        ("pex", f"SHA-256 {verdict.seal.pex}"),
        *(
            [("image", found.id or f"sha256:{found.sha256}")]
            if found.kind == artifact.IMAGE
            else []
        ),
    ]
