"""`check`: everything wrong at once, with its line; no key, and no value in any message."""

from __future__ import annotations

import base64
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from checkouts import CANARY, ENVIRON, ROOT, Checkout, spent

from luggage.configfile import check, grammar, history
from luggage.configfile.history import Past
from luggage.configfile.module import ConfigError
from luggage.configfile.pins import Pin
from luggage.crypto import Secret, envelope, keys
from luggage.crypto.envelope import Context
from luggage.crypto.keys import Bundle

VECTORS = Path(__file__).parent.parent / "vectors"


@pytest.fixture(scope="module")
def master(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """A committed checkout with two environments and both required names in each."""
    made = Checkout(tmp_path_factory.mktemp("master"))
    for environment in ("demo", "prod"):
        made.do("keygen", environment)
        for name in ("LINES_API_KEY", "MOOD_API_KEY"):
            made.do("encrypt", name, "--env", environment, value=b"x")
    made.commit()
    return made


@pytest.fixture
def checkout(tmp_path: Path, master: Checkout) -> Checkout:
    return Checkout(tmp_path, master)


def errors(checkout: Checkout, *words: str) -> list[str]:
    """The errors that `check` tells."""
    told = checkout.refuse("check", *words)
    return re.findall(r"^error: (.*)$", told, re.MULTILINE)


def line_of(checkout: Checkout, text: str) -> int:
    lines = checkout.config.read_text().splitlines()
    (found,) = (number for number, line in enumerate(lines, 1) if text in line)
    return found


def test_all_right_is_one_line_and_what_it_cannot_know(checkout: Checkout) -> None:
    """stdout has the result; stderr ends with what no check can tell."""
    done = checkout.run("check")
    assert done.stdout == "depot/config.py: all right: secrets: 4; environments: demo, prod\n"
    assert done.returncode == 0
    assert "can tell who sealed a value, or whether it is the right one" in done.stderr
    assert "damage inside a sealed value, or two values swapped" in done.stderr
    assert "not checked" not in done.stderr


def test_several_problems_are_told_at_once(checkout: Checkout) -> None:
    """The reader stops at the first; `check` has a line for each, in the module's order."""
    demo, prod = checkout.sealed("demo"), checkout.sealed("prod")
    checkout.change(demo["LINES_API_KEY"], CANARY)
    checkout.change(demo["MOOD_API_KEY"], prod["LINES_API_KEY"][:-5] + "=" * 5)
    checkout.change(f'"MOOD_API_KEY": "{prod["MOOD_API_KEY"]}"', 'f"X{1}": f"{2}"')
    checkout.change('project="thing"', 'project="Thing"')
    told = errors(checkout)
    at = line_of(checkout, CANARY)
    prod_at = line_of(checkout, '"prod"')
    assert told == [
        f"config.py: line {line_of(checkout, 'Thing')}: the project's name breaks the grammar",
        f"config.py: line {at}: secret 'LINES_API_KEY': not sealed: the config module holds it in "
        "clear, so consider it leaked",
        f"config.py: line {at + 1}: secret 'MOOD_API_KEY': damaged: not canonical base64url",
        f"config.py: line {prod_at}: environment 'prod': MOOD_API_KEY is required, but has no "
        "value",
        f"config.py: line {prod_at + 5}: a plain string literal belongs here",
        f"config.py: line {prod_at + 5}: secret '?': computed: only a sealed text can be checked",
    ]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (CANARY, "not sealed: the config module holds it in clear"),
        (f" lug1.{CANARY}", "looks like a sealed value"),
        (f"LUG1.{CANARY}", "looks like a sealed value"),
        (f"\u200blug1.{CANARY}", "looks like a sealed value"),
        (f"ｌｕｇ１.{CANARY}", "looks like a sealed value"),
        (f"lug1:{CANARY}", "looks like a sealed value"),
        (f"lug2.{CANARY}", "unknown version"),
        (f"lug1.{CANARY}", "not the three parts"),
        (f"EJ[1:{CANARY}", "values of ejson"),
        (f"ENC[AES256_GCM,{CANARY}", "values of sops"),
        (f"encrypted:{CANARY}", "values of dotenvx"),
        ("", "not sealed"),
        ("x" * 90_001, "longer than 90,000"),
    ],
)
def test_what_is_not_sealed_is_told_by_its_kind(checkout: Checkout, text: str, told: str) -> None:
    """Plaintext, look-alikes, and what another tool sealed: never quoted."""
    checkout.change(checkout.sealed()["LINES_API_KEY"], text)
    (found,) = errors(checkout)
    assert "secret 'LINES_API_KEY': " in found
    assert told in found


