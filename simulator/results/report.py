"""What is said of a run at its end: the equilibrium table, the summary, and the sentence that explains both."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from functools import cache
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from simulator.economics.clearing import as_good_as_free, level_free
from simulator.economics.forms import Array
from simulator.references.adjoint import equilibrium_adjoints
from simulator.references.equilibrium import Equilibrium
from simulator.references.judges import References, Segment, relative_gap
from simulator.results.columns import EQUILIBRIUM, SUMMARY
from simulator.results.table import Table, names

if TYPE_CHECKING:
    from simulator.dynamics.model import MarketModel
    from simulator.dynamics.outcomes import Verdict
    from simulator.economics.economy import Economy
    from simulator.economics.markets import Markets

LIBRARIES = ("market-simulator", "mesa", "numpy", "pandas", "scipy")


def equilibrium_table(references: References | None, markets: Markets, prices: Array, worth: float) -> Table:
    """One row per equilibrium and good: where it is, what it means, and how far the market's last `prices` are from it.

    `price_gap` is `|market - price| / price`, `adjoint_gap` is `|adjoint - price| / price`. Where only relative
    prices matter and none is fixed, prices are scaled to `worth`, the market's last `sum(p s)`. `from_tick` is the tick
    from which the equilibrium is one: after a shock there are others.
    """
    segments = references.segments if references is not None else []
    found = [(segment, equilibrium) for segment in segments for equilibrium in segment.equilibria]
    rows = [_rows(references, *pair, prices, worth) for pair in found if references is not None]
    keys = {
        "equilibrium": np.repeat(np.arange(1, len(found) + 1), len(markets.goods)),
        "good": np.tile(names(markets.goods), len(found)),
    }
    values = np.concatenate([*rows, np.zeros((0, len(EQUILIBRIUM)))])
    return Table(keys, tuple(EQUILIBRIUM), values, whole=("index", "stable", "from_tick"))


def _rows(references: References, segment: Segment, equilibrium: Equilibrium, prices: Array, worth: float) -> Array:
    at = references.equilibrium_prices(equilibrium, np.asarray(worth), segment.economy)
    level = float(at.sum() / equilibrium.prices.sum())
    markets, adjoint = segment.economy.markets, level * equilibrium_adjoints(segment.economy, equilibrium.balance)
    quantity = markets.each(equilibrium.balance.demand, equilibrium.prices)
    at, adjoint, prices = (markets.together(values) for values in (at, adjoint, prices))
    gaps = [relative_gap(values[:, None], at[:, None]) for values in (prices, adjoint)]
    stable = np.nan if equilibrium.stable is None else float(equilibrium.stable)
    marks = [np.full(len(at), float(mark)) for mark in (equilibrium.index, stable, segment.from_tick)]
    return np.stack([at, quantity, adjoint, prices, *gaps, *marks], axis=1)


def equilibrium_records(references: References) -> list[dict[str, Any]]:
    """Every equilibrium found as plain data: prices, quantities and adjoints by good, residual, index and stability."""
    markets = references.economy.markets
    return [
        {
            "equilibrium": number,
            "residual": found.residual,
            "index": found.index,
            "stable": found.stable,
            "spectral_radius": _plain(found.spectral_radius),
            "price": dict(zip(markets.goods, markets.together(found.prices).tolist(), strict=True)),
            "quantity": dict(
                zip(markets.goods, markets.each(found.balance.demand, found.prices).tolist(), strict=True)
            ),
            "adjoint": {
                good: _plain(value)
                for good, value in zip(
                    markets.goods,
                    markets.together(equilibrium_adjoints(references.economy, found.balance)).tolist(),
                    strict=True,
                )
            },
        }
        for number, found in enumerate(references.equilibria, 1)
    ]


_SETTLES = {True: "settles", False: "does not settle", None: "may settle"}


def equilibrium_lines(name: str, references: References) -> list[str]:
    """Every equilibrium found as text: a heading each, then a line per good."""
    records = equilibrium_records(references)
    if not records:
        return [f"{name}: no equilibrium found (Newton from {references.starts} starts)"]
    lines = [
        f"{name}: {len(records)} equilibri{'um' if len(records) == 1 else 'a'} found from {references.starts} starts"
    ]
    if level_free(references.economy, references.rule.fixed):
        lines[0] += "; only relative prices matter"
    width = max(len(good) for good in references.economy.markets.goods)
    for record in records:
        radius = record["spectral_radius"]
        known = "" if radius is None else f" (spectral radius {radius:.4f})"
        lines.append(
            f"\nequilibrium {record['equilibrium']}: residual {record['residual']:.1e}, index {record['index']:+d}, "
            f"the price rule {_SETTLES[record['stable']]} here{known}"
        )
        lines.append(f"  {'good'.ljust(width)}  {'price':>14}  {'quantity':>14}  {'derivative':>14}")
        for good in references.economy.markets.goods:
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
    name: str,
    market: MarketModel,
    verdict: Verdict,
    references: References | None,
    last: dict[str, Any],
    gradient_path_gap: float,
    worst_imbalance: float,
    distribution: dict[str, Any],
    run: dict[str, Any],
) -> dict[str, Any]:
    """The summary of a run, ready for JSON (empty numbers are None).

    `last` is what `last_row` gives, `run` what only the run knows (seed, time, hash, what was learnt), by key.
    """
    known = (
        last
        | run
        | {
            "name": name,
            "outcome": verdict.outcome,
            "sentence": sentence(verdict, market, references, last, gradient_path_gap),
            "ticks": market.tick,
            "evaluations": (market.tick + 1) * market.rule.evaluations,
            "price_gap": last.get("distance_to_equilibrium"),
            "adjoint_gap": last.get("distance_to_adjoint"),
            "period": verdict.period,
            "amplitude": verdict.amplitude,
            "scale": scale(market),
            "outside": [_good(market.economy, at) for at in np.flatnonzero(market.economy.is_outside).tolist()],
            "distribution": distribution,
            "worst_imbalance": worst_imbalance,
            "versions": versions(),
        }
    )
    if references is not None:
        known |= {
            "gradient_path_gap": gradient_path_gap,
            "gradient_path": references.path.kind,
            "reference": references.reference.kind,
            "equilibria": len(references.equilibria),
            "equilibrium": _reached(references, market),
            "dominant_mode": _dominant_goods(market.economy, references.dominant_mode),
        }
    return {key: _plain(known.get(key)) for key in SUMMARY}


@cache
def versions() -> dict[str, str]:
    """Versions of Python and of the libraries that a run's numbers depend on."""
    return {"python": platform.python_version(), **{library: version(library) for library in LIBRARIES}}


