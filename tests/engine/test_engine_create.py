"""`./create` with Docker: what it makes, says, reuses, refuses and leaves behind."""

from __future__ import annotations

import base64
import hashlib
import http.server
import ipaddress
import json
import os
import re
import shutil
import signal
import threading
import time
import zipfile
from pathlib import Path

import pytest
from engines import ARTIFACTS, CANARY, IMAGE, PROXIED, Built, Engine, commit, sh, started

pytestmark = pytest.mark.engine


def _digests(folder: Path) -> dict[str, str]:
    build = folder / "build"
    return {name: hashlib.sha256((build / name).read_bytes()).hexdigest() for name in ARTIFACTS}


def test_result_is_one_line_and_the_last_is_the_command(built: Built) -> None:
    """stdout is the image's name alone; stderr ends with the command to type next."""
    head = sh("git", "rev-parse", "HEAD", cwd=built.folder).stdout.strip()
    assert built.out == f"{IMAGE}:{head[:12]}\n"
    command = f'docker run --rm -e SECRET_KEY="$(cat demo.key)" -p 8000:8000 {IMAGE}'
    assert built.err.rstrip().splitlines()[-1].strip() == command


def test_build_folder_holds_the_artifacts_and_nothing_half_made(built: Built) -> None:
    """build/ has whole artifacts of the user's own, and no temporary file."""
    found = {path.name for path in (built.folder / "build").iterdir()}
    assert found == {*ARTIFACTS, ".inputs"}
    assert {path.stat().st_uid for path in (built.folder / "build").iterdir()} == {os.getuid()}
    manifest = json.loads((built.folder / "build/manifest.json").read_text())
    head = sh("git", "rev-parse", "HEAD", cwd=built.folder).stdout.strip()
    assert (manifest["commit"], manifest["dirty"]) == (head, False)


def test_second_create_reuses_and_says_so(built: Built, docker: Engine, tmp_path: Path) -> None:
    """With nothing changed it takes under three seconds, from any folder, and says so.

    Another program may disturb a measurement: it is repeated twice, and all results are told.
    """
    before = _digests(built.folder)
    results: list[float] = []
    while not any(seconds < 3 for seconds in results):
        assert len(results) < 3, results
        begin = time.monotonic()
        done = docker.create(built.folder, cwd=tmp_path)
        results.append(time.monotonic() - begin)
    assert done.stdout == built.out
    assert re.search(r"^pex .*reused", done.stderr, re.MULTILINE)
    assert re.search(r"^image .*reused", done.stderr, re.MULTILINE)
    assert f'"$(cat {built.folder}/demo.key)"' in done.stderr
    assert _digests(built.folder) == before


def test_altered_artifact_is_not_reused(built: Built, docker: Engine, tmp_path: Path) -> None:
    """A pex in build/ that is not the one that was made is made again, with the same bytes."""
    folder = tmp_path / "another path"
    shutil.copytree(built.folder, folder)
    (folder / "build/example.pex").write_bytes(b"something else")
    done = docker.create(folder, TZ="Asia/Tokyo")
    assert "reused: nothing has changed" not in done.stderr
    assert _digests(folder) == _digests(built.folder)


def test_altered_or_missing_layers_are_not_used(
    built: Built, docker: Engine, tmp_path: Path
) -> None:
    """What lies in build/ goes into an image only as it was noted; else it is made anew."""
    folder = tmp_path / "project"
    shutil.copytree(built.folder, folder)
    with (folder / "luggage/errors.py").open("a") as module:
        module.write("\n# another\n")
    commit(folder, "another luggage")
    (folder / "build/root.tar").unlink()
    with (folder / "build/deps.tar").open("r+b") as tar:
        tar.seek(1_000_000)
        tar.write(b"altered")
    docker.create(folder)
    made, before = _digests(folder), _digests(built.folder)
    assert {name for name in made if made[name] != before[name]} == {
        *("example.pex", "manifest.json", "seal.json"),
        *("luggage.tar", "app.tar", "seal.tar"),
    }


