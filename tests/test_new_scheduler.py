"""A scheduler that the project does not have: one class of settings, one scheduler, one row, and all else follows."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal, NamedTuple

import numpy as np
import pytest
from pydantic import Field

from simulator import ScenarioError, catalogue
from simulator.run import run_to_disk
from tests.economies import BAZAAR_CONSUMERS
from tests.house import (
    NUMBER,
    SCHEDULERS,
    Column,
    Economy,
    Facts,
    Findings,
    Positive,
    PriceRule,
    Quotes,
    Rows,
    Scheduler,
    SchedulerSettings,
    Sentence,
    Setup,
    Transition,
    Verdict,
    VerdictRule,
    View,
    ViewOptions,
    growing_columns,
    load,
    scenario_schema,
    simulate,
)

COLUMN = Column("largest_ratio", NUMBER, "largest ratio of demand to supply")
BAZAAR: dict[str, Any] = {
    "name": "bazaar_by_ratios",
    "goods": ["x", "y", "z"],
    "numeraire": "z",
    "scheduler": {"kind": "ratios", "power": 0.5},
    "consumers": BAZAAR_CONSUMERS,
}


class RatioSettings(SchedulerSettings):
    """Prices are multiplied by a power of demand over supply."""

    meaning = "prices are multiplied by a power of demand over supply"
    columns: ClassVar = {"ticks": (COLUMN,)}

    kind: Literal["ratios"] = Field(description="prices are multiplied by a power of demand over supply")
    power: Positive = Field(0.5, description="the power of demand over supply")

    def refuse(self, findings: Findings) -> None:
        if findings.sound("scheduler", "power") and self.power > 2:
            findings.fault(("scheduler", "power"), f"found {self.power:g}; expected a power of at most 2")

    def price_rule(self, floor: np.ndarray, fixed: np.ndarray, seed: int) -> PriceRule:
        return PriceRule("multiplicative", self.power, (), floor, fixed, seed)

    def build(self, setup: Setup) -> Ratios:
        return Ratios(setup.rule)


class RatioState(NamedTuple):
    tick: int
    prices: np.ndarray


class RatioTick(NamedTuple):
    tick: int
    finite: bool
    prices: np.ndarray
    demand: np.ndarray
    supply: np.ndarray

    @property
    def ratio(self) -> np.ndarray:
        return self.demand / self.supply


@dataclass(frozen=True, eq=False)
class Ratios(Scheduler[RatioState, RatioTick]):
    rule: PriceRule
    kind = "ratios"

    def start(self, economy: Economy, prices: np.ndarray, seed: int) -> RatioState:
        return RatioState(0, prices)

    def step(self, economy: Economy, state: RatioState) -> tuple[RatioState, RatioTick]:
        plans = economy.balance(state.prices)
        tick = RatioTick(state.tick, True, state.prices, plans.demand, plans.supply)
        moved = np.where(self.rule.free, state.prices * tick.ratio**self.rule.rate, state.prices)
        return RatioState(state.tick + 1, moved), tick

    def residual(self, economy: Economy, tick: RatioTick) -> float:
        return float(np.abs(tick.ratio - 1.0).max())

    def quotes(self, economy: Economy, tick: RatioTick) -> Quotes:
        return Quotes(tick.prices, tick.demand, tick.supply)

    def verdict_rule(self, prices: np.ndarray, tolerance: float) -> RatioVerdict:
        return RatioVerdict(self, tolerance)

    def view(self, economy: Economy, prices: np.ndarray, options: ViewOptions) -> RatioView:
        return RatioView(economy, self.rule.free)


class RatioVerdict(VerdictRule[RatioState, RatioTick]):
    def __init__(self, scheduler: Ratios, tolerance: float) -> None:
        self.scheduler, self.tolerance = scheduler, tolerance

    def verdict(self, now: Transition[RatioState, RatioTick]) -> Verdict | None:
        residual = self.scheduler.residual(now.economy, now.tick)
        return Verdict("cleared", {"ratios": residual}) if residual <= self.tolerance else None

    def close(self, now: Transition[RatioState, RatioTick]) -> Verdict:
        return Verdict("out_of_ticks", {})


class RatioView(View[RatioState, RatioTick, RatioTick]):
    columns = growing_columns(COLUMN)
    sentences = (
        Sentence("ratios", "All ratios are 1, to {ratios:.1g}"),
        Sentence("uneven", "Some ratio is {largest:.3g}", lambda f: f.largest > 1.01),
        Sentence("even", "No ratio is above {largest:.3g}", lambda f: f.largest <= 1.01),
    )

    def __init__(self, economy: Economy, free: np.ndarray) -> None:
        self.economy, self.free_goods = economy, free

    def change_economy(self, tick: int, economy: Economy) -> None:
        self.economy = economy

    def note(self, now: Transition[RatioState, RatioTick], *, record: bool) -> RatioTick | None:
        return now.tick if record else None

    def rows(self, notes: Sequence[RatioTick]) -> dict[str, Callable[[], Rows]]:
        ticks, goods = np.array([tick.tick for tick in notes]), np.array(self.economy.goods)
        price, demand, supply = (np.array([getattr(t, x) for t in notes]) for x in ("prices", "demand", "supply"))
        known = {"price": price, "demand": demand, "supply": supply, "excess_demand": demand - supply}
        largest = (demand / supply).max(axis=1)
        return {
            "trajectory": lambda: Rows(ticks, {"good": goods}, known),
            "ticks": lambda: Rows(ticks, {}, {"largest_ratio": largest}),
        }

    def facts(self, verdict: Verdict, now: Transition[RatioState, RatioTick], last: Mapping[str, float]) -> Facts:
        return {"largest": last["largest_ratio"]}


@pytest.fixture(autouse=True)
def row(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SCHEDULERS, "ratios", RatioSettings)


def test_it_runs_from_yaml_with_its_column_and_its_words() -> None:
    run = simulate(BAZAAR)
    assert run.summary["outcome"] == "cleared"
    assert run.summary["scheduler"] == "ratios"
    assert run.summary["sentence"].startswith("Cleared after ")
    assert "ticks. All ratios are 1, to " in run.summary["sentence"]
    assert run.summary["sentence"].endswith(". No ratio is above 1.")
    assert simulate(BAZAAR, ticks=1).summary["sentence"].endswith("after 1 tick. Some ratio is 1.49.")
    assert run.ticks["largest_ratio"].iloc[0] > 1.01
    plain = simulate({**BAZAAR, "scheduler": {"kind": "tatonnement"}})
    last, other = (each.trajectory.groupby("good")["price"].last() for each in (run, plain))
    np.testing.assert_allclose(last, other, rtol=1e-5)


def test_it_is_refused_with_a_place() -> None:
    for settings, said in (
        ({"kind": "ratio"}, "did you mean ratios"),
        ({"kind": "ratios", "pover": 1}, "did you mean power"),
        ({"kind": "ratios", "power": -1}, "scheduler.power"),
        ({"kind": "ratios", "power": 3}, "expected a power of at most 2"),
    ):
        with pytest.raises(ScenarioError, match=said):
            load({**BAZAAR, "scheduler": settings})


def test_it_is_listed_with_its_column_and_in_the_schema() -> None:
    for sections, said in ((catalogue.schedulers(), "ratios"), (catalogue.columns(), "largest_ratio")):
        assert any(said in line for line in catalogue.lines(sections))
    assert "the power of demand over supply" in json.dumps(scenario_schema())


def test_a_shock_reaches_it_and_it_resumes_to_the_same_bytes(tmp_path: Path) -> None:
    shock = {"tick": 1100, "set": {"consumers.a.endowment.x": 4}}
    scenario = load({**BAZAAR, "shocks": [shock], "run": {"ticks": 1200, "stop": "never"}})
    whole, part = tmp_path / "whole", tmp_path / "part"
    run_to_disk(scenario, whole)
    seen: list[int] = []
    run_to_disk(scenario, part, progress=lambda tick, _: seen.append(tick), stopped=lambda: len(seen) > 1050)
    run_to_disk(scenario, part, resume=True)
    for name in ("trajectory.csv", "ticks.csv"):
        assert (part / name).read_bytes() == (whole / name).read_bytes()
    prices = simulate(scenario).trajectory.set_index(["tick", "good"])["price"]
    assert prices[1200, "x"] < 0.9 * prices[1100, "x"]