@pytest.mark.parametrize("text", ["0", "1 + 1", "True", "'7'"])
def test_a_serial_that_packing_refuses_is_told(checkout: Checkout, text: str) -> None:
    """With what is wrong besides; a plain one is all right."""
    source = checkout.config.read_text()
    checkout.config.write_text(source.replace("SECRETS", f"SERIAL = {text}\nSECRETS", 1))
    told = "config.py: SERIAL is not stated once, at the top level, as a plain number"
    assert errors(checkout) == [told]
    checkout.config.write_text(source.replace("SECRETS", "SERIAL = 7\nSECRETS", 1))
    assert checkout.run("check").returncode == 0


def test_a_value_for_another_environments_key_is_told(checkout: Checkout) -> None:
    """A line copied from one environment into another names both key ids."""
    checkout.change(checkout.sealed()["LINES_API_KEY"], checkout.sealed("prod")["LINES_API_KEY"])
    (told,) = errors(checkout)
    assert f"sealed to key {checkout.key('prod').public.id}" in told
    assert f"environment has key {checkout.key().public.id}" in told


def test_a_name_that_stands_twice_is_told(checkout: Checkout) -> None:
    """Python would take the last one without a word."""
    line = f'"LINES_API_KEY": "{checkout.sealed()["LINES_API_KEY"]}",'
    checkout.change(line, f"{line}\n                {line}")
    (told,) = errors(checkout)
    first = checkout.config.read_text().splitlines().index(f"                {line}") + 1
    assert told == (
        f"config.py: line {first + 1}: 'LINES_API_KEY' stands twice: the first is in line {first}"
    )


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("values={", "values={**EXTRA, ", "`**` in a dict"),
        ("values={", 'values={"LINES_API_KEI": read("LINES_API_KEI"), ', "computed"),
        ("values={", 'values={"A" "B": "x", ', "no prefix"),
        ("epoch=1", "epoch=0", "epoch"),
        ("epoch=1", "epoch=int(1)", "epoch"),
        ("epoch=1", "epoch=1, extra=2", "Environment takes"),
        ('required=("LINES_API_KEY",', 'required=("lines",', "required holds names"),
    ],
)
def test_what_is_computed_or_of_another_form_is_told(
    checkout: Checkout, old: str, new: str, told: str
) -> None:
    """Each with its line; the strict reader refuses it as well."""
    text = checkout.config.read_text()
    checkout.config.write_text(text.replace(old, new, 1))
    with pytest.raises(ConfigError) as caught:
        grammar.read(checkout.config.read_bytes())
    found = errors(checkout)
    assert any(told in line for line in found)
    assert any(f"config.py: line {caught.value.line}: " in line for line in found)


@pytest.mark.parametrize("path", sorted(VECTORS.glob("config-*.txt")), ids=lambda path: path.stem)
def test_it_refuses_exactly_what_the_reader_refuses(path: Path) -> None:
    """For every vector of a config module: a problem if and only if the strict reader has one."""
    head, _, body = path.read_bytes().partition(b"\n\n")
    config, problems = check.form(body)
    problems = [problem for problem in problems if "is required, but" not in problem.message]
    if b"expect: success" in head:
        assert config is not None
        assert not problems
    else:
        assert config is None
        assert problems


def test_a_required_name_without_a_value_is_told_for_each_environment(
    checkout: Checkout,
) -> None:
    """With the line of the environment, and the command that adds it."""
    checkout.change('"MOOD_API_KEY")', '"MOOD_API_KEY", "NEW_KEY")')
    told = checkout.refuse("check")
    for environment in ("demo", "prod"):
        line = line_of(checkout, f'"{environment}"')
        assert f"line {line}: environment '{environment}': NEW_KEY is required" in told
        assert f"python -m deploy encrypt NEW_KEY --env {environment}" in told


def heads(**pins: tuple[str, int]) -> dict[str, Pin]:
    return {name: Pin(*pin) for name, pin in pins.items()}


ONE, TWO, THREE = (keys.generate().public.dump() for _ in range(3))


@pytest.mark.parametrize(
    ("now", "past", "told"),
    [
        ((ONE, 1), [(ONE, 1)], None),
        ((TWO, 2), [(ONE, 1)], None),
        ((TWO, 5), [(ONE, 1)], None),
        ((TWO, 1), [(ONE, 1)], "changed without a new epoch"),
        ((ONE, 1), [(TWO, 2)], "went back: 2 in c0, now 1"),
        ((TWO, 1), [(TWO, 2)], "went back"),
        ((ONE, 2), [(ONE, 1)], "went on without a new key"),
        ((ONE, 3), [(TWO, 2), (ONE, 1)], "went on without a new key: epoch 1 in c1"),
        ((THREE, 2), [(THREE, 2), (TWO, 2), (ONE, 1)], "without a new epoch"),
        ((THREE, 3), [(TWO, 1), (ONE, 1)], None),
    ],
)
def test_how_a_key_may_follow_from_the_past(
    now: tuple[str, int], past: list[tuple[str, int]], told: str | None
) -> None:
    """A new key takes a new epoch and the other way round, against every past state; so `rotate`
    mends whatever stands in the history.
    """
    states = [Past(f"c{number}", heads(demo=pin)) for number, pin in enumerate(past)]
    found = list(history.broken(heads(demo=now, other=(THREE, 1)), states))
    assert (told is None) == (not found)
    assert told is None or (found[0][0] == "demo" and told in found[0][1])


