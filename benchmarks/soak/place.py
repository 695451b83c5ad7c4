"""This machine → where a deployment can be hurt: a small memory file system, a clock of its own.

The file system is mounted at /dev/shm, in a mount namespace of the deployment's own: what a
container has. So filling it harms nobody else, and it is gone with the last process.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import struct
import subprocess
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
SIZE, FILES = "8m", 300  # of the file system: bytes, and names
MEMORY = Path("/dev/shm")
FILLER = "filler"
MOUNTS = (
    f"mount -t tmpfs -o size={SIZE},nr_inodes={FILES},mode=1777 soak {MEMORY} && "
    'echo mounted && read _ && exec "$@"'
)
MOUNTED = b"mounted\n"
CLOCK = Path(__file__).with_name("clock.c")
OFFSET = struct.Struct("q")


class Place:
    """A folder for one deployment. Where it `apart`, /dev/shm is its own."""

    def __init__(self, folder: Path, *, clock: bool) -> None:
        self.folder = folder
        self._clock = folder / "clock" if clock else None
        self._before = _namespaces()
        self.offset = 0  # of the clock on the wall, seconds
        self.apart = bool(self._before)
        self._memory: int | None = None

    def start(self, words: list[str], variables: dict[str, str]) -> subprocess.Popen[bytes]:
        """Start `words` here; what it prints comes out of its stdout."""
        process = subprocess.Popen(
            [*self._before, "sh", "-c", MOUNTS, "sh", *words] if self.apart else words,
            cwd=self.folder,
            env=self._environ() | variables,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            bufsize=0,
            start_new_session=True,
        )
        assert process.stdin is not None and process.stdout is not None
        if self.apart:
            told = os.read(process.stdout.fileno(), len(MOUNTED))
            if told != MOUNTED:
                raise OSError(f"mount: {told.decode()}")
            # Held, so that what is left there can be seen when its last process is gone.
            memory = f"/proc/{process.pid}/root{MEMORY}"
            self._memory = os.open(memory, os.O_RDONLY | os.O_DIRECTORY)
            os.set_inheritable(self._memory, True)  # by `ctl`
            os.write(process.stdin.fileno(), b"\n")
        process.stdin.close()
        return process

    def close(self) -> None:
        """Let go of the memory file system."""
        if self._memory is not None:
            os.close(self._memory)
            self._memory = None

    @property
    def memory(self) -> Path:
        """Where the state folder lies, as seen from here."""
        if self._memory is None:
            return self.folder / "run"
        return Path(f"/proc/self/fd/{self._memory}")

    @property
    def state(self) -> Path:
        """The state folder."""
        places = sorted(self.memory.glob("luggage-*")) if self.apart else [self.memory / "luggage"]
        found = [place for place in places if (place / "control").exists()]
        if not found:
            raise FileNotFoundError("no state folder")
        return found[0]

    @property
    def inherited(self) -> tuple[int, ...]:
        """Descriptors that a process needs which looks into `memory`."""
        return () if self._memory is None else (self._memory,)

    def left(self) -> list[str]:
        """What is there, when nothing runs, and should not be."""
        return sorted(entry.name for entry in self.memory.iterdir()) if self.apart else []

    def full(self) -> bool:
        """Whether not a byte, or not a name, is free."""
        about = os.statvfs(self.memory)
        return not about.f_bavail or not about.f_ffree

    @contextlib.contextmanager
    def filled(self) -> Iterator[None]:
        """Not a byte is free in it."""
        path = self.memory / FILLER
        with path.open("wb", buffering=0) as file:
            try:
                size = 1 << 20
                while size >= 1:
                    try:
                        file.write(b"x" * size)
                    except OSError:
                        size //= 2
                yield
            finally:
                path.unlink()

    @contextlib.contextmanager
    def crowded(self) -> Iterator[None]:
        """There is no name left in it."""
        folder = self.memory / FILLER
        folder.mkdir()
        names = []
        try:
            for number in range(FILES):
                with contextlib.suppress(OSError):
                    (folder / str(number)).touch()
                    names.append(folder / str(number))
            yield
        finally:
            for name in names:
                name.unlink()
            folder.rmdir()

    def set_clock(self, seconds: int) -> None:
        """The clock on the wall is off by so many seconds from now on, for the deployment alone."""
        if self._clock is None:
            raise RuntimeError("it goes by this machine's clock")
        self.offset = seconds
        with self._clock.open("r+b", buffering=0) as file:  # which is mapped: it stays
            file.write(OFFSET.pack(seconds))

    def _environ(self) -> dict[str, str]:
        environ = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            "PYTHONPATH": os.pathsep.join((str(HERE), str(ROOT))),
        }
        if self.apart:
            environ["TMPDIR"] = str(MEMORY)  # as where the root cannot be written
        else:
            environ |= {"LUGGAGE_RUN": str(self.memory), "TMPDIR": str(self.folder)}
        if self._clock is not None:
            self._clock.write_bytes(OFFSET.pack(0))
            library = self.folder / "clock.so"
            words = ["cc", "-shared", "-fPIC", "-O2", "-o", str(library), str(CLOCK), "-ldl"]
            subprocess.run(words, check=True)
            environ |= {"LD_PRELOAD": str(library), "SOAK_CLOCK": str(self._clock)}
        return environ


def has_compiler() -> bool:
    """Whether there is what gives a deployment a clock of its own."""
    return shutil.which("cc") is not None


def _namespaces() -> list[str]:
    """The words before a command that give it a mount namespace; none where that is not allowed."""
    user = [] if os.getuid() == 0 else ["--user", "--map-root-user"]
    words = ["unshare", *user, "--mount", "--propagation", "private", "--"]
    try:
        tried = subprocess.run(
            [*words, "mount", "-t", "tmpfs", "soak", str(MEMORY)], capture_output=True, check=False
        )
    except FileNotFoundError:
        return []
    return words if tried.returncode == 0 else []
