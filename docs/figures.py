"""The pictures of the documentation: `python -m docs.figures` draws those that today's code draws otherwise, from runs
and from the table of `explanation/price-rules.md`; `tests/test_pictures.py` fails where a picture is stale.

Every file carries a fingerprint of what is drawn: the words, and the numbers to four digits. Fonts and the places of
letters are not in it, so that another machine finds the same.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from docs.pages import ROOT
from simulator import simulate, solve
from simulator.figures import canvas
from simulator.figures.canvas import BLUE, GREY, ORANGE, SKY, SMALL
from simulator.figures.learnt import draw_surface
from simulator.figures.table import FIGURES

DOCS = ROOT / "docs"
RULES_PAGE = DOCS / "explanation" / "price-rules.md"
MARKETS = {
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
COLOURS = {"local": BLUE, "own slope": SKY, "global": ORANGE}
HATCHES = {"local": "", "own slope": "//", "global": ".."}


def figure_of(scenario: str, figure: str) -> Figure:
    """A figure of a run of a scenario of the project."""
    drawn = FIGURES[figure](simulate(ROOT / "scenarios" / f"{scenario}.yaml"))
    assert drawn is not None, f"{scenario} has no figure {figure}"
    return drawn


def machines() -> Figure:
    """Kantorovich's parts and machines: the planner's multiplier, the derivative and the market's price of each, in
    complete sets (one of each part, which cost the sum of their prices).
    """
    scenario, last = ROOT / "scenarios" / "kantorovich.yaml", 600
    planned = solve(scenario, planner=True).summary["planner"]["multiplier"]
    run = simulate(scenario, settings={"run.ticks": last, "run.record_every": 1, "expect": "out_of_ticks"})
    adjoints = run.trajectory.pivot(index="tick", columns="good", values="adjoint")
    of_a_set = run.prices["part_a"] + run.prices["part_b"]
    guide = "In each tick one part is short and the other one left over: the derivative jumps between the two."
    sheet = canvas.page("What one more of each is worth, in complete sets", "kantorovich", "", guide)
    goods = ("part_a", "part_b", "milling", "automatic")
    space = {"left": 0.05, "right": 0.975, "top": 0.76, "bottom": 0.18, "wspace": 0.22}
    for axes, good in zip(canvas.panels(sheet, len(goods), (1, len(goods)), **space), goods, strict=True):
        curves = {
            "planner's multiplier": (0 * of_a_set + planned[good], canvas.TRAIL),
            "derivative (adjoint)": (adjoints[good] / of_a_set, canvas.stroke(canvas.GREEN, 2, canvas.DASHED)),
            "market price": (run.prices[good] / of_a_set, canvas.stroke(BLUE, 3)),
        }
        for label, (values, style) in curves.items():
            axes.plot(values.index, values, label=label, **style)
        axes.set_title(f"{good}\n{planned[good]:.4g} by the planner", loc="left", fontsize=SMALL)
        axes.set(xlim=(0, last), xticks=[0, last // 2, last])
        axes.set_xlabel("tick", fontsize=SMALL)
        canvas.tidy(axes)
    sheet.legend(*sheet.axes[0].get_legend_handles_labels(), loc="lower center", ncols=3, fontsize=SMALL, frameon=False)
    return sheet


def carbon_tax() -> Figure:
    """What a tax on carbon does: the seller's price and the user's, how much is used, what people's utility becomes."""
    run = simulate(ROOT / "scenarios" / "carbon_tax.yaml", references=False)
    price = run.prices["carbon"]
    rate = run.taxes.set_index("tick")["rate"]
    used = run.trajectory[run.trajectory["good"] == "carbon"].set_index("tick")["traded"]
    people = run.agents[run.agents["kind"] == "consumer"].groupby(["tick", "agent"])["utility"].first().unstack()
    panels = {
        "price of carbon": {"the user pays": price * (1 + rate), "the mine gets": price},
        "carbon used": {"": used},
        "utility": {"poor": people["poor"], "rich": people["rich"]},
    }
    guide = "From tick 300 on users of carbon pay half as much again; the poor get three quarters of the revenue."
    sheet = canvas.page("A tax on carbon, and who bears it", "carbon_tax", "", guide)
    space = {"left": 0.05, "right": 0.975, "top": 0.82, "bottom": 0.12, "wspace": 0.22}
    for axes, (title, curves) in zip(canvas.panels(sheet, 3, (1, 3), **space), panels.items(), strict=True):
        for (label, values), colour in zip(curves.items(), (ORANGE, BLUE), strict=False):
            axes.plot(values.index, values, label=label or None, **canvas.stroke(colour, 2))
        axes.set_title(title, loc="left", fontsize=SMALL)
        axes.set(xlim=(200, 600), xticks=[200, 300, 400, 500, 600])
        axes.set_xlabel("tick", fontsize=SMALL)
        canvas.tidy(axes)
        if len(curves) > 1:
            axes.legend(fontsize=SMALL, frameon=False)
    return sheet


