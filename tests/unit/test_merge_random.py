"""Two branches that change different names: every merge is right with the driver, none is silently
wrong without it. Real repositories, real branches, real merges.
"""

from __future__ import annotations

import os
import random
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest
from test_encrypt import Checkout
from test_git_setup import commit, git

from luggage.configfile import check, grammar, splice
from luggage.configfile.model import Meaning
from luggage.configfile.module import ConfigError
from luggage.crypto import Secret, envelope, keys
from luggage.crypto.envelope import Context

CASES = 200 if os.environ.get("LUGGAGE_LONG") == "1" else 40
NAMES = [f"{letter}_{word}" for letter in "ABCDEFGH" for word in ("KEY", "URL", "TOKEN")]
ENVIRONMENTS = ("alpha", "demo", "prod", "staging")
PAIRS = {(name, epoch): keys.generate() for name in ENVIRONMENTS for epoch in (1, 2)}
EMPTY = b"""\
from luggage import crypto

A = 1

SECRETS = crypto.Secrets(
    format=1,
    project="thing",
    required=("Z_LAST",),
    environments={},
)
B = 2
"""
LAYOUTS = {
    "plain": lambda line, _: line,
    "comments": lambda line, dice: line + ("  # since 2019" if dice.random() < 0.3 else ""),
    "headings": lambda line, dice: ("    # a heading\n" if dice.random() < 0.3 else "") + line,
}


def sealed(environment: str, name: str, epoch: int = 1) -> str:
    """A value for one place; never the same text twice."""
    public = PAIRS[environment, epoch].public
    place = Context("thing", environment, name, public, epoch)
    return envelope.seal(Secret(b"v"), "text", place)


@dataclass
class Side:
    """A module, and what its SECRETS is known to state, kept apart from how it was written."""

    source: bytes
    values: dict[str, dict[str, str]]
    epochs: dict[str, int]
    required: set[str]

    def copy(self) -> Side:
        values = {name: dict(values) for name, values in self.values.items()}
        return Side(self.source, values, dict(self.epochs), set(self.required))

    def states(self, meaning: Meaning) -> bool:
        """Whether `meaning` is exactly what this side is known to state."""
        heads = {
            name: (PAIRS[name, epoch].public.dump(), epoch) for name, epoch in self.epochs.items()
        }
        return (self.values, heads, self.required) == (
            meaning.values,
            {name: it[1:] for name, it in meaning.environments.items()},
            set(meaning.head[2] or ()),
        )

    def put(self, environment: str, name: str) -> None:
        text = sealed(environment, name, self.epochs[environment])
        self.source = splice.put(self.source, environment, name, text).source
        self.values[environment][name] = text

    def remove(self, environment: str, name: str) -> None:
        self.source = splice.remove(self.source, environment, name)
        del self.values[environment][name]

    def add(self, environment: str) -> None:
        public = PAIRS[environment, 1].public.dump()
        self.source = splice.add_environment(self.source, environment, public)
        self.values[environment] = {}
        self.epochs[environment] = 1

    def rotate(self, environment: str) -> None:
        new = {name: sealed(environment, name, 2) for name in self.values[environment]}
        public = PAIRS[environment, 2].public.dump()
        self.source = splice.rekey(self.source, environment, public, 2, new)
        self.values[environment] = new
        self.epochs[environment] = 2

    def require(self, name: str) -> None:
        old = f'"{min(self.required)}",'.encode()
        self.source = self.source.replace(old, old + f' "{name}",'.encode(), 1)
        self.required.add(name)


def first(dice: random.Random) -> Side:
    """A module in one of several layouts, with one to three environments."""
    side = Side(EMPTY, {}, {}, {"Z_LAST"})
    for environment in sorted(dice.sample(ENVIRONMENTS[:3], dice.randint(1, 3))):
        side.add(environment)
        for name in dice.sample(NAMES, dice.randint(0, 8)):
            side.put(environment, name)
    layout = LAYOUTS[dice.choice(sorted(LAYOUTS))]
    lines = [
        layout(line, dice) if '": "lug1.' in line else line
        for line in side.source.decode().splitlines()
    ]
    side.source = ("\r\n" if dice.random() < 0.1 else "\n").join([*lines, ""]).encode()
    return side


