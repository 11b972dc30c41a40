"""The judges share no solver with the market: whichever kind of firm or consumer plans wrongly, some gap says so."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field

from tests.faults import Change, Inject
from tests.house import (
    CES,
    Amounts,
    Array,
    CobbDouglas,
    ConstantReturns,
    Entry,
    FormulaTechnology,
    FormulaUtility,
    GoodName,
    HomotheticTechnology,
    Leontief,
    Linear,
    Nest,
    Plan,
    Plugins,
    Production,
    Quadratic,
    QuasiLinear,
    Scenario,
    StoneGeary,
    Taste,
    best_input,
    emitted,
    formula_utility,
    load,
    parse,
    plain,
    reference,
    simulate,
    technology,
)

ONE_PERCENT = 1.01


@dataclass(frozen=True)
class Roots(Production):
    """`y = A (sqrt(x_1) + sqrt(x_2))`, of which only the plan is known."""

    productivity: Array

    def output_of_one(self, inputs: Array) -> Array:
        return self.productivity * np.sqrt(inputs).sum(axis=-1)

    def best_response_of_one(self, price: float, input_prices: Array) -> Array:
        return (price * self.productivity[:, None] / (2.0 * input_prices)) ** 2


@dataclass(frozen=True)
class Bare(Taste):
    """Square roots `sum_i w_i sqrt(x_i)`, of which only demand and utility are known."""

    weights: Array

    def demand(self, prices: Array, income: Array) -> Array:
        worth = self.weights**2 / prices
        return income[:, None] * (worth / worth.sum(axis=-1, keepdims=True)) / prices

    def utility(self, quantities: Array, paid: Array) -> Array:
        return (self.weights * np.sqrt(quantities)).sum(axis=-1)


class BareKind(Entry):
    meaning: ClassVar[str] = "sum w sqrt(x)"
    weights: Amounts = Field(description="weights w, by good")

    def build(self, read: Any) -> Bare:
        return Bare(read.table(self.weights, "weights"))


class RootsKind(Entry):
    meaning: ClassVar[str] = "sqrt(x_1) + sqrt(x_2)"
    output: GoodName = Field(description="the good made")
    inputs: list[GoodName] = Field(description="the goods used")

    def goods(self) -> list[str]:
        return self.inputs

    def build(self, read: Any) -> Roots:
        return Roots(np.ones(1))


def made(outputs: Any, **firm: Any) -> dict[str, Any]:
    """Bread, sold at a given price, of labour and grain whose prices are free."""
    return {
        "goods": ["labour", "grain", "bread"],
        "outside": {"bread": 2},
        "supply": {"labour": 2, "grain": 1},
        "firms": [{"name": "bakery", **firm}],
        "scheduler": {"rate": 0.2},
        **outputs,
    }


def bought(utility: dict[str, Any], **consumer: Any) -> dict[str, Any]:
    """Bread and wine at free prices, for two consumers of one taste and one of another."""
    other = {"name": "other", "budget": 1, "utility": {"cobb_douglas": {"bread": 1, "wine": 1}}}
    return {
        "goods": ["bread", "wine"],
        "supply": {"bread": 4, "wine": 2},
        "consumers": [{"name": "town", "count": 2, "utility": utility, "budget": 3, **consumer}, other],
        "scheduler": {"rate": 0.2},
    }


def kind(name: str, **parameters: Any) -> dict[str, Any]:
    return {"technology": {name: {"output": "bread", **parameters}}}


INPUTS = {"labour": 1, "grain": 2}
NESTED = {"labour": 1, "meal": {"elasticity": 0.3, "of": {"grain": 1, "bread": 0.1}}}
ONLY_LABOUR = {"goods": ["labour", "bread"], "supply": {"labour": 2}}


def first_input(result: Any, *_: Any) -> Any:
    """One input 1 % too large: of a plan in plain floats, of a plan in arrays, or of a table of inputs."""
    if isinstance(result, tuple) and not isinstance(result, Plan):
        return result[0] * ONE_PERCENT, result[1]
    if isinstance(result, Plan):
        return result._replace(inputs=first_good(result.inputs))
    return first_good(result)


def first_good(bundle: Array, *_: Any) -> Array:
    return bundle * np.where(np.arange(bundle.shape[-1]) == 0, ONE_PERCENT, 1.0)


def first_bundle(result: tuple[Array, Array], *_: Any) -> tuple[Array, Array]:
    return first_good(result[0]), result[1]


Fault = tuple[dict[str, Any], Any, str, Change]
FIRMS: dict[str, Fault] = {
    "formula of one input": (
        made(ONLY_LABOUR, makes="bread = sqrt(labour) + ln(1 + labour)"), FormulaTechnology, "plan_one", first_input
    ),
    "formula of one input, trade": (
        made(ONLY_LABOUR | {"trade": "at_equilibrium"}, makes="bread = 1 - exp(-labour)"),
        FormulaTechnology, "plan_one", first_input,
    ),
    "formula of several inputs": (
        made({}, makes="bread = labour^0.3*grain^0.4 + sqrt(labour)"), technology, "many_inputs", first_input
    ),
    "formula of several inputs, plan": (
        made({}, makes="bread = labour^0.3*grain^0.4"), FormulaTechnology, "best_response", first_input
    ),
    "formulas that differ": (
        made(ONLY_LABOUR, makes="bread = sqrt(labour)", count=3, productivity={"uniform": [1, 2]}),
        technology, "many_inputs", first_input,
    ),
    "power": (
        made(ONLY_LABOUR, **kind("power", inputs={"labour": 0.5})), HomotheticTechnology, "plan_one", first_input
    ),
    "cobb_douglas": (
        made({}, **kind("cobb_douglas", inputs={"labour": 0.3, "grain": 0.4})),
        HomotheticTechnology, "best_response", first_input,
    ),
    "cobb_douglas, form": (
        made({}, **kind("cobb_douglas", inputs={"labour": 0.3, "grain": 0.4})), CobbDouglas, "demand", first_good
    ),
    "ces": (
        made({}, **kind("ces", elasticity=0.5, inputs=INPUTS, returns_to_scale=0.7)),
        HomotheticTechnology, "best_response", first_input,
    ),
    "ces, form": (
        made({}, **kind("ces", elasticity=2, inputs=INPUTS, returns_to_scale=0.7)), CES, "demand", first_good
    ),
    "leontief": (
        made({}, **kind("leontief", inputs=INPUTS, returns_to_scale=0.6)),
        HomotheticTechnology, "best_response", first_input,
    ),
    "leontief, form": (
        made({}, **kind("leontief", inputs=INPUTS, returns_to_scale=0.6)), Leontief, "demand", first_good
    ),
    "activity": (
        made({}, technology={"activity": {"bread": 1, "labour": -1, "grain": -0.5}}, behaviour="activity"),
        ConstantReturns, "at_level", first_input,
    ),
    "reference": (
        made({}, technology={"reference": {"outputs": {"bread": 2}, "inputs": {"labour": 2, "grain": 2},
                                           "prices": {"labour": 0.5, "grain": 0.5}}}, behaviour="activity"),
        ConstantReturns, "at_level", first_input,
    ),
    "kind from outside": (
        made({}, technology={"roots": {"output": "bread", "inputs": ["labour", "grain"]}}),
        Roots, "best_response_of_one", first_input,
    ),
}  # fmt: skip

CONSUMERS: dict[str, Fault] = {
    "cobb_douglas": (bought({"cobb_douglas": {"bread": 1, "wine": 2}}), CobbDouglas, "demand", first_good),
    "cobb_douglas, together": (
        bought({"cobb_douglas": {"bread": 1, "wine": 2}}) | {"trade": "at_equilibrium"},
        CobbDouglas, "total_demand", first_good,
    ),
    "ces": (bought({"ces": {"elasticity": 0.4, "shares": {"bread": 1, "wine": 2}}}), CES, "demand", first_good),
    "ces, together": (
        bought({"ces": {"elasticity": 0.4, "shares": {"bread": 1, "wine": 2}}}) | {"trade": "at_equilibrium"},
        CES, "total_demand", first_good,
    ),
    "leontief": (bought({"leontief": {"bread": 1, "wine": 1}}), Leontief, "demand", first_good),
    "nest": (
        bought({"ces": {"elasticity": 2, "shares": {"bread": 1, "drink": 2},
                        "nests": {"drink": {"elasticity": 0.5, "shares": {"wine": 1}}}}}),
        Nest, "demand", first_good,
    ),
    "reference": (
        bought({"reference": {"demand": {"bread": 2, "wine": 1}, "elasticity": 0.5}}), CES, "demand", first_good
    ),
    "linear": (bought({"linear": {"bread": 1}}), Linear, "demand", first_good),
    "log": (
        bought({"quasilinear": {"log": {"bread": 2, "wine": 1}}}, budget=9), QuasiLinear, "demand", first_good
    ),
    "power": (
        bought({"quasilinear": {"power": {"weights": {"bread": 2, "wine": 1}, "elasticity": 0.5}}}, budget=9),
        QuasiLinear, "demand", first_good,
    ),
    "quadratic": (
        bought({"quasilinear": {"quadratic": {"intercept": {"bread": 5, "wine": 4}, "slope": {"bread": 1, "wine": 1}}}},
               budget=9),
        Quadratic, "demand", first_good,
    ),
    "stone_geary": (
        bought({"stone_geary": {"shares": {"bread": 1, "wine": 2}, "subsistence": {"bread": 0.5}}}),
        StoneGeary, "demand", first_good,
    ),
    "formula": (bought({"formula": "ln(bread) + 2*sqrt(wine)"}), formula_utility, "best_bundle", first_bundle),
    "formula, demand": (bought({"formula": "ln(bread) + 2*sqrt(wine)"}), FormulaUtility, "demand", first_good),
    "kind from outside": (bought({"bare": {"weights": {"bread": 1, "wine": 2}}}), Bare, "demand", first_good),
}  # fmt: skip
FAULTS = {f"firm, {name}": fault for name, fault in FIRMS.items()} | {
    f"consumer, {name}": fault for name, fault in CONSUMERS.items()
}
OWN = Plugins(utilities={"bare": BareKind}, technologies={"roots": RootsKind})


def gaps(scenario: Scenario) -> dict[str, float]:
    """What tells whether the market planned well, the adjoint apart."""
    summary = simulate(scenario).summary
    told = {name: summary[name] for name in ("price_gap", "gradient_path_gap", "plan_residual")}
    return {name: gap for name, gap in told.items() if gap is not None and not math.isnan(gap)}


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.slow] * name.endswith("formula, demand")) for name in FAULTS]
)
def test_a_plan_one_percent_off_is_noticed_without_the_adjoint(inject: Inject, name: str) -> None:
    data, owner, method, fault = FAULTS[name]
    data = {**data, "run": {"ticks": 400, "tolerance": 1e-7, "record_every": 10}}
    # A scheduler remembers what it looked up in its first run, honest methods included: the second run is another's.
    scenario, again = (load(data, plugins=OWN) for _ in range(2))
    assert not scenario.rule.fixed.all()
    honest = gaps(scenario)
    inject(owner, method, fault)
    broken = gaps(again)
    assert any(gap < 1e-5 and broken[name] > 1e-3 for name, gap in honest.items()), (honest, broken)


def written(function: Callable[[Any], Any], given: Any) -> list[Any]:
    """The operations that a function is traced to; what is one operation with all that it does shows in the result."""
    traced = emitted(function, plain(given))
    assert isinstance(traced.result, tuple), "cannot be traced"
    graph = traced.trace.graph
    return [graph.operations, graph.arguments, graph.constants, repr(traced.run(plain(given)))]


@pytest.mark.parametrize("name", [name for name in FAULTS if "linear" not in name])
def test_a_fault_is_written_into_the_tick_and_not_into_what_the_judges_ask(inject: Inject, name: str) -> None:
    """But where they have no road of their own, and verify what was planned."""
    data, owner, method, fault = FAULTS[name]
    scenario = load(data, plugins=OWN)
    economy, scheduler = scenario.economy, scenario.scheduler
    state = scheduler.start(economy, scenario.initial_prices, 0)
    function, guess = reference(economy), economy.first_guess()

    def texts() -> tuple[list[Any], list[Any]]:
        tick = written(scheduler.traceable(economy), state)
        return tick, written(lambda given: function.descent(*given, slopes=True), (scenario.initial_prices, guess))

    tick, judged = texts()
    inject(owner, method, fault)
    broken_tick, broken_judged = texts()
    assert broken_tick != tick
    verified = [firm.technology.verified for firm in economy.firms]
    verified += [cohort.utility.verified for cohort in economy.consumers]
    assert (broken_judged == judged) or any(verified)


def test_every_kind_is_broken() -> None:
    from tests.house import TECHNOLOGIES, UTILITIES

    assert not {*TECHNOLOGIES} - {name.partition(",")[0].partition(" ")[0] for name in FIRMS}
    broken = {name.partition(",")[0] for name in CONSUMERS}
    assert not {*UTILITIES} - broken - {"quasilinear"}
    assert {"log", "power", "quadratic"} <= broken


@given(st.floats(-8, 8), st.floats(-8, 8))
@pytest.mark.parametrize(
    "text",
    [
        "sqrt(x)", "ln(x)", "ln(x - 1)", "1 - 1/(x + 1)", "ln(1 + x)", "x - x^2", "sqrt(x) - 0.1*x",
        "min(2*sqrt(x), sqrt(x) + 1)", "1 - exp(-x)", "x^0.99", "x*(1 - ln(x))",
        "2*x^0.4 + ln(1 + x)", "sqrt(x - 2) + sqrt(3 - x)", "0 - 1/x",
    ],
)  # fmt: skip
def test_the_judges_search_ends_at_the_largest_profit(text: str, ratio: float, near: float) -> None:
    """From anywhere, over many decades of prices, at corners, kinks, and the ends of a domain."""
    formula = parse(text)
    scalar, price = formula.scalar, 10.0**ratio
    assert scalar is not None
    first = scalar.jet(0.0)[1] if math.isfinite(scalar.value(0.0)) else math.inf
    x, made = best_input(scalar, price, 10.0**near, first)
    if x == 0.0:
        assert first <= price or scalar.jet(math.exp(-150))[1] <= price
    elif x < math.inf:
        # At the end of a domain the last bit of the input is worth something.
        assert made == pytest.approx(scalar.value(x), rel=1e-13, abs=1e-13 + 1e-15 * price * x)
        beside = (scalar.jet(x * (1 + way))[1] for way in (1e-7, -1e-7))
        above, below = (slope if slope == slope else way for slope, way in zip(beside, (-1.0, math.inf), strict=True))
        assert above <= price * (1 + 1e-12)
        assert below >= price * (1 - 1e-12)


@given(st.integers(0, 2**32 - 1))
def test_honest_plans_leave_no_residual(seed: int) -> None:
    stream = np.random.default_rng(seed)
    prices, income = np.exp(stream.normal(0, 2, 3)), np.exp(stream.normal(0, 2, 4))
    utility = FormulaUtility(parse("ln(a) + 2*sqrt(b) + 0.5*ln(1 + c)"), (2, 0, 1), 3)
    bundle = utility.demand(prices, income)
    assert utility.plan_residual(prices, income, bundle) < 1e-12
    assert utility.plan_residual(prices, income, 1.02 * bundle) > 0.01
    own = Bare(np.exp(stream.normal(0, 1, (4, 3))))
    assert own.plan_residual(prices, income, own.demand(prices, income)) < 1e-6
    firm = FormulaTechnology(parse("x^0.3*y^0.2 + ln(1 + z)"), productivity=np.exp(stream.normal(0, 0.5, 4)), count=4)
    plan = firm.best_response(2.0, prices.tolist(), np.ones((4, 3)))
    assert firm.plan_residual(2.0, prices, plan) < 1e-12
    assert firm.plan_residual(2.0, prices, plan._replace(output=1.01 * plan.output)) > 1e-3
