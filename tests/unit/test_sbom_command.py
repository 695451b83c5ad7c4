"""`sbom` as a user runs it: the bytes in the artifact, and nothing else."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from depots import Checkout

from luggage.proof import manifest, seal
from luggage.proof.manifest import Manifest
from luggage.seal import sbom

SBOM = sbom.make(project="thing", luggage="0.1.0", wheels=[])
MANIFEST = Manifest(
    project="thing",
    commit="0" * 40,
    dirty=False,
    entry="depot",
    python="3.13.5",
    platform="linux-x86_64",
    lock="0" * 64,
    tools={},
    wheels=[],
    files={},
    sealed={},
    serial=None,
)


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path / "made")


def packed(checkout: Checkout, sbom: bytes | None) -> str:
    """The name of a pex in the checkout, with this SBOM in it."""
    with zipfile.ZipFile(checkout.root / "thing.pex", "w") as archive:
        archive.writestr(manifest.FILE, manifest.dump(MANIFEST))
        if sbom is not None:
            archive.writestr(seal.PEX_SBOM, sbom)
    return "thing.pex"


def test_it_writes_the_very_bytes(checkout: Checkout) -> None:
    """To stdout, with nothing added, or to a file that it replaces."""
    pex = packed(checkout, SBOM)
    done = checkout.run("sbom", pex)
    assert (done.returncode, done.stdout, done.stderr) == (0, SBOM, b"")
    output = checkout.root / "home" / "it.json"
    for _ in range(2):
        done = checkout.run("sbom", pex, "--output", "home/it.json")
        assert (done.returncode, done.stdout, done.stderr) == (0, b"home/it.json\n", b"")
        assert output.read_bytes() == SBOM
        output.write_bytes(b"older, and longer" * 1000)
    assert [path.name for path in output.parent.iterdir()] == ["it.json"]


def test_no_link_that_lies_in_wait_is_followed(checkout: Checkout) -> None:
    """Others may write into the folder, and know the process's number; the umask gives the mode."""
    pex = packed(checkout, SBOM)
    home = checkout.root / "home"
    victim = home / "victim"
    victim.write_text("mine")
    script = 'umask 027; ln -s victim home/.it.json.$$.tmp; exec "$0" -m depot sbom "$@"'
    words = ["sh", "-euc", script, sys.executable, pex, "--output", "home/it.json"]
    subprocess.run(words, cwd=checkout.root, env=checkout.environ(), check=True)
    assert victim.read_text() == "mine"
    assert (home / "it.json").read_bytes() == SBOM
    assert not (home / "it.json").is_symlink()
    assert (home / "it.json").stat().st_mode & 0o777 == 0o640
    assert len(list(home.iterdir())) == 3


@pytest.mark.parametrize(
    ("inside", "told"),
    [
        (None, "thing.pex: holds no SBOM"),
        (b"{}\x1b]0;title\x07\n", "has bytes that luggage never writes"),
        ('{"ü": 1}\n'.encode(), "has bytes that luggage never writes"),
        (b"{}\n{}\n", "has bytes that luggage never writes"),
    ],
)
def test_what_is_no_sbom_of_ours_is_refused(
    checkout: Checkout, inside: bytes | None, told: str
) -> None:
    """Nothing that a terminal would obey is shown, and no older file is overwritten."""
    pex = packed(checkout, inside)
    (checkout.root / "kept.json").write_text("kept")
    assert told in checkout.refuse("sbom", pex)
    assert told in checkout.refuse("sbom", pex, "--output", "kept.json")


def test_what_cannot_be_written_is_one_error(checkout: Checkout) -> None:
    """A folder that is not there is named, and nothing is left."""
    pex = packed(checkout, SBOM)
    assert "away/it.json: cannot be written" in checkout.refuse(
        "sbom", pex, "--output", "away/it.json"
    )


def test_what_is_no_artifact_is_refused(checkout: Checkout) -> None:
    """A file that is not there, a file that is none, and a forgotten argument."""
    assert "there is no such file" in checkout.refuse("sbom", "gone.pex")
    (checkout.root / "text").write_text("no zip and no tar")
    assert "text: " in checkout.refuse("sbom", "text")
    assert "usage: " in checkout.refuse("sbom")


def test_help_shows_examples(checkout: Checkout) -> None:
    """With the deployment's own name."""
    done = checkout.run("sbom", "--help")
    assert b"python -m depot sbom build/app.pex" in done.stdout
