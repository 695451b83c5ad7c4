"""The page for Prometheus: what living and dead processes count, what the supervisor knows."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from luggage.run.life.states import State
from luggage.run.pages.exposition import Exposition, Facts
from luggage.web import metrics
from luggage.web.figures import Figures, entries

ROOT = Path(__file__).resolve().parents[2]
WEB = State("gunicorn", "web", "running", 7, 100.5, 3, False, "killed", 99, None, True)
LOOP = State('ro"b\\ot\n', "loop", "waiting", None, 200.0, 9, True, None, None, 150.25, False)
FACTS = Facts((WEB, LOOP), {"version": "1", "commit": None}, True, True, False)

COUNTS = """
import os, sys
from pathlib import Path
os.environ["PROMETHEUS_MULTIPROC_DIR"] = sys.argv[1]
import prometheus_client as p
from luggage.web import metrics
metrics.prepare(Path(sys.argv[1]))
for _ in range(int(sys.argv[2])):
    metrics.observe("GET", 200, 0.02)
metrics.replaced("deadline")
p.Histogram("app_sizes", "Sizes.", ["a"]).labels("x").observe(3)
p.Summary("app_waits", "Waits.").observe(4)
for mode in ("all", "liveall", "sum", "livesum", "min", "max", "mostrecent"):
    p.Gauge(f"app_{mode}", "G.", multiprocess_mode=mode).set(int(sys.argv[2]))
"""


def count(folder: Path, times: int) -> None:
    """A process that counts so many requests, and ends."""
    subprocess.run(
        [sys.executable, "-c", COUNTS, str(folder), str(times)], cwd=ROOT, check=True, timeout=60
    )


def series(text: bytes) -> dict[str, float]:
    """What Prometheus's own parser finds, by name and labels."""
    found = {}
    for family in text_string_to_metric_families(text.decode()):
        for sample in family.samples:
            labels = ",".join(f"{name}={value}" for name, value in sorted(sample.labels.items()))
            found[f"{sample.name}{{{labels}}}" if labels else sample.name] = sample.value
    return found


def told(folder: Path, facts: Facts = FACTS) -> tuple[dict[str, float], list[str]]:
    said: list[str] = []
    return series(Exposition(folder, said.append).text(facts)), said


def test_what_the_supervisor_knows(tmp_path: Path) -> None:
    """Every process by name, whatever that is; times only where there are any."""
    found, said = told(tmp_path)
    assert said == []
    assert found["luggage_build_info{version=1}"] == 1
    assert found["luggage_ready"] == found["luggage_healthy"] == 1
    assert found["luggage_stopping"] == 0
    assert found["luggage_process_up{process=gunicorn}"] == 1
    assert found["luggage_process_starts_total{process=gunicorn}"] == 3
    assert found['luggage_process_up{process=ro"b\\ot\n}'] == 0
    assert found['luggage_process_crash_loop{process=ro"b\\ot\n}'] == 1
    assert found['luggage_process_last_beat_timestamp_seconds{process=ro"b\\ot\n}'] == 150.25
    assert "luggage_process_last_beat_timestamp_seconds{process=gunicorn}" not in found
    assert found["luggage_process_last_exit_timestamp_seconds{process=gunicorn}"] == 99
    assert found["luggage_supervisor_process_resident_memory_bytes"] > 1e6


def test_the_dead_are_merged_and_lose_nothing(tmp_path: Path) -> None:
    """Of a hundred processes one file of each kind is left, and their counts are still shown."""
    exposition = Exposition(tmp_path, print)
    count(tmp_path, 3)
    kinds = {path.name.rpartition("_")[0] for path in tmp_path.iterdir()}
    one = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    for number in range(100):
        for name, data in one.items():  # as processes with other numbers would leave them
            kind, _, end = name.partition(".")[0].rpartition("_")
            copy = "luggage" if end.startswith("luggage") else ""
            (tmp_path / f"{kind}_{copy}{10**9 + number}.db").write_bytes(data)
        exposition.tidy()
    found = series(exposition.text(FACTS))
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(
        f"{kind}_dead.db" for kind in kinds if "all" not in kind and "live" not in kind
    )
    assert found["luggage_http_requests_total{method=GET,status=200}"] == 303
    assert found["luggage_http_request_duration_seconds_count"] == 303
    assert found["luggage_http_request_duration_seconds_bucket{le=0.01}"] == 0
    assert found["luggage_http_request_duration_seconds_bucket{le=0.025}"] == 303
    assert found["luggage_workers_replaced_total{reason=deadline}"] == 101
    assert found["app_sizes_count{a=x}"] == 101
    assert found["app_waits_sum"] == 404
    assert found["app_sum"] == 303
    assert found["app_min"] == found["app_max"] == found["app_mostrecent"] == 3
    assert not [name for name in found if name.startswith(("app_all", "app_live"))]


