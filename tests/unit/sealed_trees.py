"""A small image in a folder, packed and sealed with luggage's own formats."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

from luggage.crypto.signing import SigningKey
from luggage.proof import manifest, seal, signature, tree
from luggage.proof.image import Place
from luggage.proof.manifest import Manifest
from luggage.proof.seal import Seal

D = "0123456789abcdef" * 4
SITE = "app/lib/python3.13/site-packages"
FILES = {
    "usr/lib/python3.13/os.py": b"import stat\n",
    "usr/lib/python3.13/stat.py": b"S_IFMT = 1\n",
    "etc/ssl/ca.pem": b"authority\n",
    f"{SITE}/flask/__init__.py": b"flask\n",
    f"{SITE}/flask/big.so": bytes(range(256)) * 4096,
    f"{SITE}/luggage/__init__.py": b'"""luggage"""\n',
    f"{SITE}/example_app/page.py": b"page = 1\n",
    f"{SITE}/example_app/other.py": b"page = 2\n",
    f"{SITE}/example_deploy/config.py": b"SECRETS = 1\n",
}
SEALED = {"demo": {"LINES_API_KEY": "lug1.a.b", "MOOD_API_KEY": "lug1.a.c"}, "prod": {}}


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def described(serial: int | None = 7) -> Manifest:
    """The manifest of FILES and SEALED."""
    own = {
        path.removeprefix(f"{SITE}/"): digest(data)
        for path, data in FILES.items()
        if path.startswith((f"{SITE}/example", f"{SITE}/luggage"))
    }
    return Manifest(
        project="example",
        commit="c0" * 20,
        dirty=False,
        entry="example_deploy",
        python="3.13.5",
        platform="linux-x86_64",
        lock=D,
        tools={"pex": "2.0"},
        wheels=(),
        files=own,
        sealed={
            environment: {name: digest(text.encode()) for name, text in values.items()}
            for environment, values in SEALED.items()
        },
        serial=serial,
    )


class Image:
    """What an engine would unpack, under `root`; `layers` says which listing has which folders."""

    layers = {  # noqa: RUF012
        "root": ["usr", "etc", "bin", "run", "tmp"],
        "deps": [f"{SITE}/flask"],
        "luggage": [f"{SITE}/luggage"],
        "app": [
            f"{SITE}/example_app",
            f"{SITE}/example_deploy",
            f"{SITE}/{manifest.FILE}",
        ],
    }

    def __init__(self, root: Path, serial: int | None = 7) -> None:
        self.root = root
        root.mkdir()
        self.manifest = described(serial)
        for path, data in FILES.items():
            self.write(path, data)
        self.write(f"{SITE}/{manifest.FILE}", manifest.dump(self.manifest))
        for name, mode in {"run/luggage": 0o755, "tmp": 0o1777}.items():
            (root / name).mkdir(parents=True)
            (root / name).chmod(mode)
        (root / "bin").symlink_to("usr/bin")
        self.seal()

    def write(self, path: str, data: bytes) -> None:
        """A file of mode 644, in folders of mode 755."""
        place = self.root / path
        for folder in reversed(place.relative_to(self.root).parents[:-1]):
            (self.root / folder).mkdir(exist_ok=True)
            (self.root / folder).chmod(0o755)
        place.write_bytes(data)
        place.chmod(0o644)

    def seal(self) -> None:
        """List and seal what is there now."""
        above = {entry.path: entry for entry in tree.scan(self.root, ["app"])}
        folders = [above[str(it)] for it in reversed(Path(f"{SITE}/x").parents[:-1])]
        sums = {}
        for layer, below in self.layers.items():
            own = () if layer == "root" else folders
            listing = tree.dump([*own, *tree.scan(self.root, below)])
            self.write(f"{seal.FOLDER}/{seal.listing(layer)}", listing)
            sums[layer] = digest(listing)
        self.write(f"{seal.FOLDER}/{seal.SBOM}", b"{}\n")
        sbom = digest(b"{}\n")
        self.stated = Seal(
            self.manifest, D, sums, {"base-files": "13.8"}, {"pex": D, "image": sbom}
        )
        self.write(f"{seal.FOLDER}/{seal.FILE}", seal.dump(self.stated))

    def reseal(self, **changed: object) -> None:
        """Another seal, with other members."""
        self.stated = replace(self.stated, **changed)  # type: ignore[arg-type]
        self.write(f"{seal.FOLDER}/{seal.FILE}", seal.dump(self.stated))

    def sign(self, key: SigningKey) -> None:
        """Put the signature beside the seal."""
        made = signature.sign(seal.dump(self.stated), key)
        self.write(f"{seal.FOLDER}/{seal.SIGNATURE}", made)

    def place(self, mountinfo: bytes = b"") -> Place:
        """Where it lies."""
        return Place(self.root / SITE, self.root, None, mountinfo)