def edited(
    dice: random.Random, base: Side, *, rotating: bool = False
) -> tuple[Side, Side, Side | None]:
    """Two branches from `base` that change different names, and what their merge must state.

    With `rotating` one side rotates an environment that both change: where the other seals to the
    old key, there is nothing right.
    """
    hopeless = False
    ours, theirs, wanted = base.copy(), base.copy(), base.copy()
    places = [(environment, name) for environment in base.values for name in NAMES]
    near = dice.random() < 0.5
    if near:  # neighbouring lines, where a merge of the text is in trouble
        start = dice.randrange(len(NAMES) - 4)
        places = [place for place in places if place[1] in NAMES[start : start + 4]]
    dice.shuffle(places)
    rotated = dice.choice(sorted(base.values)) if dice.random() < 0.15 or rotating else None
    if rotated is not None:
        side = dice.choice((ours, theirs))
        side.rotate(rotated)
        wanted.values[rotated] = dict(side.values[rotated])
        wanted.epochs[rotated] = 2
    for at, (environment, name) in enumerate(places[: dice.randint(2, 8)]):
        side = (ours, theirs)[at % 2]
        if environment == rotated and not rotating:
            continue
        if name in side.values[environment] and dice.random() < 0.5:
            side.remove(environment, name)
            del wanted.values[environment][name]
        else:
            side.put(environment, name)
            wanted.values[environment][name] = side.values[environment][name]
            hopeless |= side.epochs[environment] != wanted.epochs[environment]
    if dice.random() < 0.3:
        free = [name for name in ENVIRONMENTS if name not in base.values]
        dice.shuffle(free)
        for side, environment in zip((ours, theirs), free, strict=False):
            side.add(environment)
            side.put(environment, dice.choice(NAMES))
            wanted.values[environment] = dict(side.values[environment])
            wanted.epochs[environment] = 1
    if dice.random() < 0.3:
        for side, name in zip((ours, theirs), dice.sample(NAMES, 2), strict=True):
            side.require(name)
            wanted.required.add(name)
    if dice.random() < 0.3:
        ours.source = ours.source.replace(b"A = 1", b"A = 10")
        theirs.source = theirs.source.replace(b"B = 2", b"B = 20")
    return ours, theirs, None if hopeless else wanted


@pytest.fixture(scope="module")
def merges(tmp_path_factory: pytest.TempPathFactory) -> tuple[Checkout, list[Side]]:
    """A repository with a pair of branches for each case: `ours-N` and `theirs-N`."""
    checkout, cases = made(tmp_path_factory.mktemp("merges"))
    return checkout, [case for case in cases if case is not None]


@pytest.fixture
def rotations(tmp_path: Path) -> tuple[Checkout, list[Side | None]]:
    """The same, where one side rotates what both change."""
    return made(tmp_path, rotating=True)


def made(folder: Path, *, rotating: bool = False) -> tuple[Checkout, list[Side | None]]:
    checkout = Checkout(folder)
    commit(checkout.root)
    cases = []
    stream = []

    def branch(name: str, source: bytes, start: str) -> None:
        head = f"commit refs/heads/{name}\ncommitter a <a@b> 0 +0000\ndata 1\nm\n"
        place = f"from refs/heads/{start}\nM 100644 inline depot/config.py\n"
        stream.append(f"{head}{place}data {len(source)}\n".encode() + source + b"\n")

    for number in range(CASES):
        dice = random.Random(number)
        base = first(dice)
        ours, theirs, wanted = edited(dice, base, rotating=rotating)
        assert ours.states(grammar.read(ours.source).meaning())
        assert theirs.states(grammar.read(theirs.source).meaning())
        branch(f"base-{number}", base.source, "start")
        branch(f"ours-{number}", ours.source, f"base-{number}")
        branch(f"theirs-{number}", theirs.source, f"base-{number}")
        cases.append(wanted)
    git(checkout.root, "branch", "start")
    fast_import(checkout.root, b"".join(stream))
    return checkout, cases


def fast_import(root: Path, stream: bytes) -> None:
    """Make all branches at once."""
    subprocess.run(
        ["git", "fast-import", "--quiet"], cwd=root, input=stream, check=True, timeout=60
    )


def merged(root: Path, number: int) -> tuple[bool, bytes]:
    """Whether git finds no conflict, and config.py as it is then."""
    git(root, "checkout", "-q", "-f", f"ours-{number}")
    done = git(root, "merge", "-q", "--no-edit", f"theirs-{number}", check=False)
    assert done.returncode in (0, 1), done.stderr
    source = (root / "depot/config.py").read_bytes()
    git(root, "reset", "-q", "--hard", f"ours-{number}")
    return done.returncode == 0, source


