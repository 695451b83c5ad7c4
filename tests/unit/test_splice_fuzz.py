"""Config modules of every layout, edited in every way: each byte that is not the literal's or the
line's own is kept. LibCST, which shares nothing with luggage, finds the literals and rebuilds.

300 modules; with LUGGAGE_LONG=1, 10,000.
"""

from __future__ import annotations

import os
import re
from ast import PyCF_ONLY_AST
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from random import Random

import config_modules as modules
import libcst
import pytest
from config_modules import NAMES, NEW, NEW_ENVIRONMENTS, OLD, PAIRS, Module

from luggage.configfile import splice
from luggage.configfile.module import ConfigError

MODULES = 10_000 if os.environ.get("LUGGAGE_LONG") == "1" else 300
PARTS = 10
BOM = b"\xef\xbb\xbf"
MARK = "\x01"
Span = tuple[int, int]
BLANK = re.compile(rb"[ \t\f]|\\\r?\n|\r?\n|#[^\n]*")
COMMENT = re.compile(rb"#[^\r\n]*")


class Oracle:
    """A module as LibCST reads it: where its literals stand, and what it is with others there."""

    def __init__(self, source: bytes) -> None:
        self.source = source
        self.bom = source[: len(BOM)] if source.startswith(BOM) else b""
        self.tree = libcst.parse_module(source.removeprefix(BOM))
        assert self.bom + self.tree.bytes == source
        (self.line,) = (line for line in self.tree.body if "SECRETS" in targets(line))
        (statement,) = self.line.body
        assert isinstance(statement, libcst.Assign)
        self.table = words(statement.value)["environments"]

    def values(self, environment: str) -> libcst.Dict:
        found = words(entries(self.table)[environment].value)["values"]
        assert isinstance(found, libcst.Dict)
        return found

    def stated(self) -> dict[str, dict[str, str]]:
        return {
            name: {key: text(it.value) for key, it in entries(self.values(name)).items()}
            for name in entries(self.table)
        }

    def rebuilt(self, changes: list[tuple[libcst.BaseExpression, str]]) -> bytes:
        """The module with other texts between the quotes of string literals, or other numbers."""
        new = {id(literal): text for literal, text in changes}

        class Change(libcst.CSTTransformer):
            def leave_SimpleString(
                self, original_node: libcst.SimpleString, updated_node: libcst.SimpleString
            ) -> libcst.SimpleString:
                if id(original_node) not in new:
                    return updated_node
                quote = original_node.value[0]
                return updated_node.with_changes(value=f"{quote}{new[id(original_node)]}{quote}")

            def leave_Integer(
                self, original_node: libcst.Integer, updated_node: libcst.Integer
            ) -> libcst.Integer:
                return updated_node.with_changes(
                    value=new.get(id(original_node), original_node.value)
                )

        changed = self.line.visit(Change())
        body = [changed if line is self.line else line for line in self.tree.body]
        return self.bom + self.tree.with_changes(body=body).bytes

    def spans(self, environment: str) -> dict[str, tuple[Span, Span]]:
        """Where the key and the value of each entry stand in the bytes, quotes included."""
        found = entries(self.values(environment))
        literals = [it for entry in found.values() for it in (entry.key, entry.value)]
        marked = self.rebuilt([(it, MARK * len(text(it))) for it in literals])
        places = [match.span() for match in re.finditer(rb"['\"]\x01+['\"]", marked)]
        return dict(zip(found, zip(places[::2], places[1::2], strict=True), strict=True))

    def start(self) -> int:
        """Where the assignment begins."""
        (statement,) = self.line.body
        (target,) = statement.targets
        other = target.with_changes(target=libcst.Name("NAME_THAT_IS_NOWHERE_ELSE"))
        line = self.line.with_changes(body=[statement.with_changes(targets=[other])])
        body = [line if it is self.line else it for it in self.tree.body]
        return (self.bom + self.tree.with_changes(body=body).bytes).index(b"NAME_THAT_IS_NOWHERE")

    def others(self) -> list[str]:
        """The code of every statement but the assignment."""
        return [self.tree.code_for_node(line) for line in self.tree.body if line is not self.line]


