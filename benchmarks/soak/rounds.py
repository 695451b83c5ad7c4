"""A deployment and a sequence of faults → what each did, and what did not heal or was not told.

Between two faults everything must be as it was: each process runs, no worker is missing, nothing
stands still, no zombie is there, good requests are answered, and the log has the cause.
"""

from __future__ import annotations

import random
import re
import signal
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import tree
import visits
from deployed import WEB, WORKERS, Deployed, GoneError, Size, wait_for
from faults import Done, Fault, blow
from place import Place
from visits import Visits

LIFE = 120.0  # seconds of one deployment
HEAL = 30.0  # seconds that everything has to be as it was
START, END = 60.0, 45.0  # seconds
SETTLED = 1.0  # seconds after which what is too much is seen as well
DEATHS, WINDOW = 3, 60.0  # of the web server in so many seconds: five are a crash loop
MEMORY, GROWTH = 45 << 10, 7 << 10  # KiB of the supervisor; 4 MiB of them may be the log's
FILES, THREADS = 2, 1  # more than at first
HURT = re.compile(r"Worker \(pid:\d+\) (was sent|exited)|died while it served")
BROKEN = re.compile(r"^luggage +\| .*(Traceback|Unhandled|Error\b)")  # the supervisor's own
READY = re.compile(r"gunicorn: ready after ([\d.]+) s")
RESTART = 0.5  # seconds beside those: to see the death, and the pause after it
FIRST = 5  # faults, after which the supervisor has as much memory as it needs


@dataclass(frozen=True)
class Outcome:
    """One fault: what became of good requests, when all was well again, and what was wrong."""

    round: str
    fault: Fault
    begin: float
    end: float
    held: float
    back: float | None
    restart: float  # seconds that the web server took to be ready again, where it told that
    size: Size
    found: visits.Found
    wrong: tuple[str, ...]

    @property
    def down(self) -> float:
        """Seconds without an answer, but for those in which nobody could run."""
        return max(0.0, self.found.down - self.held)

    def judged(self, found: visits.Found, slack: float) -> Outcome:
        """With what is known when every request has ended; `slack` are more seconds to be down."""
        it = replace(self, found=found)
        wrong = list(self.wrong)
        # What the visitor itself came late with is none of the deployment's.
        allowed = max(self.fault.down + slack, self.restart + RESTART)
        if it.down > allowed + found.late:
            wrong.append(f"no answer for {it.down:.2f} s; allowed: {allowed:g} s")
        if self.fault.lossless and found.lost:
            words = ", ".join(sorted(set(found.lost)))
            wrong.append(f"{len(found.lost)} good requests lost: {words}")
        return replace(it, wrong=tuple(wrong))


