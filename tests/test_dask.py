"""A study by dask.distributed: the same table as by workers here."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.house import (
    FEWEST,
    FILES,
    Group,
    Interruption,
    MissingExtraError,
    RunFolderError,
    RunPlan,
    Tasks,
    by_dask,
    carry_out,
    library,
    load_study,
    rows_by_pool,
    rows_of_sent,
    run_files,
    sweep,
)

SCENARIOS = Path(__file__).parents[1] / "scenarios"
pytest.importorskip("distributed")


def study() -> Any:
    """Runs that go side by side, one that is refused, and a scenario that reads a file."""
    rates = [*np.linspace(0.1, 0.3, FEWEST).tolist(), -1.0]
    vary = {"scheduler.rate": rates, "run.ticks": [40] * len(rates)}
    measures = ["outcome", "ticks", "price.bread"]
    return load_study(
        {"scenario": str(SCENARIOS / "village.yaml"), "vary": vary, "design": "zip", "measures": measures}
    )


def alone() -> Any:
    return load_study({
        "scenario": str(SCENARIOS / "crusoe.yaml"),
        "vary": {"scheduler.rate": [0.1, 0.2, 0.3]},
        "measures": ["outcome", "worst_imbalance"],
    })  # fmt: skip


def cells(text: str) -> list[list[str]]:
    """A table without how long runs took."""
    return [[*row[:-2], row[-1]] for row in csv.reader(StringIO(text))]


def here(study: Any) -> str:
    return carry_out(study, lambda *given: rows_by_pool(*given, jobs=1), Interruption()).text


@pytest.fixture
def address() -> Iterator[str]:
    """A scheduler in this process."""
    distributed = library("distributed", "a test")
    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=2, processes=False, dashboard_address=None
    ) as cluster:
        yield cluster.scheduler_address


@pytest.mark.parametrize("make", [study, alone])
def test_the_table_is_that_of_workers_here(make: Any, address: str) -> None:
    asked = make()
    done = carry_out(asked, by_dask(address, 1), Interruption())
    assert done.whole
    assert cells(done.text) == cells(here(asked))


PATIENCE = """
from dataclasses import dataclass
from typing import ClassVar
import numpy as np
from simulator import Plugins

@dataclass(frozen=True)
class Patience:
    meaning: ClassVar = "smaller and smaller steps"
    information: ClassVar = "local"
    def start(self, goods, steps=0):
        return np.zeros(0)
    def step(self, step, quote, memory):
        return step / (1 + quote.tick / 100.0), memory

mine = Plugins(rule_pieces={"patience": Patience})
"""


def elsewhere(sent: Any, plan: Any, group: Any) -> Any:
    """What is done in a worker that was not told of plugins."""
    FILES.clear()
    return rows_of_sent(sent, plan, group)


def test_files_of_plugins_are_sent(address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "my.py").write_text(PATIENCE)
    run_files([tmp_path / "my.py"])
    try:
        asked = load_study({**study().resolved, "scenario": str(SCENARIOS / "crusoe.yaml"), "measures": ["ticks"],
            "vary": {"scheduler.with": [["patience"]]}, "design": "grid"})  # fmt: skip
        expected = here(asked)
        monkeypatch.setattr("simulator.studies.by_dask.rows_of_sent", elsewhere)
        done = carry_out(asked, by_dask(address, 1), Interruption())
        assert cells(done.text) == cells(expected)
        assert not done.summary["errors"]
    finally:
        FILES.clear()


TRIED: list[int] = []


def failing(sent: Any, plan: Any, group: Any) -> Any:
    """What is done in a worker: the second run fails once, the third always."""
    TRIED.append(group.runs[0].number)
    if group.runs[0].number == 2 or (group.runs[0].number == 1 and TRIED.count(1) == 1):
        raise OSError("no room")
    return rows_of_sent(sent, plan, group)


def test_a_task_that_fails_twice_is_an_error_in_its_row(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from simulator.studies import by_dask as module

    TRIED.clear()
    monkeypatch.setattr(module, "rows_of_sent", failing)
    rows = cells(carry_out(alone(), by_dask(address, 1), Interruption()).text)
    assert [row[-1] for row in rows[1:3]] == ["", ""]
    assert rows[3][-1].endswith("no room; so it did a second time, alone")
    assert TRIED.count(2) == 2


def test_a_stop_is_heeded(address: str) -> None:
    stop = Interruption()
    stop.asked = True
    assert not carry_out(alone(), by_dask(address, 1), stop).whole


def test_an_address_without_a_scheduler_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    from simulator.studies import by_dask as module

    monkeypatch.setattr(module, "WAITS", 0.2)
    with pytest.raises(RunFolderError, match=r"--dask: found no scheduler at tcp://127\.0\.0\.1:9 .*or local"):
        by_dask("tcp://127.0.0.1:9", 1)
    with pytest.raises(RunFolderError, match="keep: runs, which is written here"):
        sweep({"scenario": str(SCENARIOS / "crusoe.yaml"), "seeds": 2, "keep": "runs"}, dask="tcp://127.0.0.1:9")


def test_without_the_extra_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(MissingExtraError, match=r"--dask needs dask.distributed; .*\[dask\]"):
        by_dask("local", 1)


class Gone:
    """A client, and each of its tasks, whose scheduler goes when a result is fetched."""

    scheduler_comm = "a line"

    def __init__(self, status: str = "running") -> None:
        self.status = status

    def submit(self, *_: Any, **__: Any) -> Gone:
        return Gone("finished")

    def done(self) -> bool:
        return True

    def result(self) -> Any:
        raise ConnectionResetError("closed")


def test_a_scheduler_that_goes_while_a_result_is_fetched_is_lost_too() -> None:
    study, stop = load_study({"scenario": str(SCENARIOS / "crusoe.yaml"), "seeds": 2}), Interruption()
    tasks = Tasks(Gone(), study.scenario, RunPlan(study.measures), stop)
    assert [*tasks.results([Group((run,)) for run in study.runs()])] == []
    assert stop.asked


@pytest.mark.slow
def test_a_lost_scheduler_is_an_interruption(tmp_path: Path) -> None:
    """What was written is kept, and goes on in another way."""
    source = {
        "name": "rates",
        "scenario": str(SCENARIOS / "crusoe.yaml"),
        "vary": {"scheduler.rate": np.linspace(0.1, 0.3, 400).tolist()},
        "measures": ["outcome", "worst_imbalance"],
    }
    program = [sys.executable, "-m", "distributed.cli.dask_scheduler", "--port", "0", "--no-dashboard"]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    file = tmp_path / "scheduler.json"
    scheduler = subprocess.Popen([*program, "--scheduler-file", str(file)], **quiet)
    worker = None
    try:
        until = time.monotonic() + 60
        while not file.exists():
            assert time.monotonic() < until
            time.sleep(0.1)
        program = [sys.executable, "-m", "distributed.cli.dask_worker", "--scheduler-file", str(file), "--no-dashboard"]
        paths = {**os.environ, "PYTHONPATH": str(SCENARIOS.parent)}
        worker = subprocess.Popen([*program, "--no-nanny"], env=paths, cwd=tmp_path, **quiet)
        asked = load_study(source)
        road = by_dask(json.loads(file.read_text())["address"], 1)
        done = 0

        def killed(*given: Any) -> Any:
            nonlocal done
            for row in road(*given):
                done += 1
                if done == 3:
                    scheduler.kill()
                yield row

        assert not carry_out(asked, killed, Interruption()).whole
        assert 3 <= done < 400
    finally:
        for process in (scheduler, worker):
            if process is not None:
                process.kill()
                process.wait()
