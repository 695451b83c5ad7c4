"""Secrets taken out, renamed, added together and rekeyed: the lines they stand in, no others."""

from __future__ import annotations

import pytest
from hypothesis import assume, given, settings
from test_configfile_splice import (
    CLOSE,
    NAMES,
    PAIRS,
    SEALED,
    changed,
    entry,
    module,
    modules,
    oracle,
    values,
)

from luggage.configfile import grammar, splice
from luggage.configfile.module import ConfigError
from luggage.crypto import Secret, envelope, keys
from luggage.crypto.envelope import Context

NEXT = keys.generate()


def sealed(name: str, epoch: int = 1, key: keys.PrivateKey = PAIRS["demo"]) -> str:
    place = Context("example", "demo", name, key.public, epoch)
    return envelope.seal(Secret(b"new"), "text", place)


def requiring(text: str) -> bytes:
    """A module with ALPHA, BETA and this as its `required`."""
    old = module("{" + entry("ALPHA") + entry("BETA") + CLOSE)
    return old.replace(b"    environments", f"    required={text},\n    environments".encode(), 1)


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize(
    "text",
    [
        "{" + entry("ALPHA") + entry("BETA") + entry("GAMMA") + CLOSE,
        "{" + entry("BETA") + CLOSE,
        "{" + entry("BETA", comma="") + CLOSE,
        "{" + entry("ALPHA") + entry("BETA", comma="", rest=" # last") + CLOSE,
        "{" + entry("BETA", rest="  # its comment, }") + entry("GAMMA") + CLOSE,
        "{  # all\n                # next" + entry("BETA") + "\n                # end" + CLOSE,
        "{" + entry("GAMMA", rest=" # kept") + "\n" + entry("BETA") + CLOSE,
    ],
)
def test_what_is_removed_is_one_line(text: str, end: str) -> None:
    """The entry's line goes, with the comment on it; every other line stands."""
    old = module(text, end)
    new = splice.remove(old, "demo", "BETA")
    gone, come = changed(old, new)
    assert (len(gone), come) == (1, [])
    assert '"BETA"' in gone[0]
    assert values(new) == {k: v for k, v in values(old).items() if k != "BETA"}


A, B, C = (f'"{name}": "{SEALED["demo", name]}"' for name in ("ALPHA", "BETA", "GAMMA"))


@pytest.mark.parametrize(
    ("text", "left"),
    [
        (f"{{{A}, {B}, {C}}}", f"{{{A}, {C}}}"),
        (f"{{{A}, {B}}}", f"{{{A}}}"),
        (f"{{{B}, {C}}}", f"{{{C}}}"),
        (f"{{{B}}}", "{}"),
        (f"{{{B},}}", "{}"),
        (f"{{ {B}, }}", "{ }"),
        (f"{{{A},\n  {B}}}", f"{{{A},\n  }}"),
        (f"{{{B} # one\n, {C}}}", f"{{ # one\n {C}}}"),
        (f"{{ # one\n{A} # two\n, {B} # three\n}}", f"{{ # one\n{A} # two\n # three\n}}"),
    ],
)
def test_what_shares_its_line_is_cut_out_of_it(text: str, left: str) -> None:
    """Where entries share a line the others stay, and so does every comment."""
    assert splice.remove(module(text), "demo", "BETA") == module(left)


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ('("ALPHA", "BETA")', '("ALPHA",)'),
        ('("BETA", "ALPHA")', '("ALPHA",)'),
        ('("BETA",)', "()"),
        ('("ALPHA", "BETA", "GAMMA")', '("ALPHA", "GAMMA")'),
        ('["ALPHA", "BETA"]', '["ALPHA"]'),
        ('["BETA"]', "[]"),
        ('(\n        "ALPHA",\n        "BETA",\n    )', '(\n        "ALPHA",\n    )'),
        ('(\n        "ALPHA",\n        "BETA"\n    )', '(\n        "ALPHA",\n    )'),
        ('(\n        "BETA",\n        "ALPHA"\n    )', '(\n        "ALPHA",\n    )'),
        ('("ALPHA",)', '("ALPHA",)'),
    ],
)
def test_required_loses_the_name_and_stays_a_tuple(text: str, left: str) -> None:
    """A tuple of one keeps its comma; a list stays a list; what is not listed changes nothing."""
    new = splice.remove(requiring(text), "demo", "BETA", required=True)
    assert f"required={left},".encode() in new
    assert grammar.read(splice.remove(requiring(text), "demo", "BETA")).required == (
        grammar.read(requiring(text)).required
    )


