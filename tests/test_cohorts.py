"""Populations: block by block, by several roads, on any number of threads, the same market."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks import population_baselines as baselines
from tests.builders import cohorts_of
from tests.house import (
    CES,
    CobbDouglas,
    Consumers,
    Economy,
    Firm,
    Form,
    FormulaTechnology,
    Homothetic,
    Leontief,
    Market,
    PriceRule,
    Taste,
    Tatonnement,
    Trade,
    aggregate,
    parse,
    rows,
)

GOODS = ("labour", "grain", "bread", "wine")


def stream(seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


def cobb_douglas(count: int, seed: int) -> Form:
    return CobbDouglas(stream(seed).dirichlet([2, 1, 3, 1], count))


def ces(count: int, seed: int) -> Form:
    return CES(stream(seed).uniform(0.3, 2.5, count), stream(seed + 1).dirichlet([2, 1, 3, 1], count))


def leontief(count: int, seed: int) -> Form:
    return Leontief(stream(seed).uniform(0.1, 2.0, (count, 4)))


FORMS: dict[str, Callable[[int, int], Form]] = {"cobb_douglas": cobb_douglas, "ces": ces, "leontief": leontief}


def consumers(utility: Taste, count: int, seed: int) -> Consumers:
    endowment = stream(seed).lognormal(0, 0.4, (count, 4)) * [1, 0.2, 0, 0.5]
    return Consumers(
        "households",
        utility,
        endowment,
        budget=np.full(1, 0.2),
        owns=np.full((1, 1), 0.8 / count),
        count=count,
    )


def economy(*cohorts: Consumers) -> Economy:
    farm = Firm("farm", FormulaTechnology(parse("30*labour^0.5")), (1,), (0,))
    return Economy(GOODS, np.array([0.0, 0, 9, 1]), np.full(4, np.nan), (farm,), cohorts)


def market(of: Economy, *, every_tick: bool, aggregates: bool = False) -> Market:
    rule = PriceRule("multiplicative", 0.1, (), np.full(4, 1e-12), np.zeros(4, dtype=bool))
    return Market(Tatonnement(rule, Trade(every_tick), aggregates=aggregates), of, np.array([1.0, 1.5, 0.7, 1.2]))


def run(of: Economy, ticks: int = 12, *, every_tick: bool, aggregates: bool = False) -> Market:
    model = market(of, every_tick=every_tick, aggregates=aggregates)
    for _ in range(ticks):
        model.advance()
    return model


def seen(model: Market) -> dict[str, np.ndarray]:
    """What a market did in its last tick, and what is recorded of its consumers."""
    fraction = None if model.scheduler.trade.every_tick else np.full(4, 0.9)
    totals = [cohort.totals(fraction, objective=True) for cohort in cohorts_of(model)]
    looked = [np.concatenate([c.bought, c.sold, [c.utility], *c.worth]) for c in totals]
    names = ("prices", "demand", "supply", "traded", "consumers_planned", "from_outside")
    return {name: getattr(model, name) for name in names} | {
        "looked": np.sum(looked, axis=0),
        "money": model.money.sum(),
        "spending": model.spending.sum(),
    }


def assert_same(a: Market, b: Market, rtol: float = 1e-11) -> None:
    for name, values in seen(a).items():
        size = float(np.max(np.abs(values), initial=1.0))
        np.testing.assert_allclose(seen(b)[name], values, rtol=rtol, atol=1e-13 * size, err_msg=name)


@pytest.mark.parametrize("every_tick", [True, False])
@pytest.mark.parametrize("kind", FORMS)
def test_blocks_of_any_size_give_the_same_market(kind: str, every_tick: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    people = consumers(Homothetic(FORMS[kind](2000, 1)), 2000, 2)
    whole = run(economy(people), every_tick=every_tick)
    monkeypatch.setattr(rows, "BLOCK", 77)
    parts = run(economy(replace(people)), every_tick=every_tick)
    assert len(parts.economy.consumers[0].blocks) == 26
    assert_same(whole, parts)


@pytest.mark.parametrize("every_tick", [True, False])
def test_the_number_of_threads_does_not_change_a_bit(every_tick: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "BLOCK", 50)
    people = consumers(Homothetic(ces(1000, 1)), 1000, 2)
    outcomes: list[dict[str, np.ndarray]] = []
    for threads in (1, 2, 7):
        with ThreadPoolExecutor(threads) as pool:
            monkeypatch.setattr(rows, "_threads", lambda pool=pool: pool)
            outcomes.append(seen(run(economy(people), every_tick=every_tick)))
    for name, values in outcomes[0].items():
        for other in outcomes[1:]:
            assert np.array_equal(values, other[name]), name


@pytest.mark.parametrize("every_tick", [True, False])
@pytest.mark.parametrize("kind", FORMS)
def test_a_hundred_alike_in_one_row_are_a_hundred_rows_and_a_hundred_cohorts(kind: str, every_tick: bool) -> None:
    form = FORMS[kind](1, 5)
    one = consumers(Homothetic(form), 1, 6)
    alike = replace(one, count=100, owns=one.owns / 100)
    repeated = replace(alike, endowment=np.repeat(alike.endowment, 100, axis=0))
    apart = [replace(alike, name=f"h{i}", count=1) for i in range(100)]
    assert (alike.size, repeated.size) == (1, 100)
    models = [run(economy(*cohorts), every_tick=every_tick) for cohorts in ([alike], [repeated], apart)]
    assert_same(models[0], models[1])
    assert_same(models[0], models[2])


@given(st.integers(0, 10_000), st.sampled_from(["cobb_douglas", "alike"]), st.integers(2, 300))
@settings(max_examples=40)
def test_who_plans_as_one_plans_what_all_would(seed: int, kind: str, count: int) -> None:
    form = cobb_douglas(count, seed) if kind == "cobb_douglas" else ces(1, seed)
    of = economy(consumers(Homothetic(form), count, seed))
    together, each = (run(of, 5, every_tick=False, aggregates=aggregates) for aggregates in (True, False))
    assert aggregate(of.consumers[0]) is not None
    assert_same(together, each)


def test_heterogeneous_elasticities_do_not_add_up_and_trade_is_for_individuals() -> None:
    assert aggregate(consumers(Homothetic(ces(50, 1)), 50, 1)) is None
    of = economy(consumers(Homothetic(cobb_douglas(50, 1)), 50, 1))
    (cohort,) = cohorts_of(run(of, 1, every_tick=True, aggregates=True))
    assert cohort.bundles is not None


def test_a_loss_that_might_ruin_somebody_is_left_to_the_individuals() -> None:
    """A firm with a fixed cost plans a loss; of those who own it, some have too little to bear it."""
    count = 60
    poor = consumers(Homothetic(cobb_douglas(count, 3)), count, 4)
    poor = replace(poor, budget=np.zeros(1), endowment=poor.endowment * stream(1).uniform(0, 0.01, (count, 1)))
    farm = Firm("farm", FormulaTechnology(parse("labour^0.5 - 5"), negative_output=True), (1,), (0,))
    of = replace(economy(poor), firms=(farm,))
    together, each = (run(of, 3, every_tick=False, aggregates=aggregates) for aggregates in (True, False))
    assert float(cohorts_of(each)[0].income.min()) == 0.0
    assert_same(together, each)


@pytest.mark.parametrize("every_tick", [True, False])
@pytest.mark.parametrize("kind", FORMS)
def test_a_population_is_its_members_as_single_consumers(kind: str, every_tick: bool) -> None:
    count = 40
    people = consumers(Homothetic(FORMS[kind](count, 7)), count, 8)
    members = [replace(people.take(slice(i, i + 1)), name=f"h{i}", count=1) for i in range(count)]
    assert_same(run(economy(people), every_tick=every_tick), run(economy(*members), every_tick=every_tick))


@pytest.mark.parametrize("ces_tastes", [False, True])
def test_the_market_is_the_one_plain_mesa_and_plain_numpy_make(ces_tastes: bool) -> None:
    population = baselines.draw(300, ces=ces_tastes)
    objects, arrays = baselines.ObjectMarket(population), baselines.BlockMarket(population)
    form = CobbDouglas(population.shares)
    if population.elasticity is not None:
        form = CES(population.elasticity, population.shares)
    people = Consumers("h", Homothetic(form), population.endowment, np.zeros(1), np.zeros((1, 0)), 300)
    goods = baselines.GOODS
    of = Economy(tuple(f"g{i}" for i in range(goods)), np.zeros(goods), np.full(goods, np.nan), (), (people,))
    rule = PriceRule("multiplicative", baselines.RATE, (), np.full(goods, 1e-12), np.zeros(goods, dtype=bool))
    ours = Market(Tatonnement(rule, Trade(every_tick=False)), of, np.array(baselines.first_prices()))
    for _ in range(20):
        for model in (objects, arrays, ours):
            model.advance()
        np.testing.assert_allclose(ours.next_prices, objects.prices, rtol=1e-12)
        np.testing.assert_allclose(arrays.prices, objects.prices, rtol=1e-12)


def test_thinned_out_an_economy_still_has_everybody() -> None:
    people = consumers(Homothetic(ces(5000, 1)), 5000, 2)
    whole, thin = economy(people), economy(people).thinned(1000)
    (some,) = thin.consumers
    assert some.size == 1000
    assert some.weight == 5
    prices = np.array([1.0, 1.5, 0.7, 1.2])
    np.testing.assert_allclose(thin.balance(prices).demand, whole.balance(prices).demand, rtol=0.1)
    assert whole.thinned(10_000) is whole


def test_all_cores_are_used_where_there_are_several_blocks() -> None:
    assert rows._threads()._max_workers == len(os.sched_getaffinity(0))
    assert [part.stop - part.start for part in rows.blocks(40_000)] == [20_000, 20_000]


def test_threads_share_the_error_state_of_who_asks() -> None:
    values = [np.zeros(1), np.zeros(1)]
    with np.errstate(divide="raise"), pytest.raises(FloatingPointError):
        rows.over_blocks(values, lambda x: 1.0 / x)
    with np.errstate(divide="ignore"):
        assert rows.over_blocks(values, lambda x: float((1.0 / x)[0])) == [np.inf, np.inf]