@pytest.mark.parametrize("mode", ["-c", "-x"])
def test_a_tar_that_fails_ends_it(built: Built, docker: Engine, tmp_path: Path, mode: str) -> None:
    """Half of the sources, or half of an artifact, is no result: the old one stays."""
    folder = tmp_path / "project"
    shutil.copytree(built.folder, folder)
    with (folder / "example_app/page.py").open("a") as page:
        page.write("\n# another\n")
    before = _digests(folder)
    tools = tmp_path / "bin"
    tools.mkdir()
    real = shutil.which("tar")
    fails = f'case " $* " in *" {mode} "*) echo "tar: No such luck" >&2; exit 2;; esac'
    (tools / "tar").write_text(f'#!/bin/sh\n{fails}\nexec {real} "$@"\n')
    (tools / "tar").chmod(0o755)
    done = docker.create(folder, check=False, PATH=f"{tools}:{os.environ['PATH']}")
    assert (done.returncode, done.stdout) == (1, "")
    assert "tar: No such luck" in done.stderr
    assert re.search(r"^error: create: what (is to be|was) packed cannot be", done.stderr, re.M)
    assert _digests(folder) == before


def test_check_packs_twice_and_says_so(built: Built, docker: Engine) -> None:
    """--check: another user, place and time zone, nothing kept: the same bytes and layers."""
    done = docker.create(built.folder, "--check")
    assert done.stdout == built.out
    assert "check    packed twice, differently: the same bytes of 9 files\n" in done.stderr
    assert "check    the image's 5 layers twice: the same\n" in done.stderr
    assert docker("images", "-q", "--filter", "reference=luggage-deps:check-*") == ""


def test_dirty_builds_leave_no_nameless_image(built: Built, docker: Engine, tmp_path: Path) -> None:
    """The image that lost its last name is gone."""
    folder = tmp_path / "project"
    shutil.copytree(built.folder, folder)
    nameless = ("images", "-q", "--filter", "dangling=true", "--filter", "label=luggage.seal")
    before = set(docker(*nameless).split())
    for number in range(2):
        with (folder / "example_app/page.py").open("a") as page:
            page.write(f"\n# {number}\n")
        docker.create(folder)
    assert set(docker(*nameless).split()) <= before


def test_dirty_tree_is_tagged_so_and_moves_latest(
    dirty: Built, built: Built, docker: Engine
) -> None:
    """Two at once in one checkout both succeed; the tag says dirty, and `latest` is this one."""
    assert dirty.image == f"{built.image}-dirty"
    docker.create(built.folder)
    assert docker.inspect(f"{IMAGE}:latest", "{{.Id}}") == docker.inspect(built.image, "{{.Id}}")
    docker.create(dirty.folder, no_proxy=PROXIED)
    assert docker.inspect(f"{IMAGE}:latest", "{{.Id}}") == docker.inspect(dirty.image, "{{.Id}}")
    assert json.loads((dirty.folder / "build/manifest.json").read_text())["dirty"] is True
    noted = (dirty.folder / "build/.inputs").read_text().splitlines()
    assert {line.split()[2]: line.split()[1] for line in noted} == _digests(dirty.folder)


def test_without_git_it_is_unversioned(built: Built, docker: Engine, tmp_path: Path) -> None:
    """An unpacked download packs, and its tag, label and manifest say that no commit is known."""
    folder = tmp_path / "download"
    shutil.copytree(built.folder, folder, ignore=shutil.ignore_patterns(".git", "build"))
    environ = {"GIT_CEILING_DIRECTORIES": str(tmp_path)}
    done = docker.create(folder, **environ)
    assert done.stdout == f"{IMAGE}:unversioned\n"
    label = docker.inspect(f"{IMAGE}:unversioned", _label("org.opencontainers.image.revision"))
    assert label == "unversioned"
    manifest = json.loads((folder / "build/manifest.json").read_text())
    assert (manifest["commit"], manifest["dirty"]) == (None, True)


