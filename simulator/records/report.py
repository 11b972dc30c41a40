"""What is said of a run at its end: the equilibrium table, the summary, and the sentence that explains both."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from simulator.economics.clearing import as_good_as_free
from simulator.economics.forms import Array
from simulator.records.columns import EQUILIBRIUM, SUMMARY, Known
from simulator.records.table import Table, names, together
from simulator.references.adjoint import equilibrium_adjoints
from simulator.references.found import Equilibrium
from simulator.references.judges import References, RegimeEquilibria, relative_gap
from simulator.sentences import OPENINGS, Facts, Sentence, said

if TYPE_CHECKING:
    from simulator.dynamics.price_rules import PriceRule
    from simulator.dynamics.verdicts import Verdict
    from simulator.economics.economy import Economy
    from simulator.economics.user_markets import UserMarkets

LIBRARIES = ("market-simulator", "mesa", "numpy", "pandas", "scipy")


def equilibrium_table(references: References | None, markets: UserMarkets, prices: Array) -> Table:
    """One row per equilibrium and good: where it is, what it means, and how far the market's last `prices` are from it.

    `price_gap` is `|market - price| / price`, `adjoint_gap` is `|adjoint - price| / price`. Where only relative
    prices matter and none is fixed, prices are brought to the market's level. `from_tick` is the tick from which the
    equilibrium is one: after a shock there are others.
    """
    parts: list[Known] = []
    if references is not None:
        for regime in references.regimes:
            for found in regime.equilibria:
                level = references.level(found, prices, regime.economy)
                parts.append(_known(markets, regime, found, level, prices))
    numbers = np.arange(1, len(parts) + 1)
    return Table.of({"equilibrium": numbers}, {"good": names(markets.goods)}, EQUILIBRIUM, together(parts))


def _known(markets: UserMarkets, regime: RegimeEquilibria, found: Equilibrium, level: Array, prices: Array) -> Known:
    """The columns of an equilibrium `(goods,)`, by name, at a `level` of its prices; the market is at others."""
    at, adjoint = level * found.prices, level * equilibrium_adjoints(regime.economy, found.balance)
    at, adjoint, prices = (markets.sum_over_users(values) for values in (at, adjoint, prices))
    stable = np.nan if found.stable is None else float(found.stable)
    marks = {"index": found.index, "stable": stable, "from_tick": regime.from_tick}
    return {
        "price": at,
        "quantity": markets.mean_over_users(found.balance.demand, found.prices),
        "adjoint": adjoint,
        "market_price": prices,
        "price_gap": relative_gap(prices[:, None], at[:, None]),
        "adjoint_gap": relative_gap(adjoint[:, None], at[:, None]),
        **{name: np.full(len(at), float(mark)) for name, mark in marks.items()},
    }


def lined_up(rows: Sequence[Sequence[str]], *, width: int, wide: int) -> list[str]:
    """Rows of a name and cells as lines: names as wide as `width`, cells as `wide`, if there is room for them."""
    return [f"  {name.ljust(width)}  " + "  ".join(cell.rjust(wide) for cell in cells) for name, *cells in rows]


def last_row(tables: Mapping[str, Table], free: NDArray[np.bool_]) -> dict[str, float]:
    """The last row of ticks.csv by column, and `bid_gap`: the largest relative gap between price and bid of goods whose
    price is `free` to move; of how many bid and adjoint are `compared` with the price, and how many are `movable`.
    """
    if "ticks" not in tables:
        return {}
    last = dict(zip(tables["ticks"].columns, tables["ticks"].values[-1].tolist(), strict=True))
    if "trajectory" not in tables:
        return last
    trajectory = tables["trajectory"]
    goods = dict(zip(trajectory.columns, trajectory.values[-len(free) :].T, strict=True))
    told = free & ~as_good_as_free(goods["price"], goods["demand"], goods["supply"])
    both = told & np.isfinite(goods["bid"] + goods["adjoint"])
    bid_gap = float(relative_gap(goods["price"][told], goods["bid"][told]))
    return last | {"bid_gap": bid_gap, "compared": int(both.sum()), "movable": int(free.sum())}


def summary_of(known: Mapping[str, Any]) -> dict[str, Any]:
    """The summary of a run, ready for JSON: of all that is known of it what has a place there, the rest None."""
    return {key: plain(known.get(key)) for key in SUMMARY}


@cache
def versions(engine: str) -> dict[str, str]:
    """Versions of Python and of the libraries that the numbers of a run on an engine depend on."""
    libraries = [*LIBRARIES, *(["numba"] if engine == "compiled" else [])]
    return {"python": platform.python_version(), **{library: version(library) for library in libraries}}


@np.errstate(all="ignore")
def scale(economy: Economy, markets: UserMarkets, rule: PriceRule, prices: Array, quantities: Array) -> str:
    """Which price is 1, or held, or the sum that prices are measured by."""
    moving = {markets.name_of(i) for i in np.flatnonzero(rule.free).tolist()}
    fixed = [i for i in np.flatnonzero(rule.fixed).tolist() if markets.name_of(i) not in moving]
    held = [f"{markets.name_of(i)} = {prices[i]:g}" for i in fixed]
    if held:
        return ", ".join(held)
    in_money = not economy.homogeneous or not (economy.firms or economy.consumers)
    if in_money:
        return "money"
    if rule.form == "additive":
        return f"sum of squared prices = {prices @ prices:.6g}"
    return f"sum of price times quantity = {prices @ quantities:.6g}"


def sentence(verdict: Verdict, rows: Sequence[Sentence], facts: Facts) -> str:
    """What happened: how the run ended, and what `rows` say of its facts."""
    known = {name: getattr(verdict, name) for name in ("outcome", "period", "amplitude")}
    return ". ".join(said((*OPENINGS, *rows), {**known, **verdict.facts, **facts}, verdict.details)) + "."


def plain(value: Any) -> Any:
    """A value that JSON knows, as deep as it goes: numbers that are none or infinite become None."""
    if isinstance(value, (float, np.floating)):
        return float(value) if np.isfinite(value) else None
    if isinstance(value, dict):
        return {key: plain(part) for key, part in cast("dict[str, Any]", value).items()}
    return [plain(part) for part in cast("list[Any]", value)] if isinstance(value, list) else value
