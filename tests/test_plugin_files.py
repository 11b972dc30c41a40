"""Files of --plugin: what they bring is known to every command and worker, and nothing else is run."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from simulator import Plugins, ScenarioError, pool, simulate
from tests.house import FILES, Interruption, Scenario, load, run_files
from tests.program import simulator

CODE = """
from __future__ import annotations
from dataclasses import dataclass
from typing import ClassVar
import numpy as np
from simulator import Plugins
import beside

@dataclass(frozen=True)
class Patience:
    meaning: ClassVar = "smaller and smaller steps"
    information: ClassVar = "local"
    most: float = beside.MOST
    def start(self, goods, steps=0):
        return np.zeros(0)
    def step(self, step, quote, memory):
        return step / (1 + quote.tick / self.most), memory

if __name__ == "__main__":
    1 / 0
mine = Plugins(rule_pieces={"patience": Patience})
"""
MARKET = """
goods: [bread, wine]
numeraire: wine
consumers:
  - {name: ann, utility: {cobb_douglas: {bread: 1, wine: 2}}, endowment: {bread: 2}}
  - {name: bob, utility: {cobb_douglas: {bread: 2, wine: 1}}, endowment: {wine: 1}}
trade: at_equilibrium
scheduler: {rate: RATE, with: [patience]}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    (tmp_path / "beside.py").write_text("MOST = 100")
    (tmp_path / "my.py").write_text(CODE)
    for number, rate in enumerate((0.1, 0.2, 0.3)):
        (tmp_path / f"m{number}.yaml").write_text(MARKET.replace("RATE", str(rate)))
    yield tmp_path
    FILES.clear()


def test_a_file_brings_kinds_to_every_command_and_goes_on_with_the_same(folder: Path) -> None:
    unknown = simulator("run", "m0.yaml", cwd=folder)
    assert unknown.returncode == 2
    assert "found 'patience'; expected" in unknown.stderr
    run = ("run", "m0.yaml", "--plugin", "my.py", "--plugin", "my.py", "--no-plots")
    assert simulator(*run, cwd=folder).returncode == 0
    for command in ("check", "solve", "perturb"):
        assert simulator(command, "m0.yaml", "--plugin", "my.py", cwd=folder).returncode == 0
    listed = simulator("list", "rules", "--plugin", "my.py", cwd=folder).stdout
    assert "patience  smaller and smaller steps (my.py)" in listed
    assert '"patience"' in simulator("schema", "--plugin", "my.py", cwd=folder).stdout
    kept = folder / "outputs" / "m0"
    assert (kept / "inputs" / "my.py").read_text() == CODE
    again = ("run", str(kept / "scenario.yaml"), "--plugin", str(kept / "inputs" / "my.py"), "--out", "again")
    (folder / "outputs" / "m0" / "inputs" / "beside.py").write_text("MOST = 100")
    assert simulator(*again, "--no-plots", cwd=folder).returncode == 0
    first, second = (folder / place / "m0" / "trajectory.csv" for place in ("outputs", "again"))
    assert first.read_bytes() == second.read_bytes()
    assert simulator(*run, "--resume", cwd=folder).returncode == 0
    (folder / "my.py").write_text(CODE + "# otherwise")
    changed = simulator(*run, "--resume", cwd=folder)
    assert changed.returncode == 2
    assert "my.py: found other contents than in" in changed.stderr


def test_a_file_whose_kinds_nobody_names_is_no_input_of_a_run(folder: Path) -> None:
    text = (folder / "m0.yaml").read_text().replace(", with: [patience]", "")
    (folder / "plain.yaml").write_text(text)
    assert simulator("run", "plain.yaml", "--plugin", "my.py", "--no-plots", cwd=folder).returncode == 0
    assert not (folder / "outputs" / "plain" / "inputs").exists()


def wait(_: Scenario, file: Path, stop: Interruption) -> int:
    """What is done here until a worker has made a file."""
    while not file.exists():
        time.sleep(0.01)
    return os.getpid()


def run(scenario: Scenario, file: Path, stop: Interruption) -> tuple[int, int]:
    found = simulate(scenario).summary["ticks"]
    file.touch()
    return os.getpid(), found


