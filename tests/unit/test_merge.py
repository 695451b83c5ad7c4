"""What two sides may do to one config module: merged where it is clear, else a conflict that says,
for each name, what to do.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from test_encrypt import Checkout
from test_git_setup import commit, git
from test_merge_random import EMPTY, PAIRS, Side, sealed

from luggage.commands import deployment, merge_driver
from luggage.configfile import grammar, merge, splice
from luggage.configfile.module import ConfigError
from luggage.crypto import keys
from luggage.errors import LuggageError

Edit = Callable[[Side], None]
OTHER_KEY = keys.generate().public.dump()


@dataclass(frozen=True)
class Outcome:
    """What the driver left in the file, and what it said."""

    text: bytes
    error: LuggageError | None
    note: str


class Driver:
    """The driver, as git calls it, on three files."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self.capsys = capsys

    def __call__(self, base: bytes, ours: bytes, theirs: bytes) -> Outcome:
        deployment.enter(deployment.Deployment("depot", self.folder / "depot"))
        paths = [self.folder / name for name in ("base", "ours", "theirs")]
        for path, text in zip(paths, (base, ours, theirs), strict=True):
            path.write_bytes(text)
        error = None
        try:
            status = merge_driver.main(["merge-driver", *map(str, paths), "depot/config.py"])
        except LuggageError as raised:
            error, status = raised, raised.status
        out, note = self.capsys.readouterr()
        assert out == ""
        assert [path.read_bytes() for path in paths[::2]] == [base, theirs]
        text = paths[1].read_bytes()
        left = error is not None and "what came of it is refused" in error.message
        assert status == int(left or b"<<<<<<<" in text)
        return Outcome(text, error, note)


