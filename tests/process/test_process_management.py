"""The management pages of a real supervisor, on a port of their own or in the app's."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import socket
import stat
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families
from running import PACKAGE, Made, Running, free_port, make, started

READY = "gunicorn: ready after"
PAGES = ("ready", "healthy", "version", "metrics", "log-level", "status")


@dataclass
class Pages:
    """The pages at a port."""

    port: int

    def ask(self, path: str, method: str = "GET", body: bytes = b"", **headers: str) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        with contextlib.closing(connection):
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method, f"/-/{path}", body or None, named)
            answer = connection.getresponse()
            return Answer(answer.status, dict(answer.headers), answer.read().decode())

    def metrics(self) -> dict[str, float]:
        """What Prometheus would read, by series."""
        found = {}
        for family in text_string_to_metric_families(self.ask("metrics").text):
            for it in family.samples:
                labels = ",".join(f"{name}={it.labels[name]}" for name in sorted(it.labels))
                found[f"{it.name}{{{labels}}}" if labels else it.name] = it.value
        return found

    def raw(self, data: bytes, seconds: float = 30) -> bytes:
        """What comes back until the connection ends."""
        with socket.create_connection(("127.0.0.1", self.port), seconds) as connection:
            told = b""
            with contextlib.suppress(ConnectionError):
                connection.sendall(data)
            with contextlib.suppress(ConnectionError):
                while chunk := connection.recv(65_536):
                    told += chunk
            return told


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    text: str


@contextlib.contextmanager
def managed(made: Made, **variables: str) -> Iterator[tuple[Running, Pages]]:
    port = free_port()
    with started(made, MANAGEMENT_PORT=str(port), **variables) as running:
        running.wait_for(READY)
        yield running, Pages(port)


def until(check: object, seconds: float = 30) -> None:
    """Wait until `check` holds."""
    end = time.monotonic() + seconds
    while not check():  # type: ignore[operator]
        assert time.monotonic() < end, "not in time"
        time.sleep(0.05)


def test_every_page_is_there(made: Made) -> None:
    """On the port that the log names, and not in the app's, which is open to the world."""
    with managed(made) as (running, pages):
        running.wait_for(rf"management: http://127.0.0.1:{pages.port}/-/status")
        running.get("/")
        answers = {path: pages.ask(path) for path in PAGES}
        assert {it.status for it in answers.values()} == {200}
        assert {it.headers["Cache-Control"] for it in answers.values()} == {"no-store"}
        assert answers["ready"].text == "ready\n"
        assert json.loads(answers["version"].text)["version"] == "unpacked"
        assert answers["log-level"].text == "info\n"
        for name in ("gunicorn", "loop", "spare"):
            assert f">{name}</a>" in answers["status"].text
        assert "style-src 'sha256-" in answers["status"].headers["Content-Security-Policy"]
        found = pages.metrics()
        assert found["luggage_process_up{process=gunicorn}"] == 1
        assert found["luggage_http_requests_total{method=GET,status=200}"] >= 1
        for path in ("metrics", "log-level", "status"):
            assert running.get(f"/-/{path}")[1].split()[1] == "24"  # the app itself
        assert not [line for line in running.lines if b"Traceback" in line]


def test_the_log_level_is_set(made: Made) -> None:
    """With a word by curl; not by another site's page. It is told in the log."""
    with managed(made) as (running, pages):
        evil = {"Origin": "https://evil.example", "Content_Type": "application/json"}
        assert pages.ask("log-level", "POST", b'"debug"', **evil).status == 403
        assert pages.ask("log-level", "POST", b"debug", Content_Type="text/plain").status == 415
        assert pages.ask("log-level", Host="evil.example").status == 421
        assert pages.ask("log-level").text == "info\n"
        assert pages.ask("log-level", "PUT", b"debug").text == "debug\n"
        assert pages.ask("log-level").text == "debug\n"
        running.wait_for("management: log level debug, was info")


def test_a_port_that_was_asked_for_and_is_taken(made: Made) -> None:
    """An error before anything is started, which names the variable."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with started(made, MANAGEMENT_PORT=str(port)) as running:
            assert running.wait() == 1
            assert f"error: 127.0.0.1:{port}: another program listens there" in running.text
            assert "set MANAGEMENT_PORT to a free one" in running.text


def test_one_port_cannot_be_both(made: Made) -> None:
    """The app's and that of the pages about it."""
    port = str(free_port())
    with started(made, PORT=port, MANAGEMENT_PORT=port) as running:
        assert running.wait() == 1
        assert f"error: PORT and MANAGEMENT_PORT: both are {port}" in running.text


