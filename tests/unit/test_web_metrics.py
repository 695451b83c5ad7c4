"""What is counted: in files that prometheus_client reads, and that no full disk turns fatal."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.mmap_dict import MmapedDict, mmap_key
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.utils import floatToGoString

from luggage.web import metrics
from luggage.web.figures import Figures, dump, entries

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def counts_nothing_afterwards() -> Iterator[None]:
    yield
    metrics.prepare(None)


def shown(folder: Path) -> dict[str, float]:
    """What prometheus_client's own collector finds in `folder`, by series."""
    registry = CollectorRegistry()
    MultiProcessCollector(registry, str(folder))
    found = {}
    for family in text_string_to_metric_families(generate_latest(registry).decode()):
        for sample in family.samples:
            labels = ",".join(f"{name}={value}" for name, value in sorted(sample.labels.items()))
            found[f"{sample.name}{{{labels}}}" if labels else sample.name] = sample.value
    return found


def test_keys_are_those_of_the_library() -> None:
    """To the last byte, or the same series would be shown twice."""
    labels = {"method": "GET", "status": "200"}
    theirs = mmap_key(
        metrics.REQUESTS,
        f"{metrics.REQUESTS}_total",
        [*labels],
        [*labels.values()],
        metrics.HELP[metrics.REQUESTS],
    )
    assert theirs == metrics.key(metrics.REQUESTS, f"{metrics.REQUESTS}_total", **labels)
    edges = [json.loads(it)[2]["le"] for it in metrics._BUCKETS]
    assert edges == [floatToGoString(edge) for edge in metrics.BUCKETS]


def test_requests_are_shown(tmp_path: Path) -> None:
    """By method and status, with how long they took; a bucket holds all that were faster."""
    metrics.prepare(tmp_path)
    metrics.observe("GET", 200, 0.02)
    metrics.observe("GET", 200, 0.3)
    metrics.observe("POST", 500, 99.0)
    metrics.overdue()
    metrics.replaced("memory")
    metrics.replaced("memory")
    found = shown(tmp_path)
    assert found["luggage_http_requests_total{method=GET,status=200}"] == 2
    assert found["luggage_http_requests_total{method=POST,status=500}"] == 1
    assert found["luggage_http_request_duration_seconds_bucket{le=0.025}"] == 1
    assert found["luggage_http_request_duration_seconds_bucket{le=30.0}"] == 2
    assert found["luggage_http_request_duration_seconds_bucket{le=+Inf}"] == 3
    assert found["luggage_http_request_duration_seconds_count"] == 3
    assert found["luggage_http_request_duration_seconds_sum"] == pytest.approx(99.32)
    assert found["luggage_http_requests_overdue_total"] == 1
    assert found["luggage_workers_replaced_total{reason=memory}"] == 2


def test_a_client_cannot_make_series(tmp_path: Path) -> None:
    """Ten thousand methods that are none are one series; so are statuses that are none."""
    metrics.prepare(tmp_path)
    for number in range(10_000):
        metrics.observe(f"M{number}", 405, 0.001)
        metrics.observe("GET", 10_000 + number, 0.001)
    series = {name: it for name, it in shown(tmp_path).items() if "requests_total" in name}
    assert series == {
        "luggage_http_requests_total{method=other,status=405}": 10_000,
        "luggage_http_requests_total{method=GET,status=other}": 10_000,
    }


def test_nothing_is_counted_without_a_folder(tmp_path: Path) -> None:
    """Such as in a gunicorn that no supervisor has started; nothing is raised either."""
    metrics.observe("GET", 200, 0.1)
    metrics.prepare(None)
    metrics.observe("GET", 200, 0.1)
    metrics.overdue()
    metrics.replaced("deadline")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("given", [("\udc80", 200, 0.1), ("GET", 200, float("nan"))])
def test_odd_values_raise_nothing(tmp_path: Path, given: tuple[str, int, float]) -> None:
    """A metric is never worth a request."""
    metrics.prepare(tmp_path)
    metrics.observe(*given)
    assert sum(it for name, it in shown(tmp_path).items() if "requests_total" in name) == 1


