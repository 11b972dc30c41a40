"""Utilities: every kind obeys the laws of a best choice, and the market's road to it leads where the judges' does."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.house import (
    CES,
    UTILITIES,
    CobbDouglas,
    Consumers,
    Economy,
    FormulaUtility,
    Homothetic,
    Leontief,
    Linear,
    Nest,
    Quadratic,
    QuasiLinear,
    StoneGeary,
    StoneGearyWithCorners,
    Taste,
    load,
    parse,
    reference,
    unfit,
)

Array = np.ndarray
Stream = np.random.Generator

FORMULAS = (
    "ln(a) + 2*sqrt(b) + 0.5*ln(1 + c)",
    "a^0.3*b^0.4*c^0.1 + ln(1 + d)",
    "1 - exp(-a) + ln(1 + b)",
    "0 - 1/a - 2/b^2",
    "sqrt(a + 1) + b/(2 + b) + ln(c)",
    "a*b*c^2",
    "(1/a + 2/b)^-1",
    "a*b + a",
    "2*sqrt(a) + b",
    "ln(a) + 2*ln(1 + b) + c",
)


def parameters(stream: Stream, rows: int, goods: int) -> Array:
    """Positive parameters, some 0 but never all of a row."""
    values = np.exp(stream.normal(0, 1, (rows, goods)))
    unwanted = stream.random((rows, goods)) < 0.25
    unwanted[np.arange(rows), stream.integers(0, goods, rows)] = False
    values[unwanted] = 0.0
    return values


def elasticities(stream: Stream, rows: int) -> Array:
    return np.where(stream.random(rows) < 0.2, 1.0, np.exp(stream.uniform(-1.5, 1.5, rows)))


def nest(stream: Stream, rows: int, goods: int) -> Homothetic:
    """Two goods, or the first of them and a nest of the others."""
    if goods == 2:
        return Homothetic(Nest.of_shares(2, (1, 0), elasticities(stream, rows), parameters(stream, rows, 2)))
    inner = Nest.of_weights(goods, range(1, goods), elasticities(stream, rows), parameters(stream, rows, goods - 1))
    return Homothetic(Nest.of_shares(goods, (0, inner), elasticities(stream, rows), parameters(stream, rows, 2)))


def quadratic(stream: Stream, rows: int, goods: int) -> Quadratic:
    intercept = 3.0 * parameters(stream, rows, goods)
    return Quadratic(intercept, np.where(intercept > 0, np.exp(stream.normal(0, 1, (rows, goods))), 0.0))


def stone_geary(stream: Stream, rows: int, goods: int) -> StoneGeary:
    shares = parameters(stream, rows, goods)
    subsistence = 0.3 * np.exp(stream.normal(0, 1, (rows, goods))) * (stream.random((rows, goods)) < 0.7)
    taste = CobbDouglas(shares) if stream.random() < 0.5 else CES(elasticities(stream, rows), shares)
    return StoneGeary(taste, np.where(shares > 0, subsistence, 0.0))


def corners(stream: Stream, rows: int, goods: int) -> StoneGearyWithCorners:
    shares = parameters(stream, rows, goods)
    subsistence = stream.normal(-0.3, 1.0, (rows, goods)) * (stream.random((rows, goods)) < 0.8)
    return StoneGearyWithCorners(CobbDouglas(shares), np.where(shares > 0, subsistence, np.minimum(subsistence, 0.0)))


def formula(stream: Stream, rows: int, goods: int) -> FormulaUtility:
    parsed = parse(str(stream.choice(FORMULAS)))
    count = max(goods, len(parsed.variables))
    return FormulaUtility(parsed, tuple(stream.permutation(count)[: len(parsed.variables)].tolist()), count)


BUILD: dict[str, Callable[[Stream, int, int], Taste]] = {
    "cobb_douglas": lambda stream, rows, goods: Homothetic(CobbDouglas(parameters(stream, rows, goods))),
    "ces": lambda stream, rows, goods: Homothetic(CES(elasticities(stream, rows), parameters(stream, rows, goods))),
    "leontief": lambda stream, rows, goods: Homothetic(Leontief(parameters(stream, rows, goods))),
    "nest": nest,
    "log": lambda stream, rows, goods: QuasiLinear(parameters(stream, rows, goods)),
    "power": lambda stream, rows, goods: QuasiLinear(parameters(stream, rows, goods), elasticities(stream, rows)),
    "quadratic": quadratic,
    "stone_geary": stone_geary,
    "stone_geary with corners": corners,
    "linear": lambda stream, rows, goods: Linear(parameters(stream, rows, goods)),
    "formula": formula,
}
KINDS = pytest.mark.parametrize("kind", BUILD)
SMOOTH = pytest.mark.parametrize("kind", [kind for kind in BUILD if kind != "leontief"])
seeds = st.integers(0, 2**32 - 1)


def draw(kind: str, seed: int) -> tuple[Taste, Array, Array, Stream]:
    """A random utility, prices and incomes; quasi-linear purses are full, nearly empty, or without end."""
    stream = np.random.default_rng(seed)
    rows, goods = int(stream.integers(1, 5)), int(stream.integers(2, 6))
    utility = BUILD[kind](stream, rows, goods)
    count = utility.count if isinstance(utility, FormulaUtility) else goods
    income = np.exp(stream.normal(0.5, 1.5, rows))
    if not utility.needs_income:
        income = np.where(stream.random(rows) < 0.3, np.inf, income)
    return utility, np.exp(stream.normal(0, 0.8, count)), income, stream


def some_bundles(utility: Taste, prices: Array, income: Array, stream: Stream) -> Array:
    """Bundles with some of everything, and more than subsistence."""
    quantities = np.exp(stream.normal(0, 0.7, (len(income), len(prices))))
    if isinstance(utility, StoneGeary):
        quantities = quantities + np.maximum(utility.subsistence, 0.0)
    if isinstance(utility, Quadratic):
        # No more than is of use.
        enough = utility.intercept / np.where(utility.slope > 0, utility.slope, 1.0)
        quantities = enough * stream.uniform(0.05, 0.95, quantities.shape)
    return quantities


def by_each(function: Callable[[Array], Array], x: Array, step: float) -> Array:
    """Central differences of `function` of `(goods,)` in the logarithm of each good, along a last axis."""
    ways = [step * way for way in np.eye(len(x))]
    return np.stack([(function(x * np.exp(way)) - function(x * np.exp(-way))) / (2 * step) for way in ways], axis=-1)


def marginal_worth(utility: Taste, quantities: Array) -> Array:
    """`u_i x_i` by finite differences, `(n, goods)`."""
    step, nothing = 1e-5, np.zeros(len(quantities))

    def moved(way: Array) -> Array:
        return utility.utility(quantities * np.exp(way), nothing)

    ways = step * np.eye(quantities.shape[1])
    return np.stack([(moved(way) - moved(-way)) / (2 * step) for way in ways], axis=-1)


def test_every_kind_of_the_table_is_here() -> None:
    tested = {type(build(np.random.default_rng(0), 2, 3)) for build in BUILD.values()}
    amounts = {"a": 1, "b": 2}
    written: dict[str, Any] = {
        "cobb_douglas": amounts,
        "ces": {"elasticity": 2, "shares": amounts},
        "leontief": amounts,
        "linear": amounts,
        "quasilinear": {"log": amounts},
        "stone_geary": {"shares": amounts, "subsistence": {"a": 0.1}},
        "formula": "ln(a) + ln(b)",
        "reference": {"demand": amounts},
    }
    built = {
        type(load({"goods": ["a", "b"], "consumers": [consumer]}).economy.consumers[0].utility)
        for consumer in ({"name": "c", "budget": 1, "utility": {kind: given}} for kind, given in written.items())
    }
    assert set(written) == set(UTILITIES)
    assert built | {Quadratic, StoneGearyWithCorners} == tested
    assert all("\n" not in kind.meaning for kind in UTILITIES.values())


@KINDS
@given(seed=seeds)
def test_all_income_is_spent_or_enough_is_bought(kind: str, seed: int) -> None:
    utility, prices, income, _ = draw(kind, seed)
    bundle, spending = utility.demand(prices, income), utility.spending(prices, income)
    assert bundle.shape == (len(income), len(prices))
    assert spending.shape == income.shape
    np.testing.assert_allclose(bundle @ prices, spending, rtol=1e-12)
    assert (bundle >= 0).all()
    if utility.needs_income:
        np.testing.assert_allclose(spending, income, rtol=1e-12)
    else:
        assert (spending <= income).all()
        enough = spending < income
        np.testing.assert_array_equal(utility.demand(prices, 2 * income)[enough], bundle[enough])


@KINDS
@given(seed=seeds)
def test_the_market_and_the_judges_find_the_same_bundle(kind: str, seed: int) -> None:
    utility, prices, income, _ = draw(kind, seed)
    dual = utility.dual_demand(prices, income)
    assert dual.shape == (len(income), len(prices))
    np.testing.assert_allclose(utility.demand(prices, income), dual, rtol=1e-9, atol=1e-12 * dual.max())


@KINDS
@given(seed=seeds)
def test_no_affordable_bundle_is_better(kind: str, seed: int) -> None:
    utility, prices, income, stream = draw(kind, seed)
    best = utility.demand(prices, income)
    most = utility.utility(best, best @ prices)
    purse = np.minimum(income, 1e3 * utility.spending(prices, income))
    for spread in (0.001, 0.1, 1.0):
        other = np.maximum(best, 1e-3 * purse[:, None] / prices) * np.exp(stream.normal(0, spread, best.shape))
        cost = np.maximum(other @ prices, 1e-300)
        other *= (purse / cost if utility.needs_income else np.minimum(purse / cost, 1.0))[:, None]
        assert (utility.utility(other, other @ prices) <= most + 1e-12 * np.abs(most) + 1e-13).all()


@pytest.mark.parametrize("kind", [kind for kind in BUILD if kind not in ("log", "power", "quadratic")])
@given(seed=seeds, level=st.floats(-10, 10))
def test_only_relative_prices_matter(kind: str, seed: int, level: float) -> None:
    utility, prices, income, _ = draw(kind, seed)
    bundle = utility.demand(prices, income)
    scaled = utility.demand(np.exp(level) * prices, np.exp(level) * income)
    np.testing.assert_allclose(scaled, bundle, rtol=1e-9, atol=1e-12 * bundle.max())


@KINDS
@given(seed=seeds)
def test_the_jacobian_is_how_total_demand_moves(kind: str, seed: int) -> None:
    utility, prices, income, stream = draw(kind, seed)
    slope = 0.1 * stream.normal(0, 1, (len(income), len(prices)))
    step = 1e-6

    def total(changed: Array) -> Array:
        return utility.dual_demand(changed, income + slope @ (changed - prices)).sum(axis=0)

    measured = by_each(total, prices, step) / prices
    scale = np.abs(measured).max() + 1e-6
    np.testing.assert_allclose(utility.jacobian(prices, income, slope), measured, rtol=1e-6, atol=1e-6 * scale)


@KINDS
@given(seed=seeds)
def test_demand_is_the_gradient_of_surplus(kind: str, seed: int) -> None:
    """At given incomes where it is integrable, else by Roy's identity from indirect utility."""
    utility, prices, income, _ = draw(kind, seed)
    if kind == "quadratic":
        income = np.full(len(income), np.inf)
    bundle, step = utility.dual_demand(prices, income), 1e-5
    slopes = -by_each(lambda p: utility.surplus(p, income), prices, step) / prices
    if not utility.integrable and utility.needs_income:
        by_income = by_each(lambda factor: utility.surplus(prices, factor[0] * income), np.ones(1), step)
        # Below subsistence indirect utility is flat.
        slopes = np.where(by_income > 0, slopes * income[:, None] / np.where(by_income > 0, by_income, 1.0), bundle)
    np.testing.assert_allclose(slopes, bundle, rtol=1e-6, atol=1e-7 * np.abs(bundle).max())


