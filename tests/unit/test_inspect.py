"""`inspect`, `diff`, `verify` as a user runs them, over a small release of the depot."""

from __future__ import annotations

import json
import subprocess
import time
import zipfile
from dataclasses import replace
from pathlib import Path

import artifacts
import pytest
from artifacts import KEY, MANIFEST, Release
from depots import VALUES, Checkout

from luggage.crypto import keys, signing
from luggage.crypto.keys import Bundle
from luggage.proof import manifest


class Depot(Checkout):
    """A checkout with a release of it: a pex with its seal, and a saved image."""

    def release(self, **changed: object) -> Release:
        sources = {**artifacts.SOURCES, "depot/config.py": self.config.read_bytes()}
        return artifacts.release(replace(MANIFEST, **changed), sources=sources)  # type: ignore[arg-type]

    def told(self, *words: str, status: int = 0, **variables: str) -> str:
        """stdout of a command that ends with `status`; no value is on it."""
        done = self.run(*words, **variables)
        assert done.returncode == status, done.stderr.decode()
        assert b"canary" not in done.stdout + done.stderr
        return done.stdout.decode()

    def refuses(self, *words: str, **variables: str) -> str:
        done = self.run(*words, **variables)
        assert done.returncode in (1, 2)
        assert done.stdout == b""
        assert b"Traceback" not in done.stderr
        return done.stderr.decode()


@pytest.fixture(scope="module")
def depot(tmp_path_factory: pytest.TempPathFactory) -> Depot:
    made = Depot(tmp_path_factory.mktemp("depot") / "made")
    release = made.release()
    release.write_pex(made.root / "build")
    release.write_image(made.root / "build/image.tar")
    return made


PEX, IMAGE = "build/thing.pex", "build/image.tar"


# --- inspect ------------------------------------------------------------------------------------


@pytest.mark.parametrize("file", [PEX, IMAGE])
def test_inspect_tells_what_is_in_it(depot: Depot, file: str) -> None:
    """Project, commit, serial, Python, wheels, packages; the names of secrets, and no value."""
    told = json.loads(depot.told("inspect", file, "--json"))
    assert told["kind"] == ("pex" if file == PEX else "image")
    assert (told["project"], told["commit"], told["dirty"]) == ("thing", "5" * 40, False)
    assert (told["serial"], told["python"]) == (7, "3.13.5")
    assert [it["name"] for it in told["wheels"]] == ["six"]
    assert told["packages"] == {"depot": 3, "luggage": 1}
    names = {it["environment"]: [s["name"] for s in it["secrets"]] for it in told["environments"]}
    assert names == {environment: sorted(values) for environment, values in VALUES.items()}
    assert all(it["opens"] is None for it in told["environments"])
    page = depot.told("inspect", file)
    for text in ("thing", "5" * 40, "serial      7", "six 1.17.0", "LINES_API_KEY", "prod: key "):
        assert text in page
    assert "luggage, 1 file\n" in page
    assert " 1 files" not in page


def test_inspect_tells_the_layers_and_debians_packages_of_an_image(depot: Depot) -> None:
    """In order, with sizes, and what a registry would send; a pex has none."""
    told = json.loads(depot.told("inspect", IMAGE, "--json"))
    assert told["debian"] == {"python3.13": "3.13.5-2"}
    assert len(told["layers"]) == 5
    assert told["size"] == sum(it["size"] for it in told["layers"])
    assert 0 < told["squeezed"] < told["size"]
    assert told["configuration"]["User"] == "65532:65532"
    pex = json.loads(depot.told("inspect", PEX, "--json"))
    assert (pex["layers"], pex["debian"], pex["configuration"]) == ([], {}, None)


def test_inspect_tells_whether_a_key_opens_it(depot: Depot) -> None:
    """For each environment and each secret; a stranger's key opens none."""
    told = json.loads(depot.told("inspect", IMAGE, "--json", SECRET_KEY_FILE="demo.key"))
    opens = {it["environment"]: it["opens"] for it in told["environments"]}
    assert opens == {"demo": True, "prod": False}
    for it in told["environments"]:
        assert all(secret["opens"] is it["opens"] for secret in it["secrets"])
    stranger = keys.generate().dump().reveal()
    told = json.loads(depot.told("inspect", IMAGE, "--json", SECRET_KEY=stranger))
    assert [it["opens"] for it in told["environments"]] == [False, False]
    page = depot.told("inspect", IMAGE, SECRET_KEY_FILE="demo.key")
    assert "MOOD_API_KEY: this key opens it" in page
    assert "MOOD_API_KEY: this key does not open it" in page


