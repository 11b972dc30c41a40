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
from simulator.records.columns import EQUILIBRIUM, SUMMARY
from simulator.records.market_words import GIVEN_UP, SETTLES
from simulator.records.table import Table, names
from simulator.references.adjoint import equilibrium_adjoints
from simulator.references.equilibrium import Equilibrium
from simulator.references.judges import References, RegimeEquilibria, relative_gap

if TYPE_CHECKING:
    from simulator.dynamics.price_rules import PriceRule
    from simulator.dynamics.verdicts import Verdict
    from simulator.economics.economy import Economy
    from simulator.economics.user_markets import UserMarkets

LIBRARIES = ("market-simulator", "mesa", "numpy", "pandas", "scipy")


def equilibrium_table(references: References | None, markets: UserMarkets, prices: Array, worth: float) -> Table:
    """One row per equilibrium and good: where it is, what it means, and how far the market's last `prices` are from it.

    `price_gap` is `|market - price| / price`, `adjoint_gap` is `|adjoint - price| / price`. Where only relative
    prices matter and none is fixed, prices are scaled to `worth`, the market's last `sum(p s)`. `from_tick` is the tick
    from which the equilibrium is one: after a shock there are others.
    """
    regimes = references.regimes if references is not None else []
    found = [(regime, equilibrium) for regime in regimes for equilibrium in regime.equilibria]
    rows = [_known(references, markets, *pair, prices, worth) for pair in found if references is not None]
    keys = {
        "equilibrium": np.repeat(np.arange(1, len(found) + 1), len(markets.goods)),
        "good": np.tile(names(markets.goods), len(found)),
    }
    known = {column.name: np.array([row[column.name] for row in rows]) for column in EQUILIBRIUM}
    return Table.of(keys, EQUILIBRIUM, known)


def _known(
    references: References,
    markets: UserMarkets,
    regime: RegimeEquilibria,
    equilibrium: Equilibrium,
    prices: Array,
    worth: float,
) -> dict[str, Array]:
    """The columns of an equilibrium `(goods,)`, by name."""
    at = references.equilibrium_prices(equilibrium, np.asarray(worth), regime.economy)
    level = float(at.sum() / equilibrium.prices.sum())
    adjoint = level * equilibrium_adjoints(regime.economy, equilibrium.balance)
    quantity = markets.mean_over_users(equilibrium.balance.demand, equilibrium.prices)
    at, adjoint, prices = (markets.sum_over_users(values) for values in (at, adjoint, prices))
    stable = np.nan if equilibrium.stable is None else float(equilibrium.stable)
    marks = {"index": equilibrium.index, "stable": stable, "from_tick": regime.from_tick}
    return {
        "price": at,
        "quantity": quantity,
        "adjoint": adjoint,
        "market_price": prices,
        "price_gap": relative_gap(prices[:, None], at[:, None]),
        "adjoint_gap": relative_gap(adjoint[:, None], at[:, None]),
        **{name: np.full(len(at), float(mark)) for name, mark in marks.items()},
    }


def equilibrium_records(references: References, markets: UserMarkets) -> list[dict[str, Any]]:
    """Every equilibrium found as plain data: prices, quantities and adjoints by good, residual, index and stability."""
    return [
        {
            "equilibrium": number,
            "residual": found.residual,
            "index": found.index,
            "stable": found.stable,
            "spectral_radius": _plain(found.spectral_radius),
            "price": dict(zip(markets.goods, markets.sum_over_users(found.prices).tolist(), strict=True)),
            "quantity": dict(
                zip(markets.goods, markets.mean_over_users(found.balance.demand, found.prices).tolist(), strict=True)
            ),
            "adjoint": {
                good: _plain(value)
                for good, value in zip(
                    markets.goods,
                    markets.sum_over_users(equilibrium_adjoints(references.economy, found.balance)).tolist(),
                    strict=True,
                )
            },
        }
        for number, found in enumerate(references.equilibria, 1)
    ]


def equilibrium_lines(name: str, references: References, markets: UserMarkets) -> list[str]:
    """Every equilibrium found as text: a heading each, then a line per good."""
    records = equilibrium_records(references, markets)
    if not records:
        given_up = f"; {GIVEN_UP}" if references.given_up else ""
        return [f"{name}: no equilibrium found (Newton from {references.starts} starts){given_up}"]
    lines = [
        f"{name}: {len(records)} equilibri{'um' if len(records) == 1 else 'a'} found from {references.starts} starts"
    ]
    if references.level_free:
        lines[0] += "; only relative prices matter"
    if references.given_up:
        lines[0] += f"; {GIVEN_UP}"
    width = max(len(good) for good in markets.goods)
    for record in records:
        radius = record["spectral_radius"]
        known = "" if radius is None else f" (spectral radius {radius:.4f})"
        lines.append(
            f"\nequilibrium {record['equilibrium']}: residual {record['residual']:.1e}, index {record['index']:+d}, "
            f"the price rule {SETTLES[record['stable']]} here{known}"
        )
        lines.append(f"  {'good'.ljust(width)}  {'price':>14}  {'quantity':>14}  {'derivative':>14}")
        for good in markets.goods:
            cells = (record[column][good] for column in ("price", "quantity", "adjoint"))
            lines.append(
                f"  {good.ljust(width)}  " + "  ".join(f"{'-' if c is None else format(c, '.9g'):>14}" for c in cells)
            )
    return lines


