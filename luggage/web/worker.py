"""gunicorn's thread worker; when it stops, who waits is answered, and who comes is refused."""

# gunicorn's untyped classes are extended here.
# mypy: disable-error-code="misc"

from __future__ import annotations

import select

from gunicorn.workers.gthread import ThreadWorker


class DrainingWorker(ThreadWorker):
    """When it stops, it accepts every connection in the listening queue, then closes its socket.

    gunicorn's own keeps the socket open until the last answer is sent and accepts nothing: clients
    that come meanwhile, and those in the queue, wait for it and are reset at the end
    (https://github.com/benoitc/gunicorn/issues/3397).
    """

    def set_accept_enabled(self, enabled: bool) -> None:
        super().set_accept_enabled(enabled)
        if enabled or self.alive:
            return
        for listener in self.sockets:
            if listener.sock is not None:
                while select.select([listener], [], [], 0)[0]:
                    self.accept(listener)
                listener.close()
