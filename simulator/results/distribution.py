"""Who has how much and who gains from trade: the spread of income, utility and gains within each cohort."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from simulator.economics.forms import Array
from simulator.results.columns import DISTRIBUTION
from simulator.results.table import Table, names

if TYPE_CHECKING:
    from simulator.dynamics.cohorts import Standing
    from simulator.dynamics.model import MarketModel

PERCENT = np.arange(101)
QUANTILES = {"p10": 10, "p50": 50, "p90": 90}


def standings(market: MarketModel) -> dict[str, Standing]:
    """How the members of each cohort that differ stand after the last tick, by the cohort's name."""
    if not market.now.finite:
        return {}
    return {cohort.consumers.name: market.standing(cohort) for cohort in market.consumer_cohorts if cohort.rows > 1}


def distribution_table(cohorts: dict[str, Standing]) -> Table:
    """One row per cohort and percent of its members, each column ordered from least to most.

    `gain_share` is the part of all gains that falls to those who gain least, a Lorenz curve.
    """
    parts = [_columns(standing) for standing in cohorts.values()]
    keys = {
        "agent": np.repeat(names(cohorts), len(PERCENT)),
        "percent": np.tile(PERCENT, len(parts)),
    }
    return Table(keys, tuple(DISTRIBUTION), np.concatenate([*parts, np.zeros((0, len(DISTRIBUTION)))]))


def _columns(standing: Standing) -> Array:
    spread = [_percentiles(values, PERCENT) for values in (standing.income, standing.utility, standing.gain)]
    if not np.isfinite(standing.gain).all():
        return np.stack([*spread, np.full(len(PERCENT), np.nan)], axis=1)
    least_first = np.concatenate([[0.0], np.cumsum(np.sort(standing.gain))])
    places = PERCENT / 100 * (len(least_first) - 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.interp(places, np.arange(len(least_first)), least_first) / least_first[-1]
    return np.stack([*spread, share], axis=1)


def distribution_summary(cohorts: dict[str, Standing]) -> dict[str, Any]:
    """Quantiles of income and utility of each cohort, the mean gain from trade, and who loses by it."""
    return {
        name: {
            "income": _quantiles(standing.income),
            "utility": _quantiles(standing.utility),
            "gain": _quantiles(standing.gain),
            "losing": float(np.mean(standing.gain < 0.0)) if np.isfinite(standing.gain).all() else None,
        }
        for name, standing in cohorts.items()
    }


def _quantiles(values: Array) -> dict[str, float | None]:
    found = [float(np.mean(values)), *_percentiles(values, np.array(list(QUANTILES.values()))).tolist()]
    names_of = ("mean", *QUANTILES)
    return {name: value if np.isfinite(value) else None for name, value in zip(names_of, found, strict=True)}


def _percentiles(values: Array, percent: NDArray[np.int_]) -> Array:
    """Percentiles; not numbers where some value is none (the income of an unlimited purse, the log of nothing)."""
    if not np.isfinite(values).all():
        return np.full(len(percent), np.nan)
    return np.percentile(values, percent)
