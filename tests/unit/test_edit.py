"""`edit` with real editors, signals and terminals: what is written, and that nothing is left."""

from __future__ import annotations

import json
import os
import pty
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from checkouts import CANARY, Checkout

from luggage.commands import hidden
from luggage.errors import LuggageError

BLOB = b"\0\xff" * 100
PEM = b"-----BEGIN-----\nabc\n-----END-----\n"
# What any editor here does first: tell where the file is and what it has, and leave files as
# editors do (a swap file, a backup).
PROLOGUE = """\
import json, os, pathlib, resource, signal, sys, time
file = pathlib.Path(sys.argv[-1])
folder = file.parent
text = file.read_text()
note = {
    "file": str(file),
    "modes": [file.stat().st_mode & 0o777, folder.stat().st_mode & 0o777],
    "text": text,
    "argv": sys.argv[1:],
    "environ": dict(os.environ),
    "core": resource.getrlimit(resource.RLIMIT_CORE),
    "pid": os.getpid(),
}
(folder / ".demo.secrets.swp").write_text(text)
(folder / "demo.secrets~").write_text(text)
home = pathlib.Path(os.environ["HOME"])
times = int((home / "times").read_text()) + 1 if (home / "times").exists() else 1
(home / "times").write_text(str(times))
(home / "note.tmp").write_text(json.dumps(note))
(home / "note.tmp").rename(home / "note")
"""


