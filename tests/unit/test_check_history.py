"""`check` against git's history: what is done to it so that nothing is compared."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from checkouts import Checkout

from luggage.configfile import grammar
from luggage.crypto import Secret, envelope, keys
from luggage.crypto.envelope import Context
from luggage.crypto.keys import PublicKey

LF = "\n"
CHANGED = "its public key changed without a new epoch"


@pytest.fixture(scope="module")
def master(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """A committed checkout with one environment, and a user who knows no key, as CI does."""
    made = Checkout(tmp_path_factory.mktemp("master"))
    made.do("keygen", "prod")
    for name in ("LINES_API_KEY", "MOOD_API_KEY"):
        made.do("encrypt", name, value=b"x")
    made.commit()
    made.pins.unlink()
    return made


@pytest.fixture
def checkout(tmp_path: Path, master: Checkout) -> Checkout:
    return Checkout(tmp_path, master)


def swap(checkout: Checkout, epoch: int = 1, project: str = "thing") -> PublicKey:
    """Another key for prod, and every value sealed to it."""
    key = keys.generate().public
    stated = grammar.read(checkout.config.read_bytes())
    there = stated.environments["prod"]
    for name, literal in there.values.items():
        place = Context(project, "prod", name, key, epoch)
        checkout.change(literal.value, envelope.seal(Secret(b"x"), "text", place))
    checkout.change(there.public_key, key.dump())
    checkout.change(f"epoch={there.epoch},", f"epoch={epoch},")
    checkout.change(f'project="{stated.project}"', f'project="{project}"')
    return key


def errors(checkout: Checkout, *words: str) -> list[str]:
    told = checkout.refuse("check", *words)
    return re.findall(r"^error: (.*)$", told, re.MULTILINE)


def test_attributes_do_not_hide_a_change(checkout: Checkout) -> None:
    """`-diff` makes git take the file for binary; its keys are compared all the same."""
    (checkout.root / ".gitattributes").write_text("config.py -diff\n")
    checkout.commit()
    swap(checkout)
    checkout.commit()
    for words in ((), ("--deep",)):
        (told,) = errors(checkout, *words)
        assert CHANGED in told


def test_a_merge_does_not_hide_a_change(checkout: Checkout) -> None:
    """A file that comes from a branch without history, and is kept by the merge."""
    swap(checkout)
    evil = checkout.config.read_text()
    checkout.git("checkout", "-q", "--", ".")
    checkout.git("checkout", "-q", "--orphan", "other")
    checkout.config.write_text(evil)
    checkout.commit("other")
    checkout.git("checkout", "-q", "main")
    merge = ("merge", "-q", "--no-edit", "--allow-unrelated-histories", "-X", "theirs", "other")
    checkout.git(*merge)
    assert evil == checkout.config.read_text()
    (told,) = errors(checkout)
    assert CHANGED in told


@pytest.mark.parametrize("committed", [False, True])
def test_another_project_does_not_hide_a_change(checkout: Checkout, committed: bool) -> None:
    """The project's name is compared as well, against HEAD, the history and the base."""
    swap(checkout, project="things")
    base = checkout.git("rev-parse", "HEAD")
    if committed:
        checkout.commit()
    for words in ((), ("--base", base)):
        told = "\n".join(errors(checkout, *words))
        assert "project 'things': it was 'thing' in" in told


def test_a_project_may_go_on_under_another_name_with_new_keys(checkout: Checkout) -> None:
    """As nothing sealed before opens there; who knew the old key is asked by their pin."""
    checkout.do("encrypt", "LINES_API_KEY", value=b"x")
    swap(checkout, 2, "things")
    (told,) = errors(checkout)
    assert "environment 'prod': not the public key you sealed to" in told
    checkout.pins.unlink()
    checkout.do("check")


@pytest.mark.parametrize("committed", [False, True])
def test_another_folder_does_not_hide_a_change(checkout: Checkout, committed: bool) -> None:
    """The file is followed to where it was, however its text changed on the way."""
    swap(checkout)
    checkout.config.write_text("# padding\n" * 2000 + checkout.config.read_text())
    base = checkout.git("rev-parse", "HEAD")
    checkout.git("mv", "depot", "depots")
    main = checkout.root / "depots" / "__main__.py"
    main.write_text(main.read_text().replace('"depot"', '"depots"'))
    (checkout.root / "depot").mkdir(exist_ok=True)
    (checkout.root / "depot" / "__main__.py").write_text(main.read_text())
    checkout.config = checkout.root / "depots" / "config.py"
    if committed:
        checkout.commit()
        checkout.commit("later")
    for words in ((), ("--base", base), ("--base", "HEAD")):
        (told,) = errors(checkout, *words)
        assert CHANGED in told
        assert "(depot/config.py)" in told


