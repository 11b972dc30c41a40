"""Supply and demand curves of a good in a finished run: the economy is rebuilt from its scenario and asked at other
prices. They are written to `curves.csv` in the run's folder, from which they are drawn.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from simulator.arguments import refuse
from simulator.economics.economy import Economy
from simulator.figures.frames import read_table
from simulator.kinds.names import composed
from simulator.options import one_of
from simulator.records.folder import CURVES, SCENARIO
from simulator.scenario import Scenario, load

SPAN, POINTS = 3.0, 121
"""A good's price goes from a third to three times what it was."""


class Asked(NamedTuple):
    """A good, and the tick whose prices all other goods keep; None for the last."""

    good: str
    tick: int | None


def asked(text: str) -> list[Asked]:
    """What `--curves bread,wine@100` asks for."""
    found: list[Asked] = []
    for part in filter(None, (part.strip() for part in composed(text).split(","))):
        good, at, tick = part.rpartition("@")
        if at and not (tick.isascii() and tick.isdigit()):
            refuse(f"--curves: found {part!r}; expected a good, or a good and a tick: bread@100")
        found.append(Asked(good, int(tick)) if at else Asked(part, None))
    return found or refuse("--curves: found nothing; expected goods, as in bread or bread@100,wine")


def write_curves(folder: Path, wanted: Sequence[Asked]) -> None:
    """Write what would be demanded and supplied of goods at other prices of theirs, all other prices as they were."""
    scenario = load(folder / SCENARIO)
    if scenario.scheduler.kind != "tatonnement":
        refuse(f"{folder}: found a run in which nobody plans at a price; expected one of tatonnement")
    path = read_table(folder / "trajectory.csv", ["tick", "good", "price"])
    if path.empty:
        refuse(f"{folder}: found no trajectory.csv; expected one, from which prices are taken")
    tables = [_curve(folder, scenario, path, *each) for each in wanted]
    pd.concat(tables).to_csv(folder / CURVES, index=False, lineterminator="\n")


def _curve(folder: Path, scenario: Scenario, path: Any, good: str, tick: int | None) -> pd.DataFrame:
    goods = [*scenario.markets.goods]
    if good not in goods:
        refuse(f"--curves: found {good!r}, no good of {folder}; expected {one_of(good, goods)}")
    places = np.flatnonzero(scenario.markets.good == goods.index(good))
    ticks = path["tick"].unique()
    at = int(ticks[-1]) if tick is None else tick
    if at not in ticks:
        refuse(f"--curves: found tick {at}, which was not recorded; expected one from {ticks[0]} to {ticks[-1]}")
    economy = scenario.economy_at(at)
    if len(places) != 1 or len(goods) != len(economy.goods) or economy.is_outside[places[0]]:
        refuse(f"--curves: found {good}, whose price no single market makes; expected a good that is bought and sold")
    quoted = path[path["tick"] == at].set_index("good")["price"].reindex(goods).to_numpy(dtype=float)
    place, price = places[0], float(quoted[places[0]])
    if not np.isfinite(quoted).all() or price <= 0:
        refuse(
            f"--curves: found a price of {price:g} at tick {at}; expected prices of all goods, that of {good} above 0"
        )
    levels = _levels(folder, economy, at) if economy.level_firm.size else None
    economy = economy.in_force(_rates(folder, at)) if economy.adjusts else economy
    around = price * SPAN ** np.linspace(-1, 1, POINTS)
    with np.errstate(all="ignore"):
        moved = (np.where(np.arange(len(goods)) == place, other, quoted) for other in around)
        plans = [economy.balance(prices, levels=levels) for prices in moved]
    columns = {"good": good, "tick": at, "market_price": price, "price": around}
    sides = {side: [getattr(each, side)[place] for each in plans] for side in ("demand", "supply")}
    return pd.DataFrame({**columns, **sides})


def _rates(folder: Path, at: int) -> Any:
    """The rates of taxes in a tick, `(taxes,)`, as taxes.csv tells them."""
    taxes = read_table(folder / "taxes.csv")
    if taxes.empty:
        refuse(f"{folder}: found no taxes.csv; expected one, from which rates that adjust are taken")
    return np.array(taxes.loc[taxes["tick"] == at, "rate"], dtype=float)


def _levels(folder: Path, economy: Economy, at: int) -> Any:
    """The activity levels in a tick, `(levels,)`, as agents.csv tells them."""
    agents = read_table(folder / "agents.csv")
    known = dict[str, float]()
    if len(agents):
        of_tick = agents[agents["tick"] == at]
        known = dict(zip(of_tick["agent"], of_tick["level"], strict=True))
    names = economy.level_names
    if missing := [name for name in names if names.count(name) > 1 or name not in known]:
        refuse(f"{folder}: found no level of {missing[0]} at tick {at}; expected agents.csv with one for each firm")
    return np.array([known[name] for name in names])
