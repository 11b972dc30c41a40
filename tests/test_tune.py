"""`simulator tune`: never worse than as written, the same whatever the number of jobs, and true to what it promises."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.house import (
    PIECES,
    RANGES,
    Trial,
    best_of,
    load,
    most_runs,
    numbers_of,
    search,
    simulate,
    text_with,
    trial,
)
from tests.program import simulator

SCENARIOS = Path(__file__).parents[1] / "scenarios"
VILLAGE = SCENARIOS / "village.yaml"
MARKET = """\
# Two buyers.
goods: [x, y]   # no more
supply: {x: 3, y: 1}
consumers:
  - {name: a,   budget: 2, utility: {ces: {elasticity: 3, shares: {x: 1, y: 2}}}}
  - {name: b,   budget: 1, utility: {cobb_douglas: {x: 2, y: 1}}}
"""
PLAIN = f"{MARKET}run: {{ticks: 300}}   # soon\n"
WITH_PIECES = f"""{MARKET}scheduler:
  rate: 0.02      # slow
  with:
    - momentum: -0.2   # taken back
    - {{decay: {{power: 0.5}}}}
    - adam   # by name alone
    - {{clip: 0.5}}
run: {{ticks: 100}}
"""
SHOCKED = f"""{MARKET}scheduler: {{rate: 0.1}}
shocks:
  - {{tick: 60, set: {{supply.x: {{times: 0.5}}}}}}
run: {{ticks: 400}}
"""
BIDS = 'program: "c = ln(1 + x*y)"\nsupply: {x: 1, y: 2}\nscheduler: {kind: marginal_bids, rate: 0.4}\n'
LESSON = """\
learning:
  patterns: {target: t, rows: [{a: 0, b: 1, t: 1}, {a: 1, b: 1, t: 0}, {a: 1, b: 0, t: 1}]}
  hidden: [{firms: 3, rate: 0.05}, {firms: 2}]
scheduler: {form: additive, rate: 0.05, with: [{nesterov: 0.5}]}
run: {ticks: 150, tolerance: 1e-3}
"""
TEXTS = {"plain": PLAIN, "pieces": WITH_PIECES, "shocked": SHOCKED, "bids": BIDS, "lesson": LESSON}


def tuned(file: Path) -> list[Trial]:
    """Every trial of a scenario's search."""
    scenario = load(file)
    return search(numbers_of(scenario), lambda many: [trial(scenario, numbers) for numbers in many])


@pytest.mark.parametrize("name", [pytest.param(name, marks=[pytest.mark.slow] * (name == "pieces")) for name in TEXTS])
def test_the_best_is_no_worse_than_as_written_and_runs_as_promised(name: str, tmp_path: Path) -> None:
    file = tmp_path / f"{name}.yaml"
    file.write_text(TEXTS[name])
    tried = tuned(file)
    written, best = tried[0], best_of(tried)
    assert best.rank <= written.rank
    assert len(tried) <= most_runs(numbers_of(load(file)))
    assert written.ticks == simulate(file).summary["ticks"]
    better = tmp_path / "better" / file.name
    better.parent.mkdir()
    better.write_text(text_with(file, best.numbers, better.parent))
    summary = simulate(better).summary
    assert (summary["outcome"], summary["ticks"]) == (best.outcome, best.ticks)
    for comment in ("# Two buyers.", "[x, y]   # no more", "# soon", "# slow", "# taken back"):
        assert (comment in better.read_text()) == (comment in TEXTS[name])


def test_the_main_number_of_each_piece_is_found(tmp_path: Path) -> None:
    file = tmp_path / "pieces.yaml"
    file.write_text(WITH_PIECES)
    assert {number.path: number.written for number in numbers_of(load(file))} == {
        "scheduler.rate": 0.02,
        "scheduler.with.0.momentum": -0.2,
        "scheduler.with.1.decay.over": 1.0,
        "scheduler.with.2.adam.beta1": 0.9,
        "scheduler.with.3.clip": 0.5,
    }
    file.write_text(LESSON)
    assert [number.path for number in numbers_of(load(file))][2:] == [
        "learning.hidden.0.rate",
        "learning.hidden.1.rate",
    ]


@pytest.mark.parametrize("key", RANGES)
def test_no_value_tried_is_refused(key: str) -> None:
    piece, _, parameter = key.partition(".")
    assert piece in PIECES
    power = {"power": 0.5} if piece == "decay" else {}
    for written in (0.5, 1.0, 20.0) if not RANGES[key].part else (0.5, 0.9):
        coarse = RANGES[key].coarse(written)
        for value in (*coarse, *RANGES[key].fine(coarse[-1], written), *RANGES[key].fine(coarse[0], written)):
            given: Any = {**power, parameter: value} if parameter else value
            load(VILLAGE, settings={"scheduler.with": [{piece: given}]})
            assert min(coarse) <= value <= max(coarse)


def test_signs_stay_as_written() -> None:
    assert [-value for value in RANGES["momentum"].coarse(-0.3)] == RANGES["momentum"].coarse(0.3)


def test_jobs_do_not_change_a_byte(tmp_path: Path) -> None:
    (tmp_path / "shocked.yaml").write_text(SHOCKED)
    said: list[Any] = []
    for jobs in ("1", "3"):
        done = simulator("tune", "shocked.yaml", "--json", "--jobs", jobs, "--out", f"jobs{jobs}", cwd=tmp_path)
        assert done.returncode == 0
        said.append({key: value for key, value in json.loads(done.stdout).items() if key != "file"})
    assert said[0] == said[1]
    assert (tmp_path / "jobs1" / "shocked.yaml").read_bytes() == (tmp_path / "jobs3" / "shocked.yaml").read_bytes()
    assert (tmp_path / "shocked.yaml").read_text() == SHOCKED