@pytest.mark.parametrize("epoch", [1, 2])
def test_a_replaced_key_is_told_once(checkout: Checkout, epoch: int) -> None:
    """Where the values were left: no hint walks anybody into sealing to, or trusting, that key."""
    checkout.do("encrypt", "EXTRA", value=b"x")
    checkout.commit()
    old, new = checkout.key("prod").public, keys.generate().public
    checkout.change(old.dump(), new.dump())
    checkout.change("epoch=1,", f"epoch={epoch},")
    checkout.change('"MOOD_API_KEY")', '"MOOD_API_KEY", "NEW_KEY")')
    why = (
        f"config.py: line {checkout.config.read_text().partition(new.dump())[0].count(LF) + 1}: "
        f"environment 'prod': its public key was replaced: its values are sealed to key {old.id}, "
        f"but it has key {new.id}"
    )
    assert errors(checkout) == [why]
    for words in (("check",), ("encrypt", "NEW_KEY"), ("trust", "prod", new.id)):
        told = checkout.refuse(*words, value=b"x")
        assert why in told
        assert "restore the public key from git, unless it was rotated" in told
        assert "deploy encrypt" not in told
        assert "deploy trust" not in told


def test_a_replaced_key_with_one_value_of_its_own_gives_no_hint_to_seal(checkout: Checkout) -> None:
    """Not even where the attacker sealed one anew, so that not all belong to the old key."""
    new = keys.generate().public
    mine = envelope.seal(Secret(b"x"), "text", Context("thing", "prod", "MOOD_API_KEY", new, 2))
    checkout.change(checkout.sealed("prod")["MOOD_API_KEY"], mine)
    checkout.change(checkout.key("prod").public.dump(), new.dump())
    checkout.change("epoch=1,", "epoch=2,")
    for words in (("check",), ("encrypt", "LINES_API_KEY")):
        told = checkout.refuse(*words, value=b"x")
        assert "secret 'LINES_API_KEY': sealed to" in told
        assert "ask\n      whoever keeps the key before you seal anything to it" in told
        assert "deploy encrypt" not in told


def test_what_changed_against_the_base_is_always_noted(checkout: Checkout) -> None:
    """A rotation is no error, but somebody has to know of it."""
    old, base = checkout.key("prod").public.id, checkout.git("rev-parse", "HEAD")
    assert "announced" not in checkout.run("check", "--base", base).stderr
    new = swap(checkout, 2).id
    done = checkout.run("check", "--base", base)
    assert done.returncode == 0
    assert (
        f"note: environment 'prod': key {old} epoch 1 in the base, key {new} epoch 2 now: was it "
        "announced?"
    ) in done.stderr


@pytest.mark.parametrize("committed", [False, True])
def test_an_environment_made_again_goes_on_with_its_epochs(
    checkout: Checkout, committed: bool
) -> None:
    """Removed and made anew by keygen, it passes `check`, with a key file of its own."""
    before, _, rest = checkout.config.read_text().partition('        "prod":')
    checkout.config.write_text(before + rest.partition("        ),\n")[2])
    if committed:
        checkout.commit("removed")
    assert checkout.do("keygen", "prod").endswith("prod.2.key\n")
    for name in ("LINES_API_KEY", "MOOD_API_KEY"):
        checkout.do("encrypt", name, value=b"x")
    checkout.do("check")
    assert grammar.read(checkout.config.read_bytes()).environments["prod"].epoch == 2


def test_a_deployment_that_git_does_not_know_is_told(checkout: Checkout) -> None:
    """With --base it is an error, without one a note: there is nothing to compare with."""
    checkout.git("rm", "-q", "--cached", "depot/config.py")
    checkout.git("commit", "-q", "-m", "without")
    checkout.git("checkout", "-q", "--orphan", "fresh")
    checkout.git("rm", "-q", "--cached", "depot/config.py", "--ignore-unmatch")
    checkout.git("commit", "-q", "-m", "fresh")
    done = checkout.run("check")
    assert done.returncode == 0, done.stderr
    assert "not checked: keys against HEAD: it has no depot/config.py" in done.stderr
    (told,) = errors(checkout, "--base", "HEAD")
    assert "--base: it has no depot/config.py" in told