@pytest.fixture(scope="module")
def master(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    made = Checkout(tmp_path_factory.mktemp("master"))
    made.do("keygen", "demo")
    made.do("encrypt", "LINES_API_KEY", value=CANARY.encode())
    made.do("encrypt", "MOOD_API_KEY", value=b"mood")
    made.do("encrypt", "BLOB", "--type", "bytes", value=BLOB)
    made.do("encrypt", "PEM", value=PEM + b"\n")
    made.commit()
    return made


class Desk:
    """A checkout and a user with an editor."""

    def __init__(self, checkout: Checkout) -> None:
        self.checkout = checkout
        self.environ = {"SECRET_KEY_FILE": str(checkout.root / "demo.key")}

    def editor(self, code: str) -> None:
        """Edit by the lines of `code`, which has `text`, `file`, `folder` and `times`."""
        script = self.checkout.home / "editor.py"
        script.write_text(PROLOGUE + code)
        self.environ["EDITOR"] = f"{sys.executable} '{script}' --wait"

    def note(self) -> dict[str, object]:
        found: dict[str, object] = json.loads((self.checkout.home / "note").read_text())
        return found

    def edit(self, *words: str, **environ: str) -> subprocess.CompletedProcess[str]:
        """Run it; whatever happens, the folder is gone and nothing is in clear on the disk."""
        done = self.checkout.run("edit", *words, **(self.environ | environ))
        self.check_gone()
        return done

    def refuse(self, *words: str) -> str:
        before = self.checkout.config.read_bytes()
        done = self.edit(*words)
        assert (done.returncode, done.stdout) == (1, "")
        assert before == self.checkout.config.read_bytes()
        assert "error: " in done.stderr
        return done.stderr

    def check_gone(self) -> None:
        if (self.checkout.home / "note").exists():
            assert not Path(str(self.note()["file"])).parent.exists()
            (self.checkout.home / "note").rename(self.checkout.home.parent / "note")
            (self.checkout.home.parent / "note").replace(self.checkout.home / "note")
        for path in self.checkout.root.rglob("*"):
            assert not path.is_file() or CANARY.encode() not in path.read_bytes()

    def start(self, **more: object) -> subprocess.Popen[bytes]:
        """Begin to edit, and wait until the editor has the file."""
        process = subprocess.Popen(
            [sys.executable, "-m", "depot", "edit"],
            cwd=self.checkout.root,
            env=self.checkout.environ | self.environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            **more,  # type: ignore[call-overload]
        )
        try:
            wait_for((self.checkout.home / "note").exists)
        except BaseException:
            process.kill()
            process.communicate()
            raise
        return process


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.fixture
def desk(tmp_path: Path, master: Checkout) -> Desk:
    return Desk(Checkout(tmp_path, master))


def test_only_what_was_changed_is_sealed_anew(desk: Desk) -> None:
    """Values of every kind are shown; untouched entries keep their bytes; a new name is added."""
    before = desk.checkout.sealed()
    desk.editor("file.write_text(text.replace('= mood', '= new') + 'ADDED url = a:b\\n')")
    done = desk.edit()
    assert done.returncode == 0, done.stderr
    assert done.stdout == (
        "depot/config.py: added for demo: ADDED\ndepot/config.py: replaced for demo: MOOD_API_KEY\n"
    )
    assert "ADDED is not in `required`" in done.stderr
    after = desk.checkout.sealed()
    assert {name for name in after if before.get(name) != after[name]} == {"ADDED", "MOOD_API_KEY"}
    assert desk.checkout.opened() == {
        "ADDED": ("url", b"a:b"),
        "BLOB": ("bytes", BLOB),
        "LINES_API_KEY": ("text", CANARY.encode()),
        "MOOD_API_KEY": ("text", b"new"),
        "PEM": ("text", PEM),
    }
    text = str(desk.note()["text"])
    assert f"\nLINES_API_KEY text = {CANARY}\n" in text
    assert "\nPEM text <<END\n-----BEGIN-----\nabc\n" in text


def test_the_file_is_for_its_owner_alone_and_in_memory(desk: Desk) -> None:
    """0600 in a folder 0700, on a memory file system, with no core dumps and no key around."""
    desk.editor("")
    done = desk.edit(SECRET_KEY=(desk.checkout.root / "demo.key").read_text().strip())
    assert done.stdout == "depot/config.py: nothing was changed\n"
    note = desk.note()
    assert note["modes"] == [0o600, 0o700]
    assert note["core"] == [0, 0]
    assert str(note["file"]).startswith("/dev/shm/luggage-edit-")
    assert note["argv"] == ["--wait", note["file"]]
    environ = note["environ"]
    assert isinstance(environ, dict)
    assert not [name for name in environ if name.startswith("SECRET")]
    assert "--wait" in done.stderr


def test_without_memory_it_says_that_it_is_a_disk(tmp_path: Path) -> None:
    """The first of the usual folders that lies in memory is taken; else a disk, known as such."""
    run, disk = tmp_path / "run", tmp_path / "disk"
    run.mkdir()
    disk.mkdir()
    mounts = f"/dev/sda / ext4 rw 0 0\ntmpfs {run} tmpfs rw 0 0\n"
    assert (run, True) == hidden.place({"XDG_RUNTIME_DIR": str(run)}, mounts)
    assert not hidden.place({"XDG_RUNTIME_DIR": str(disk)}, mounts)[1]
    assert not hidden.place({"XDG_RUNTIME_DIR": str(run)}, "")[1]
    spaced = f"/dev/sda / ext4 rw\ntmpfs {tmp_path}/a\\040b tmpfs rw\ntmpfs {run} ext4 rw"
    assert hidden.kind(tmp_path / "a b" / "c", spaced) == "tmpfs"
    assert hidden.kind(run, f"{mounts}x {run} ext4 rw") == "ext4"


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("file.write_text(text.replace('= mood', '= new')); sys.exit(3)", "ended with status 3"),
        ("file.write_text('X = 1'); os.kill(os.getpid(), 9)", "ended by signal 9"),
        ("file.unlink()", "cannot be read"),
        ("file.write_bytes(b'\\xff')", "line 1: not UTF-8"),
        (f"file.write_text(text + '{CANARY}')", "neither NAME = value"),
        (f"file.write_text(text + 'J json = {CANARY}\\nlower = 1\\n')", "J: not strict JSON"),
        ("file.write_text(text.replace('LINES_API', 'LINES_APP'))", "removed in the editor: LINES"),
        ("file.write_text('')", "removed in the editor: BLOB, LINES_API_KEY, MOOD_API_KEY, PEM"),
    ],
)
def test_where_the_edit_is_no_edit_nothing_changes(desk: Desk, code: str, told: str) -> None:
    """A failed editor, a broken sheet, a removal nobody confirmed: told, with the typed text gone
    and said to be.
    """
    desk.editor(code)
    assert told in desk.refuse()