def last_row(tables: Mapping[str, Table], free: NDArray[np.bool_]) -> dict[str, float]:
    """The last row of ticks.csv by column, and `bid_gap`: the largest relative gap between price and bid of free
    goods.
    """
    if not tables:
        return {}
    ticks, trajectory = tables["ticks"], tables["trajectory"]
    last = dict(zip(ticks.columns, ticks.values[-1].tolist(), strict=True))
    goods = dict(zip(trajectory.columns, trajectory.values[-len(free) :].T, strict=True))
    told = free & ~as_good_as_free(goods["price"], goods["demand"], goods["supply"])
    return last | {"bid_gap": float(relative_gap(goods["price"][told], goods["bid"][told]))}


def summarise(
    *,
    verdict: Verdict,
    ticks: int,
    economy: Economy,
    markets: UserMarkets,
    rule: PriceRule,
    prices: Array,
    worth: float,
    last: Mapping[str, float],
    words: Sequence[str],
    run: Mapping[str, Any],
) -> dict[str, Any]:
    """The summary of a run, ready for JSON (empty numbers are None).

    `prices` `(goods,)` are the last, and `worth` their `sum(p s)`; `last` is what `last_row` gives, `words` what the
    sentence says beside the verdict, `run` what only the run and its scheduler know (seed, time, hash ...), by key.
    """
    known: dict[str, Any] = {
        **last,
        **run,
        "outcome": verdict.outcome,
        "sentence": sentence(verdict, ticks, words),
        "ticks": ticks,
        "evaluations": (ticks + 1) * rule.evaluations,
        "price_gap": last.get("distance_to_equilibrium"),
        "adjoint_gap": last.get("distance_to_adjoint"),
        "period": verdict.period,
        "amplitude": verdict.amplitude,
        "scale": scale(economy, markets, rule, prices, worth),
        "outside": [markets.name_of(at) for at in np.flatnonzero(economy.is_outside).tolist()],
        "versions": versions(),
    }
    return {key: _plain(known.get(key)) for key in SUMMARY}


@cache
def versions() -> dict[str, str]:
    """Versions of Python and of the libraries that a run's numbers depend on."""
    return {"python": platform.python_version(), **{library: version(library) for library in LIBRARIES}}


def scale(economy: Economy, markets: UserMarkets, rule: PriceRule, prices: Array, worth: float) -> str:
    """Which price is 1, or held, or the sum that prices are measured by."""
    moving = {markets.name_of(i) for i in np.flatnonzero(rule.free).tolist()}
    fixed = [i for i in np.flatnonzero(rule.fixed).tolist() if markets.name_of(i) not in moving]
    held = [f"{markets.name_of(i)} = {prices[i]:g}" for i in fixed]
    if held:
        return ", ".join(held)
    in_money = not economy.homogeneous or not (economy.firms or economy.consumers)
    return "money" if in_money else f"sum of price times quantity = {worth:.6g}"


OPENINGS = {
    "cleared": "Cleared after",
    "cycled": "Cycled for",
    "diverged": "Diverged after",
    "settled_off_equilibrium": "Settled off equilibrium after",
    "out_of_ticks": "Still moving after",
    "interrupted": "Interrupted after",
}
"""How the sentence of a run begins, by its outcome."""


def sentence(verdict: Verdict, ticks: int, words: Sequence[str]) -> str:
    """One sentence: what happened, and what the scheduler has to say of it."""
    opening = f"{OPENINGS[verdict.outcome]} {ticks} tick{'' if ticks == 1 else 's'}: {verdict.reason}"
    return "; ".join([opening, *words]) + "."


def _plain(value: Any) -> Any:
    """A value that JSON knows, as deep as it goes: numbers that are none or infinite become None."""
    if isinstance(value, (float, np.floating)):
        return float(value) if np.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _plain(part) for key, part in cast("dict[str, Any]", value).items()}
    return [_plain(part) for part in cast("list[Any]", value)] if isinstance(value, list) else value
