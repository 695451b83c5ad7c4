"""luggage.seal.sbom: CycloneDX by its official schema, every package once, and the same bytes."""

from __future__ import annotations

import json
import os
import random
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from hypothesis import given, settings
from hypothesis import strategies as st
from packageurl import PackageURL

from luggage.errors import LuggageError
from luggage.seal import graph, sbom
from luggage.seal.packages import Wheel

ROOT = Path(__file__).resolve().parents[2]
MARKERS = {
    "implementation_name": "cpython",
    "implementation_version": "3.13.5",
    "os_name": "posix",
    "platform_machine": "x86_64",
    "platform_python_implementation": "CPython",
    "platform_release": "",
    "platform_system": "Linux",
    "platform_version": "",
    "python_full_version": "3.13.5",
    "python_version": "3.13",
    "sys_platform": "linux",
}
RELEASE = {"ID": "debian", "VERSION_ID": "13", "PRETTY_NAME": "Debian GNU/Linux 13 (trixie)"}
VALID = JsonStrictValidator(SchemaVersion.V1_6)


def wheel(name: str, *fields: str, version: str = "1.0", description: str = "") -> Wheel:
    """A wheel whose METADATA has these fields besides its name and version."""
    lines = ["Metadata-Version: 2.4", f"Name: {name}", f"Version: {version}", *fields]
    return Wheel(name, version, f"{len(name):064x}", "\n".join(lines) + f"\n\n{description}")


def stanza(package: str, version: str = "1.0-1", **fields: str) -> dict[str, str]:
    return {
        "Package": package,
        "Version": version,
        "Architecture": "amd64",
        "Maintainer": "A Person <a@example.org>",
        **{name.replace("_", "-"): value for name, value in fields.items()},
    }


WHEELS = (
    wheel("Zope.Interface", "License-Expression: ZPL-2.1", version="8.7"),
    wheel("plain"),
    wheel("own", "License-Expression: mit OR LicenseRef-Own"),
    wheel("author", "Author: Łukasz Žižka, 山田", "Author-email: Ōe <oe@example.org>"),
    wheel("needy", 'Requires-Dist: Plain[fast,odd]>=1; python_version >= "3"'),
    wheel("by-url", "Requires-Dist: plain @ https://example.org/plain-1.0.tar.gz"),
    wheel("elsewhere", 'Requires-Dist: plain; sys_platform == "win32"', "Requires-Dist: absent"),
    wheel("broken", "Requires-Dist: ??? not one", "Requires-Dist: own"),
)
DEBIAN = (
    stanza("libc6", "2.41-12+deb13u4", Source="glibc", Description="GNU C Library\n more of it"),
    stanza("zlib1g", "1:1.3~rc1-1+b1", Source="zlib (1:1.3~rc1-1)", Depends="libc6 (>= 2.14)"),
    stanza("tzdata", Architecture="all", Maintainer="nobody"),
)


def made(
    wheels: Sequence[Wheel] = WHEELS, debian: Sequence[Mapping[str, str]] = (), **more: Any
) -> dict[str, Any]:
    """The SBOM as an object, after its strict validation by the official schema."""
    text = sbom.make(
        project="example",
        luggage="0.1.0",
        wheels=wheels,
        debian=debian,
        os_release=RELEASE if debian else {},
        markers=MARKERS,
        **more,
    ).decode("ascii")
    assert VALID.validate_str(text) is None
    members: dict[str, Any] = json.loads(text)
    return members


def component(members: Mapping[str, Any], name: str) -> dict[str, Any]:
    (found,) = (it for it in members["components"] if it["name"] == name)
    return dict(found)


def needed(members: Mapping[str, Any], ref: str) -> list[str]:
    (found,) = (it for it in members["dependencies"] if it["ref"] == ref)
    return list(found.get("dependsOn", ()))


def test_the_schema_refuses() -> None:
    """The oracle of these tests can fail: a member that CycloneDX does not know is told."""
    assert VALID.validate_str(json.dumps({**made(), "commit": "f" * 40})) is not None


