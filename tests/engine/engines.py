"""A checkout and an engine → `./create` as a user runs it, and containers seen from outside."""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import signal
import subprocess
import tarfile
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
# Neither the user's own `example`, whose tags stay, nor that of another run of these tests.
IMAGE = f"luggage-test-{os.getpid()}"
# Made anew, so that no source of these tests has them.
CANARY = f"veiled-{uuid.uuid4().hex}"
PROXIED = f"{uuid.uuid4().hex}.example.org"
HARDENED = ("--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges")
ARTIFACTS = (
    *("example.pex", "manifest.json", "seal.json", "sbom.cdx.json"),
    *("root.tar", "deps.tar", "luggage.tar", "app.tar", "seal.tar"),
)


def sh(
    *words: str | Path, check: bool = True, **options: object
) -> subprocess.CompletedProcess[str]:
    """Run to the end with its output as text; a failure shows it."""
    done = subprocess.run(words, check=False, capture_output=True, text=True, **options)  # type: ignore[call-overload]
    assert not check or done.returncode == 0, (
        f"{words}: {done.returncode}\n{done.stdout}{done.stderr}"
    )
    return done  # type: ignore[no-any-return]


def checkout(folder: Path, *, image: str = IMAGE) -> Path:
    """A clean clone in `folder` of this tree as it is now, which names its image `image`."""
    sh("git", "clone", "-q", ROOT, folder)
    listed = sh("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", cwd=ROOT)
    known = {name for name in listed.stdout.split("\0") if name and (ROOT / name).exists()}
    for name in set(sh("git", "ls-files", "-z", cwd=folder).stdout.split("\0")) - known - {""}:
        (folder / name).unlink()
    for name in known:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, folder / name)
    create = folder / "create"
    text = create.read_text()
    assert text.count("\nIMAGE=$NAME\n") == 1
    create.write_text(text.replace("\nIMAGE=$NAME\n", f"\nIMAGE={image}\n"))
    commit(folder, "as it is now")
    return folder


def commit(folder: Path, message: str) -> str:
    """Commit everything in `folder`, always at the same time; return the commit's name."""
    who = {
        f"GIT_{role}_{what}": value
        for role in ("AUTHOR", "COMMITTER")
        for what, value in (
            ("NAME", "test"),
            ("EMAIL", "test@example.org"),
            ("DATE", "2020-01-01T00:00:00Z"),
        )
    }
    environ = {**os.environ, **who}
    sh("git", "add", "-A", cwd=folder, env=environ)
    sh("git", "commit", "-q", "--no-gpg-sign", "-m", message, cwd=folder, env=environ)
    return sh("git", "rev-parse", "HEAD", cwd=folder).stdout.strip()


@dataclass(frozen=True)
class Engine:
    """A container engine: `command` is what starts it, `name` what ENGINE= calls it."""

    name: str
    command: tuple[str, ...]
    environ: dict[str, str] = field(default_factory=lambda: dict(os.environ))

    def __call__(self, *words: str | Path, check: bool = True) -> str:
        """stdout of a command of the engine's."""
        return sh(*self.command, *words, check=check, env=self.environ, cwd="/").stdout.strip()

    def create(
        self,
        folder: Path,
        *words: str,
        check: bool = True,
        cwd: Path | None = None,
        **variables: str,
    ) -> subprocess.CompletedProcess[str]:
        """`./create` in `folder`."""
        # In front of the engine's own name there may be what makes us another user.
        prefix = self.command[:-1]
        return sh(
            *prefix,
            folder / "create",
            *words,
            check=check,
            cwd=cwd or folder,
            env={**self.environ, "ENGINE": self.name, **variables},
        )

    def inspect(self, name: str, template: str) -> str:
        return self("inspect", "--format", template, name)

    @contextlib.contextmanager
    def running(self, image: str, *options: str, key: str | None = None) -> Iterator[Container]:
        """A hardened container of `image` that was started, removed at the end."""
        secret = () if key is None else ("-e", f"SECRET_KEY={key}")
        with self.created(image, *HARDENED, *secret, *options) as container:
            self("start", container.name)
            yield container

    @contextlib.contextmanager
    def created(self, image: str, *options: str) -> Iterator[Container]:
        """A container of `image` that is yet to start, removed at the end."""
        name = f"luggage-test-{uuid.uuid4().hex[:12]}"
        self("create", "--name", name, "-p", "127.0.0.1::8000", *options, image)
        try:
            yield Container(self, name)
        finally:
            self("rm", "-f", "-v", name, check=False)