def targets(line: libcst.CSTNode) -> Iterator[str]:
    for statement in line.body if isinstance(line, libcst.SimpleStatementLine) else ():
        if isinstance(statement, libcst.Assign):
            target = statement.targets[0].target
            yield target.value if isinstance(target, libcst.Name) else ""


def words(call: libcst.BaseExpression) -> dict[str, libcst.BaseExpression]:
    assert isinstance(call, libcst.Call)
    return {it.keyword.value: it.value for it in call.args if it.keyword}


def entries(table: libcst.BaseExpression) -> dict[str, libcst.DictElement]:
    assert isinstance(table, libcst.Dict)
    return {text(it.key): it for it in table.elements if isinstance(it, libcst.DictElement)}


def text(literal: libcst.BaseExpression) -> str:
    assert isinstance(literal, libcst.SimpleString)
    value = literal.evaluated_value
    assert isinstance(value, str)
    return value


@dataclass(frozen=True)
class Case:
    """One module, the oracle of it, and the dice that chose it."""

    module: Module
    oracle: Oracle
    dice: Random

    @property
    def source(self) -> bytes:
        return self.module.source

    def known(self) -> tuple[str, str] | None:
        """A place that has a value, if there is one."""
        places = [(it, name) for it, values in self.module.values.items() for name in values]
        return self.dice.choice(places) if places else None

    def free(self) -> tuple[str, str]:
        """A place that has none."""
        environment = self.dice.choice(sorted(self.module.values))
        names = [name for name in NAMES if name not in self.module.values[environment]]
        return environment, self.dice.choice(names)


def cases(part: int) -> Iterator[Case]:
    for number in range(part, MODULES, PARTS):
        dice = Random(number)
        module = modules.make(dice)
        compile(module.source, f"module-{number}", "exec")
        oracle = Oracle(module.source)
        assert oracle.stated() == module.values, number
        yield Case(module, oracle, dice)


def check_replaced(case: Case) -> None:
    """The bytes between the quotes, and no others: byte for byte what LibCST rebuilds."""
    place = case.known()
    if place is None:
        return
    environment, name = place
    new = splice.put(case.source, environment, name, NEW[place])
    literal = entries(case.oracle.values(environment))[name].value
    start, end = case.oracle.spans(environment)[name][1]
    assert new.replaced
    assert new.source == case.oracle.rebuilt([(literal, NEW[place])])
    assert new.source[: start + 1] == case.source[: start + 1]
    assert new.source[start + 1 :] == NEW[place].encode() + case.source[end - 1 :]


def check_added(case: Case) -> None:
    """One run of bytes more: the entry, with the blanks that give it a line or a space."""
    environment, name = place = case.free()
    new = splice.put(case.source, environment, name, NEW[place]).source
    entry = f'"{name}": "{NEW[place]}",'.encode()
    run = inserted(case.source, new)
    assert run.strip(b" \t\r\n") == entry
    ends = set(re.findall(rb"\r?\n", case.source))
    assert set(re.findall(rb"\r?\n", run)) <= (ends or {b"\n"})
    after = Oracle(new)
    wanted = {it: dict(values) for it, values in case.module.values.items()}
    wanted[environment][name] = NEW[place]
    assert after.stated() == wanted
    assert after.others() == case.oracle.others()
    assert COMMENT.findall(new) == COMMENT.findall(case.source)
    if is_sorted(case, environment) and run.count(b"\n") == 1:
        assert list(after.stated()[environment]) == in_order(wanted[environment], case, environment)


def inserted(old: bytes, new: bytes) -> bytes:
    """The one run of bytes that `new` has more than `old`."""
    size = len(new) - len(old)
    at = next((i for i, (a, b) in enumerate(zip(old, new, strict=False)) if a != b), len(old))
    # The run may begin earlier: where it starts as what follows it does.
    for start in range(at, max(at - size, 0) - 1, -1):
        run = new[start : start + size]
        if new[:start] + new[start + size :] == old and run.strip(b" \t\r\n")[:1] == b'"':
            return run
    raise AssertionError("more than one run of bytes was changed")