def test_every_package_is_there_once() -> None:
    """Each wheel with version and the hash of the lock, each Debian package, luggage, the OS."""
    members = made(WHEELS, DEBIAN)
    found = [(it["name"], it["version"], it.get("hashes")) for it in members["components"]]
    expected = [
        (it.name.lower().replace(".", "-"), it.version, [{"alg": "SHA-256", "content": it.sha256}])
        for it in WHEELS
    ]
    expected += [(it["Package"], it["Version"], None) for it in DEBIAN]
    expected += [("luggage", "0.1.0", None), ("debian", "13", None)]
    assert sorted(found) == sorted(expected)
    assert members["metadata"]["component"]["name"] == "example"
    assert [it["version"] for it in members["metadata"]["tools"]["components"]] == ["0.1.0"]


def test_nothing_of_the_moment_is_in_it() -> None:
    """No clock and nothing random: the number follows from the content."""
    one, other = made(), made(WHEELS[:-1])
    assert "timestamp" not in one["metadata"]
    assert one["serialNumber"] == made()["serialNumber"] != other["serialNumber"]
    assert re.fullmatch(r"urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-.*", one["serialNumber"])


def test_order_does_not_matter() -> None:
    """The same packages in any order give the same bytes."""
    order = random.Random(4)
    expected = made(WHEELS, DEBIAN)
    for _ in range(20):
        mixed, packed = list(WHEELS), list(DEBIAN)
        order.shuffle(mixed)
        order.shuffle(packed)
        assert made(mixed, packed) == expected


def test_these_very_bytes() -> None:
    """One wheel gives these bytes, on whichever Python the suite runs."""
    assert sbom.make(
        project="example",
        luggage="0.1.0",
        wheels=[wheel("plain", "License: MIT", "Summary: ünïcödé")],
        markers=MARKERS,
        needs=["plain"],
    ) == (
        b'{"$schema":"http://cyclonedx.org/schema/bom-1.6.schema.json","bomFormat":"CycloneDX",'
        b'"components":[{"bom-ref":"pkg:generic/luggage@0.1.0",'
        b'"licenses":[{"license":{"id":"MIT"}}],"name":"luggage",'
        b'"purl":"pkg:generic/luggage@0.1.0","type":"library","version":"0.1.0"},'
        b'{"bom-ref":"pkg:pypi/plain@1.0","description":"\\u00fcn\\u00efc\\u00f6d\\u00e9",'
        b'"hashes":[{"alg":"SHA-256","content":"' + b"0" * 63 + b'5"}],'
        b'"licenses":[{"license":{"acknowledgement":"declared","id":"MIT"}}],"name":"plain",'
        b'"purl":"pkg:pypi/plain@1.0","type":"library","version":"1.0"}],'
        b'"dependencies":[{"dependsOn":["pkg:pypi/plain@1.0"],"ref":"pkg:generic/luggage@0.1.0"},'
        b'{"ref":"pkg:pypi/plain@1.0"},{"dependsOn":["pkg:generic/luggage@0.1.0"],'
        b'"ref":"project"}],"metadata":{"component":{"bom-ref":"project","name":"example",'
        b'"type":"application"},"tools":{"components":[{"name":"luggage","type":"application",'
        b'"version":"0.1.0"}]}},"serialNumber":"urn:uuid:39dda3c9-e053-5eaf-90c5-3307182aa3ea",'
        b'"specVersion":"1.6","version":1}\n'
    )


SCRIPT = """\
import sys
sys.path[:0] = sys.argv[1:]
import test_sbom
print(test_sbom.digest())
"""


def digest() -> str:
    """What a process of another hash seed is asked for."""
    return str(made(WHEELS, DEBIAN)["serialNumber"])


@pytest.mark.parametrize("seed", ["1", "4294967295"])
def test_another_hash_seed_gives_the_same(seed: str) -> None:
    """Nothing follows from the order of a set."""
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(ROOT), str(Path(__file__).parent)],
        env={**os.environ, "PYTHONHASHSEED": seed, "TZ": "Asia/Tokyo"},
        check=True,
        capture_output=True,
        text=True,
    )
    assert done.stdout.strip() == digest()


