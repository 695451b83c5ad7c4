"""An engine → what ./create keeps in it, and less of that."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from luggage.buildpex import stored
from luggage.buildpex.engine import Engine
from luggage.buildpex.stored import Checkout, Item

_LISTED = re.compile(r"([0-9]+) ([0-9]+) /kept/([^/\n]+)/([^/\n]+)")
_LIST = """\
for path in /kept/*/*; do
    [ ! -e "$path" ] || echo "$(du -sk "$path" | cut -f1) $(stat -c %Y "$path") $path"
done"""


@dataclass(frozen=True)
class Names:
    """What ./create calls what it keeps in an engine."""

    builder: str = "luggage-builder"
    base: str = "luggage-deps"
    volumes: tuple[str, ...] = ("luggage-wheels", "luggage-layers")
    container: str = "luggage-create-"


@dataclass(frozen=True)
class Store:
    """What an engine keeps."""

    engine: Engine
    names: Names = Names()

    def images(self, checkout: Checkout) -> list[Item]:
        """Builders and the images below, and results that lost their names."""
        needed = {
            self.names.builder: checkout.builder(),
            self.names.base: checkout.below(),
        }
        items = []
        for repository, tag in needed.items():
            for name in self._tags(repository):
                mine = tag is None or name == f"{repository}:{tag}"
                items.append(Item("image", name, *self._measured(name), mine))
        label = ("--filter", "dangling=true", "--filter", "label=luggage.seal")
        for name in self.engine.ask("images", "-q", *label).split():
            # They have no name of ours, so they stay.
            items.append(Item("dangling", name, *self._measured(name), True))
        return items

    def volumes(self, wheels: Collection[str], now: float) -> list[Item]:
        """What lies in the volumes, as a container of a builder sees it."""
        there, builder = self._there()
        if not there or builder is None:
            return [Item(name, "", 0, 0.0, True) for name in there]
        mounts = [word for name in there for word in ("-v", f"{name}:/kept/{name}:ro")]
        said = self._contained(builder, mounts, [_LIST])
        found = [
            (match[3], match[4], int(match[1]) * 1024, float(match[2]))
            for line in said.splitlines()
            if (match := _LISTED.fullmatch(line))
        ]
        return stored.sorted_out(found, wheels, now)

    def forget(self, items: Sequence[Item]) -> list[Item]:
        """Remove these; returns those that stay, since a container uses them."""
        stay: list[Item] = []
        # With a builder's container, before the last builder may be gone.
        inside = [item for item in items if item.place in self.names.volumes]
        _, builder = self._there()
        if inside and builder is not None:
            places = sorted({item.place for item in inside})
            mounts = [word for name in places for word in ("-v", f"{name}:/kept/{name}")]
            paths = [f"/kept/{item.place}/{item.name}" for item in inside]
            self._contained(builder, mounts, ['rm -rf -- "$@"', "rm", *paths])
        for item in items:
            if item.place == "image" and self.engine.try_(["image", "rm", item.name])[0]:
                stay.append(item)
        return stay

    def busy(self) -> bool:
        """Whether a ./create runs now."""
        words = ("ps", "-q", "--filter", f"name={self.names.container}")
        return bool(self.engine.ask(*words).strip())

    def _there(self) -> tuple[list[str], str | None]:
        listed = self.engine.ask("volume", "ls", "--format", "{{.Name}}").split()
        builders = self._tags(self.names.builder)
        return [it for it in self.names.volumes if it in listed], next(iter(builders), None)

    def _tags(self, repository: str) -> list[str]:
        listed = self.engine.ask("images", "--format", "{{.Repository}}:{{.Tag}}").split()
        names = [it.removeprefix("localhost/") for it in listed]
        return sorted(it for it in names if re.fullmatch(rf"{repository}:[0-9a-f]{{12}}", it))

    def _measured(self, name: str) -> tuple[int, float]:
        return int(self.engine.ask("image", "inspect", "--format", "{{.Size}}", name)), 0.0

    def _contained(self, image: str, mounts: Sequence[str], words: Sequence[str]) -> str:
        """stdout of a shell in a container that has nothing but the volumes."""
        alone = ("--network", "none", "--cap-drop", "ALL", "--security-opt", "no-new-privileges")
        return self.engine.ask("run", "--rm", *alone, *mounts, image, "sh", "-euc", *words)