def test_the_command_keeps_its_promise(tmp_path: Path) -> None:
    done = simulator("tune", str(VILLAGE), "--set", "run.tolerance=1e-6", "--seed", "5", cwd=tmp_path)
    assert done.returncode == 0
    file = Path("outputs") / "tuned" / "village.yaml"
    assert f"wrote {file}" in done.stdout
    ran = simulator("run", str(file), "--no-plots", "--json", cwd=tmp_path)
    summary = json.loads(ran.stdout)
    assert f"village: cleared after {summary['ticks']} ticks; as written cleared after" in done.stdout
    assert (summary["seed"], summary["tolerance"], ran.returncode) == (5, 1e-6, 0)


def test_where_nothing_clears_it_says_so(tmp_path: Path) -> None:
    few = ("--set", "run.ticks=3", "--out", str(tmp_path))
    done = simulator("tune", str(VILLAGE), *few)
    assert done.returncode == 3
    assert "nothing clears in 21 runs; the best leaves the smallest residual" in done.stdout
    assert "expected cleared, found out_of_ticks" in done.stdout
    assert simulate(tmp_path / "village.yaml").summary["ticks"] == 3


def test_refusals(tmp_path: Path) -> None:
    file = tmp_path / "plain.yaml"
    file.write_text(PLAIN)

    def refused(*arguments: str) -> str:
        done = simulator("tune", *arguments, cwd=tmp_path)
        assert done.returncode == 2
        return done.stderr.strip()

    assert "which is left as it is" in refused("plain.yaml", "--out", ".", "--overwrite")
    assert refused("plain.yaml", "--set", "run.stop=never").endswith("expected --set run.stop=verdict")
    assert refused("plain.yaml", "--jobs", "0").startswith("--jobs: found '0'")
    assert "expected a folder" in refused("plain.yaml", "--out", "plain.yaml")
    assert refused("missing.yaml").startswith("missing.yaml: no such file")
    assert refused("plain.yaml", "--set", "scheduler.rate=-1").startswith("--set: scheduler.rate: found -1")
    said = refused(str(SCENARIOS / "xor.yaml"), "--set", "goods.constant.price=0.1")
    assert said.startswith(f"--set: cannot be written into {SCENARIOS / 'xor.yaml'} (")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["plain.yaml"]
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "plain.yaml").write_text("mine")
    assert "--overwrite replaces it, --out writes elsewhere" in refused("plain.yaml", "--out", "out")
    assert (tmp_path / "out" / "plain.yaml").read_text() == "mine"
    assert simulator("tune", "plain.yaml", "--out", "out", "--overwrite", cwd=tmp_path).returncode == 0
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["plain.yaml"]
    assert file.read_text() == PLAIN


@pytest.mark.skipif(sys.platform == "win32", reason="sends an interrupt")
@pytest.mark.slow
@pytest.mark.parametrize("jobs", ["1", "2"])
def test_interrupted_it_writes_nothing(jobs: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "simulator", "tune", str(SCENARIOS / "scarf.yaml"), "--set", "run.ticks=1000000"]
    command += ["--jobs", jobs]
    process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    assert process.stderr.readline().startswith("runs done: ")
    time.sleep(0.3)  # While a process is being started, Ctrl-C is not heard.
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (130, "")
    assert "Traceback" not in err
    assert not list(tmp_path.iterdir())


def test_every_piece_has_a_range_or_no_number_of_its_own() -> None:
    """How late or how seldom a market moves (`delay`, `bernoulli`) is no choice of its own."""
    numberless = {
        *("relative", "own_slope", "extragradient", "averaging", "newton", "sequential", "random_order"),
        *("delay", "bernoulli"),
    }
    ranged = {key.partition(".")[0] for key in RANGES}
    assert ranged | numberless == set(PIECES)
    assert not ranged & numberless


@pytest.mark.parametrize("line_break", ["\n", "\r\n", "\r"])
def test_lines_end_as_they_did(line_break: str, tmp_path: Path) -> None:
    lines = [*MARKET.splitlines(), "scheduler:", "  form: multiplicative  # no rate", "run: {ticks: 300}", ""]
    (tmp_path / "ends.yaml").write_bytes(line_break.join(lines).encode())
    text = text_with(tmp_path / "ends.yaml", {"scheduler.rate": 0.3}, tmp_path / "out")
    place = lines.index("run: {ticks: 300}")
    assert text == line_break.join([*lines[:place], "  rate: 0.3", *lines[place:]])


def test_a_number_found_is_written_whatever_was_set_before(tmp_path: Path) -> None:
    (tmp_path / "plain.yaml").write_text(PLAIN)
    settings = ["--set", "scheduler.rate=0.3", "--set", "scheduler={rate: 0.05}"]
    done = simulator("tune", "plain.yaml", *settings, "--json", cwd=tmp_path)
    best = json.loads(done.stdout)["best"]
    assert load(tmp_path / "outputs" / "tuned" / "plain.yaml").rule.rate == best["numbers"]["scheduler.rate"] != 0.05


def test_a_long_cosine_is_looked_for_around_what_is_written() -> None:
    values = RANGES["cosine"].coarse(50_000)
    assert min(values) < 50_000 < max(values)
