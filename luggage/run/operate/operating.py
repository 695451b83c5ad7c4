"""What comes in by the control socket → what the monitor does, and how that ends."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import asdict
from typing import Any, Protocol

from luggage.errors import LuggageError
from luggage.run.operate.control import Reply
from luggage.run.operate.outcome import Outcome
from luggage.run.operate.system import System

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")

Reloads = Callable[[str, Callable[[bool, str], None]], object]


class Orders(Protocol):
    """What the monitor can be asked (orders.py)."""

    def restart(self, name: str) -> None: ...
    def halt(self, name: str) -> None: ...
    def begin(self, name: str) -> None: ...


class Operating:
    """Obeys what `Control` hears: `orders` and `reload` do it. `say` is luggage's voice in the log.

    `reload` gets a name, and calls with whether it went well, and words.
    """

    def __init__(
        self,
        reactor: Any,
        system: System,
        *,
        orders: Orders,
        reload: Reloads,
        say: Callable[[str], None],
    ) -> None:
        self._outcome = Outcome(reactor, system)
        self._system = system
        self._orders = orders
        self._reloads = reload
        self._say = say
        self._known: Mapping[str, Callable[[list[str], Reply], None]] = {
            "status": self._status,
            "restart": self._restart,
            "stop": self._stop,
            "start": self._start,
            "reload": self._reload,
            "log-level": self._level,
        }

    def __call__(self, command: str, names: list[str], reply: Reply) -> None:
        """Obey; raises LuggageError where that is not possible."""
        try:
            if command not in self._known:
                known = ", ".join(self._known)
                raise LuggageError("control: there is no such command", f"one of {known}")
            if self._system.stopping and command not in ("status", "log-level"):
                hint = "start it again when it has stopped"
                raise LuggageError(f"{command}: everything is stopping", hint)
            self._known[command](names, reply)
        except LuggageError as error:
            self._say(f"ctl: refused: {error.message.replace(chr(10), '; ')}")
            raise

    # -- each command

    def _status(self, _names: list[str], reply: Reply) -> None:
        fit, told = self._system.ready()
        reply.end(
            {
                "ready": fit,
                "told": told,
                "stopping": self._system.stopping,
                "level": self._system.level,
                "version": dict(self._system.version),
                "folder": str(self._system.folder),
                "processes": [asdict(state) for state in self._system.states()],
            }
        )

    def _level(self, names: list[str], reply: Reply) -> None:
        if len(names) > 1:
            raise LuggageError("log-level: more than one was given", "give one of them")
        if names:
            self._system.set_level(names[0])
            self._say(f"ctl: log level {names[0]}")
        reply.end(self._system.level)

    def _restart(self, names: list[str], reply: Reply) -> None:
        chosen = self._chosen("restart", names)
        wanted = {it.name: it.starts + 1 for it in self._system.states()}
        for name in chosen:
            self._orders.restart(name)
        self._outcome.of_lives(chosen, reply, wanted)

    def _stop(self, names: list[str], reply: Reply) -> None:
        chosen = self._chosen("stop", names)
        before = {it.name: it.starts for it in self._system.states()}
        for name in chosen:
            self._orders.halt(name)
        self._outcome.of_stops(chosen, reply, before)

    def _start(self, names: list[str], reply: Reply) -> None:
        chosen = self._chosen("start", names)
        old = {it.name for it in self._system.states() if it.state == "running"}
        for name in chosen:
            self._orders.begin(name)
        states = self._system.states()
        old |= {it.name for it in states if it.state == "scheduled"}
        wanted = {it.name: it.starts + (it.state == "stopping") for it in states}
        self._outcome.of_lives(chosen, reply, wanted, old)

    def _reload(self, names: list[str], reply: Reply) -> None:
        web = [it.name for it in self._system.states() if it.kind == "web"]
        chosen = self._chosen("reload", names or web)
        if not chosen:
            raise LuggageError("reload: there is no web server", "ctl restart what is to be new")
        other = [name for name in chosen if name not in web]
        if other:
            raise LuggageError(
                f"reload: {_list(other)}: only the web server can have two lives at once",
                f"ctl restart {' '.join(other)}",
            )

        def done(well: bool, told: str) -> None:
            if well:
                reply.say(told)
                reply.end()
            else:
                reply.fail(LuggageError(told, "see the log for its last lines"))

        self._reloads(chosen[0], done)
        reply.say(f"{chosen[0]}: another is started beside it")

    # -- what they share

    def _chosen(self, command: str, names: Collection[str]) -> list[str]:
        """The processes that are meant: `loop` is all copies of it. It is told in the log."""
        known = [it.name for it in self._system.states()]
        chosen, wrong = [], []
        for name in names:
            # No name is that of no process: "loop" is no copy of anything.
            found = [it for it in known if name and name in (it, it.rpartition(".")[0])]
            chosen += found
            wrong += [] if found else [_named(name)]
        if wrong:
            raise LuggageError(
                "\n".join(f"{command}: {name}: there is none" for name in wrong),
                f"one of {', '.join(known)}",
            )
        if not chosen and command != "reload":
            raise LuggageError(f"{command}: no process is named", f"one of {', '.join(known)}")
        chosen = list(dict.fromkeys(chosen))
        self._say(f"ctl: {command} {' '.join(chosen)}")
        return chosen


def _named(name: str) -> str:
    """A name that is none may be a secret put there by mistake."""
    return f"process '{name}'" if _NAME.fullmatch(name) else "that process"


def _list(names: list[str]) -> str:
    return ", ".join(f"'{name}'" for name in names)
