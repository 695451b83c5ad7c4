"""An image's configuration → how it differs from the one that run.docker gives.

The listings say what lies in an image; this says how it is started. Whatever an engine would obey
has one value; a test compares the values with run.docker.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

# What Go calls a machine, by what Python calls it, where these differ.
_MACHINES = {
    "x86_64": "amd64",
    "aarch64": "arm64",
    "i386": "386",
    "i486": "386",
    "i586": "386",
    "i686": "386",
    "armv6l": "arm",
    "armv7l": "arm",
    "armv8l": "arm",
    "loongarch64": "loong64",
}
_PYTHON = ["/app/bin/python", "-I", "-m", "luggage"]
_SECOND = 1_000_000_000  # engines count nanoseconds
EXACT: Mapping[str, Any] = {
    "User": "65532:65532",
    "Entrypoint": _PYTHON,
    "Cmd": ["start"],
    "StopSignal": "SIGTERM",
    "Healthcheck": {
        "Test": ["CMD", *_PYTHON, "healthy"],
        "Interval": 10 * _SECOND,
        "Timeout": 5 * _SECOND,
        "StartPeriod": 30 * _SECOND,
        "Retries": 3,
    },
}
ENVIRON: Mapping[str, str] = {
    "PATH": "/app/bin:/usr/bin",
    "LANG": "C.UTF-8",
    "HOST": "0.0.0.0",  # noqa: S104 - a container is reached from outside
}
# What engines write beside, and does nothing when a container starts (ArgsEscaped is for Windows).
_SILENT = {"Image", "ArgsEscaped", "Labels", "Env", "ExposedPorts", "WorkingDir", "Hostname"}
_BUILT_IN = re.compile(r"([0-9a-f]{12})?")  # buildah leaves the name of the container it built in
# What they name is loaded before, or instead of, what was compared.
_LOADS = re.compile(r"(LD|PYTHON|OPENSSL)[_A-Z0-9]*|GLIBC_TUNABLES|GCONV_PATH|PATH")
LABEL = re.compile(
    r"luggage\.(inputs|seal)|org\.opencontainers\.image\.[a-z.]+|io\.buildah\.version"
)
_PORT = re.compile(r"[0-9]{1,5}/(tcp|udp)")


def problems(
    image: Mapping[str, Any],
    platform: str,
    allowed: Sequence[str] = (),
    labels: Mapping[str, str] | None = None,
) -> Iterator[str]:
    """How the configuration differs; `platform` is the manifest's, `allowed` names further
    variables that it may have, `labels` has the values of those that must be true where they stand.
    """
    system, _, machine = platform.partition("-")
    for word, wanted in (("os", system), ("architecture", _MACHINES.get(machine, machine))):
        if image.get(word) != wanted:
            yield f"configuration: {word} is {_told(image.get(word))}, and not {wanted!r}"
    found = image.get("config")
    if not isinstance(found, dict):
        yield "configuration: the image has none"
        return
    for word, wanted in EXACT.items():
        if found.get(word) != wanted:
            yield f"configuration: {word} is {_told(found.get(word))}, and not {_told(wanted)}"
    for word in sorted(set(found) - set(EXACT) - _SILENT):
        if found[word]:
            yield f"configuration: {word} is set: {_told(found[word])}"
    if found.get("WorkingDir") not in (None, "", "/"):
        yield f"configuration: WorkingDir is {_told(found['WorkingDir'])}"
    if _BUILT_IN.fullmatch(str(found.get("Hostname") or "")) is None:
        yield f"configuration: Hostname is {_told(found['Hostname'])}"
    yield from _environ(found.get("Env") or [], allowed)
    yield from _names(found, "Labels", LABEL)
    for name, wanted in (labels or {}).items():
        if (said := _labels(found).get(name, wanted)) != wanted:
            yield f"configuration: label {name!r} is {_told(said)}, and not {wanted!r}"
    yield from _names(found, "ExposedPorts", _PORT)


def loads(name: str) -> bool:
    """Whether a variable says which code is loaded: no image may set one but as run.docker does."""
    return _LOADS.fullmatch(name) is not None


def variables(image: Mapping[str, Any]) -> dict[str, str]:
    """What the configuration sets beside run.docker's own variables."""
    config = image.get("config")
    env = config.get("Env") if isinstance(config, dict) else None
    pairs = (str(it).partition("=") for it in (env if isinstance(env, list) else []))
    return {name: value for name, _, value in pairs if name not in ENVIRON}


def _environ(found: object, allowed: Sequence[str]) -> Iterator[str]:
    if not isinstance(found, list) or not all(isinstance(it, str) for it in found):
        yield "configuration: Env is not as engines write it"
        return
    pairs = [it.partition("=") for it in found]
    names = [name for name, _, _ in pairs]
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield f"configuration: variable {name!r} stands twice"
    values = {name: value for name, _, value in pairs}
    for name in sorted(set(values) | set(ENVIRON)):
        if name in ENVIRON and values.get(name) != ENVIRON[name]:
            yield f"configuration: variable {name!r} is {_told(values.get(name))}"
        elif name not in ENVIRON and (name not in allowed or loads(name)):
            yield f"configuration: variable {name!r} is set, and is none of run.docker's"


def _names(found: Mapping[str, Any], word: str, pattern: re.Pattern[str]) -> Iterator[str]:
    names = found.get(word) or {}
    if not isinstance(names, dict):
        yield f"configuration: {word} is not as engines write it"
        return
    for name in names:
        if pattern.fullmatch(name) is None:
            yield f"configuration: {word} has {name!r}"


def _labels(found: Mapping[str, Any]) -> Mapping[str, Any]:
    labels = found.get("Labels")
    return labels if isinstance(labels, dict) else {}


def _told(value: object) -> str:
    text = ascii(value)
    return text if len(text) < 100 else f"{text[:100]}…"
