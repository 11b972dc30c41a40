"""Published economies: `solve` finds every equilibrium and no other, at the tolerance to which answers are known."""

from __future__ import annotations

import pytest

from tests.house import solve
from tests.published import PUBLISHED


@pytest.mark.parametrize("name", PUBLISHED)
def test_every_equilibrium_is_found_and_no_other(name: str) -> None:
    case = PUBLISHED[name]
    found = solve(case.scenario)
    assert found.summary["equilibria"] == len(case.answers), str(found)
    assert not found.summary["missing"]
    order = found.prices.iloc[0].sort_values().index
    for number, answer in zip(order, case.answers, strict=True):
        for kind, expected in answer.items():
            values = found.of(kind)[number] if expected else {}
            scale = 1.0
            if case.relative and kind == "price":
                scale = sum(expected.values()) / sum(values[each] for each in expected)
            for each, value in expected.items():
                assert values[each] * scale == pytest.approx(value, rel=case.tolerance, abs=case.tolerance), each
        record = found.summary["found"][number - 1]
        assert max(each["residual"] for each in record["certificate"].values()) < 1e-9
    indices = [found.summary["found"][number - 1]["index"] for number in order]
    assert 0 in indices or tuple(indices) == case.indices
