"""Crowds in machine code: what arrays do to the members of a cohort, done to each of them in a loop."""

from __future__ import annotations

import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from tests.house import (
    CES,
    SIGNATURE,
    CobbDouglas,
    Consumers,
    Crowd,
    Fills,
    Homothetic,
    Leontief,
    Nest,
    QuasiLinear,
    ScenarioError,
    StoneGeary,
    Taste,
    book,
    load,
    order,
    plan,
    rows,
    simulate,
)

COUNT, GOODS = 700, 3
PRICES = np.array([1.0, 1.7, 0.6])
PROFITS, CASH_FLOW = np.array([0.4, -0.1]), np.array([0.3, 0.2])
FILLS = Fills(np.array([1.0, 0.8, 0.5]), np.array([0.7, 1.0, 1.0]), np.ones(GOODS))


@pytest.fixture(autouse=True)
def cache(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """Machine code is kept for the next run of the tests, beside what pytest keeps."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(request.config.cache.mkdir("compiled")))  # pyright: ignore


@pytest.fixture
def machine_code(monkeypatch: pytest.MonkeyPatch) -> None:
    """Arrays of all members fail the test; a member alone is what is traced."""

    def blocks(consumers: Consumers) -> Any:
        assert consumers.size == 1, "the cohort was worked out in arrays"
        return ((slice(0, 1), consumers),)

    monkeypatch.setattr(Consumers, "blocks", property(blocks))


def shares() -> np.ndarray:
    return np.asfortranarray(np.random.default_rng(1).dirichlet([2, 1, 3], COUNT))


def between(low: float, high: float, *shape: int) -> np.ndarray:
    return np.random.default_rng(2).uniform(low, high, (COUNT, *shape))


def nest() -> Nest:
    inner = Nest(CES(between(0.5, 0.9), shares()[:, :2]), (0, 1), GOODS)
    return Nest(CES(np.full(1, 1.5), shares()[:, 1:]), (inner, 2), GOODS)


TASTES: dict[str, Callable[[], Taste]] = {
    "cobb_douglas": lambda: Homothetic(CobbDouglas(shares())),
    "ces": lambda: Homothetic(CES(between(0.4, 2.5), shares())),
    "ces of one elasticity": lambda: Homothetic(CES(np.full(1, 0.7), shares())),
    "alike": lambda: Homothetic(CES(np.full(1, 0.7), shares()[:1])),
    "leontief": lambda: Homothetic(Leontief(between(0.1, 2.0, GOODS))),
    "stone_geary": lambda: StoneGeary(CES(between(0.4, 2.5), shares()), between(0.0, 0.1, GOODS)),
    "nest": lambda: Homothetic(nest()),
    "logarithmic": lambda: QuasiLinear(between(0.1, 0.4, GOODS)),
    "quasilinear": lambda: QuasiLinear(between(0.1, 0.2, GOODS), between(0.5, 2.0)),
}


def people(utility: Taste, **changes: Any) -> Consumers:
    """Who differ in all they own."""
    own = {"endowment": between(0.5, 2.0, GOODS), "budget": between(0.0, 0.3), "owns": between(0.0, 0.002, 2)}
    return Consumers("people", utility, **(own | changes), count=2 * COUNT)


COHORTS: dict[str, Callable[[], Consumers]] = {
    **{name: lambda taste=taste: people(taste()) for name, taste in TASTES.items()},
    "one row of endowments": lambda: people(
        TASTES["ces"](), endowment=np.ones((1, GOODS)), budget=np.zeros(1), owns=np.full((1, 2), 0.001)
    ),
    "savers": lambda: people(TASTES["cobb_douglas"](), saves=True),
    "nobody owns a firm": lambda: people(TASTES["ces"](), owns=np.zeros((1, 2))),
    "unlimited purses": lambda: people(TASTES["logarithmic"](), budget=np.full(1, np.inf)),
}


def same(ones: Any, others: Any, **options: Any) -> None:
    for one, other in zip(ones, others, strict=True):
        np.testing.assert_allclose(one, other, **({"rtol": 1e-12, "atol": 1e-13} | options))


NO_DUES, DUES = np.zeros(0), np.array([0.05, 0.3])
"""What taxes and transfers add to each purse: an amount, less a part of its own income."""


def everything(
    crowd: Crowd | None, cohort: Consumers, prices: np.ndarray, dues: np.ndarray = NO_DUES
) -> tuple[tuple[Any, ...], ...]:
    """What is planned, ordered and booked, by a crowd or in arrays."""
    given = (prices, prices * [1.0, 1.2, 1.0], PROFITS, dues, between(-0.2, 0.2))
    *faced, account = given
    after = (CASH_FLOW, 1.1 * dues, account)
    if crowd is not None:
        return crowd.plan(*given), crowd.order(*given)[:4], crowd.book(*faced, FILLS, *after)
    ordered = order(cohort, *given)
    booked = book(cohort, *given[:2], ordered.bundles or [], FILLS, *after)
    return plan(cohort, *given), ordered[:4], booked


QUICK = ("cobb_douglas", "ces", "stone_geary")
"""The others take seconds to be compiled."""


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[] if name in QUICK else [pytest.mark.slow]) for name in COHORTS]
)
def test_a_crowd_does_what_arrays_do(name: str, request: pytest.FixtureRequest) -> None:
    cohort = COHORTS[name]()
    expected = [everything(None, cohort, PRICES, dues) for dues in (NO_DUES, DUES)]
    request.getfixturevalue("machine_code")
    for dues, those in zip((NO_DUES, DUES), expected, strict=True):
        for one, other in zip(everything(Crowd(cohort), cohort, PRICES, dues), those, strict=True):
            same(one, other)


@pytest.mark.parametrize("name", ["cobb_douglas", "ces"])
def test_what_is_asked_of_prices_is_asked_in_every_tick(name: str, request: pytest.FixtureRequest) -> None:
    """Prices close to each other, and some so far apart that powers are worked out with care, there and back."""
    cohort = people(TASTES[name]())
    ways = [PRICES, PRICES * [1.0, 1e-60, 1e60], PRICES * 2.0]
    expected = [everything(None, cohort, prices)[0] for prices in ways]
    request.getfixturevalue("machine_code")
    crowd = Crowd(cohort)
    for prices, values in zip(ways, expected, strict=True):
        same(everything(crowd, cohort, prices)[0], values, atol=0.0)


@pytest.mark.parametrize("first_is_poor", [False, True])
def test_members_who_go_different_ways_are_worked_out_in_arrays(first_is_poor: bool) -> None:
    """Of Stone-Geary consumers some cannot buy what they need."""
    needs = np.zeros((COUNT, GOODS))
    needs[0 if first_is_poor else 5] = 9.0
    cohort = people(StoneGeary(CobbDouglas(shares()), needs))
    for one, other in zip(everything(Crowd(cohort), cohort, PRICES), everything(None, cohort, PRICES), strict=True):
        same(one, other, rtol=0.0, atol=0.0)


def test_the_number_of_threads_does_not_change_a_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "BLOCK", 50)
    found: list[Any] = []
    for threads in (1, 2, 5):
        cohort = people(TASTES["ces"]())
        with ThreadPoolExecutor(threads) as pool:
            monkeypatch.setattr(rows, "_threads", lambda pool=pool: pool)
            found.append(everything(Crowd(cohort), cohort, PRICES))
    for other in found[1:]:
        for one, two in zip(found[0], other, strict=True):
            same(one, two, rtol=0.0, atol=0.0)


TOWN: dict[str, Any] = {
    "name": "hamlet",
    "goods": ["labour", "grain", "bread"],
    "numeraire": "labour",
    "firms": [{"name": "farm", "makes": "grain = 300*labour^0.5"}, {"name": "bakery", "makes": "bread = 90*grain^0.4"}],
    "consumers": [
        {
            "name": "households",
            "count": 900,
            "utility": {
                "ces": {
                    "elasticity": {"uniform": [0.4, 2.5]},
                    "shares": {"dirichlet": {"labour": 2, "grain": 1, "bread": 3}},
                }
            },
            "endowment": {"labour": {"lognormal": {"mean": 0, "sigma": 0.4}}},
            "owns": {"farm": "equal", "bakery": "equal"},
        },
        {"name": "baker", "utility": {"cobb_douglas": {"labour": 1, "bread": 2}}, "endowment": {"labour": 50}},
    ],
    "shocks": [{"tick": 15, "set": {"consumers.households.endowment.labour": {"times": 0.8}}}],
}


@pytest.mark.parametrize("trade", ["every_tick", "at_equilibrium"])
def test_a_run_of_a_crowd_with_a_shock_is_that_of_arrays(trade: str) -> None:
    runs = []
    for engine in ("arrays", "compiled"):
        settings = {"run.engine": engine, "run.ticks": 40, "run.record_every": 1, "run.references": "off"}
        runs.append(simulate(load({**TOWN, "trade": trade}, settings=settings)))
    arrays, compiled = runs
    assert compiled.summary["engine"] == "compiled"
    assert compiled.summary["outcome"] == arrays.summary["outcome"]
    for table in ("trajectory", "ticks", "agents"):
        one, other = getattr(compiled, table), getattr(arrays, table)
        for column in one.select_dtypes("number"):
            np.testing.assert_allclose(one[column], other[column], rtol=1e-10, atol=1e-10, err_msg=column)


def test_tastes_that_are_searched_for_are_refused_by_name() -> None:
    utility = {"quadratic": {"intercept": {"labour": {"uniform": [1, 2]}}, "slope": {"labour": 1}}}
    crowd = {"name": "crowd", "count": 300, "utility": {"quasilinear": utility}}
    with pytest.raises(ScenarioError, match="best bundle of a quasilinear taste is worked out in arrays"):
        load({**TOWN, "consumers": [crowd], "shocks": []}, settings={"run.engine": "compiled"})


@pytest.mark.slow
@pytest.mark.parametrize("name", ["cobb_douglas", "ces"])
def test_a_compiler_makes_vector_instructions_of_the_loop(name: str) -> None:
    """It does where there are no calls, and where what is read and what is written cannot overlap."""
    numba = pytest.importorskip("numba")
    goods = np.linspace(1.0, 1.5, 10)
    shares, owned = np.random.default_rng(1).dirichlet(goods, COUNT), between(0.5, 2.0, 10)
    form = CobbDouglas(shares) if name == "cobb_douglas" else CES(between(0.4, 2.5), shares)
    crowd = Crowd(Consumers("people", Homothetic(form), owned, np.zeros(1), np.zeros((1, 0)), COUNT))
    given = (goods, goods, np.zeros(0), np.zeros(COUNT))
    booked = (crowd._book, (goods, goods, np.zeros(0), NO_DUES))
    for function, more in ((crowd._plan, ()), (crowd._order, ()), booked):
        text = function.written(*given[:3], NO_DUES, *more, given[3])
        space = dict(text.space)
        exec(text.source, space)
        run = numba.njit(SIGNATURE.format(text.tables), error_model="numpy")(space["line"])
        (machine,) = run.inspect_llvm().values()
        done, one_by_one = (len(re.findall(rf"fmul {what}", machine)) for what in (r"<\d+ x double>", "double"))
        assert done >= one_by_one / 2, f"{done} products at once, {one_by_one} one by one"
        assert not re.search(r"call .*double @(llvm\.)?exp[.(]", machine), "exponentials are called one by one"


@pytest.mark.parametrize(("goods", "trades", "refused"), [(16, True, False), (20, True, True), (20, False, False)])
def test_more_goods_than_a_loop_is_fast_with_are_refused(goods: int, trades: bool, refused: bool) -> None:
    shares = np.random.default_rng(1).dirichlet(np.ones(goods), COUNT)
    crowd = Crowd(
        Consumers("people", Homothetic(CobbDouglas(shares)), 2 * shares, np.zeros(1), np.zeros((1, 0)), COUNT)
    )
    why = crowd.refusal(np.ones(goods), np.ones(goods), np.zeros(0), NO_DUES, trades=trades)
    assert why == ("102 numbers of an agent are read, written and summed, more than 100" if refused else None)