def is_sorted(case: Case, environment: str) -> bool:
    names = list(entries(case.oracle.values(environment)))
    return names == sorted(names)


def in_order(values: dict[str, str], case: Case, environment: str) -> list[str]:
    """Sorted, but that an entry without a comma stays the last."""
    table = case.oracle.values(environment)
    names = sorted(values)
    if table.elements and isinstance(table.elements[-1].comma, libcst.MaybeSentinel):
        last = list(entries(table))[-1]
        return [*(name for name in names if name != last), last]
    return names


def check_removed(case: Case) -> None:
    """Its own lines where it has some, else the entry, one comma and blanks beside it."""
    place = case.known()
    if place is None:
        return
    environment, name = place
    new = splice.remove(case.source, environment, name)
    wanted = {it: dict(values) for it, values in case.module.values.items()}
    del wanted[environment][name]
    after = Oracle(new)
    assert after.stated() == wanted
    assert after.others() == case.oracle.others()
    spans = {it: (key[0], value[1]) for it, (key, value) in case.oracle.spans(environment).items()}
    start, end = spans[name]
    lines = own_lines(case.source, start, end)
    if lines is not None:
        assert new == case.source[: lines[0]] + case.source[lines[1] :]
        return
    # All before the entry before it, and after the one after it, is kept; so is every comment.
    low, high = neighbours(case.source, spans, name)
    assert new.startswith(case.source[:low])
    assert new.endswith(case.source[high:])
    kept = case.source[low:start] + case.source[end:high]
    left = new[low : len(new) - (len(case.source) - high)]
    assert COMMENT.findall(left) == COMMENT.findall(kept)
    bare, was = BLANK.sub(b"", left), BLANK.sub(b"", kept)
    assert (was.count(b",") - bare.count(b",")) in (0, 1)
    assert bare.replace(b",", b"") == was.replace(b",", b"") == b""


def own_lines(source: bytes, start: int, end: int) -> tuple[int, int] | None:
    """The lines of an entry, where nothing but its comma and a comment stands in them."""
    first = source.rfind(b"\n", 0, start) + 1
    rest = re.compile(rb"[ \t]*,?[ \t\f]*(#[^\n]*)?\r?\n").match(source, end)
    if rest is None or source[first:start].strip(b" \t"):
        return None
    comma_later = re.compile(rb"[ \t]*(?!,)[ \t\f]*(#[^\n]*)?\r?\n").match(source, end)
    if comma_later and re.compile(rb"(?:[ \t\f]|\\\r?\n|\r?\n|#[^\n]*+)*+,").match(source, end):
        return None
    return first, rest.end()


def neighbours(source: bytes, spans: dict[str, Span], name: str) -> Span:
    """Where the entry before ends, or the first begins; where the one after begins, or ends all."""
    order = list(spans)
    at = order.index(name)
    start, end = spans[name]
    low = spans[order[at - 1]][1] if at else start - len(trailing_blanks(source[:start]))
    if at + 1 < len(order):
        return low, spans[order[at + 1]][0]
    rest = re.compile(rb"(?:[ \t\f,]|\\\r?\n|\r?\n|#[^\n]*+)*+").match(source, end)
    assert rest is not None
    return low, rest.end()


def trailing_blanks(before: bytes) -> bytes:
    """The blanks on the line that `before` ends with."""
    return before[len(before.rstrip(b" \t\f")) :]


