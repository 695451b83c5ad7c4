"""One secret into a config module: one line changes, and every other byte stands."""

from __future__ import annotations

import difflib

import libcst
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from luggage.configfile import grammar, splice
from luggage.configfile.module import ConfigError
from luggage.crypto import Secret, envelope, keys
from luggage.crypto.envelope import Context

PAIRS = {name: keys.generate() for name in ("demo", "prod")}
NAMES = ("ALPHA", "BETA", "GAMMA", "OMEGA")
SEALED = {
    (environment, name): envelope.seal(
        Secret(b"old"), "text", Context("example", environment, name, pair.public, 1)
    )
    for environment, pair in PAIRS.items()
    for name in NAMES
}
NEW = envelope.seal(
    Secret(b"new"), "text", Context("example", "demo", "BETA", PAIRS["demo"].public, 1)
)


def module(values: str, end: str = "\n", head: str = "", tail: str = "") -> bytes:
    """A config module with `values` as the text of demo's dict."""
    text = (
        f"{head}from luggage import crypto\n\nSECRETS = crypto.Secrets(\n    format=1,\n"
        '    project="example",\n    environments={\n        "demo": crypto.Environment(\n'
        f'            public_key="{PAIRS["demo"].public.dump()}",\n            epoch=1,\n'
        f"            values={values},\n        ),\n    }},\n)\n{tail}"
    )
    return text.replace("\n", end).encode()


def entry(name: str, *, comma: str = ",", rest: str = "") -> str:
    return f'\n                "{name}": "{SEALED["demo", name]}"{comma}{rest}'


def changed(old: bytes, new: bytes) -> tuple[list[str], list[str]]:
    """The lines that went, and those that came."""
    lines = list(
        difflib.ndiff(
            old.decode().splitlines(keepends=True), new.decode().splitlines(keepends=True)
        )
    )
    return (
        [line[2:] for line in lines if line.startswith("- ")],
        [line[2:] for line in lines if line.startswith("+ ")],
    )


def values(source: bytes) -> dict[str, str]:
    return {k: v.value for k, v in grammar.read(source).environments["demo"].values.items()}


CLOSE = "\n            }"


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize(
    ("text", "before"),
    [
        ("{" + entry("ALPHA") + entry("GAMMA") + CLOSE, "GAMMA"),
        ("{" + entry("GAMMA") + CLOSE, "GAMMA"),
        ("{" + entry("ALPHA") + CLOSE, None),
        ("{" + entry("ALPHA", rest="  # why, }") + "\n                # next" + CLOSE, None),
        ("{  # all\n                # first" + entry("GAMMA") + CLOSE, "GAMMA"),
        ("{" + entry("ALPHA") + entry("GAMMA", comma="") + CLOSE, "GAMMA"),
        # The last entry has no comma, so the new one goes before it: no second line changes.
        ("{" + entry("ALPHA", comma="") + CLOSE, "ALPHA"),
        ("{\n            }", None),
    ],
)
def test_a_new_name_is_one_new_line_in_order(text: str, before: str | None, end: str) -> None:
    """A new secret is one line more, indented like its neighbours, with the module's line end."""
    old = module(text, end)
    new = splice.put(old, "demo", "BETA", NEW)
    assert not new.replaced
    gone, come = changed(old, new.source)
    assert ([], [f'                "BETA": "{NEW}",{end}']) == (gone, come)
    assert values(new.source) == values(old) | {"BETA": NEW}
    order = list(values(new.source))
    assert before is None or order.index("BETA") < order.index(before)


