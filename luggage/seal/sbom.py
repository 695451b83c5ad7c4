"""What each package says of itself → a CycloneDX SBOM (https://cyclonedx.org), the same bytes for
the same packages.
"""

from __future__ import annotations

import hashlib
import json
import re
import uuid
from collections.abc import Iterable, Mapping, Sequence
from email.utils import getaddresses, parseaddr

from cyclonedx.model import AttachedText, HashAlgorithm, HashType, Property
from cyclonedx.model.bom import Bom, BomMetaData
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.contact import OrganizationalContact, OrganizationalEntity
from cyclonedx.model.license import (
    DisjunctiveLicense,
    License,
    LicenseAcknowledgement,
    LicenseExpression,
)
from cyclonedx.model.tool import ToolRepository
from cyclonedx.output.json import JsonV1Dot6
from cyclonedx.spdx import fixup_id
from packageurl import PackageURL
from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression
from packaging.markers import default_environment
from packaging.metadata import RawMetadata, parse_email
from packaging.utils import canonicalize_name

from luggage.errors import LuggageError, all_wrong
from luggage.seal import graph
from luggage.seal.packages import Wheel

DISTRIBUTION = "sealed-luggage"

_OF_SBOMS = uuid.UUID("51bd1e7a-57f5-5f5c-8a0c-9d8f4c1e4a35")
# Where a project puts the whole text of its licence into the field, that is no name.
_LONGEST_NAME = 100
_EMAIL = re.compile(r"[A-Za-z0-9._+-]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+")
_OURS = "MIT"
_SOURCE = re.compile(r"(?P<name>[^ (]+)(?: +\((?P<version>[^)]+)\))?")


def make(
    *,
    project: str,
    luggage: str,
    wheels: Sequence[Wheel],
    debian: Sequence[Mapping[str, str]] = (),
    os_release: Mapping[str, str] | None = None,
    markers: Mapping[str, str] | None = None,
    needs: Iterable[str] = (),
) -> bytes:
    """The SBOM of an artifact of `project`, packed by version `luggage` of luggage.

    `debian` and `os_release` are of the image's root, and none for a pex. `markers` are of the
    Python that it is for: by default the running one's. `needs` names the wheels that luggage
    itself runs on. No clock and no source of the project's goes into it. Raises LuggageError where
    a package is there twice.
    """
    release = os_release or {}
    told = {wheel: parse_email(wheel.metadata)[0] for wheel in wheels}
    names: dict[str, Wheel] = {canonicalize_name(wheel.name): wheel for wheel in wheels}
    _once([*(f"wheel {canonicalize_name(it.name)}" for it in wheels), *map(_package, debian)])

    parts = {name: _wheel(wheel, told[wheel]) for name, wheel in names.items()}
    asked = {name: told[wheel].get("requires_dist", []) for name, wheel in names.items()}
    links = dict(graph.wheels(asked, markers or _markers()))
    if DISTRIBUTION not in parts:
        # Not of type pypi: packed from its sources, it is no file of that index.
        purl = PackageURL("generic", None, "luggage", luggage)
        ours = parts[DISTRIBUTION] = _component("luggage", luggage, purl)
        ours.licenses = [DisjunctiveLicense(id=_OURS)]
        links[DISTRIBUTION] = frozenset(map(canonicalize_name, needs)) & set(names)
    root = Component(name=project, type=ComponentType.APPLICATION, bom_ref="project")
    metadata = BomMetaData(
        component=root,
        tools=ToolRepository(
            components=[Component(name="luggage", version=luggage, type=ComponentType.APPLICATION)]
        ),
    )
    bom = Bom(metadata=metadata, components=parts.values())
    below = _linked(bom, parts, links)
    if debian:
        system = _system(release)
        packages = {stanza["Package"]: _debian(stanza, release) for stanza in debian}
        bom.components |= {system, *packages.values()}
        bom.register_dependency(system, _linked(bom, packages, graph.debian(debian)))
        below.append(system)
    bom.register_dependency(root, below)
    return _written(bom)


def _written(bom: Bom) -> bytes:
    members = json.loads(JsonV1Dot6(bom).output_as_string())
    # The library's own are of this moment, and random.
    del members["metadata"]["timestamp"], members["serialNumber"]
    digest = hashlib.sha256(_canonical(members)).hexdigest()
    return _canonical({**members, "serialNumber": uuid.uuid5(_OF_SBOMS, digest).urn})