def check_renamed(case: Case) -> None:
    """In place, byte for byte what LibCST rebuilds, or its whole line moved to where it belongs."""
    place = case.known()
    if place is None:
        return
    old = place[1]
    new = case.dice.choice([name for name in NAMES if name != old])
    where = [it for it, values in case.module.values.items() if old in values]
    listed = case.module.required is not None and case.dice.random() < 0.5
    sealed = {it: NEW[it, new] for it in where}
    if any(new in case.module.values[it] for it in where):
        with pytest.raises(ConfigError, match="already"):
            splice.rename(case.source, old, new, sealed, required=listed)
        return
    done = splice.rename(case.source, old, new, sealed, required=listed)
    after = Oracle(done)
    wanted = {it: dict(values) for it, values in case.module.values.items()}
    for it in where:
        del wanted[it][old]
        wanted[it][new] = sealed[it]
    assert after.stated() == wanted
    assert after.others() == case.oracle.others()
    comments, left = Counter(COMMENT.findall(case.source)), Counter(COMMENT.findall(done))
    # Where both names are required, one line of `required` goes, with the comment on it.
    one_less = listed and {old, new} <= set(case.module.required or ())
    assert left <= comments
    assert (comments - left).total() <= int(one_less)
    if listed:
        return
    changes: list[tuple[libcst.BaseExpression, str]] = []
    for it in where:
        entry = entries(case.oracle.values(it))[old]
        changes += [(entry.key, new), (entry.value, sealed[it])]
    rebuilt = case.oracle.rebuilt(changes)
    if rebuilt != done:
        assert words_of(rebuilt) == words_of(done)
        assert any(moved(case, it, old, new) for it in where)


def words_of(source: bytes) -> list[bytes]:
    """Its words in order of their bytes: a line that moves is written anew, but nothing else is."""
    return sorted(re.findall(rb"[^\s'\",:]+", source))


def moved(case: Case, environment: str, old: str, new: str) -> bool:
    """Whether the renamed entry belongs elsewhere, and has a line that can go there."""
    found = entries(case.oracle.values(environment))
    names = [name for name in found if name != old]
    place = next((at for at, name in enumerate(names) if name > new), len(names))
    key, value = case.oracle.spans(environment)[old]
    lines = own_lines(case.source, key[0], value[1])
    return place != list(found).index(old) and lines is not None


def check_environment(case: Case) -> None:
    """One run of bytes more; the other environments and all comments stand as they did."""
    name = case.dice.choice(NEW_ENVIRONMENTS)
    public = PAIRS[name].public.dump()
    try:
        new = splice.add_environment(case.source, name, public)
    except ConfigError as error:
        assert "not imported" in error.message
        return
    assert b"".join(inserted(case.source, new).split()).startswith(f'"{name}":'.encode())
    after = Oracle(new)
    assert after.stated() == {**case.module.values, name: {}}
    assert after.others() == case.oracle.others()
    assert COMMENT.findall(new) == COMMENT.findall(case.source)
    head = words(entries(after.table)[name].value)
    assert text(head["public_key"]) == public


def check_rekeyed(case: Case) -> None:
    """A rotation changes its literals in place, byte for byte as LibCST rebuilds them."""
    name = case.dice.choice(sorted(case.module.values))
    other = case.dice.choice(NEW_ENVIRONMENTS)
    public = PAIRS[other].public
    prefix = f"lug1.{public.id}."
    values = {it: prefix + OLD[name, it].split(".")[2] for it in case.module.values[name]}
    done = splice.rekey(case.source, name, public.dump(), 7, values)
    head = words(entries(case.oracle.table)[name].value)
    known = entries(case.oracle.values(name))
    changes = [(known[it].value, value) for it, value in values.items()]
    changes += [(head["public_key"], public.dump()), (head["epoch"], "7")]
    assert done == case.oracle.rebuilt(changes)


CHECKS = (
    check_replaced,
    check_added,
    check_removed,
    check_renamed,
    check_environment,
    check_rekeyed,
)


@pytest.mark.parametrize("part", range(PARTS))
def test_every_other_byte_is_kept(part: int) -> None:
    """Whatever the layout and whatever the edit, LibCST and the bytes agree."""
    for case in cases(part):
        for check in CHECKS:
            try:
                check(case)
            except (AssertionError, ConfigError) as error:
                error.add_note(f"{check.__name__}\n{case.source.decode()}")
                raise


