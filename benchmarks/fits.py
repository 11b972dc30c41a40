"""Fits of parameters: the Jacobian by implicit differentiation, and by differences of equilibria solved again."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from benchmarks.harness import Columns, Group, Groups, Line, Side
from simulator.economics.forms import Array
from simulator.references.equilibrium import find
from simulator.references.implicit import STEP
from simulator.scenario import load
from simulator.scenario.variation import Variation
from simulator.studies.fit_model import FitModel, Point
from simulator.studies.fit_search import Minimum, Search
from simulator.studies.fit_study import load_fit
from simulator.studies.observed import observable


class ByDifferences(Search):
    """The same descent, in which equilibria are solved again on both sides of every coordinate."""

    def jacobian(self, point: Point) -> Array:
        """Central differences."""
        columns = list[Array]()
        for place in range(len(point.u)):
            step = np.zeros(len(point.u))
            step[place] = STEP
            below, above = (self.model.followed(point, u) for u in (point.u - step, point.u + step))
            if below is None or above is None:
                raise ValueError("found no equilibrium close by")
            columns.append((above.gaps - below.gaps) / (2.0 * STEP))
        return np.stack(columns, axis=1)


def exchange(goods: int, consumers: int, folder: Path) -> dict[str, Any]:
    """A study of consumers who trade goods: the elasticity of each, from all prices, and what each consumes of the
    first good, in two years of other endowments, blurred by 1 %.
    """
    stream, names = np.random.default_rng(7), [f"g{place}" for place in range(goods)]

    def amounts() -> dict[str, float]:
        return dict(zip(names, stream.uniform(0.5, 2.0, goods).tolist(), strict=True))

    people = [
        {"name": f"c{k}", "endowment": amounts(), "utility": {"ces": {"elasticity": 1.0, "shares": amounts()}}}
        for k in range(consumers)
    ]
    scenario = {"name": "exchange", "goods": names, "consumers": people}
    paths = [f"consumers.c{k}.utility.ces.elasticity" for k in range(consumers)]
    truth, base = dict(zip(paths, stream.uniform(0.6, 2.0, consumers).tolist(), strict=True)), load(scenario)
    data, cases = "case,quantity,value\n", "case,path,value\n"
    for year in range(2):
        changes = {f"consumers.c{k}.endowment.g{(k + year) % goods}": 5.0 for k in range(consumers)}
        made = Variation(base).at({**changes, **truth})
        values = observable(made.economy, made.markets, find(made.economy, made.rule, [made.initial_prices])[0].balance)
        quantities = [f"price.{good}" for good in names] + [f"consumers.c{k}.consumption.g0" for k in range(consumers)]
        seen = [*values[:goods], *values[3 * goods :: goods][:consumers]] * np.exp(
            0.01 * stream.normal(size=goods + consumers)
        )
        data += "".join(
            f"{year},{quantity},{value!r}\n" for quantity, value in zip(quantities, seen.tolist(), strict=True)
        )
        cases += "".join(f"{year},{path},{value}\n" for path, value in changes.items())
    (folder / "data.csv").write_text(data)
    (folder / "cases.csv").write_text(cases)
    files = {"data": str(folder / "data.csv"), "cases": str(folder / "cases.csv")}
    return {"scenario": scenario, **files, "free": {path: {} for path in paths}, "starts": 1}


def _descent(kind: type[Search], goods: int, consumers: int) -> Callable[[], Minimum]:
    with TemporaryDirectory() as folder:
        model = FitModel(load_fit(exchange(goods, consumers, Path(folder))))
    start = model.searched(model.study.free.start)
    if not isinstance(start, Point):
        raise ValueError("found no equilibrium at the start")
    return partial(kind(model).descend, start)


def _columns(found: Minimum) -> Columns:
    return {"estimates": np.exp(found.point.u), "cost": np.array([found.cost])}


def _fit(goods: int, consumers: int) -> Group:
    kinds = {"implicit": Search, "differences": ByDifferences}
    sides = {
        name: Side(partial(_descent, kind, goods, consumers), _columns, per=" a fit") for name, kind in kinds.items()
    }
    of = f"{goods} goods, {consumers} consumers"
    line = Line(
        of, "fit with implicit Jacobian, beside differences of equilibria", "implicit", "differences", at_least=2
    )
    return Group(sides, [line], tolerance=1e-6, least=1e-3)


def groups(*, quick: bool) -> Groups:
    """The groups by name, small ones if `quick`."""
    sizes = [(3, 2)] if quick else [(5, 3), (20, 8)]
    return {f"fit of {goods} goods": partial(_fit, goods, consumers) for goods, consumers in sizes}
