"""The runtime in its image: read-only, without capabilities or a shell, under any user."""

from __future__ import annotations

import json
import os
import re
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from clients import load
from engines import Built, Container, Engine, checkout, sh
from prometheus_client.parser import text_string_to_metric_families

pytestmark = pytest.mark.engine
needs_root = pytest.mark.skipif(
    os.geteuid() != 0, reason="left out: root alone may end another user's processes"
)

ANYBODY = ("--user", "12345:12345")
PAGES = ("-p", "127.0.0.1::9000")
STOP = 90.0  # seconds in which everything has to have ended
EVENTFUL = '''

_page = app
_kept: list[bytes] = []


def app(environ, start_response):  # type: ignore[no-untyped-def]  # noqa: F811
    """The page; and what takes three seconds, or keeps 64 KiB for ever, or tells who answers."""
    import os
    import time

    path = environ["PATH_INFO"]
    if path == "/slow":
        time.sleep(3)
    elif path == "/grow":
        _kept.append(b"x" * (64 << 10))
    elif path != "/pid":
        return _page(environ, start_response)
    text = f"{os.getpid()}\\n".encode()
    start_response("200 OK", [("Content-Length", str(len(text)))])
    return [text]
'''


@pytest.fixture(scope="module")
def eventful(docker: Engine, tmp_path_factory: pytest.TempPathFactory) -> Built:
    """The example, with more routes, and a loop whose heart has to beat every five seconds."""
    folder = checkout(tmp_path_factory.mktemp("eventful") / "project")
    with (folder / "example_deploy/wsgi.py").open("a") as wsgi:
        wsgi.write(EVENTFUL)
    start = folder / "example_deploy/start.py"
    text, changed = re.subn(r'Loop\("loop", beat=\d+\)', 'Loop("loop", beat=5)', start.read_text())
    assert changed == 1
    start.write_text(text)
    done = docker.create(folder)
    return Built(folder, done.stdout, done.stderr)


@pytest.fixture
def up(eventful: Built, docker: Engine, demo_key: str) -> Iterator[Container]:
    """A container of any user's, up."""
    with docker.running(eventful.image, *ANYBODY, *PAGES, key=demo_key) as container:
        yield ready(container)


def ready(container: Container) -> Container:
    """Wait until it says so, the loop has said a line, and its heart was heard."""
    container.wait_for(lambda: container.get("/-/ready", port=9000)[0] == 200, seconds=60)
    container.wait_for(lambda: "INFO said:" in container.logs(), seconds=60)
    container.wait_for(lambda: {it["state"] for it in states(container).values()} == {"running"})
    return container


def states(container: Container) -> dict[str, dict]:
    """What `ctl status --json` tells of each process."""
    done = container.ctl("status", "--json")
    assert done.returncode == 0, done.stderr
    return {it["name"]: it for it in json.loads(done.stdout)["processes"]}


def figures(container: Container) -> dict[tuple[str, ...], float]:
    """The metrics: the values, by their name and the values of their labels."""
    status, text = container.get("/-/metrics", port=9000)
    assert status == 200
    families = text_string_to_metric_families(text)
    return {
        (it.name, *it.labels.values()): it.value for family in families for it in family.samples
    }


def ended(container: Container, docker: Engine) -> int:
    """Wait until it has ended; its exit status."""
    container.wait_for(
        lambda: docker.inspect(container.name, "{{.State.Status}}") == "exited", seconds=STOP
    )
    return container.status()


@pytest.mark.parametrize("user", [(), ANYBODY], ids=["image's user", "any user"])
def test_ctl_works_where_there_is_no_shell(
    eventful: Built, docker: Engine, demo_key: str, user: tuple[str, ...]
) -> None:
    """`docker exec` of Python itself: status, restart, reload and log-level do what they say."""
    with docker.running(eventful.image, *user, *PAGES, key=demo_key) as container:
        ready(container)
        done = container.ctl("status")
        assert (done.returncode, done.stderr) == (0, "")
        rows = [line.split() for line in done.stdout.splitlines()]
        assert [row[0] for row in rows[:4]] == ["name", "gunicorn", "loop", "standin"]
        assert {row[1] for row in rows[1:4]} == {"running"}
        assert done.stdout.splitlines()[-1].startswith("ready; version ")
        assert "log level info" in done.stdout
        before = states(container)

        done = container.ctl("restart", "loop")
        after = states(container)
        assert done.stdout == f"loop: running, pid {after['loop']['pid']}\n", done.stderr
        assert after["loop"]["pid"] != before["loop"]["pid"]
        assert after["gunicorn"]["pid"] == before["gunicorn"]["pid"]

        done = container.ctl("reload")
        after = states(container)
        assert done.returncode == 0, done.stderr
        assert done.stdout.endswith(f"gunicorn: pid {after['gunicorn']['pid']} serves\n")
        assert after["gunicorn"]["pid"] != before["gunicorn"]["pid"]

        assert container.ctl("log-level", "debug").stdout == "debug\n"
        assert container.get("/-/log-level", port=9000) == (200, "debug\n")
        container.wait_for(
            lambda: (
                container.get("/pid")[0] == 200
                and re.search(r"\[DEBUG\].* GET /pid", container.logs())
            )
        )

        done = container.ctl("restart", "lop")
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr.splitlines()[1] == "hint: one of gunicorn, loop, standin"