def scale(market: MarketModel) -> str:
    """Which price is 1, or held, or the sum that prices are measured by."""
    economy, rule = market.economy, market.rule
    moving = {_good(economy, i) for i in np.flatnonzero(~rule.fixed).tolist()}
    fixed = [i for i in np.flatnonzero(rule.fixed).tolist() if _good(economy, i) not in moving]
    held = [f"{_good(economy, i)} = {market.prices[i]:g}" for i in fixed]
    if held:
        return ", ".join(held)
    return (
        "money"
        if not economy.homogeneous or not (economy.firms or economy.consumers)
        else f"sum of price times quantity = {float(market.prices @ np.maximum(market.demand, market.supply)):.6g}"
    )


def _good(economy: Economy, market: int) -> str:
    """The good that a market is of."""
    return economy.markets.goods[economy.markets.good[market]]


def sentence(
    verdict: Verdict, market: MarketModel, references: References | None, last: dict[str, Any], path_gap: float
) -> str:
    """One sentence: what happened, and what prices, bids and derivatives have to do with each other in this run."""
    openings = {
        "cleared": "Cleared after",
        "cycled": "Cycled for",
        "diverged": "Diverged after",
        "settled_off_equilibrium": "Settled off equilibrium after",
        "out_of_ticks": "Still moving after",
        "interrupted": "Interrupted after",
    }
    parts = [f"{openings[verdict.outcome]} {market.tick} tick{'' if market.tick == 1 else 's'}: {verdict.reason}"]
    if references is not None:
        reached = _reached(references, market)
        if verdict.outcome == "cleared" and reached is not None and len(references.equilibria) > 1:
            at, many = references.equilibria[reached - 1], len(references.equilibria)
            settles = f"the rule {_SETTLES[at.stable]} there"
            parts.append(f"number {reached} of {many} equilibria, of index {at.index:+d}; {settles}")
        gap, bid_gap = _number(last.get("distance_to_adjoint")), _number(last.get("bid_gap"))
        if gap is not None and bid_gap is not None:
            parts.append(_meaning(verdict.outcome, gap, bid_gap))
        parts.append(_path(references, path_gap))
    elif (swept := _number(last.get("distance_to_adjoint"))) is not None:
        parts.append(f"prices are the result's derivatives, to {_gap(swept)}")
    if (loss := _number(last.get("loss"))) is not None:
        decided = _number(last.get("accuracy"))
        parts.append(
            f"loss {loss:.3g}" + ("" if decided is None else f", {100 * decided:.4g}% of the patterns decided right")
        )
        if (test := _number(last.get("test_accuracy"))) is not None:
            parts[-1] += f", and {100 * test:.4g}% of those held out"
    return "; ".join(parts) + "."


def _reached(references: References, market: MarketModel) -> int | None:
    """The number of the equilibrium nearest to the market's last prices, among those of the regime in force."""
    if not references.equilibria or not market.now.finite:
        return None
    now = market.prices, market.demand, market.supply
    gaps = [float(references.gap(found, *now)) for found in references.equilibria]
    return int(np.argmin(gaps)) + 1


def _dominant_goods(economy: Economy, mode: Array | None) -> dict[str, float] | None:
    """The combination of goods most out of balance, by good; None where there is none."""
    if mode is None or not np.isfinite(mode).all() or not mode.any():
        return None
    return {_good(economy, place): float(mode[place]) for place in np.flatnonzero(mode).tolist()}


def _meaning(outcome: str, gap: float, bid_gap: float) -> str:
    largest = max(gap, bid_gap)
    if largest > 1e-4:
        return f"prices are off bids by up to {_gap(bid_gap)}, off derivatives by {_gap(gap)}"
    if outcome == "cleared":
        return f"price = bid = derivative of the objective, to {_gap(largest)}"
    return f"price = bid = derivative to {_gap(largest)}, which is no evidence: who is not rationed bids the price"


def _path(references: References, gap: float) -> str:
    if references.path.kind == "primal":
        return f"the path is up to {_gap(gap)} off a planner's gradient ascent"
    kind = references.reference.kind
    if gap <= 1e-9:
        return f"the path is gradient descent on the {kind}, to {_gap(gap)}"
    return f"the path leaves gradient descent on the {kind} by up to {_gap(gap)}"


def _number(value: Any) -> float | None:
    return None if value is None or value != value else float(value)


def _plain(value: Any) -> Any:
    """A value that JSON knows: numbers that are none become None."""
    if isinstance(value, (float, np.floating)):
        return float(value) if np.isfinite(value) else None
    return value


def _gap(gap: float) -> str:
    """A relative gap in words that fit its size."""
    if gap < 1e-12:
        return "rounding"
    if gap < 1e-4:
        return f"{gap:.1e}"
    return f"{100 * gap:.3g}%" if gap < 9.995 else f"a factor of {gap + 1:.3g}"