def test_what_is_not_there_is_not_removed() -> None:
    """An unknown name or environment is refused, with those that are there."""
    old = module("{" + entry("ALPHA") + CLOSE)
    for environment, name, told in (("demo", "BETA", "ALPHA"), ("prod", "ALPHA", "demo")):
        with pytest.raises(ConfigError) as caught:
            splice.remove(old, environment, name)
        assert told in (caught.value.hint or "")


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("rest", ["", "  # ü, its comment }"])
@pytest.mark.parametrize("comma", [",", ""])
def test_a_renamed_secret_moves_to_its_place(end: str, rest: str, comma: str) -> None:
    """One line goes and one comes, in order, and the comment on it goes along."""
    old = module(
        "{" + entry("ALPHA") + entry("GAMMA") + entry("OMEGA", comma=comma, rest=rest) + CLOSE, end
    )
    new = splice.rename(old, "OMEGA", "BETA", {"demo": sealed("BETA")})
    gone, come = changed(old, new)
    assert (len(gone), len(come)) == (1, 1)
    assert come[0].startswith('                "BETA": "lug1.')
    assert come[0].endswith(f'",{rest}{end}')
    assert list(values(new)) == ["ALPHA", "BETA", "GAMMA"]


def test_a_renamed_secret_that_stays_in_order_changes_in_its_line() -> None:
    """Where the place is the same, only the bytes between the quotes change."""
    for text in (
        "{" + entry("ALPHA") + entry("BETA", rest=" # why") + entry("OMEGA", comma="") + CLOSE,
        f"{{{A}, {B}}}",
        f"{{\n  'BETA'\n  # odd\n  : \"{SEALED['demo', 'BETA']}\"\n}}",
    ):
        old = module(text)
        new = splice.rename(old, "BETA", "DELTA", {"demo": sealed("DELTA")})
        assert values(new)["DELTA"] not in old.decode()
        back = new.replace(values(new)["DELTA"].encode(), SEALED["demo", "BETA"].encode())
        assert back.replace(b"DELTA", b"BETA") == old


def test_required_is_renamed_in_the_same_text() -> None:
    """The name changes where it stands; where the new one is listed already, the old one goes."""
    for text, left in (
        ("('BETA', \"ALPHA\")", "('DELTA', \"ALPHA\")"),
        ('("BETA", "DELTA")', '("DELTA",)'),
    ):
        new = splice.rename(
            requiring(text), "BETA", "DELTA", {"demo": sealed("DELTA")}, required=True
        )
        assert f"required={left},".encode() in new


def test_a_name_that_is_taken_is_refused() -> None:
    """Nothing is overwritten by a renaming."""
    old = module("{" + entry("ALPHA") + entry("BETA") + CLOSE)
    with pytest.raises(ConfigError) as caught:
        splice.rename(old, "ALPHA", "BETA", {"demo": sealed("BETA")})
    assert "already" in caught.value.message


def test_a_rekeyed_environment_changes_its_key_its_epoch_and_its_values() -> None:
    """Bytes between quotes, and the number: nothing else; the other environments stand."""
    old = module("{" + entry("ALPHA", rest=" # why") + entry("BETA") + CLOSE)
    new_values = {name: sealed(name, 2, NEXT) for name in ("ALPHA", "BETA")}
    new = splice.rekey(old, "demo", NEXT.public.dump(), 2, new_values)
    expected = old.replace(PAIRS["demo"].public.dump().encode(), NEXT.public.dump().encode())
    expected = expected.replace(b"epoch=1", b"epoch=2")
    for name, value in new_values.items():
        expected = expected.replace(SEALED["demo", name].encode(), value.encode())
    assert new == expected


