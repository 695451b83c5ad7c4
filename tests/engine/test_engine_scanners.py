"""The image's files as a scanner reads them: what they say is installed is what the SBOM says."""

from __future__ import annotations

import base64
import csv
import hashlib
import importlib.metadata
import json
import sys
from collections.abc import Iterator
from importlib.metadata import Distribution
from pathlib import Path
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from engines import Built, Engine, sh
from packageurl import PackageURL
from packaging.utils import canonicalize_name

from luggage import __version__
from luggage.seal import packages

pytestmark = pytest.mark.engine

SBOM = "app/seal/sbom.cdx.json"
# Packed from sources, and installed by no wheel.
OURS = "luggage"


@pytest.fixture(scope="module")
def tree(built: Built, docker: Engine, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file system of a container of the image."""
    folder = tmp_path_factory.mktemp("tree")
    exported = tmp_path_factory.mktemp("exported") / "tree.tar"
    with docker.created(built.image) as container:
        docker("export", "-o", exported, container.name)
    sh("tar", "-x", "-f", exported, "--no-same-owner", "-C", folder)
    return folder


@pytest.fixture(scope="module")
def sbom(tree: Path) -> dict[str, Any]:
    """The SBOM in the image, which is valid by CycloneDX's own schema."""
    text = (tree / SBOM).read_text("ascii")
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    members: dict[str, Any] = json.loads(text)
    return members


def site(tree: Path) -> Path:
    (found,) = tree.glob("app/lib/python3.*/site-packages")
    return found


def purls(sbom: dict[str, Any], kind: str) -> list[str]:
    found = (component.get("purl", "") for component in sbom["components"])
    return sorted(purl for purl in found if purl.startswith(f"pkg:{kind}/"))


def distributions(tree: Path) -> list[Distribution]:
    return list(importlib.metadata.distributions(path=[str(site(tree))]))


def test_every_wheel_is_found_by_its_dist_info(tree: Path, sbom: dict[str, Any]) -> None:
    """importlib.metadata finds the wheels of the SBOM in the same versions, and no others."""
    found = sorted((canonicalize_name(it.name), it.version) for it in distributions(tree))
    named = [
        (component["name"], component["version"])
        for component in sbom["components"]
        if component.get("purl", "").startswith("pkg:pypi/")
    ]
    assert found == sorted(named)
    assert len(named) > 20


def test_a_scanner_finds_the_same(tree: Path, sbom: dict[str, Any], tmp_path: Path) -> None:
    """cyclonedx-py, CycloneDX's own scanner, writes the same purls, and needs what is needed."""
    # It asks a Python for sys.path; the image's own does not start outside of the image.
    python = tmp_path / "python"
    path = json.dumps([str(site(tree))])
    python.write_text(f"#!/bin/sh\necho '{path}'\n")
    python.chmod(0o755)
    scanner = Path(sys.executable).with_name("cyclonedx-py")
    words = ("environment", "--sv", "1.6", "--output-reproducible", "--of", "JSON", "-o", "-")
    told = json.loads(sh(scanner, *words, python).stdout)
    assert sorted(map(_normal, purls(told, "pypi"))) == purls(sbom, "pypi")
    refs = {it["bom-ref"]: _normal(it["purl"]) for it in told["components"]}
    scanned = {
        (refs[it["ref"]], refs[on]) for it in told["dependencies"] for on in it.get("dependsOn", ())
    }
    ours = {
        (it["ref"], on)
        for it in sbom["dependencies"]
        for on in it.get("dependsOn", ())
        if it["ref"].startswith("pkg:pypi/")
    }
    # It counts extras that nobody asked for.
    assert ours <= scanned


def test_every_record_is_true(tree: Path) -> None:
    """Each file that a wheel's RECORD names is there, of this size and hash; no .pyc."""
    wrong = []
    lines = 0
    for dist in distributions(tree):
        for name, digest, size in _record(dist):
            lines += 1
            path = site(tree) / name
            if not path.is_file():
                wrong.append(f"{dist.name}: {name}: is not there")
                continue
            data = path.read_bytes()
            if digest and digest != _digest(data):
                wrong.append(f"{dist.name}: {name}: has another hash")
            if size and int(size) != len(data):
                wrong.append(f"{dist.name}: {name}: has another size")
            if not digest and not name.endswith(".dist-info/RECORD"):
                wrong.append(f"{dist.name}: {name}: without a hash")
    assert wrong == []
    assert lines > 500


def test_every_debian_package_is_found(tree: Path, sbom: dict[str, Any]) -> None:
    """Each file in status.d is a stanza named like its package, and the SBOM has just these."""
    root = packages.in_folder(tree)
    files = {path.name for path in (tree / "var/lib/dpkg/status.d").iterdir()}
    named = {stanza["Package"] for stanza in root.debian}
    assert named == {file for file in files if not file.endswith(".md5sums")}
    found = {(it["name"], it["version"]) for it in sbom["components"] if _is_debian(it)}
    assert found == {(stanza["Package"], stanza["Version"]) for stanza in root.debian}
    assert {"libc6", "libssl3t64", "python3.13-minimal"} <= named


def test_the_distribution_is_named(tree: Path, sbom: dict[str, Any]) -> None:
    """os-release has ID and VERSION_ID, as the SBOM and its purls have them."""
    release = packages.in_folder(tree).os_release
    (system,) = (it for it in sbom["components"] if it["type"] == "operating-system")
    assert (system["name"], system["version"]) == (release["ID"], release["VERSION_ID"])
    distro = f"distro={release['ID']}-{release['VERSION_ID']}"
    assert all(distro in purl for purl in purls(sbom, "deb"))


def test_the_sbom_names_luggage_and_the_project(sbom: dict[str, Any]) -> None:
    """luggage with the version that packed it, which no dist-info tells, and the project."""
    (ours,) = (it for it in sbom["components"] if it["name"] == OURS)
    (tool,) = sbom["metadata"]["tools"]["components"]
    assert ours["version"] == tool["version"] == __version__
    assert sbom["metadata"]["component"]["name"] == "example"


def test_the_command_prints_the_packed_bytes(built: Built, tree: Path) -> None:
    """`sbom IMAGE` gives the very bytes of the image, `sbom PEX` the same without Debian's part."""
    words = (sys.executable, "-m", "deploy", "sbom")
    of_image = sh(*words, built.image, cwd=built.folder).stdout
    assert of_image.encode() == (tree / SBOM).read_bytes()
    of_pex = json.loads(sh(*words, "build/example.pex", cwd=built.folder).stdout)
    wheels = [it for it in json.loads(of_image)["components"] if not _is_system(it)]
    assert of_pex["components"] == wheels


def _record(dist: Distribution) -> Iterator[tuple[str, str, str]]:
    text = dist.read_text("RECORD")
    assert text, f"{dist.name}: no RECORD"
    for name, digest, size in csv.reader(text.splitlines()):
        if not name.endswith(".pyc"):
            yield name, digest, size


def _digest(data: bytes) -> str:
    encoded = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=")
    return f"sha256={encoded.decode()}"


def _normal(purl: str) -> str:
    """With the name as PyPI compares names."""
    parsed = PackageURL.from_string(purl)
    return PackageURL("pypi", None, canonicalize_name(parsed.name), parsed.version).to_string()


def _is_debian(component: dict[str, Any]) -> bool:
    return str(component.get("purl", "")).startswith("pkg:deb/")


def _is_system(component: dict[str, Any]) -> bool:
    return _is_debian(component) or component["type"] == "operating-system"
