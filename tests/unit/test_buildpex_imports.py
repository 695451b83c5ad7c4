"""luggage.buildpex.imports: what would fail at the first start is told while packing."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from luggage.buildpex import imports
from luggage.buildpex.sources import Source
from luggage.errors import LuggageError


def test_every_module_that_does_not_compile_is_named() -> None:
    """File, line and reason, all at once; what is no module may hold anything."""
    with pytest.raises(LuggageError) as caught:
        imports.compiled(
            [
                Source("app/good.py", b"X = 1\n"),
                Source("app/extra.py", b"X = 1\ndef broken(:\n"),
                Source("app/late.py", b"return 1\n"),
                Source("app/nul.py", b"X = '\0'\n"),
                Source("app/latin.py", b"X = '\xe9'\n"),
                Source("app/page.html", b"def broken(:\n"),
            ]
        )
    lines = caught.value.message.splitlines()
    assert lines[0] == "file 'app/extra.py': line 2: invalid syntax"
    assert lines[1] == "file 'app/late.py': line 1: 'return' outside function"
    assert [line.split(":")[0] for line in lines[2:]] == [
        "file 'app/nul.py'",
        "file 'app/latin.py'",
    ]


def test_a_warning_of_the_compiler_is_no_error() -> None:
    """An odd escape compiles; that is the author's own affair."""
    imports.compiled([Source("app/a.py", b"X = '\\d'\nassert (1, 2)\n")])


def test_an_import_that_nothing_answers_is_named(tmp_path: Path) -> None:
    """Neither packed, nor in a wheel, nor Python's own: each name once, with the first file."""
    wheel = tmp_path / "cffi-1-cp313-cp313-linux.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for name in ("_cffi.cpython-313.so", "cffi/api.py", "cffi-1.data/purelib/extra/a.py"):
            archive.writestr(name, "")
    source = b"""
from __future__ import annotations
import json, os.path, winreg, _cffi, cffi.api, extra
import library.page
from library import page
from . import other
from deploy import config
import gone.away as away
try:
    import maybe
except ImportError:
    maybe = None
if away:
    import perhaps
def later():
    import never
"""
    found = imports.unanswered(
        [
            Source("deploy/config.py", b"import library\n"),
            Source("deploy/wsgi.py", source),
            Source("deploy/tests/test_a.py", b"import pytest\n"),
            Source("app/a.py", b"import absent\n"),
        ],
        "deploy",
        [wheel],
    )
    assert found == {"library": "deploy/config.py", "gone": "deploy/wsgi.py"}