@given(seed=seeds)
def test_roys_identity_holds_where_a_quadratic_purse_is_empty(seed: int) -> None:
    utility, prices, income, _ = draw("quadratic", seed)
    income = np.minimum(income, 0.5 * utility.spending(prices, np.full(len(income), np.inf)))
    scarce = income > 0

    def indirect(p: Array, m: Array) -> Array:
        bundle = utility.demand(p, m)
        return utility.utility(bundle, bundle @ p) + m

    by_price = by_each(lambda p: indirect(p, income), prices, 1e-5) / prices
    by_income = by_each(lambda factor: indirect(prices, factor[0] * income), np.ones(1), 1e-5)
    bundle = utility.dual_demand(prices, income)
    roy = -by_price[scarce] * income[scarce, None] / by_income[scarce]
    np.testing.assert_allclose(roy, bundle[scarce], rtol=1e-5, atol=1e-5 * bundle.max(initial=1e-9))


@SMOOTH
@given(seed=seeds)
def test_worth_is_imputed_by_marginal_utility(kind: str, seed: int) -> None:
    utility, prices, income, stream = draw(kind, seed)
    quantities = some_bundles(utility, prices, income, stream)
    measured = marginal_worth(utility, quantities)
    imputed = utility.value_shares(quantities, prices)
    np.testing.assert_allclose(imputed.sum(axis=-1), 1.0, rtol=1e-12)
    np.testing.assert_allclose(imputed, measured / measured.sum(axis=-1, keepdims=True), rtol=1e-6, atol=1e-7)


