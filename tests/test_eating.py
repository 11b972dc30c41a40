"""Linear tastes beside firms of constant returns: equilibria are those of a planner's linear programme."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.house import solve
from tests.published import activity, consumer

MILL = activity("mill", flour=1, grain=-2)


def market(*consumers: dict[str, Any], goods: tuple[str, ...] = ("flour", "grain"), **more: Any) -> dict[str, Any]:
    scheduler = {"form": "additive", "rate": 0.1}
    return {
        "goods": [*goods],
        "numeraire": "grain",
        "scheduler": scheduler,
        "firms": [MILL],
        "consumers": [*consumers],
        **more,
    }


@pytest.mark.parametrize("seed", range(8))
def test_what_people_of_one_linear_taste_do_a_planner_would(seed: int) -> None:
    stream = np.random.default_rng(seed)
    goods, raw = [f"g{i}" for i in range(4)], ["r0", "r1", "r2"]
    firms = []
    for number, good in enumerate(goods):
        for way in range(2):
            used = dict(zip(raw, stream.uniform(0.5, 2, 3), strict=True))
            del used[raw[(number + way) % 3]]
            firms.append(activity(f"{good}_{way}", **{good: 1}, **{name: -amount for name, amount in used.items()}))
    values = dict(zip([*goods, "r0"], stream.uniform(0.2, 2, 5), strict=True))
    people = [
        consumer(name, {"linear": values}, endowment=dict(zip(raw, stream.uniform(1, 5, 3), strict=True)))
        for name in ("ann", "ben")
    ]
    found = solve(market(*people, goods=(*goods, *raw), numeraire="r0", firms=firms), planner=True)
    assert found.summary["equilibria"] == 1
    (beside,) = found.summary["planner"]["market"]
    assert beside["value_gap"] < 1e-9
    assert beside["price_gap"] < 1e-8
    assert found.of("utility")[1].sum() == pytest.approx(found.summary["planner"]["value"], rel=1e-9)
    (record,) = found.summary["found"]
    assert max(each["residual"] for each in record["certificate"].values()) < 1e-8


def test_where_two_goods_are_as_good_both_are_eaten_as_markets_need() -> None:
    """Ann values flour at 3 and rye at 1, Ben and Cy want rye too: ties decide prices, markets who eats what."""
    ann = consumer("ann", {"linear": {"flour": 3, "rye": 1}}, endowment={"grain": 10})
    ben = consumer("ben", {"linear": {"flour": 1, "rye": 1}}, endowment={"rye": 5})
    cy = consumer("cy", {"cobb_douglas": {"flour": 1, "rye": 1}}, endowment={"rye": 5, "grain": 1})
    found = solve(market(ann, ben, cy, goods=("flour", "grain", "rye")))
    assert found.summary["equilibria"] == 1
    np.testing.assert_allclose(found.prices[1], [2, 1, 2 / 3], rtol=1e-9)
    eaten = found.of("consumption")[1]
    assert eaten.filter(like="rye").sum() == pytest.approx(10, rel=1e-9)
    assert eaten["ann.rye"] > 1
    assert found.of("utility").loc["ann", 1] == pytest.approx(15, rel=1e-9)
    assert found.summary["found"][0]["stable"] is None


def test_many_who_are_alike_eat_as_one() -> None:
    alone = solve(market(consumer("ann", {"linear": {"flour": 3, "grain": 1}}, endowment={"grain": 10})))
    crowd = solve(market(consumer("ann", {"linear": {"flour": 3, "grain": 1}}, endowment={"grain": 2}, count=5)))
    assert crowd.of("level").equals(alone.of("level"))
    assert crowd.of("utility")[1].to_numpy() == pytest.approx(alone.of("utility")[1].to_numpy() / 5)
