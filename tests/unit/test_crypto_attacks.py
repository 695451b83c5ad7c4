"""What someone who can write the repository may try, and what comes of it, row by row.

Each row is tried on what users use: `SECRETS.open()` as a process that starts does, and `check` and
`encrypt` as commands. What is accepted is asserted as what is refused: luggage cannot tell who
sealed a value, so a fresh one from anybody opens.
"""

from __future__ import annotations

import base64
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import pytest

from luggage.crypto import Secret, SecretError, envelope, keys
from luggage.crypto.envelope import Context
from luggage.crypto.keys import Bundle, PrivateKey

ROOT = Path(__file__).resolve().parent.parent.parent
CANARY = "canary-of-the-attacks"
PLANTED = "planted-by-the-attacker"
PROD, STAGING, ATTACKER = (keys.generate() for _ in range(3))
LOW_ORDER = "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800"
HEAD = """\
from luggage import crypto

SECRETS = crypto.Secrets(
    format=1,
    project="shop",
    required=("MAIL_KEY", "PAY_KEY"),
    environments={
"""
MAIN = """\
import sys
from luggage import commands
sys.exit(commands.main(sys.argv, "depot"))
"""


def sealed(
    name: str,
    value: str = CANARY,
    *,
    project: str = "shop",
    environment: str = "prod",
    key: PrivateKey = PROD,
    epoch: int = 3,
) -> str:
    place = Context(project, environment, name, key.public, epoch)
    return envelope.seal(Secret(value.encode()), "text", place)


def module(prod: dict[str, str], *, public: str = PROD.public.dump(), epoch: int = 3) -> str:
    """The config module whose environment `prod` has these entries: name → Python for its value."""
    staging = {
        name: repr(sealed(name, environment="staging", key=STAGING, epoch=1))
        for name in ("MAIL_KEY", "PAY_KEY")
    }
    text = HEAD
    for name, key, number, values in (
        ("prod", public, epoch, prod),
        ("staging", STAGING.public.dump(), 1, staging),
    ):
        text += f'        "{name}": crypto.Environment(\n            public_key="{key}",\n'
        text += f"            epoch={number},\n            values={{\n"
        # Two entries of one name are written behind one key here.
        text += "".join(f'                "{n}": {literal},\n' for n, literal in values.items())
        text += "            },\n        ),\n"
    return text + "    },\n)\n"


MAIL, PAY = sealed("MAIL_KEY"), sealed("PAY_KEY")
GOOD = {"MAIL_KEY": f'"{MAIL}"', "PAY_KEY": f'"{PAY}"'}
BOX = base64.urlsafe_b64decode(PAY.split(".")[2] + "==")


def pay(literal: str) -> str:
    """The module with this Python in PAY_KEY's place."""
    return module({**GOOD, "PAY_KEY": literal})


def text(value: str) -> str:
    return pay(f'"{value}"')


def boxed(box: bytes) -> str:
    """The module with this box in PAY_KEY's sealed value, its base64 canonical."""
    coded = base64.urlsafe_b64encode(box).rstrip(b"=").decode()
    return text(f"lug1.{PROD.public.id}.{coded}")


def loose() -> str:
    """PAY_KEY's text in a second base64 spelling: the last character's unused bits set."""
    values = [sealed("PAY_KEY", CANARY + "x" * more) for more in (0, 64, 128)]
    value = next(it for it in values if len(it.split(".")[2]) % 4)
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    return text(value[:-1] + alphabet[alphabet.index(value[-1]) | 1])


@dataclass(frozen=True)
class Row:
    """An attack and what comes of it.

    `opens`: the reason of the refusal at run time, or the value that PAY_KEY has: it is accepted.
    `checks`: what `check` says, or None where it cannot know and finds all right.
    `encrypts`: why `encrypt OTHER_KEY --env prod` refuses, or None where it seals to the right key.
    """

    source: Callable[[], str]
    opens: str
    checks: str | None
    encrypts: str | None = None
    key: PrivateKey = PROD