def test_inspect_tells_of_one_value_that_does_not_open(depot: Depot, tmp_path: Path) -> None:
    """A value that stands under the name of another opens for nobody."""
    config = depot.config.read_text()
    lines = config.splitlines()
    names = ("LINES_API_KEY", "MOOD_API_KEY")
    lines_, mood = (next(it for it in lines if f'"{name}": ' in it) for name in names)
    swapped = lines_.replace(names[0], names[1]), mood.replace(names[1], names[0])
    config = config.replace(lines_, "@1", 1).replace(mood, "@2", 1)
    config = config.replace("@1", swapped[1]).replace("@2", swapped[0])
    sources = {**artifacts.SOURCES, "depot/config.py": config.encode()}
    path = artifacts.release(sources=sources).write_image(tmp_path / "image.tar")
    words = ("inspect", str(path), "--json")
    told = json.loads(depot.told(*words, SECRET_KEY_FILE="demo.key"))
    (demo,) = (it for it in told["environments"] if it["environment"] == "demo")
    opens = {it["name"]: it["opens"] for it in demo["secrets"]}
    assert opens == {"BLOB": True, "LINES_API_KEY": False, "MOOD_API_KEY": False, "SITE": True}


def test_inspect_tells_who_signed(depot: Depot) -> None:
    """With the verify key of a key bundle; else only that there is a signature. Of its seal alone:
    nothing was compared.
    """
    assert "its seal has a signature; `verify` tells" in depot.told("inspect", IMAGE)
    seal = "signed      its seal is"
    for key, by in ((KEY, f"{seal} signed by "), (signing.generate(), f"{seal} not signed by ")):
        bundle = Bundle((depot.keys["demo"],), key.public.raw, 1).dump().reveal()
        told = depot.told("inspect", IMAGE, SECRET_KEY=bundle)
        assert f"{by}{key.public.id}" in told


def test_inspect_says_of_nothing_that_it_is_signed_where_its_seal_is_not_its_own(
    depot: Depot, tmp_path: Path
) -> None:
    """A pex with other bytes beside a signed seal, an image with another manifest; a seal that is
    none, and one that cannot be read.
    """
    bundle = Bundle((depot.keys["demo"],), KEY.public.raw, 1).dump().reveal()
    pex = depot.release().write_pex(tmp_path)
    with pex.open("ab") as file:
        file.write(b"\0")
    image = depot.release()
    other = replace(image.seal.manifest, serial=8)
    image.put(f"{artifacts.SITE}/luggage-manifest.json", manifest.dump(other))
    for path in (pex, image.write_image(tmp_path / "image.tar")):
        told = json.loads(depot.told("inspect", str(path), "--json", SECRET_KEY=bundle))["signed"]
        assert told == "no: its seal is another artifact's, or it was changed"
    (tmp_path / "seal.json").write_bytes(b"{}")
    told = depot.told("inspect", str(pex))
    assert f"no: {tmp_path}/seal.json: seal: without a format" in told
    (tmp_path / "seal.json").unlink()
    (tmp_path / "seal.json").mkdir()
    assert "seal.json: cannot be read: Is a directory" in depot.refuses("inspect", str(pex))


def test_inspect_runs_nothing_of_it(depot: Depot, tmp_path: Path) -> None:
    """A config module is read as text: what it would do does not happen."""
    mark = tmp_path / "mark"
    evil = f"from pathlib import Path\nPath({str(mark)!r}).touch()\n".encode()
    sources = dict.fromkeys(artifacts.SOURCES, evil)
    found = artifacts.release(sources=sources)
    for path in (found.write_image(tmp_path / "image.tar"), found.write_pex(tmp_path)):
        depot.told("inspect", str(path))
        depot.told("verify", str(path), "--verify-key", KEY.public.dump())
    assert not mark.exists()


