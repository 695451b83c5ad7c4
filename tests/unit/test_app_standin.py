"""The stand-in for the service: keys really checked, data kept, nonsense refused."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import urllib3
from app_service import LINES_KEY, MOOD_KEY, lines_client, mood_client, standin

import example_app
from example_app import accounts
from example_app.folder import private
from example_app.standin import MOST, Store, make

NOON = datetime(2030, 1, 2, 12, 0, 0, 250_000, tzinfo=UTC)
LINES = {"X-Parse-Application-Id": "example-lines", "X-Parse-REST-API-Key": LINES_KEY}
FOLDER = Path(example_app.__file__).parent


def ask(
    folder: Path,
    path: str = "/classes/lines",
    headers: dict[str, str] = LINES,
    body: bytes | None = None,
) -> tuple[int, dict[str, object]]:
    """One request to a stand-in in `folder`: its status and its JSON."""
    client = make(str(folder), lambda: NOON).test_client()
    answer = client.open(path, method="GET" if body is None else "POST", headers=headers, data=body)
    return answer.status_code, answer.get_json()


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {**LINES, "X-Parse-REST-API-Key": ""},
        {**LINES, "X-Parse-REST-API-Key": LINES_KEY + "x"},
        {**LINES, "X-Parse-REST-API-Key": LINES_KEY[:-1]},
        {**LINES, "X-Parse-REST-API-Key": MOOD_KEY},
        {**LINES, "X-Parse-REST-API-Key": accounts.digest(LINES_KEY)},
        {**LINES, "X-Parse-Application-Id": "example-mood"},
        {**LINES, "X-Parse-Application-Id": "nobody"},
        {"X-Parse-REST-API-Key": LINES_KEY},
    ],
)
def test_a_wrong_key_is_401(tmp_path: Path, headers: dict[str, str]) -> None:
    """Only the application's own key opens it, and a refused POST adds nothing."""
    refused = (401, {"error": "unauthorized"})
    assert refused == ask(tmp_path, headers=headers)
    assert refused == ask(tmp_path, headers=headers, body=b'{"text": "x"}')
    assert ask(tmp_path) == (200, {"results": []})


def test_a_post_answers_as_parse_does(tmp_path: Path) -> None:
    """201, objectId, createdAt and Location; then the object has its three own fields besides."""
    client = make(str(tmp_path), lambda: NOON).test_client()
    answer = client.post("/classes/lines", headers=LINES, data=b'{"text": "hello"}')
    identity = answer.get_json()["objectId"]
    time = "2030-01-02T12:00:00.250Z"
    assert answer.status_code == 201
    assert {"objectId": identity, "createdAt": time} == answer.get_json()
    assert f"http://localhost/classes/lines/{identity}" == answer.headers["Location"]
    expected = {"text": "hello", "objectId": identity, "createdAt": time, "updatedAt": time}
    assert (200, {"results": [expected]}) == ask(tmp_path)


def test_order_and_limit(tmp_path: Path) -> None:
    """Oldest first by default; newest first with `-createdAt`, also within one millisecond."""
    for text in "abc":
        ask(tmp_path, body=json.dumps({"text": text}).encode())

    def texts(query: str) -> str:
        results = ask(tmp_path, f"/classes/lines?{query}")[1]["results"]
        assert isinstance(results, list)
        return "".join(item["text"] for item in results)

    assert texts("") == "abc"
    assert texts("order=createdAt") == "abc"
    assert texts("order=-createdAt") == "cba"
    assert texts("order=-createdAt&limit=2") == "cb"
    assert texts("limit=0") == ""


@pytest.mark.parametrize(
    "query",
    [
        "limit=-1",
        "limit=1001",
        "limit=x",
        "limit=",
        "limit=%D9%A1",
        "order=text",
        "order=1;--",
        "where=%7B%7D",
    ],
)
def test_what_it_cannot_do_is_refused(tmp_path: Path, query: str) -> None:
    """A query it does not know is 400, never an answer to another question."""
    assert ask(tmp_path, f"/classes/lines?{query}")[0] == 400


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"x",
        b"[]",
        b'"x"',
        b"\xff",
        b"[" * 60_000,
        b'{"objectId": "a"}',
        b'{"createdAt": "2000-01-01T00:00:00.000Z"}',
        b'{"text": {"a": 1}}',
        b'{"text": [1]}',
        b'{"text": NaN}',
        b'{"text": 1e999}',
    ],
)
def test_a_body_that_is_no_object_is_refused(tmp_path: Path, body: bytes) -> None:
    """400 and nothing kept, so that no later answer can be broken by it."""
    assert ask(tmp_path, body=body)[0] == 400
    assert ask(tmp_path) == (200, {"results": []})


def test_other_refusals_are_json_too(tmp_path: Path) -> None:
    """A large body, an unknown path and a bad class name are refused in JSON."""
    assert ask(tmp_path, body=b" " * 70_000) == (413, {"error": "request entity too large"})
    assert ask(tmp_path, "/") == (404, {"error": "not found"})
    assert ask(tmp_path, "/classes/a-b")[0] == 400


def test_data_outlive_a_restart(tmp_path: Path) -> None:
    """Lines are there after a restart with the same folder; the mood is seeded once."""
    for run in range(2):
        with standin(tmp_path / "data") as url:
            lines_client(url).add("lines", {"text": f"run {run}"})
            moods = mood_client(url).newest("current", 10)
            texts = [item["text"] for item in lines_client(url).newest("lines", 10)]
    assert texts == ["run 1", "run 0"]
    assert [item["mood"] for item in moods] == ["cheerful"]
    assert (tmp_path / "data").stat().st_mode & 0o777 == 0o700


