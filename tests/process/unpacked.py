"""The deployment under test as an artifact: beside luggage and a manifest, in an environment."""

from __future__ import annotations

import hashlib
import shutil
import sys
import sysconfig
import venv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from running import PACKAGE, Made

import luggage
from luggage.crypto import Secret, keys
from luggage.crypto.keys import Bundle
from luggage.crypto.signing import SigningKey
from luggage.proof import manifest, seal, signature
from luggage.proof.manifest import Manifest
from luggage.proof.seal import Seal

D = "0123456789abcdef" * 4


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@dataclass(frozen=True)
class Packed:
    """What pex would unpack at `site`, of the file `pex`; `made` has the key."""

    made: Made
    site: Path
    python: Path
    pex: Path
    manifest: Manifest

    def words(self, *command: str) -> Sequence[str]:
        """The command line that runs a command of it."""
        return [str(self.python), "-I", "-m", PACKAGE, *command]

    def sign(self, key: SigningKey) -> None:
        """Put a seal of the pex and its signature beside it."""
        pex = digest(self.pex.read_bytes())
        data = seal.dump(Seal(self.manifest, pex, {}, {}, {"pex": D}))
        (self.pex.parent / seal.FILE).write_bytes(data)
        (self.pex.parent / seal.SIGNATURE).write_bytes(signature.sign(data, key))

    def bundle(self, verify_key: bytes, serial: int) -> str:
        """The key, for releases that are signed."""
        (key,) = keys.parse_keys(Secret(self.made.key)).keys
        return str(Bundle((key,), verify_key, serial).dump().reveal())


def pack(made: Made) -> Packed:
    """Lay `made` and this luggage out as an artifact is, with serial 7."""
    home = made.folder / "venv"
    venv.create(home, symlinks=True)
    site = Path(sysconfig.get_path("purelib", "venv", {"base": str(home)}))
    (site / "below.pth").write_text(f"{sysconfig.get_path('purelib')}\n")
    ignored = shutil.ignore_patterns("__pycache__", "buildpex", "configfile", "seal")
    shutil.copytree(Path(luggage.__file__).parent, site / "luggage", ignore=ignored)
    shutil.move(made.folder / PACKAGE, site / PACKAGE)
    sources = [
        it for name in ("luggage", PACKAGE) for it in (site / name).rglob("*") if it.is_file()
    ]
    config = (site / PACKAGE / "config.py").read_text()
    sealed = config.partition('"CANARY": ')[2].partition("}")[0].strip("'\"")
    described = Manifest(
        project="under-test",
        commit="c0" * 20,
        dirty=False,
        entry=PACKAGE,
        python=sys.version.split()[0],
        platform=sysconfig.get_platform(),
        lock=D,
        tools={},
        wheels=(),
        files={it.relative_to(site).as_posix(): digest(it.read_bytes()) for it in sources},
        sealed={"test": {"CANARY": digest(sealed.encode())}},
        serial=7,
    )
    (site / manifest.FILE).write_bytes(manifest.dump(described))
    pex = made.folder / "thing.pex"
    pex.write_bytes(b"a pex")
    return Packed(made, site, home / "bin" / "python", pex, described)