@SMOOTH
@given(seed=seeds)
def test_worth_is_marginal_utility_in_money(kind: str, seed: int) -> None:
    """The marginal utility of money from what a little more of it adds to utility (and to what is left of it)."""
    utility, prices, income, stream = draw(kind, seed)
    income = np.minimum(income, 1e3)
    if isinstance(utility, StoneGeary):
        income = income + np.maximum(utility.subsistence, 0.0) @ prices
    quantities = some_bundles(utility, prices, income, stream)

    def enjoyed(m: Array) -> Array:
        bundle = utility.demand(prices, m)
        left = 0.0 if utility.needs_income else m
        return utility.utility(bundle, bundle @ prices) + left

    money = by_each(lambda factor: enjoyed(factor[0] * income), np.ones(1), 1e-5)[:, 0] / income
    expected = marginal_worth(utility, quantities).sum(axis=-1) / money
    # A difference across an income from which on one more good is bought is not so good.
    rtol = 1e-4 if kind == "stone_geary with corners" else 1e-5
    np.testing.assert_allclose(utility.worth(quantities, prices, income), expected, rtol=rtol)


@KINDS
@given(seed=seeds)
def test_a_planned_bundle_is_worth_its_price(kind: str, seed: int) -> None:
    utility, prices, income, _ = draw(kind, seed)
    bundle = utility.demand(prices, income)
    worth, imputed = utility.worth(bundle, prices, income), utility.value_shares(bundle, prices)
    bought = bundle > 0
    spent = prices * bundle
    np.testing.assert_allclose((worth[:, None] * imputed)[bought], spent[bought], rtol=1e-7, atol=1e-9 * spent.max())
    np.testing.assert_allclose(worth, utility.spending(prices, income), rtol=1e-9)


