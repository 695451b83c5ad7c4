"""luggage.buildpex.named: no way to import a module goes unseen."""

from __future__ import annotations

import pytest

from luggage.buildpex.named import named


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("import a.b, c as d", {"a.b", "c"}),
        ("from a.b import c as d, e", {"a.b", "a.b.c", "a.b.e"}),
        ("from . import x", {"p.q", "p.q.x"}),
        ("from .x import y", {"p.q.x", "p.q.x.y"}),
        ("from ..x import y", {"p.x", "p.x.y"}),
        ("from .. import (\n    x,\n)", {"p", "p.x"}),
        ("def f():\n    import a.b", {"a.b"}),
        ("try:\n    import a.b\nexcept ImportError:\n    pass", {"a.b"}),
        ("import_module('a.b')", {"a.b"}),
        ("import_module('.x', __package__)", {"p.q.x"}),
        ("load('a.b:main')", {"a.b"}),
        ("'''Words. About a.b'''", set()),
        ("'test'", set()),
        ("print 'no Python of today'", set()),
    ],
)
def test_what_a_module_may_import_is_named(source: str, names: set[str]) -> None:
    """At the top level, in functions, relative, by a string; a module that is none names none."""
    assert named(source.encode(), "p.q") == names


def test_an_odd_escape_warns_nobody() -> None:
    """It is the author's own affair; warnings are errors in these tests."""
    assert named(b"import a\nX = '\\d'\n", "") == {"a"}
