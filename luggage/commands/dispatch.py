"""Words after `python -m deploy` → the command they name, run by mainland."""

from __future__ import annotations

import ast
import faulthandler
import gc
import importlib.util
import io
import os
import pkgutil
import re
import sys
from dataclasses import dataclass
from typing import TextIO

import mainland

from luggage.commands.deployment import Deployment, enter
from luggage.errors import LuggageError, UsageError

MARKER = "MAIN_OK"
GENERIC = "luggage.commands"
SUPERVISOR = "LUGGAGE_SUPERVISOR"  # luggage/run/kernel/kin.py
WARM = "LUGGAGE_WARM"  # luggage/run/start/warm.py
LOGGED = "start"  # the command whose output is a log from the first line on
METRICS = "PROMETHEUS_MULTIPROC_DIR"  # luggage/run/start/metered.py
_KEYS = ("lugkey", "lugbundle", "lugsign")


@dataclass(frozen=True)
class Command:
    """A marked module: `root` is the package it lies in, `summary` its docstring's first line.

    `name` is what is typed, with '-' where the module's name has '_'.
    """

    name: str
    root: str
    summary: str

    @property
    def module(self) -> str:
        """The module's name in its package."""
        return self.name.replace("-", "_")


def find(package: str, only: str | None = None) -> dict[str, Command]:
    """The commands of the deployment `package`: its own marked modules, before those of luggage.

    Modules are read, not imported: one that cannot be imported is listed all the same. With `only`,
    the module of that name alone is read, which is what running a command needs.
    """
    found: dict[str, Command] = {}
    for root in (GENERIC, package):
        for name, file, source in _modules(root, only):
            summary = _summary(source, file)
            if summary is not None:
                typed = name.replace("_", "-")
                found[typed] = Command(typed, root, summary)
    return dict(sorted(found.items()))


def _modules(package: str, only: str | None) -> list[tuple[str, str, bytes]]:
    """Name, file and source of every module of a package, or of the one called `only`."""
    spec = importlib.util.find_spec(package)
    locations = list(spec.submodule_search_locations or ()) if spec else []
    modules = []
    for info in pkgutil.iter_modules(locations):
        if only not in (None, info.name):
            continue
        child = importlib.util.find_spec(f"{package}.{info.name}")
        read = getattr(child.loader, "get_data", None) if child else None
        if child and read and not info.ispkg and (child.origin or "").endswith(".py"):
            modules.append((info.name, child.origin or "", read(child.origin)))
    return modules


def _summary(source: bytes, file: str) -> str | None:
    """What a module is for, or None where it is no command.

    One that cannot be read must not take the others with it. Where the marker stands in its text it
    is listed as one, and its error shows itself when it is called.
    """
    try:
        tree = ast.parse(source, file)
    except (SyntaxError, ValueError) as error:
        where = getattr(error, "lineno", None)
        told = f"(cannot be read: line {where})" if where else "(cannot be read)"
        return told if MARKER.encode() in source else None
    return (ast.get_docstring(tree) or "").partition("\n")[0] if _marked(tree) else None


def _marked(tree: ast.Module) -> bool:
    return any(
        isinstance(node, ast.Assign)
        and any(isinstance(target, ast.Name) and target.id == MARKER for target in node.targets)
        for node in tree.body
    )


def usage(deployment: Deployment, commands: dict[str, Command]) -> str:
    """The page that lists the commands, a line each."""
    called = deployment.called(os.environ)
    width = max((len(name) for name in commands), default=0)
    lines = [f"usage: {called} COMMAND …", "", "commands:"]
    lines += [f"  {c.name:<{width}}  {c.summary}" for c in commands.values()]
    lines += ["", f"{called} COMMAND --help tells more about one."]
    if deployment.packed:
        lines.append(
            "What packs, or edits the configuration, is not in an artifact: see a checkout."
        )
    return "\n".join(lines)


def main(argv: list[str], package: str, *, stdout: TextIO | None = None) -> int:
    """Run the command that `argv[1:]` names and return its exit status.

    `argv` is as `sys.argv`; `package` is the deployment's import name. Errors of ours are printed
    to stderr, with their hint; every other exception shows itself. Of a `start` whose log is JSON
    both are lines of it.
    """
    out = stdout or sys.stdout
    if SUPERVISOR in os.environ:
        faulthandler.enable(2)  # ABRT prints what all threads do, as does whatever crashes
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(line_buffering=True)  # of one that claims no key as well
    try:
        deployment = Deployment.of(package)
        enter(deployment)
        words = argv[1:]
        if not words or words[0] in ("-h", "--help"):
            print(usage(deployment, find(package)), file=out, flush=True)
            return 0
        # Either spelling serves: whoever copies the name of the module means the same.
        commands = find(package, words[0].replace("-", "_"))
        if not commands:
            where = " in this artifact" if deployment.packed else ""
            page = usage(deployment, find(package))
            raise UsageError(f"{_named(words[0])}: there is none{where}", page)
        command = commands[words[0].replace("_", "-")]
        _metered()
        root = _importable(command)
        words = [argv[0], command.module, *(_turn() if _is_early() else words[1:])]
        gc.enable()
        result = mainland.main(argv=words, root=root, marker=MARKER)
        return result if isinstance(result, int) else 0
    except LuggageError as error:
        print(_rendered(error, argv), file=sys.stderr)
        return error.status
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # Python flushes stdout once more when it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except Exception as error:
        told = _crashed(error, argv)
        if told is None:
            raise
        print(told, file=sys.stderr)
        return 1


def _rendered(error: LuggageError, argv: list[str]) -> str:
    """What is wrong; of a `start` it is a line of the log."""
    if argv[1:2] != [LOGGED]:
        return error.render()
    from luggage.run.log import early  # noqa: PLC0415 - no command that goes well needs it here

    return early.error(error, os.environ)


def _crashed(error: Exception, argv: list[str]) -> str | None:
    """The line of the log that any other exception is; None where it shows itself."""
    if argv[1:2] != [LOGGED]:
        return None
    from luggage.run.log import early  # noqa: PLC0415

    return early.crash(error, os.environ)


def _is_early() -> bool:
    """Whether this process was started before its turn: its variable names a descriptor."""
    return os.environ.get(WARM, "").isdigit()


def _metered() -> None:
    """What the command imports may count: where the supervisor looks, and without danger."""
    if _is_early() or os.environ.get(METRICS):
        from luggage.run.start import metered  # noqa: PLC0415 - for what a supervisor has started alone

        metered.heed(os.environ, early=_is_early())


def _turn() -> list[str]:
    """The arguments of a command that was started before its turn, when that has come."""
    from luggage.run.start import warm  # noqa: PLC0415 - for the web server alone

    return warm.wait(os.environ)


def _named(word: str) -> str:
    """A word that names no command, but for one that could be a secret put there by mistake."""
    harmless = re.fullmatch(r"[A-Za-z0-9_-]{1,32}", word) and not word.startswith(_KEYS)
    return f"command '{word}'" if harmless else "that command"


def _importable(command: Command) -> str:
    """The root for mainland, once the module imports: mainland hides an ImportError's reason."""
    importlib.import_module(f"{command.root}.{command.module}")
    return command.root