def test_many_threads_lose_nothing(tmp_path: Path) -> None:
    """Posts from eight threads at once are all kept, each under its own id."""
    with standin(tmp_path) as url, ThreadPoolExecutor(8) as pool:
        client = lines_client(url)
        ids = list(pool.map(lambda n: client.add("lines", {"text": str(n)}), range(64)))
        found = client.newest("lines", 100)
    assert len(set(ids)) == 64
    assert set(ids) == {item["objectId"] for item in found}


def test_old_lines_go(tmp_path: Path) -> None:
    """An account keeps MOST objects, the newest; the other account is not touched."""
    store = Store(tmp_path, accounts.load(), lambda: NOON)
    with sqlite3.connect(tmp_path / "standin.sqlite3") as database:
        database.executemany(
            "insert into objects (id, application, class, created, body) values (?,?,?,?,?)",
            [(str(n), "example-lines", "lines", "2029", "{}") for n in range(MOST + 20)],
        )
    database.close()
    store.add("example-lines", "lines", {"text": "newest"})
    found = store.newest("example-lines", "lines", MOST + 100)
    assert len(found) == MOST
    assert found[0]["text"] == "newest"
    assert len(store.newest("example-mood", "current", 10)) == 1


def test_a_key_no_longer_listed_is_no_longer_accepted(tmp_path: Path) -> None:
    """The data file is the authority at every start, also over a database of an earlier one."""
    known = {"a": {"accepts": [accounts.digest("old")], "seeds": {}}}
    assert Store(tmp_path, known).accepts("a", "old")
    known = {"a": {"accepts": [accounts.digest("new")], "seeds": {}}}
    store = Store(tmp_path, known)
    assert [store.accepts("a", key) for key in ("old", "new")] == [False, True]


def test_a_new_key_is_accepted_after_one_command(tmp_path: Path) -> None:
    """`python3 -m example_app.accounts` needs Python alone, adds a digest, and keeps no key."""
    copy = tmp_path / "example_app"
    copy.mkdir()
    for name in ("__init__.py", "accounts.py", "accounts.json"):
        (copy / name).write_bytes((FOLDER / name).read_bytes())
    words = [sys.executable, "-S", "-m", "example_app.accounts", "example-lines"]
    told = [
        subprocess.run(
            words, cwd=tmp_path, input="veiled\n", text=True, capture_output=True, check=True
        )
        for _ in range(2)
    ]
    assert [t.stdout.strip().split(": ")[1] for t in told] == [
        "accepts it now",
        "accepted it before",
    ]
    known = accounts.load(copy / "accounts.json")
    assert [accounts.digest(LINES_KEY), accounts.digest("veiled")] == known["example-lines"][
        "accepts"
    ]
    assert "veiled" not in (copy / "accounts.json").read_text()
    store = Store(tmp_path / "data", known)
    assert [store.accepts(n, "veiled") for n in ("example-lines", "example-mood")] == [True, False]


def test_the_command_refuses_an_unknown_application_and_an_empty_key() -> None:
    """Neither changes the data file."""
    before = (FOLDER / "accounts.json").read_bytes()
    for words, given, status in (("nobody", "x", 2), ("example-lines", "", 1)):
        done = subprocess.run(
            [sys.executable, "-m", "example_app.accounts", words],
            cwd=FOLDER.parent,
            input=given,
            text=True,
            capture_output=True,
            check=False,
        )
        assert status == done.returncode
        assert done.stderr
        assert not done.stdout
    assert before == (FOLDER / "accounts.json").read_bytes()


def test_newest_is_by_time_and_then_by_number(tmp_path: Path) -> None:
    """The newest is the one with the latest time, then the one that came last."""
    times = iter([NOON, NOON, NOON - timedelta(hours=1)])
    store = Store(tmp_path, {}, lambda: next(times))
    for text in "abc":
        store.add("x", "lines", {"text": text})
    assert "".join(item["text"] for item in store.newest("x", "lines", 9)) == "bac"


def test_the_real_thing_over_http(tmp_path: Path) -> None:
    """A 401 over a socket, as any client of the dialect sees it."""
    with standin(tmp_path) as url:
        answer = urllib3.request(
            "GET", f"{url}/classes/lines", headers={**LINES, "X-Parse-REST-API-Key": "no"}
        )
    assert (answer.status, answer.json()) == (401, {"error": "unauthorized"})


def test_a_folder_of_its_own_is_found_again(tmp_path: Path) -> None:
    """The first usable parent is taken, mode 0700, and the same folder comes again."""
    parents = [tmp_path / "missing", tmp_path]
    first = private(parents, "data")
    first.chmod(0o755)
    assert [first, first] == [tmp_path / "data", private(parents, "data")]
    assert first.stat().st_mode & 0o777 == 0o700


def test_a_folder_that_is_not_its_own_is_left_alone(tmp_path: Path) -> None:
    """A link or a file under its name, in a folder that others can write, is not used."""
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    (tmp_path / "a" / "data").symlink_to(tmp_path / "b")
    (tmp_path / "b" / "data").write_text("")
    with pytest.raises(OSError, match="set DATA_DIR"):
        private([tmp_path / "a", tmp_path / "b"], "data")
