"""A port → clients that ask there without a pause, and count what they lose."""

from __future__ import annotations

import http.client
import math
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

# Seconds: a server closes a connection that was idle for two, as on a machine that stood still; who
# sends just then has lost nothing that was taken.
IDLE = 1.5


@dataclass
class Load:
    """Clients that ask without a pause: what they got, and what was wrong.

    `pids` are the first words of the answers.
    """

    port: int
    path: str = "/"
    served: int = 0
    pids: set[str] = field(default_factory=set)
    wrong: list[str] = field(default_factory=list)
    _over: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def wait_for(self, served: int, seconds: float = 60) -> None:
        """Wait until as many more are served."""
        wanted, end = self.served + served, time.monotonic() + seconds
        while self.served < wanted:
            assert time.monotonic() < end, f"{self.served} of {wanted}: {self.wrong[:3]}"
            time.sleep(0.005)

    def stop(self) -> None:
        """Ask no more."""
        self._over.set()

    def work(self, keep: bool) -> None:
        """One client; with `keep` all its requests go through one connection while that lasts."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        last = math.inf  # when this connection has answered
        while not self._over.is_set():
            told = body = ""
            try:
                try:
                    connection.request(
                        "GET", self.path, headers={} if keep else {"Connection": "close"}
                    )
                finally:
                    idle = time.monotonic() - last
                answer = connection.getresponse()
                body = answer.read().decode()
                last = time.monotonic() if keep else math.inf
                told = "" if answer.status == 200 else f"{answer.status}: {body}"
            except (OSError, http.client.HTTPException) as error:
                if idle < IDLE or not isinstance(error, ConnectionResetError | BrokenPipeError):
                    told = repr(error)
                last = math.inf
                connection.close()
            with self._lock:
                if told:
                    self.wrong.append(told)
                elif body:
                    self.served += 1
                    self.pids.add(body.split()[0])
            if not keep:
                connection.close()
        connection.close()


@contextmanager
def load(port: int, path: str = "/", *, kept: int = 4, fresh: int = 4) -> Iterator[Load]:
    """`kept` clients that keep their connection, and `fresh` ones that do not, until the end."""
    it = Load(port, path)
    threads = [
        threading.Thread(target=it.work, args=(number < kept,)) for number in range(kept + fresh)
    ]
    for thread in threads:
        thread.start()
    try:
        yield it
    finally:
        it.stop()
        for thread in threads:
            thread.join(60)