def test_the_usual_port_may_be_taken(made: Made) -> None:
    """It is only told: the app is what matters."""
    with socket.socket() as other, contextlib.suppress(OSError):
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with contextlib.suppress(OSError):  # or somebody else has it
            other.bind(("127.0.0.1", 9000))
            other.listen()
        with started(made, MANAGEMENT_PORT="") as running:
            running.wait_for(READY)
            running.wait_for("no management port: 127.0.0.1:9000: another program listens there; ")
            assert running.get("/-/ready")[0] == 200


def test_clients_of_the_port_push_none_of_the_socket_away(made: Made) -> None:
    """The app's own processes ask there, and whoever reaches the port must not end that."""
    with managed(made) as (_, pages), contextlib.ExitStack() as stack:
        [path] = made.folder.glob("run/**/management")
        own = stack.enter_context(socket.socket(socket.AF_UNIX))
        own.settimeout(30)
        own.connect(os.path.relpath(path))
        own.sendall(b"GET /-/ready HTTP/1.0\r\n")
        for _ in range(40):
            stack.enter_context(socket.create_connection(("127.0.0.1", pages.port), 30))
        assert pages.ask("ready").status == 200
        own.sendall(b"\r\n")
        assert own.recv(12) == b"HTTP/1.0 200"


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"PUT /-/log-level HTTP/1.1\r\nContent-Length: 1025\r\n\r\n", b"413"),
        (b"PUT /-/log-level HTTP/1.1\r\nContent-Length: 9999\r\n\r\n" + b"x" * 9999, b"413"),
        (b"PUT /-/log-level HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\ndebug\r\n", b"413"),
        (b"GET /-/ready HTTP/1.1\r\n" + b"X: y\r\n" * 200 + b"\r\n", b"400"),
        (b"GET /-/ready HTTP/1.1\r\nX: " + b"y" * 20_000 + b"\r\n\r\n", b""),
        (b"GET /" + b"y" * 20_000 + b" HTTP/1.1\r\n\r\n", b""),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", b"400"),
        (b"nonsense\r\n\r\n", b"400"),
        (b"GET http://127.0.0.1/-/ready HTTP/1.1\r\n\r\n", b"404"),
        (b"GET /-/ready HTTP/1.0\r\n\r\n", b"200"),
        (b"GET /-/ready HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx", b"400"),
    ],
)
def test_what_is_too_large_or_nonsense(
    shared: tuple[Running, Pages], sent: bytes, status: bytes
) -> None:
    """Each is answered at once and let go, and the next is served."""
    running, pages = shared
    assert pages.raw(sent).partition(b" ")[2][:3] == status
    assert pages.ask("ready").status == 200
    assert not [line for line in running.lines if b"Traceback" in line or b"Unhandled" in line]


def test_two_requests_in_one_connection_are_one(shared: tuple[Running, Pages]) -> None:
    """The second is not read: one a connection."""
    told = shared[1].raw(b"GET /-/ready HTTP/1.1\r\n\r\n" * 50)
    assert told.count(b"HTTP/1.1") == 1
    assert b"\r\nConnection: close\r\n" in told


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Running, Pages]]:
    with managed(make(tmp_path_factory.mktemp("managed"))) as it:
        yield it


def test_clients_that_say_nothing_keep_nobody_away(shared: tuple[Running, Pages]) -> None:
    """A hundred of them: the oldest give way, and all are let go after a while."""
    _, pages = shared
    with contextlib.ExitStack() as stack:
        silent = []
        for _ in range(100):
            connection = socket.create_connection(("127.0.0.1", pages.port), 60)
            silent.append(stack.enter_context(connection))
            connection.sendall(b"GET /-/status HTTP/1.1\r\nX: ")
        assert pages.ask("ready").status == 200
        for connection in silent:
            with contextlib.suppress(ConnectionError):
                assert connection.recv(1) == b""


