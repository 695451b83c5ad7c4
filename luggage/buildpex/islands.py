"""Source files → those that stay behind, because they pack or edit the configuration."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping

# The one list. A module that imports from one of these, anywhere in it, belongs to the same island
# and stays behind as well: so a command such as `mkpex` or `encrypt` need not be named, here or in
# any deployment.
PACK_ISLAND = ("luggage.buildpex", "luggage.configfile", "luggage.seal")
_BLOCKS = ("body", "orelse", "handlers", "finalbody", "cases")


def left_behind(files: Mapping[str, bytes]) -> dict[str, str]:
    """The files that an artifact goes without: path → why. `files` are all that could be packed, by
    path.

    A source that is not Python imports nothing. Imports under `if TYPE_CHECKING:` do not count:
    they never happen.
    """
    imports = {path: _imports(path, files[path]) for path in files if path.endswith(".py")}
    left = {path: "packs" for path in files if on_pack_island(module_name(path))}
    gone = {module_name(path) for path in left}
    while True:
        more = {}
        for path, imported in imports.items():
            found = sorted(name for name in imported if name in gone or on_pack_island(name))
            if found and path not in left:
                more[path] = f"imports {found[0]}"
        if not more:
            return left
        left |= more
        gone |= {module_name(path) for path in more}


def on_pack_island(module: str) -> bool:
    """Whether the module, or the data file named like one, lies in a room of the pack island."""
    return any(module == room or module.startswith(f"{room}.") for room in PACK_ISLAND)


def module_name(path: str) -> str:
    """The dotted name of the module in a source file."""
    return path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def _imports(path: str, source: bytes) -> set[str]:
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return set()
    package = path.split("/")[:-1]
    found: set[str] = set()
    for node in _executed(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) + 1 - node.level] if node.level else []
            origin = ".".join([*base, *([node.module] if node.module else [])])
            found |= {origin} | {f"{origin}.{alias.name}" for alias in node.names}
    return found


def _executed(node: ast.AST) -> Iterator[ast.AST]:
    """Every statement that may run: an import is one, so expressions need no look."""
    for block in _BLOCKS:
        for child in getattr(node, block, ()):
            if isinstance(child, ast.If) and _only_for_types(child.test):
                yield from _executed(ast.Module(body=child.orelse, type_ignores=[]))
            else:
                yield child
                yield from _executed(child)


def _only_for_types(test: ast.expr) -> bool:
    return ast.unparse(test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING")