def test_inspect_shows_no_terminal_what_it_would_obey(depot: Depot, tmp_path: Path) -> None:
    """The names in an artifact are anybody's."""
    other = depot.release()
    other.layers[3] += [
        artifacts.folder("app/\x1b[2J"),
        artifacts.file("app/\x1b[2J/x", bytes(10**6)),
        artifacts.file("app/.wh.\x1b[2J"),
    ]
    other.configuration["config"]["Env"].append("A=\x1b[2J")
    path = other.write_image(tmp_path / "image.tar")
    done = depot.run("inspect", str(path))
    assert done.returncode == 0
    assert b"\x1b" not in done.stdout + done.stderr
    assert b"\\x1b" in done.stdout
    done = depot.run("verify", str(path), "--unsigned")
    assert b"\x1b" not in done.stdout + done.stderr
    done = depot.run("diff", str(path), IMAGE)
    assert b"\x1b" not in done.stdout + done.stderr


# --- verify -------------------------------------------------------------------------------------


@pytest.mark.parametrize("file", [PEX, IMAGE])
def test_verify_tells_what_it_has_proved(depot: Depot, file: str) -> None:
    """One line a fact, on stdout, and nothing on stderr."""
    done = depot.run("verify", file, "--verify-key", KEY.public.dump(), "--minimum-serial", "7")
    assert (done.returncode, done.stderr) == (0, b"")
    lines = done.stdout.decode().splitlines()
    assert lines[0].split() == ["verified", "pex" if file == PEX else "image", file]
    assert lines[1] == f"signed    by {KEY.public.id}"
    assert f"project   thing, commit {'5' * 40}" in lines
    assert "serial    7, 7 or more asked for" in lines


def test_verify_takes_the_key_from_where_it_is(depot: Depot, tmp_path: Path) -> None:
    """A text, a file, VERIFY_KEY, or a key bundle, whose minimum serial counts as well."""
    (tmp_path / "verify").write_text(f"{KEY.public.dump()}\n")
    named = depot.root / "luggage.verify"
    for end in (b"", b"\n", b"\r\n"):
        named.write_bytes(KEY.public.dump().encode() + end)
        depot.told("verify", IMAGE, "--verify-key", named.name)
    named.unlink()
    bundle = tmp_path / "bundle.key"
    for least, status in ((7, 0), (8, 1)):
        text = Bundle((depot.keys["demo"],), KEY.public.raw, least).dump().reveal()
        bundle.write_text(f"{text}\n")
        assert depot.run("verify", IMAGE, "--key", str(bundle)).returncode == status
    depot.told("verify", IMAGE, "--verify-key", str(tmp_path / "verify"))
    depot.told("verify", IMAGE, VERIFY_KEY=KEY.public.dump())
    depot.told("verify", IMAGE, VERIFY_KEY=str(tmp_path / "verify"))
    other = signing.generate().public.dump()
    assert "different verify keys" in depot.refuses(
        "verify", IMAGE, "--key", str(bundle), "--verify-key", other
    )
    assert "holds no verify key" in depot.refuses("verify", IMAGE, "--key", "demo.key")
    assert "not by key" in depot.refuses("verify", IMAGE, "--verify-key", other)
    assert "neither a verify key nor a file" in depot.refuses("verify", IMAGE, "--verify-key", "x")
    assert "unknown version" in depot.refuses("verify", IMAGE, "--verify-key", "lugverify2.x")
    endless = depot.refuses("verify", IMAGE, "--verify-key", "/dev/zero")
    assert "--verify-key: not a key" in endless


@pytest.mark.parametrize("text", ["0", "07", "-1", "1_0", "\u0661", "x", str(2**63)])
def test_verify_takes_no_minimum_that_is_no_serial(depot: Depot, text: str) -> None:
    """Nor any other spelling of one."""
    words = ("verify", IMAGE, "--unsigned", f"--minimum-serial={text}")
    assert "--minimum-serial: not a number from 1 to 2^63 - 1" in depot.refuses(*words)


def test_verify_without_a_key_is_an_error(depot: Depot) -> None:
    """It tells how to give one; --unsigned says loudly what it is worth."""
    told = depot.refuses("verify", IMAGE)
    assert "no verify key, so nothing can be proved" in told
    assert "--verify-key lugverify1" in told
    done = depot.run("verify", IMAGE, "--unsigned")
    assert done.returncode == 0
    assert b"warning: --unsigned" in done.stderr
    assert b"signed    not checked: --unsigned\n" in done.stdout
    key = ("--verify-key", KEY.public.dump())
    assert "--unsigned and a verify key" in depot.refuses("verify", IMAGE, "--unsigned", *key)


