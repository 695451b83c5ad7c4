"""What comes in by the control socket → what the monitor does, and how that ends."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import asdict
from typing import Any, Protocol

from luggage.errors import LuggageError
from luggage.run.control import Reply
from luggage.run.ending import how
from luggage.run.states import State
from luggage.run.system import System

STEP = 0.05  # seconds between looks at what was asked for
MOMENT = 1.0  # seconds that a new life has to last: one that cannot run mostly dies at once
FINE = how(0, None)
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
        self._reactor = reactor
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
        self._await_lives(chosen, reply, wanted)

    def _stop(self, names: list[str], reply: Reply) -> None:
        chosen = self._chosen("stop", names)
        before = {it.name: it.starts for it in self._system.states()}
        for name in chosen:
            self._orders.halt(name)
        self._await(
            chosen,
            reply,
            lambda it: it.state == "stopped" or it.starts > before[it.name],
            lambda it: it.state == "stopped",
            _words,
        )

    def _start(self, names: list[str], reply: Reply) -> None:
        chosen = self._chosen("start", names)
        old = {it.name for it in self._system.states() if it.state == "running"}
        for name in chosen:
            self._orders.begin(name)
        states = self._system.states()
        old |= {it.name for it in states if it.state == "scheduled"}
        wanted = {it.name: it.starts + (it.state == "stopping") for it in states}
        self._await_lives(chosen, reply, wanted, old)

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
            found = [it for it in known if name in (it, it.rpartition(".")[0])]
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

    def _await_lives(
        self, names: list[str], reply: Reply, wanted: Mapping[str, int], old: Collection[str] = ()
    ) -> None:
        """Wait until the life of each with the number `wanted` has lasted for a moment, or ended;
        for those of `old`, no new one was begun."""
        since: dict[str, float] = {}

        def over(it: State) -> bool:
            # Another operator may have stopped it meanwhile.
            if it.state == "stopped" or it.starts > wanted[it.name]:
                return True
            if it.starts < wanted[it.name] or it.state in ("starting", "stopping"):
                return False
            now = self._reactor.seconds()
            lasted = now - since.setdefault(it.name, now)
            return it.state != "running" or it.name in old or lasted >= MOMENT

        def died(it: State) -> bool:
            if it.state == "waiting" or it.name in old:
                return it.state == "waiting"
            failed = it.state == "scheduled" and it.last_exit != FINE
            return failed or it.starts > wanted[it.name]

        def words(it: State | None) -> str:
            if it is None or it.state == "stopped" or not died(it):
                return _words(it)
            then = "is due again" if it.state == "scheduled" else "is tried again"
            return f"{it.last_exit}, and {then}"

        def well(it: State) -> bool:
            return it.state in ("running", "scheduled") and not died(it)

        self._await(names, reply, over, well, words)

    def _await(
        self,
        names: list[str],
        reply: Reply,
        over: Callable[[State], bool],
        well: Callable[[State], bool],
        words: Callable[[State | None], str],
    ) -> None:
        """Look until it is `over` for each of `names`; then tell what became of them."""
        left = list(names)
        ill: list[str] = []

        def look() -> None:
            states = {it.name: it for it in self._system.states()}
            for name in list(left):
                state = states.get(name)
                if state is None or over(state):
                    left.remove(name)
                    told = f"{name}: {words(state)}"
                    if state is not None and well(state):
                        reply.say(told)
                    else:
                        ill.append(told)
            if left and not reply.waits:
                return
            if left and not self._system.stopping:
                self._reactor.callLater(STEP, look)
            elif ill or left:
                ill.extend(f"{name}: not yet: everything is stopping" for name in left)
                reply.fail(LuggageError("\n".join(ill), "see the log for its last lines"))
            else:
                reply.end()

        look()


def _words(state: State | None) -> str:
    if state is None:
        return "gone"
    if state.pid is not None:
        return f"{state.state}, pid {state.pid}"
    return state.state


def _named(name: str) -> str:
    """A name that is none may be a secret put there by mistake."""
    return f"process '{name}'" if _NAME.fullmatch(name) else "that process"


def _list(names: list[str]) -> str:
    return ", ".join(f"'{name}'" for name in names)
