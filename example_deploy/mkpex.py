"""Pack the example into one file."""

from __future__ import annotations

from luggage.buildpex import Pack
from luggage.commands import mkpex

MAIN_OK = True

PACK = Pack(
    name="example",
    entry="example_deploy",
    packages=("example_app", "example_deploy", "luggage"),
)


def main(argv: list[str]) -> int:
    """Write build/example.pex, or what `argv` asks for."""
    return mkpex.main(argv, PACK)