def test_verify_takes_seal_and_signature_from_elsewhere(depot: Depot, tmp_path: Path) -> None:
    """--seal and --signature name them; a pex without a seal says where it looked."""
    release = depot.release()
    pex = tmp_path / "thing.pex"
    pex.write_bytes(release.pex)
    key = ("--verify-key", KEY.public.dump())
    told = depot.refuses("verify", str(pex), *key)
    assert "has no seal" in told
    assert f"hint: its seal belongs beside it: {tmp_path}/seal.json; or name it: --seal" in told
    assert "build/" not in told
    (tmp_path / "a").write_bytes(release.sealed)
    (tmp_path / "b").write_bytes(release.signature)
    elsewhere = ("--seal", str(tmp_path / "a"), "--signature", str(tmp_path / "b"))
    depot.told("verify", str(pex), *key, *elsewhere)
    depot.told("verify", IMAGE, *key, *elsewhere)
    told = depot.refuses("verify", str(pex), *key, *elsewhere[:2])
    assert "signature: there is none" in told
    assert "where it is yours to sign: python -m depot sign" in told
    assert NOT_TO_BE_RUN in told.splitlines()[-1]


def test_verify_says_what_not_to_do_with_it(depot: Depot, tmp_path: Path) -> None:
    """One error a deviation, and a hint; nothing on stdout."""
    other = depot.release()
    other.configuration["config"]["User"] = "0"
    other.put(f"{artifacts.SITE}/six.py", b"evil")
    path = str(other.write_image(tmp_path / "image.tar"))
    told = depot.refuses("verify", path, "--verify-key", KEY.public.dump())
    assert told.count("error: ") == 2
    assert f"error: {path}: configuration: User is '0', and not '65532:65532'" in told
    assert "hint: do not run it, and give it no key" in told


NOT_TO_BE_RUN = "do not run it, and give it no key"


def _flipped(path: Path, at: int) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize("kind", ["thing.pex", "image.tar"])
def test_every_refusal_ends_with_what_not_to_do(depot: Depot, tmp_path: Path, kind: str) -> None:
    """Also where it cannot even be read: a flipped byte, a cut file, a seal that is none."""
    release = depot.release()
    path = tmp_path / kind
    key = ("--verify-key", KEY.public.dump())
    for at in (0, 1500, -300, None):
        release.write_pex(tmp_path)
        release.write_image(tmp_path / "image.tar")
        if at is None:
            path.write_bytes(path.read_bytes()[:900])
        else:
            _flipped(path, at)
        told = depot.refuses("verify", str(path), *key)
        assert NOT_TO_BE_RUN in told.splitlines()[-1]
        if kind == "thing.pex":
            assert told.count("error: ") == 1
            assert "pex: its SHA-256 is " in told, "compared before the zip is looked at"
    release.put("app/seal/seal.json", b"oops\n")
    release.write_pex(tmp_path)
    release.write_image(tmp_path / "image.tar")
    (tmp_path / "seal.json").write_bytes(b"oops\n")
    told = depot.refuses("verify", str(path), *key)
    place = tmp_path / "seal.json" if kind == "thing.pex" else f"{path}: app/seal/seal.json"
    assert f"error: {place}: seal: not JSON" in told
    assert NOT_TO_BE_RUN in told.splitlines()[-1]
    assert NOT_TO_BE_RUN not in depot.refuses("verify", str(tmp_path / "none.pex"), *key)


def test_a_pex_of_another_seal_is_refused_for_all_that_is_known(
    depot: Depot, tmp_path: Path
) -> None:
    """Its digest, who signed the seal, and the serial in it: at once, without its zip."""
    path = depot.release().write_pex(tmp_path)
    path.write_bytes(b"PK, and no zip at all")
    other = signing.generate().public
    told = depot.refuses(
        *("verify", str(path), "--verify-key", other.dump(), "--minimum-serial", "8")
    )
    assert told.count("error: ") == 3
    for text in ("its SHA-256 is", f"not by key {other.id}", "serial: 7, and 8 is the least"):
        assert f"{text}" in told