METHODS: dict[str, Callable[[Taste, Array, Array, Array], Array]] = {
    "demand": lambda utility, prices, income, bundle: utility.demand(prices, income),
    "dual_demand": lambda utility, prices, income, bundle: utility.dual_demand(prices, income),
    "spending": lambda utility, prices, income, bundle: utility.spending(prices, income),
    "surplus": lambda utility, prices, income, bundle: utility.surplus(prices, income),
    "utility": lambda utility, prices, income, bundle: utility.utility(bundle, bundle @ prices),
    "value_shares": lambda utility, prices, income, bundle: utility.value_shares(bundle, prices),
    "worth": lambda utility, prices, income, bundle: utility.worth(bundle, prices, income),
}


@KINDS
@settings(max_examples=15)
@given(seed=seeds)
def test_rows_are_consumers_of_their_own(kind: str, seed: int) -> None:
    """A part of the rows does what it does among all, and one row serves any number of incomes."""
    utility, prices, income, stream = draw(kind, seed)
    bundles = some_bundles(utility, prices, income, stream)
    one, many = utility.take(slice(0, 1)), np.concatenate([income, income[::-1]])
    assert one.size == 1
    for name, method in METHODS.items():
        together = method(utility, prices, income, bundles)
        for row in range(len(income)):
            part = slice(row, row + 1)
            alone = method(utility.take(part), prices, income[part], bundles[part])
            np.testing.assert_allclose(alone, together[part], rtol=1e-12, err_msg=name)
        serves = np.concatenate([bundles, bundles])
        shared = method(one, prices, many, serves)
        each = [method(one, prices, many[i : i + 1], serves[i : i + 1]) for i in range(len(many))]
        np.testing.assert_allclose(shared, np.concatenate(each), rtol=1e-12, err_msg=name)
    slopes = stream.normal(0, 1, (len(income), len(prices)))
    parts = [slice(row, row + 1) for row in range(len(income))]
    summed = sum(utility.take(part).jacobian(prices, income[part], slopes[part]) for part in parts)
    whole = utility.jacobian(prices, income, slopes)
    np.testing.assert_allclose(whole, summed, rtol=1e-9, atol=1e-12 * np.abs(whole).max())


@KINDS
@given(seed=seeds)
def test_free_goods_and_empty_purses_give_numbers(kind: str, seed: int) -> None:
    utility, prices, income, stream = draw(kind, seed)
    prices = np.where(stream.random(len(prices)) < 0.4, 0.0, prices)
    income = np.where(stream.random(len(income)) < 0.3, 0.0, income)
    bundle, dual = utility.demand(prices, income), utility.dual_demand(prices, income)
    assert not np.isnan(bundle).any()
    assert not np.isnan(utility.spending(prices, income)).any()
    assert not utility.integrable or not np.isnan(utility.surplus(prices, income)).any()
    np.testing.assert_array_equal(np.isinf(bundle), np.isinf(dual))
    for paid in (np.where(prices > 0, found, 0.0) @ prices for found in (bundle, dual)):
        assert (paid <= income * (1 + 1e-12) + 1e-12).all()


@pytest.mark.parametrize("kind", [kind for kind in BUILD if kind not in ("leontief", "quadratic")])
@given(seed=seeds)
def test_free_goods_are_wanted_without_end_if_at_all(kind: str, seed: int) -> None:
    utility, prices, income, _ = draw(kind, seed)
    wanted = utility.demand(prices, income * 1e9) > 0
    endless = np.isinf(utility.demand(np.zeros(len(prices)), income))
    assert (endless[wanted]).all()
    unwanted = {
        "log": lambda: utility.weights == 0,
        "power": lambda: utility.weights == 0,
        "linear": lambda: utility.values == 0,
        "stone_geary": lambda: ~utility.taste.wanted,
        "stone_geary with corners": lambda: ~utility.taste.wanted,
        "formula": lambda: ~np.isin(np.arange(len(prices)), utility.goods)[None],
    }.get(kind, lambda: ~utility.form.wanted)()
    assert not endless[np.broadcast_to(unwanted, endless.shape)].any()