@dataclass(frozen=True)
class Built:
    """A checkout, what `./create` said in it, and the image that it named."""

    folder: Path
    out: str
    err: str

    @property
    def image(self) -> str:
        return self.out.strip()


@dataclass(frozen=True)
class Process:
    pid: int
    parent: int
    line: str


@dataclass(frozen=True)
class Container:
    """A container that was started; `name` is the engine's for it."""

    engine: Engine
    name: str
    _published: dict[int, str] = field(default_factory=dict, compare=False, repr=False)

    def at(self, port: int = 8000) -> str:
        """Where a port of its own is published; the engine, which may be slow, is asked once."""
        if port not in self._published:
            told = self.engine("port", self.name, f"{port}/tcp")
            self._published[port] = told.splitlines()[0]
        return self._published[port]

    def give(self, path: str, content: bytes) -> None:
        """Put a file into it that any user may read, with the folders above it."""
        archive = io.BytesIO()
        with tarfile.open(fileobj=archive, mode="w") as tar:
            member = tarfile.TarInfo(path.lstrip("/"))
            member.size = len(content)
            member.mode = 0o444
            tar.addfile(member, io.BytesIO(content))
        words = (*self.engine.command, "cp", "-", f"{self.name}:/")
        subprocess.run(words, input=archive.getvalue(), check=True, env=self.engine.environ)

    def get(self, path: str = "/", seconds: float = 10, port: int = 8000) -> tuple[int, str]:
        """Status and text of the answer; status 0 where there is none."""
        url = f"http://{self.at(port)}{path}"
        try:
            with urllib.request.urlopen(url, timeout=seconds) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()
        except OSError as error:
            return 0, str(error)

    def logs(self) -> str:
        done = sh(*self.engine.command, "logs", self.name, env=self.engine.environ, cwd="/")
        return done.stdout + done.stderr

    def processes(self) -> list[Process]:
        """What runs in it, with the host's process ids; its first process first.

        Process ids begin anew now and then: an older process may have the larger one.
        """
        words = (
            ("-o", "pid,ppid,args") if self.engine.name == "docker" else ("hpid", "ppid", "args")
        )
        rows = [row.split(maxsplit=2) for row in self.engine("top", self.name, *words).splitlines()]
        found = [Process(int(pid), int(parent), line) for pid, parent, line in rows[1:]]
        inside = {process.pid for process in found}
        return sorted(found, key=lambda process: (process.parent in inside, process.pid))

    def ctl(self, *words: str, options: Sequence[str] = ()) -> subprocess.CompletedProcess[str]:
        """`ctl WORDS` as an operator types it outside; `options` are those of `docker exec`."""
        inside = ("/app/bin/python", "-I", "-m", "luggage", "ctl", *words)
        whole = (*self.engine.command, "exec", *options, self.name, *inside)
        return sh(*whole, check=False, env=self.engine.environ, cwd="/")

    def status(self) -> int:
        return int(self.engine.inspect(self.name, "{{.State.ExitCode}}"))

    def wait_for(self, true: Callable[[], object], seconds: float = 20) -> None:
        """Wait until `true()` is; a failure shows the log."""
        end = time.monotonic() + seconds
        while not true():
            assert time.monotonic() < end, f"not within {seconds} s\n{self.logs()}"
            time.sleep(0.05)

    def serves(self) -> Container:
        """Wait until the page is there; each start may have published it at another port."""
        self._published.clear()
        self.wait_for(lambda: self.get()[0] == 200)
        return self


@contextlib.contextmanager
def started(words: Sequence[str | Path], **options: object) -> Iterator[subprocess.Popen[str]]:
    """A process in a session of its own, with all its output in one pipe; killed at the end."""
    process = subprocess.Popen(  # type: ignore[call-overload]
        words,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
        **options,
    )
    try:
        with process:
            try:
                yield process
            except BaseException:
                os.killpg(process.pid, signal.SIGKILL)
                raise
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