def _canonical(members: object) -> bytes:
    return json.dumps(members, sort_keys=True, separators=(",", ":")).encode("ascii") + b"\n"


def _linked(bom: Bom, parts: Mapping[str, Component], links: graph.Needs) -> list[Component]:
    """Note who needs whom; the components that nobody else needs."""
    for name in sorted(links):
        bom.register_dependency(parts[name], [parts[other] for other in sorted(links[name])])
    return [parts[name] for name in sorted(graph.unneeded(links))]


def _wheel(wheel: Wheel, told: RawMetadata) -> Component:
    name = canonicalize_name(wheel.name)
    component = _component(name, wheel.version, PackageURL("pypi", None, name, wheel.version))
    component.description = told.get("summary")
    component.hashes = [HashType(alg=HashAlgorithm.SHA_256, content=wheel.sha256)]
    component.licenses = _licences(told)
    people = getaddresses([told.get("author", ""), told.get("author_email", "")])
    component.authors = [OrganizationalContact(name=who) for who, _ in people if who]
    return component


def _debian(stanza: Mapping[str, str], release: Mapping[str, str]) -> Component:
    name, version = stanza["Package"], stanza["Version"]
    named = _SOURCE.fullmatch(stanza.get("Source", name).strip())
    source, of = named.group("name", "version") if named else (name, None)
    distribution = "-".join(filter(None, [release.get("ID"), release.get("VERSION_ID")]))
    qualifiers = {"arch": stanza["Architecture"], "distro": distribution}
    if source != name or of:
        # As syft writes it, and grype reads it: Debian's advisories are of source packages.
        qualifiers["upstream"] = f"{source}@{of}" if of else source
    place = release.get("ID", "debian")
    component = _component(name, version, PackageURL("deb", place, name, version, qualifiers))
    component.description = stanza.get("Description", "").partition("\n")[0] or None
    component.supplier = _supplier(stanza["Maintainer"])
    component.properties = [
        Property(name="luggage:debian:source", value=source),
        Property(name="luggage:debian:source-version", value=of or version),
    ]
    return component


def _supplier(maintainer: str) -> OrganizationalEntity:
    name, address = parseaddr(maintainer)
    email = address if _EMAIL.fullmatch(address) else None
    contacts = [OrganizationalContact(name=name or None, email=email)] if email else []
    return OrganizationalEntity(name=name or maintainer, contacts=contacts)


def _system(release: Mapping[str, str]) -> Component:
    return Component(
        name=release.get("ID", "linux"),
        version=release.get("VERSION_ID"),
        description=release.get("PRETTY_NAME"),
        type=ComponentType.OPERATING_SYSTEM,
        bom_ref="operating-system",
    )


def _component(name: str, version: str, purl: PackageURL) -> Component:
    return Component(
        name=name,
        version=version,
        purl=purl,
        type=ComponentType.LIBRARY,
        bom_ref=purl.to_string(),
    )


def _licences(told: RawMetadata) -> list[License]:
    """What a wheel's METADATA declares, the field of PEP 639 before its forerunners."""
    declared = LicenseAcknowledgement.DECLARED
    field = told.get("license", "").strip()
    is_text = "\n" in field or len(field) > _LONGEST_NAME
    for expression in (told.get("license_expression", ""), "" if is_text else field):
        try:
            canonical = canonicalize_license_expression(expression)
        except InvalidLicenseExpression:
            continue
        if known := fixup_id(canonical):
            return [DisjunctiveLicense(id=known, acknowledgement=declared)]
        return [LicenseExpression(canonical, acknowledgement=declared)]
    parts = (it.strip().split(" :: ") for it in told.get("classifiers", []))
    names = {named[-1] for named in parts if named[0] == "License" and len(named) > 1}
    if is_text and not names:
        text = AttachedText(content=field)
        return [DisjunctiveLicense(name="see its text", text=text, acknowledgement=declared)]
    if field and not is_text and field.upper() != "UNKNOWN":
        names = {field}
    return [DisjunctiveLicense(name=name, acknowledgement=declared) for name in sorted(names)]


def _package(stanza: Mapping[str, str]) -> str:
    return f"package {stanza['Package']}"


def _once(names: Sequence[str]) -> None:
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise LuggageError(all_wrong(f"SBOM: {name}: is there twice" for name in twice))


def _markers() -> Mapping[str, str]:
    return {name: str(value) for name, value in default_environment().items()}
