"""Functional forms: the primal and the dual side are two roads to one demand, in every form, also nested."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.house import CES, FORMS, CobbDouglas, Form, Leontief, Nest, forms

Array = np.ndarray
EPS = 1e-13
SMOOTH = ("cobb_douglas", "ces")

KINDS = pytest.mark.parametrize("kind", [*FORMS, "nest"])
seeds = st.integers(0, 2**32 - 1)


def build(kind: str, parameters: Array, stream: np.random.Generator) -> Form:
    """A form of the kind; a new row of the table needs `(agents, goods)` parameters only, or a line here."""
    if kind == "ces":
        return CES(np.exp(stream.uniform(-1.5, 1.5, len(parameters))), parameters)
    if kind == "nest":
        return build_nest(parameters, range(parameters.shape[1]), stream)
    return FORMS[kind](parameters)


def build_nest(parameters: Array, goods: Sequence[int], stream: np.random.Generator) -> Nest:
    """A tree over the goods, in which a nest of wanted goods is wanted."""
    cut = int(stream.integers(1, len(goods))) if len(goods) > 1 else 1
    branches: list[int | Nest] = list(goods[:cut])
    columns = [parameters[:, good] for good in branches]
    if rest := goods[cut:]:
        branches.append(build_nest(parameters, rest, stream))
        columns.append(parameters[:, list(rest)].sum(axis=1))
    # Where a row wants nothing of a level its shares say nothing; the level above gives it no money.
    shares = np.where(sum(columns)[:, None] > 0, np.stack(columns, axis=1), 1.0)
    elasticity = stream.choice([0.0, 0.3, 1.0, 2.0]) + np.zeros(len(parameters))
    level = stream.choice([Nest.of_shares, Nest.of_weights])
    return level(parameters.shape[1], branches, elasticity, shares)


def draw(kind: str, seed: int, missing: bool = True) -> tuple[Form, Array, Array, np.random.Generator]:
    """A random form, prices and incomes; some goods unwanted by some."""
    stream = np.random.default_rng(seed)
    agents, goods = stream.integers(1, 5), stream.integers(2, 6)
    parameters = np.exp(stream.normal(0, 1, (agents, goods)))
    if missing:
        unwanted = stream.random((agents, goods)) < 0.25
        unwanted[np.arange(agents), stream.integers(0, goods, agents)] = False
        parameters[unwanted] = 0.0
    form = build(kind, parameters, stream)
    return form, np.exp(stream.normal(0, 1.5, goods)), np.exp(stream.normal(0, 2, agents)), stream


def complex_step(function, x: Array) -> Array:
    """Gradients of a function of `(goods,)` prices to `(agents,)`, `(agents, goods)`."""
    return np.stack([function(x + 1e-30j * e).imag / 1e-30 for e in np.eye(len(x))], axis=-1)


def own_gradient(form: Form, x: Array) -> Array:
    """`du_h/dx_h` of every agent, `(agents, goods)`, by complex step."""
    return np.stack([form.value(x + 1e-30j * e).imag / 1e-30 for e in np.eye(x.shape[-1])], axis=-1)


@KINDS
@given(seed=seeds)
def test_unit_demand_is_the_gradient_of_the_unit_cost(kind: str, seed: int) -> None:
    form, prices, _, _ = draw(kind, seed)
    np.testing.assert_allclose(form.unit_demand(prices), complex_step(form.unit_cost, prices), rtol=EPS, atol=1e-15)


@KINDS
@given(seed=seeds)
def test_unit_demand_is_worth_one_and_costs_the_unit_cost(kind: str, seed: int) -> None:
    form, prices, _, _ = draw(kind, seed)
    bundle = form.unit_demand(prices)
    np.testing.assert_allclose(form.value(bundle), 1.0, rtol=EPS)
    np.testing.assert_allclose(bundle @ prices, form.unit_cost(prices), rtol=EPS)


@KINDS
@given(seed=seeds)
def test_no_bundle_of_one_unit_is_cheaper(kind: str, seed: int) -> None:
    form, prices, _, stream = draw(kind, seed)
    for _ in range(20):
        bundle = np.exp(stream.normal(0, 1, form.wanted.shape))
        spent = bundle @ prices / form.value(bundle)
        assert (spent >= form.unit_cost(prices) * (1 - EPS)).all()


@KINDS
@given(seed=seeds)
def test_demand_by_the_closed_form_is_demand_by_the_dual(kind: str, seed: int) -> None:
    form, prices, income, _ = draw(kind, seed)
    dual = income[:, None] * form.unit_demand(prices) / form.unit_cost(prices)[:, None]
    np.testing.assert_allclose(form.demand(prices, income), dual, rtol=EPS)


@KINDS
@given(seed=seeds)
def test_demand_spends_all_income_on_wanted_goods(kind: str, seed: int) -> None:
    form, prices, income, _ = draw(kind, seed)
    bundle = form.demand(prices, income)
    np.testing.assert_allclose(bundle @ prices, income, rtol=EPS)
    assert (bundle[~form.wanted] == 0).all()


@KINDS
@given(seed=seeds, level=st.floats(-20, 20))
def test_demand_is_homogeneous_of_degree_zero(kind: str, seed: int, level: float) -> None:
    form, prices, income, _ = draw(kind, seed)
    scaled = form.demand(np.exp(level) * prices, np.exp(level) * income)
    np.testing.assert_allclose(scaled, form.demand(prices, income), rtol=1e-12)


@KINDS
@given(seed=seeds)
def test_no_affordable_bundle_is_better(kind: str, seed: int) -> None:
    form, prices, income, stream = draw(kind, seed)
    best = form.demand(prices, income)
    for spread in (0.01, 0.1, 1.0):
        other = np.maximum(best, 1e-3 * income[:, None] / prices) * np.exp(stream.normal(0, spread, best.shape))
        other *= (income / (other @ prices))[:, None]
        assert (form.value(other) <= form.value(best) * (1 + EPS)).all()


@KINDS
@given(seed=seeds, level=st.floats(-20, 20))
def test_value_and_unit_cost_are_of_degree_one(kind: str, seed: int, level: float) -> None:
    form, prices, _, stream = draw(kind, seed)
    bundle = np.exp(stream.normal(0, 1, form.wanted.shape))
    np.testing.assert_allclose(form.value(np.exp(level) * bundle), np.exp(level) * form.value(bundle), rtol=1e-12)
    np.testing.assert_allclose(
        form.unit_cost(np.exp(level) * prices), np.exp(level) * form.unit_cost(prices), rtol=1e-12
    )


@KINDS
@given(seed=seeds)
def test_imputation_of_the_demanded_bundle_is_what_it_costs(kind: str, seed: int) -> None:
    form, prices, income, _ = draw(kind, seed)
    bundle = form.demand(prices, income)
    np.testing.assert_allclose(income[:, None] * form.value_shares(bundle, prices), prices * bundle, rtol=1e-12)


@pytest.mark.parametrize("kind", SMOOTH)
@given(seed=seeds)
def test_imputation_is_the_elasticity_of_value(kind: str, seed: int) -> None:
    form, prices, _, stream = draw(kind, seed)
    bundle = np.exp(stream.normal(0, 1.5, form.wanted.shape))
    worth = bundle * own_gradient(form, bundle)
    np.testing.assert_allclose(
        form.value_shares(bundle, prices), worth / worth.sum(axis=-1, keepdims=True), rtol=1e-12, atol=1e-15
    )


@KINDS
@given(seed=seeds)
def test_imputed_worth_exhausts_the_bundle_even_where_goods_are_missing(kind: str, seed: int) -> None:
    form, prices, _, stream = draw(kind, seed)
    bundle = np.exp(stream.normal(0, 1, form.wanted.shape)) * (stream.random(form.wanted.shape) < 0.6)
    imputed = form.value_shares(bundle, prices)
    np.testing.assert_allclose(imputed.sum(axis=-1), 1.0, rtol=EPS)
    assert (imputed >= 0).all()
    assert (imputed[~form.wanted] == 0).all()


@given(seed=seeds, elasticity=st.sampled_from([0.2, 0.5, 2.0, 5.0]))
def test_ces_without_a_good_is_the_limit_of_ces_with_little_of_it(seed: int, elasticity: float) -> None:
    stream = np.random.default_rng(seed)
    shares = np.exp(stream.normal(0, 1, (3, 4)))
    shares[0, 0] = 0.0
    form, bundle = CES(np.full(3, elasticity), shares), np.exp(stream.normal(0, 1, (3, 4)))
    missing = stream.random(bundle.shape) < 0.4
    missing[:, 1] = False
    gone, scarce = np.where(missing, 0.0, bundle), np.where(missing, 1e-100 * form.shares, bundle)
    scarce[0, 0] = gone[0, 0]
    np.testing.assert_allclose(form.value(gone), form.value(scarce), rtol=1e-9, atol=1e-9)
    near, at = form.value_shares(scarce, np.ones(4)), form.value_shares(gone, np.ones(4))
    np.testing.assert_allclose(at, near, rtol=1e-9, atol=1e-9)


@KINDS
@given(seed=seeds)
def test_nothing_at_all_is_worth_nothing(kind: str, seed: int) -> None:
    form, prices, _, _ = draw(kind, seed)
    nothing = np.zeros(form.wanted.shape)
    assert (form.value(nothing) == 0).all()
    np.testing.assert_allclose(form.value_shares(nothing, prices).sum(axis=-1), 1.0, rtol=EPS)


@KINDS
@given(seed=seeds)
def test_many_ticks_at_once_are_the_loop_over_ticks(kind: str, seed: int) -> None:
    form, prices, _, stream = draw(kind, seed)
    ticks = 3
    bundles = np.exp(stream.normal(0, 1, (ticks, *form.wanted.shape)))
    quoted = prices * np.exp(stream.normal(0, 1, (ticks, 1, len(prices))))
    # The columns of a nest are stored in another order where ticks are many, and then add up in another order.
    rounding = 0.0 if kind in FORMS else 1e-14
    np.testing.assert_allclose(form.value(bundles), [form.value(b) for b in bundles], rtol=rounding)
    np.testing.assert_allclose(form.unit_cost(quoted), [form.unit_cost(p[0]) for p in quoted], rtol=rounding)
    together = form.value_shares(bundles, quoted)
    alone = [form.value_shares(b, p[0]) for b, p in zip(bundles, quoted, strict=True)]
    np.testing.assert_allclose(together, alone, rtol=rounding)
    demands = [form.unit_demand(p[0]) for p in quoted]
    np.testing.assert_allclose(form.unit_demand(quoted), demands, rtol=rounding)


@KINDS
@given(seed=seeds)
def test_agents_do_not_see_each_other(kind: str, seed: int) -> None:
    """Each row of a cohort is what that agent alone would do."""
    stream = np.random.default_rng(seed)
    parameters = np.exp(stream.normal(0, 1, (3, 4)))
    prices, income = np.exp(stream.normal(0, 1, 4)), np.exp(stream.normal(0, 1, 3))
    together = build(kind, parameters, np.random.default_rng(seed))
    for row in range(3):
        alone = build(kind, parameters[[row]], np.random.default_rng(seed))
        if isinstance(alone, CES) and isinstance(together, CES):
            alone = CES(together.elasticity[[row]], parameters[[row]])
        np.testing.assert_allclose(
            alone.demand(prices, income[[row]])[0], together.demand(prices, income)[row], rtol=EPS
        )


def parameters_of(form: Form) -> list[Array]:
    """The arrays of a form, level by level."""
    if isinstance(form, Nest):
        inner = [parameters_of(branch) for branch in form.branches if isinstance(branch, Nest)]
        return sum(inner, parameters_of(form.level))
    return [value for value in vars(form).values() if isinstance(value, np.ndarray)]


@KINDS
@given(seed=seeds)
def test_some_rows_are_views_that_do_what_they_did_among_the_others(kind: str, seed: int) -> None:
    form, prices, income, stream = draw(kind, seed)
    size = len(form.wanted)
    assert form.size == size
    part = slice(*sorted(stream.choice(size + 1, 2, replace=False)))
    some = form.take(part)
    for view, whole in zip(parameters_of(some), parameters_of(form), strict=True):
        assert view.base is not None or len(whole) == 1
    np.testing.assert_array_equal(some.wanted, form.wanted[part])
    np.testing.assert_allclose(some.demand(prices, income[part]), form.demand(prices, income)[part], rtol=EPS)
    np.testing.assert_allclose(some.unit_cost(prices), form.unit_cost(prices)[part], rtol=EPS)


@KINDS
@given(seed=seeds)
def test_one_row_stands_for_all(kind: str, seed: int) -> None:
    """A parameter with one row and one with equal rows are the same, alone or beside others that differ."""
    stream = np.random.default_rng(seed)
    one, prices, income = draw(kind, seed)[0].take(slice(0, 1)), *draw(kind, seed)[1:3]
    income = np.concatenate([income, income])
    count = len(income)
    many = repeated(one, count)
    bundle = np.exp(stream.normal(0, 1, (count, len(prices))))
    assert one.size == 1
    assert many.size == count
    for get in (
        lambda form: form.demand(prices, income),
        lambda form: form.value(bundle),
        lambda form: form.value_shares(bundle, prices),
        lambda form: np.broadcast_to(form.unit_cost(prices), count),
        lambda form: np.broadcast_to(form.unit_demand(prices), bundle.shape),
        lambda form: form.curvature(prices, income),
    ):
        np.testing.assert_allclose(get(one), get(many), rtol=EPS, atol=1e-300)


def repeated(form: Form, count: int) -> Form:
    """The form with as many equal rows."""
    if isinstance(form, Nest):
        branches = [repeated(branch, count) if isinstance(branch, Nest) else branch for branch in form.branches]
        return Nest(repeated(form.level, count), tuple(branches), form.goods)
    return type(form)(*(np.repeat(value, count, axis=0) for value in parameters_of(form)))


@pytest.mark.parametrize("which", ["elasticity", "shares", "scale"])
@given(seed=seeds)
def test_ces_with_one_row_of_one_parameter_and_many_of_another(which: str, seed: int) -> None:
    stream = np.random.default_rng(seed)
    given_rows = {"elasticity": np.exp(stream.uniform(-1, 1, 4)), "shares": stream.dirichlet(np.ones(3), 4)}
    given_rows["scale"] = np.exp(stream.normal(0, 1, 4))
    alike = {name: value if name == which else value[:1] for name, value in given_rows.items()}
    full = {name: np.broadcast_to(value, (4, *value.shape[1:])) for name, value in alike.items()}
    form, other = CES(**alike), CES(**full)
    prices, income, bundle = np.exp(stream.normal(0, 1, 3)), np.exp(stream.normal(0, 1, 4)), np.ones((4, 3))
    np.testing.assert_allclose(form.demand(prices, income), other.demand(prices, income), rtol=EPS)
    np.testing.assert_allclose(form.value(bundle), other.value(bundle), rtol=EPS)
    np.testing.assert_allclose(form.value_shares(bundle, prices), other.value_shares(bundle, prices), rtol=EPS)
    np.testing.assert_allclose(form.unit_demand(prices) - other.unit_demand(prices), 0, atol=1e-12)
    np.testing.assert_allclose(form.curvature(prices, income), other.curvature(prices, income), rtol=EPS)


@pytest.mark.parametrize("kind", FORMS)
def test_many_rows_stay_stored_good_by_good(kind: str) -> None:
    stream = np.random.default_rng(0)
    raw, prices = np.asfortranarray(np.exp(stream.normal(0, 1, (50, 4)))), np.exp(stream.normal(0, 1, 4))
    form = build(kind, raw, np.random.default_rng(1))
    row_by_row = build(kind, np.ascontiguousarray(raw), np.random.default_rng(1))
    alike = form.take(slice(0, 1))
    for parameter in parameters_of(form):
        assert parameter.ndim == 1 or parameter.flags.f_contiguous
    for bundle in (form.demand(prices, np.ones(50)), form.unit_demand(prices), alike.demand(prices, np.ones(50))):
        assert bundle.flags.f_contiguous
    np.testing.assert_allclose(form.demand(prices, np.ones(50)), row_by_row.demand(prices, np.ones(50)), rtol=EPS)


@KINDS
@given(seed=seeds)
def test_what_a_unit_of_money_buys_is_the_gradient_of_the_log_cost(kind: str, seed: int) -> None:
    form, prices, _, _ = draw(kind, seed)
    log_cost = complex_step(lambda at: np.log(form.unit_cost(at)), prices)
    np.testing.assert_allclose(form.log_cost_gradient(prices), log_cost, rtol=EPS, atol=1e-15)


@KINDS
@given(seed=seeds)
def test_hessian_is_the_slope_of_what_a_unit_of_money_buys(kind: str, seed: int) -> None:
    form, prices, _, _ = draw(kind, seed)
    hessian = prices[:, None] * prices * form.hessian(prices)
    for good, change in enumerate(1e-5 * np.diag(prices)):
        slope = (form.log_cost_gradient(prices + change) - form.log_cost_gradient(prices - change)) / 2e-5
        np.testing.assert_allclose(hessian[:, good], prices * slope, atol=1e-8)
    np.testing.assert_allclose(hessian, hessian.transpose(0, 2, 1), rtol=1e-12, atol=1e-14)
    # Of degree one: c_pp p = 0, so that the Hessian of ln c takes p to minus the gradient.
    np.testing.assert_allclose(hessian.sum(axis=2), -prices * form.log_cost_gradient(prices), rtol=1e-11, atol=1e-14)


@KINDS
@given(seed=seeds)
def test_curvature_is_the_weighted_sum_of_the_hessians(kind: str, seed: int) -> None:
    form, prices, income, stream = draw(kind, seed)
    weights = income * stream.choice([0.0, 1.0], len(income))
    expected = np.einsum("h,hij->ij", weights, form.hessian(prices))
    size = np.abs(expected).max()
    np.testing.assert_allclose(form.curvature(prices, weights) / (size or 1), expected / (size or 1), atol=1e-13)
    assert len(form.curvature(prices, weights)) == len(prices)


def test_curvature_of_fixed_proportions_is_finite_where_a_good_is_free() -> None:
    flat = Leontief(np.array([[1.0, 2.0, 0.5]]))
    nest = Nest.of_shares(
        3, [0, Nest.of_shares(3, [1, 2], np.zeros(1), np.array([[2.0, 0.5]]))], np.zeros(1), np.array([[1.0, 2.5]])
    )
    for prices in (np.array([0.0, 1.0, 2.0]), np.array([1.0, 0.0, 0.0])):
        gradient = flat.log_cost_gradient(prices)
        expected = -gradient.T @ gradient
        np.testing.assert_allclose(flat.curvature(prices, np.ones(1)), expected, rtol=EPS)
        np.testing.assert_allclose(nest.curvature(prices, np.ones(1)), expected, rtol=1e-12)
        np.testing.assert_allclose(nest.hessian(prices)[0], expected, rtol=1e-12)


@given(seed=seeds)
def test_the_fast_and_the_careful_road_to_ces_demand_agree(seed: int) -> None:
    form, prices, income, _ = draw("ces", seed)
    fast = form.demand(prices, income)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(forms, "PRECISE_EXPONENT", -1.0)
        np.testing.assert_allclose(form.demand(prices, income), fast, rtol=EPS)


@given(seed=seeds, elasticity=st.sampled_from([0.4, 1.0, 3.0]))
def test_ces_has_a_limit_where_there_is_no_end_of_a_good(seed: int, elasticity: float) -> None:
    stream = np.random.default_rng(seed)
    form = CES(np.full(1, elasticity), stream.dirichlet(np.ones(3), 1))
    bundle = np.exp(stream.normal(0, 1, (1, 3)))
    endless, much = bundle.copy(), bundle.copy()
    endless[0, 0], much[0, 0] = np.inf, 1e60
    if elasticity < 1:
        np.testing.assert_allclose(form.value(endless), form.value(much), rtol=1e-9)
    else:
        assert np.isinf(form.value(endless)).all()
    assert np.isinf(form.value(np.full((1, 3), np.inf))).all()


@KINDS
@given(seed=seeds)
def test_without_income_nothing_is_bought(kind: str, seed: int) -> None:
    form, prices, income, _ = draw(kind, seed)
    assert (form.demand(prices, 0.0 * income) == 0).all()


@KINDS
@given(seed=seeds)
def test_a_free_good_disturbs_only_those_who_want_it(kind: str, seed: int) -> None:
    form, prices, income, _ = draw(kind, seed)
    free = prices.copy()
    free[0] = 0.0
    bundle = form.demand(free, income)
    assert not np.isnan(bundle).any()
    wants = form.wanted[:, 0]
    np.testing.assert_allclose(bundle[~wants], form.demand(prices, income)[~wants], rtol=EPS)
    if kind in SMOOTH:
        assert np.isinf(bundle[wants, 0]).all()
        assert np.isinf(form.unit_demand(free)[wants, 0]).all()
        assert np.isinf(form.demand(free, 0.0 * income)[wants, 0]).all()
    if kind == "nest":
        return
    if isinstance(form, CES):
        # Close to elasticity 1 the limit is too slow to be seen.
        form = CES(np.where(form.elasticity > 1, 3.0, 0.4), form.shares)
        bundle = form.demand(free, income)
    nearly = free.copy()
    nearly[0] = 1e-60 * free.max()
    if kind != "cobb_douglas":
        np.testing.assert_allclose(form.unit_cost(free), form.unit_cost(nearly), rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(bundle[:, 1:], form.demand(nearly, income)[:, 1:], rtol=1e-9, atol=1e-9)


@KINDS
def test_when_all_is_free_demand_has_no_bound(kind: str) -> None:
    form = build(kind, np.array([[1.0, 2.0, 0.0]]), np.random.default_rng(0))
    for income in (0.0, 1.0):
        assert form.demand(np.zeros(3), np.array([income])).tolist() == [[np.inf, np.inf, 0.0]]


@given(seed=seeds, elasticity=st.sampled_from([0.01, 0.3, 1.0, 1.0 + 1e-12, 3.0, 60.0]))
def test_ces_survives_any_elasticity_over_twelve_decades(seed: int, elasticity: float) -> None:
    stream = np.random.default_rng(seed)
    parameters = 10.0 ** stream.uniform(-3, 3, (3, 5))
    parameters[0, 0] = parameters[1, 1:] = 0.0
    prices, income = 10.0 ** stream.uniform(-6, 6, 5), 10.0 ** stream.uniform(-6, 6, 3)
    for form in (CES(np.full(3, elasticity), parameters), CES.from_weights(np.full(3, elasticity), parameters)):
        bundle = form.demand(prices, income)
        dual = income[:, None] * form.unit_demand(prices) / form.unit_cost(prices)[:, None]
        assert np.isfinite(bundle).all()
        np.testing.assert_allclose(bundle @ prices, income, rtol=1e-12)
        # Shares that underflow on the way lose their digits, not their place.
        np.testing.assert_allclose(bundle, dual, rtol=1e-11, atol=1e-100)
        np.testing.assert_allclose(form.unit_demand(prices) @ prices, form.unit_cost(prices), rtol=1e-12)
        quantities = 10.0 ** stream.uniform(-6, 6, (3, 5))
        assert np.isfinite(form.value(quantities)).all()
        np.testing.assert_allclose(form.value_shares(quantities, prices).sum(axis=-1), 1.0, rtol=EPS)


@given(seed=seeds)
def test_ces_answers_a_relative_price_with_its_elasticity(seed: int) -> None:
    form, prices, income, _ = draw("ces", seed, missing=False)
    change = 1e-5
    dearer, cheaper = prices.copy(), prices.copy()
    dearer[0] *= np.exp(change)
    cheaper[0] *= np.exp(-change)
    ratios = [np.log(form.demand(p, income)[:, 0] / form.demand(p, income)[:, 1]) for p in (dearer, cheaper)]
    np.testing.assert_allclose((ratios[1] - ratios[0]) / (2 * change), form.elasticity, rtol=1e-8)


@given(seed=seeds, elasticity=st.floats(0.1, 10))
def test_ces_with_shares_is_the_formula_of_the_contract(seed: int, elasticity: float) -> None:
    stream = np.random.default_rng(seed)
    raw, prices, income = np.exp(stream.normal(0, 1, 4)), np.exp(stream.normal(0, 1, 4)), np.exp(stream.normal())
    shares = raw / raw.sum()
    form = CES(np.array([elasticity]), raw[None])
    weighed = sum(shares[j] * prices[j] ** (1 - elasticity) for j in range(4))
    by_hand = [shares[i] * income * prices[i] ** -elasticity / weighed for i in range(4)]
    np.testing.assert_allclose(form.demand(prices, np.array([income]))[0], by_hand, rtol=1e-12)
    at_equal_prices = form.demand(np.full(4, 2.5), np.array([income]))[0] * 2.5 / income
    np.testing.assert_allclose(at_equal_prices, shares, rtol=1e-12)


@given(seed=seeds, rho=st.one_of(st.floats(-20, -0.01), st.floats(0.01, 0.95)))
def test_ces_with_weights_is_the_formula_of_the_contract(seed: int, rho: float) -> None:
    stream = np.random.default_rng(seed)
    weights, bundle = np.exp(stream.normal(0, 1, (1, 4))), np.exp(stream.normal(0, 1, (1, 4)))
    weights[0, 0] = stream.choice([0.0, weights[0, 0]])
    form = CES.from_weights(np.array([1 / (1 - rho)]), weights)
    by_hand = sum(weights[0, i] * bundle[0, i] ** rho for i in range(4)) ** (1 / rho)
    np.testing.assert_allclose(form.value(bundle)[0], by_hand, rtol=1e-11)


@given(seed=seeds)
def test_ces_with_weights_and_rho_zero_is_cobb_douglas(seed: int) -> None:
    stream = np.random.default_rng(seed)
    weights, bundle = np.exp(stream.normal(0, 1, (2, 4))), np.exp(stream.normal(0, 1, (2, 4)))
    form = CES.from_weights(np.ones(2), weights)
    by_hand = np.prod(bundle ** (weights / weights.sum(axis=1, keepdims=True)), axis=1)
    np.testing.assert_allclose(form.value(bundle), by_hand, rtol=EPS)
    np.testing.assert_allclose(form.value(bundle), CobbDouglas(weights).value(bundle), rtol=EPS)


@pytest.mark.parametrize("side", [-1e-6, -1e-9, -1e-13, 1e-13, 1e-9, 1e-6])
@given(seed=seeds)
def test_ces_passes_through_cobb_douglas_without_losing_digits(side: float, seed: int) -> None:
    stream = np.random.default_rng(seed)
    shares, bundle = np.exp(stream.normal(0, 1, (2, 4))), np.exp(stream.normal(0, 1, (2, 4)))
    shares /= shares.sum(axis=1, keepdims=True)
    prices, income = np.exp(stream.normal(0, 1, 4)), np.ones(2)
    near, cobb_douglas = CES(np.full(2, 1 + side), shares), CobbDouglas(shares)
    at = CES(np.ones(2), shares)
    tolerance = 30 * abs(side) + EPS
    np.testing.assert_allclose(near.demand(prices, income), cobb_douglas.demand(prices, income), rtol=tolerance)
    np.testing.assert_allclose(near.value(bundle), at.value(bundle), rtol=tolerance)
    np.testing.assert_allclose(near.unit_cost(prices), at.unit_cost(prices), rtol=tolerance)
    np.testing.assert_allclose(near.unit_cost(prices), near.unit_demand(prices) @ prices, rtol=EPS)
    np.testing.assert_allclose(near.value(near.unit_demand(prices)), 1.0, rtol=EPS)
    weighed = CES.from_weights(np.full(2, 1 + side), shares)
    np.testing.assert_allclose(weighed.value(bundle), cobb_douglas.value(bundle), rtol=tolerance)


@given(seed=seeds)
def test_ces_of_vanishing_elasticity_is_leontief(seed: int) -> None:
    stream = np.random.default_rng(seed)
    shares, bundle = np.exp(stream.normal(0, 1, (2, 4))), np.exp(stream.normal(0, 1, (2, 4)))
    shares /= shares.sum(axis=1, keepdims=True)
    prices, income = np.exp(stream.normal(0, 1, 4)), np.exp(stream.normal(0, 1, 2))
    form, limit = CES(np.full(2, 1e-9), shares), Leontief(shares)
    np.testing.assert_allclose(form.demand(prices, income), limit.demand(prices, income), rtol=1e-7)
    np.testing.assert_allclose(form.value(bundle), limit.value(bundle), rtol=1e-7)
    np.testing.assert_allclose(form.unit_cost(prices), limit.unit_cost(prices), rtol=1e-7)


@pytest.mark.parametrize("elasticity", [0.02, 0.5, 1.0, 2.0, 40.0])
def test_ces_with_weights_far_apart_overflows_nowhere(elasticity: float) -> None:
    for level in (1e-12, 1.0, 1e12):
        form = CES.from_weights(np.array([elasticity]), level * np.array([[1e-3, 1.0, 1e3, 0.0]]))
        assert form.wanted.tolist() == [[True, True, True, False]]
        expected = CES.from_weights(np.array([elasticity]), np.array([[1e-3, 1.0, 1e3, 0.0]])).shares
        np.testing.assert_allclose(form.shares, expected, rtol=1e-11)
        assert 0 < form.scale[0] < np.inf


def test_an_optimiser_finds_the_same_ces_demand() -> None:
    from scipy.optimize import minimize

    prices, weights = np.array([1.0, 2.0, 0.5]), np.array([[0.5, 1.2, 0.8]])
    for rho, income in itertools.product((-2.0, 0.4, 0.7), (1.0, 3.0)):
        form = CES.from_weights(np.array([1 / (1 - rho)]), weights)

        def loss(logs: Array, rho: float = rho, income: float = income) -> float:
            bundle = np.exp(logs) * income / (np.exp(logs) @ prices)
            return -np.log(np.sum(weights * bundle**rho)) / rho

        found = np.exp(minimize(loss, np.zeros(3), method="BFGS", options={"gtol": 1e-9}).x)
        best = found * income / (found @ prices)
        np.testing.assert_allclose(form.demand(prices, np.array([income]))[0], best, rtol=1e-5)


@given(seed=seeds)
def test_leontief_imputes_the_nearest_marginal_value_at_a_kink(seed: int) -> None:
    """Against a projection written straight down: weights of a convex combination found by a quadratic programme."""
    from scipy.optimize import minimize

    stream = np.random.default_rng(seed)
    coefficients, prices = np.exp(stream.normal(0, 1, (1, 3))), np.exp(stream.normal(0, 0.5, 3))
    ratios = np.array([1.0, 1.0, stream.choice([1.0, 1.7])])
    bundle, spent = coefficients * ratios, 2.0
    scarcest = np.flatnonzero(ratios == 1.0)

    def distance(weights: Array) -> float:
        values = np.zeros(3)
        values[scarcest] = spent * weights / bundle[0, scarcest]
        return np.sum(bundle[0] / prices * (values - prices) ** 2)

    count = len(scarcest)
    nearest = minimize(
        distance,
        np.full(count, 1 / count),
        bounds=[(0, 1)] * count,
        constraints={"type": "eq", "fun": lambda weights: weights.sum() - 1},
        options={"ftol": 1e-14},
    ).x
    imputed = Leontief(coefficients).value_shares(bundle, prices)[0]
    assert (imputed[ratios > 1] == 0).all()
    np.testing.assert_allclose(imputed[scarcest], nearest, atol=1e-5)


@given(seed=seeds)
def test_leontief_worth_falls_on_the_scarcest_good_alone(seed: int) -> None:
    form, prices, _, stream = draw("leontief", seed)
    bundle = np.exp(stream.normal(0, 1, form.wanted.shape))
    step = 1e-7
    for good in range(len(prices)):
        more = bundle.copy()
        more[:, good] *= 1 + step
        elasticity = (form.value(more) / form.value(bundle) - 1) / step
        np.testing.assert_allclose(form.value_shares(bundle, prices)[:, good], elasticity, atol=1e-5)


@given(st.integers(0, 10_000), st.sampled_from([0.2, 0.999999, 1.0, 1.7, 12.0]))
def test_a_bundle_is_appraised_at_once_as_it_is_in_two_steps(seed: int, elasticity: float) -> None:
    stream = np.random.default_rng(seed)
    shares = stream.dirichlet([1, 2, 3], 5)
    shares[0, 1] = stream.choice([0.0, shares[0, 1]])
    form = CES(np.full(5, elasticity) * stream.choice([1.0, 1.1], 5), shares)
    bundle = stream.lognormal(0, 2, (5, 3)) * stream.choice([0.0, 1.0, 1.0, 1.0], (5, 1))
    value, value_shares = form.appraise(bundle, np.ones(3))
    np.testing.assert_allclose(value, form.value(bundle), rtol=1e-12)
    np.testing.assert_allclose(value_shares, form.value_shares(bundle, np.ones(3)), rtol=1e-11, atol=1e-14)