@KINDS
@given(seed=seeds)
def test_whatever_is_consumed_has_a_worth(kind: str, seed: int) -> None:
    utility, prices, income, stream = draw(kind, seed)
    quantities = np.exp(stream.normal(0, 1, (len(income), len(prices))))
    quantities[stream.random(quantities.shape) < 0.5] = 0.0
    imputed, worth = utility.value_shares(quantities, prices), utility.worth(quantities, prices, income)
    np.testing.assert_allclose(imputed.sum(axis=-1), 1.0, rtol=1e-12)
    assert not np.isnan(worth).any()
    with np.errstate(invalid="ignore"):
        assert not np.isnan((worth[:, None] * imputed)[quantities > 0]).any()


def test_a_linear_expenditure_system_by_hand() -> None:
    utility = StoneGeary(CobbDouglas(np.array([[1.0, 3.0]])), np.array([[2.0, 1.0]]))
    prices = np.array([1.0, 4.0])
    rich, poor = utility.demand(prices, np.array([14.0, 3.0]))
    np.testing.assert_allclose(rich, [2 + 0.25 * 8 / 1, 1 + 0.75 * 8 / 4], rtol=1e-15)
    np.testing.assert_allclose(poor, [2 * 3 / 6, 1 * 3 / 6], rtol=1e-15)
    enjoyed = utility.utility(np.array([rich, poor]), np.zeros(2))
    np.testing.assert_allclose(enjoyed, [2**0.25 * 1.5**0.75, 0.0], rtol=1e-15)


def test_a_bundle_below_subsistence_is_valued_by_what_is_scarcest() -> None:
    utility = StoneGeary(CobbDouglas(np.array([[1.0, 1.0, 1.0]])), np.array([[2.0, 1.0, 0.0]]))
    lacking, prices = np.array([[1.0, 3.0, 5.0]]), np.array([1.0, 4.0, 1.0])
    np.testing.assert_array_equal(utility.value_shares(lacking, prices), [[1.0, 0.0, 0.0]])
    np.testing.assert_allclose(utility.worth(lacking, prices, np.array([3.0])), 0.5 * 6.0, rtol=1e-15)


def test_subsistence_of_a_good_without_a_share_is_refused() -> None:
    with pytest.raises(ValueError, match="expected a share of it too"):
        StoneGeary(CobbDouglas(np.array([[1.0, 0.0]])), np.array([[1.0, 1.0]]))


def test_equally_good_substitutes_share_the_money() -> None:
    utility = Linear(np.array([[1.0, 2.0, 3.0, 0.0]]))
    prices = np.array([0.1, 0.2, 0.9, 0.0])
    np.testing.assert_array_equal(utility.best(prices, 1e-9), [[True, True, False, False]])
    np.testing.assert_array_equal(utility.best(prices, 3.1), [[True, True, True, False]])
    for bundle in (utility.demand(prices, np.array([4.0])), utility.dual_demand(prices, np.array([4.0]))):
        np.testing.assert_allclose(bundle, [[20.0, 10.0, 0.0, 0.0]], rtol=1e-15)


@given(seed=seeds)
def test_quadratic_demand_on_a_budget_is_what_a_programme_finds(seed: int) -> None:
    from scipy.optimize import brentq

    utility, prices, _, stream = draw("quadratic", seed)
    enough = utility.demand(prices, np.full(utility.size, np.inf))
    income = enough @ prices * stream.uniform(1e-6, 1.0, len(enough))
    for row, m in enumerate(income):
        if not m > 0:
            continue
        a, b = utility.intercept[row], np.where(utility.intercept[row] > 0, utility.slope[row], 1.0)

        def bought(money: float, a: Array = a, b: Array = b) -> Array:
            return np.maximum(a - money * prices, 0) / b

        money = brentq(lambda z, m=m: bought(z) @ prices - m, 1.0, (a / prices).max(), xtol=1e-15, rtol=1e-15)
        found = utility.demand(prices, income)[row]
        np.testing.assert_allclose(found, bought(money), rtol=1e-6, atol=1e-9 * found.max())
        np.testing.assert_allclose(found @ prices, m, rtol=1e-12)


def test_quadratic_tastes_have_a_potential_while_the_purse_is_full() -> None:
    taste = Quadratic(np.array([[3.0, 2.0]]), np.array([[1.0, 0.5]]))

    def economy_of(budget: float) -> Economy:
        cohort = Consumers("buyers", taste, np.zeros((1, 2)), np.array([budget]), np.zeros((1, 0)), count=3)
        return Economy(("a", "b"), np.array([2.0, 1.0]), np.full(2, np.nan), (), (cohort,))

    economy = economy_of(np.inf)
    assert reference(economy).kind == "potential"
    assert reference(economy_of(0.7)).kind == "merit"
    prices, nobody = np.array([0.4, 1.1]), economy.first_guess()
    slopes = by_each(lambda p: np.array(reference(economy).descent(p, nobody).value), prices, 1e-5) / prices
    np.testing.assert_allclose(-slopes, economy.balance(prices).excess_demand, rtol=1e-8)


