"""Machine code does to numbers what plain floats do, and passes over ticks without changing what is said of a run."""

from __future__ import annotations

import math
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.special import expit

from tests.builders import market_of
from tests.house import (
    Afterwards,
    Compiled,
    ScenarioError,
    Simulation,
    Tatonnement,
    UncompilableError,
    array_search,
    load,
    run_to_disk,
    simulate,
    written,
)

SCENARIOS = Path(__file__).parents[1] / "scenarios"
UNSERVED = {
    "energy": "a tick has",
    "perfect_substitutes": "demand of linear tastes is a set",
    "lange": "the best inputs of a formula of several is worked out in arrays",
    "shared_intermediate": "the best inputs of a formula of several is worked out in arrays",
    "subsistence": "a tick has",
    "two_roads_planned": "the best inputs of a formula of several",
}
SHIPPED = sorted(path.stem for path in SCENARIOS.glob("*.yaml"))
TATONNEMENT = [name for name in SHIPPED if isinstance(load(SCENARIOS / f"{name}.yaml").scheduler, Tatonnement)]
SERVED = [name for name in TATONNEMENT if name not in UNSERVED]
CROWDS = ["fish_market", "town"]
"""Scenarios whose consumers are worked out in machine code and all else in arrays."""
QUIET = {"run.references": "off", "run.record_every": 10**9}


