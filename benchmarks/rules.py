"""How fast price rules find equilibrium: `python -m benchmarks.rules` prints the table of docs/rules.md and draws
docs/rules.png.

Every rule is multiplicative and trade waits for equilibrium. A rule's rate, and one parameter where it has one, come
from a small search for each economy: a coarse grid, then rates around the best, as many runs for every rule.
"""

from __future__ import annotations

import itertools
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from simulator.run import Simulation
from simulator.scenario import load

ROOT = Path(__file__).parents[1]
FIGURE = ROOT / "docs" / "rules.png"
TICKS = 2000
COARSE, FINE = 12, 8
LOWEST, HIGHEST = 0.003, 3.0
SCENARIOS = {
    "well conditioned": ("fisher", 1e-6),
    "near-perfect substitutes": ("near_substitutes", 1e-6),
    "Scarf": ("scarf", 1e-6),
    "linear Fisher, to 1e-3": ("perfect_substitutes", 1e-3),
    "ten-tier chain": ("ten_tiers", 1e-6),
}
"""Economies of the comparison: where they are written, and the excess demand that counts as cleared."""
CARRIED, TAKEN_BACK = (0.3, 0.6, 0.85), (-0.2, -0.4, -0.7)
RULES: dict[str, tuple[str, tuple[Any, ...]]] = {
    "plain": ("local", ([],)),
    "momentum": ("local", tuple([{"momentum": part}] for part in CARRIED)),
    "nesterov": ("local", tuple([{"nesterov": part}] for part in CARRIED)),
    "rmsprop": ("local", tuple([{"rmsprop": {"epsilon": least}}] for least in (1e-8, 0.01, 0.3))),
    "adam": ("local", tuple([{"adam": {"beta1": part}}] for part in CARRIED)),
    "pd": ("local", tuple([{"pd": weight}] for weight in (0.5, 1.0, 2.0))),
    "extragradient": ("local", (["extragradient"],)),
    "averaging": ("local", (["averaging"],)),
    "decay": ("local", tuple([{"decay": {"power": 1.0, "over": over}}] for over in (10.0, 50.0, 250.0))),
    "negative momentum": ("local", tuple([{"momentum": part}] for part in TAKEN_BACK)),
    "the same, in turns": ("local", tuple([{"momentum": part}, "sequential"] for part in TAKEN_BACK)),
    "own_slope": ("own slope", (["own_slope"],)),
    "anderson": ("global", tuple([{"anderson": {"depth": depth}}] for depth in (2, 4, 8))),
}
"""What a market must know for each rule, and the pieces it is made of, for one parameter after another."""


class Trial(NamedTuple):
    """One run: ticks if it cleared, else how it ended and what was left."""

    cleared: bool
    ticks: int
    residual: float
    outcome: str
    rate: float
    pieces: Any

    @property
    def rank(self) -> tuple[bool, float]:
        """Sorts the best first."""
        return not self.cleared, self.ticks if self.cleared else self.residual


def trial(economy: str, rate: float, pieces: Any) -> Trial:
    """Run an economy by a rule."""
    scenario, tolerance = SCENARIOS[economy]
    settings = {
        "scheduler.form": "multiplicative",
        "scheduler.rate": rate,
        "scheduler.with": pieces,
        "trade": "at_equilibrium",
        "run.ticks": TICKS,
        "run.tolerance": tolerance,
        "run.record_every": TICKS,
        "run.references": "off",
    }
    simulation = Simulation(load(ROOT / "scenarios" / f"{scenario}.yaml", settings=settings))
    for _ in simulation.ticks():
        pass
    outcome, now = simulation.verdict.outcome, simulation.market.now
    return Trial(outcome == "cleared", now.tick, now.residual, outcome, rate, pieces)


def best(cell: tuple[str, str]) -> Trial:
    """The best trial of a rule in an economy, by their names."""
    rule, economy = cell
    choices = RULES[rule][1]
    rates = np.geomspace(LOWEST, HIGHEST, COARSE // len(choices))
    tried = [trial(economy, float(rate), pieces) for rate, pieces in itertools.product(rates, choices)]
    first = min(tried, key=lambda one: one.rank)
    spacing = rates[1] / rates[0]
    closer = first.rate * spacing ** np.linspace(-0.9, 0.9, FINE)
    return min([first, *(trial(economy, float(rate), first.pieces) for rate in closer)], key=lambda one: one.rank)


def table(found: dict[tuple[str, str], Trial]) -> str:
    """The table as Markdown: ticks, or in words how the run with the smallest residual ended."""
    lines = [f"| rule | knows | {' | '.join(SCENARIOS)} |", "|---|---|" + "---:|" * len(SCENARIOS)]
    for rule, (information, _) in RULES.items():
        lines.append(f"| {rule} | {information} | {' | '.join(said(found[rule, economy]) for economy in SCENARIOS)} |")
    return "\n".join(lines)


def said(one: Trial) -> str:
    """A cell in words."""
    return str(one.ticks) if one.cleared else one.outcome.replace("_", " ")


def draw(found: dict[tuple[str, str], Trial]) -> None:
    """A panel per economy with a bar per rule, ticks on a logarithmic scale."""
    from matplotlib.figure import Figure

    from simulator.results.canvas import BLUE, GREY, METADATA, ORANGE, VERMILION

    colours = {"local": BLUE, "own slope": ORANGE, "global": VERMILION}
    figure = Figure(figsize=(16, 7.6), dpi=100, layout="constrained")
    panels: Any = figure.subplots(1, len(SCENARIOS), sharey=True)
    for panel, economy in zip(panels, SCENARIOS, strict=True):
        for row, (rule, (information, _)) in enumerate(RULES.items()):
            one = found[rule, economy]
            if one.cleared:
                panel.barh(row, one.ticks, left=1, height=0.68, color=colours[information])
                panel.text(one.ticks * 1.15 + 1, row, str(one.ticks), va="center", fontsize=13)
            else:
                panel.text(1.2, row, said(one), va="center", fontsize=13, style="italic", color=GREY)
        panel.set(xscale="log", xlim=(1, 5 * TICKS), title=economy)
        panel.title.set_fontsize(14)
        panel.set_xticks([1, 10, 100, 1000], labels=["1", "10", "100", "1000"], fontsize=12)
        panel.set_yticks(range(len(RULES)), labels=list(RULES), fontsize=14)
        panel.grid(axis="x", color="#dddddd")
        panel.set_axisbelow(True)
        panel.spines[["top", "right"]].set_visible(False)
        panel.tick_params(axis="y", length=0)
    panels[0].invert_yaxis()
    figure.suptitle("Ticks until every market clears\n", fontsize=20, fontweight="bold")
    figure.supxlabel("ticks, the best of a small search for every bar; in italics: did not clear", fontsize=14)
    for name, colour in colours.items():
        panels[0].barh([0], [0], color=colour, label=f"knows: {name}" if name != "local" else "knows: its own market")
    figure.legend(loc="upper center", bbox_to_anchor=(0.5, 0.95), ncols=3, fontsize=14, frameon=False)
    figure.savefig(FIGURE, metadata=METADATA["png"])


def main() -> None:
    """Search, print the table and draw the figure."""
    cells = list(itertools.product(RULES, SCENARIOS))
    with ProcessPoolExecutor() as pool:
        found = dict(zip(cells, pool.map(best, cells), strict=True))
    print(table(found))
    print()
    for (rule, economy), one in found.items():
        print(f"{rule}, {economy}: {said(one)} at rate {one.rate:.4g} with {one.pieces}")
    draw(found)


if __name__ == "__main__":
    main()