def test_workers_run_the_file_too(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool, "START", -1.0)
    run_files([folder / "my.py"])
    scenario, made = load(folder / "m0.yaml"), folder / "made"
    with pool.Pool(2, Interruption()) as workers:
        jobs = [pool.Job(scenario, wait, (made,)), pool.Job(scenario, run, (made,))]
        results = dict(workers.results(jobs))
    here, (there, ticks) = results[0], results[1]
    assert here == os.getpid() != there
    assert ticks == simulate(scenario).summary["ticks"]


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("\n1/0\n", "bad.py:2: ZeroDivisionError: division by zero"),
        ("x = 1\ny = (\n", "bad.py:2: SyntaxError: '(' was never closed"),
        ("import sys\nsys.exit('no')\n", "bad.py:2: SystemExit: no"),
        ("x = 1\n", "bad.py: found no Plugins among its names; expected, for example, plugins = Plugins("),
        (CODE, "bad.py: rule_pieces: found patience, which my.py brings too; expected another name"),
    ],
)
def test_what_is_wrong_with_a_file_is_said_with_its_line(code: str, said: str, folder: Path) -> None:
    (folder / "bad.py").write_text(code)
    done = simulator("run", "m0.yaml", "--plugin", "my.py", "--plugin", "bad.py", cwd=folder)
    assert done.returncode == 2
    assert said in done.stderr
    assert not (folder / "outputs").exists()


@pytest.mark.parametrize(("file", "said"), [("no.py", "found no such file"), ("m0.yaml", "found another file")])
def test_what_is_no_python_file_is_refused(file: str, said: str, folder: Path) -> None:
    done = simulator("check", "m0.yaml", "--plugin", file, cwd=folder)
    assert (done.returncode, done.stderr) == (2, f"{file}: {said}; expected a file *.py\n")


@dataclass(frozen=True)
class Late:
    """Answers well where it is tried, and otherwise in the first tick of a market."""

    meaning: ClassVar[str] = "goes wrong at a price of 7"
    information: ClassVar[str] = "local"
    what: str = "shape"

    def start(self, goods: int, steps: int = 0) -> np.ndarray:
        return np.zeros(goods)

    def step(self, step: np.ndarray, quote: Any, memory: np.ndarray) -> Any:
        if 7.0 not in quote.prices:
            return step, memory
        return {
            "shape": (step[:1], memory),
            "infinite": (step / 0.0, memory),
            "nothing": (step, memory * np.nan),
            "forgetful": (step, memory[1:]),
            "single": step,
            "words": (step.astype(str), memory),
        }[self.what]


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("shape", "found an array of shape (1,) for the step of Late.step(...); expected (2,)"),
        ("infinite", "found -inf in the step of Late.step(...); expected finite numbers"),
        ("nothing", "found nan in the memory of Late.step(...); expected finite numbers"),
        ("forgetful", "found an array of shape (1,) for the memory of Late.step(...); expected (2,)"),
        ("single", "found a ndarray for Late.step(...); expected a step and a memory"),
        ("words", "for the step of Late.step(...); expected one of numbers"),
    ],
)
@pytest.mark.parametrize("price", [1, 7])
def test_a_piece_is_looked_at_in_the_first_tick(what: str, said: str, price: int) -> None:
    market = {
        "goods": {"bread": {"price": price}, "wine": {}},
        "numeraire": "wine",
        "supply": {"bread": 1, "wine": 1},
        "consumers": [{"name": "ann", "utility": {"cobb_douglas": {"bread": 1, "wine": 1}}, "budget": 2}],
        "scheduler": {"with": [{"clip": 1}, {"late": {"what": what}}]},
    }
    plugins = Plugins(rule_pieces={"late": Late})
    if price == 1:
        assert load(market, plugins=plugins)
        return
    with np.errstate(all="ignore"), pytest.raises(ScenarioError) as caught:
        load(market, plugins=plugins)
    assert "scheduler.with[1]" in str(caught.value)
    assert said in str(caught.value)
