"""The second essay's table, measured: `python -m benchmarks.essay_table` prints it and draws docs/learning.png.

AND, OR and XOR, under sellers who fill orders all or nothing (the perceptron's rule) or in proportion to what bundles
pay (the delta rule), and XOR with one and two layers of hidden firms.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np

from simulator import simulate

ROOT = Path(__file__).parents[1]
TABLE = {
    "and_perceptron": "AND, all or nothing",
    "or_perceptron": "OR, all or nothing",
    "xor_perceptron": "XOR, all or nothing",
    "and_delta": "AND, in proportion",
    "or_delta": "OR, in proportion",
    "xor_delta": "XOR, in proportion",
    "xor_perceptron_one": "XOR, one order at a time",
    "xor": "XOR, four hidden firms",
    "xor_two_layers": "XOR, two layers of firms",
}


def figure(summaries: dict[str, dict[str, Any]]) -> None:
    """What each market would supply all over the square, with what is ordered at the corners."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    sheet, grid = pyplot.subplots(3, 3, figsize=(11, 10.6), layout="constrained")
    for axes, (name, title) in zip(grid.ravel(), TABLE.items(), strict=True):
        summary = summaries[name]
        surface = summary["surface"]
        supplied = np.clip(np.array(surface["supplied"]), -0.5, 1.5)
        axes.contourf(*surface["sides"], supplied, levels=np.linspace(-0.5, 1.5, 21), cmap="PuOr")
        if supplied.min() < 0.5 < supplied.max():
            axes.contour(*surface["sides"], supplied, levels=[0.5], colors="black", linewidths=1.5)
        corners = np.array(surface["patterns"])
        style = {"cmap": "PuOr", "vmin": -0.5, "vmax": 1.5, "s": 130, "edgecolors": "black", "linewidths": 1.4}
        axes.scatter(corners[:, 0], corners[:, 1], c=surface["orders"], zorder=3, **style)
        ending = str(summary["outcome"]).replace("_", " ")
        axes.set_title(f"{title}\n{ending}, {100 * summary['accuracy']:.0f} % decided right", fontsize=10)
        axes.set_xlabel(surface["inputs"][0])
        axes.set_ylabel(surface["inputs"][1])
    sheet.suptitle(
        "What a market supplies of every bundle (violet: a unit, orange: nothing; line: a half; dots: ordered)"
    )
    sheet.savefig(ROOT / "docs" / "learning.png", dpi=80, metadata={"Software": None})


def main() -> None:
    """Run, print and draw."""
    summaries = {name: simulate(ROOT / "scenarios" / f"{name}.yaml").summary for name in TABLE}
    print("| market | separable | how it ends | ticks | mean squared error | decided right |")
    print("|---|---|---|---|---|---|")
    for name, title in TABLE.items():
        summary = summaries[name]
        period = f", period {summary['period']:g}" if summary["period"] else ""
        cells = [
            title,
            "yes" if summary["separable"] else "no",
            str(summary["outcome"]).replace("_", " ") + period,
            f"{summary['ticks']:,}",
            f"{summary['loss']:.3g}",
            f"{100 * summary['accuracy']:.0f} %",
        ]
        print(f"| {' | '.join(cells)} |")
    figure(summaries)


if __name__ == "__main__":
    sys.exit(main())
