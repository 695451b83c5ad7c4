"""What follows from a process's deaths: the pause, and whether they are a crash loop."""

from __future__ import annotations

import pytest

from luggage.run.life.policy import History


def lives(*lasted: float, ready: bool = True) -> tuple[History, list[float]]:
    """The history of lives that lasted so long, each begun after its pause; and these pauses."""
    history, now, pauses = History(), 0.0, []
    for seconds in lasted:
        now += seconds
        history = history.died(now, seconds, ready=ready)
        pauses.append(history.pause)
        now += history.pause
    return history, pauses


def test_pauses_double_up_to_half_a_minute() -> None:
    """From 0.1 s on, for lives of less than five seconds; after a longer one there is none."""
    history, pauses = lives(*[1.0] * 11)
    assert pauses == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 30.0, 30.0]
    assert lives(*[0.0] * 5000)[0].pause == 30.0
    long = history.died(1000, 5.0)
    assert long.pause == 0.0
    assert [long.died(1001, 1).pause, long.died(1001, 1).died(1002, 1).pause] == [0.1, 0.2]


@pytest.mark.parametrize(
    ("lasted", "loop"),
    [
        ([0.0] * 4, ""),
        ([0.0] * 5, "for the 5th time within 60 s"),
        ([14.0] * 5, "for the 5th time within 60 s"),
        ([15.0] * 50, ""),
        ([100.0, 0, 0, 0, 0], "for the 5th time within 60 s"),
        ([0, 0, 0, 0, 61.0], ""),
    ],
)
def test_five_deaths_within_a_minute_are_a_crash_loop(lasted: list[float], loop: str) -> None:
    """Whether it dies at once or after a while; four are none, nor are five in a longer time."""
    assert lives(*lasted)[0].crash_loop == loop


def test_five_in_a_row_that_were_never_ready_are_a_crash_loop() -> None:
    """However long each of them took; one that was ready starts the count anew."""
    slow = [40.0] * 4
    history, _ = lives(*slow, ready=False)
    assert history.crash_loop == ""
    assert history.died(500, 40).crash_loop == ""
    wanted = "for the 5th time without having become ready"
    assert history.died(500, 40, ready=False).crash_loop == wanted


def test_only_a_long_life_ends_a_crash_loop() -> None:
    """Its pauses are so long that soon no five deaths lie within a minute: it is one all the same;
    a life of a minute is none of it, ended or not."""
    history, _ = lives(*[0.0] * 40)
    assert history.crash_loop
    assert len(history.recent) < 5
    assert history.died(9000, 59).crash_loop
    assert history.died(9000, 60).crash_loop == ""
    assert history.steady().crash_loop == ""