def test_what_is_broken_is_told_by_line_and_that_it_is_gone(desk: Desk) -> None:
    """Without a terminal nobody can be asked."""
    desk.editor("file.write_text('A = 1\\nnonsense\\nB json = {\\n')")
    told = desk.refuse()
    assert "error: line 2: neither" in told
    assert "error: line 3: B: not strict JSON" in told
    assert "nothing was changed, and what was typed is gone" in told


def test_a_removed_name_is_removed_with_yes(desk: Desk) -> None:
    """--yes answers the question; a name that is required still is told."""
    desk.editor("file.write_text(text.replace('MOOD_API_KEY text = mood', ''))")
    done = desk.edit("--yes")
    assert done.stdout == "depot/config.py: removed for demo: MOOD_API_KEY\n"
    assert "MOOD_API_KEY is in `required` still" in done.stderr
    assert set(desk.checkout.opened()) == {"BLOB", "LINES_API_KEY", "PEM"}


def test_a_change_by_another_meanwhile_is_kept(desk: Desk) -> None:
    """Of another name: both changes are there. Of the same: told, and theirs stands."""
    encrypt = (
        "import subprocess\n"
        f"subprocess.run([{sys.executable!r}, '-m', 'depot', 'encrypt', NAME], input=b'theirs',"
        f" check=True, cwd={str(desk.checkout.root)!r}, capture_output=True)\n"
        "file.write_text(text.replace('= mood', '= mine'))\n"
    )
    desk.editor(encrypt.replace("NAME", "'MOOD_API_KEY'"))
    done = desk.edit()
    assert done.returncode == 1
    assert "changed meanwhile: MOOD_API_KEY" in done.stderr
    assert desk.checkout.opened()["MOOD_API_KEY"] == ("text", b"theirs")
    desk.editor(encrypt.replace("NAME", "'PEM'").replace("= mood", "= theirs"))
    assert desk.edit().returncode == 0
    assert desk.checkout.opened()["MOOD_API_KEY"] == ("text", b"mine")
    assert desk.checkout.opened()["PEM"] == ("text", b"theirs")


@pytest.mark.parametrize(
    ("environ", "told"),
    [
        ({"SECRET_KEY_FILE": ""}, "no key"),
        ({"SECRET_KEY_FILE": "/nonexistent"}, "cannot be read"),
        ({"EDITOR": "nosuch-editor"}, "cannot be started"),
        ({"EDITOR": f"'{CANARY}"}, "$EDITOR: a quote"),
        ({"EDITOR": "", "PATH": "/nonexistent"}, "no editor found"),
    ],
)
def test_without_a_key_or_an_editor_nothing_begins(
    desk: Desk, environ: dict[str, str], told: str
) -> None:
    """Each is one clear error."""
    desk.editor("")
    done = desk.edit(**environ)
    assert done.returncode == 1
    assert told in done.stderr


def test_the_key_chooses_the_environment(desk: Desk) -> None:
    """A key opens its own; --env of another, or a value that does not open, is refused."""
    desk.checkout.do("keygen", "prod")
    desk.editor("file.write_text('A = 1\\n')")
    assert "opens environment 'demo', not 'prod'" in desk.refuse("--env", "prod")
    desk.environ["SECRET_KEY_FILE"] = str(desk.checkout.root / "prod.key")
    assert desk.edit().stdout == "depot/config.py: added for prod: A\n"
    one = desk.checkout.sealed()
    desk.checkout.change(f'"{one["PEM"]}"', f'"{one["BLOB"]}"')
    desk.environ["SECRET_KEY_FILE"] = str(desk.checkout.root / "demo.key")
    assert "secret 'PEM'" in desk.refuse()


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP", "SIGKILL"])
def test_a_signal_to_the_command_leaves_nothing(desk: Desk, name: str) -> None:
    """The folder with all that is in it goes, even where this process is killed; so does the
    editor, where there is time for it.
    """
    before = desk.checkout.config.read_bytes()
    desk.editor("time.sleep(60)")
    number = signal.Signals[name]
    with desk.start() as process:
        note = desk.note()
        process.send_signal(number)
        out, err = process.communicate(timeout=60) if name != "SIGKILL" else (b"", b"")
        folder = Path(str(note["file"])).parent
        wait_for(lambda: not folder.exists())
        if name == "SIGKILL":
            os.kill(int(str(note["pid"])), signal.SIGKILL)
        else:
            assert process.returncode == 128 + number
            assert b"Traceback" not in err
            assert not Path(f"/proc/{note['pid']}").exists()
        assert out == b""
    assert before == desk.checkout.config.read_bytes()
    desk.check_gone()


