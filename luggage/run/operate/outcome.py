"""What was ordered of processes → how it ended, for whoever waits for that."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

from luggage.errors import LuggageError
from luggage.run.kernel.ending import how
from luggage.run.life.states import State
from luggage.run.operate.control import Reply
from luggage.run.operate.system import System

STEP = 0.05  # seconds between looks at what was asked for
MOMENT = 1.0  # seconds that a new life has to last: one that cannot run mostly dies at once
FINE = how(0, None)


class Outcome:
    """Looks at the processes of `system` until what was ordered is done, or cannot be any more."""

    def __init__(self, reactor: Any, system: System) -> None:
        self._reactor = reactor
        self._system = system

    def of_stops(self, names: list[str], reply: Reply, before: Mapping[str, int]) -> None:
        """Tell of each of `names`, which had been started as often as `before`, when it has
        stopped."""
        self._await(
            names,
            reply,
            lambda it: it.state == "stopped" or it.starts > before[it.name],
            lambda it: it.state == "stopped",
            _words,
        )

    def of_lives(
        self, names: list[str], reply: Reply, wanted: Mapping[str, int], old: Collection[str] = ()
    ) -> None:
        """Tell of each of `names` when its life with the number `wanted` has lasted for a moment,
        or has ended; for those of `old`, no new one was begun."""
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