def test_gauges_are_merged_by_their_own_rule(tmp_path: Path) -> None:
    """The least, the most, and the last that was set."""
    for times in (5, 2, 4):
        count(tmp_path, times)
        Exposition(tmp_path, print).tidy()
    found = told(tmp_path)[0]
    assert (found["app_max"], found["app_min"], found["app_mostrecent"]) == (5, 2, 4)
    assert found["app_sum"] == found["luggage_http_requests_total{method=GET,status=200}"] == 11


def test_the_living_are_not_merged(tmp_path: Path) -> None:
    """They go on counting in their files."""
    mine = Figures(str(tmp_path / f"counter_{os.getpid()}.db"))
    mine.add('["x", "x_total", {}, "X."]', 1)
    exposition = Exposition(tmp_path, print)
    exposition.tidy()
    mine.add('["x", "x_total", {}, "X."]', 1)
    assert series(exposition.text(FACTS))["x_total"] == 2
    assert [path.name for path in tmp_path.iterdir()] == [f"counter_{os.getpid()}.db"]


def test_a_file_that_cannot_be_removed_counts_once(tmp_path: Path) -> None:
    """It is merged, and from then on left out."""
    count(tmp_path, 3)

    class Stays(type(tmp_path)):  # type: ignore[misc]
        def unlink(self, missing_ok: bool = False) -> None:
            raise PermissionError(1, "no")

    exposition = Exposition(Stays(tmp_path), print)
    for _ in range(3):
        exposition.tidy()
        found = series(exposition.text(FACTS))
        assert found["luggage_http_requests_total{method=GET,status=200}"] == 3
    assert len(list(tmp_path.glob("counter_luggage*.db"))) == 1


def test_without_room_the_dead_stay_as_they_are(tmp_path: Path) -> None:
    """Nothing is lost where the merged file cannot be written; it is told once."""
    count(tmp_path, 3)
    (tmp_path / "counter_dead.new").mkdir()
    said: list[str] = []
    exposition = Exposition(tmp_path, said.append)
    for _ in range(3):
        found = series(exposition.text(FACTS))
        assert found["luggage_http_requests_total{method=GET,status=200}"] == 3
    assert len(said) == 1
    assert said[0].startswith("metrics of dead processes: stay as they are: ")
    (tmp_path / "counter_dead.new").rmdir()
    again = series(exposition.text(FACTS))
    assert {name: it for name, it in again.items() if "supervisor" not in name} == {
        name: it for name, it in found.items() if "supervisor" not in name
    }
    assert len(entries((tmp_path / "counter_dead.db").read_bytes())) == 3 + len(metrics.REASONS)


@pytest.mark.parametrize("data", [b"", b"\1", b"\xff" * 99, b"\0" * 16_384])
def test_one_bad_file_spoils_no_page(tmp_path: Path, data: bytes) -> None:
    """What others have counted is shown."""
    count(tmp_path, 3)
    (tmp_path / f"counter_{os.getpid()}.db").write_bytes(data)
    (tmp_path / "histogram_1000000009.db").write_bytes(data)
    found = told(tmp_path)[0]
    assert found["luggage_http_requests_total{method=GET,status=200}"] == 3


def test_no_folder(tmp_path: Path) -> None:
    """The page is there all the same."""
    assert told(tmp_path / "none")[0]["luggage_ready"] == 1


def test_the_apps_metrics_cannot_spoil_the_page(tmp_path: Path) -> None:
    """A name of the supervisor's own, twice, would make Prometheus refuse all of it."""
    mine = Figures(str(tmp_path / f"counter_{os.getpid()}.db"))
    for name in ("luggage_ready", "luggage_process_up", "luggage_build"):
        mine.add(f'["{name}", "{name}", {{}}, "X."]', 5)
    assert told(tmp_path)[0]["luggage_ready"] == 1