@pytest.mark.parametrize("quote", ['"', "'"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_known_name_is_one_changed_line(quote: str, end: str) -> None:
    """Replacing changes the bytes between the quotes and no others."""
    old = module("{" + entry("ALPHA") + entry("BETA", rest=" # ü") + CLOSE, end).replace(
        f'"{SEALED["demo", "BETA"]}"'.encode(), f"{quote}{SEALED['demo', 'BETA']}{quote}".encode()
    )
    new = splice.put(old, "demo", "BETA", NEW)
    assert new.replaced
    assert new.source == old.replace(SEALED["demo", "BETA"].encode(), NEW.encode())


def test_an_empty_dict_is_opened_over_lines() -> None:
    """The first secret of a new environment makes the dict one secret a line."""
    new = splice.put(module("{}"), "demo", "BETA", NEW).source
    assert new == module("{" + f'\n                "BETA": "{NEW}",' + CLOSE)


@pytest.mark.parametrize(
    "text",
    [
        f'{{"ALPHA": "{SEALED["demo", "ALPHA"]}", "GAMMA": "{SEALED["demo", "GAMMA"]}"}}',
        f'{{ "GAMMA": "{SEALED["demo", "GAMMA"]}" }}',
        f'{{"ALPHA": "{SEALED["demo", "ALPHA"]}",}}',
        f'{{"ALPHA": "{SEALED["demo", "ALPHA"]}"}}',
    ],
)
def test_a_dict_in_one_line_stays_in_one_line(text: str) -> None:
    """Where the entries share a line, that line alone changes."""
    old = module(text)
    new = splice.put(old, "demo", "BETA", NEW).source
    gone, come = changed(old, new)
    assert (len(gone), len(come)) == (1, 1)
    assert values(new) == values(old) | {"BETA": NEW}


BLANKS = st.lists(
    st.sampled_from(
        [
            " ",
            "  ",
            "\n",
            "\t",
            "\\\n",
            "# ünïcödé ) } ' \" ,\n",
            "#\n",
            "  # 🔑 SECRETS = 1\n",
            "\f",
        ]
    ),
    max_size=3,
).map("".join)
FILLERS = st.lists(
    st.sampled_from(
        [
            '"""Dök."""\n',
            "A = 1\n",
            "text = 'SECRETS = \"' # é\n",
            "def f():\n    return {'demo': 'lug1.x'}\n",
            "\n",
            "# coding is fun 🔑\n",
            'odd = """\nSECRETS = {\n"""\n',
            "x = [\n  1,\n]; y = 2\n",
        ]
    ),
    max_size=5,
).map("".join)


@st.composite
def modules(draw: st.DrawFn) -> tuple[bytes, str]:
    """A module of the grammar in any layout, and a name to put into it."""
    blank = lambda: draw(BLANKS)  # noqa: E731
    quote = lambda text: draw(st.sampled_from(["'{}'", '"{}"'])).format(text)  # noqa: E731

    def joined(opening: str, parts: list[str], closing: str) -> str:
        comma = "," if parts and draw(st.booleans()) else ""
        inside = f"{blank()},{blank()}".join(parts)
        return f"{opening}{blank()}{inside}{blank()}{comma}{blank()}{closing}"

    def call(name: str, words: dict[str, str]) -> str:
        order = draw(st.permutations(sorted(words)))
        return joined(f"{name}(", [f"{w}{blank()}={blank()}{words[w]}" for w in order], ")")

    def table(entries: dict[str, str]) -> str:
        order = draw(st.permutations(sorted(entries)))
        return joined("{", [f"{quote(key)}{blank()}:{blank()}{entries[key]}" for key in order], "}")

    environments = {}
    for name, pair in PAIRS.items():
        known = draw(st.sets(st.sampled_from(NAMES)))
        environments[name] = call(
            "crypto.Environment",
            {
                "public_key": quote(pair.public.dump()),
                "epoch": "1",
                "values": table({key: quote(SEALED[name, key]) for key in known}),
            },
        )
    words = {"format": "1", "project": quote("example"), "environments": table(environments)}
    if draw(st.booleans()):
        words["required"] = joined("[", [quote("ALPHA")], "]")
    text = f"{draw(FILLERS)}SECRETS = {call('crypto.Secrets', words)}  # end\n{draw(FILLERS)}"
    if draw(st.booleans()):
        text = text.replace("\n", "\r\n")
    bom = "\ufeff" if draw(st.booleans()) else ""
    return (bom + text).encode(), draw(st.sampled_from(NAMES))


@settings(max_examples=200, deadline=None)
@given(modules())
def test_in_any_layout_every_other_byte_is_kept(drawn: tuple[bytes, str]) -> None:
    """Whatever the layout, the new module is the old one and a run of bytes; LibCST agrees."""
    old, name = drawn
    sealed = envelope.seal(
        Secret(b"new"), "text", Context("example", "demo", name, PAIRS["demo"].public, 1)
    )
    new = splice.put(old, "demo", name, sealed)
    before, after = values(old), values(new.source)
    assert after == before | {name: sealed}
    if new.replaced:
        assert new.source == old.replace(before[name].encode(), sealed.encode())
    else:
        assert is_insertion(old, new.source)
    assert oracle(old) | {name: sealed} == oracle(new.source)
    assert old.count(b"#") == new.source.count(b"#")


def is_insertion(old: bytes, new: bytes) -> bool:
    """Whether `new` is `old` and one run of bytes more."""
    return common(old, new) + common(old[::-1], new[::-1]) >= len(old)


def common(one: bytes, two: bytes) -> int:
    """How many bytes both begin with."""
    pairs = enumerate(zip(one, two, strict=False))
    return next((place for place, (a, b) in pairs if a != b), min(len(one), len(two)))


def oracle(source: bytes) -> dict[str, str]:
    """demo's values as LibCST reads them."""
    tree = libcst.parse_module(source)
    found: dict[str, str] = {}

    class Visitor(libcst.CSTVisitor):
        def visit_DictElement(self, node: libcst.DictElement) -> None:
            key = node.key
            if isinstance(key, libcst.SimpleString) and key.evaluated_value == "demo":
                for word in node.value.args if isinstance(node.value, libcst.Call) else ():
                    if word.keyword and word.keyword.value == "values":
                        found.update(
                            {
                                it.key.evaluated_value: it.value.evaluated_value
                                for it in word.value.elements
                            }
                        )

    tree.visit(Visitor())
    return found


def test_a_refusal_tells_the_line() -> None:
    """What breaks the grammar is refused with its line, and nothing of a value is quoted."""
    for old, new, line in (
        ('"example"', '("example")', 5),
        ("epoch=1", "epoch=0x1", 9),
        (f'"{SEALED["demo", "ALPHA"]}"', '"plain-canary"', 11),
        (f'"{SEALED["demo", "ALPHA"]}"', '"a" "plain-canary"', 11),
        ('"ALPHA"', '"beta"', 11),
        ("format=1", "format=2", 4),
        ("crypto.Environment(", "crypto.Environment(\n**{}, ", 8),
    ):
        source = module("{" + entry("ALPHA") + CLOSE).replace(old.encode(), new.encode())
        with pytest.raises(ConfigError) as caught:
            splice.put(source, "demo", "BETA", NEW)
        assert line == caught.value.line, (new, caught.value.message)
        assert f"line {line}" in caught.value.message
        assert "canary" not in caught.value.render()


def test_an_unknown_environment_is_refused() -> None:
    """A secret is never put into an environment that the module does not have."""
    with pytest.raises(ConfigError) as caught:
        splice.put(module("{}"), "prod", "BETA", NEW)
    assert "demo" in (caught.value.hint or "")


def test_what_does_not_belong_into_the_module_is_refused() -> None:
    """The new text is read as strictly as the old one: a wrong value or name is never written."""
    foreign = SEALED["prod", "ALPHA"]
    for name, sealed in (("BETA", "plain"), ("BETA", foreign), ("beta", NEW), ("B", '", "X": "')):
        with pytest.raises(ConfigError):
            splice.put(module("{}"), "demo", name, sealed)


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_new_environment_is_a_block_of_its_own(end: str) -> None:
    """keygen's lines are added where the order puts them; nothing else changes."""
    old = module("{" + entry("ALPHA") + CLOSE, end)
    public = PAIRS["prod"].public.dump()
    new = splice.add_environment(old, "prod", public)
    gone, come = changed(old, new)
    assert not gone
    assert [line.strip() for line in come] == [
        '"prod": crypto.Environment(',
        f'public_key="{public}",',
        "epoch=1,",
        "values={},",
        "),",
    ]
    assert all(line.endswith(end) for line in come)
    assert list(grammar.read(new).environments) == ["demo", "prod"]
    assert list(grammar.read(splice.add_environment(old, "alpha", public)).environments) == [
        "alpha",
        "demo",
    ]


def test_a_new_environment_is_refused_where_it_would_not_import() -> None:
    """Where `Environment` alone was never imported, the module would fail: refused."""
    source = (
        b"from luggage.crypto import Secrets\n"
        b'SECRETS = Secrets(format=1, project="a", environments={})\n'
    )
    public = PAIRS["demo"].public.dump()
    with pytest.raises(ConfigError) as caught:
        splice.add_environment(source, "demo", public)
    assert "not imported" in caught.value.message
    imported = source.replace(b"import Secrets", b"import Environment, Secrets")
    assert "demo" in grammar.read(splice.add_environment(imported, "demo", public)).environments


def test_an_environment_that_is_there_is_refused() -> None:
    """keygen never replaces a key: that is a rotation."""
    with pytest.raises(ConfigError):
        splice.add_environment(module("{}"), "demo", PAIRS["prod"].public.dump())
    with pytest.raises(ConfigError):
        splice.add_environment(module("{}"), "prod", PAIRS["demo"].public.dump())
