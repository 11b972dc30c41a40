"""The pool: results in their places, from here and from workers alike; a worker that dies is one job's failure."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from simulator import pool as module
from tests.house import Failure, Interruption, Job, Pool, Scenario, load, trial

SCENARIOS = Path(__file__).parent.parent / "scenarios"
RATE = {"scheduler.rate": 0.3}


@pytest.fixture
def workers(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker is started whether it pays or not."""
    monkeypatch.setattr(module, "START", -1.0)


def wait(_: Scenario, file: Path, stop: Interruption) -> int:
    """What is done here until a worker has made a file."""
    while not file.exists():
        time.sleep(0.01)
    return os.getpid()


def make(_: Scenario, file: Path, stop: Interruption) -> int:
    file.touch()
    return os.getpid()


def tried(scenario: Scenario, stop: Interruption) -> tuple[int, Any]:
    return os.getpid(), trial(scenario, RATE)


def wrong(_: Scenario, stop: Interruption) -> None:
    raise ZeroDivisionError("a fault")


def die(_: Scenario, stop: Interruption) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def done(*jobs: Job, stop: Interruption | None = None) -> list[Any]:
    with Pool(2, stop or Interruption()) as pool:
        results = dict(pool.results(jobs))
    return [results[place] for place in range(len(jobs))]


@pytest.mark.usefixtures("workers")
def test_a_worker_finds_what_is_found_here(tmp_path: Path) -> None:
    (tmp_path / "people.csv").write_text("income\n1\n2\n4.5\n")
    (tmp_path / "town.yaml").write_text(
        "goods: [x, y]\nsupply: {x: 5, y: 5}\nconsumers:\n  - {name: people, utility: {cobb_douglas: {x: 1, y: 2}}, "
        "budget: {csv: people.csv, column: income}}\n"
    )
    file = tmp_path / "made"
    for path in (SCENARIOS / "bazaar.yaml", tmp_path / "town.yaml"):
        scenario = load(path)
        file.unlink(missing_ok=True)
        here, (there, found), made = done(
            Job(scenario, wait, (file,)), Job(scenario, tried), Job(scenario, make, (file,))
        )
        assert here == os.getpid() != there == made
        assert found == trial(scenario, RATE)


@pytest.mark.usefixtures("workers")
@pytest.mark.skipif(sys.platform == "win32", reason="kills by a signal")
def test_a_worker_that_dies_is_the_failure_of_its_job_and_another_goes_on(tmp_path: Path) -> None:
    scenario, file = load(SCENARIOS / "crusoe.yaml"), tmp_path / "made"
    jobs = [Job(scenario, wait, (file,)), Job(scenario, wrong), Job(scenario, die, left="all is lost")]
    jobs += [Job(scenario, make, (lambda: file,)), Job(scenario, make, (file,))]
    here, error, killed, unsent, made = done(*jobs)
    assert here == os.getpid() != made
    assert isinstance(unsent, Failure)
    assert isinstance(error, Failure)
    assert error.text == "crusoe: internal error: ZeroDivisionError: a fault; --debug shows the trace"
    assert killed == Failure("crusoe: its process was killed by signal 9; all is lost", 1)


def test_no_worker_is_started_before_it_pays_and_all_is_done_here_where_none_can_be(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    started: list[bool] = []

    def start() -> None:
        started.append(True)
        raise OSError("no more processes")

    def pause(_: Scenario, stop: Interruption) -> int:
        time.sleep(0.1)
        return os.getpid()

    monkeypatch.setattr(module, "Worker", start)
    scenario = load(SCENARIOS / "crusoe.yaml")
    for pays in (False, True):
        if pays:
            monkeypatch.setattr(module, "START", -1.0)
        assert done(*[Job(scenario, pause)] * 3) == [os.getpid()] * 3
        assert started == [True] * pays


def test_what_has_not_begun_when_all_is_to_stop_is_left(tmp_path: Path) -> None:
    def ask(_: Scenario, stop: Interruption) -> str:
        stop.asked = True
        return "done"

    scenario = load(SCENARIOS / "crusoe.yaml")
    jobs = [Job(scenario, make, (tmp_path / "first",)), Job(scenario, ask), Job(scenario, make, (tmp_path / "last",))]
    with Pool(2, Interruption()) as pool:
        assert dict(pool.results(jobs)) == {0: os.getpid(), 1: "done"}
    assert not (tmp_path / "last").exists()
