"""Tell everything that is wrong with the secrets in config.py; needs no key."""

from __future__ import annotations

import ast
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from luggage.commands import past, pinning, repository, words
from luggage.commands.deployment import current
from luggage.commands.repository import RECENT, Repository
from luggage.configfile import check, history, pins, write
from luggage.configfile.check import Problem
from luggage.configfile.history import Past
from luggage.configfile.model import Config
from luggage.configfile.pins import Pin, Place
from luggage.crypto import keys
from luggage.crypto.errors import SecretError
from luggage.errors import LuggageError, all_wrong
from luggage.proof import serial

MAIN_OK = True

EXAMPLES = f"""\
For CI and for a pre-commit hook. It is an error where
  - SECRETS is not in the form that luggage writes: computed, twice, or anything besides;
  - a value is not sealed, only looks so, is damaged, or is sealed to another environment's key;
  - a name in `required` has no value in some environment;
  - a public key changed and its epoch did not go on, or an epoch went back: against HEAD, the
    last {RECENT} commits that touched config.py (with --deep all of them, which takes longer), and
    where --base is given, the commit at which this branch left that one;
  - a public key is not the one this user sealed to before (where there are pins: not in CI);
  - SERIAL is there, and not a plain number that packing takes;
  - a file that git tracks holds the private key of an environment, of now or of before.

Names are made of A-Z, 0-9 and _ alone, so none can be faked with letters of another script.
A key that is public on purpose, such as a demonstration's, is allowed by --allow-key FILE, or for
good by a module check.py in the deployment that calls this one's main with published=("FILE",).

It needs git for the commits and the tracked files; what it had to leave out, it says.

examples:
  python -m {{package}} check
  python -m {{package}} check --base origin/main
  python -m {{package}} check --allow-key demo.key
"""
UNKNOWN = """\
note: no check without a key can tell who sealed a value, or whether it is the right one;
  nor does it look for keys and plaintext in old commits, or for names the code asks for that
  `required` leaves out; damage inside a sealed value, or two values swapped, shows only with
  the key: SECRET_KEY_FILE=KEY python -m deploy secrets"""
_MOST_HINTS = 8


@dataclass
class _Findings:
    """What is wrong, and what could not be looked at."""

    problems: list[str] = field(default_factory=list)
    hints: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)

    def add(self, problem: Problem) -> None:
        self.problems.append(str(problem))
        if problem.hint:
            self.hints.append(problem.hint)


def main(argv: list[str], config: Path | None = None, published: Sequence[str] = ()) -> int:
    """Check `config` or the deployment's own; `published` are key files, beside the deployment's
    package, that are public on purpose.
    """
    deployment = current()
    parser = words.Words("check", __doc__, EXAMPLES, deployment)
    parser.add_argument("--base", metavar="REV", help="the branch a pull request is for")
    parser.add_argument(
        "--allow-key", metavar="FILE", action="append", default=[], help="a key public on purpose"
    )
    parser.add_argument("--deep", action="store_true", help="compare with all older commits")
    options = parser.read(argv[1:])
    path = config or deployment.config
    source = write.read(path)
    stated, problems = check.form(source)
    findings = _Findings()
    for problem in problems:
        findings.add(problem)
    _check_serial(source, findings)
    now = _now(source, stated)
    allowed = {
        *(Path(name).resolve() for name in options.allow_key),
        *((deployment.root / name).resolve() for name in published),
    }
    git = repository.of(path.resolve().parent, os.environ)
    gathered = past.gather(git, path.resolve().name, options.base, deep=options.deep)
    findings.left_out += gathered.left_out
    lines = _lines(source, stated)
    # Of a key that was replaced no hint may say how to trust it.
    replaced = {problem.replaced for problem in problems}
    now = replace(now, heads={k: v for k, v in now.heads.items() if k not in replaced})
    for name, why in history.broken(now.heads, gathered.states):
        _add_head(findings, lines, name, why, "restore it from git; `rotate` makes a new key")
    _check_project(now, gathered.states, findings)
    if now.project:
        _check_pins(now, gathered.states, lines, findings)
    _note_changes(now, gathered.base)
    if git is not None:
        _check_keys(git, now, gathered.states, allowed, findings)
    for note in findings.left_out:
        print(f"note: not checked: {note}", file=sys.stderr)
    if findings.problems:
        raise LuggageError(all_wrong(findings.problems), _hint(findings.hints))
    assert stated is not None  # noqa: S101 - the form is right where nothing is wrong
    count = sum(len(there.values) for there in stated.environments.values())
    names = ", ".join(stated.environments) or "none yet"
    print(f"{words.shown(path)}: all right: secrets: {count}; environments: {names}")
    print(UNKNOWN, file=sys.stderr)
    return 0