def test_without_the_driver_no_merge_is_silently_wrong(merges: tuple[Checkout, list[Side]]) -> None:
    """Git's text merge is right, or a conflict, or a module that is refused: nothing else."""
    checkout, cases = merges
    outcomes = {"right": 0, "conflict": 0, "refused": 0}
    for number, wanted in enumerate(cases):
        clean, source = merged(checkout.root, number)
        if not clean:
            outcomes["conflict"] += 1
            with pytest.raises(ConfigError):
                grammar.read(source)
            continue
        try:
            meaning = grammar.read(source).meaning()
        except ConfigError:
            outcomes["refused"] += 1
            continue
        assert wanted.states(meaning), number
        outcomes["right"] += 1
    print(outcomes)
    # Were all of them easy, nothing would be shown.
    assert outcomes["conflict"] >= CASES / 5
    assert outcomes["right"] >= CASES / 10


def test_a_rotation_that_merges_clean_as_text_is_refused(tmp_path: Path) -> None:
    """A value sealed to the old key, put where no line beside it changed: `check` says so, and the
    module does not start; with the driver it is a conflict.
    """
    checkout = Checkout(tmp_path)
    base = Side(EMPTY.replace(b'"Z_LAST",', b""), {}, {}, set())
    base.add("demo")
    base.put("demo", "A")
    base.put("demo", "Z")
    remarks = b"                # one\n                # two\n"
    line = b'                "Z": '
    base.source = base.source.replace(line, remarks + line)
    checkout.config.write_bytes(base.source)
    commit(tmp_path)
    git(tmp_path, "checkout", "-q", "-b", "theirs")
    new = f'                "M": "{sealed("demo", "M")}",\n'.encode()
    checkout.config.write_bytes(base.source.replace(b"# one\n", b"# one\n" + new))
    commit(tmp_path)
    git(tmp_path, "checkout", "-q", "-b", "ours", "HEAD~")
    base.rotate("demo")
    checkout.config.write_bytes(base.source)
    commit(tmp_path)
    assert git(tmp_path, "merge", "-q", "--no-edit", "theirs").returncode == 0
    done = checkout.run("check")
    assert done.returncode == 1
    assert b"secret 'M': sealed to key" in done.stderr + done.stdout
    with pytest.raises(ConfigError):
        grammar.read(checkout.config.read_bytes())
    git(tmp_path, "reset", "-q", "--hard", "HEAD~")
    assert checkout.run("git-setup").returncode == 0
    done = git(tmp_path, "merge", "-q", "theirs", check=False)
    assert done.returncode == 1
    assert "sealed to the old key" in done.stderr


def test_a_rotation_on_one_side_is_never_silently_wrong(
    rotations: tuple[Checkout, list[Side | None]],
) -> None:
    """Without the driver: right, a conflict, or a module that `check` refuses. With it: right, or a
    conflict; and always a conflict where one side sealed to the old key.
    """
    checkout, cases = rotations
    outcomes = {"right": 0, "conflict": 0, "refused": 0}
    refused = []
    for number, wanted in enumerate(cases):
        clean, source = merged(checkout.root, number)
        if not clean:
            outcomes["conflict"] += 1
            continue
        config, problems = check.form(source)
        # The base lacks Z_LAST: that is not what a merge brought.
        brought = [it for it in problems if "Z_LAST" not in it.message]
        if config is None or brought:
            assert brought, number
            outcomes["refused"] += 1
            refused.append(source)
            continue
        assert wanted is not None and wanted.states(config.meaning()), number
        outcomes["right"] += 1
    print(outcomes)
    for source in refused[:2]:
        checkout.config.write_bytes(source)
        done = checkout.run("check")
        assert done.returncode == 1
        assert b"sealed to key " in done.stderr + done.stdout
    git(checkout.root, "checkout", "-q", "-f", "start")
    assert checkout.run("git-setup").returncode == 0
    settled = 0
    for number, wanted in enumerate(cases):
        clean, source = merged(checkout.root, number)
        if wanted is None:
            assert not clean, number
        elif clean:
            assert wanted.states(grammar.read(source).meaning()), number
            settled += 1
    print("settled by the driver:", settled, "hopeless:", cases.count(None))
    assert 0 < cases.count(None) < CASES
    assert settled


def test_with_the_driver_every_merge_is_right(merges: tuple[Checkout, list[Side]]) -> None:
    """Different names never conflict, wherever their lines stand, and nothing is lost."""
    checkout, cases = merges
    assert checkout.run("git-setup").returncode == 0
    for number, wanted in enumerate(cases):
        clean, source = merged(checkout.root, number)
        assert clean, (number, source.decode())
        assert wanted.states(grammar.read(source).meaning()), number
        compile(source, "config.py", "exec")