@dataclass
class Round:
    """`faults` in random order, for `seconds`; at least one. In the round `clock` the deployment's
    clock can be set; in `closed` its log has no reader. All follows from `seed`."""

    name: str
    faults: Sequence[Fault]
    seconds: float
    seed: str
    out: Path
    say: Callable[[str], None]
    slack: float = 0.0
    heal: float = HEAL
    outcomes: list[Outcome] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    _fresh: list[Outcome] = field(default_factory=list)
    _began: float = 0.0

    def __post_init__(self) -> None:
        self.chance = random.Random(self.seed)

    def run(self) -> None:
        """Until the time is over; where a deployment ends, another takes its place."""
        self._began = time.monotonic()
        end = self._began + self.seconds
        lives = 0
        while time.monotonic() < end and len(self.wrong) < 5:
            lives += 1
            log = self.out / f"{self.name}-{lives}.log"
            with tempfile.TemporaryDirectory(prefix="luggage-soak-") as folder:
                it = Deployed(Place(Path(folder), clock=self.name == "clock"), {})
                seen = Visits()
                try:
                    with visits.asking(it.port, seen):
                        self._live(it, seen, min(end, time.monotonic() + LIFE))
                        self._stop(it, seen, random.Random(f"{self.seed} {lives}"))
                except GoneError as error:
                    last = "\n".join(it.lines[-5:])
                    self._note(f"everything ended ({error}); its last lines:\n{last}")
                finally:
                    self._judge(seen)
                    it.end()
                    log.write_text("\n".join(it.lines) + "\n")

    def _live(self, it: Deployed, seen: Visits, end: float) -> None:
        began = time.monotonic()
        if not wait_for(lambda: not self._ill(it, seen, began), START):
            self._note(f"not up in {START:.0f} s: {self._ill(it, seen, began)}")
            return
        if self.name == "closed":
            it.close_log()
            time.sleep(SETTLED)
        at_first = it.size()
        sizes = []
        for fault in self._sequence():
            if sizes and time.monotonic() >= end:
                break
            time.sleep(self.chance.uniform(0.3, 1.2))
            outcome = self._hit(it, seen, fault)
            sizes.append(outcome.size)
            self._fresh.append(outcome)
            self.say(told(outcome, outcome.begin - self._began))
        self._weigh(it, at_first, sizes)

    def _sequence(self) -> Iterator[Fault]:
        """All of them in random order, again and again, but the web server's deaths apart."""
        deaths: list[float] = []
        waiting: list[Fault] = []
        while True:
            if len(waiting) < len(self.faults):
                waiting += self.chance.sample(self.faults, len(self.faults))
            now = time.monotonic()
            deaths = [at for at in deaths if now - at < WINDOW + HEAL]
            fits = [it for it in waiting if len(deaths) + it.deaths <= DEATHS]
            if not fits:
                time.sleep(1)
                continue
            waiting.remove(fits[0])
            deaths += [now] * fits[0].deaths
            yield fits[0]

    # -- one fault

    def _hit(self, it: Deployed, seen: Visits, fault: Fault) -> Outcome:
        lines, before = len(it.lines), it.status()
        began = time.monotonic()
        wrong = []
        try:
            done = fault.act(it, self.chance)
        except GoneError:
            raise
        except Exception as error:
            done = Done(hurt=frozenset(before))
            wrong.append(f"the fault itself: {error!r}")
        since = done.since or time.monotonic()
        ill = wait_for(lambda: not self._left(it, seen, lines, done), self.heal)
        back = time.monotonic() - since if ill else None
        if back is None:
            wrong += self._left(it, seen, lines, done)
        time.sleep(SETTLED)
        wrong += self._ill(it, seen, since)
        after = it.status()
        for name in after.keys() - done.hurt - {"tick"}:
            if after[name]["starts"] != before[name]["starts"]:
                wrong.append(f"{name}: had to be started again: {after[name]['last_exit']}")
        if not done.changed:
            wrong += [line for line in it.lines[lines:] if HURT.search(line)]
        wrong += [line for line in it.lines[lines:] if BROKEN.search(line)]
        return Outcome(
            self.name,
            fault,
            began,
            time.monotonic(),
            done.held,
            back,
            max((float(took) for took in READY.findall("\n".join(it.lines[lines:]))), default=0.0),
            it.size(),
            seen.between(began, time.monotonic()),
            tuple(dict.fromkeys(wrong)),
        )

    def _left(self, it: Deployed, seen: Visits, lines: int, done: Done) -> list[str]:
        """What is not as it was yet, or not told yet."""
        wrong = self._ill(it, seen, time.monotonic() - SETTLED)
        status = it.status()
        for name, words in done.exits.items():
            told = status[name]["last_exit"] or ""
            if not told.endswith(words):
                wrong.append(f"{name}: ctl status tells {told!r}, not {words!r}")
        if self.name != "closed":
            wrong += [
                f"the log does not tell: {it_}" for it_ in done.told if not it.told(it_, lines)
            ]
        return wrong

    def _ill(self, it: Deployed, seen: Visits, since: float) -> list[str]:
        """What does not run, or not well."""
        try:
            status = it.status()
        except (TimeoutError, FileNotFoundError) as error:
            if not it.alive():
                raise GoneError(f"exit status {it.process.returncode}") from None
            return [f"ctl status: {error}"]
        wrong = []
        processes = {process.pid: process for process in it.tree()}
        for name, told in status.items():
            fine = ("running", "scheduled") if told["kind"] == "cron" else ("running",)
            if told["state"] not in fine:
                wrong.append(f"{name} is {told['state']}")
            elif told["state"] == "running" and told["pid"] not in processes:
                wrong.append(f"{name}: there is no process {told['pid']}")
        workers = [
            process for process in processes.values() if process.parent == status[WEB]["pid"]
        ]
        serving = sum(process.state not in "TZ" for process in workers)
        if serving < WORKERS:
            wrong.append(f"{serving} of {WORKERS} workers")
        states = [process.state for process in processes.values()]
        wrong += [f"{states.count('Z')} zombies"] if "Z" in states else []
        wrong += [f"{states.count('T')} processes stopped"] if "T" in states else []
        if not seen.answered(since):
            wrong.append("good requests are not answered")
        return wrong

    # -- the end

    def _weigh(self, it: Deployed, first: Size, sizes: Sequence[Size]) -> None:
        """What the supervisor has more than at first."""
        if not sizes:
            return
        wait_for(lambda: it.size().files <= first.files and it.size().threads <= first.threads, 15)
        last = it.size()
        usual = statistics.median(size.memory for size in sizes[:FIRST])
        if last.files > first.files + FILES or last.threads > first.threads + THREADS:
            self._note(f"the supervisor has grown: {first} → {last}")
        if len(sizes) > FIRST and last.memory > usual + GROWTH:
            self._note(f"its memory has grown from {usual:.0f} KiB to {last.memory} KiB")
        if last.memory > MEMORY:
            self._note(f"its memory is {last.memory} KiB: more than {MEMORY}")
        self.say(f"  supervisor: {first} → {last}")

    def _stop(self, it: Deployed, seen: Visits, chance: random.Random) -> None:
        """TERM, while it is asked."""
        if not it.alive():
            return
        kind, undo = blow(it, chance)
        with undo:
            lived, began = it.tree(), time.monotonic()
            it.signal(it.process.pid, signal.SIGTERM)
            status = wait_for(lambda: not it.alive(), END)
            took = time.monotonic() - began
        if not status:
            self._note(f"still there {END:.0f} s after TERM")
            return
        if it.process.returncode:
            self._note(f"exit status {it.process.returncode} after TERM")
        left = [process for process in tree.alive(lived) if process.pid != it.process.pid]
        if left:
            self._note(f"{len(left)} processes left after the end")
        if it.place.left():
            self._note(f"left in memory: {', '.join(it.place.left())}")
        time.sleep(SETTLED)
        lost = [one.word for one in seen.all if not one.good and began - 1 < one.sent < began]
        if lost:
            self._note(f"{len(lost)} good requests lost at the end: {', '.join(set(lost))}")
        self.say(f"  ended {took:.1f} s after TERM, with {kind} in the way")

    def _judge(self, seen: Visits) -> None:
        for outcome in self._fresh:
            judged = outcome.judged(seen.between(outcome.begin, outcome.end), self.slack)
            for text in judged.wrong[len(outcome.wrong) :]:
                self.say(f"  WRONG: {outcome.fault.name}: {text}")
            self.outcomes.append(judged)
        self._fresh.clear()

    def _note(self, text: str) -> None:
        self.wrong.append(f"round '{self.name}': {text}")
        self.say(f"  WRONG: {text}")


def told(outcome: Outcome, at: float) -> str:
    """One line of it, as far as it is known now."""
    back = f"{outcome.back:6.2f}" if outcome.back is not None else " never"
    name = f"{outcome.round:<7} {outcome.fault.name:<23}"
    line = f"{at:6.0f} s  {name} down {outcome.down:5.2f} s  back in {back} s"
    return line + "".join(f"\n  WRONG: {text}" for text in outcome.wrong)