@pytest.fixture
def drive(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Driver:
    return Driver(tmp_path, capsys)


def base() -> Side:
    """Two environments; `demo` has B, C and D, `prod` has C."""
    side = Side(EMPTY, {}, {}, {"Z_LAST"})
    for environment, names in (("demo", "BCD"), ("prod", "C")):
        side.add(environment)
        for name in names:
            side.put(environment, name)
    return side


def sides(*edits: Edit) -> list[Side]:
    """The base, and a copy with each of `edits`."""
    first = base()
    made = [first]
    for edit in edits:
        side = first.copy()
        edit(side)
        made.append(side)
    return made


def put(name: str, environment: str = "demo") -> Edit:
    return lambda side: side.put(environment, name)


def remove(name: str) -> Edit:
    return lambda side: side.remove("demo", name)


def rotate(side: Side) -> None:
    side.rotate("demo")


def rotate_otherwise(side: Side) -> None:
    """A rotation of `demo` to a third key, in the same epoch as `rotate`."""
    side.remove("demo", "B")
    side.remove("demo", "C")
    side.remove("demo", "D")
    side.source = splice.rekey(side.source, "demo", OTHER_KEY, 2, {})


def make(key: str) -> Edit:
    def edit(side: Side) -> None:
        side.source = splice.add_environment(side.source, "beta", key)

    return edit


def without_prod(side: Side) -> None:
    start = side.source.index(b'        "prod"')
    end = side.source.index(b"        ),\n", start) + len(b"        ),\n")
    side.source = side.source[:start] + side.source[end:]


def project(name: bytes) -> Edit:
    def edit(side: Side) -> None:
        side.source = side.source.replace(b'"thing"', b'"' + name + b'"')

    return edit


SECRET_A = "secret 'A' of environment 'demo'"
SECRET_C = "secret 'C' of environment 'demo'"
ENCRYPT = "python -m deploy encrypt C --env demo"
CONFLICTS: dict[str, tuple[Edit, Edit, str, str]] = {
    "both changed": (put("C"), put("C"), f"{SECRET_C}: changed on", ENCRYPT),
    "both added": (put("A"), put("A"), "secret 'A' of environment 'demo': added on", "keep one"),
    "changed, removed": (
        put("C"),
        remove("C"),
        f"{SECRET_C}: changed in ours, removed in theirs",
        "keep the line of 'C'",
    ),
    "removed, changed": (
        remove("C"),
        put("C"),
        f"{SECRET_C}: changed in theirs, removed in ours",
        "keep the line of 'C'",
    ),
    "rotated, added": (
        rotate,
        put("A"),
        f"{SECRET_A}: in theirs it is sealed to the old key; ours has a new one",
        "keep what ours has, then seal it again for the new key: python -m deploy encrypt A",
    ),
    "replaced, rotated": (
        put("C"),
        rotate,
        f"{SECRET_C}: in ours it is sealed to the old key; theirs has a new one",
        f"keep what theirs has, then seal it again for the new key: {ENCRYPT}",
    ),
    "rotated, removed": (
        rotate,
        remove("C"),
        f"{SECRET_C}: removed in theirs, but ours has a new key, and it is sealed to that",
        "keep what ours has, then: python -m deploy remove C --env demo",
    ),
    "both rotated": (
        rotate,
        rotate_otherwise,
        f"environment 'demo': rotated on both sides, with two different keys: "
        f"{PAIRS['demo', 2].public.id} (epoch 2) and {keys.parse_public(OTHER_KEY).id} (epoch 2)",
        "keep the environment of one side whole, with its key file",
    ),
    "both made": (
        make(PAIRS["alpha", 1].public.dump()),
        make(OTHER_KEY),
        "environment 'beta': made on both sides, with two different keys",
        "encrypt NAME --env beta",
    ),
    "environment removed, changed": (
        without_prod,
        put("A", "prod"),
        "environment 'prod': removed in ours, changed in theirs",
        "keep it as it was changed, or remove it",
    ),
    "environment changed, removed": (
        put("A", "prod"),
        without_prod,
        "environment 'prod': removed in theirs, changed in ours",
        "keep it as it was changed, or remove it",
    ),
    "project": (
        project(b"one"),
        project(b"two"),
        "project: changed on both",
        "keep one of the two",
    ),
}


@pytest.mark.parametrize("case", CONFLICTS)
def test_what_people_must_settle_is_a_conflict_that_says_how(drive: Driver, case: str) -> None:
    """Exit 1, markers that Python refuses, and a line for each name; nobody's text is lost."""
    edit, other, message, hint = CONFLICTS[case]
    first, ours, theirs = sides(edit, other)
    done = drive(first.source, ours.source, theirs.source)
    assert done.error is not None
    assert f"depot/config.py: {message}" in done.error.message
    assert hint in (done.error.hint or "")
    assert "then: git add depot/config.py" in (done.error.hint or "")
    with pytest.raises(SyntaxError):
        compile(done.text, "config.py", "exec")
    old = texts(first)
    for side in (ours, theirs):
        assert all(it in done.text for it in texts(side) - old)


def texts(side: Side) -> set[bytes]:
    """The sealed values and public keys in a module."""
    meaning = grammar.read(side.source).meaning()
    found = {text for values in meaning.values.values() for text in values.values()}
    return {text.encode() for text in found | {it[1] for it in meaning.environments.values()}}


def test_all_conflicts_are_told_at_once_and_the_rest_is_merged(drive: Driver) -> None:
    """Two names in conflict, two that are not: each of the first between markers, none of the
    others; and either side's choice is a whole module.
    """

    def ours_edit(side: Side) -> None:
        for name in ("B", "D", "A"):
            side.put("demo", name)
        side.put("prod", "A")

    def theirs_edit(side: Side) -> None:
        for name in ("B", "D", "E"):
            side.put("demo", name)
        side.remove("prod", "C")

    first, ours, theirs = sides(ours_edit, theirs_edit)
    done = drive(first.source, ours.source, theirs.source)
    assert done.error is not None
    assert [line.split(":")[1] for line in done.error.message.splitlines()] == [
        " secret 'B' of environment 'demo'",
        " secret 'D' of environment 'demo'",
    ]
    for side, resolved in zip((ours, theirs), resolutions(done.text), strict=True):
        values = grammar.read(resolved).meaning().values
        assert values["prod"] == {"A": ours.values["prod"]["A"]}
        assert values["demo"] == {
            "A": ours.values["demo"]["A"],
            "B": side.values["demo"]["B"],
            "C": first.values["demo"]["C"],
            "D": side.values["demo"]["D"],
            "E": theirs.values["demo"]["E"],
        }


def resolutions(text: bytes) -> tuple[bytes, bytes]:
    """Ours taken at every marker, and theirs."""
    taken: list[list[bytes]] = [[], []]
    where = (0, 1)
    for line in text.splitlines(keepends=True):
        mark = line[:7]
        if mark in (b"<<<<<<<", b"=======", b">>>>>>>"):
            where = {b"<<<<<<<": (0,), b"=======": (1,), b">>>>>>>": (0, 1)}[mark]
            continue
        for side in where:
            taken[side].append(line)
    return b"".join(taken[0]), b"".join(taken[1])


CLEAN: dict[str, tuple[Edit, Edit]] = {
    "neighbours added": (put("BA"), put("BB")),
    "neighbours replaced": (put("B"), put("C")),
    "removed and added": (remove("C"), put("CA")),
    "all removed": (remove("B"), lambda side: [side.remove("demo", it) for it in "CD"]),
    "both removed": (remove("B"), remove("B")),
    "rotated, nothing": (rotate, lambda side: None),
    "rotated, elsewhere": (rotate, put("A", "prod")),
    "two environments": (make(PAIRS["alpha", 1].public.dump()), lambda side: side.add("staging")),
    "environment removed": (without_prod, put("A")),
    "required": (lambda side: side.require("B"), lambda side: side.require("C")),
    "project, value": (project(b"other"), put("B")),
}


@pytest.mark.parametrize("case", CLEAN)
@pytest.mark.parametrize("swapped", [False, True])
def test_what_is_clear_is_merged(drive: Driver, case: str, *, swapped: bool) -> None:
    """Both sides' changes, whichever is ours; and nothing is said."""
    first, ours, theirs = sides(*CLEAN[case])
    both = base_with(first, *CLEAN[case])
    if swapped:
        ours, theirs = theirs, ours
    done = drive(first.source, ours.source, theirs.source)
    assert (done.error, done.note) == (None, "")
    meaning = grammar.read(done.text).meaning()
    assert shape(meaning) == shape(grammar.read(both.source).meaning())
    known = texts(ours) | texts(theirs)
    assert {text.encode() for it in meaning.values.values() for text in it.values()} <= known


def base_with(first: Side, *edits: Edit) -> Side:
    """Both edits, one after the other, where the second can be made still."""
    side = first.copy()
    for edit in edits:
        try:
            edit(side)
        except (KeyError, ConfigError):
            continue
    return side


def shape(meaning: object) -> object:
    """A meaning without its sealed texts, which differ each time."""
    callee, project_name, required = meaning.head  # type: ignore[attr-defined]
    return (
        (callee, project_name, set(required)),
        meaning.environments,  # type: ignore[attr-defined]
        {name: set(values) for name, values in meaning.values.items()},  # type: ignore[attr-defined]
    )


def test_the_same_change_on_both_sides_is_no_conflict(drive: Driver) -> None:
    """A commit that was cherry-picked, even a rotation: taken once, with what came after it."""
    first = base()
    picked = first.copy()
    picked.rotate("demo")
    picked.put("demo", "NEW")
    ours, theirs = picked.copy(), picked.copy()
    ours.put("demo", "A")
    theirs.put("demo", "E")
    done = drive(first.source, ours.source, theirs.source)
    assert done.error is None
    wanted = picked.values["demo"] | {
        "A": ours.values["demo"]["A"],
        "E": theirs.values["demo"]["E"],
    }
    assert grammar.read(done.text).meaning().values["demo"] == wanted


def test_comments_and_code_merge_as_text(drive: Driver) -> None:
    """What is not a secret is git's: both sides' comments and code are kept."""
    first, ours, theirs = sides(put("A"), put("E"))
    text = ours.source.replace(b"A = 1", b"A = 10  # why")
    line = f'"A": "{ours.values["demo"]["A"]}",'.encode()
    text = text.replace(line, line + b"  # for Ada")
    other = theirs.source.replace(b"B = 2", b"# B\nB = 2")
    done = drive(first.source, text, other)
    assert done.error is None
    for kept in (b"A = 10  # why", b"# B\nB = 2", line + b"  # for Ada", b'"E": "'):
        assert kept in done.text


@pytest.mark.parametrize("swapped", [False, True])
def test_where_a_comment_stands_is_no_conflict(drive: Driver, *, swapped: bool) -> None:
    """Entries went before and after a comment, so the texts have it in three places; but where code
    beside it was changed on both sides, that is asked about still.
    """
    first = base()
    note, line = b"                # a heading\n", b'                "D"'
    first.source = first.source.replace(line, note + line)
    ours, theirs = first.copy(), first.copy()
    ours.put("demo", "DA")
    ours.remove("demo", "D")
    theirs.put("demo", "E")
    given = [first.source, ours.source, theirs.source]
    if swapped:
        given[1:] = reversed(given[1:])
    plan = merge.plan(*given)
    assert not merge_driver._text_merge(plan.base, plan.ours, plan.theirs)[0]
    done = drive(*given)
    assert done.error is None
    assert done.text.count(note) == 1
    assert set(grammar.read(done.text).meaning().values["demo"]) == {"B", "C", "DA", "E"}
    given[1] = given[1].replace(b"A = 1", b"A = 10")
    given[2] = given[2].replace(b"A = 1", b"A = 11")
    assert drive(*given).error is not None


def test_code_that_conflicts_is_a_conflict_of_the_text_alone(drive: Driver) -> None:
    """Secrets are merged nonetheless, and the message says that it is not about them."""
    first, ours, theirs = sides(put("A"), put("E"))
    done = drive(
        first.source,
        ours.source.replace(b"A = 1", b"A = 10"),
        theirs.source.replace(b"A = 1", b"A = 11"),
    )
    assert done.error is not None
    assert "beside their secrets" in done.error.message
    for resolved in resolutions(done.text):
        assert set(grammar.read(resolved).meaning().values["demo"]) == set("ABCDE")


def test_a_conflict_that_the_text_does_not_show_is_one_of_the_whole_file(drive: Driver) -> None:
    """Rotated here, added there, far apart: git alone would merge it without a word."""
    gap = "".join(f"            # {number}\n" for number in range(6))
    text = (
        'from luggage import crypto\nSECRETS = crypto.Secrets(format=1, project="thing",\n'
        '    environments={"demo": crypto.Environment(\n            values={\n            },\n'
        f"{gap}            public_key={PAIRS['demo', 1].public.dump()!r},\n"
        "            epoch=1)})\n"
    ).encode()
    ours = splice.rekey(text, "demo", PAIRS["demo", 2].public.dump(), 2, {})
    theirs = splice.put(text, "demo", "A", sealed("demo", "A")).source
    assert b"<<<<<<<" not in merge_driver._text_merge(text, ours, theirs)[1]
    done = drive(text, ours, theirs)
    assert done.error is not None
    assert "sealed to the old key" in done.error.message
    assert (ours, theirs) == resolutions(done.text)


def test_a_clean_text_merge_that_is_wrong_is_a_conflict(drive: Driver) -> None:
    """The same environment, added at two places: the text has it twice, and that is noticed."""
    first = base()
    block = (
        '        "new": crypto.Environment(\n'
        f'            public_key="{OTHER_KEY}",\n            epoch=3,\n            values={{}},\n'
        "        ),\n"
    ).encode()
    ours = first.source.replace(b'        "demo"', block + b'        "demo"')
    theirs = first.source.replace(b"    },\n)\nB", block + b"    },\n)\nB")
    assert merge_driver._text_merge(first.source, ours, theirs)[0]
    done = drive(first.source, ours, theirs)
    assert done.error is not None
    with pytest.raises(SyntaxError):
        compile(done.text, "config.py", "exec")


def test_conflict_markers_are_called_so(drive: Driver) -> None:
    """A module with markers is told with the line of the first, and how git spares one that."""
    first, ours, theirs = sides(put("B"), put("B"))
    done = drive(first.source, ours.source, theirs.source)
    line = done.text[: done.text.index(b"<<<<<<< ")].count(b"\n") + 1
    with pytest.raises(ConfigError, match=f"line {line}: merge conflict markers: settle") as told:
        grammar.read(done.text)
    assert "git-setup" in told.value.render()
    with pytest.raises(ConfigError, match="line 1: not valid Python") as told:
        grammar.read(b"x = (\n")
    assert "python -m py_compile config.py" in told.value.render()


@pytest.mark.parametrize("version", ["base", "ours", "theirs"])
def test_what_is_no_config_module_merges_as_text_and_says_so(drive: Driver, version: str) -> None:
    """Nothing is known of its secrets, so git's own merge is made, and told with its line."""
    first, ours, theirs = sides(put("A", "prod"), lambda side: None)
    given = {"base": first.source, "ours": ours.source, "theirs": theirs.source}
    given[version] = given[version].replace(b"epoch=1", b"epoch=0x1")
    done = drive(*given.values())
    told = done.note if version == "base" else done.error.render()
    assert (done.error is None) == (version == "base"), "what came of it is refused"
    assert f"depot/config.py: {version}: line 12: " in told
    assert "merged as text" in told
    given["theirs"] = given["theirs"].replace(b"A = 1", b"A = 3")
    given["ours"] = given["ours"].replace(b"A = 1", b"A = 2")
    done = drive(*given.values())
    assert b"<<<<<<< ours" in done.text


def test_no_message_shows_a_sealed_value(drive: Driver) -> None:
    """Sealed values are long, and nobody is helped by them: names and key ids are what is told."""
    for edit, other, _, _ in CONFLICTS.values():
        done = drive(*(side.source for side in sides(edit, other)))
        assert done.error is not None
        assert "lug1." not in done.error.render()


def test_a_plan_is_of_texts_that_agree(drive: Driver) -> None:
    """Settled, the three versions state the same of every name that is not in conflict."""
    first, ours, theirs = sides(put("A"), remove("C"))
    plan = merge.plan(first.source, ours.source, theirs.source)
    meanings = [grammar.read(it).meaning() for it in (plan.base, plan.ours, plan.theirs)]
    assert meanings == [plan.wanted] * 3


def test_criss_cross_branches_merge(tmp_path: Path) -> None:
    """Where git merges the bases first, it asks the driver for that as well."""
    checkout = Checkout(tmp_path)
    checkout.run("keygen", "demo")
    commit(tmp_path)
    git(tmp_path, "branch", "start")
    checkout.run("git-setup")
    for branch, name in (("one", "A"), ("two", "B")):
        git(tmp_path, "checkout", "-q", "-b", branch, "start")
        checkout.run("encrypt", name, value=b"x")
        commit(tmp_path)
    git(tmp_path, "branch", "kept", "one")
    git(tmp_path, "checkout", "-q", "one")
    git(tmp_path, "merge", "-q", "--no-edit", "two")
    git(tmp_path, "checkout", "-q", "two")
    git(tmp_path, "merge", "-q", "--no-edit", "kept")
    for branch, name in (("one", "C"), ("two", "D")):
        git(tmp_path, "checkout", "-q", branch)
        checkout.run("encrypt", name, value=b"x")
        commit(tmp_path)
    assert git(tmp_path, "merge-base", "--all", "one", "two").stdout.count("\n") == 2
    assert git(tmp_path, "merge", "-q", "--no-edit", "one", check=False).returncode == 0
    meaning = grammar.read(checkout.config.read_bytes()).meaning()
    assert set(meaning.values["demo"]) == set("ABCD")