UNEDITED = "config.py: line"  # a module that breaks the grammar is not edited
ROWS = {
    # Damage
    "bit flipped": Row(lambda: boxed(BOX[:40] + bytes([BOX[40] ^ 1]) + BOX[41:]), "box", None),
    "truncated": Row(lambda: boxed(BOX[:-3]), "box", None),
    "appended": Row(lambda: boxed(BOX + bytes(3)), "box", None),
    "junk in base64": Row(lambda: text(PAY[:60] + "!" + PAY[61:]), "shape", "damaged", UNEDITED),
    "base64 not canonical": Row(loose, "shape", "damaged", UNEDITED),
    # A genuine value elsewhere
    "names swapped": Row(
        lambda: module({"MAIL_KEY": GOOD["PAY_KEY"], "PAY_KEY": GOOD["MAIL_KEY"]}), "context", None
    ),
    "entry renamed": Row(
        lambda: module({**GOOD, "PAY_KEY": f'"{sealed("OTHER_KEY")}"'}), "context", None
    ),
    "copied from another environment": Row(
        lambda: text(sealed("PAY_KEY", environment="staging", key=STAGING, epoch=1)),
        "key-id",
        "sealed to key",
        UNEDITED,
    ),
    "sealed to this key, but for another environment": Row(
        lambda: text(sealed("PAY_KEY", environment="staging")), "context", None
    ),
    "copied from another project": Row(
        lambda: text(sealed("PAY_KEY", project="shops")), "context", None
    ),
    "of another epoch": Row(lambda: text(sealed("PAY_KEY", epoch=2)), "context", None),
    "all moved to a later epoch": Row(
        lambda: module(GOOD, epoch=4),
        "context",
        "epoch went on without a new key",
        "epoch went on without a new key",
    ),
    "all moved to an earlier epoch": Row(
        lambda: module(GOOD, epoch=2), "context", "epoch", "not the public key"
    ),
    # Deletion and insertion
    "declared name deleted": Row(
        lambda: module({"MAIL_KEY": GOOD["MAIL_KEY"]}), "missing", "PAY_KEY is required"
    ),
    "undeclared name inserted": Row(
        lambda: module({**GOOD, "ZOO_KEY": f'"{sealed("ZOO_KEY", PLANTED)}"'}), CANARY, None
    ),
    # Accepted: without signatures luggage cannot know better, and says so
    "replaced by a freshly sealed value": Row(
        lambda: text(sealed("PAY_KEY", PLANTED)), PLANTED, None
    ),
    "rolled back to an earlier value of this epoch": Row(
        lambda: text(sealed("PAY_KEY", "of-last-year")), "of-last-year", None
    ),
    # Keys
    "public key replaced": Row(
        lambda: module(GOOD, public=ATTACKER.public.dump()), "no-match", "sealed to key", UNEDITED
    ),
    "public key and values replaced": Row(
        lambda: module(
            {n: f'"{sealed(n, PLANTED, key=ATTACKER)}"' for n in GOOD},
            public=ATTACKER.public.dump(),
        ),
        "no-match",
        "not the public key",
        "not the public key",
    ),
    "public key and values replaced, the old key put up beside it": Row(
        lambda: (
            module(
                {n: f'"{sealed(n, PLANTED, key=ATTACKER)}"' for n in GOOD},
                public=ATTACKER.public.dump(),
            )
            + f'PAGES = [[[[[{{"prod": dict(public_key="{PROD.public.dump()}", epoch=3)}}]]]]]\n'
        ),
        "no-match",
        "its public key changed without a new epoch",
        "not the public key",
    ),
    "public key of low order": Row(
        lambda: module(GOOD, public=low_order()), "public-key", "low order", "low order"
    ),
    "key of no environment of the module": Row(
        lambda: module(GOOD), "no-match", None, key=ATTACKER
    ),
    # Never sealed
    "plaintext": Row(lambda: text("hunter2"), "plaintext", "in clear", UNEDITED),
    "empty": Row(lambda: text(""), "plaintext", "not sealed", UNEDITED),
    "look-alike in upper case": Row(
        lambda: text(PAY.replace("lug1.", "LUG1.")), "plaintext", "looks like", UNEDITED
    ),
    "look-alike of another script": Row(
        lambda: text(PAY.replace("lug1.", "ｌug1.")), "plaintext", "looks like", UNEDITED
    ),
    "a later version": Row(
        lambda: text(PAY.replace("lug1.", "lug2.")), "version", "unknown version", UNEDITED
    ),
    "a value of ejson": Row(lambda: text("EJ[1:AAAA:BBBB:CCCC]"), "plaintext", "ejson", UNEDITED),
    "a value as boredbot wrote it": Row(
        lambda: text(base64.b64encode(bytes(range(80))).decode()),
        "plaintext",
        "in clear",
        UNEDITED,
    ),
    # What only the text of the module shows: at run time the last one is all there is
    "name twice": Row(
        lambda: pay(f'"{PAY}",\n                "PAY_KEY": "{sealed("PAY_KEY", PLANTED)}"'),
        PLANTED,
        "stands twice",
        UNEDITED,
    ),
    "computed": Row(lambda: pay(f'"{PAY}".strip()'), CANARY, "computed", UNEDITED),
    "f-string": Row(lambda: pay(f'f"{PAY}"'), CANARY, "computed", UNEDITED),
    "joined strings": Row(lambda: pay(f'"{PAY[:30]}" "{PAY[30:]}"'), CANARY, "line", UNEDITED),
    "read from the environment": Row(
        lambda: pay('__import__("os").environ.get("HOME", "")'), "plaintext", "computed", UNEDITED
    ),
}