LICENCES: list[tuple[list[str], object]] = [
    ([], None),
    (["License: UNKNOWN"], None),
    (["License-Expression: mit"], [{"license": {"id": "MIT"}}]),
    (["License-Expression: MIT AND (Apache-2.0 OR 0BSD)"], "MIT AND (Apache-2.0 OR 0BSD)"),
    (["License-Expression: LicenseRef-Own"], "LicenseRef-Own"),
    (["License-Expression: no such", "License: BSD"], [{"license": {"name": "BSD"}}]),
    (["License: apache-2.0"], [{"license": {"id": "Apache-2.0"}}]),
    (
        ["License: Permission is granted\n        to all", "Classifier: Topic :: License"],
        [{"license": {"name": "see its text"}}],
    ),
    (
        [
            "License: UNKNOWN",
            "Classifier: License :: OSI Approved :: MIT License",
            "Classifier: License :: OSI Approved",
        ],
        [{"license": {"name": "MIT License"}}, {"license": {"name": "OSI Approved"}}],
    ),
]


@pytest.mark.parametrize(("fields", "expected"), LICENCES)
def test_a_licence_is_told_as_declared(fields: list[str], expected: object) -> None:
    """An SPDX expression where it is one, an id where that is all, a name otherwise."""
    found = component(made([wheel("plain", *fields)]), "plain").get("licenses")
    for entry in found or ():
        assert (entry.get("license") or entry).pop("acknowledgement") == "declared"
        entry.get("license", {}).pop("text", None)
    assert found == ([{"expression": expected}] if isinstance(expected, str) else expected)


def test_a_licence_text_is_kept() -> None:
    """Where the field holds the text itself, and nothing names it."""
    found = component(made([wheel("plain", "License: Permission is granted\n  to all")]), "plain")
    assert found["licenses"][0]["license"]["text"]["content"].startswith("Permission is granted")


def test_own_licence() -> None:
    """luggage's own licence is the one of setup.py."""
    (entry,) = component(made(), "luggage")["licenses"]
    assert f'license="{entry["license"]["id"]}"' in (ROOT / "setup.py").read_text("utf-8")


def test_authors_are_people_in_any_script() -> None:
    """Names in Unicode stay as they are; addresses are not repeated."""
    members = made()
    told = component(members, "author")["authors"]
    assert {"name": "Ōe"} in told
    assert "example.org" not in json.dumps(told)
    assert "authors" not in component(members, "plain")


def test_needs_are_among_what_is_there() -> None:
    """Only requirements that apply, of wheels that are there; an odd line stops nothing."""
    members = made()
    plain = ["pkg:pypi/plain@1.0"]
    assert needed(members, "pkg:pypi/needy@1.0") == plain
    assert needed(members, "pkg:pypi/by-url@1.0") == plain
    assert needed(members, "pkg:pypi/elsewhere@1.0") == []
    assert needed(members, "pkg:pypi/broken@1.0") == ["pkg:pypi/own@1.0"]


def test_every_component_hangs_on_the_project() -> None:
    """From the project each component is reached, in rings of packages too."""
    ring = [wheel("a", "Requires-Dist: b"), wheel("b", "Requires-Dist: a"), wheel("alone")]
    for members in (made(WHEELS, DEBIAN), made(ring), made([])):
        rest, reached = ["project"], set()
        while rest:
            ref = rest.pop()
            reached.add(ref)
            rest += set(needed(members, ref)) - reached
        assert reached == {"project", *(it["bom-ref"] for it in members["components"])}


def test_an_extra_counts_where_it_is_asked_for() -> None:
    """What only an extra needs is a need of the wheel, if another wheel asks for that extra."""
    asked = {
        "a": ["b[Fast_Path]"],
        "b": [
            'c; extra == "fast-path"',
            'd; extra == "other"',
            'b[more]; extra == "fast-path"',
            'e; extra == "more"',
        ],
        "c": [],
        "d": [],
        "e": [],
    }
    expected = {"a": {"b"}, "b": {"c", "e"}, "c": set(), "d": set(), "e": set()}
    assert graph.wheels(asked, MARKERS) == expected
    assert graph.unneeded(graph.wheels(asked, MARKERS)) == {"a", "d"}