def test_another_user_is_told_nothing(up: Container, eventful: Built) -> None:
    """The state folder is for the user of the supervisor alone; so it is where nothing runs."""
    done = up.ctl("status", options=("--user", "54321:54321"))
    assert (done.returncode, done.stdout) == (1, "")
    nothing = "error: no luggage of this user's runs here; another's may, in /run/luggage"
    assert done.stderr.startswith(nothing)
    alone = (*up.engine.command, "run", "--rm", "--read-only", *ANYBODY, eventful.image)
    done = sh(*alone, "ctl", "status", check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(nothing)


def test_environment_is_checked_and_one_command_run(
    eventful: Built, docker: Engine, demo_key: str
) -> None:
    """`docker run IMAGE check-env` and `… run CMD` need nothing but a key either."""
    alone = ("run", "--rm", "--read-only", "--cap-drop", "ALL", *ANYBODY)
    image = ("-e", f"SECRET_KEY={demo_key}", eventful.image)
    assert "environment demo" in docker(*alone, *image, "check-env")
    words = ("run", "/app/bin/python", "-c", "import os; print(sorted(os.environ))")
    assert "SECRET_KEY" not in docker(*alone, *image, *words)
    assert docker(*alone, *image, "run", "loop", "--help").startswith("usage: ")


def test_management_port_is_published_by_itself(up: Container) -> None:
    """Ready, healthy, the version, the page, and metrics that Prometheus' own parser reads."""
    assert up.get("/-/ready", port=9000) == (200, "ready\n")
    assert up.get("/-/healthy", port=9000) == (200, "healthy\n")
    status, text = up.get("/-/version", port=9000)
    assert (status, json.loads(text)["project"]) == (200, "example")
    status, page = up.get("/-/status", port=9000)
    assert status == 200
    assert page.startswith("<!DOCTYPE html>")
    assert "said: " in page
    served = figures(up).get(("luggage_http_requests_total", "GET", "200"), 0)
    for _ in range(5):
        assert up.get("/pid")[0] == 200
    up.wait_for(
        lambda: figures(up).get(("luggage_http_requests_total", "GET", "200"), 0) == served + 5
    )
    told = figures(up)
    assert [told["luggage_process_up", it] for it in ("gunicorn", "loop", "standin")] == [1, 1, 1]
    assert told["luggage_process_starts_total", "loop"] == 1
    beaten = told["luggage_process_last_beat_timestamp_seconds", "loop"]
    assert 0 <= time.time() - beaten < 60
    assert [told["luggage_ready",], told["luggage_healthy",]] == [1, 1]
    assert up.get("/-/metrics")[0] == 404


def test_pause_longer_than_every_deadline_kills_nothing(
    eventful: Built, docker: Engine, demo_key: str
) -> None:
    """What stood still with all the rest is no wedge: a request in flight goes on after it."""
    words = (*ANYBODY, *PAGES, "-e", "REQUEST_DEADLINE=5")
    with docker.running(eventful.image, *words, key=demo_key) as container:
        ready(container)
        before = {process.pid for process in container.processes()}
        answers: list[tuple[int, str]] = []
        thread = threading.Thread(target=lambda: answers.append(container.get("/slow", 60)))
        thread.start()
        time.sleep(1)
        docker("pause", container.name)
        try:
            time.sleep(8)
        finally:
            docker("unpause", container.name)
        thread.join()
        assert [status for status, _ in answers] == [200]
        assert container.get("/pid")[0] == 200
        time.sleep(7)  # whatever was to be killed would be by now
        assert {process.pid for process in container.processes()} >= before
        assert not re.search(r"killed|overdue|no beat|crash|starting it again", container.logs())
        assert all(it["starts"] == 1 for it in states(container).values())


def test_hup_reloads_and_no_request_is_lost(up: Container, docker: Engine) -> None:
    """Each HUP brings a new web server, while clients go on asking, on old connections and new."""
    first = states(up)["gunicorn"]["pid"]
    with load(int(up.at().rpartition(":")[2]), "/pid") as clients:
        clients.wait_for(100)
        for number in range(1, 6):
            docker("kill", "-s", "HUP", up.name)
            up.wait_for(lambda n=number: up.logs().count(" in the place of pid ") == n, seconds=60)
            clients.wait_for(100)
    assert clients.wrong == []
    assert states(up)["gunicorn"]["pid"] != first
    assert len(clients.pids) >= 6
    print("served:", clients.served)


@needs_root
def test_killed_loop_is_back_and_counted(up: Container) -> None:
    """kill -9 from outside: the log, `ctl`, the metrics and the page tell the cause."""
    before = states(up)["loop"]["pid"]
    (pid,) = (it.pid for it in up.processes() if it.line.endswith("example_deploy loop"))
    assert Path(f"/proc/{pid}/status").read_text().count(f"\t{before}\n") >= 1  # NSpid
    os.kill(pid, signal.SIGKILL)
    up.wait_for(lambda: states(up)["loop"]["starts"] == 2)
    up.wait_for(lambda: states(up)["loop"]["state"] == "running")
    told = states(up)
    assert told["loop"]["last_exit"] == "killed by signal 9 (SIGKILL)"
    assert told["loop"]["pid"] != before
    assert (told["gunicorn"]["starts"], told["standin"]["starts"]) == (1, 1)
    assert figures(up)["luggage_process_starts_total", "loop"] == 2
    assert re.search(
        r"luggage  \| loop: killed by signal 9 \(SIGKILL\) after .* starting it again", up.logs()
    )
    assert "killed by signal 9 (SIGKILL)" in up.get("/-/status", port=9000)[1]
    (row,) = (it for it in up.ctl("status").stdout.splitlines() if it.startswith("loop"))
    assert " 2  killed by signal 9 (SIGKILL), " in row


def test_init_in_front(eventful: Built, docker: Engine, demo_key: str) -> None:
    """With `--init` the supervisor is not PID 1: HUP and TERM come, ctl answers, status 0."""
    with docker.running(eventful.image, *ANYBODY, *PAGES, "--init", key=demo_key) as container:
        ready(container)
        assert "init" in container.processes()[0].line
        assert container.ctl("status").returncode == 0
        docker("kill", "-s", "HUP", container.name)
        container.wait_for(lambda: " in the place of pid " in container.logs(), seconds=60)
        docker("kill", "-s", "TERM", container.name)
        assert ended(container, docker) == 0
        assert re.search(r"standin: exited with status 0 ", container.logs())


def test_workers_that_grow_are_replaced_before_the_kernel_kills(
    eventful: Built, docker: Engine, demo_key: str
) -> None:
    """By their share of `--memory`: while clients ask on, nothing is lost and nothing killed."""
    words = (*ANYBODY, *PAGES, "--memory", "400m")
    with docker.running(eventful.image, *words, key=demo_key) as container:
        ready(container)
        with load(int(container.at().rpartition(":")[2]), "/grow", kept=1, fresh=1) as clients:
            container.wait_for(
                lambda: figures(container).get(("luggage_workers_replaced_total", "memory"), 0) > 2,
                seconds=90,
            )
            clients.wait_for(100)
        assert clients.wrong == []
        told = r"gunicorn .*worker: \d+ MiB of memory, more than the 100 it may have: another "
        assert re.search(told, container.logs())
        assert "SIGKILL" not in container.logs()
        assert docker.inspect(container.name, "{{.State.OOMKilled}}") == "false"
        assert states(container)["gunicorn"]["starts"] == 1
        print("served:", clients.served)


def test_workers_die_before_their_master_where_memory_runs_out(
    eventful: Built, docker: Engine, demo_key: str
) -> None:
    """To the kernel they count for more than all else in the container, by 32 MiB of its limit."""
    words = (*ANYBODY, *PAGES, "--memory", "400m")
    with docker.running(eventful.image, *words, key=demo_key) as container:
        ready(container)
        master = states(container)["gunicorn"]["pid"]
        inside = {int(pid): int(host) for host, pid in pids(container, docker)}
        scores = {
            pid: int(Path(f"/proc/{host}/oom_score_adj").read_text())
            for pid, host in inside.items()
        }
        parents = {
            pid: int(Path(f"/proc/{host}/stat").read_text().rpartition(")")[2].split()[1])
            for pid, host in inside.items()
        }
        workers = [pid for pid in inside if parents[pid] == inside[master]]
        assert len(workers) == 2
        assert {scores[pid] for pid in workers} == {80}
        assert {scores[pid] for pid in inside if pid not in workers} <= {0, 80}
        assert scores[master] == scores[1] == 0


def pids(container: Container, docker: Engine) -> list[tuple[str, str]]:
    """Of each process in the container: its pid on this machine, and inside."""
    found = []
    for line in docker("top", container.name, "-eo", "pid").splitlines()[1:]:
        told = Path(f"/proc/{line.strip()}/status").read_text()
        found.append((line.strip(), re.search(r"NSpid:.*\t(\d+)\n", told)[1]))  # type: ignore[index]
    return found


def test_every_line_is_one_object(eventful: Built, docker: Engine, demo_key: str) -> None:
    """LOG_FORMAT=json: from the first to the last, through a reload, a restart and a stop."""
    words = (*ANYBODY, *PAGES, "-e", "LOG_FORMAT=json")
    with docker.running(eventful.image, *words, key=demo_key) as container:
        container.wait_for(lambda: container.get("/-/ready", port=9000)[0] == 200, seconds=60)
        container.wait_for(lambda: "said: " in container.logs())
        assert container.get("/pid?token=hidden")[0] == 200
        container.ctl("restart", "loop")
        container.ctl("reload")
        docker("kill", "-s", "TERM", container.name)
        assert ended(container, docker) == 0
        lines = [json.loads(line) for line in container.logs().splitlines()]
    members = {"time", "process", "pid", "stream", "level", "message"}
    assert all(members <= line.keys() for line in lines)
    assert {line["process"] for line in lines} == {"luggage", "gunicorn", "loop", "standin"}
    (answered,) = (line for line in lines if line.get("path") == "/pid")
    assert (answered["status"], answered["method"]) == (200, "GET")
    assert not any("hidden" in str(line) for line in lines)


def test_refused_start_is_one_object_too(eventful: Built, docker: Engine) -> None:
    """What ends the container before anything runs is a line of the same kind."""
    with docker.running(eventful.image, *ANYBODY, "-e", "LOG_FORMAT=json") as container:
        assert docker("wait", container.name) == "1"
        lines = [json.loads(line) for line in container.logs().splitlines()]
    assert [line["level"] for line in lines if line["message"].startswith("error: no key")] == [
        "error"
    ]


def test_drain_delay_serves_on_while_balancers_look_elsewhere(
    eventful: Built, docker: Engine, demo_key: str
) -> None:
    """After TERM ready is 503 on both ports, and requests are served for DRAIN_DELAY seconds."""
    words = (*ANYBODY, *PAGES, "-e", "DRAIN_DELAY=15")
    with docker.running(eventful.image, *words, key=demo_key) as container:
        ready(container)
        docker("kill", "-s", "TERM", container.name)
        told = time.monotonic()
        container.wait_for(lambda: container.get("/-/ready", port=9000)[0] == 503, seconds=5)
        container.wait_for(lambda: container.get("/-/ready")[0] == 503, seconds=5)
        assert container.get("/-/healthy", port=9000)[0] == 200
        served = [container.get("/pid")[0] for _ in range(10)]
        assert served == [200] * 10
        assert ended(container, docker) == 0
        assert time.monotonic() - told >= 15


def test_health_check_bears_reload_and_stop(eventful: Built, docker: Engine, demo_key: str) -> None:
    """It never fails through a reload; `ctl stop` makes it not ready, and yet not ill."""
    words = (*ANYBODY, *PAGES, "--health-interval", "1s")
    health = "{{.State.Health.Status}}"

    def checked() -> list[dict]:
        return json.loads(docker.inspect(container.name, "{{json .State.Health.Log}}"))

    with docker.running(eventful.image, *words, key=demo_key) as container:
        ready(container)
        container.wait_for(lambda: docker.inspect(container.name, health) == "healthy", seconds=60)
        first = checked()[-1]["Start"]  # those before it may have failed while it booted
        assert container.ctl("reload").returncode == 0
        last = checked()[-1]["Start"]
        container.wait_for(lambda: checked()[-1]["Start"] > last, seconds=30)
        assert {it["ExitCode"] for it in checked() if it["Start"] >= first} == {0}

        assert container.ctl("stop", "gunicorn").stdout == "gunicorn: stopped\n"
        assert container.get("/-/ready", port=9000) == (503, "not ready; gunicorn is stopped\n")
        assert container.get("/-/healthy", port=9000)[0] == 200
        last = checked()[-1]["Start"]
        container.wait_for(lambda: checked()[-1]["Start"] > last, seconds=30)
        assert checked()[-1]["ExitCode"] == 0
        assert docker.inspect(container.name, health) == "healthy"

        assert container.ctl("start", "gunicorn").returncode == 0
        container.wait_for(lambda: container.get("/-/ready", port=9000)[0] == 200)
        assert container.get("/pid")[0] == 200
