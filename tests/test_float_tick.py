"""The tick in plain floats is the tick in arrays, traced: both give the same numbers, wherever floats serve."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.builders import in_arrays, market_of
from tests.faults import Inject
from tests.house import (
    Consumers,
    Economy,
    InFloats,
    Market,
    MarketTick,
    Taste,
    Tatonnement,
    Trace,
    Trade,
    UntraceableError,
    array_search,
    emitted,
    load,
    plain,
    simulate,
    traced_or_called,
)

FORMULAS = ("{a}*sqrt({x})", "{a}*{x}^0.7", "{a}*ln(1 + {x})", "{a}*(1 - 1/(1 + {x}))", "sqrt(1 + {a}*{x}) - 1")


@st.composite
def supply_trees(draw: st.DrawFn) -> dict[str, Any]:
    """A scenario of firms with one input each, in which goods may have several users and several makers."""
    count = draw(st.integers(1, 7))
    goods = [f"g{i}" for i in range(draw(st.integers(2, 6)))]
    firms = []
    for number in range(count):
        uses = draw(st.integers(0, len(goods) - 2))
        makes = draw(st.integers(uses + 1, len(goods) - 1))
        formula = draw(st.sampled_from(FORMULAS)).format(a=draw(st.floats(0.5, 3)), x=goods[uses])
        firms.append({"name": f"f{number}", "makes": f"{goods[makes]} = {formula}"})
    every_tick = {"spoilage": draw(st.sampled_from([0.0, 0.3, 1.0]))}
    if every_tick["spoilage"] < 1:
        every_tick["inventories"] = True
    return {
        "name": "tree",
        "goods": goods,
        "outside": {goods[-1]: draw(st.floats(0.5, 2))},
        "supply": {goods[0]: draw(st.floats(0.1, 10)), goods[draw(st.integers(0, len(goods) - 2))]: 1.5},
        "initial_prices": {good: draw(st.floats(0.05, 5)) for good in goods[:-1]},
        "firms": firms,
        "trade": draw(st.sampled_from(["at_equilibrium", {"every_tick": every_tick}])),
        "start": draw(st.sampled_from(["stocked", "empty"])),
        "scheduler": {
            "kind": "tatonnement",
            "form": draw(st.sampled_from(["additive", "multiplicative"])),
            "rate": 0.05,
        },
    }


def assert_same(floats: Market, arrays: Market, rtol: float = 1e-11) -> None:
    """Both ticks just over have the same numbers in every column."""
    assert (floats.last_tick.tick, floats.last_tick.finite) == (arrays.last_tick.tick, arrays.last_tick.finite)
    for name in MarketTick._fields[2:]:
        one, other = getattr(floats, name), getattr(arrays, name)
        assert one.shape == other.shape, name
        size = np.abs(np.nan_to_num(other)).max(initial=1.0)
        np.testing.assert_allclose(one, other, rtol=rtol, atol=1e-13 * size, err_msg=name)


def markets(data: dict[str, Any]) -> tuple[Market, Market]:
    """The same market twice: in plain floats, and held to arrays."""
    scenario = load(data)
    return market_of(scenario), in_arrays(scenario)


@given(supply_trees())
def test_both_ticks_agree(data: dict[str, Any]) -> None:
    floats, arrays = markets(data)
    for _ in range(30):
        floats.advance()
        arrays.advance()
        assert_same(floats, arrays)


IN_ARRAYS = {"energy", "fish_market", "perfect_substitutes", "subsistence", "town"}
"""Crowds, and tastes whose demand is a set."""
SCENARIOS = Path(__file__).parents[1] / "scenarios"


@pytest.mark.parametrize("name", sorted(path.stem for path in SCENARIOS.glob("*.yaml")))
def test_shipped_scenarios_tick_alike_in_floats_and_in_arrays(name: str) -> None:
    scenario = load(SCENARIOS / f"{name}.yaml")
    floats = market_of(scenario)
    if not isinstance(floats.scheduler, Tatonnement):
        return
    arrays = in_arrays(scenario)
    for _ in range(100):
        floats.advance()
        arrays.advance()
        assert_same(floats, arrays)
        # Each tick alone: where a market amplifies rounding, two runs of it part.
        arrays.state = floats.state
    assert floats.scheduler.served_by(floats.transition) == ("arrays" if name in IN_ARRAYS else "floats")


PIECES: list[list[Any]] = [
    [{"momentum": 0.5}, {"clip": 0.05}],
    [{"nesterov": 0.5}],
    [{"adam": {"epsilon": 0.1}}],
    [{"rmsprop": {"epsilon": 0.1}}],
    [{"pd": 1.0}],
    ["extragradient"],
    ["averaging"],
    [{"delay": 3}],
    [{"decay": {"power": 0.5, "over": 20}}],
    [{"warmup": 10}],
    [{"cosine": {"ticks": 30}}],
    ["own_slope"],
    ["newton"],
    ["anderson"],
    ["sequential"],
    ["random_order"],
    [{"bernoulli": 0.5}],
    [{"delay": {"own": 0, "neighbours": 2}}],
]
TASTES: dict[str, Any] = {
    "cobb_douglas": {"x": 1, "y": 2},
    "leontief": {"x": 1, "y": 2},
    "ces": {"elasticity": 0.5, "shares": {"x": 1, "y": 2}},
    "stone_geary": {"shares": {"x": 1, "y": 2}, "subsistence": {"x": 0.1}},
    "formula": "ln(x) + 2*sqrt(y)",
    "quasilinear": {"log": {"x": 1, "y": 2}},
}


def trade_of_two(**changes: Any) -> dict[str, Any]:
    """Two people who own a good each, and a firm that makes one of the other."""
    ann = {"name": "ann", "endowment": {"x": 2}, "utility": {"cobb_douglas": {"x": 1, "y": 1}}}
    bob = {
        "name": "bob",
        "endowment": {"y": 1, "x": 0.5},
        "owns": {"mill": 1},
        "utility": {"leontief": {"x": 1, "y": 1}},
    }
    return {
        "goods": ["x", "y"],
        "firms": [{"name": "mill", "makes": "y = sqrt(x)"}],
        "consumers": [ann, bob],
        "initial_prices": {"x": 1, "y": 1.7},
        "scheduler": {"kind": "tatonnement", "rate": 0.05},
        **changes,
    }


@pytest.mark.parametrize("trade", ["every_tick", "at_equilibrium"])
@pytest.mark.parametrize("pieces", PIECES, ids=str)
def test_pieces_with_memory_tick_alike(pieces: list[Any], trade: str) -> None:
    data = trade_of_two(trade=trade, scheduler={"kind": "tatonnement", "rate": 0.05, "with": pieces})
    # Anderson's steps solve for weights of differences: they amplify the last bits of what is planned.
    agree(data, 60, rtol=1e-7 if "anderson" in pieces else 1e-11)


def agree(data: dict[str, Any], ticks: int, served: bool = True, rtol: float = 1e-11) -> None:
    """A market in floats and in arrays gives the same numbers; it is in floats, or not, as `served` says."""
    floats, arrays = markets(data)
    for _ in range(ticks):
        floats.advance()
        arrays.advance()
        assert_same(floats, arrays, rtol)
        # Each tick alone: a rule may amplify rounding.
        arrays.state = floats.state
    assert floats.scheduler.served_by(floats.transition) == ("floats" if served else "arrays")


@dataclass(frozen=True)
class HalfInX(Taste):
    """Half of all money goes into the first good, by a way that takes numbers out of arrays."""

    @property
    def wanted(self) -> Any:
        return np.ones(2, dtype=bool)

    def demand(self, prices: Any, income: Any) -> Any:
        return np.array([[0.5 * float(each) / float(price) for price in prices] for each in income])

    def utility(self, quantities: Any, paid: Any) -> Any:
        return np.log(quantities).sum(axis=-1)


def test_what_cannot_be_traced_is_one_operation() -> None:
    consumer = Consumers("ann", HalfInX(), np.array([[1.0, 2.0]]), np.zeros(1), np.zeros((1, 0)))
    economy = Economy(("x", "y"), np.zeros(2), np.full(2, np.nan), (), (consumer,))
    rule = load(trade_of_two()).scheduler.rule
    for every_tick in (True, False):
        tick = Tatonnement(rule, Trade(every_tick), engine="floats", aggregates=False)
        floats, arrays = (
            Market(scheduler, economy, np.array([1.0, 1.7])) for scheduler in (tick, replace(tick, engine="arrays"))
        )
        for _ in range(10):
            floats.advance()
            arrays.advance()
            assert_same(floats, arrays)
        assert floats.scheduler.served_by(floats.transition) == "floats"
        refusal = floats.scheduler.refusal(economy, np.array([1.0, 1.7]), "compiled")
        assert refusal == "a plan of HalfInX is worked out in arrays"


def test_a_called_function_gives_the_same_arrays_whatever_it_is_given() -> None:
    def function(x: Any, memory: tuple[Any, ...]) -> tuple[Any, ...]:
        counted, (some, nothing) = memory[0], memory[1]
        return np.array([float(each) ** 2 for each in x]), (counted + 1, (some * 2.0, nothing))

    called = traced_or_called(function, "squares")
    given = (np.array([1.0, 2.0]), (np.array([3]), (np.array([4.0]), np.zeros(0))))
    done = InFloats(lambda state: called(*state))
    (x, (counted, (some, nothing))) = done(plain(given))
    assert (x, counted, some, len(nothing)) == ((1.0, 4.0), (4,), (8.0,), 0)
    assert isinstance(counted[0], int)
    growing = traced_or_called(lambda x: np.array([float(x[0])] * int(x[0])), "more and more")
    grows = InFloats(lambda state: (growing(state[0]),))
    grows(((2.0, 1.0),))
    with pytest.raises(AssertionError, match="more and more gives 3 numbers, not 2"):
        grows(((3.0, 1.0),))


def test_a_crowd_ticks_in_arrays() -> None:
    crowd = {"name": "all", "count": 50, "budget": {"uniform": [1, 2]}, "utility": {"leontief": {"x": 1, "y": 1}}}
    agree(trade_of_two(consumers=[crowd], supply={"x": 3}), 10, served=False)


def test_a_broken_node_is_seen(inject: Inject) -> None:
    data = {
        "goods": ["a", "b"],
        "outside": {"b": 1},
        "supply": {"a": 1},
        "firms": [{"name": "f", "makes": "b = sqrt(a)"}],
    }
    floats, arrays = markets(data)
    arrays.advance()
    arrays.advance()
    inject(Tatonnement, "_tick", lambda tick, *_: (tick[0]._replace(prices=tick[0].prices * 1.01), *tick[1:]))
    floats.advance()
    floats.advance()
    assert floats.scheduler.served_by(floats.transition) == "floats"
    assert abs(floats.state.prices[0] / np.asarray(arrays.state.prices)[0] - 1) > 1e-3


def emitted_of(function: Any, *arrays: Any) -> tuple[Any, Trace]:
    """A function of arrays, traced at these and written out for plain floats."""
    return emitted(lambda given: function(*given), plain(arrays))[:2]


def test_a_market_goes_on_from_any_tick_as_it_went_on_there() -> None:
    """Also where a price was 0 before: what was traced on the way changes nothing."""
    people = {
        "name": "all",
        "count": 9,
        "endowment": {"x": 0.002, "y": 0.001},
        "utility": {"ces": {"elasticity": {"uniform": [0.3, 0.9]}, "shares": {"x": {"uniform": [1, 2]}, "y": 1}}},
    }
    other = {"name": "b", "utility": {"quasilinear": {"quadratic": {"intercept": {"z": 2}, "slope": {"z": 1}}}}}
    data = {
        "goods": {"x": None, "y": None, "z": {"floor": 0}},
        "numeraire": "y",
        "initial_prices": {"x": 1.3, "z": 2},
        "supply": {"z": 1.5},
        "consumers": [people, other],
        "trade": "at_equilibrium",
        "scheduler": {"kind": "tatonnement", "form": "additive", "rate": 1.4},
    }
    whole = market_of(load(data))
    states = []
    for _ in range(100):
        whole.advance()
        states.append(whole.state)
    assert not all(np.asarray(state.prices).all() for state in states)
    late = market_of(load(data))
    late.state = states[50]
    for state in states[51:]:
        late.advance()
        assert np.array_equal(late.state.prices, state.prices)


numbers = st.lists(st.floats(0.1, 10), min_size=3, max_size=3).map(np.array)


@given(numbers, numbers, numbers)
def test_what_is_traced_is_what_numpy_does(x: Any, y: Any, there: Any) -> None:
    """Traced at one place, asked at another."""

    def function(a: Any, b: Any) -> Any:
        table = np.stack([a, b * 2.0, np.maximum(a, b)])
        table[1] = np.where(a > b, np.log(a), -b)
        share = np.einsum("ag,g->a", table, b) / (1.0 + np.exp(-a))
        sums = np.bincount(np.array([0, 2, 0]), share, 3)
        flags = (a > 1.0) & (b < 5.0) | (a >= b)
        return table.sum(axis=0), np.concatenate([sums, share[::-1]]), flags * np.sqrt(a) ** 1.5, np.clip(a, 1.0, b + 1)

    text, _ = emitted_of(function, x, y)
    for at in ((x, y), (y, there)):
        for found, right in zip(text(plain(at)), function(*at), strict=True):
            np.testing.assert_allclose(found, right, rtol=1e-13)


def test_a_guard_keeps_a_text_to_where_it_was_traced() -> None:
    def function(a: Any) -> Any:
        return (2.0 * a,) if a.min() > 1.0 else (a - 1.0,)

    text, trace = emitted_of(function, np.array([2.0, 3.0]))
    assert len(trace.guards) == 1
    assert text(((4.0, 5.0),)) == ((8.0, 10.0),)
    assert text(((4.0, 0.5),)) is None
    both = InFloats(lambda state: function(state[0]))
    assert both(((2.0, 3.0),)) == ((4.0, 6.0),)
    assert both(((2.0, 0.5),)) == ((1.0, -0.5),)
    assert both(((4.0, 3.0),)) == ((8.0, 6.0),)


@pytest.mark.parametrize("escape", [float, int, np.asarray, lambda a: np.sort(a), lambda a: [1, 2, 3][a]])
def test_no_number_leaves_a_trace_unseen(escape: Any) -> None:
    with pytest.raises(UntraceableError):
        escape(Trace().array(np.array(1.0)))


def careless(a: Any) -> Any:
    """Hands out a table to write on, and goes on with the table."""
    table = np.zeros(2)
    np.multiply(a, 2.0, out=table)
    return table + a


def afraid(a: Any) -> Any:
    try:
        return a * float(a[0])
    except (TypeError, Exception):
        return a


def sum_of_flags(a: Any) -> Any:
    return 1.0 * ((a > 0.0) + (a > 0.5))


@pytest.mark.parametrize(
    "function",
    [
        careless,
        afraid,
        sum_of_flags,
        lambda a: a * (a > 0).astype(int),
        lambda a: math.log(a[0]) * a,
    ],
)
def test_what_a_trace_would_get_wrong_is_asked_in_arrays(function: Any) -> None:
    assert InFloats(lambda given: (function(given[0]),))(((1.0, 2.0),)) is None


@pytest.mark.parametrize("bits", [lambda n: n & 1, lambda n: n | 2, lambda n: ~n])
def test_numbers_are_not_taken_bit_by_bit(bits: Any) -> None:
    assert InFloats(lambda given: (bits(given[0]),))(((3, 4),)) is None


def halved(a: Any) -> Any:
    """Writes on what it is given, and on a copy."""
    b = a.astype(float)
    b *= 0.5
    c = a[0].item()
    c *= 3.0
    a *= 2.0
    return a, b, c


def test_who_writes_on_what_it_is_given_writes_on_no_other_s() -> None:
    text, _ = emitted_of(lambda a: halved(a), np.array([1.0, 2.0]))
    assert text(((4.0, 6.0),)) == ((8.0, 12.0), (2.0, 3.0), 12.0)


@pytest.mark.parametrize("base", [-1.0, 0.0, 2.0])
def test_a_power_of_the_tick_is_numpy_s(base: float) -> None:
    text, _ = emitted_of(lambda tick: (base**tick,), np.array([2.0, 3.0]))
    assert text(((4.0, 5.0),))[0] == (base**4, base**5)


def test_a_course_that_cannot_be_traced_leaves_the_others_in_floats() -> None:
    both = InFloats(lambda given: (np.sort(given[0]) if given[0].min() < 0.0 else 2.0 * given[0],))
    assert both(((1.0, 2.0),)) == ((2.0, 4.0),)
    assert both(((-1.0, 2.0),)) is None
    assert both(((3.0, 2.0),)) == ((6.0, 4.0),)
    late = InFloats(lambda given: (np.sort(given[0]) if given[0].min() < 0.0 else 2.0 * given[0],))
    assert late(((-1.0, 2.0),)) is None
    assert late(((3.0, 2.0),)) == ((6.0, 4.0),)


@pytest.mark.parametrize("taste", [*TASTES, "nest", "quadratic"])
def test_members_who_differ_in_their_purses_alone_tick_alike(taste: str) -> None:
    utility = {
        "nest": {
            "ces": {
                "elasticity": 0.3,
                "shares": {"x": 2, "other": 1},
                "nests": {"other": {"elasticity": 4, "shares": {"y": 1, "z": 1}}},
            }
        },
        "quadratic": {"quasilinear": {"quadratic": {"intercept": {"x": 2, "y": 2}, "slope": {"x": 1, "y": 1}}}},
        "quasilinear": {"quasilinear": {"log": {"x": 1, "y": 2}}},
    }.get(taste, {taste: TASTES.get(taste)})
    people = {"name": "all", "count": 3, "budget": {"uniform": [1, 3]}, "utility": utility}
    supply = {"x": 3, "y": 2, "z": 1}
    data = trade_of_two(goods=[*supply], firms=[], supply=supply, consumers=[people], trade="at_equilibrium")
    agree(data, 10)


@pytest.mark.parametrize("at", [0.0, -1.0, 800.0, -math.inf, math.inf, math.nan])
def test_floats_answer_as_arrays_where_nothing_is_finite(at: float) -> None:
    def function(x: Any) -> Any:
        return (np.exp(np.log(x) + x), 1.0 / x, x**-1.5, x**3.0, np.sqrt(x), np.log1p(x), np.expm1(x), x / (x - 800.0))

    text, _ = emitted_of(function, np.array([1.0]))
    with np.errstate(all="ignore"):
        for found, right in zip(text(((at,),)), function(np.array([at])), strict=True):
            np.testing.assert_allclose(found, right, rtol=1e-13)


def test_what_counts_ticks_stays_whole() -> None:
    text, _ = emitted_of(lambda tick, x: (tick + 1, x + 1), np.array([3, 4]), np.array([3.0]))
    found = text(((7, 8), (2.0,)))
    assert found == ((8, 9), (3.0,))
    assert [type(number) for number in (*found[0], *found[1])] == [int, int, float]


def without_end(**changes: Any) -> dict[str, Any]:
    """A firm whose supply is beyond every number once its input is cheap."""
    market = {"goods": ["a", "b"], "supply": {"a": 1}, "outside": {"b": 1}, "scheduler": {"rate": 50}}
    return {**market, "firms": [{"name": "f", "makes": "b = a^0.99"}], "run": {"ticks": 40}, **changes}


@pytest.mark.parametrize("stop", ["verdict", "never"])
@pytest.mark.parametrize("trade", ["at_equilibrium", "every_tick"])
def test_a_tick_without_finite_plans_is_never_passed_over(trade: str, stop: str) -> None:
    summaries = [
        simulate(load(without_end(trade=trade), settings={"run.engine": engine, "run.stop": stop})).summary
        for engine in ("arrays", "floats")
    ]
    assert [(each["outcome"], each["ticks"]) for each in summaries] == [("diverged", 1)] * 2
    assert summaries[0]["sentence"] == summaries[1]["sentence"]


def test_a_search_that_ends_without_finite_plans_is_recorded() -> None:
    consumer = {"name": "k", "utility": {"formula": "ln(a) + ln(b)"}, "endowment": {"a": 0.6, "b": 0.8}, "budget": 1}
    rule = {"rate": 0.5, "with": [{"delay": {"own": 1, "neighbours": 3}}, "anderson"]}
    market = without_end(consumers=[consumer], trade="every_tick", scheduler=rule)
    del market["supply"], market["outside"]
    run = simulate(load(market, settings={"run.engine": "floats", "run.references": "off"}))
    assert run.summary["outcome"] == "diverged"
    assert run.summary["ticks"] == run.trajectory["tick"].max() > 1


def test_numbers_beyond_the_largest_warn_nobody() -> None:
    squared = array_search("squares")(lambda x: x * x)
    assert InFloats(lambda state: (squared(state[0]),))(((1e200, 2.0),)) == ((math.inf, 4.0),)
    market = market_of(trade_of_two())
    now = market.advance()
    rule = market.scheduler.verdict_rule(np.ones(2), 1e-6)
    for prices in ([1e304, 1.0], [2e304, 1.0]):
        rule.observe(now._replace(tick=now.tick._replace(prices=np.array(prices))))
    assert rule.highest == 2e304