def test_a_rekeyed_environment_has_every_value_anew() -> None:
    """A value that was left out, or one sealed to the old key, is refused."""
    old = module("{" + entry("ALPHA") + entry("BETA") + CLOSE)
    good = {name: sealed(name, 2, NEXT) for name in ("ALPHA", "BETA")}
    for wrong in (
        {"ALPHA": good["ALPHA"]},
        good | {"GAMMA": sealed("GAMMA", 2, NEXT)},
        good | {"BETA": SEALED["demo", "BETA"]},
    ):
        with pytest.raises(ConfigError):
            splice.rekey(old, "demo", NEXT.public.dump(), 2, wrong)


@pytest.mark.parametrize(
    "text",
    [
        "{}",
        "{" + entry("BETA") + CLOSE,
        "{" + entry("ALPHA") + entry("OMEGA", comma="") + CLOSE,
        f"{{{B}}}",
        f"{{{B},}}",
        "{" + entry("OMEGA") + entry("ALPHA") + CLOSE,
    ],
)
def test_many_at_once_are_as_one_after_the_other(text: str) -> None:
    """Several values in one text: the same bytes as a `put` for each."""
    old = module(text)
    new = {name: sealed(name) for name in (*NAMES, "ADDED", "ZULU")}
    one_by_one = old
    for name, value in sorted(new.items()):
        one_by_one = splice.put(one_by_one, "demo", name, value).source
    together = splice.put_many(old, "demo", new)
    assert values(together) == values(one_by_one)
    assert together == one_by_one


@settings(max_examples=100, deadline=None)
@given(modules())
def test_in_any_layout_many_at_once_are_all_there(drawn: tuple[bytes, str]) -> None:
    """Whatever the layout: added and replaced in one text, no comment lost, LibCST agrees."""
    old, name = drawn
    new_values = {it: sealed(it) for it in (name, "ADDED", "MIDDLE", "ZULU")}
    new = splice.put_many(old, "demo", new_values)
    assert oracle(new) == values(old) | new_values
    assert old.count(b"#") == new.count(b"#")


@settings(max_examples=150, deadline=None)
@given(modules())
def test_in_any_layout_only_the_entry_goes(drawn: tuple[bytes, str]) -> None:
    """Whatever the layout: the value is gone, all others stand, LibCST agrees."""
    old, name = drawn
    before = values(old)
    assume(name in before)
    new = splice.remove(old, "demo", name)
    left = {k: v for k, v in before.items() if k != name}
    assert oracle(new) == values(new) == left
    # Comments outside the entry are kept: what is lost stood on its line, or inside it.
    assert is_subsequence(new, old) or is_subsequence(new.replace(b",", b""), old)


@settings(max_examples=150, deadline=None)
@given(modules())
def test_in_any_layout_a_renaming_keeps_all_comments(drawn: tuple[bytes, str]) -> None:
    """Whatever the layout: the value has the new name, all else stands, no comment is lost."""
    old, name = drawn
    before = values(old)
    assume(name in before)
    new = splice.rename(old, name, "MIDDLE", {"demo": sealed("MIDDLE")}, required=True)
    after = values(new)
    assert oracle(new) == after
    assert "MIDDLE" in after
    assert {k: v for k, v in before.items() if k != name} == {
        k: v for k, v in after.items() if k != "MIDDLE"
    }
    assert old.count(b"#") == new.count(b"#")
    assert name not in (grammar.read(new).required or ())


@settings(max_examples=100, deadline=None)
@given(modules())
def test_in_any_layout_rekeying_replaces_between_quotes(drawn: tuple[bytes, str]) -> None:
    """Whatever the layout: undone by putting the old texts back."""
    old, _ = drawn
    before = values(old)
    new_values = {name: sealed(name, 7, NEXT) for name in before}
    new = splice.rekey(old, "demo", NEXT.public.dump(), 7, new_values)
    assert oracle(new) == new_values
    for name, value in new_values.items():
        new = new.replace(value.encode(), before[name].encode())
    new = new.replace(NEXT.public.dump().encode(), PAIRS["demo"].public.dump().encode())
    assert new.replace(b"7", b"1") == old.replace(b"7", b"1")


def is_subsequence(short: bytes, long: bytes) -> bool:
    """Whether `short` is `long` with some bytes left out."""
    rest = iter(long)
    return all(byte in rest for byte in short)