def _check_serial(source: bytes, findings: _Findings) -> None:
    """The serial, as packing reads it; of a module that is no Python the form is told alone."""
    try:
        ast.parse(source)
    except (SyntaxError, ValueError):
        return
    try:
        serial.find(source, "config.py")
    except LuggageError as error:
        message = error.message.removeprefix("config module 'config.py': ")
        findings.add(Problem(0, message, error.hint or ""))


def _now(source: bytes, stated: Config | None) -> Past:
    """The keys as they stand; where the module breaks the grammar, as far as they can be read."""
    if stated is None:
        return history.past(source) or Past("", {})
    heads = {name: Pin(it.public_key, it.epoch) for name, it in stated.environments.items()}
    return Past("", heads, stated.project)


def _check_project(now: Past, states: Sequence[Past], findings: _Findings) -> None:
    was = history.renamed(now.project, now.heads, states) if now.project else None
    if was is not None:
        findings.add(
            Problem(
                0,
                f"project '{now.project}': it was '{was.project}' in {was.name}, and its keys have "
                "no new epoch: what was known of them does not count for another project",
                "restore its name from git; where it is another project now, every environment "
                "needs a\nnew key: remove the environment, then: python -m deploy keygen ENV",
            )
        )


def _note_changes(now: Past, base: Past | None) -> None:
    """What no error is told of: with the epoch as it should be, only people can tell."""
    was = base.heads if base is not None else {}
    for name, pin in now.heads.items():
        if name in was and was[name] != pin:
            print(
                f"note: environment '{name}': key {was[name].key_id} epoch {was[name].epoch} in "
                f"the base, key {pin.key_id} epoch {pin.epoch} now: was it announced?",
                file=sys.stderr,
            )


def _lines(source: bytes, stated: Config | None) -> dict[str, int]:
    """The line of each environment's public key."""
    if stated is None:
        return {}
    number = check.line_numbers(source)
    return {name: number(it.public_key_at.start) for name, it in stated.environments.items()}


def _add_head(
    findings: _Findings, lines: Mapping[str, int], name: str, why: str, hint: str
) -> None:
    findings.add(Problem(lines.get(name, 0), f"environment '{name}': {why}", hint))


def _check_pins(
    now: Past, states: Sequence[Past], lines: Mapping[str, int], findings: _Findings
) -> None:
    file = pinning.location(os.environ)
    try:
        pinned = pins.read(file)
    except LuggageError as error:
        findings.problems.append(error.message)
        findings.hints.append(error.hint or "")
        return
    except OSError as error:
        findings.left_out.append(f"pins: {file} cannot be read: {error.strerror}")
        return
    projects = dict.fromkeys([now.project, *(state.project for state in states)])
    for name, pin in now.heads.items():
        # Under another name it is still the project that this user knew.
        known = [Place(project, name) for project in projects]
        place = next((place for place in known if place in pinned), None)
        why = pins.refusal(pinned[place], pin, "you sealed to") if place else None
        if place and why:
            hint = pinning.advice(pinned[place], pin, name)
            _add_head(findings, lines, name, why, hint)


def _check_keys(
    git: Repository,
    now: Past,
    states: Sequence[Past],
    allowed: set[Path],
    findings: _Findings,
) -> None:
    """A private key in a tracked file, where it opens an environment of now or of before."""
    known: dict[str, str] = {}
    for state in (now, *states):
        for name, pin in state.heads.items():
            known.setdefault(pin.public_key, name)
    for found in git.private_keys():
        try:
            bundle = keys.parse_keys(found.key)
        except SecretError:
            continue
        for key in bundle.keys:
            owner = known.get(key.public.dump())
            if owner is not None and found.path.resolve() not in allowed:
                findings.problems.append(
                    f"{words.shown(found.path)}: line {found.line}: the private key "
                    f"{key.public.id} of environment '{owner}', in a file that git tracks"
                )
                findings.hints.append(
                    "where the commit was pushed the key is public: rotate, and get new values "
                    "from whoever issues them"
                )


def _hint(hints: Sequence[str]) -> str:
    several = list(dict.fromkeys(hints))
    if len(several) > _MOST_HINTS:
        several = [*several[:_MOST_HINTS], f"and {len(several) - _MOST_HINTS} more like these"]
    return "\n".join(several)
