"""The version gate: a config module of a later format is told as that, whatever else is new."""

from __future__ import annotations

import copy
import dataclasses
import pickle

import pytest

from luggage import crypto
from luggage.configfile import grammar
from luggage.configfile.module import ConfigError

LATER = """\
SECRETS = crypto.Secrets(
    format=2,
    project="example",
    environments={"demo": crypto.Environment(keys=["lugpub2.x"], epoch=1, values={})},
    grants={},
)
"""


def evaluated(source: str) -> object:
    names: dict[str, object] = {"crypto": crypto}
    exec(source, names)
    return names["SECRETS"]


@pytest.mark.parametrize("without", ["", '    project="example",\n', "    grants={},\n"])
def test_a_later_format_is_told_first_by_both_readers(without: str) -> None:
    """Words that are new, or gone, in a later format do not hide that it is one."""
    source = LATER.replace(without, "")
    with pytest.raises(crypto.SecretError, match="format of its secrets is unknown") as caught:
        evaluated(source)
    assert caught.value.reason == "version"
    assert "install that version" in (caught.value.hint or "")
    with pytest.raises(ConfigError, match="line 2: the format is unknown"):
        grammar.read(source.encode())


def test_a_format_told_last_is_still_the_first_thing_told() -> None:
    """Keywords stand in any order."""
    source = LATER.replace("    format=2,\n", "").replace("grants={},", "grants={}, format=2,")
    with pytest.raises(crypto.SecretError, match="format of its secrets is unknown"):
        evaluated(source)
    with pytest.raises(ConfigError, match="line 4: the format is unknown"):
        grammar.read(source.encode())


def test_words_unknown_and_missing_in_format_1_are_all_told_at_once() -> None:
    """In a format that is known they are errors of ours, not a TypeError of Python's."""
    source = LATER.replace("format=2", "format=1").replace('    project="example",\n', "")
    with pytest.raises(crypto.SecretError) as caught:
        evaluated(source)
    assert caught.value.reason == "config"
    for told in (
        "Secrets: 'grants' is unknown",
        "Secrets: 'project' is missing",
        "environment 'demo': 'keys' is unknown",
        "environment 'demo': 'public_key' is missing",
    ):
        assert told in caught.value.render()
    with pytest.raises(ConfigError, match="Secrets takes each of format"):
        grammar.read(source.encode())


def test_without_a_format_there_is_none_to_know() -> None:
    """`format` itself missing is told as that."""
    with pytest.raises(crypto.SecretError, match="Secrets: 'format' is missing"):
        crypto.Secrets(project="example", environments={})


def test_what_was_made_is_a_value_still() -> None:
    """Equal, copied, replaced and pickled as the frozen dataclass that it is."""
    made = crypto.Secrets(
        format=1,
        project="example",
        environments={"demo": crypto.Environment(public_key="lugpub1.x", epoch=1, values={})},
    )
    assert made == copy.deepcopy(made) == pickle.loads(pickle.dumps(made))
    assert dataclasses.replace(made, project="other").project == "other"
    assert made.required == ()
    with pytest.raises(dataclasses.FrozenInstanceError):
        made.project = "other"  # type: ignore[misc]