def learning() -> Figure:
    """What each of nine markets would supply all over the square, with what is ordered at the corners."""
    guide = (
        "Dark: a unit is supplied, light: nothing; black line: a half. Dots: a unit is ordered (dark) or none (light)."
    )
    sheet = canvas.page("What nine markets supply of every bundle of left and right", "", "", guide)
    space = {"left": 0.05, "right": 0.99, "top": 0.82, "bottom": 0.07, "wspace": 0.18, "hspace": 0.75}
    for axes, (name, words) in zip(canvas.panels(sheet, len(MARKETS), (3, 3), **space), MARKETS.items(), strict=True):
        said = simulate(ROOT / "scenarios" / f"{name}.yaml").summary
        draw_surface(axes, said["surface"])
        outcome = str(said["outcome"]).replace("_", " ")
        words = f"{words}\n{outcome}, {100 * said['accuracy']:.0f} % decided right"
        axes.set_title(words, loc="left", fontsize=SMALL)
    return sheet


def rules() -> Figure:
    """A panel per economy with a bar per rule: the ticks that the table of price rules tells, by logarithm."""
    header, *rows = rule_table(RULES_PAGE)
    sheet = canvas.page(
        "Ticks until every market clears, by price rule and economy",
        "",
        "",
        "Logarithmic. A bar is the best of a small search; italics: how the run ended that came closest; -: not asked.",
    )
    space = {"left": 0.165, "right": 0.985, "top": 0.8, "bottom": 0.1, "wspace": 0.1}
    for column, axes in enumerate(canvas.panels(sheet, len(header) - 2, (1, len(header) - 2), **space), start=2):
        for place, (_, knows, *_rest) in enumerate(rows):
            said = rows[place][column]
            if said.isdigit():
                look = {"color": COLOURS[knows], "hatch": HATCHES[knows], "edgecolor": "white"}
                axes.barh(place, int(said), height=0.7, **look)
                axes.text(int(said) * 1.15, place, said, va="center", fontsize=SMALL - 2)
            else:
                axes.text(1.2, place, said, va="center", fontsize=SMALL - 2, style="italic", color=GREY)
        axes.set(xscale="log", xlim=(1, 2e4), ylim=(len(rows) - 0.5, -0.5), xticks=[1, 100])
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
        axes.set_yticks(range(len(rows)), [row[0] for row in rows] if column == 2 else [])
        canvas.tidy(axes)
        axes.grid(False, axis="y")
        axes.set_title(header[column].replace(", ", ",\n").replace("substitutes", "\nsubstitutes"), fontsize=SMALL)
    for knows, colour in COLOURS.items():
        sheet.axes[0].barh([0], [0], color=colour, hatch=HATCHES[knows], edgecolor="white", label=f"knows: {knows}")
    sheet.legend(loc="lower center", ncols=3, fontsize=SMALL, frameon=False)
    return sheet


