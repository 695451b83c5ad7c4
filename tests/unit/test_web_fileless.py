"""A worker begins where nothing can be written."""

from __future__ import annotations

import os
from pathlib import Path

from gunicorn.config import Config

from luggage.web.worker import Worker


class App:
    """What gunicorn asks of an application before it is loaded."""

    def __init__(self, cfg: Config) -> None:
        self.cfg = cfg


def test_a_worker_needs_no_file(tmp_path: Path) -> None:
    """The folder for gunicorn's own, a file for each worker, is not even there."""
    cfg = Config()
    cfg.set("worker_tmp_dir", str(tmp_path / "nowhere"))
    worker = Worker(1, os.getpid(), [], App(cfg), 0, cfg, None)
    worker.notify()
    assert os.path.samestat(os.fstat(worker.tmp.fileno()), Path(os.devnull).stat())
    worker.tmp.close()
    worker.slate.close()


def test_workers_that_cannot_begin_cost_the_master_nothing() -> None:
    """gunicorn's master does not close theirs: it tries again and again."""
    cfg = Config()
    made = [Worker(1, os.getpid(), [], App(cfg), 0, cfg, None) for _ in range(3)]
    assert len({it.tmp.fileno() for it in made}) == 1
    made[0].tmp.close()
    made[1].notify()
    assert os.path.samestat(os.fstat(made[2].tmp.fileno()), Path(os.devnull).stat())
    for worker in made:
        worker.slate.close()