def test_killed_workers_lose_no_count(made: Made) -> None:
    """What they had counted is shown on, and their files do not pile up, whether anybody asks."""
    with managed(made) as (running, pages):
        folder = Path(made.folder / "run" / "luggage" / "metrics")
        name = "luggage_http_requests_total{method=GET,status=200}"
        for number in range(3):
            pid = int(running.get("/")[1].split()[0])
            assert running.get("/")[0] == 200
            until(lambda: pages.metrics().get(name, 0) == 2 * number + 2)  # noqa: B023
            before = len(running.lines)
            os.kill(pid, signal.SIGKILL)
            running.wait_for("Booting worker", after=before)
            until(lambda: (number and pages.metrics(), not list(folder.glob(f"*{pid}.db")))[1])  # noqa: B023
        assert len(list(folder.glob("counter_*.db"))) <= 3  # the dead, a worker, and its master
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_ready_says_no_while_all_stops(made: Made) -> None:
    """On both ports, for as long as the app serves on."""
    with managed(made, DRAIN_DELAY="10") as (running, pages):
        assert pages.ask("ready").status == 200
        running.signal(signal.SIGTERM)
        until(lambda: pages.ask("ready").status == 503, 3)
        app = Pages(running.port)
        answer = app.ask("ready")
        assert (answer.status, answer.text) == (503, "stopping\n")
        assert running.get("/")[0] == 200
        assert pages.metrics()["luggage_stopping"] == 1
        assert "stopping</title>" in pages.ask("status").text
        assert running.wait(60) == 0
    assert not (made.folder / "run" / "luggage" / "management").exists()


def test_in_the_apps_own_port_where_it_wants_that(made: Made) -> None:
    """The supervisor answers through a socket that is this user's alone, however long its path."""
    deep = made.folder / ("deep" * 20) / ("deeper" * 10)
    deep.mkdir(parents=True)
    wanted = {"APP_MANAGEMENT": "1", "LUGGAGE_RUN": str(deep / "run")}
    with started(made, **wanted) as running:
        running.wait_for(READY)
        app = Pages(running.port)
        until(lambda: app.ask("status").status == 200)
        mode = (deep / "run" / "luggage" / "management").stat().st_mode
        assert (stat.S_ISSOCK(mode), stat.S_IMODE(mode)) == (True, 0o600)
        assert {path: app.ask(path).status for path in PAGES} == dict.fromkeys(PAGES, 200)
        assert ">loop</a>" in app.ask("status", Host="shop.example").text
        assert app.ask("status?refresh=10").headers["Refresh"] == "10"
        assert app.metrics()["luggage_ready"] == 1
        assert app.ask("status", "HEAD").text == ""
        assert app.ask("status", "DELETE").status == 400
        for refused in (
            {"Origin": "https://evil.example"},
            {"Sec_Fetch_Site": "cross-site"},
            {"Sec_Fetch_Site": "same-site"},
        ):
            assert app.ask("log-level", "PUT", b"debug", **refused).status == 403
        assert app.ask("log-level", "PUT", b"x" * 2000).status == 413
        assert app.ask("log-level", "POST", b"debug").status == 415
        assert app.ask("log-level").text == "info\n"
        assert app.ask("log-level", "PUT", b"debug", Host="shop.example").text == "debug\n"
        assert app.ask("log-level").text == "debug\n"


IMPORT = "from deploy_under_test import counted\n"
COUNTED = """\
\"\"\"What the app counts.\"\"\"

from prometheus_client import Counter

SOLD = Counter("shop_sold", "Things that were sold.", ["kind"])
SEEN = Counter("shop_seen", "Requests that were seen.")
"""


def test_what_the_app_counts_is_shown(made: Made) -> None:
    """With prometheus_client alone, in a loop and in web workers, whose master imports the app
    before it knows where to count."""
    folder = made.folder / PACKAGE
    (folder / "counted.py").write_text(COUNTED)
    for name, more in (("gunicorn.py", ""), ("loop.py", "counted.SOLD.labels('loop').inc(3)\n")):
        text = (folder / name).read_text()
        start = "from deploy_under_test import config\n"
        assert start in text
        (folder / name).write_text(text.replace(start, f"{start}{IMPORT}{more}"))
    app = (folder / "app.py").read_text()
    (folder / "app.py").write_text(
        app.replace(
            "def _app(environ, start_response) -> Iterable[bytes]:\n",
            f"{IMPORT}\ndef _app(environ, start_response):\n    counted.SEEN.inc()\n",
        )
    )
    with managed(made, WEB_CONCURRENCY="2") as (running, pages):
        for _ in range(20):
            assert running.get("/")[0] == 200
        until(lambda: pages.metrics().get("shop_sold_total{kind=loop}") == 3)
        until(lambda: pages.metrics().get("shop_seen_total") == 20)
        assert pages.metrics()["luggage_http_requests_total{method=GET,status=200}"] == 20
