"""Dice → a config module of the grammar, in any layout and amid any code, and what it states."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from luggage.crypto import Secret, envelope, keys
from luggage.crypto.envelope import Context

PROJECT = "thing"
ENVIRONMENTS = ("alpha", "demo", "prod")
NEW_ENVIRONMENTS = ("aaa", "beta", "zeta")
NAMES = ("ALPHA", "BETA_KEY", "CERT", "D", "LINES_API_KEY", "Z9_")
PAIRS = {name: keys.generate() for name in (*ENVIRONMENTS, *NEW_ENVIRONMENTS)}
CALLEES = ("crypto.", "luggage.crypto.", "", "_c9.")


def sealed(environment: str, name: str) -> str:
    """A well-formed value for one place."""
    place = Context(PROJECT, environment, name, PAIRS[environment].public, 1)
    return envelope.seal(Secret(b"v"), "text", place)


OLD = {
    (environment, name): sealed(environment, name) for environment in ENVIRONMENTS for name in NAMES
}
NEW = {place: sealed(*place) for place in OLD}

# Code that could be taken for the assignment, or for an entry, by whoever reads no Python.
CODE = (
    '"""Dök: SECRETS = crypto.Secrets(format=1)\n\nSECRETS = {"demo": 1}\n"""\n',
    "import os  # SECRETS = 1\n",
    "from luggage import crypto\n",
    f'OTHER = {{"demo": {{"ALPHA": "{OLD["demo", "ALPHA"]}", "CERT": "x"}}}}\n',
    f"OLD_SECRETS = crypto.Secrets(format=1, project='thing', environments={{'demo': "
    f"crypto.Environment(public_key='x', epoch=1, values={{'ALPHA': '{OLD['demo', 'ALPHA']}'}})"
    "})\n",
    "text = 'SECRETS = \"'  # é 🔑 ' \" }\n",
    'odd = """\nSECRETS = crypto.Secrets(\n    environments={"demo": 1},\n)\n"""\n',
    "raw = rb'\\\\'; joined = ('SECRETS' 'x'\n  \"=\")\n",
    "def make(S=1, *, environments={}, **words):\n\treturn {'demo': f'{words!r:>{S}}'}\n",
    "class A:\n    secrets = staticmethod(lambda x: x[\n1:\n  ])\n\n    @property\n"
    "    def SECRETs(self):\n        return self.SECRETS\n",
    "setattr(make, 'SECRETS', 1); make.SECRETS = 2; table = {}; table['SECRETS'] = 3\n",
    "if True:\n    x = [\n  1,\n]; y = 2\nelse:\n\tz = 3\n",
    "größe = 'ñ'; 数 = {'demo': '}'}\n",
    "long = 1 + \\\n    2\n",
    "\n\n",
    "\f\n",
    "# SECRETS = crypto.Secrets( '\"\n",
    "#!no shebang\n   # indented\n",
    "print(SECRETS, {**OTHER}) if 0 else None\n",
    "match os:\n    case [1, *_]:\n        pass\n",
    "assert (n := 1) or call(environments={'demo': crypto.Environment()}, SECRETS=1)\n",
)
BLANKS = (
    *("", "", "", " ", "  ", "\n", "\t", "\\\n", "\f", "\n\n    "),
    *("# ünïcödé ) } ' \" ,\n", "#\n", "  # 🔑 SECRETS = 1\n", "# {\n        "),
)


@dataclass(frozen=True)
class Module:
    """A module's bytes, its values by environment, and the names it requires."""

    source: bytes
    values: dict[str, dict[str, str]]
    required: tuple[str, ...] | None


def make(dice: Random) -> Module:
    """A module as luggage writes it, in one line, or as nobody would write it."""
    known = sorted(dice.sample(ENVIRONMENTS, dice.randint(1, 3)), key=lambda _: dice.random())
    values = {
        it: {name: OLD[it, name] for name in dice.sample(NAMES, dice.randint(0, 5))} for it in known
    }
    required = tuple(dice.sample(NAMES, dice.randint(0, 3))) if dice.random() < 0.6 else None
    layout = dice.choice((_Tidy, _OneLine, _Wild, _Wild))(dice)
    assigned = layout.secrets(dice.choice(CALLEES), values, required)
    before = "".join(dice.choices(CODE, k=dice.randint(0, 5)))
    after = "".join(dice.choices(CODE, k=dice.randint(0, 4)))
    equals = dice.choice((" = ", "=", " = \\\n  "))
    end = dice.choice(("\n", "  # end\n"))
    cookie = dice.choice(("", "", "# -*- coding: utf-8 -*-\n"))
    if after.endswith("\f\n"):  # LibCST would lose the empty lines before it
        after += "last = 1\n"
    text = f"{cookie}{before}SECRETS{equals}{assigned}{end}{after}"
    if not after and dice.random() < 0.3:
        text = text.removesuffix("\n")
    if dice.random() < 0.25:
        text = text.replace("\n", "\r\n")
    elif dice.random() < 0.1:  # an editor that does not mind
        *lines, last = text.split("\n")
        text = "".join(it + dice.choice(("\n", "\r\n")) for it in lines) + last
    bom = b"\xef\xbb\xbf" if dice.random() < 0.15 else b""
    return Module(bom + text.encode(), values, required)


