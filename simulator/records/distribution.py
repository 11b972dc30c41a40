"""Who has how much and who gains from trade: the spread of income, utility and gains within each cohort."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from simulator.economics.forms import Array
from simulator.records.columns import DISTRIBUTION, Known
from simulator.records.table import Table, names, together

if TYPE_CHECKING:
    from simulator.dynamics.consumers import CohortTick, MemberStatistics
    from simulator.economics.economy import Economy

PERCENT = np.arange(101)
QUANTILES = {"p10": 10, "p50": 50, "p90": 90}


def statistics_of(cohorts: Sequence[CohortTick]) -> dict[str, MemberStatistics]:
    """How the members of each cohort that differ stand after a tick, by the cohort's name."""
    with np.errstate(all="ignore"):
        return {cohort.consumers.name: cohort.statistics() for cohort in cohorts if len(cohort.account) > 1}


def distribution_table(cohorts: Mapping[str, MemberStatistics]) -> Table:
    """One row per cohort and percent of its members, each column ordered from least to most.

    `gain_share` is the part of all gains that falls to those who gain least, a Lorenz curve.
    """
    known = together([_known(statistics) for statistics in cohorts.values()])
    return Table.of({"agent": names(cohorts)}, {"percent": PERCENT}, DISTRIBUTION, known)


def _known(statistics: MemberStatistics) -> Known:
    """The columns of a cohort, by name."""
    gain = statistics.gain
    share = np.full(len(PERCENT), np.nan)
    if np.isfinite(gain).all():
        least_first = np.concatenate([[0.0], np.cumsum(np.sort(gain))])
        places = PERCENT / 100 * (len(least_first) - 1)
        with np.errstate(divide="ignore", invalid="ignore"):
            share = np.interp(places, np.arange(len(least_first)), least_first) / least_first[-1]
    spread = {name: _percentiles(values, PERCENT) for name, values in statistics._asdict().items()}
    return {**spread, "gain_share": share}


def without_gains(cohorts: Mapping[str, MemberStatistics], economy: Economy) -> list[str]:
    """The cohorts of owners whose gains from trade have no number, as the utility of the endowment alone has none."""
    owners = {cohort.name for cohort in economy.consumers if cohort.endowment.any()}
    return [name for name, found in cohorts.items() if name in owners and not np.isfinite(found.gain).all()]


def distribution_summary(cohorts: Mapping[str, MemberStatistics]) -> dict[str, Any]:
    """Mean and quantiles of income, utility and gains from trade of each cohort, and the part who lose by it."""
    found: dict[str, Any] = {}
    for name, statistics in cohorts.items():
        found[name] = {of: _quantiles(values) for of, values in statistics._asdict().items()}
        losing = np.mean(statistics.gain < 0.0) if np.isfinite(statistics.gain).all() else np.nan
        found[name]["losing"] = float(losing)
    return found


def _quantiles(values: Array) -> dict[str, float]:
    found = _percentiles(values, np.array(list(QUANTILES.values()))).tolist()
    return {"mean": float(np.mean(values)), **dict(zip(QUANTILES, found, strict=True))}


def _percentiles(values: Array, percent: NDArray[np.int_]) -> Array:
    """Percentiles; not numbers where some value is none (the income of an unlimited purse, the log of nothing)."""
    if not np.isfinite(values).all():
        return np.full(len(percent), np.nan)
    return np.percentile(values, percent)