# What takes the place of a sealed value, `{}`, and cannot be edited safely.
VALUES = (
    "({})",
    "f{}",
    "r{}",
    "b{}",
    '"" {}',
    '{} ""',
    "str({})",
    '{} + ""',
    '"plain-canary"',
    '"\\x6cug1.plain-canary"',
    '"lug2.plain-canary"',
    "None",
    "ALPHA",
    "[{}]",
    "{} if 1 else 0",
    "(x := {})",
    f'"{OLD["demo", "ALPHA"][:-1]}"',
)
# What stands before an entry.
BEFORE = ("**{}, ", '"lower": "x", ', "'ALPHA': 'plain-canary', ", "ALPHA: 'x', ", 'f"A": "x", ')
# What stands after all, and binds the name again.
AFTER = (
    "SECRETS = 1",
    "SECRETS: int = 1",
    "SECRETS += 1",
    "(SECRETS := 1)",
    "for SECRETS in (): pass",
    "import crypto as SECRETS",
    "from crypto import *",
    "del SECRETS",
    "def SECRETS(): pass",
    "class SECRETS: pass",
    "def f(): global SECRETS",
    "with a as SECRETS: pass",
    "x = [1 for SECRETS in ()]",
    "a, (b, *SECRETS) = c",
)


def edits(module: Module) -> Iterator[tuple[str, Callable[[bytes], object]]]:
    """Every way to edit a module, in any of its environments."""
    for environment, values in module.values.items():
        place = (environment, "D")
        yield "put", partial(splice.put, environment=environment, name="D", sealed=NEW[place])
        yield (
            "rekey",
            partial(
                splice.rekey,
                environment=environment,
                public_key=PAIRS["zeta"].public.dump(),
                epoch=2,
                values=values,
            ),
        )
        for name in values:
            yield "remove", partial(splice.remove, environment=environment, name=name)
            sealed = {environment: NEW[environment, "D"]}
            yield "rename", partial(splice.rename, old=name, new="D", sealed=sealed)
    public = PAIRS["zeta"].public.dump()
    yield "add", partial(splice.add_environment, name="zeta", public_key=public)


def broken(case: Case) -> Iterator[tuple[bytes, int]]:
    """Modules of Python that are none of the grammar, each with the line where it leaves it."""
    place = case.known()
    if place is not None:
        key, value = case.oracle.spans(place[0])[place[1]]
        literal = case.source[value[0] : value[1]].decode()
        new = case.dice.choice(VALUES).replace("{}", literal)
        yield cut(case.source, value, new), line_of(case.source, value[0])
        before = case.dice.choice(BEFORE).replace("ALPHA", place[1])
        wrong = line_of(case.source, key[0])
        yield cut(case.source, (key[0], key[0]), before), wrong
    if case.source.endswith(b"\n"):
        after = case.dice.choice(AFTER).encode() + b"\n"
        yield case.source + after, line_of(case.source, len(case.source))
    at = case.oracle.start()
    yield cut(case.source, (at, at), "a = 1; "), line_of(case.source, at)


def cut(source: bytes, span: Span, new: str) -> bytes:
    return source[: span[0]] + new.encode() + source[span[1] :]


def line_of(source: bytes, at: int) -> int:
    return source.count(b"\n", 0, at) + 1


@pytest.mark.parametrize("part", range(PARTS))
def test_what_cannot_be_edited_safely_is_refused_with_its_line(part: int) -> None:
    """Python that is not of the grammar: no edit is made, the line is told, and no value shown."""
    for case in cases(part):
        for source, line in broken(case):
            compile(source, "broken", "exec", flags=PyCF_ONLY_AST)
            how, edit = case.dice.choice(list(edits(case.module)))
            with pytest.raises(ConfigError) as caught:
                edit(source)
            told = (how, line, caught.value.message)
            assert caught.value.line == line, (*told, source.decode())
            assert f"line {line}: " in caught.value.message, told
            assert "canary" not in caught.value.render()