def test_quadratic_demand_is_an_inverse_demand_curve() -> None:
    utility = Quadratic(np.array([[10.0, 0.0]]), np.array([[2.0, 0.0]]))
    for price, quantity in ((0.0, 5.0), (4.0, 3.0), (10.0, 0.0), (12.0, 0.0)):
        bundle = utility.demand(np.array([price, 1.0]), np.array([np.inf]))
        np.testing.assert_array_equal(bundle, [[quantity, 0.0]])
    surplus = utility.surplus(np.array([4.0, 1.0]), np.array([np.inf]))
    np.testing.assert_allclose(surplus, 0.5 * (10 - 4) * 3, rtol=1e-15)


@given(seed=seeds, elasticity=st.floats(0.1, 10))
def test_quasilinear_demand_has_the_elasticity_it_says(seed: int, elasticity: float) -> None:
    stream = np.random.default_rng(seed)
    weights, prices = np.exp(stream.normal(0, 1, (1, 3))), np.exp(stream.normal(0, 1, 3))
    bundle = QuasiLinear(weights, np.array([elasticity])).demand(prices, np.array([np.inf]))
    np.testing.assert_allclose(weights * bundle ** (-1 / elasticity), prices[None], rtol=1e-12)


def test_quasilinear_surplus_is_what_is_enjoyed_less_what_is_paid() -> None:
    weights, prices, purse = np.array([[1.0, 2.0]]), np.array([0.5, 3.0]), np.array([np.inf])
    for utility in (QuasiLinear(weights), QuasiLinear(weights, np.array([0.4])), QuasiLinear(weights, np.array([2.5]))):
        bundle = utility.demand(prices, purse)
        enjoyed = utility.utility(bundle, bundle @ prices)
        np.testing.assert_allclose(utility.surplus(prices, purse), enjoyed, rtol=1e-13)


@given(seed=seeds)
def test_a_poor_quasilinear_consumer_is_homothetic(seed: int) -> None:
    stream = np.random.default_rng(seed)
    weights, elasticity = np.exp(stream.normal(0, 1, (2, 3))), np.exp(stream.uniform(-1, 1, 2))
    prices, purse = np.exp(stream.normal(0, 1, 3)), np.full(2, 1e-6)
    utility, like = QuasiLinear(weights, elasticity), Homothetic(CES(elasticity, weights ** elasticity[:, None]))
    np.testing.assert_allclose(utility.demand(prices, purse), like.demand(prices, purse), rtol=1e-12)


@given(seed=seeds)
def test_a_formula_is_the_form_it_writes(seed: int) -> None:
    stream = np.random.default_rng(seed)
    w, prices, income = stream.uniform(0.2, 3, 3), np.exp(stream.normal(0, 1, 3)), np.exp(stream.normal(0, 4, 5))
    tastes = {
        f"{w[0]!r}*ln(a) + {w[1]!r}*ln(b) + {w[2]!r}*ln(c)": CobbDouglas(w[None]),
        f"{w[0]!r}*sqrt(a) + {w[1]!r}*sqrt(b) + {w[2]!r}*sqrt(c)": CES.from_weights(np.array([2.0]), w[None]),
        f"0 - {w[0]!r}/a - {w[1]!r}/b - {w[2]!r}/c": CES.from_weights(np.array([0.5]), w[None]),
    }
    for text, form in tastes.items():
        written = FormulaUtility(parse(text.replace("np.float64", "")), (0, 1, 2), 3)
        np.testing.assert_allclose(written.demand(prices, income), Homothetic(form).demand(prices, income), rtol=1e-10)


@pytest.mark.parametrize(
    ("texts", "form"),
    [
        (("a*b", "sqrt(a*b)", "ln(a*b) - 7", "a^3*b^3", "0 - 1/(a*b)", "exp(a*b/1e4)"), CobbDouglas(np.ones((1, 2)))),
        (("(a^0.5 + b^0.5)^2", "(sqrt(a) + sqrt(b))^3"), CES(np.array([2.0]), np.ones((1, 2)))),
        (("a*b/(a + b)", "(1/a + 1/b)^-1", "ln(a) + ln(b) - ln(a + b)"), CES(np.array([0.5]), np.ones((1, 2)))),
    ],
)
@given(seed=seeds)
def test_tastes_are_ordinal(texts: tuple[str, ...], form: CobbDouglas | CES, seed: int) -> None:
    """Any increasing transform of a formula wants what the form wants, and so do its slopes and the judges' gaps."""
    stream = np.random.default_rng(seed)
    prices, income = np.exp(stream.normal(0, 1, 2)), np.exp(stream.normal(0, 1, 5))
    slope, like = stream.normal(0, 1, (5, 2)), Homothetic(form)
    for text in texts:
        assert unfit(parse(text)) is None
        written = FormulaUtility(parse(text), (0, 1), 2)
        bundle = written.demand(prices, income)
        np.testing.assert_allclose(bundle, like.dual_demand(prices, income), rtol=1e-9)
        np.testing.assert_allclose(
            written.jacobian(prices, income, slope), like.jacobian(prices, income, slope), rtol=1e-6, atol=1e-9
        )
        assert written.plan_residual(prices, income, bundle) < 1e-9
        assert written.plan_residual(prices, income, bundle * [1.02, 1.0]) > 1e-3


