"""Show what ./create keeps on this machine; with --prune, remove what is not needed here."""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict

from luggage.buildpex import engine, stored
from luggage.buildpex.pack import Pack
from luggage.buildpex.store import Store
from luggage.buildpex.stored import Checkout, Item
from luggage.commands import words
from luggage.commands.deployment import Deployment, current
from luggage.errors import LuggageError

MAIN_OK = True

EXAMPLES = """\
Wheels, unpacked tools and layers, in the volumes luggage-wheels and luggage-layers or in
build/cache, and the images luggage-builder:… and luggage-deps:… . Other checkouts on this machine
share those of the engine.

Needed is what this checkout's locks and its last build name, and of the layers and tools what was
used last; all else is only quicker the next time. Images and volumes of other names are left alone,
and so is what a container uses.

examples:
  python -m {package} cache
  python -m {package} cache --prune
  ENGINE=podman python -m {package} cache --json | jq 'map(.size) | add'
"""


def main(argv: list[str]) -> int:
    """List what is kept on stdout, largest first; with --prune what was removed."""
    deployment = current()
    parser = words.Words("cache", __doc__, EXAMPLES, deployment)
    parser.add_argument("--prune", action="store_true", help="remove what is not needed here")
    parser.add_argument("--json", action="store_true", help="a list of JSON objects")
    options = parser.read(argv[1:])
    root = deployment.root.resolve()
    checkout = Checkout(root, root / _lock(deployment), os.environ.get("BASE") or stored.BASE)
    folder = root / "build/cache"
    store = _store()
    wheels, now = checkout.wheels(), time.time()
    items = stored.in_folder(folder, wheels, now)
    if store is not None:
        items += [*store.volumes(wheels, now), *store.images(checkout)]
    if options.prune:
        items = _prune([it for it in items if not it.needed], store, checkout, now)
    if options.json:
        print(json.dumps([asdict(it) for it in items], indent=2))
    else:
        _list(items, options.prune)
    if store is not None and any(it.place == "dangling" for it in items):
        name = store.engine.name
        told = f"images that lost their names are removed by: {name} image prune"
        print(f"note: {told}", file=sys.stderr)
    return 0


def _store() -> Store | None:
    if os.environ.get("ENGINE") == "none":
        return None
    try:
        return Store(engine.find(dict(os.environ)))
    except LuggageError as error:
        if os.environ.get("ENGINE"):
            raise
        print(f"note: build/cache alone: {error.message}", file=sys.stderr)
        return None


def _lock(deployment: Deployment) -> str:
    """The lock that the deployment packs."""
    module = f"{deployment.package}.mkpex"
    if importlib.util.find_spec(module) is None:
        return Pack.lock
    pack = getattr(importlib.import_module(module), "PACK", None)
    return pack.lock if isinstance(pack, Pack) else Pack.lock


def _prune(
    items: Sequence[Item], store: Store | None, checkout: Checkout, now: float
) -> list[Item]:
    """Remove them, and return those that are gone."""
    if stages := checkout.stages(now):
        raise LuggageError(
            f"cache: a ./create runs now in {', '.join(stages)}, and uses what is kept",
            f"wait until it has ended; where it was killed: rm -r {' '.join(stages)}",
        )
    if store is not None and store.busy():
        raise LuggageError(
            "cache: a ./create runs now, and uses what is kept", "wait until it has ended"
        )
    stored.forget_in_folder(
        checkout.root / "build/cache", [it for it in items if it.place == "build/cache"]
    )
    stay = [] if store is None else store.forget(items)
    for item in stay:
        print(f"note: {item.name} stays: a container uses it", file=sys.stderr)
    return [item for item in items if item not in stay]


def _list(items: Sequence[Item], gone: bool) -> None:
    for item in sorted(items, key=lambda it: (-it.size, it.place, it.name)):
        state = "removed" if gone else "" if item.needed else "not needed here"
        name = item.name if item.place == "image" else f"{item.place} {item.name}"
        if item.place == "dangling":
            name = f"image {item.name}, which lost its name"
            state = "a later ./create replaced it"
        print(f"{_size(item.size):>10}  {name[:50]:<50}  {state}".rstrip())
    total = _size(sum(it.size for it in items))
    if gone:
        print(f"{total:>10}  freed at most: images share layers")
        return
    rest = _size(sum(it.size for it in items if not it.needed))
    print(f"{total:>10}  in all at most: images share layers; {rest} not needed here: --prune")


def _size(size: int) -> str:
    return f"{size / 1e6:,.1f} MB"
