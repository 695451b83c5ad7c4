"""What the image and the pex hold, and what a container shows: neither the key nor a value."""

from __future__ import annotations

import base64
import io
import subprocess
import tarfile
import zipfile
from collections.abc import Iterator

import pytest
from engines import CANARY, Built, Engine

from luggage.crypto import Secret, keys

pytestmark = pytest.mark.engine
READER = """\
import os
for pid in [it for it in os.listdir("/proc") if it.isdigit() and int(it) != os.getpid()]:
    for name in ("environ", "mem", "maps"):
        try:
            open(f"/proc/{pid}/{name}", "rb").read(1 if name != "mem" else 0)
            print("read", pid, name)
        except PermissionError:
            print("hidden", pid, name)
        except FileNotFoundError:
            pass
    try:
        print("read", pid, "fd", os.listdir(f"/proc/{pid}/fd"))
    except PermissionError:
        print("hidden", pid, "fd")
    except FileNotFoundError:
        pass
"""


def spellings(key: str) -> list[bytes]:
    """The canary and the key, as text, in hex and in base64."""
    raw: bytes = keys.parse_keys(Secret(key)).keys[0].reveal()
    found = [key.encode(), raw, raw.hex().encode()]
    found += [CANARY.encode(), CANARY.encode().hex().encode()]
    return found + [
        base64.b64encode(CANARY.encode()[cut : cut + (len(CANARY) - cut) // 3 * 3])
        for cut in range(3)
    ]


def inside(name: str, data: bytes) -> Iterator[tuple[str, bytes]]:
    """A file, and every file in it where it is an archive, and so on."""
    yield name, data
    if data[257:262] == b"ustar":
        with tarfile.open(fileobj=io.BytesIO(data)) as layers:
            for entry in layers.getmembers():
                file = layers.extractfile(entry) if entry.isfile() else None
                if file is not None:
                    yield from inside(f"{name}/{entry.name}", file.read())
    else:
        for member, content in members(data):
            yield from inside(f"{name}/{member}", content)


def members(data: bytes) -> list[tuple[str, bytes]]:
    """What is in a zip, nothing where it is none: some programs only have the mark of one."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return [(it, archive.read(it)) for it in archive.namelist()]
    except zipfile.BadZipFile:
        return []


def search(name: str, data: bytes, wanted: list[bytes]) -> tuple[list[str], int]:
    """Which files hold what is looked for, and how many there were."""
    found, count = [], 0
    for path, content in inside(name, data):
        count += 1
        if any(it in content for it in wanted):
            found.append(path)
    return found, count


def test_image_and_its_history_hold_neither_key_nor_value(
    dirty: Built, docker: Engine, demo_key: str
) -> None:
    """Every layer, file by file, archives within archives; and what the engine tells of it."""
    words = [*docker.command, "save", dirty.image]
    saved = subprocess.run(words, check=True, capture_output=True, env=docker.environ).stdout
    found, count = search("image", saved, spellings(demo_key))
    assert found == []
    assert count > 1000
    told = docker("history", "--no-trunc", dirty.image) + docker("inspect", dirty.image)
    assert not any(it in told.encode() for it in spellings(demo_key))


@pytest.mark.parametrize(
    ("name", "members"),
    [("example.pex", 50), ("manifest.json", 1), ("seal.json", 1), ("app.tar", 40), ("seal.tar", 1)],
)
def test_artifacts_hold_neither_key_nor_value(
    dirty: Built, demo_key: str, name: str, members: int
) -> None:
    """The pex's bytes, and each member as it is when it is taken out."""
    data = (dirty.folder / "build" / name).read_bytes()
    found, count = search(name, data, spellings(demo_key))
    assert found == []
    assert count >= members
    assert not any(it in f"{dirty.out}{dirty.err}".encode() for it in spellings(demo_key))


def test_the_search_opens_archives(demo_key: str) -> None:
    """A value in a compressed member of an archive in an archive is found."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("config.py", f"PASSWORD = '{CANARY}'" * 9)
    outer = io.BytesIO()
    with tarfile.open(fileobj=outer, mode="w") as tar:
        member = tarfile.TarInfo("app.pex")
        member.size = len(packed.getvalue())
        tar.addfile(member, io.BytesIO(packed.getvalue()))
    found, _ = search("layer", outer.getvalue(), spellings(demo_key))
    assert found == ["layer/app.pex/config.py"]


def test_another_process_of_the_container_sees_nothing(
    built: Built, docker: Engine, demo_key: str
) -> None:
    """Same user, same container: memory, environment and descriptors of all others are hidden."""
    with docker.created(built.image, "--cap-drop", "ALL") as container:
        container.give("/run/secrets/SECRET_KEY", demo_key.encode() + b"\n")
        docker("start", container.name)
        container.serves()
        # A process that is just starting is not hidden yet, as docs/secrets.md says.
        container.wait_for(lambda: "INFO said: " in container.logs())
        said = docker("exec", container.name, "/app/bin/python", "-I", "-c", READER).splitlines()
        assert [line for line in said if line.startswith("read")] == []
        assert len({line.split()[1] for line in said}) >= 5
        # Hidden from its own user it still works: it is asked, and it stops in order.
        assert container.get()[0] == 200
        docker("stop", container.name)
        assert container.status() == 0
        assert demo_key not in container.logs()


def test_an_init_in_front_that_keeps_the_key_is_told_of(
    built: Built, docker: Engine, demo_key: str
) -> None:
    """`docker run --init -e SECRET_KEY`: the init has the key still, so the log says so once."""
    with docker.running(built.image, "--init", key=demo_key) as container:
        container.serves()
        warnings = [line for line in container.logs().splitlines() if "warning:" in line]
        [warning] = warnings
        assert "process 1 (" in warning and "keeps SECRET_KEY" in warning
        assert demo_key not in container.logs()
    with docker.running(built.image, key=demo_key) as container:
        container.serves()
        assert "warning:" not in container.logs()