def rekeyed(checkout: Checkout, epoch: int) -> None:
    """Another key for prod, all of it well-formed, as someone with write access could do."""
    key = keys.generate().public
    values = checkout.sealed("prod")
    for name, text in values.items():
        place = Context("thing", "prod", name, key, epoch)
        checkout.change(text, envelope.seal(Secret(b"x"), "text", place))
    checkout.change(checkout.key("prod").public.dump(), key.dump())
    before, _, after = checkout.config.read_text().rpartition("epoch=1,")
    checkout.config.write_text(f"{before}epoch={epoch},{after}")


def test_a_key_that_changed_without_an_epoch_is_told(checkout: Checkout) -> None:
    """Uncommitted: against HEAD. Committed: against the commits before, and against --base."""
    checkout.pins.unlink()
    rekeyed(checkout, 1)
    (told,) = errors(checkout)
    assert "environment 'prod': its public key changed without a new epoch" in told
    assert f"line {told_line(checkout)}: " in told
    assert "in HEAD" in told
    checkout.git("checkout", "-q", "-b", "evil")
    first = checkout.git("rev-parse", "HEAD")
    checkout.commit()
    (told,) = errors(checkout)
    assert f"in commit {first[:10]}" in told
    (told,) = errors(checkout, "--base", "main")
    assert "in the base" in told


def told_line(checkout: Checkout) -> int:
    """The line of prod's public key."""
    return line_of(checkout, '"prod"') + 1


def test_a_rotation_is_all_right(checkout: Checkout) -> None:
    """A new key with a new epoch passes, where this user has no pins, as in CI."""
    checkout.pins.unlink()
    rekeyed(checkout, 2)
    checkout.do("check")
    checkout.commit()
    checkout.do("check", "--base", "HEAD~1")


def test_a_branch_is_compared_where_it_left_its_base(checkout: Checkout) -> None:
    """A rotation on main meanwhile is no fault of the branch."""
    checkout.pins.unlink()
    checkout.git("branch", "work")
    rekeyed(checkout, 2)
    checkout.commit()
    checkout.git("checkout", "-q", "work")
    checkout.do("check", "--base", "main")


def test_a_key_that_is_not_the_pinned_one_is_told(checkout: Checkout) -> None:
    """A rotation that was not announced to this user: with both key ids."""
    rekeyed(checkout, 2)
    (told,) = errors(checkout)
    assert f"that was key {checkout.key('prod').public.id} (epoch 1)" in told


@pytest.mark.parametrize("staged", [True, False])
def test_a_private_key_that_git_tracks_is_told(checkout: Checkout, staged: bool) -> None:
    """On disk, in the index, in a bundle, in the middle of a line: by file and line, not shown."""
    text = checkout.key().dump().reveal()
    bundle = Bundle((checkout.key("prod"), keys.generate())).dump().reveal()
    other = keys.generate().dump().reveal()
    (checkout.root / "notes.txt").write_text(f"hello\nKEY={text}; more\n{other}\n")
    (checkout.root / "b.bin").write_bytes(b"\0" + bundle.encode() + b"\n")
    checkout.do("check")
    checkout.git("add", "-A")
    if staged:
        (checkout.root / "notes.txt").write_text("gone\n")
        (checkout.root / "b.bin").unlink()
    told = checkout.refuse("check")
    assert f"b.bin: line 1: the private key {checkout.key('prod').public.id} of environm" in told
    assert f"notes.txt: line 2: the private key {checkout.key().public.id} of environment" in told
    assert "notes.txt: line 3" not in told
    assert text not in told
    assert bundle not in told


@pytest.mark.parametrize("before", ["", "a", "ab", "abc"])
@pytest.mark.parametrize("form", ["-x", "AAAA", "base64", "urlsafe"])
def test_a_private_key_is_found_in_what_surrounds_it(
    checkout: Checkout, form: str, before: str
) -> None:
    """More characters behind it, or coded in base64, wherever in the coded text it starts."""
    for key in (checkout.key().dump(), Bundle((checkout.key(), keys.generate())).dump()):
        text = f"{before}{'=' if before else ''}{key.reveal()}".encode()
        match form:
            case "base64":
                text = b"key: " + base64.b64encode(text + b"\xff\xfe?\n")
            case "urlsafe":
                text = base64.urlsafe_b64encode(text).rstrip(b"=")
            case _:
                text += form.encode()
        (checkout.root / "notes.txt").write_bytes(text + b"\n")
        checkout.git("add", "-A")
        (told,) = errors(checkout)
        assert f"notes.txt: line 1: the private key {checkout.key().public.id}" in told


