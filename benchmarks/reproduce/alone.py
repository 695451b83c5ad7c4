"""A way without an engine → what came out, with the builder's Python in a container beside git.

The first container has the network and fills the cache of wheels; what packs has neither a network
nor, where the way says so, the time.
"""

from __future__ import annotations

import os
from pathlib import Path

from commands import UnavailableError, output, quietly, text
from ways import BASE, IMAGE, LATER, Packed, Way, digests, needs

from luggage.buildpex.stored import Checkout

_PROXIES = ("http_proxy", "https_proxy", "no_proxy")
_FILL = """
    apt-get -qq update
    apt-get -qqy install --no-install-recommends git faketime > /dev/null
    git config --global --add safe.directory {place}
    mkdir -p {place}; cd {place}; tar -x --no-same-owner
    ENGINE=none ./create -q >&2
    find build -mindepth 1 ! -path 'build/cache*' -delete; rm -rf build/cache/*-*
"""
_PACK = """
    cd {place}; ENGINE=none {clock} ./create --check >&2
    tar -c -C build example.pex manifest.json
"""


def packed(way: Way, folder: Path) -> Packed:
    """Raises UnavailableError where the checkout's own builder was not made yet."""
    needs("docker")
    builder = f"luggage-builder:{Checkout(folder, folder / 'requirements.txt', BASE).builder()}"
    if not text("docker", "image", "ls", "-q", builder):
        raise UnavailableError(f"needs the image {builder}: ENGINE=docker ./create")
    clock = f"faketime -f '@{LATER}'" if "FAKETIME" in way.environ else ""
    place = f"/srv/{way.folder}"
    name, filled = f"{IMAGE}-fill", f"{IMAGE}:filled"
    sources = output(["tar", "-c", "-C", folder, "."])
    try:
        fill = [builder, "sh", "-euc", _FILL.format(place=place)]
        network = ["--network", "host", *_settings()]
        output(["docker", "run", "-i", "--name", name, *network, *fill], sources)
        text("docker", "commit", name, filled)
        pack = ["sh", "-euc", _PACK.format(place=place, clock=clock)]
        made = output(["docker", "run", "--rm", "--network", "none", filled, *pack])
    finally:
        quietly("docker", "rm", "-f", name)
        quietly("docker", "image", "rm", filled)
    (folder / "build").mkdir()
    output(["tar", "-x", "-C", folder / "build"], made)
    return Packed("none", digests(folder))


def _settings() -> list[str]:
    """How this machine reaches its package index, for the container that fills the cache."""
    words = []
    for name, value in os.environ.items():
        if name in ("PIP_CERT", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"):
            words += ["-v", f"{value}:/etc/luggage-ca.pem:ro", "-e", f"{name}=/etc/luggage-ca.pem"]
        elif name.lower() in _PROXIES or (name.startswith("PIP_") and not Path(value).exists()):
            words += ["-e", name]
    for path in (
        Path("/etc/pip.conf"),
        Path.home() / ".pip/pip.conf",
        Path.home() / ".config/pip/pip.conf",
    ):
        if path.is_file():
            return [*words, "-v", f"{path}:/etc/pip.conf:ro"]
    return words
