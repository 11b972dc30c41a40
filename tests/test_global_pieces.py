"""Pieces that go by the whole Jacobian: what they are derived from, and what they do to whole economies."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.house import PRICE_FORMS as FORMS
from tests.house import (
    RECIPES,
    Consensus,
    Newton,
    OwnSlope,
    PriceRule,
    Reference,
    Relative,
    ScenarioError,
    Simulation,
    Symplectic,
    find,
    load,
    reference,
)
from tests.test_gradient_path import EXCHANGE, FISHER, NETWORK

SCENARIOS = Path(__file__).parents[1] / "scenarios"
GOODS = 4


def rule(form: str, rate: float, *pieces: Any, fixed: Any = (), floor: float = 1e-12) -> PriceRule:
    return PriceRule(form, rate, pieces, np.full(GOODS, floor), np.isin(np.arange(GOODS), fixed))


def moved(of: PriceRule, p: np.ndarray, z: np.ndarray, s: np.ndarray, jacobian: np.ndarray) -> np.ndarray:
    """The motion of prices, in `ln p` times `p` where multiplicative."""
    after, _ = of.next_prices(p, z, s, of.start(), jacobian)
    return p * np.log(after / p) if of.form == "multiplicative" else after - p


def drawn(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    stream = np.random.default_rng(seed)
    p, z, s = stream.uniform(0.5, 2, GOODS), stream.uniform(-1, 1, GOODS), stream.uniform(1, 3, GOODS)
    return p, z, s, stream.normal(0, 1, (GOODS, GOODS)) - 3 * np.eye(GOODS)


def metrics(p: np.ndarray, s: np.ndarray, jacobian: np.ndarray) -> list[tuple[str, tuple[Any, ...], np.ndarray]]:
    own = np.maximum(np.abs(jacobian.diagonal()), 0.1 * s / p)
    return [
        ("additive", (), np.ones(GOODS)),
        ("additive", (Relative(),), s),
        ("multiplicative", (), s / p),
        ("additive", (OwnSlope(),), own),
        ("multiplicative", (OwnSlope(),), own),
    ]


@pytest.mark.parametrize("seed", range(5))
def test_newton_solves_for_all_free_prices_in_any_unit_of_the_step(seed: int) -> None:
    p, z, s, jacobian = drawn(seed)
    free = [0, 2, 3]
    for form, unit, _ in metrics(p, s, jacobian):
        motion = moved(rule(form, 0.1, *unit, Newton(), fixed=[1]), p, z, s, jacobian)
        np.testing.assert_allclose(jacobian[np.ix_(free, free)] @ motion[free], -0.1 * z[free], atol=1e-12)
        assert motion[1] == 0


@pytest.mark.parametrize("seed", range(5))
def test_symplectic_and_consensus_straight_down_in_the_metric_of_the_step(seed: int) -> None:
    """In whitened coordinates, `K = G^-1/2 J G^-1/2` and `w = G^-1/2 z`: `w + weight A w` and `w - weight K' w`."""
    p, z, s, jacobian = drawn(seed)
    for form, unit, metric in metrics(p, s, jacobian):
        root = np.sqrt(metric)
        matrix, field = jacobian / np.outer(root, root), z / root
        turned = field + 0.7 * (matrix - matrix.T) / 2 @ field
        calmed = field - 0.7 * matrix.T @ field
        for piece, expected in ((Symplectic(0.7), turned), (Consensus(0.7), calmed)):
            motion = moved(rule(form, 0.01, *unit, piece), p, z, s, jacobian)
            np.testing.assert_allclose(motion, 0.01 * expected / root, atol=1e-13)


def test_consensus_descends_half_the_squared_excess_demand() -> None:
    """Against differences of `|z|^2 / 2`, asked of the economy itself."""
    economy = load(EXCHANGE).economy
    prices, weight = np.array([1.0, 1.4, 0.7]), 0.3
    balance = economy.balance(prices)

    def half_square(p: np.ndarray) -> float:
        return 0.5 * float(np.sum(economy.balance(p).excess_demand ** 2))

    slope = [(half_square(prices + h) - half_square(prices - h)) / 2e-6 for h in 1e-6 * np.eye(3)]
    of = PriceRule("additive", 0.01, (Consensus(weight),), np.full(3, 1e-12), np.zeros(3, dtype=bool))
    after, _ = of.next_prices(prices, balance.excess_demand, balance.scale, of.start(), economy.jacobian(balance))
    expected = balance.excess_demand - weight * np.array(slope)
    np.testing.assert_allclose((after - prices) / 0.01, expected, rtol=1e-6)


def test_what_a_glut_holds_at_its_floor_is_left_out() -> None:
    p, z, s, jacobian = drawn(3)
    p[2], z[2] = 0.25, -1.0
    for piece in (Newton(), Symplectic(0.5), Consensus(0.5)):
        at_floor, fixed = rule("additive", 0.1, piece, floor=0.25), rule("additive", 0.1, piece, floor=0.25, fixed=[2])
        np.testing.assert_array_equal(moved(at_floor, p, z, s, jacobian), moved(fixed, p, z, s, jacobian))


def simulated(given: Any, form: str, rate: float, *pieces: Any, ticks: int = 500, **settings: Any) -> Simulation:
    scheduler = {"form": form, "rate": rate, "with": list(pieces)}
    run = {"run.ticks": ticks, "run.tolerance": 1e-9, "run.references": "off", "run.record_every": ticks}
    changes = {"scheduler": scheduler, "trade": "at_equilibrium"} | run | settings
    simulation = Simulation(load(SCENARIOS / f"{given}.yaml" if isinstance(given, str) else given, settings=changes))
    for _ in simulation.ticks():
        pass
    return simulation


def path(given: Any, form: str, rate: float, *pieces: Any, ticks: int = 30, **settings: Any) -> np.ndarray:
    """Prices tick by tick."""
    scheduler = {"form": form, "rate": rate, "with": list(pieces)}
    run = {"run.ticks": ticks, "run.stop": "never", "run.references": "off"}
    simulation = Simulation(load(given, settings={"scheduler": scheduler, "trade": "at_equilibrium"} | run | settings))
    market = simulation.market
    return np.array([market.advance().tick.prices for _ in range(ticks + 1)])


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("economy", ["fisher", "network"])
def test_newton_s_errors_are_squared_tick_by_tick(economy: str, form: str) -> None:
    given = {"fisher": FISHER, "network": NETWORK}[economy]
    scenario = load(given)
    (found,) = find(scenario.economy, scenario.rule, [scenario.initial_prices])
    near = {good: float(1.1 * price) for good, price in zip(scenario.economy.goods, found.prices, strict=True)}
    near |= {good: price for good, price in given.get("outside", {}).items()}
    errors = np.max(
        np.abs(np.log(path(given, form, 1.0, "newton", ticks=6, initial_prices=near) / found.prices)), axis=1
    )
    for before, after in itertools.pairwise(errors[errors > 1e-7]):
        assert after < 5 * before**2
    assert errors[0] > 0.09
    assert errors[-1] < 1e-13


@pytest.mark.parametrize("form", FORMS)
def test_newton_settles_what_turns_in_a_handful_of_ticks(form: str) -> None:
    assert simulated("scarf", form, 1.0).verdict.outcome != "cleared"
    settled = simulated("scarf", form, 1.0, "newton")
    assert settled.verdict.outcome == "cleared"
    assert settled.market.last_tick.tick <= 4


def counted(units: dict[str, float]) -> dict[str, Any]:
    """Three who trade, with so many units of each good for every one of old."""
    people = [({"x": 1, "y": 2}, {"x": 1}), ({"y": 1, "z": 1.5}, {"y": 2}), ({"z": 2, "x": 1}, {"z": 3})]

    def in_units(amounts: dict[str, float]) -> dict[str, float]:
        return {good: amount * units[good] for good, amount in amounts.items()}

    return {
        "goods": {good: {"price": 1 / unit} for good, unit in units.items()},
        "consumers": [
            {"name": name, "utility": {"leontief": in_units(wants)}, "endowment": in_units(owns)}
            for name, (wants, owns) in zip("abc", people, strict=True)
        ],
    }


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("numeraire", [{"numeraire": "y"}, {}], ids=str)
def test_no_unit_matters_to_newton(numeraire: dict[str, str], form: str) -> None:
    """Two units of x and eight of z in the place of one: the same prices, in the new units."""
    units = {"x": 2.0, "y": 1.0, "z": 8.0}
    here = path(counted(dict.fromkeys("xyz", 1.0)) | numeraire, form, 0.3, "newton")
    there = path(counted(units) | numeraire, form, 0.3, "newton")
    np.testing.assert_allclose(there, here / list(units.values()), rtol=1e-9)
    assert np.max(np.abs(np.log(here[-1] / here[0]))) > 0.1


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("rate", [0.1, 0.3])
@pytest.mark.parametrize("pieces", [[{"symplectic": 1}], [{"consensus": 1}]], ids=str)
def test_a_turn_against_rotation_settles_it(pieces: Any, rate: float, form: str) -> None:
    assert simulated("scarf", form, rate, ticks=2000).verdict.outcome != "cleared"
    assert simulated("scarf", form, rate, *pieces, ticks=2000).verdict.outcome == "cleared"


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("economy", [FISHER, NETWORK], ids=["fisher", "network"])
def test_what_is_a_gradient_has_nothing_to_turn(economy: Any, form: str) -> None:
    rate = {"additive": 0.01, "multiplicative": 0.1}[form]
    plain = path(economy, form, rate, ticks=100)
    np.testing.assert_allclose(path(economy, form, rate, {"symplectic": 2}, ticks=100), plain, rtol=1e-11)


def radius(economy: str, form: str, rate: float, *pieces: Any) -> float:
    changes = {"scheduler": {"form": form, "rate": rate, "with": list(pieces)}, "trade": "at_equilibrium"}
    scenario = load(SCENARIOS / f"{economy}.yaml", settings=changes)
    (found,) = find(scenario.economy, scenario.rule, [scenario.initial_prices])
    return found.spectral_radius


@pytest.mark.parametrize("form", FORMS)
def test_the_spectral_radius_of_a_turned_rotation(form: str) -> None:
    """With `J = i w` the plain step is `1 + i rate w`; turned it is `1 + i rate w - rate weight w^2`."""
    turning = np.sqrt(radius("scarf", form, 1.0) ** 2 - 1)
    expected = abs(1 + 0.3j * turning - 0.3 * 0.8 * turning**2)
    for pieces in ({"symplectic": 0.8}, {"consensus": 0.8}):
        assert radius("scarf", form, 0.3, pieces) == pytest.approx(expected, rel=1e-6)
    assert radius("scarf", form, 0.3, "newton") == pytest.approx(0.7, rel=1e-6)
    assert radius("fisher", form, 1.0, "newton") < 1e-6


def slopes(function: Reference, prices: np.ndarray, guess: np.ndarray, step: float) -> np.ndarray:
    """How the signal of a function changes with every price, by differences."""
    steps = step * np.eye(len(prices))
    moved = [function.descent(prices + h, guess).signal - function.descent(prices - h, guess).signal for h in steps]
    return np.stack(moved, axis=1) / (2 * step)


def test_the_descent_tells_how_its_signal_changes_with_every_price() -> None:
    for given in (FISHER, NETWORK):
        economy = load(given).economy
        function, guess = reference(economy), economy.first_guess()
        prices = np.exp(np.random.default_rng(2).normal(0, 0.3, len(economy.goods)))
        found = function.descent(prices, guess, jacobian=True).jacobian
        np.testing.assert_allclose(found, slopes(function, prices, guess, 1e-5), rtol=1e-5, atol=1e-6)


def test_a_merit_s_second_derivative_is_gauss_and_newton_s() -> None:
    """At an equilibrium, where nothing is left of what they leave out."""
    scenario = load(SCENARIOS / "scarf.yaml")
    function, guess = reference(scenario.economy), scenario.economy.first_guess()
    assert function.kind == "merit"
    prices = np.ones(3)
    found = function.descent(prices, guess, jacobian=True).jacobian
    np.testing.assert_allclose(found, slopes(function, prices, guess, 1e-6), atol=1e-6)


@pytest.mark.parametrize(
    ("pieces", "message"),
    [
        (["newton", "sequential"], "found sequential beside newton; expected one of them"),
        ([{"bernoulli": 0.5}, {"symplectic": 1}], "found bernoulli beside symplectic; expected one of them"),
        ([{"consensus": 1}, "own_slope"], "found own_slope after consensus; expected it before"),
        ([{"consensus": 0}], "found 0; expected a number above 0"),
        (["symplectic"], "expected relative, own_slope, rmsprop"),
    ],
    ids=str,
)
def test_pieces_that_do_not_go_together_are_refused_in_a_line(pieces: Any, message: str) -> None:
    with pytest.raises(ScenarioError, match="scheduler") as refused:
        load(FISHER, settings={"scheduler.with": pieces})
    assert message in str(refused.value)
    assert len(str(refused.value).splitlines()) == 1


def test_without_a_jacobian_there_is_an_error() -> None:
    for recipe in ("newton", "symplectic", "consensus"):
        of, ones = rule("multiplicative", 0.1, *RECIPES[recipe].pieces), np.ones(GOODS)
        assert of.needs_jacobian
        assert of.information == "global"
        assert of.relative
        with pytest.raises(ValueError, match="Jacobian"):
            of.next_prices(ones, ones, ones, of.start())