class _Tidy:
    """One secret a line, as luggage writes it, with a comment here and there."""

    def __init__(self, dice: Random) -> None:
        self.dice = dice
        self.step = dice.choice(("    ", "  ", "\t"))

    def secrets(
        self, callee: str, values: dict[str, dict[str, str]], required: tuple[str, ...] | None
    ) -> str:
        words = {"format": "1", "project": self.quoted(PROJECT)}
        if required is not None:
            words["required"] = self.items(
                *self.brackets(), [self.quoted(it) for it in required], 1
            )
        environments = {
            name: self.call(
                f"{callee}Environment",
                {
                    "public_key": self.quoted(PAIRS[name].public.dump()),
                    "epoch": "1",
                    "values": self.table({k: self.quoted(v) for k, v in known.items()}, 3),
                },
                2,
            )
            for name, known in values.items()
        }
        words["environments"] = self.table(environments, 1)
        return self.call(f"{callee}Secrets", words, 0)

    def call(self, callee: str, words: dict[str, str], depth: int) -> str:
        return self.items(f"{callee}(", ")", [f"{word}={it}" for word, it in words.items()], depth)

    def table(self, entries: dict[str, str], depth: int) -> str:
        items = [f"{self.quoted(key)}: {entries[key]}" for key in sorted(entries)]
        return self.items("{", "}", items, depth)

    def brackets(self) -> tuple[str, str]:
        return self.dice.choice((("(", ")"), ("[", "]")))

    def items(self, opening: str, closing: str, items: list[str], depth: int) -> str:
        if not items:
            return opening + closing
        margin = self.step * (depth + 1)
        lines = [f"{margin}{it},{self.note(margin)}\n" for it in items]
        if self.dice.random() < 0.2 and not (opening == "(" and len(items) == 1):
            lines[-1] = lines[-1].replace(",", "", 1) if lines[-1].count(",") == 1 else lines[-1]
        return f"{opening}{self.note(margin)}\n{''.join(lines)}{self.step * depth}{closing}"

    def note(self, margin: str) -> str:
        return self.dice.choice(("",) * 8 + ("  # wärum", f"\n{margin}# heading", "\n"))

    def quoted(self, text: str) -> str:
        quote = self.dice.choice('"""\'')
        return f"{quote}{text}{quote}"


class _OneLine(_Tidy):
    """Everything between two brackets in one line."""

    def items(self, opening: str, closing: str, items: list[str], depth: int) -> str:
        comma = "," if self.dice.random() < 0.3 or (opening == "(" and len(items) == 1) else ""
        space = self.dice.choice(("", " "))
        joined = self.dice.choice((", ", ",", " , ")).join(items)
        return f"{opening}{space}{joined}{comma if items else ''}{space}{closing}"


class _Wild(_Tidy):
    """Blanks and comments wherever Python takes them, words and entries in any order."""

    def call(self, callee: str, words: dict[str, str], depth: int) -> str:
        order = self.dice.sample(sorted(words), len(words))
        items = [f"{word}{self.blank()}={self.blank()}{words[word]}" for word in order]
        # Outside of all brackets a line's end would end the statement.
        between = self.blank() if depth else self.dice.choice(("", " ", "\\\n"))
        return self.items(f"{callee}{between}(", ")", items, depth)

    def table(self, entries: dict[str, str], depth: int) -> str:
        order = self.dice.sample(sorted(entries), len(entries))
        items = [f"{self.quoted(it)}{self.blank()}:{self.blank()}{entries[it]}" for it in order]
        return self.items("{", "}", items, depth)

    def items(self, opening: str, closing: str, items: list[str], depth: int) -> str:
        # A call of one argument is no tuple, but there is none in this grammar.
        comma = "," if self.dice.random() < 0.5 or (opening == "(" and len(items) == 1) else ""
        joined = f"{self.blank()}".join(
            f"{it}{self.blank()}{',' if at + 1 < len(items) else comma}"
            for at, it in enumerate(items)
        )
        return f"{opening}{self.blank()}{joined}{self.blank()}{closing}"

    def blank(self) -> str:
        return "".join(self.dice.choices(BLANKS, k=self.dice.choice((0, 0, 1, 1, 2))))