def test_a_serial_that_is_missing_says_how_to_have_one(depot: Depot, tmp_path: Path) -> None:
    """For whoever packs it; and still what not to do with this one."""
    path = depot.release(serial=None).write_image(tmp_path / "image.tar")
    key = ("--verify-key", KEY.public.dump(), "--minimum-serial", "7")
    told = depot.refuses("verify", str(path), *key)
    assert "where it is yours to pack: python -m depot serial --raise" in told
    assert NOT_TO_BE_RUN in told.splitlines()[-1]


def test_verify_shows_the_variables_that_it_was_told_to_allow(depot: Depot, tmp_path: Path) -> None:
    """With their values, a line each, as no terminal obeys them; and none that is not there."""
    other = depot.release()
    other.configuration["config"]["Env"] += ["TZ=UTC", "MOTD=\x1b[2J", "EMPTY="]
    path = str(other.write_image(tmp_path / "image.tar"))
    names = ("TZ", "MOTD", "EMPTY", "ABSENT", "LANG")
    words = [word for name in names for word in ("--allow-env", name)]
    lines = depot.told("verify", path, "--verify-key", KEY.public.dump(), *words).splitlines()
    allowed = [it for it in lines if it.startswith("allowed")]
    assert allowed == ["allowed   TZ=UTC", r"allowed   MOTD=\x1b[2J", "allowed   EMPTY="]


def test_verify_allows_no_variable_that_says_which_code_is_loaded(depot: Depot) -> None:
    """All of them are told at once."""
    names = ("LD_PRELOAD", "PYTHONSTARTUP", "GLIBC_TUNABLES", "PATH")
    words = [word for name in (*names, "TZ") for word in ("--allow-env", name)]
    told = depot.refuses("verify", IMAGE, "--verify-key", KEY.public.dump(), *words)
    assert told.count("error: ") == len(names)
    for name in names:
        assert f"error: --allow-env {name}: says which code is loaded: never allowed" in told


def test_an_image_that_lost_its_health_check_on_the_way_is_explained(
    depot: Depot, tmp_path: Path
) -> None:
    """The OCI format has none: the hint says how to save it."""
    other = depot.release()
    del other.configuration["config"]["Healthcheck"]
    path = str(other.write_image(tmp_path / "image.tar"))
    told = depot.refuses("verify", path, "--verify-key", KEY.public.dump())
    assert "hint: the OCI format has no health checks" in told


def test_no_private_key_is_an_argument(depot: Depot) -> None:
    """What is given by mistake is told, and not echoed."""
    text = (depot.root / "demo.key").read_text().strip()
    for command in ("verify", "inspect", "diff"):
        told = depot.refuses(command, text)
        assert "consider it leaked" in told
        assert text not in told


def test_what_is_not_there_is_told(depot: Depot) -> None:
    """A file by its name, an image with the engine that was asked, a folder as one."""
    assert "none.pex: there is no such file" in depot.refuses("inspect", "none.pex")
    for name in ("build", "./build"):
        assert f"{name}: a folder" in depot.refuses("inspect", name, PATH="/nonexistent")
    told = depot.refuses("inspect", "no-such-image", PATH="/nonexistent")
    assert "no container engine answers: docker: not found, podman: not found" in told
    assert "there is no such engine" in depot.refuses("inspect", "image", ENGINE="none")


ENGINE = """\
#!/bin/sh
case "$1 $2" in
    "image inspect") echo {id} ;;
    "image save") cp "$IMAGE" "$4" ;;
esac
"""


@pytest.mark.parametrize("name", ["docker", "podman"])
def test_verify_tells_the_engines_own_id(depot: Depot, tmp_path: Path, name: str) -> None:
    """What may be run afterwards: a name can be given to another image. A folder of the same name
    does not hide the image.
    """
    id_ = "7" * 64 if name == "podman" else f"sha256:{'7' * 64}"
    (tmp_path / name).write_text(ENGINE.format(id=id_))
    (tmp_path / name).chmod(0o755)
    words = ("verify", "depot", "--verify-key", KEY.public.dump())
    variables = {"PATH": f"{tmp_path}:/usr/bin:/bin", "ENGINE": name}
    told = depot.told(*words, **variables, IMAGE=str(depot.root / IMAGE))
    assert f"image     sha256:{'7' * 64}" in told.splitlines()
    assert (depot.root / "depot").is_dir()