def test_a_key_that_is_public_on_purpose_is_allowed_by_its_file(checkout: Checkout) -> None:
    """--allow-key names the file, from any folder; other files stay forbidden."""
    (checkout.root / "public.txt").write_text(checkout.key().dump().reveal())
    (checkout.root / "other.txt").write_text(checkout.key().dump().reveal())
    checkout.git("add", "public.txt")
    assert len(errors(checkout)) == 1
    checkout.do("check", "--allow-key", "public.txt")
    checkout.git("add", "other.txt")
    (told,) = errors(checkout, "--allow-key", "public.txt")
    assert "other.txt" in told


def test_the_key_of_an_older_epoch_is_told_as_well(checkout: Checkout) -> None:
    """It opens what stands in the history."""
    checkout.pins.unlink()
    (checkout.root / "old.txt").write_text(checkout.key("prod").dump().reveal())
    rekeyed(checkout, 2)
    checkout.commit()
    (told,) = errors(checkout)
    assert "old.txt: line 1" in told


def test_without_git_it_says_what_it_left_out(checkout: Checkout) -> None:
    """No repository, or no git: the rest is checked, and what was not is told."""
    done = checkout.run("check", PATH="/nonexistent")
    assert done.returncode == 0
    assert "not checked: keys against earlier commits, private keys in tracked" in done.stderr
    assert "--base" in checkout.refuse("check", "--base", "main", PATH="/nonexistent")
    shutil.rmtree(checkout.root / ".git")
    done = checkout.run("check")
    assert done.returncode == 0
    assert "not checked: keys against earlier commits" in done.stderr


def test_a_repository_without_a_commit_and_a_shallow_one_say_so(
    checkout: Checkout, tmp_path: Path
) -> None:
    """What was not there to compare with is told."""
    checkout.commit("second")
    shallow = tmp_path / "shallow"
    checkout.git("clone", "-q", "--depth", "1", checkout.root.as_uri(), str(shallow))
    root, checkout.root = checkout.root, shallow
    done = checkout.run("check")
    assert done.returncode == 0
    assert "not checked: keys against older commits: they were not cloned" in done.stderr
    checkout.root = root
    shutil.rmtree(root / ".git")
    checkout.git("init", "-q")
    done = checkout.run("check")
    assert done.returncode == 0
    assert "not checked: keys against earlier commits: there is no commit yet" in done.stderr


def test_a_base_that_is_no_commit_is_refused(checkout: Checkout) -> None:
    """A typing error in CI is no pass."""
    for word in ("nosuch", "--upload-pack=x"):
        assert checkout.run("check", f"--base={word}").returncode == 2


def test_a_thousand_secrets_take_less_than_half_a_second(checkout: Checkout) -> None:
    """The whole process, with git asked, in processor time: others may use the machine as well."""
    key = checkout.key()
    place = Context("thing", "demo", "X", key.public, 1)
    sealed = envelope.seal(Secret(b"x" * 40), "text", place)
    lines = "".join(f'                "X_{n:04}": "{sealed}",\n' for n in range(1000))
    mark = '"MOOD_API_KEY": "' + checkout.sealed()["MOOD_API_KEY"] + '",\n'
    checkout.change(mark, mark + lines)
    checkout.commit()
    taken = []
    for _ in range(3):
        start = spent()
        assert "secrets: 1004;" in checkout.do("check")
        taken.append(spent() - start)
    assert min(taken) < 0.5


def test_older_commits_are_looked_at_when_asked(checkout: Checkout) -> None:
    """What happened before the last 50 commits of config.py takes --deep, and that is said."""
    checkout.pins.unlink()
    rekeyed(checkout, 3)
    checkout.commit()
    went_back = checkout.config.read_text().replace("epoch=3,", "epoch=2,")
    checkout.config.write_text(went_back)
    for number in range(52):
        checkout.config.write_text(f"{went_back}# {number}\n")
        checkout.git("commit", "-q", "-a", "-m", str(number))
    done = checkout.run("check")
    assert done.returncode == 0
    assert "before the last 50 that touched config.py: add --deep" in done.stderr
    (told,) = errors(checkout, "--deep")
    assert "environment 'prod': its epoch went back: 3 in commit" in told


def test_the_example_passes() -> None:
    """demo.key is allowed by the deployment's own module."""
    argv = [sys.executable, "-m", "deploy", "check"]
    environ = ENVIRON | {"HOME": "/nonexistent"}
    done = subprocess.run(argv, cwd=ROOT, env=environ, check=True, capture_output=True)
    assert done.stdout.startswith(b"example_deploy/config.py: all right")