@pytest.mark.parametrize("text", ["exp(a*b)", "ln(exp(a*b))", "tanh(a*b)", "exp(exp(a + sqrt(a*b)))"])
def test_what_only_rises_around_a_formula_has_no_say(text: str) -> None:
    """Not even where the whole is too large for a number, or too near its bound."""
    utility = FormulaUtility(parse(text), (0, 1), 2)
    inner = FormulaUtility(parse("a + sqrt(a*b)" if "sqrt" in text else "a*b"), (0, 1), 2)
    prices, income = np.array([1.0, 2.0]), np.array([0.1, 1e3, 1e6])
    np.testing.assert_allclose(utility.demand(prices, income), inner.demand(prices, income), rtol=1e-12)
    worth = utility.worth(utility.demand(prices, income), prices, income)
    np.testing.assert_allclose(worth, income, rtol=1e-9)


@given(seed=seeds)
def test_a_good_that_counts_as_money_takes_what_is_left(seed: int) -> None:
    """`2 sqrt(x) + y`: `x = (p_y/p_x)^2` where the income reaches so far, all of it else: only `y` has an income effect
    there, only `x` here.
    """
    stream = np.random.default_rng(seed)
    utility = FormulaUtility(parse("2*sqrt(x) + y"), (0, 1), 2)
    prices, income = np.exp(stream.normal(0, 1, 2)), np.exp(stream.normal(0, 2, 8))
    x = np.minimum((prices[1] / prices[0]) ** 2, income / prices[0])
    bundle = np.stack([x, (income - prices[0] * x) / prices[1]], axis=-1)
    np.testing.assert_allclose(utility.demand(prices, income), bundle, rtol=1e-9, atol=1e-9 * bundle.max())
    rich = income > prices[0] * (prices[1] / prices[0]) ** 2
    ways = np.where(rich[:, None], [0.0, 1 / prices[1]], [1 / prices[0], 0.0])
    moved = [utility.jacobian(prices, income, np.full((8, 2), each)).T[0] for each in (0.0, 1.0)]
    np.testing.assert_allclose(moved[1] - moved[0], ways.sum(axis=0), rtol=1e-7, atol=1e-9)


@given(seed=seeds)
def test_who_is_sated_by_a_finite_bundle_leaves_money_unspent(seed: int) -> None:
    """`10 x - x^2 + 12 y - 2 y^2` is best at 5 and 3; whoever cannot pay for that spends all."""
    stream = np.random.default_rng(seed)
    utility, enough = FormulaUtility(parse("10*x - x^2 + 12*y - 2*y^2"), (0, 1), 2), np.array([5.0, 3.0])
    prices, income = np.exp(stream.normal(0, 1, 2)), np.exp(stream.normal(2, 1, 6))
    bundle, sated = utility.demand(prices, income), income > enough @ prices
    np.testing.assert_allclose(bundle[sated], np.broadcast_to(enough, bundle[sated].shape), rtol=1e-9)
    np.testing.assert_allclose(bundle[~sated] @ prices, income[~sated], rtol=1e-12)
    like = Quadratic(np.array([[10.0, 12.0]]), np.array([[2.0, 4.0]]))
    cents = 1e-9 * prices
    np.testing.assert_allclose(bundle, like.demand(cents, 1e-9 * income), rtol=1e-6, atol=1e-8)
    assert utility.plan_residual(prices, income, bundle) < 1e-9
    for less in (0.98, 1.02):
        assert utility.plan_residual(prices, income, bundle * [less, 1.0]) > 1e-3
    still = utility.jacobian(prices, income[sated], np.ones((np.count_nonzero(sated), 2)))
    np.testing.assert_array_equal(still, 0.0)
    free = utility.demand(np.zeros(2), income)
    np.testing.assert_allclose(free, np.broadcast_to(enough, free.shape), rtol=1e-9)