SLOW_ENGINE = """\
#!/bin/sh
case "$1 $2" in
    "image inspect") echo sha256:1 ;;
    "image save") echo part > "$4"; echo $$ > "$HOME/started"; exec sleep 60 ;;
esac
"""


def test_what_interrupts_it_leaves_no_saved_image(depot: Depot, tmp_path: Path) -> None:
    """TERM in the middle of saving: the temporary file goes, and the engine's process as well."""
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "docker").write_text(SLOW_ENGINE)
    (folder / "docker").chmod(0o755)
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    variables = {"PATH": f"{folder}:/usr/bin:/bin", "TMPDIR": str(temporary), "HOME": str(tmp_path)}
    with depot.start("inspect", "some-image", **variables) as process:
        started = tmp_path / "started"
        deadline = time.monotonic() + 30
        while not started.exists() or not started.read_text().strip():
            assert time.monotonic() < deadline
            time.sleep(0.02)
        assert len(list(temporary.glob("luggage-*/image.tar"))) == 1
        process.terminate()
        process.communicate(timeout=30)
    assert process.returncode == 130
    assert list(temporary.iterdir()) == []
    assert not Path("/proc", started.read_text().strip()).exists()


# --- diff ---------------------------------------------------------------------------------------


def _changes(depot: Depot, one: str, other: str) -> tuple[dict[tuple[str, str], str], str]:
    """What and name → how, and the sentence."""
    done = depot.run("diff", one, other, "--json")
    assert done.returncode in (0, 1), done.stderr
    told = json.loads(done.stdout)
    assert told["equal"] is (done.returncode == 0)
    return {(it["what"], it["name"]): it["how"] for it in told["changes"]}, told["sentence"]


def test_diff_of_equals_is_empty(depot: Depot, tmp_path: Path) -> None:
    """A pex with itself, an image with itself however it was saved, a pex with its image."""
    release = depot.release()
    squeezed = str(release.write_image(tmp_path / "image.tar", squeezed=True))
    (tmp_path / "oci.tar").write_bytes(artifacts.oci_archive(release))
    for one, other in ((PEX, PEX), (IMAGE, squeezed), (IMAGE, str(tmp_path / "oci.tar"))):
        assert depot.told("diff", one, other) == "equal\n"
    assert depot.told("diff", PEX, IMAGE) == "equal, as far as a pex and an image can be\n"


def test_diff_names_what_differs_and_the_input(depot: Depot, tmp_path: Path) -> None:
    """A commit with a changed source, a replaced secret, another serial, wheel and Debian."""
    wheel = replace(MANIFEST.wheels[0], version="1.18.0", sha256="c" * 64)
    sealed = {"demo": {"SITE": "d" * 64}}
    sources = {**artifacts.SOURCES, "depot/start.py": b"PROCESSES = [1]\n"}
    del sources["depot/__init__.py"]
    sources["depot/config.py"] = depot.config.read_bytes()
    sources["depot/new.py"] = b""
    changed = replace(MANIFEST, commit="6" * 40, serial=8, wheels=(wheel,), sealed=sealed)
    other = artifacts.release(changed, sources=sources, debian="3.13.5-3")
    image = str(other.write_image(tmp_path / "image.tar"))
    changes, sentence = _changes(depot, IMAGE, image)
    assert (
        changes.items()
        >= {
            ("commit", "commit"): "changed",
            ("serial", "serial"): "changed",
            ("wheel", "six"): "changed",
            ("debian", "python3.13"): "changed",
            ("source", "depot/start.py"): "changed",
            ("source", "depot/__init__.py"): "removed",
            ("source", "depot/new.py"): "added",
            ("secret", "demo/SITE"): "added",
        }.items()
    )
    for text in ("Debian's packages", "the locked wheels", "the commit", "sealed values"):
        assert text in sentence
    page = depot.told("diff", IMAGE, image, status=1)
    assert "~ wheel     six: 1.17.0 (bbbbbbbbbbbb) → 1.18.0 (cccccccccccc)" in page
    assert page.splitlines()[-1] == sentence
    pexes, _ = _changes(depot, PEX, str(other.write_pex(tmp_path)))
    assert ("source", "depot/new.py") in pexes
    mixed, _ = _changes(depot, PEX, image)
    assert {what for what, _ in mixed} == {"commit", "serial", "wheel", "source", "secret"}