def test_a_folder_that_is_not_there(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """One line, once, and nothing is raised."""
    metrics.prepare(tmp_path / "none")
    for _ in range(100):
        metrics.observe("GET", 200, 0.1)
    assert capfd.readouterr().err.count("metrics: no room in") <= 1
    assert not (tmp_path / "none").exists()


def test_threads_lose_no_count(tmp_path: Path) -> None:
    """A worker has several."""
    metrics.prepare(tmp_path)
    threads = [
        threading.Thread(target=lambda: [metrics.observe("GET", 200, 0.1) for _ in range(5_000)])
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert shown(tmp_path)["luggage_http_requests_total{method=GET,status=200}"] == 40_000


def test_a_forked_child_has_files_of_its_own(tmp_path: Path) -> None:
    """Whether somebody prepares it or not; what both count is added."""
    metrics.prepare(tmp_path)
    metrics.observe("GET", 200, 0.1)
    child = subprocess.run(
        [sys.executable, "-c", FORKS, str(tmp_path)], cwd=ROOT, check=True, capture_output=True
    )
    assert child.stderr == b""
    assert len(list(tmp_path.glob("counter_luggage*.db"))) == 3
    assert shown(tmp_path)["luggage_http_requests_total{method=GET,status=200}"] == 31


FORKS = """
import os, sys
from pathlib import Path
from luggage.web import metrics
metrics.prepare(Path(sys.argv[1]))
metrics.observe("GET", 200, 0.1)
if (child := os.fork()) == 0:
    for _ in range(20):
        metrics.observe("GET", 200, 0.1)
    os._exit(0)
os.waitpid(child, 0)
for _ in range(9):
    metrics.observe("GET", 200, 0.1)
"""

# On a file system of 64 KiB, seen by this process alone: as many figures as fit, and many more.
# Then room is made, and one more is counted.
FULL = """
import ctypes, os, sys
from pathlib import Path
folder, mended = sys.argv[1:]
user, group = os.geteuid(), os.getegid()
libc = ctypes.CDLL(None, use_errno=True)
NEWNS, NEWUSER, PRIVATE = 0x20000, 0x10000000, 0x44000
if libc.unshare(NEWNS | (NEWUSER if user else 0)):
    sys.exit("unshare: " + os.strerror(ctypes.get_errno()))
if user:
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"0 {user} 1")
    Path("/proc/self/gid_map").write_text(f"0 {group} 1")
libc.mount(None, b"/", None, PRIVATE, None)
if libc.mount(b"none", folder.encode(), b"tmpfs", 0, b"size=64k"):
    sys.exit("mount: " + os.strerror(ctypes.get_errno()))
with open(folder + "/filler", "wb") as filler:
    os.posix_fallocate(filler.fileno(), 0, 24_576)  # leaves ten pages

os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder
from luggage.run.start import metered
from luggage.web import figures, metrics
figures.AGAIN = 0.0
if mended == "mended":
    metered.heed(os.environ, early=False)
import prometheus_client
from prometheus_client.multiprocess import MultiProcessCollector
metrics.prepare(Path(folder))
metrics.observe("GET", 200, 0.1)
counter = prometheus_client.Counter("app_things", "Things.", ["number"])
for number in range(2_000):
    counter.labels(str(number) * 10).inc()
    metrics.observe("GET", 200 + number % 300, 0.1)
print("lives", flush=True)
os.unlink(folder + "/filler")
counter.labels("last").inc()
metrics.observe("GET", 599, 0.1)
registry = prometheus_client.CollectorRegistry()
MultiProcessCollector(registry, folder)
print(prometheus_client.generate_latest(registry).decode())
"""


@pytest.mark.parametrize("mended", ["mended", "as it is"])
def test_a_full_disk_does_not_end_a_process(tmp_path: Path, mended: str) -> None:
    """Neither what luggage counts nor what the app does: it is kept in memory, told once, and
    written when there is room. prometheus_client as it is dies of SIGBUS, or this would show
    nothing.
    """
    done = subprocess.run(
        [sys.executable, "-c", FULL, str(tmp_path), mended],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if mended == "as it is":
        assert done.returncode == -signal.SIGBUS, done.stderr
        return
    assert (done.returncode, done.stdout[:6]) == (0, "lives\n"), done.stderr
    assert done.stderr.count("metrics: no room in") == 1
    lines = done.stdout.splitlines()
    assert 'luggage_http_requests_total{method="GET",status="599"} 1.0' in lines
    assert 'app_things_total{number="last"} 1.0' in lines


EARLY = """
import os, sys
from luggage.run.start import metered
metered.heed(os.environ, early=True)
import prometheus_client
counter = prometheus_client.Counter("app_things", "Things.")
child = counter_child = prometheus_client.Counter("app_parts", "Parts.", ["a"]).labels("b")
counter.inc()
os.environ["PROMETHEUS_MULTIPROC_DIR"] = sys.argv[1]
if (pid := os.fork()) == 0:
    counter.inc()
    child.inc(2)
    os._exit(0)
os.waitpid(pid, 0)
"""


def test_what_is_imported_early_counts_later(tmp_path: Path) -> None:
    """A web server imports the app before it is told where the files are: its workers know."""
    done = subprocess.run(
        [sys.executable, "-c", EARLY, str(tmp_path)], cwd=ROOT, check=True, capture_output=True
    )
    assert done.stderr == b""
    assert shown(tmp_path) == {"app_things_total": 1, "app_parts_total{a=b}": 2}


def test_the_file_is_the_librarys(tmp_path: Path) -> None:
    """prometheus_client reads what is written here, and goes on with it; and the reverse."""
    path = tmp_path / "counter_1.db"
    ours = Figures(str(path))
    for number in range(500):
        ours.write_value(f"é{number}" + "x" * (number % 9), number, 1.5)
    ours.close()
    theirs = MmapedDict(str(path))
    assert {key: value for key, value, _ in theirs.read_all_values()}["é7" + "x" * 7] == 7
    theirs.write_value("more", 3.0, 0.0)
    theirs.close()
    again = Figures(str(path))
    assert again.read_value("more") == (3.0, 0.0)
    assert again.read_value("é499" + "x" * 4) == (499.0, 1.5)
    again.close()
    found = {key: (value, stamp) for key, value, stamp, _ in entries(path.read_bytes())}
    assert len(found) == 501
    path.write_bytes(dump(found))
    read = MmapedDict.read_all_values_from_file(str(path))
    assert {key: (value, stamp) for key, value, stamp, _ in read} == found


@pytest.mark.parametrize(
    "data", [b"\1", b"\xff\xff\xff\x7f" + b"\0" * 4 + b"\xff" * 40, b"\x20\0\0\0" + b"\xff" * 60]
)
def test_what_is_no_such_file(data: bytes) -> None:
    """ValueError, and nothing else."""
    with pytest.raises(ValueError):
        entries(data)


@pytest.mark.parametrize("data", [b"", b"\0" * 16_384, dump({})])
def test_a_file_without_figures(data: bytes) -> None:
    """A new one, or one that could not be allocated."""
    assert entries(data) == []


WRITES = """
import sys
from luggage.web.figures import Figures
it = Figures(sys.argv[1])
for number in range(5_000):
    it.add(f"{number:05} " + "x" * (number % 60), 1.0)
    it.add("sum", 1.0)
"""


def test_who_reads_meanwhile_sees_whole_figures(tmp_path: Path) -> None:
    """Keys and counts as they were at some moment, however fast they come."""
    path = tmp_path / "counter_1.db"
    path.touch()
    sums = [0.0]
    with subprocess.Popen([sys.executable, "-c", WRITES, str(path)], cwd=ROOT) as writer:
        while writer.poll() is None:
            found = {key: value for key, value, _, _ in entries(path.read_bytes())}
            sums.append(found.pop("sum", 0.0))
            assert set(found.values()) <= {0.0, 1.0}
            assert sorted(found) == list(found)
    assert writer.returncode == 0
    assert sums == sorted(sums)
    assert len(entries(path.read_bytes())) == 5_001


FORKED = """
import os, sys, threading
from pathlib import Path
from luggage.web import metrics

def worker():
    start, failed = threading.Barrier(16), []
    def count():
        start.wait()
        try:
            metrics.observe("GET", 200, 0.001)
        except BaseException as error:
            failed.append(error)
    threads = [threading.Thread(target=count) for _ in range(16)]
    for it in threads: it.start()
    for it in threads: it.join()
    os._exit(len(failed))

sys.setswitchinterval(1e-5)
metrics.prepare(Path(sys.argv[1]))
for _ in range(30):
    pid = os.fork()
    if not pid:
        worker()
    if os.waitpid(pid, 0)[1]:
        sys.exit("a request has failed")
"""


def test_the_first_requests_of_a_forked_worker_are_all_counted(tmp_path: Path) -> None:
    """Sixteen threads count at once in a process that was forked a moment ago: none fails, and none
    is lost."""
    subprocess.run([sys.executable, "-c", FORKED, str(tmp_path)], cwd=ROOT, check=True)
    assert shown(tmp_path)["luggage_http_requests_total{method=GET,status=200}"] == 30 * 16