def low_order() -> str:
    """A public key that libsodium refuses, with a checksum that is right."""
    return keys.PublicKey(bytes.fromhex(LOW_ORDER)).dump()


class Depot:
    """A checkout whose last commit is right, and whose user has sealed to its key before."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "checkout"
        self.config = self.root / "depot" / "config.py"
        self.config.parent.mkdir(parents=True)
        (self.config.parent / "__init__.py").touch()
        (self.config.parent / "__main__.py").write_text(MAIN)
        self.config.write_text(module(GOOD))
        self.environ = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "PYTHONPATH": str(ROOT),
            "GIT_CONFIG_COUNT": "2",
            "GIT_CONFIG_KEY_0": "user.name",
            "GIT_CONFIG_VALUE_0": "Ada",
            "GIT_CONFIG_KEY_1": "user.email",
            "GIT_CONFIG_VALUE_1": "ada@example.org",
        }
        for words in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "right"]):
            subprocess.run(["git", *words], cwd=self.root, env=self.environ, check=True)
        assert self.run("encrypt", "FIRST_KEY", "--env", "prod").returncode == 0
        self.pins = folder / ".local" / "state" / "luggage" / "pins.json"
        self.pinned = self.pins.read_bytes()

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "depot", *words],
            cwd=self.root,
            env=self.environ,
            input="a value\n",
            text=True,
            capture_output=True,
            check=False,
        )


@pytest.fixture(scope="module")
def one_depot(tmp_path_factory: pytest.TempPathFactory) -> Depot:
    return Depot(tmp_path_factory.mktemp("attacks"))


@pytest.fixture
def depot(one_depot: Depot) -> Depot:
    """It does not remember the rows before."""
    one_depot.pins.write_bytes(one_depot.pinned)
    return one_depot


def opened(source: str, environ: dict[str, str]) -> str:
    """The value of PAY_KEY as a process gets it, or the reason why there is none."""
    found = ModuleType("config")
    exec(compile(source, "config.py", "exec"), found.__dict__)
    try:
        value = found.SECRETS.open(environ)["PAY_KEY"].reveal()
    except SecretError as error:
        assert CANARY not in error.render() and PLANTED not in error.render()
        assert error.__cause__ is None and error.__context__ is None
        return error.reason
    assert isinstance(value, str)
    return value


@pytest.mark.parametrize("name", ROWS)
def test_at_run_time(name: str) -> None:
    """What `SECRETS.open()` makes of the attack: one reason, or the value that is accepted."""
    row = ROWS[name]
    assert row.opens == opened(row.source(), {"SECRET_KEY": row.key.dump().reveal()})


@pytest.mark.parametrize("name", ROWS)
def test_check_without_a_key(name: str, depot: Depot) -> None:
    """What `check` sees without a key, and what it cannot see: it says that as well."""
    row = ROWS[name]
    depot.config.write_text(row.source())
    done = depot.run("check")
    assert "Traceback" not in done.stderr
    if row.checks is None:
        assert (done.returncode, "can tell who sealed a value" in done.stderr) == (0, True)
    else:
        assert (done.returncode, row.checks in done.stderr) == (1, True), done.stderr


@pytest.mark.parametrize("name", ROWS)
def test_encrypt_seals_nothing_for_the_attacker(name: str, depot: Depot) -> None:
    """A user who adds a secret then is refused where the module or its key is not right."""
    row = ROWS[name]
    source = row.source()
    depot.config.write_text(source)
    done = depot.run("encrypt", "OTHER_KEY", "--env", "prod")
    if row.encrypts is None:
        assert done.returncode == 0, done.stderr
        assert f'"OTHER_KEY": "lug1.{PROD.public.id}.' in depot.config.read_text()
    else:
        assert (done.returncode, row.encrypts in done.stderr) == (1, True), done.stderr
        assert source == depot.config.read_text()


def test_untouched_it_opens(depot: Depot) -> None:
    """What every row changes is right before: it opens, and `check` finds nothing."""
    source = module(GOOD)
    assert opened(source, {"SECRET_KEY": PROD.dump().reveal()}) == CANARY
    depot.config.write_text(source)
    assert depot.run("check").returncode == 0


def test_the_wrong_key_is_told_with_both_key_ids() -> None:
    """So that whoever starts it sees which key was given and which are wanted."""
    found = ModuleType("config")
    exec(module(GOOD), found.__dict__)
    with pytest.raises(SecretError) as caught:
        found.SECRETS.open({"SECRET_KEY": ATTACKER.dump().reveal()})
    for key in (PROD, STAGING, ATTACKER):
        assert key.public.id in caught.value.message


def test_two_key_sources_that_differ_are_refused(tmp_path: Path) -> None:
    """Neither is preferred: one of them is a mistake, or not the operator's."""
    (tmp_path / "key").write_text(PROD.dump().reveal())
    environ = {
        "SECRET_KEY_FILE": str(tmp_path / "key"),
        "SECRET_KEY": STAGING.dump().reveal(),
    }
    assert opened(module(GOOD), environ) == "sources"


def test_a_staging_key_starts_no_production_values() -> None:
    """The key chooses the environment: staging's opens staging's values, whatever was meant."""
    staging = opened(module(GOOD), {"SECRET_KEY": STAGING.dump().reveal()})
    swapped = module({n: f'"{sealed(n, PLANTED)}"' for n in GOOD})
    assert (staging, CANARY) == (CANARY, opened(swapped, {"SECRET_KEY": STAGING.dump().reveal()}))


def test_keys_of_two_environments_at_once_are_refused() -> None:
    """A bundle is for a roll-out of one environment; which of two was meant nobody can know."""
    both = Bundle((PROD, STAGING)).dump().reveal()
    assert opened(module(GOOD), {"SECRET_KEY": both}) == "ambiguous"