def prediction_market() -> Figure:
    """Prices of contracts beside the mean belief, and what the maker would lose if each outcome came true."""
    run = simulate(ROOT / "scenarios" / "prediction_market.yaml")
    weights = {"red": 4, "green": 3, "blue": 2}
    guide = "Left: a price is a probability; dashed: the mean belief. Right: dotted, the most that it can lose."
    sheet = canvas.page(
        "What 400 traders tell a market maker, and what it pays for that", "prediction_market", "", guide
    )
    space = {"left": 0.07, "right": 0.98, "top": 0.76, "bottom": 0.2, "wspace": 0.2}
    prices, losses = canvas.panels(sheet, 2, (1, 2), **space)
    colours = {"red": ORANGE, "green": canvas.GREEN, "blue": BLUE}
    for outcome, colour in colours.items():
        price = run.prices[outcome]
        prices.plot(price.index, price, label=outcome, **canvas.stroke(colour, 2))
        prices.axhline(weights[outcome] / 9, **canvas.stroke(colour, 1, canvas.DASHED))
        losses.plot(price.index, 20 * np.log(3 * price), **canvas.stroke(colour, 2))
    losses.axhline(run.summary["maker_loss_bound"], **canvas.stroke(GREY, 1.5, ":"))
    for axes, title in ((prices, "price"), (losses, "the maker's loss if it came true")):
        axes.set_title(title, loc="left", fontsize=SMALL)
        axes.set_xlabel("tick: a trader each", fontsize=SMALL)
        canvas.tidy(axes)
    sheet.legend(*prices.get_legend_handles_labels(), loc="lower center", ncols=3, fontsize=SMALL, frameon=False)
    return sheet


def rule_table(page: Path) -> Iterator[list[str]]:
    """The rows of the table that begins with `rule`, as cells; the header first."""
    lines = page.read_text(encoding="utf-8").splitlines()
    first = next(i for i, line in enumerate(lines) if line.startswith("| rule | knows |"))
    for line in lines[first : next(i for i in range(first, len(lines)) if not lines[i].startswith("|"))]:
        if not line.startswith("|---"):
            yield [cell.strip() for cell in line.strip("|").split("|")]


PICTURES: Mapping[str, Callable[[], Figure]] = {
    "tupperware.png": lambda: figure_of("tupperware", "prices"),
    "three_prices.png": lambda: figure_of("steel_saddle", "three_prices"),
    "machines.png": machines,
    "carbon_tax.png": carbon_tax,
    "lange.png": lambda: figure_of("lange", "prices"),
    "learning.png": learning,
    "trading_posts.png": lambda: figure_of("money_taken", "prices"),
    "rules.png": rules,
    "prediction_market.png": prediction_market,
}
"""The pictures by the names of their files in `docs/`."""


def fingerprint(figure: Figure) -> str:
    """A short name of what a figure draws: its words, its lines, bars and shades."""
    words = [text.get_text() for text in figure.texts]
    for axes in figure.axes:
        words += [axes.get_title(loc=side) for side in ("left", "center", "right")]
        words += [axes.get_xscale(), axes.get_yscale(), *(text.get_text() for text in axes.texts)]
        drawn = [values for line in axes.lines for values in line.get_data()]
        drawn += [path.vertices for shade in axes.collections for path in shade.get_paths()]
        words += [" ".join(f"{value:.4g}" for value in np.ravel(values)) for values in drawn]
    return hashlib.sha256("\n".join(words).encode()).hexdigest()[:16]


def carried(file: Path) -> str:
    """The fingerprint that a picture carries; empty where it has none."""
    from PIL import Image

    if not file.is_file():
        return ""
    with Image.open(file) as picture:
        return str(picture.info.get("Description", ""))


def main() -> None:
    """Draw every picture that is stale, and name it."""
    for name, build in PICTURES.items():
        figure = build()
        if (seen := fingerprint(figure)) != carried(DOCS / name):
            figure.savefig(DOCS / name, metadata={"Software": None, "Description": seen})
            print(f"wrote docs/{name}")


if __name__ == "__main__":
    main()
