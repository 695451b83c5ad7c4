"""luggage.buildpex.slim: a slim wheel is a true wheel, and lacks nothing that anything imports."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import os
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from luggage.buildpex import deadweight, slim
from luggage.buildpex.sources import Source
from luggage.errors import LuggageError

RULES = deadweight.parse("**/tests/ if test_*.py\n**/*.c", "list.txt")
TESTS = {"a/tests/__init__.py": "", "a/tests/test_a.py": "import a.tests.helper\n"}


def _wheel(
    folder: Path, files: Mapping[str, str], name: str = "a", modes: Mapping[str, int] | None = None
) -> Path:
    """A wheel as build tools write it: with clocks, compressed, with a RECORD."""
    info = f"{name}-1.0.dist-info"
    held = {**files, f"{info}/METADATA": f"Name: {name}\n", f"{info}/WHEEL": "Tag: py3-none-any\n"}
    path = folder / f"{name}-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for number, (there, text) in enumerate({**held, f"{info}/RECORD": "false\n"}.items()):
            entry = zipfile.ZipInfo(there, (2024, 5, 6, 7, 8, 2 * number))
            entry.external_attr = (modes or {}).get(there, 0o100644) << 16
            archive.writestr(entry, text)
    return path


def _names(path: Path) -> list[str]:
    with zipfile.ZipFile(path) as archive:
        return archive.namelist()


def _left(path: Path) -> set[str]:
    return {name for name in _names(path) if ".dist-info/" not in name}


@pytest.fixture
def out(tmp_path: Path) -> Path:
    folder = tmp_path / "out"
    folder.mkdir()
    return folder


def test_dead_weight_is_left_out_and_counted(tmp_path: Path, out: Path) -> None:
    """Same name, fewer files; the count and the bytes are those that a user is told."""
    wheel = _wheel(tmp_path, {"a/__init__.py": "", "a/x.c": "12345", **TESTS})
    done = slim.wheel(wheel, out, RULES)
    assert done == slim.Slimmed(out / wheel.name, 3, 5 + len(TESTS["a/tests/test_a.py"]))
    assert _left(done.path) == {"a/__init__.py"}


def test_the_record_is_true(tmp_path: Path, out: Path) -> None:
    """Each file that is left has its SHA-256 and its size, and no line is for one that is gone."""
    wheel = _wheel(tmp_path, {"a/__init__.py": "X = 1\n", "a/d, ata.txt": '"', **TESTS})
    with zipfile.ZipFile(slim.wheel(wheel, out, RULES).path) as archive:
        record = archive.read("a-1.0.dist-info/RECORD").decode()
        rows = list(csv.reader(io.StringIO(record)))
        assert [row[0] for row in rows] == archive.namelist()
        for path, digest, size in rows[:-1]:
            data = archive.read(path)
            made = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).decode().rstrip("=")
            assert (digest, size) == (f"sha256={made}", str(len(data)))
    assert rows[-1] == ["a-1.0.dist-info/RECORD", "", ""]


def test_a_signature_of_the_old_record_goes(tmp_path: Path, out: Path) -> None:
    """It would be false; where nothing is left out it is true, and stays."""
    signed = {"a/x.py": "", "a-1.0.dist-info/RECORD.jws": "{}"}
    done = slim.wheel(_wheel(tmp_path, {**signed, **TESTS}), out, RULES)
    assert "a-1.0.dist-info/RECORD.jws" not in _names(done.path)
    done = slim.wheel(_wheel(tmp_path, signed), out, RULES)
    assert "a-1.0.dist-info/RECORD.jws" in _names(done.path)


def test_same_files_same_bytes(tmp_path: Path, out: Path) -> None:
    """No clock, no compressor and no second run shows; modes and the order of files do."""
    modes = {"a/tool": 0o100755}
    files = {"a/z.py": "", "a/tool": "#!python\n", "a/b.py": "", **TESTS}
    first = slim.wheel(_wheel(tmp_path, files, modes=modes), out, RULES).path.read_bytes()
    with zipfile.ZipFile(io.BytesIO(first)) as archive:
        entries = archive.infolist()
    assert {entry.date_time for entry in entries} == {(1980, 1, 1, 0, 0, 0)}
    assert {entry.compress_type for entry in entries} == {zipfile.ZIP_STORED}
    assert [entry.filename for entry in entries][:3] == ["a/z.py", "a/tool", "a/b.py"]
    assert [entry.external_attr >> 16 for entry in entries][:3] == [0o100644, 0o100755, 0o100644]
    again = tmp_path / "again"
    again.mkdir()
    os.utime(tmp_path / "a-1.0-py3-none-any.whl", (1, 1))
    assert slim.wheel(tmp_path / "a-1.0-py3-none-any.whl", again, RULES).path.read_bytes() == first


def test_a_wheel_that_loses_nothing_is_copied(tmp_path: Path, out: Path) -> None:
    """To the last byte, even where its RECORD is false; and so is every wheel with keep_all."""
    wheel = _wheel(tmp_path, {"a/__init__.py": ""})
    assert slim.wheel(wheel, out, RULES) == slim.Slimmed(out / wheel.name, 0, 0)
    assert (out / wheel.name).read_bytes() == wheel.read_bytes()
    wheel = _wheel(tmp_path, {"a/__init__.py": "", **TESTS})
    assert slim.wheel(wheel, out, RULES, keep_all=True) == slim.Slimmed(out / wheel.name, 0, 0)
    assert (out / wheel.name).read_bytes() == wheel.read_bytes()


@pytest.mark.parametrize(
    "importer",
    [
        {"a/x.py": "from a.tests import helper\n"},
        {"a/x.py": "def f():\n    from .tests import (\n        helper,\n    )\n"},
        {"a/x.py": "import_module('a.tests.helper')\n"},
        {"a/b/x.py": "from ..tests.helper import f\n"},
        {"a-1.0.dist-info/entry_points.txt": "[console_scripts]\nx = a.tests.helper:main\n"},
        {"a-1.0.data/purelib/c.py": "import a.tests.helper\n"},
    ],
)
def test_what_is_imported_stays(tmp_path: Path, out: Path, importer: Mapping[str, str]) -> None:
    """With what it imports itself, and the packages on the way; the tests around it go."""
    helper = {"a/tests/helper.py": "from . import base\n", "a/tests/base.py": "", **TESTS}
    done = slim.wheel(_wheel(tmp_path, {**importer, **helper}), out, RULES)
    assert {"a/tests/__init__.py", "a/tests/helper.py", "a/tests/base.py"} <= _left(done.path)
    assert "a/tests/test_a.py" not in _left(done.path)


def test_files_beside_a_module_stay_where_it_reads_any(tmp_path: Path, out: Path) -> None:
    """A helper that is imported finds its data."""
    used = {"a/x.py": "import a.tests.helper\n", "a/tests/data/d.json": "{}", **TESTS}
    reads = {**used, "a/tests/helper.py": "open(dirname(__file__) + '/data/d.json')\n"}
    assert "a/tests/data/d.json" in _left(slim.wheel(_wheel(tmp_path, reads), out, RULES).path)
    plain = {**used, "a/tests/helper.py": "X = 1\n"}
    assert "a/tests/data/d.json" not in _left(slim.wheel(_wheel(tmp_path, plain), out, RULES).path)


@pytest.mark.parametrize(
    "reader",
    [
        "ref = resources.files('a.tests').joinpath('d.json')\n",
        "import a.tests\nref = open(a.tests.__path__[0] + '/d.json')\n",
        "from . import tests\nref = pkgutil.get_data(tests.__name__, 'd.json')\n",
    ],
)
def test_data_of_a_named_package_stays_for_a_module_that_reads_files(
    tmp_path: Path, out: Path, reader: str
) -> None:
    """Whoever names it first, from this wheel, another one, or the sources; the tests still go."""
    files = {"a/tests/d.json": "{}", "a/b.py": "import a.tests\n", **TESTS}
    plain = _left(slim.wheel(_wheel(tmp_path, files), out, RULES).path)
    assert plain == {"a/b.py", "a/tests/__init__.py"}
    wheel = _wheel(tmp_path, {**files, "a/core.py": reader})
    left = {"a/core.py", "a/b.py", "a/tests/__init__.py", "a/tests/d.json"}
    assert _left(slim.wheel(wheel, out, RULES).path) == left
    if "from ." in reader:
        return
    other = _wheel(tmp_path, {"b.py": reader}, name="b")
    done = slim.wheels([_wheel(tmp_path, files), other], out, RULES)
    assert _left(done[0].path) == left - {"a/core.py"}
    wanted = slim.wanted([Source("app/page.py", reader.encode())], RULES)
    done = slim.wheels([_wheel(tmp_path, files)], out, RULES, wanted=wanted)
    assert _left(done[0].path) == left - {"a/core.py"}


def test_another_wheel_is_asked_as_well(tmp_path: Path, out: Path) -> None:
    """What one wheel imports of another stays in that other."""
    first = _wheel(tmp_path, {"a/tests/helper.py": "", **TESTS})
    second = _wheel(tmp_path, {"b.py": "from a.tests import helper\n"}, name="b")
    alone, both = tmp_path / "alone", out
    alone.mkdir()
    assert _left(slim.wheel(first, alone, RULES).path) == set()
    done = slim.wheels([first, second], both, RULES)
    assert _left(done[0].path) == {"a/tests/__init__.py", "a/tests/helper.py"}
    assert [it.path.name for it in done] == [first.name, second.name]


def test_the_sources_are_asked_as_well(tmp_path: Path, out: Path) -> None:
    """What the project imports of a wheel stays; its own tests, and other names, are no matter."""
    sources = [
        Source("app/page.py", b"import a.tests.helper\nfrom .tests import x\nimport a.other\n"),
        Source("app/tests/x.py", b""),
        Source("app/page.html", b"import a.tests.test_a\n"),
    ]
    wanted = slim.wanted(sources, RULES)
    assert wanted == {"a.tests.helper"}
    wheel = _wheel(tmp_path, {"a/tests/helper.py": "", **TESTS})
    done = slim.wheel(wheel, out, RULES, wanted=wanted)
    assert _left(done.path) == {"a/tests/__init__.py", "a/tests/helper.py"}


def test_what_lies_outside_of_packages_is_never_dropped(tmp_path: Path, out: Path) -> None:
    """Scripts, headers and data of a wheel are installed elsewhere: no rule speaks of them."""
    data = {"a-1.0.data/scripts/tests/test_x.py": "", "a-1.0.data/headers/x.c": ""}
    done = slim.wheel(_wheel(tmp_path, {**data, **TESTS}), out, RULES)
    assert _left(done.path) == set(data)


def test_what_is_no_wheel_is_told(tmp_path: Path, out: Path) -> None:
    """By the file's name: no zip, no RECORD, one path twice."""
    broken = tmp_path / "b-1.0-py3-none-any.whl"
    broken.write_bytes(b"no zip")
    with pytest.raises(LuggageError, match=r"wheel 'b-1\.0-py3-none-any\.whl': File is not a zip"):
        slim.wheel(broken, out, RULES)
    with zipfile.ZipFile(broken, "w") as archive:
        archive.writestr("a/tests/test_a.py", "")
    with pytest.raises(LuggageError, match="has no RECORD"):
        slim.wheel(broken, out, RULES)
    with zipfile.ZipFile(broken, "w") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr("a/x.py", "1")
        archive.writestr("a/x.py", "2")
    with pytest.raises(LuggageError, match=r"holds 'a/x\.py' twice"):
        slim.wheel(broken, out, RULES)