def test_an_editor_that_will_not_end_is_killed(desk: Desk) -> None:
    """It ignores TERM; the command ends all the same, and nothing is left."""
    desk.editor(
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n(home / 'deaf').touch()\ntime.sleep(60)"
    )
    with desk.start() as process:
        wait_for((desk.checkout.home / "deaf").exists)
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)
        assert process.returncode == 143
    assert not Path(f"/proc/{desk.note()['pid']}").exists()
    desk.check_gone()


def test_interrupt_is_for_the_editor(desk: Desk) -> None:
    """^C goes to both: an editor that lives on with it is not cut off, and its text is written."""
    desk.editor(
        "signal.signal(signal.SIGINT, lambda *_: None)\n(home / 'deaf').touch()\n"
        "time.sleep(1)\nfile.write_text(text.replace('= mood', '= new'))"
    )
    with desk.start(start_new_session=True) as process:
        wait_for((desk.checkout.home / "deaf").exists)
        os.killpg(process.pid, signal.SIGINT)
        out, _ = process.communicate(timeout=60)
        assert (process.returncode, out) == (
            0,
            b"depot/config.py: replaced for demo: MOOD_API_KEY\n",
        )
    desk.check_gone()


def test_an_editor_that_ends_by_interrupt_changes_nothing(desk: Desk) -> None:
    """It has its default, though the command does not end by it."""
    desk.editor(
        "signal.signal(signal.SIGINT, signal.SIG_DFL)\n(home / 'x').touch()\ntime.sleep(60)"
    )
    with desk.start(start_new_session=True) as process:
        wait_for((desk.checkout.home / "x").exists)
        os.killpg(process.pid, signal.SIGINT)
        _, err = process.communicate(timeout=60)
        assert process.returncode == 1
        assert b"ended by signal 2" in err
    desk.check_gone()


def typed(desk: Desk, *answers: bytes) -> tuple[int, str]:
    """Edit at a terminal, answer each question, and return status and all that was shown."""
    environ = desk.checkout.environ | desk.environ
    child, terminal = pty.fork()
    if child == 0:  # pragma: no cover - another program at once
        os.chdir(desk.checkout.root)
        os.execve(sys.executable, [sys.executable, "-m", "depot", "edit"], environ)
    shown = b""
    waiting = list(answers)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if not select.select([terminal], [], [], 0.1)[0]:
            continue
        try:
            part = os.read(terminal, 1024)
        except OSError:
            break
        shown += part
        if shown.endswith(b"] ") and waiting:
            os.write(terminal, waiting.pop(0))
    else:
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    os.close(terminal)
    assert CANARY.encode() not in shown
    desk.check_gone()
    return os.waitstatus_to_exitcode(status), shown.decode()


BREAK_THEN_MEND = """
if times == 1:
    file.write_text(text.replace("= mood", "= new") + "broken\\n")
else:
    file.write_text(text.replace("broken\\n", ""))
"""


def test_a_broken_sheet_is_edited_again_with_what_was_typed(desk: Desk) -> None:
    """At a terminal one is asked, and the editor has the text as it was left."""
    desk.editor(BREAK_THEN_MEND)
    status, shown = typed(desk, b"\n")
    assert status == 0, shown
    assert "neither NAME = value" in shown
    assert desk.checkout.opened()["MOOD_API_KEY"] == ("text", b"new")


COLLEAGUE = """
import subprocess
def theirs(name, value):
    subprocess.run([{python!r}, "-m", "depot", "encrypt", name], input=value, check=True,
                   cwd={root!r}, capture_output=True)
"""