def test_secret_value_is_nowhere(dirty: Built, docker: Engine, tmp_path: Path) -> None:
    """The value that was sealed is in no file of the tree, the pex or the image, nor a proxy's."""
    wanted = (CANARY.encode(), PROXIED.encode())
    with zipfile.ZipFile(dirty.folder / "build/example.pex") as pex:
        members = [pex.read(name) for name in pex.namelist()]
    saved = tmp_path / "image.tar"
    docker("save", "-o", saved, dirty.image)
    files = [path.read_bytes() for path in dirty.folder.rglob("*") if path.is_file()]
    history = docker("history", "--no-trunc", dirty.image).encode()
    for content in (*members, *files, saved.read_bytes(), history):
        assert not any(word in content for word in wanted)


def test_key_file_in_the_tree_is_refused(built: Built, docker: Engine, tmp_path: Path) -> None:
    """A private key among the sources stops the packing, by its name, before anything is made."""
    folder = tmp_path / "project"
    shutil.copytree(built.folder, folder, ignore=shutil.ignore_patterns("build"))
    (folder / "example_deploy/prod.key").write_text("anything\n")
    sh("git", "add", "-f", "example_deploy/prod.key", cwd=folder)
    done = docker.create(folder, check=False)
    assert done.returncode == 1
    assert "example_deploy/prod.key: a private key is never packed" in done.stderr
    assert list((folder / "build").iterdir()) == []


def test_interrupted_create_leaves_nothing(built: Built, docker: Engine, tmp_path: Path) -> None:
    """Ctrl-C while packing ends it soon, with no container, temporary file or artifact left."""
    folder = tmp_path / "project"
    shutil.copytree(built.folder, folder, ignore=shutil.ignore_patterns("build"))
    with (folder / "example_app/page.py").open("a") as page:
        page.write("\n# another\n")
    environ = {**docker.environ, "ENGINE": "docker"}
    with started([folder / "create", "-v"], cwd=folder, env=environ) as create:
        assert create.stdout is not None
        for line in create.stdout:
            if line.startswith("mkpex "):
                break
        # Not one of another's ./create, which may run at the same time.
        (stage,) = (folder / "build").glob(".create.*")
        name = "luggage-create-" + stage.name.replace(".", "")
        assert docker("ps", "-aq", "--filter", f"name={name}") != ""
        begin = time.monotonic()
        os.killpg(create.pid, signal.SIGINT)
        create.communicate(timeout=20)
        assert time.monotonic() - begin < 10
    assert create.returncode == 130
    assert list((folder / "build").iterdir()) == []
    # The engine removes a container with --rm in its own time, and will not be hurried meanwhile.
    end = time.monotonic() + 10
    while docker("ps", "-aq", "--filter", f"name={name}") != "":
        assert time.monotonic() < end
        time.sleep(0.1)


def test_engine_that_does_not_work_is_an_error(built: Built, docker: Engine) -> None:
    """A named engine that does not answer ends it, with what the engine said."""
    done = docker.create(built.folder, check=False, DOCKER_HOST="tcp://127.0.0.1:1")
    assert done.returncode == 1
    assert re.match(r"error: ENGINE=docker does not work: .*127\.0\.0\.1:1", done.stderr)
    done = docker.create(built.folder, check=False, ENGINE="dokcer")
    assert done.returncode == 2
    assert "error: ENGINE=dokcer: there is no such engine" in done.stderr