def test_a_good_that_changes_nothing_is_not_wanted() -> None:
    utility = FormulaUtility(parse("x*y + 0*z"), (0, 1, 2), 3)
    assert unfit(utility.formula) is None
    assert utility.wanted.tolist() == [True, True, False]
    np.testing.assert_allclose(utility.demand(np.ones(3), np.array([4.0])), [[2.0, 2.0, 0.0]])
    np.testing.assert_allclose(utility.demand(np.array([1.0, 1.0, 0.0]), np.array([4.0])), [[2.0, 2.0, 0.0]])


@pytest.mark.parametrize("text", FORMULAS)
@given(seed=seeds)
def test_formula_demand_equates_marginal_utilities(text: str, seed: int) -> None:
    """`f_i = mu p_i` where some is bought, `f_i <= mu p_i` elsewhere, to 1e-10."""
    stream, parsed = np.random.default_rng(seed), parse(text)
    count = len(parsed.variables)
    prices, income = np.exp(stream.normal(0, 1.5, count)), np.exp(stream.normal(0, 2, 6))
    bundle = FormulaUtility(parsed, tuple(range(count)), count).demand(prices, income)
    np.testing.assert_allclose(bundle @ prices, income, rtol=1e-12)
    ratios = parsed.gradient(bundle) / prices
    money = np.where(bundle > 0, ratios, 0.0).max(axis=-1, keepdims=True)
    assert (ratios[bundle == 0] <= (money + 0 * ratios)[bundle == 0] * (1 + 1e-10)).all()
    np.testing.assert_allclose(ratios[bundle > 0], (money + 0 * ratios)[bundle > 0], rtol=1e-10)


@pytest.mark.parametrize("text", [*FORMULAS, "tanh(a) + tanh(b)", "min(sqrt(a), 2*ln(1 + a)) + sqrt(b)"])
@settings(max_examples=15)
@given(seed=seeds)
def test_formula_demand_survives_prices_and_incomes_over_twelve_decades(text: str, seed: int) -> None:
    stream, parsed = np.random.default_rng(seed), parse(text)
    count = len(parsed.variables)
    prices, income = 10.0 ** stream.uniform(-6, 6, count), 10.0 ** stream.uniform(-6, 6, 6)
    bundle = FormulaUtility(parsed, tuple(range(count)), count).demand(prices, income)
    # Of what saturates, more than some hundreds are no better, to rounding.
    sated = ("tanh" in text) & (bundle.min(axis=-1) > 100)
    np.testing.assert_allclose(np.where(sated, income, bundle @ prices), income, rtol=1e-12)
    assert (bundle @ prices <= income * (1 + 1e-12)).all()


def test_who_is_sated_keeps_the_rest() -> None:
    """`1 - exp(-x)` rises for ever, but beyond some hundreds by less than any number can say."""
    utility = FormulaUtility(parse("1 - exp(-x)"), (0,), 1)
    spent = utility.spending(np.ones(1), np.array([1.0, 1e6]))
    assert spent[0] == 1.0
    assert 100 < spent[1] < 1e4
    np.testing.assert_allclose(utility.jacobian(np.ones(1), np.array([1e6]), np.ones((1, 1))), 0.0, atol=1e-3)


def test_a_formula_straight_to_rounding_still_spends_all() -> None:
    utility = FormulaUtility(parse("a - exp(-a) + ln(1 + b)"), (1, 0), 2)
    bundle = utility.demand(np.array([0.4, 1.3]), np.array([1e7]))
    np.testing.assert_allclose(bundle, [[2.25, (1e7 - 0.9) / 1.3]], rtol=1e-9)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("a^2 + b^2", "bend the wrong way at a = 1, b = 1: no mix is best, and demand jumps"),
        ("max(a, b)", "halfway between them: no mix is best"),
        ("a + 2*b", "a and b replace one another at fixed rates: .* did you mean {linear: {a: 1, b: 2}}?"),
        ("min(2*a, b, c/3)", "did you mean {leontief: {a: 0.5, b: 1, c: 3}}?"),
        ("sqrt(a*b) + c", "at some prices many bundles are best"),
        ("(10*a - a^2)*(10*b - b^2)", "no mix is best"),
        ("sqrt(a) - b^2", "never better with more b: nobody buys what does harm"),
        ("1/(a*b)", "better with more of nothing"),
        ("0*a + 1", "constant: no bundle is better"),
        ("ln(a - 1)", "not a number at a = "),
    ],
)
def test_a_formula_that_is_no_utility_is_told_why(text: str, complaint: str) -> None:
    reason = unfit(parse(text))
    assert reason is not None
    assert re.search(re.escape(complaint).replace(r"\.\*", ".*"), reason), reason
    assert "expected" in reason


@pytest.mark.parametrize("text", [*FORMULAS, "ln(bread) + 2*sqrt(wine)", "tanh(a)", "ln(a) + ln(b) + ln(1 + a + b)"])
def test_a_formula_that_is_a_utility_is_taken(text: str) -> None:
    assert unfit(parse(text)) is None
