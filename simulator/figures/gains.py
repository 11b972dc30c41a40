"""Who has how much, and who gains from trade: income and gain of each percentile within each cohort."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from simulator.figures import canvas
from simulator.figures.canvas import BODY, GREY
from simulator.figures.frames import Frames, finite, fixed_prices, panel
from simulator.sentences import names

TITLE = "Who has how much, and who gains from trade"
GUIDE = "Gain: the money that the utility beyond that of one's endowment is worth. Each panel orders consumers anew."
PANELS = {"income": "income of the last tick", "gain": "gain from trade"}


def gains(run: Frames) -> Figure | None:
    """Two panels over consumers from least to most: what each has, and what each gains by trade; beside the names of
    cohorts the part of all gains that falls to the half that gains least.
    """
    told = panel(run.distribution, ("agent",), ("income", "gain", "gain_share"), by="percent")
    cohorts = range(len(told.items))
    cohorts, beyond = cohorts[: len(canvas.CYCLE)], cohorts[len(canvas.CYCLE) :]
    if not len(finite(told["gain"])):
        return None
    numberless = [told.names[i] for i in cohorts if not len(finite(told["gain"][:, i]))]
    notes = [f"Not shown: {', '.join(told.names[i] for i in beyond)}."] if beyond else []
    consumers = run.agents.query("kind == 'consumer'")["agent"] if len(run.agents) else ()
    alike = dict.fromkeys(str(name).removesuffix(":mean").removesuffix(":total") for name in consumers)
    if alike := [name for name in alike if name not in told.names]:
        notes.append(f"Not drawn, as nobody there differs: {names(alike)}.")
    if numberless:
        notes.append(f"No gain is drawn of {', '.join(numberless)}: without trade some of them have no finite utility.")
    figure = canvas.sheet(run.summary, TITLE, GUIDE, " ".join(notes))
    ones = [good for good, price in fixed_prices(run.summary).items() if price == "1"]
    known = [column for column in PANELS if len(finite(told[column]))]
    for column, left in zip(known, (0.075, 0.545), strict=False):
        axes, ends = figure.add_axes((left, 0.135, 0.25, 0.58)), list[canvas.End]()
        for i, style in zip(cohorts, canvas.CYCLE, strict=False):
            if len(finite(values := told[column][:, i])):
                words = canvas.shorten(told.names[i], 22)
                if column == "gain":
                    half = canvas.number(float(np.interp(50, told.ticks, 100.0 * told["gain_share"][:, i])), 2)
                    words += f"\nhalf that gains least:\n{half} % of all gains"
                ends.append(canvas.curve(axes, told.ticks, values, words, style))
        axes.axhline(0.0, color=GREY, linewidth=1.2)
        axes.set_xlim(0, 100)
        axes.set_xlabel("consumers, from least to most, %", fontsize=BODY)
        axes.set_ylabel(f"per tick, in {ones[0] if len(ones) == 1 else 'money'}", fontsize=BODY)
        canvas.title(axes, PANELS[column])
        canvas.tidy(axes)
        canvas.label_ends(axes, ends, 0.18 * canvas.WIDTH)
    return figure