def test_without_an_engine_the_pex_serves(built: Built, tmp_path: Path, demo_key: str) -> None:
    """With no engine it says so in one line and makes a pex that the host's Python runs."""
    folder = tmp_path / "project"
    shutil.copytree(built.folder, folder, ignore=shutil.ignore_patterns("build"))
    tools = tmp_path / "bin"
    tools.mkdir()
    for name in ("docker", "podman"):
        (tools / name).write_text("#!/bin/sh\nexit 1\n")
        (tools / name).chmod(0o755)
    environ = {name: value for name, value in os.environ.items() if name != "ENGINE"}
    environ["PATH"] = f"{tools}:{environ['PATH']}"
    done = sh(folder / "create", cwd=folder, env=environ)
    assert done.stdout == "build/example.pex\n"
    told = [line for line in done.stderr.splitlines() if "neither docker nor podman" in line]
    assert len(told) == 1
    command = done.stderr.rstrip().splitlines()[-1].strip()
    assert command == 'SECRET_KEY="$(cat demo.key)" build/example.pex start'
    assert {path.name for path in (folder / "build").iterdir()} == {
        "example.pex",
        "manifest.json",
        "seal.json",
        "sbom.cdx.json",
        ".inputs",
        "cache",
    }
    environ |= {"PORT": "18765", "STANDIN_PORT": "18766", "SECRET_KEY": demo_key}
    environ["PEX_ROOT"] = str(tmp_path / "pex")
    with started([folder / "build/example.pex", "start"], cwd=folder, env=environ) as app:
        end = time.monotonic() + 30
        while sh("curl", "-fs", "http://127.0.0.1:18765/", check=False).returncode:
            assert time.monotonic() < end and app.poll() is None
            time.sleep(0.2)
        app.send_signal(signal.SIGTERM)
        app.communicate(timeout=20)
        assert app.returncode == 0


def _copied(built: Built, folder: Path) -> Path:
    shutil.copytree(built.folder, folder, ignore=shutil.ignore_patterns("build"))
    return folder