def test_diff_says_what_no_input_explains(depot: Depot, tmp_path: Path) -> None:
    """A file that differs where nothing that could change it did."""
    other = depot.release()
    other.put(f"{artifacts.SITE}/six.py", b"six = 7\n")
    layer, at = other.member("usr/bin/python3.13")
    layer[at][0].mode = 0o4755
    changes, sentence = _changes(depot, IMAGE, str(other.write_image(tmp_path / "image.tar")))
    assert {name for what, name in changes if what == "file"} == {
        f"{artifacts.SITE}/six.py",
        "usr/bin/python3.13",
    }
    assert sentence.startswith("not explained by any input: 2 files, such as ")
    page = depot.told("diff", IMAGE, str(tmp_path / "image.tar"), status=1)
    assert "~ file      usr/bin/python3.13: mode=0755 → mode=4755" in page


def test_diff_names_a_start_and_a_signature(depot: Depot, tmp_path: Path) -> None:
    """What is not in the tree: the configuration, and who signed."""
    other = depot.release()
    other.configuration["config"]["Env"].append("TZ=UTC")
    changes, sentence = _changes(depot, IMAGE, str(other.write_image(tmp_path / "image.tar")))
    assert changes["started", "Env TZ"] == "added"
    assert sentence == (
        "not explained by any input: how it is started (Env TZ), which is not as luggage's "
        "run.docker has it: another builder, or changed: verify both"
    )
    other = depot.release()
    other.configuration["config"]["ExposedPorts"] = {"8080/tcp": {}}
    changes, sentence = _changes(depot, IMAGE, str(other.write_image(tmp_path / "image.tar")))
    assert changes["started", "ExposedPorts"] == "changed"
    assert sentence == "explained by run.docker"
    other = depot.release()
    other.configuration["config"]["Labels"]["traefik.enable"] = "true"
    other.configuration["architecture"] = "arm64"
    changes, _ = _changes(depot, IMAGE, str(other.write_image(tmp_path / "image.tar")))
    assert changes["started", "Labels traefik.enable"] == "added"
    assert changes["started", "architecture"] == "changed"
    unsigned = depot.release()
    layer, at = unsigned.member("app/seal/seal.json.sig")
    del layer[at]
    changes, sentence = _changes(depot, IMAGE, str(unsigned.write_image(tmp_path / "image.tar")))
    assert changes["signature", "signature"] == "removed"
    assert sentence == "explained by the signature"


@pytest.mark.parametrize("turned", [False, True])
def test_diff_explains_no_start_that_luggage_did_not_give(
    depot: Depot, tmp_path: Path, turned: bool
) -> None:
    """Not even beside an innocent input, and whichever of both has it; nor with a file more."""
    other = depot.release(serial=8)
    other.configuration["config"]["Env"].append("LD_PRELOAD=/tmp/x.so")
    other.configuration["config"]["Cmd"] = ["loop"]
    pair = [IMAGE, str(other.write_image(tmp_path / "image.tar"))]
    _, sentence = _changes(depot, *(pair[::-1] if turned else pair))
    assert sentence == (
        "explained by the serial, but for how it is started (Cmd, Env LD_PRELOAD), which is not "
        "as luggage's run.docker has it: another builder, or changed: verify both"
    )
    other.put(f"{artifacts.SITE}/six.py", b"six = 7\n")
    pair[1] = str(other.write_image(tmp_path / "image.tar"))
    _, sentence = _changes(depot, *(pair[::-1] if turned else pair))
    assert f"but for 1 file, '{artifacts.SITE}/six.py', and how it is started (Cmd, " in sentence


def test_diff_tells_no_word_twice(depot: Depot, tmp_path: Path) -> None:
    """A commit has no name but its kind."""
    path = str(depot.release(commit="6" * 40).write_image(tmp_path / "image.tar"))
    page = depot.told("diff", IMAGE, path, status=1)
    assert f"~ commit    {'5' * 40} → {'6' * 40}\n" in page
    path = str(depot.release(serial=None).write_image(tmp_path / "image.tar"))
    assert "\n- serial    7\n" in f"\n{depot.told('diff', IMAGE, path, status=1)}"


