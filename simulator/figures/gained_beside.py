"""The figure of what runs, or equilibria, are worth to consumers beside the first of a comparison."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from simulator.figures import canvas
from simulator.figures.frames import largest
from simulator.figures.gained import MOST, TITLE, bars
from simulator.figures.worth import Worth

GUIDE = "Money as good as the change: equivalent at the prices of the first, compensating at those of the other."


def worth_figure(worth: Sequence[Worth], first: str, scale: str) -> Figure | None:
    """Two bars for each consumer in each run or equilibrium beside the `first`, whose prices are on a `scale`; None
    where nothing is known.
    """
    known = [one for one in worth if not one.why]
    if not known:
        return None
    shown = [
        known[place] for place in largest(range(len(known)), lambda place: abs(known[place].equivalent_variation), MOST)
    ]
    some = f"Shown: {len(shown)} of {len(known)}, those with most at stake." if len(shown) < len(known) else ""
    unknown = dict.fromkeys(one.consumer for one in worth if one.why)
    lacks = f"Not known: {', '.join([*unknown][:4])}{' …' if len(unknown) > 4 else ''}." if unknown else ""
    runs = dict.fromkeys(one.run for one in shown)
    told = f"{next(iter(runs))} is" if len(runs) == 1 else "the others are"
    sentence = f"What {told} worth to consumers beside {first}. Price scale: {scale}."
    figure = canvas.page(TITLE, "", sentence, GUIDE, some, lacks)
    names = [one.consumer if len(runs) == 1 else f"{one.consumer}, {one.run}" for one in shown]
    series = {
        "equivalent variation": np.array([one.equivalent_variation for one in shown]),
        "compensating variation": np.array([one.compensating_variation for one in shown]),
    }
    # The first is on top.
    bars(
        figure,
        names[::-1],
        {words: values[::-1] for words, values in series.items()},
        f"in money ({scale})",
        beside=True,
    )
    return figure
