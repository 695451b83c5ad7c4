"""A roll-out after a rotation: the running system and its successor start with the same key."""

from __future__ import annotations

import shutil
import signal
from contextlib import ExitStack
from pathlib import Path

from running import CANARY, PACKAGE, Made, free_port, started

from luggage.configfile import bundle, grammar, keyfile, rotate
from luggage.configfile.unlock import Given
from luggage.crypto import Secret, keys


def test_two_deployments_serve_with_one_bundle(made: Made, tmp_path: Path) -> None:
    """Epoch 1 and epoch 2 run side by side, each with the one SECRET_KEY that holds both keys."""
    successor = tmp_path / "successor"
    shutil.copytree(made.folder / PACKAGE, successor / PACKAGE)
    old = keys.parse_keys(Secret(made.key))
    config = successor / PACKAGE / "config.py"
    rotated = rotate.rotate(config, tmp_path, "test", Given("key", old), lambda path: True)
    assert grammar.read(config.read_bytes()).environments["test"].epoch == 2
    both = bundle.merge([("old", old), ("new", keyfile.read(rotated.path))]).bundle
    text = str(both.dump().reveal())
    with ExitStack() as stack:
        both_run = []
        for folder in (made.folder, successor):
            deployment = Made(folder, text)
            environ = deployment.environ(PORT=str(free_port()), SECRET_KEY=text)
            both_run.append(stack.enter_context(started(deployment, environ=environ)))
        for running in both_run:
            running.wait_for("gunicorn: ready")
            assert running.get("/")[1].split()[1] == str(len(CANARY))
        for running in both_run:
            running.signal(signal.SIGTERM)
            assert running.wait() == 0
            assert text not in running.text
