"""The second essay's table, measured: `python -m benchmarks.essay_table` prints it and draws docs/learning.png.

AND, OR and XOR, under sellers who fill orders all or nothing (the perceptron's rule) or in proportion to what bundles
pay (the delta rule), and XOR with one and two layers of hidden firms.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from simulator import simulate
from simulator.figures.learnt import draw_surface

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

    sheet, grid = pyplot.subplots(3, 3, figsize=(12, 11.4), layout="constrained")
    for axes, (name, title) in zip(grid.ravel(), TABLE.items(), strict=True):
        summary = summaries[name]
        draw_surface(axes, summary["surface"])
        axes.xaxis.label.set_size(10)
        axes.yaxis.label.set_size(10)
        ending = str(summary["outcome"]).replace("_", " ")
        axes.set_title(f"{title}\n{ending}, {100 * summary['accuracy']:.0f} % decided right", fontsize=9.5)
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