def test_what_luggage_runs_on_hangs_on_luggage() -> None:
    """`needs` are luggage's own; a name that is not there is left out."""
    members = made(needs=["plain", "Zope_Interface", "absent"])
    assert needed(members, "pkg:generic/luggage@0.1.0") == [
        "pkg:pypi/plain@1.0",
        "pkg:pypi/zope-interface@8.7",
    ]


def test_luggage_as_a_wheel_is_there_once() -> None:
    """An app that takes luggage from its lock has it as one wheel like the others."""
    members = made([wheel(sbom.DISTRIBUTION, "Requires-Dist: plain"), wheel("plain")])
    assert {it["purl"] for it in members["components"]} == {
        f"pkg:pypi/{sbom.DISTRIBUTION}@1.0",
        "pkg:pypi/plain@1.0",
    }
    assert f'name="{sbom.DISTRIBUTION}"' in (ROOT / "setup.py").read_text("utf-8")


def test_another_project_called_luggage_is_another() -> None:
    """The name on PyPI is somebody else's: both are there, and a scanner takes neither for one."""
    members = made([wheel("luggage")])
    assert {it["purl"] for it in members["components"]} == {
        "pkg:generic/luggage@0.1.0",
        "pkg:pypi/luggage@1.0",
    }


def test_a_debian_version_with_epoch_and_tilde() -> None:
    """The purl gives back the version, and names the source package that advisories are of."""
    purl = component(made(WHEELS, DEBIAN), "zlib1g")["purl"]
    assert purl == (
        "pkg:deb/debian/zlib1g@1:1.3~rc1-1%2Bb1"
        "?arch=amd64&distro=debian-13&upstream=zlib%401:1.3~rc1-1"
    )
    parsed = PackageURL.from_string(purl)
    assert (parsed.type, parsed.namespace, parsed.name) == ("deb", "debian", "zlib1g")
    assert parsed.version == "1:1.3~rc1-1+b1"


def test_what_debian_says_is_told() -> None:
    """Maintainer, source package, the first line of the description, and what needs what."""
    members = made(WHEELS, DEBIAN)
    found = component(members, "libc6")
    assert found["description"] == "GNU C Library"
    assert found["supplier"] == {
        "name": "A Person",
        "contact": [{"name": "A Person", "email": "a@example.org"}],
    }
    assert {it["name"]: it["value"] for it in found["properties"]} == {
        "luggage:debian:source": "glibc",
        "luggage:debian:source-version": "2.41-12+deb13u4",
    }
    assert component(members, "tzdata")["supplier"] == {"name": "nobody"}
    assert needed(members, component(members, "zlib1g")["bom-ref"]) == [found["bom-ref"]]
    assert component(members, "debian")["type"] == "operating-system"


def test_a_package_twice_is_refused() -> None:
    """Everything that is there twice is told at once, under whichever spelling."""
    with pytest.raises(LuggageError) as caught:
        made([*WHEELS, wheel("zope_interface"), wheel("Plain")], [*DEBIAN, DEBIAN[0]])
    assert caught.value.message.splitlines() == [
        "SBOM: package libc6: is there twice",
        "SBOM: wheel plain: is there twice",
        "SBOM: wheel zope-interface: is there twice",
    ]


LINES = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]), max_size=60)


@settings(deadline=None)
@given(summary=LINES, author=LINES, email=LINES, licence=LINES, needs=LINES, keeper=LINES)
def test_any_text_gives_a_valid_sbom(
    summary: str, author: str, email: str, licence: str, needs: str, keeper: str
) -> None:
    """Whatever a package says of itself, the SBOM is valid, and the same the second time."""
    wheels = [
        wheel(
            "plain",
            f"Summary: {summary}",
            f"Author: {author}",
            f"Author-email: {email}",
            f"License: {licence}",
            f"License-Expression: {licence}",
            f"Requires-Dist: {needs}",
            f"Classifier: License :: {licence}",
        )
    ]
    debian = [stanza("x", Maintainer=f"{author} <{email}>", Source=keeper, Depends=needs)]
    assert made(wheels, debian) == made(wheels, debian)