@pytest.fixture(autouse=True)
def cache(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """Machine code is kept for the next run of the tests, beside what pytest keeps."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(request.config.cache.mkdir("compiled")))  # pyright: ignore


def ended(name: str, engine: str, **changes: Any) -> tuple[dict[str, Any], np.ndarray[Any, Any]]:
    """Verdict and last prices of a shipped scenario."""
    run = simulate(load(SCENARIOS / f"{name}.yaml", settings={**QUIET, "run.engine": engine, **changes}))
    assert run.summary["engine"] == engine
    kept = ("outcome", "ticks", "sentence", "period", "amplitude")
    return {key: run.summary[key] for key in kept}, run.trajectory.price.to_numpy()


@pytest.mark.slow
@pytest.mark.parametrize("name", SERVED)
def test_every_engine_comes_to_the_same_verdict_at_the_same_tick(name: str) -> None:
    machine, prices = ended(name, "compiled")
    arrays, others = ended(name, "arrays")
    assert (arrays["outcome"], arrays["ticks"]) == (machine["outcome"], machine["ticks"])
    np.testing.assert_allclose(others, prices, rtol=1e-9)
    if name not in CROWDS:
        floats, same = ended(name, "floats")
        assert machine == floats
        np.testing.assert_array_equal(same, prices)


def flat(state: Any) -> list[Any]:
    """The numbers of a state, in order."""
    parts = (flat(each) if isinstance(each, tuple) else np.ravel(each).tolist() for each in state)
    return [number for part in parts for number in part]


@pytest.mark.parametrize("name", ["bazaar", "tupperware"])
def test_machine_code_repeats_the_bits_of_floats_tick_by_tick(name: str) -> None:
    scenario = load(SCENARIOS / f"{name}.yaml", settings={**QUIET, "run.engine": "compiled", "run.stop": "never"})
    passing, single = Simulation(scenario), market_of(scenario)
    seen: list[int] = []
    for tick in passing.ticks():
        seen.append(tick)
        if passing.recorder.full:
            passing.recorder.tables()
        while single.state.tick <= tick:
            single.advance()
        np.testing.assert_array_equal(flat(passing.market.state), flat(single.state))
    assert len(seen) < scenario.run.ticks / 10, "hardly any tick was passed over"


def test_a_run_with_shocks_and_rows_is_the_same_in_machine_code() -> None:
    shocks = [{"tick": 60, "set": {"supply.natgas": 2}}]
    changes = {"run.record_every": 25, "run.stop": "never", "run.ticks": 150, "shocks": shocks}
    tables = []
    for engine in ("floats", "compiled"):
        settings = {**QUIET, **changes, "run.engine": engine}
        tables.append(simulate(load(SCENARIOS / "tupperware.yaml", settings=settings)))
    for name in ("trajectory", "ticks", "agents", "wedges"):
        one, other = (getattr(run, name) for run in tables)
        assert len(one)
        assert one.equals(other), name
    assert tables[0].summary["worst_imbalance"] == pytest.approx(tables[1].summary["worst_imbalance"])


@pytest.mark.parametrize("name", sorted(UNSERVED))
def test_what_cannot_be_compiled_is_refused_by_name(name: str) -> None:
    with pytest.raises(ScenarioError) as refused:
        load(SCENARIOS / f"{name}.yaml", settings={"run.engine": "compiled"})
    assert "run.engine: found compiled, which cannot run this economy: " in str(refused.value)
    assert UNSERVED[name] in str(refused.value)
    serve = "auto or arrays" if name == "perfect_substitutes" else "auto, floats or arrays"
    assert f"expected {serve}; did you mean engine: auto?" in str(refused.value)


def test_a_scheduler_of_arrays_refuses_floats() -> None:
    with pytest.raises(ScenarioError, match="marginal_bids works out all firms at once, in arrays alone"):
        load(SCENARIOS / "program.yaml", settings={"run.engine": "floats"})


def test_without_numba_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "numba", None)
    with pytest.raises(ScenarioError, match=r"needs Numba; pip install 'market-simulator\[fast\]'"):
        load(SCENARIOS / "bazaar.yaml", settings={"run.engine": "compiled"})


NUMBERS = (-math.inf, -1.5, -0.0, 0.0, 2.0, 800.0, math.nan)


def softplus(x: Any) -> Any:
    return np.logaddexp(0.0, x)


UNARY: list[Any] = [np.sqrt, np.log, np.exp, np.sin, np.cos, np.cosh, np.tanh, np.abs, np.log1p, np.expm1, np.isfinite]
UNARY += [np.sign, expit, softplus]
BINARY: list[Any] = [np.add, np.subtract, np.multiply, np.divide, np.power, np.minimum, np.maximum, np.remainder]
ASKED: list[Any] = [np.greater, np.less_equal, np.equal, np.not_equal]


def test_operations_without_a_number_answer_as_ieee_arithmetic_does() -> None:
    def function(x: Any, y: Any) -> tuple[Any, ...]:
        chosen = np.where(x > y, x, y)
        return *(each(x) for each in UNARY), *(each(x, y) for each in (*BINARY, *ASKED)), chosen

    def step(state: tuple[Any], _: tuple[Any, ...]) -> tuple[Any, tuple[Any, ...], bool]:
        return state, function(state[0][:, None], state[0][None, :]), True

    done = Compiled(step).run((NUMBERS,), (), 1)
    x = np.array(NUMBERS)
    with np.errstate(all="ignore"):
        expected = function(x[:, None], x[None, :])
    for operation, one, other in zip([*UNARY, *BINARY, *ASKED, np.where], done.kept, expected, strict=True):
        np.testing.assert_allclose(one[0], other, rtol=1e-15, err_msg=operation.__name__)


def test_a_search_that_cannot_be_seen_into_is_named() -> None:
    halved = array_search("half of everything")(lambda x: x / 2)
    with pytest.raises(UncompilableError, match="half of everything is worked out in arrays"):
        written(lambda state, _: ((halved(state[0]),), (), True), ((1.0, 2.0),), ())


def test_other_rates_and_supplies_are_the_same_machine_code() -> None:
    def texts() -> set[str]:
        return {name for name in sys.modules if name.startswith("compiled_")}

    ended("tupperware", "compiled")
    before = texts()
    other = {"scheduler.rate": 0.37, "supply.natgas": 4.1}
    machine, prices = ended("tupperware", "compiled", **other)
    floats, others = ended("tupperware", "floats", **other)
    assert before
    assert texts() == before
    assert machine == floats
    assert np.array_equal(prices, others)


@pytest.mark.parametrize("every", [7, 10**9])
def test_a_run_interrupted_after_ticks_passed_over_ends_with_the_last_of_them(every: int, tmp_path: Path) -> None:
    changes = {**QUIET, "run.engine": "compiled", "run.stop": "never", "run.record_every": every}
    scenario, seen = load(SCENARIOS / "bazaar.yaml", settings=changes), list[int]()
    said = run_to_disk(scenario, tmp_path / "run", progress=lambda tick, _: seen.append(tick), stopped=lambda: seen[-1])
    assert seen[-1] > 1
    assert said["ticks"] == seen[-1]
    alone = market_of(scenario)
    for _ in range(said["ticks"] + 1):
        alone.advance()
    passing = Simulation(scenario)
    for tick in passing.ticks():
        if tick == said["ticks"]:
            break
    now = passing.market.transition
    assert now.tick == alone.transition.tick
    assert flat(now.after) == flat(passing.market.state) == flat(alone.state)


def test_ticks_recorded_between_ticks_passed_over_are_worked_out_together(monkeypatch: pytest.MonkeyPatch) -> None:
    asked, together = list[int](), Afterwards.__call__

    def counted(self: Afterwards, notes: Any, recorded: Any) -> Any:
        asked.append(len(notes))
        return together(self, notes, recorded)

    monkeypatch.setattr(Afterwards, "__call__", counted)
    changes = {**QUIET, "run.stop": "never", "run.record_every": 3, "run.ticks": 200}
    runs = [
        simulate(load(SCENARIOS / "scarf_traded.yaml", settings={**changes, "run.engine": engine}))
        for engine in ("floats", "compiled")
    ]
    assert len(asked) == 2
    assert asked[1] < 100, "no tick was passed over"
    for name in ("trajectory", "ticks", "agents"):
        assert getattr(runs[0], name).equals(getattr(runs[1], name)), name


def test_without_the_compiler_of_numba_machine_code_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("numba.config.DISABLE_JIT", 1)
    with pytest.raises(ScenarioError, match="found compiled, with NUMBA_DISABLE_JIT set"):
        load(SCENARIOS / "bazaar.yaml", settings={"run.engine": "compiled"})


def doubled(state: tuple[Any, ...], _: tuple[Any, ...]) -> tuple[Any, tuple[Any, ...], bool]:
    return (state[0] * 2.0,), (), True


def test_broken_machine_code_is_made_anew(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert Compiled(doubled).run(((1.0, 2.0),), (), 3).after == ((8.0, 16.0),)
    kept = list(tmp_path.rglob("*.nb?"))
    assert kept
    for file in kept:
        file.write_bytes(b"")
    assert Compiled(doubled).run(((1.0, 2.0),), (), 3).after == ((8.0, 16.0),)


def test_numbers_in_an_array_are_read_and_written_like_others() -> None:
    """An array that no tick changes may come back as it is: machine code must not write beyond the numbers it got."""
    twice = Compiled(lambda state, _: ((state[0] * 2.0, state[1]), (), True))
    assert twice.run(((1.0, 2.0), (5.0,)), (), 3).after == ((8.0, 16.0), (5.0,))
    after = twice.run(((1.0, 2.0), np.array([5.0])), (), 3).after
    assert isinstance(after[1], tuple)
    assert after == ((8.0, 16.0), (5.0,))


def test_without_a_home_nothing_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    def nowhere() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setattr(Path, "home", nowhere)
    assert Compiled(doubled).run(((1.0, 2.0),), (), 3).after == ((8.0, 16.0),)
