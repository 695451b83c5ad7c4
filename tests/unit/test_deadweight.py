"""luggage.buildpex.deadweight: what the list says is what a wheel loses, and nothing else."""

from __future__ import annotations

import pytest

from luggage.buildpex import deadweight
from luggage.errors import LuggageError


def _dropped(rules: str, *paths: str, distribution: str = "thing", said: str = "") -> set[str]:
    return deadweight.select(
        paths, distribution, deadweight.parse(rules, "list.txt"), said.split().__contains__
    )


def test_every_line_that_is_no_rule_is_told() -> None:
    """With its number; a path that leaves the wheel is none."""
    text = "**/tests/\n# a comment\n\n../outside\n/etc/\na//b\ntwo words\nbad name: x\n"
    with pytest.raises(LuggageError) as caught:
        deadweight.parse(text, "list.txt")
    assert [line.split(": ")[0] for line in caught.value.message.splitlines()] == [
        f"list.txt:{number}" for number in (4, 5, 6, 7, 8)
    ]
    assert caught.value.hint == "the head of list.txt tells how a rule is written"


def test_a_list_that_is_not_there_is_told() -> None:
    """By its name."""
    with pytest.raises(LuggageError, match=r"list 'none\.txt': cannot be read"):
        deadweight.read(deadweight.LIST.with_name("none.txt"))


def test_a_folder_goes_with_all_that_is_in_it() -> None:
    """At any depth, and only a folder of exactly that name."""
    paths = ("a/tests/x.py", "a/b/tests/data/d.bin", "tests/y.py", "a/tests.py", "a/testsuite/z.py")
    assert _dropped("**/tests/", *paths) == set(paths[:3])
    assert _dropped("a/tests/", *paths) == {paths[0]}


def test_a_star_stays_within_a_name() -> None:
    """`*` is no folder; `**` is any number of them, or none."""
    assert _dropped("a/*.c", "a/x.c", "a/b/x.c", "x.c") == {"a/x.c"}
    assert _dropped("a/**/*.c", "a/x.c", "a/b/x.c", "a/b/c/x.c", "b/x.c") == {
        "a/x.c",
        "a/b/x.c",
        "a/b/c/x.c",
    }
    assert _dropped("a.c", "abc", "a.c") == {"a.c"}


def test_a_condition_is_looked_for_in_a_folder_and_beside_a_file() -> None:
    """`if` wants a file of that name: in the folder, or next to the file, for the same module."""
    rule = "**/test/ if test_*.py *_test.py"
    assert _dropped(rule, "a/test/client.py", "a/test/runner.py") == set()
    assert _dropped(rule, "a/test/b/test_x.py", "a/test/y.bin") == {
        "a/test/b/test_x.py",
        "a/test/y.bin",
    }
    assert _dropped(rule, "a/test/x_test.py") == {"a/test/x_test.py"}
    rule = "**/*.c if {stem}.*.so"
    assert _dropped(rule, "a/x.c", "a/x.abi3.so", "a/y.c", "b/x.c") == {"a/x.c"}


def test_a_word_in_a_module_keeps_what_it_names() -> None:
    """`unless` asks the whole wheel."""
    rule = "**/*.pyi unless attach_stub pyi"
    assert _dropped(rule, "a/x.pyi") == {"a/x.pyi"}
    assert _dropped(rule, "a/x.pyi", said="attach_stub") == set()
    assert _dropped(rule, "a/x.pyi", said="x pyi") == set()


def test_a_rule_of_one_distribution_is_for_no_other() -> None:
    """Whichever way its name is spelt."""
    assert _dropped("Zope.Interface: a/", "a/x", distribution="zope-interface") == {"a/x"}
    assert _dropped("zope-interface: a/", "a/x", distribution="zope") == set()


def test_an_exception_wins_wherever_it_stands() -> None:
    """Before the line that it excepts from, or after it."""
    for rules in ("**/tests/\n!a/tests/x.py", "!a/tests/x.py\n**/tests/"):
        assert _dropped(rules, "a/tests/x.py", "a/tests/y.py") == {"a/tests/y.py"}


@pytest.mark.parametrize(
    "path",
    [
        "a/py.typed",
        "a/LICENSE.txt",
        "a/licence",
        "a/COPYING",
        "a/NOTICE.md",
        "a-1.dist-info/METADATA",
        "a-1.dist-info/sboms/a.cdx.json",
    ],
)
def test_some_files_are_kept_whatever_the_list_says(path: str) -> None:
    """What tells what a wheel is, under which licence, and that it has types."""
    assert _dropped("a/\na-1.dist-info/\n**/*", path, "a/x.py") == {"a/x.py"}


def test_the_declared_list_spares_what_is_no_test_suite() -> None:
    """Public interfaces, products of that name, helpers, and stubs and C that programs read."""
    rules = deadweight.read()
    for distribution, kept in {
        "django": ("django/test/client.py", "django/test/utils.py"),
        "pandas": ("pandas/_testing/__init__.py", "pandas/testing.py"),
        "numpy": ("numpy/testing/__init__.py", "numpy/_core/include/numpy/arrayobject.h"),
        "sqlalchemy": ("sqlalchemy/testing/fixtures/__init__.py",),
        "werkzeug": ("werkzeug/test.py",),
        "jinja2": ("jinja2/tests.py",),
        "twisted": ("twisted/trial/unittest.py", "twisted/test/proto_helpers.py"),
        "zope-testing": ("zope/testing/module.py",),
        "laboratory": ("laboratory/tests/models.py", "laboratory/tests/views.py"),
        "jedi": ("jedi/third_party/typeshed/stdlib/3/os/__init__.pyi",),
        "triton": ("triton/backends/nvidia/driver.c", "triton/backends/nvidia/driver.py"),
        "cffi": ("cffi/_cffi_include.h", "cffi/parse_c_type.h"),
    }.items():
        assert deadweight.select(kept, distribution, rules, lambda word: False) == set()


def test_the_declared_list_drops_test_suites_and_sources_of_what_is_compiled() -> None:
    """In every wheel."""
    gone = {"a/tests/__init__.py", "a/tests/test_a.py", "a/_speedups.c", "a/b.pyi"}
    kept = {"a/b.py", "a/_speedups.cpython-313-x86_64-linux-gnu.so"}
    rules = deadweight.read()
    assert deadweight.select(sorted(gone | kept), "a", rules, lambda word: False) == gone
    assert deadweight.select(sorted(gone | kept), "a", rules, "pyi".__eq__) == gone - {"a/b.pyi"}