def test_a_broken_sheet_hides_no_change_by_another(desk: Desk) -> None:
    """What a colleague sealed while the sheet was broken is told before it is overwritten: name by
    name, each once.
    """
    desk.editor(
        COLLEAGUE.format(python=sys.executable, root=str(desk.checkout.root))
        + """
if times == 1:
    theirs("MOOD_API_KEY", b"theirs")
    theirs("PEM", b"theirs")
    file.write_text(text.replace("= mood", "= mine") + "broken\\n")
elif times == 2:
    file.write_text(text.replace("broken\\n", ""))
elif times == 3:
    head, _, rest = text.partition("PEM text <<END")
    file.write_text(head + "PEM = mine" + rest.partition("\\nEND")[2])
"""
    )
    status, shown = typed(desk, b"\n", b"\n", b"n\n")
    assert "neither NAME = value" in shown
    assert "changed meanwhile: MOOD_API_KEY\r\n" in shown
    assert "changed meanwhile: PEM\r\n" in shown
    assert status == 1
    assert desk.checkout.opened()["MOOD_API_KEY"] == ("text", b"theirs")
    (desk.checkout.home / "times").unlink()
    desk.editor(
        COLLEAGUE.format(python=sys.executable, root=str(desk.checkout.root))
        + """
if times == 1:
    theirs("MOOD_API_KEY", b"more")
    file.write_text(text.replace("MOOD_API_KEY text = theirs", "MOOD_API_KEY text = mine"))
"""
    )
    status, shown = typed(desk, b"\n")
    assert (status, shown.count("changed meanwhile: MOOD_API_KEY")) == (0, 1)
    assert desk.checkout.opened()["MOOD_API_KEY"] == ("text", b"mine")


@pytest.mark.parametrize("answer", [b"n\n", b"\x04"])
def test_whoever_gives_up_is_told_what_is_lost(desk: Desk, answer: bytes) -> None:
    """No, or the end of the input: nothing is changed, and what was typed is gone."""
    before = desk.checkout.config.read_bytes()
    desk.editor(BREAK_THEN_MEND)
    status, shown = typed(desk, answer)
    assert status == 1
    assert "nothing was changed, and what was typed is gone" in shown
    assert before == desk.checkout.config.read_bytes()


@pytest.mark.parametrize(("answer", "left"), [(b"y\n", False), (b"\n", True)])
def test_a_removal_is_asked_about(desk: Desk, answer: bytes, left: bool) -> None:
    """Only a plain yes removes."""
    desk.editor("file.write_text(text.replace('MOOD_API_KEY text = mood', ''))")
    status, shown = typed(desk, answer, b"n\n")
    assert "remove MOOD_API_KEY? [y/N]" in shown
    assert (status, left) == (int(left), "MOOD_API_KEY" in desk.checkout.opened())


def test_the_editor_is_visual_before_editor_before_what_there_is(tmp_path: Path) -> None:
    """Words are split as a shell does; an empty variable is none."""
    assert hidden.words({"VISUAL": "a 'b c'", "EDITOR": "d"}) == ["a", "b c"]
    assert hidden.words({"VISUAL": " ", "EDITOR": "d"}) == ["d"]
    for name in ("nano", "vi"):
        (tmp_path / name).write_text("#!/bin/sh\n")
        (tmp_path / name).chmod(0o755)
        assert hidden.words({"PATH": str(tmp_path)}) == [name]
    with pytest.raises(LuggageError):
        hidden.words({"PATH": "/nonexistent"})


@pytest.mark.skipif(shutil.which("vi") is None, reason="left out: vi is not installed")
def test_vim_leaves_nothing_elsewhere(desk: Desk, tmp_path: Path) -> None:
    """A vimrc that keeps undo, backup, swap and registers keeps none of these values."""
    home = desk.checkout.home
    for name in ("undo", "backup", "swap"):
        (home / name).mkdir()
    (home / ".vimrc").write_text(
        f"set nocompatible undofile undodir={home}/undo\n"
        f"set backup backupdir={home}/backup directory={home}/swap\n"
        f"set viminfo='100,<50,n{home}/viminfo\n"
    )
    desk.environ["EDITOR"] = "vi --not-a-term -c '/^MOOD/delete' -c wq"
    desk.environ["TERM"] = "dumb"
    done = desk.checkout.run("edit", "--yes", **desk.environ)
    assert done.stdout.endswith("depot/config.py: removed for demo: MOOD_API_KEY\n")
    for path in home.rglob("*"):
        assert not path.is_file() or b"mood" not in path.read_bytes()