def test_diff_knows_what_only_the_builder_wrote(depot: Depot, tmp_path: Path) -> None:
    """The same release by two builders: other layers, and nothing else."""
    other = depot.release()
    other.configuration["config"] |= {"ArgsEscaped": True, "WorkingDir": "/", "Hostname": "a" * 12}
    for info, _ in other.layers[1]:
        info.mtime = 5
    changes, sentence = _changes(depot, IMAGE, str(other.write_image(tmp_path / "image.tar")))
    assert set(changes) == {("layer", "2"), ("image", "sha256")}
    assert sentence == "the same in all that is sealed: explained by the engines that made them"


TAMPERED = {
    "a source": (f"{artifacts.SITE}/depot/start.py", b"EVIL\n"),
    "an SBOM": ("app/seal/sbom.cdx.json", b"{}\n"),
    "a listing": ("app/seal/app.mtree", b"#mtree\n"),
    "the seal": ("app/seal/seal.json", b"{}\n"),
}


@pytest.mark.parametrize("case", TAMPERED)
def test_diff_calls_nothing_the_same_that_was_changed(
    depot: Depot, tmp_path: Path, case: str
) -> None:
    """What a manifest or a seal names is compared as well, byte by byte."""
    path, data = TAMPERED[case]
    other = depot.release()
    other.put(path, data)
    changes, sentence = _changes(depot, IMAGE, str(other.write_image(tmp_path / "image.tar")))
    assert changes[("SBOM", "SBOM") if case == "an SBOM" else ("file", path)] == "changed"
    assert sentence.startswith("not explained by any input: ")


def test_diff_names_what_was_put_beside_the_seal_or_taken_away(
    depot: Depot, tmp_path: Path
) -> None:
    """A file more in its folder, a mode of a source, a whiteout; and beside another commit, too."""
    for other in (
        depot.release(),
        artifacts.release(replace(MANIFEST, commit="6" * 40, python="3.13.6")),
    ):
        layer, at = other.member(f"{artifacts.SITE}/depot/start.py")
        layer[at][0].mode = 0o666
        other.layers[4].append(artifacts.file("app/seal/evil", b"x"))
        other.layers[4].append(artifacts.file(f"{artifacts.SITE}/.wh.six.py"))
        path = str(other.write_image(tmp_path / "image.tar"))
        changes, sentence = _changes(depot, IMAGE, path)
        for name in ("app/seal/evil", f"{artifacts.SITE}/depot/start.py"):
            assert ("file", name) in changes
        assert [name for what, name in changes if what == "odd"]
        assert ": 3 files, such as " in sentence or "but for 3 files, such as " in sentence


def test_diff_compares_whole_digests(depot: Depot, tmp_path: Path) -> None:
    """Of which it shows the start alone."""
    wheels = [replace(MANIFEST.wheels[0], sha256="b" * 63 + it) for it in "bc"]
    paths = []
    for number, wheel in enumerate(wheels):
        made = artifacts.release(replace(MANIFEST, wheels=(wheel,)))
        paths.append(str(made.write_image(tmp_path / f"{number}.tar")))
    changes, _ = _changes(depot, *paths)
    assert changes["wheel", "six"] == "changed"


def test_diff_of_what_cannot_be_read_is_status_2(depot: Depot, tmp_path: Path) -> None:
    """Trouble is no difference."""
    for words in ((PEX, "none.pex"), ("none.tar", IMAGE), (PEX, "depot/config.py")):
        assert depot.run("diff", *words).returncode == 2
    path = tmp_path / "thing.pex"
    path.write_bytes(depot.release().pex)
    with zipfile.ZipFile(path, "a") as archive:
        info = zipfile.ZipInfo("nothing")
        info.external_attr = 0o120777 << 16
        archive.writestr(info, "")
    done = depot.run("diff", PEX, str(path))
    assert done.returncode == 2
    assert b"a link to nothing" in done.stderr


def test_each_command_shows_its_help(depot: Depot) -> None:
    """With examples that name the deployment."""
    for command in ("verify", "inspect", "diff", "sbom"):
        done = depot.run(command, "--help")
        assert isinstance(done, subprocess.CompletedProcess)
        assert f"python -m depot {command} " in done.stdout.decode()
        assert b"build/depot.pex" not in done.stdout, "a pex is named after the project"