def test_another_name_in_mkpex_is_one_error(built: Built, docker: Engine, tmp_path: Path) -> None:
    """What was packed under another name than `create` has is neither published nor tagged."""
    folder = _copied(built, tmp_path / "project")
    create = folder / "create"
    create.write_text(create.read_text().replace("\nNAME=example", "\nNAME=other"))
    name = commit(folder, "another name")
    done = docker.create(folder, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.splitlines()[-2:] == [
        "error: create calls it other, but example_deploy/mkpex.py made example.pex",
        "hint: give NAME at the top of create, and the PACK in example_deploy/mkpex.py, the same "
        "name",
    ]
    assert list((folder / "build").iterdir()) == []
    assert docker("images", "-q", f"{IMAGE}:{name[:12]}") == ""


def test_tags_come_last(built: Built, docker: Engine, tmp_path: Path) -> None:
    """Where the artifacts cannot be put in their place, no image has a name, nor is one left."""
    folder = _copied(built, tmp_path / "project")
    (folder / "README.md").write_text("another\n")
    name = commit(folder, "another commit")
    (folder / "build/.inputs").mkdir(parents=True)
    done = docker.create(folder, check=False)
    assert done.returncode == 1
    assert "error: create: a command failed, see above" in done.stderr
    assert docker("images", "-q", f"{IMAGE}:{name[:12]}") == ""
    label = f"label=org.opencontainers.image.revision={name}"
    assert docker("images", "-aq", "--filter", label) == ""


@pytest.mark.parametrize(("engine", "size"), [("none", 8), ("docker", 8)])
def test_full_disk_is_told_as_one(
    built: Built, docker: Engine, tmp_path: Path, engine: str, size: int
) -> None:
    """No word of venv, no raw error of a shell's alone; the old artifact stays, and nothing new."""
    folder = _copied(built, tmp_path / "project")
    (folder / "build").mkdir()
    script = f"""
        mount -t tmpfs -o size={size}m tmpfs build
        echo old > build/example.pex
        ENGINE={engine} ./create || echo status $?
        ls -A build; cat build/example.pex
    """
    user = () if os.geteuid() == 0 else ("--map-root-user",)
    done = sh("unshare", "--mount", *user, "sh", "-c", script, cwd=folder, env=docker.environ)
    assert done.stdout == "status 1\nexample.pex\nold\n"
    assert done.stderr.splitlines()[-2:] == [
        f"error: {folder}/build: no space is left on its disk",
        f"hint: make room: df -h {folder}/build",
    ]
    assert "python3-venv" not in done.stderr


def test_nothing_of_an_earlier_build_stays_beside_a_new_one(built: Built, tmp_path: Path) -> None:
    """A pex alone has no layers, and a pex of another name goes with the note that names it."""
    folder = tmp_path / "project"
    shutil.copytree(built.folder, folder)
    note = folder / "build/.inputs"
    note.write_text(note.read_text() + f"{'0' * 64} {'0' * 64}  former.pex\n")
    (folder / "build/former.pex").write_text("")
    (folder / "build/mine.txt").write_text("")
    sh(folder / "create", cwd=folder, env={**os.environ, "ENGINE": "none"})
    assert {path.name for path in (folder / "build").iterdir()} == {
        "example.pex",
        "manifest.json",
        "seal.json",
        "sbom.cdx.json",
        ".inputs",
        "cache",
        "mine.txt",
    }


class _Index(http.server.BaseHTTPRequestHandler):
    """A package index that has nothing, and notes who asked and what the engine shows meanwhile."""

    seen: list[str | None] = []  # noqa: RUF012
    shown: list[str] = []  # noqa: RUF012

    def do_GET(self) -> None:
        self.seen.append(self.headers.get("Authorization"))
        names = sh("docker", "ps", "-aq", "--filter", "name=luggage-create").stdout.split()
        self.shown.append(sh("docker", "inspect", *names).stdout)
        self.shown.append(sh("ps", "-eo", "args").stdout)
        self.send_response(404)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


def test_pip_settings_reach_the_fetch_and_stay_quiet(
    built: Built, docker: Engine, tmp_path: Path
) -> None:
    """An index is asked with its password, which is in no log, argument or container."""
    folder = tmp_path / "project"
    shutil.copytree(built.folder, folder, ignore=shutil.ignore_patterns("build"))
    with (folder / "requirements.txt").open("a") as lock:
        lock.write("# another lock\n")
    commit(folder, "another lock")
    subnet = docker("network", "inspect", "-f", "{{(index .IPAM.Config 0).Subnet}}", "bridge")
    gateway = next(ipaddress.ip_network(subnet).hosts())
    with http.server.ThreadingHTTPServer(("0.0.0.0", 0), _Index) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        where = f"{gateway}:{server.server_port}"
        config = tmp_path / "pip.conf"
        config.write_text(
            f"[global]\nindex-url = http://u:pass-w0rd@{where}/simple\nextra-index-url =\n"
            f"trusted-host = {gateway}\nretries = 0\nfind-links = /opt/nowhere\n"
        )
        done = docker.create(
            folder,
            check=False,
            PIP_CONFIG_FILE=str(config),
            PIP_RETRIES="0",
            PIP_FIND_LINKS="",
            PIP_INDEX_URL="",
            PIP_EXTRA_INDEX_URL="",
        )
        server.shutdown()
    assert done.returncode == 1
    wanted = "Basic " + base64.b64encode(b"u:pass-w0rd").decode()
    assert wanted in _Index.seen
    assert "pass-w0rd" not in done.stdout + done.stderr
    assert _Index.shown
    assert not any("pass-w0rd" in shown for shown in _Index.shown)
    left_out = [line for line in done.stderr.splitlines() if "'find-links'" in line]
    assert left_out == ["warning: pip setting 'find-links': names a path of the host, left out"]
    assert not (folder / "build/example.pex").exists()


def _label(name: str) -> str:
    return f'{{{{index .Config.Labels "{name}"}}}}'
