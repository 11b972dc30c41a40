"""The tick in plain floats and the tick in arrays are one tick."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.builders import in_arrays, market_of
from tests.faults import Inject
from tests.house import MarketModel, MarketTick, ScalarEngine, load

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


def markets(data: dict[str, Any]) -> tuple[MarketModel, MarketModel]:
    """The same market twice: in plain floats, and held to arrays."""
    scenario = load(data)
    return market_of(scenario), in_arrays(scenario)


@given(supply_trees())
def test_both_ticks_agree(data: dict[str, Any]) -> None:
    floats, arrays = markets(data)
    for _ in range(30):
        floats.step()
        arrays.step()
        assert (floats.last_tick.tick, floats.last_tick.finite) == (arrays.last_tick.tick, arrays.last_tick.finite)
        for name in MarketTick._fields[2:]:
            np.testing.assert_allclose(
                getattr(floats, name), getattr(arrays, name), rtol=1e-11, atol=1e-13, err_msg=name
            )


def test_a_broken_float_tick_is_seen(inject: Inject) -> None:
    data = {
        "goods": ["a", "b"],
        "outside": {"b": 1},
        "supply": {"a": 1},
        "firms": [{"name": "f", "makes": "b = sqrt(a)"}],
    }
    floats, arrays = markets(data)
    inject(ScalarEngine, "_reprice", lambda moved, *_: ([1.01 * price for price in moved[0]], *moved[1:]))
    for _ in range(5):
        floats.step()
        arrays.step()
    assert abs(floats.prices[0] - arrays.prices[0]) > 1e-6


@pytest.mark.parametrize(
    "change",
    [
        {"scheduler": {"kind": "tatonnement", "form": "additive", "rate": 0.1, "with": [{"momentum": 0.5}]}},
        {"firms": [{"name": "f", "makes": "b = a^0.3*c^0.3"}]},
        {"consumers": [{"name": "h", "budget": 1, "utility": {"cobb_douglas": {"a": 1}}}]},
    ],
)
def test_what_plain_floats_do_not_serve(change: dict[str, Any]) -> None:
    data: dict[str, Any] = {
        "goods": ["a", "b", "c"],
        "outside": {"b": 1},
        "supply": {"a": 1, "c": 1},
        "firms": [{"name": "f", "makes": "b = sqrt(a)"}],
    }
    scenario = load(data | change)
    assert not ScalarEngine.serves(scenario.economy, scenario.rule)
