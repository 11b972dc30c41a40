"""The figures of a run: the right ones, lines equal to the data, nothing covered, the same bytes twice."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.image import imread
from matplotlib.patches import FancyArrowPatch
from matplotlib.text import Text

from simulator import load, simulate
from tests.house import (
    BLUE,
    FIGURES,
    MOST_POINTS,
    TRAIL,
    Frames,
    backward_edges,
    convergence,
    draw,
    flows_of,
    layout,
    longest_paths,
    network,
    number,
    panel,
    points,
    prices,
    read_run,
    rows_worth_drawing,
    shorten,
    simplex,
    spread,
    thin,
    three_prices,
    wedges,
)

PALE = str(TRAIL["color"])
Flows = Sequence[tuple[str, str, str, float, float]]
AGENT_COLUMNS = ["tick", "agent", "kind", "good", "quantity", "input", "output", "profit", "utility", "money"]
EQUILIBRIUM_COLUMNS = ["equilibrium", "good", "price", "quantity", "adjoint"]
EQUILIBRIUM_COLUMNS += ["market_price", "price_gap", "adjoint_gap", "index", "stable"]


def frames(
    prices: np.ndarray,
    goods: list[str],
    *,
    target: np.ndarray | None = None,
    gradient: np.ndarray | None = None,
    adjoint: np.ndarray | None = None,
    flows: Flows = (),
    wedges: Sequence[tuple[str, str, np.ndarray]] = (),
    **summary: object,
) -> Frames:
    """A run's frames with the columns of its CSVs, made from price paths (ticks, goods)."""
    n, k = prices.shape
    target = prices[-1] if target is None else target
    gradient = prices if gradient is None else gradient
    adjoint = prices * np.exp(0.3 * np.exp(-np.arange(n) / 15))[:, None] if adjoint is None else adjoint
    ticks = np.arange(n)
    excess = (target - prices) / np.maximum(np.abs(target), np.abs(prices))
    trajectory = pd.DataFrame(
        {
            "tick": np.repeat(ticks, k),
            "good": goods * n,
            "price": prices.ravel(),
            "demand": (1 + excess).ravel(),
            "supply": 1.0,
            "excess_demand": excess.ravel(),
            "traded": np.minimum(1, 1 + excess).ravel(),
            "inventory": 0.0,
            "bid": adjoint.ravel(),
            "gradient_price": gradient.ravel(),
            "adjoint": adjoint.ravel(),
        }
    )

    def gap(other: np.ndarray) -> np.ndarray:
        return np.max(np.abs(prices / other - 1), axis=1)

    per_tick = pd.DataFrame(
        {
            "tick": ticks,
            "max_relative_excess_demand": np.abs(excess).max(axis=1),
            "walras_residual": 1e-16,
            "potential": 1.0,
            "merit": 1.0,
            "cosine_to_gradient": 1.0,
            "distance_to_gradient_path": gap(gradient),
            "distance_to_equilibrium": gap(target),
            "distance_to_adjoint": gap(adjoint),
            "rotation_index": np.nan,
        }
    )
    agents = [(t, a, kind, g, i + o, i, o, 0.1, np.nan, 0.0) for t in ticks[-3:] for a, kind, g, i, o in flows]
    table = [(t, f, g, (1 + w[t]) * 2.0, 2.0, w[t] * 2.0) for t in ticks for f, g, w in wedges]
    equilibrium = [(1, g, p, 1.0, p, p, 0.0, 0.0, 1, 1) for g, p in zip(goods, target, strict=True)]
    return Frames(
        trajectory,
        per_tick,
        pd.DataFrame(agents, columns=AGENT_COLUMNS),
        pd.DataFrame(table, columns=["tick", "firm", "input", "marginal_revenue_product", "price", "wedge"]),
        pd.DataFrame(equilibrium, columns=EQUILIBRIUM_COLUMNS),
        pd.DataFrame(),
        {"name": "run", "outcome": "cleared", "sentence": "Markets cleared.", "tolerance": 1e-9, **summary},
    )


def chain(names: tuple[str, ...] = ("natgas", "ethylene", "polyethylene", "tupperware"), ticks: int = 400) -> Frames:
    """A supply chain of firms in a row that settles early; the last good has a fixed price."""
    k = len(names)
    target = np.geomspace(0.02, 1, k)
    start = np.append(target[:-1] / np.linspace(8, 2, k - 1), 1.0)
    away = np.exp(-np.arange(ticks)[:, None] / np.linspace(12, 6, k))
    prices = target * (start / target) ** away
    firms = [f"maker of {good}" if len(good) > 20 else chr(ord("A") + i) for i, good in enumerate(names[1:])]
    flows = [
        row
        for i, f in enumerate(firms)
        for row in [(f, "firm", names[i], 4.0, 0.0), (f, "firm", names[i + 1], 0.0, 2.5)]
    ]
    decay = np.exp(-np.arange(ticks) / 20)
    wedges = [(f, names[i], (3 - i) * decay * np.cos(np.arange(ticks) / 9 + i)) for i, f in enumerate(firms)]
    sentence = "Cleared after 261 ticks: the largest relative excess demand is 9.1e-10, prices equal the derivatives."
    settings = {"scale": f"{names[-1]} = 1", "outside": [names[-1]]}
    return frames(
        prices, list(names), target=target, flows=flows, wedges=wedges, name="tupperware", sentence=sentence, **settings
    )


def orbit(ticks: int = 5000, size: float = 0.2, period: float = 400.0) -> Frames:
    """Three goods whose prices circle their equilibrium, while the gradient path walks into it; consumers only."""
    angle = 2 * np.pi * np.arange(ticks)[:, None] / period + 2 * np.pi * np.arange(3) / 3
    prices = 1 + size * np.cos(angle)
    gradient = 1 + size * np.cos(angle * 0.2) * np.exp(-np.arange(ticks) / 150)[:, None]
    goods = ["x", "y", "z"]
    flows = [("first", "consumer", "x", 0.0, 0.6), ("first", "consumer", "y", 0.6, 0.0)]
    flows += [("second", "consumer", "y", 0.0, 0.5), ("second", "consumer", "z", 0.4, 0.0)]
    flows += [("third", "consumer", "z", 0.0, 0.7), ("third", "consumer", "x", 0.5, 0.0)]
    sentence = f"Cycled: prices return every {period:g} ticks to within 0.1 % of the orbit, which keeps its size."
    run = frames(prices, goods, target=np.ones(3), gradient=gradient, adjoint=np.full_like(prices, np.nan), flows=flows)
    return replace(
        run,
        summary={
            "name": "scarf",
            "outcome": "cycled",
            "sentence": sentence,
            "period": period,
            "scale": "sum of price times quantity = 3.14597",
        },
    )


def diverging() -> Frames:
    """A price that runs to 1e15 while another runs to its floor."""
    t = np.arange(300)[:, None]
    prices = np.hstack([np.exp(t * 0.1155), np.maximum(np.exp(-t * 0.12), 1e-12), 1 + 0 * t])
    sentence = "Diverged: the price of gold left every bound (1e15) at tick 299."
    goods = ["gold", "lead", "tin"]
    return frames(prices, goods, target=np.ones(3), name="runaway", outcome="diverged", sentence=sentence)


def without_references() -> Frames:
    """A run with `references: off`: those columns are empty, no equilibrium is known."""
    run = chain()
    trajectory = run.trajectory.assign(gradient_price=np.nan, adjoint=np.nan)
    empty = {c: np.nan for c in run.ticks.columns if c.startswith("distance")}
    return replace(run, trajectory=trajectory, ticks=run.ticks.assign(**empty), equilibrium=run.equilibrium.iloc[:0])


def many_goods(goods: int = 12, ticks: int = 200) -> Frames:
    """A roundabout economy of many goods: every firm uses the goods of two others."""
    random = np.random.default_rng(0)
    target, start = np.exp(random.normal(0, 1, goods)), np.exp(random.normal(0, 1, goods))
    prices = target * (start / target) ** np.exp(-np.arange(ticks)[:, None] / 30)
    names = [f"good {i}" for i in range(goods)]
    flows: list[tuple[str, str, str, float, float]] = []
    wedges: list[tuple[str, str, np.ndarray]] = []
    for i in range(goods):
        for j in {(i + 1) % goods, (i * 7 + 3) % goods}:
            flows.append((f"firm {i}", "firm", names[j], float(random.uniform(0.1, 3)), 0.0))
            wedges.append((f"firm {i}", names[j], random.normal() * np.exp(-np.arange(ticks) / 40)))
        flows.append((f"firm {i}", "firm", names[i], 0.0, float(random.uniform(1, 5))))
    return frames(
        prices, names, target=target, flows=flows, wedges=wedges, name=f"web_{goods}", scale="sum of prices = 12"
    )


def web(flows: Flows, **summary: object) -> Frames:
    """Settling prices with the given flows of (agent, kind, good, input, output)."""
    goods = list(dict.fromkeys(flow[2] for flow in flows))
    target = np.geomspace(0.2, 1, len(goods))
    prices = target * 2 ** np.exp(-np.arange(100)[:, None] / 8) / 2 ** (1e-9)
    return frames(prices, goods, target=target, flows=flows, **summary)


def shared_intermediate() -> Frames:
    """Two goods that each feed two firms."""
    recipe = {
        "smelter": ({"ore": 5.2}, "steel"),
        "studio": ({"ore": 3.8}, "blueprint"),
        "carmaker": ({"steel": 1.1, "blueprint": 2.9}, "cars"),
        "builder": ({"steel": 1.2, "blueprint": 2.9}, "bridges"),
        "wellbeing": ({"cars": 1.4, "bridges": 1.5}, "welfare"),
    }
    flows = [
        row
        for f, (uses, makes) in recipe.items()
        for row in [*((f, "firm", g, q, 0.0) for g, q in uses.items()), (f, "firm", makes, 0.0, 2.0)]
    ]
    return web(flows, name="shared_intermediate", scale="welfare = 1", outside=["welfare"])


def town() -> Frames:
    """Households that sell labour and buy bread; a cohort, so a mean and a total of each."""
    flows: list[tuple[str, str, str, float, float]] = []
    for part, size in (("mean", 0.01), ("total", 1.0)):
        flows += [
            (f"farms:{part}", "firm", "labour", 300 * size, 0.0),
            (f"farms:{part}", "firm", "grain", 0.0, 88 * size),
        ]
        flows += [
            (f"bakeries:{part}", "firm", "grain", 60 * size, 0.0),
            (f"bakeries:{part}", "firm", "labour", 150 * size, 0.0),
        ]
        flows += [
            (f"bakeries:{part}", "firm", "bread", 0.0, 70 * size),
            (f"households:{part}", "consumer", "labour", 0.0, 450 * size),
        ]
        flows += [
            (f"households:{part}", "consumer", "grain", 28 * size, 0.0),
            (f"households:{part}", "consumer", "bread", 70 * size, 0.0),
        ]
    return web(flows, name="town", scale="labour = 1")


def roundabout() -> Frames:
    """Steel needs machines and machines need steel: a loop."""
    flows = [
        ("mill", "firm", "machines", 1.0, 0.0),
        ("mill", "firm", "ore", 4.0, 0.0),
        ("mill", "firm", "steel", 0.0, 3.0),
    ]
    flows += [("works", "firm", "steel", 3.0, 0.0), ("works", "firm", "machines", 0.0, 2.0)]
    flows += [("workers", "consumer", "machines", 1.0, 0.0)]
    return web(flows, name="roundabout")


def negative_output() -> Frames:
    """A chain whose last firm makes less than nothing of a good with an outside price: it buys it there."""
    flows = [("A", "firm", "gas", 4.0, 0.0), ("A", "firm", "ethylene", 0.0, 2.0)]
    flows += [("B", "firm", "ethylene", 2.0, 0.0), ("B", "firm", "boxes", 0.0, -0.405)]
    return web(flows, name="negative_output", outside=["boxes"], scale="boxes = 1")


LONG = tuple(
    f"{word} of a quite remarkable length {i}" for i, word in enumerate(("petroleum", "ethylene", "polymer", "boxes"))
)
CASES: dict[str, Callable[[], Frames]] = {
    "chain": chain,
    "long_names": lambda: chain(LONG),
    "long_chain": lambda: chain(tuple(f"good{i}" for i in range(11))),
    "orbit": orbit,
    "small_orbit": lambda: orbit(size=0.004, ticks=60000),
    "diverging": diverging,
    "without_references": without_references,
    "twelve": many_goods,
    "shared_intermediate": shared_intermediate,
    "town": town,
    "roundabout": roundabout,
    "negative_output": negative_output,
}


def empty() -> Frames:
    """Frames without a row or a column, as a run leaves them that was stopped before its first tick."""
    nothing = pd.DataFrame()
    return Frames(nothing, nothing, nothing, nothing, nothing, nothing, {})


def cut(run: Frames, rows: int) -> Frames:
    """Only the first recorded ticks of a run."""
    keep = {name: getattr(run, name) for name in ("trajectory", "ticks", "agents", "wedges")}
    last = run.ticks["tick"].iloc[rows - 1]
    return replace(run, **{name: frame[frame["tick"] <= last] for name, frame in keep.items()})


DEGENERATE: dict[str, Callable[[], Frames]] = {
    "empty": empty,
    "no_rows": lambda: replace(
        chain(), **{n: getattr(chain(), n).iloc[:0] for n in ("trajectory", "ticks", "agents", "wedges")}
    ),
    "no_columns": lambda: replace(
        chain(),
        trajectory=chain().trajectory[["tick", "good", "price"]],
        ticks=chain().ticks[["tick"]],
        agents=pd.DataFrame(),
        wedges=pd.DataFrame(),
        equilibrium=pd.DataFrame(),
    ),
    "one_tick": lambda: cut(chain(), 1),
    "one_tick_of_three_goods": lambda: cut(orbit(), 1),
    "not_a_number": lambda: replace(chain(), trajectory=chain().trajectory.assign(price=np.nan, gradient_price=np.nan)),
    "infinite": lambda: replace(chain(), trajectory=chain().trajectory.assign(price=np.inf)),
    "negative": lambda: replace(chain(), trajectory=chain().trajectory.assign(price=lambda t: t["price"] - 0.2)),
    "zero": lambda: replace(chain(), trajectory=chain().trajectory.assign(price=0.0)),
    "still": lambda: replace(chain(), trajectory=chain().trajectory.assign(price=1.0, gradient_price=1.0)),
    "huge": lambda: replace(diverging(), trajectory=diverging().trajectory.assign(price=lambda t: t["price"] * 1e290)),
    "thirty_goods": lambda: many_goods(30),
    "four_hundred_goods": lambda: many_goods(400, ticks=30),
    "dollars": lambda: chain(("a$b", "c$d$", "e_f", "g^h")),
    "idle": lambda: replace(chain(), agents=chain().agents.assign(input=0.0, output=0.0, quantity=0.0)),
}


def texts_of(figure: Figure) -> str:
    return "\n".join(text.get_text() for text in figure.findobj(Text)).replace("\N{NO-BREAK SPACE}", " ")


def panels(figure: Figure) -> list[Axes]:
    return [axes for axes in figure.axes if axes.lines]


def drawn(axes: Axes, colour: str) -> tuple[np.ndarray, np.ndarray]:
    (line,) = [line for line in axes.lines if to_hex(line.get_color()).upper() == colour and len(line.get_xdata()) > 2]
    return np.asarray(line.get_xdata()), np.asarray(line.get_ydata())


@pytest.mark.parametrize(
    ("case", "expected"),
    [
        ("chain", {"prices", "quantities", "three_prices", "convergence", "wedges", "network"}),
        ("without_references", {"prices", "quantities", "convergence", "wedges", "network"}),
        ("orbit", {"prices", "quantities", "convergence", "network", "simplex"}),
        ("diverging", {"prices", "quantities", "three_prices", "convergence", "simplex"}),
    ],
)
def test_the_figures_that_apply_are_drawn(case: str, expected: set[str], tmp_path: Path) -> None:
    files = draw(CASES[case](), tmp_path)
    assert {file.stem for file in files} == expected
    assert set(tmp_path.iterdir()) == set(files)
    for file in files:
        picture = imread(file)
        assert picture.shape[:2] == (900, 1600)
        assert picture[..., :3].std() > 0.03


def test_three_prices_are_drawn_over_the_price_at_equilibrium() -> None:
    run = chain()
    figure = three_prices(run)
    assert figure is not None
    assert [axes.get_title(loc="left") for axes in figure.axes] == [
        "market price",
        "bid (one step)",
        "adjoint (full sweep)",
        "gradient descent",
    ]
    paths = run.trajectory.pivot(index="tick", columns="good", values="price")
    there = run.equilibrium.set_index("good")["price"]
    for curve, good in zip(figure.axes[0].lines[1:], ("natgas", "ethylene", "polyethylene"), strict=True):
        ticks, ratios = np.asarray(curve.get_xdata()), np.asarray(curve.get_ydata())
        np.testing.assert_allclose(ratios, paths[good][ticks] / there[good], rtol=1e-12)
    assert three_prices(without_references()) is None


def test_before_a_shock_prices_are_over_the_equilibrium_that_the_market_was_at() -> None:
    """At the dearest of three equilibria until a shock, at the only one left after it."""
    run = simulate(load(Path(__file__).parents[1] / "scenarios" / "fold.yaml", settings={"run.ticks": 400}))
    there = run.equilibrium[run.equilibrium["good"] == "first"]["price"].tolist()
    assert len(there) == 4
    figure = three_prices(run)
    assert figure is not None
    curve = figure.axes[0].lines[1]
    ratios = dict(zip(curve.get_xdata(), curve.get_ydata(), strict=True))
    paths = run.trajectory[run.trajectory["good"] == "first"].set_index("tick")["price"]
    for tick, price in ((0, there[2]), (199, there[2]), (200, there[3])):
        assert ratios[tick] == pytest.approx(paths[tick] / price, rel=1e-12)
    assert ratios[199] == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize("case", CASES)
def test_every_figure_carries_the_verdict(case: str) -> None:
    run = CASES[case]()
    for build in FIGURES.values():
        figure = build(run)
        if figure is not None:
            words = texts_of(figure)
            assert f"{run.summary['name']}: {run.summary['outcome']}" in words
            assert str(run.summary["sentence"])[:60] in words


@pytest.mark.parametrize("case", DEGENERATE)
def test_odd_frames_are_drawn_or_left_out_but_never_crash(case: str, tmp_path: Path) -> None:
    files = draw(DEGENERATE[case](), tmp_path)
    assert all(file.stat().st_size > 5000 for file in files)
    assert (files == []) == (case in ("empty", "no_rows"))


def test_price_panels_show_the_very_prices_and_references() -> None:
    run = cut(chain(), 60)
    figure = prices(run)
    assert figure is not None
    assert len(panels(figure)) == 3, "tupperware's price is fixed: it is named, not drawn"
    assert "Fixed price: tupperware = 1" in texts_of(figure)
    for axes, good in zip(panels(figure), ("natgas", "ethylene", "polyethylene"), strict=True):
        table = run.trajectory[run.trajectory["good"] == good]
        assert axes.get_title(loc="left") == good
        for colour, column in ((BLUE, "price"), (PALE, "gradient_price")):
            x, y = drawn(axes, colour)
            np.testing.assert_array_equal(x, table["tick"])
            np.testing.assert_array_equal(y, table[column])
        level = run.equilibrium.set_index("good").loc[good, "price"]
        assert any(set(line.get_ydata()) == {level} for line in axes.lines)


def test_prices_spanning_more_than_a_decade_are_drawn_by_logarithm() -> None:
    figure = prices(diverging())
    assert figure is not None
    assert [axes.get_yscale() for axes in panels(figure)] == ["log", "log", "linear"]
    assert panels(figure)[0].get_ylim()[1] > 9e14


def test_many_goods_show_those_that_moved_most() -> None:
    run = many_goods(30)
    price = panel(run.trajectory, ("good",), ("price",))
    moved = np.abs(np.log(price["price"][-1] / price["price"][0]))
    most = {price.items[i][0] for i in np.argsort(-moved)[:9]}
    figure = prices(run)
    assert figure is not None
    assert {axes.get_title(loc="left") for axes in panels(figure)} == most
    assert "9 of 30 goods" in texts_of(figure)


def test_references_that_were_off_are_neither_drawn_nor_in_the_legend() -> None:
    run = without_references()
    figure = prices(run)
    assert figure is not None
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["market price"]
    figure = convergence(run)
    assert figure is not None
    assert "Not recorded" in texts_of(figure)
    figure = convergence(chain())
    assert figure is not None
    assert "Not recorded" not in texts_of(figure)


def test_what_is_zero_but_for_rounding_is_drawn_as_zero() -> None:
    noise = 1e-16 * np.arange(400)
    run = replace(chain(), ticks=chain().ticks.assign(distance_to_gradient_path=noise))
    figure = convergence(run)
    assert figure is not None
    assert len(set(drawn(figure.axes[1], PALE)[1])) > 1, "noise that grows beyond rounding is told"
    figure = convergence(replace(run, ticks=run.ticks.assign(distance_to_gradient_path=noise / 10)))
    assert figure is not None
    assert len(set(drawn(figure.axes[1], PALE)[1])) == 1


def test_a_run_that_does_not_settle_says_so_and_shows_a_turn() -> None:
    figure = convergence(orbit())
    assert figure is not None
    (turn,) = figure.axes[0].patches
    assert turn.get_bbox().width == 400
    assert "they come back in every turn" in texts_of(figure)
    assert "one turn, 400 ticks" in texts_of(figure)


def test_an_adjoint_that_jumps_is_drawn_whole_and_behind_the_price() -> None:
    run = orbit()
    steps = np.where(np.arange(len(run.trajectory)) // 600 % 2, 2.0, 0.0)
    figure = prices(replace(run, trajectory=run.trajectory.assign(adjoint=steps)))
    assert figure is not None
    order = [text.get_text() for text in figure.legends[0].get_texts()]
    assert order.index("adjoint (derivative)") < order.index("market price")
    assert figure.axes[0].get_ylim()[1] > 2


def test_numbers_stay_with_their_units() -> None:
    for start in range(100, 135):
        sentence = ("it is so " * 20)[:start] + " 5000 ticks at 9.5e-10 and 20 % more"
        run = replace(orbit(500), summary={**orbit(500).summary, "sentence": sentence})
        figure = convergence(run)
        assert figure is not None
        lines = [text.get_text() for text in figure.texts]
        assert any("5000\N{NO-BREAK SPACE}ticks" in line for line in lines)
        assert any("9.5e-10" in line for line in lines)
        assert any("20\N{NO-BREAK SPACE}%" in line for line in lines)


def test_convergence_draws_the_data_and_puts_exact_zeros_on_a_floor() -> None:
    run = chain()
    figure = convergence(run)
    assert figure is not None
    axes, references = figure.axes
    assert axes.get_yscale() == references.get_yscale() == "log"
    x, y = drawn(axes, BLUE)
    np.testing.assert_array_equal(x, run.ticks["tick"])
    gap = run.ticks["max_relative_excess_demand"].to_numpy()
    np.testing.assert_array_equal(y[gap > 1e-14], gap[gap > 1e-14])
    _, zero = drawn(references, PALE)
    assert (run.ticks["distance_to_gradient_path"] == 0).all()
    assert len(set(zero)) == 1
    told = run.ticks["distance_to_adjoint"]
    assert 0 < zero[0] < told[told > 1e-14].min()
    figure.canvas.draw()
    assert references.get_yticklabels()[0].get_text() == "0 to\nrounding"
    for panel_of, has in ((axes, True), (references, False)):
        assert any(set(line.get_ydata()) == {1e-9} for line in panel_of.lines) == has, "clearing alone has a tolerance"
    assert "no market clears above it" in texts_of(figure)


def test_a_tolerance_far_below_does_not_squash_the_picture() -> None:
    figure = convergence(replace(orbit(), summary={**orbit().summary, "tolerance": 1e-9}))
    assert figure is not None
    assert figure.axes[0].get_ylim()[0] > 1e-3
    assert "The tolerance, 1e−9, lies far below" in texts_of(figure)


def test_wedges_are_relative_to_the_price_and_explained() -> None:
    run = chain()
    figure = wedges(run)
    assert figure is not None
    table = run.wedges[(run.wedges["firm"] == "A") & (run.wedges["input"] == "natgas")]
    x, y = drawn(figure.axes[0], BLUE)
    np.testing.assert_allclose(y, (table["wedge"] / table["price"]).to_numpy()[: len(y)], rtol=1e-15)
    assert f"Ticks 0 to {len(x) - 1} of 399" in texts_of(figure)
    assert "short of the input (rationed, or slow)" in texts_of(figure)
    assert "A ← natgas" in texts_of(figure)
    assert wedges(orbit()) is None


def test_only_the_largest_wedges_of_many_are_drawn() -> None:
    figure = wedges(many_goods(12))
    assert figure is not None
    assert "The 8 largest of 24 wedges" in texts_of(figure)


@pytest.mark.parametrize("case", CASES)
def test_legends_and_labels_lie_outside_the_data(case: str) -> None:
    run = CASES[case]()
    for build in (prices, convergence, wedges, simplex):
        figure = build(run)
        if figure is None:
            continue
        figure.canvas.draw()
        page = figure.bbox
        boxes = [legend.get_window_extent() for legend in figure.legends]
        boxes += [text.get_window_extent() for text in figure.texts if text.get_text()]
        for axes in figure.axes:
            assert axes.get_legend() is None
            if axes.lines:
                assert not any(axes.get_window_extent().overlaps(box) for box in boxes)
        for box in boxes:
            assert page.x0 <= box.x0
            assert box.x1 <= page.x1
            assert page.y0 <= box.y0
            assert box.y1 <= page.y1
        for index, box in enumerate(boxes):
            assert not any(box.overlaps(other) for other in boxes[:index])


@pytest.mark.parametrize(
    "case",
    ["chain", "long_names", "long_chain", "orbit", "shared_intermediate", "town", "roundabout", "negative_output"],
)
def test_no_text_of_a_network_overlaps_another_or_leaves_the_page(case: str) -> None:
    figure = network(CASES[case]())
    assert figure is not None
    figure.canvas.draw()
    texts = [text for text in figure.findobj(Text) if text.get_text() and text.get_visible() and text.axes is not None]
    boxes = [
        (text.get_text(), text.get_window_extent()) for text in texts if text.axes.axison or text in text.axes.texts
    ]
    assert len(boxes) > 5
    for index, (words, box) in enumerate(boxes):
        assert figure.bbox.x0 <= box.x0 <= box.x1 <= figure.bbox.x1, words
        clash = [other for other, other_box in boxes[:index] if box.overlaps(other_box)]
        assert not clash, (words, clash)


def test_a_network_tells_prices_derivatives_and_quantities() -> None:
    figure = network(chain())
    assert figure is not None
    words = texts_of(figure)
    for said in ("natgas", "price 0.02", "derivative 0.02", "supply", "outside", "4", "2.5", "At tick 399"):
        assert said in words


def test_flows_close_at_supply_and_outside_and_cohorts_count_once() -> None:
    flows = {(f.source, f.target): f.quantity for f in flows_of(town())}
    assert flows[("seller", "households"), ("good", "labour")] == 450
    assert flows[("good", "bread"), ("buyer", "households")] == 70
    assert not any("mean" in name for edge in flows for _, name in edge)
    assert not any(kind in ("source", "sink") for edge in flows for kind, _ in edge)
    flows = {(f.source, f.target): f.quantity for f in flows_of(chain())}
    assert flows[("source", "supply"), ("good", "natgas")] == 4
    assert flows[("good", "tupperware"), ("sink", "outside")] == 2.5


def test_a_good_flows_the_way_it_really_goes() -> None:
    """A firm of negative output buys; the outside brings what is short of its goods and takes the rest, of no other."""
    flows = [("C", "firm", "boxes", 0.0, -0.4), ("D", "firm", "boxes", 1.0, 0.0)]
    found = {(f.source, f.target): (f.quantity, f.reverse) for f in flows_of(web(flows, outside=["boxes"]))}
    assert found == {
        (("good", "boxes"), ("firm", "C")): (0.4, True),
        (("good", "boxes"), ("firm", "D")): (1.0, False),
        (("source", "outside"), ("good", "boxes")): (1.4, False),
    }
    figure = network(web(flows, outside=["boxes"]))
    assert figure is not None
    assert "Output below zero: C buys boxes" in texts_of(figure)
    assert "−" not in texts_of(figure)
    flows = [("mint", "firm", "coins", 0.0, 3.0), ("folk", "consumer", "coins", 1.0, 0.0)]
    ends = {(f.source[0], f.target[0]) for f in flows_of(web(flows, scale="coins = 1"))}
    assert ends == {("firm", "good"), ("good", "buyer")}, "a numeraire's unsold rest is not exported"
    found = {(f.source, f.target): f.quantity for f in flows_of(web(flows, outside=["coins"]))}
    assert found[("good", "coins"), ("sink", "outside")] == 2


def test_a_long_chain_is_wrapped_into_rows_without_crossings() -> None:
    run = chain(tuple(f"good{i}" for i in range(11)))
    plan = layout(flows_of(run))
    assert plan is not None
    rows = {round(y) for _, y in plan.at.values()}
    assert len(rows) == 3
    assert len(plan.turns) == 2
    assert plan.scale > 1
    order = sorted(plan.at.values(), key=lambda place: (-place[1], place[0]))
    names = [next(node for node, place in plan.at.items() if place == each) for each in order]
    assert [name for kind, name in names if kind == "good"] == [f"good{i}" for i in range(11)]
    assert layout(flows_of(chain(tuple(f"good{i}" for i in range(22))))) is None


def test_consumers_whose_purchases_are_not_recorded_are_shown_with_what_they_consume() -> None:
    run = orbit()
    run = replace(run, agents=run.agents.assign(input=0.0, output=0.0))
    flows = {(f.source, f.target): f.quantity for f in flows_of(run)}
    assert flows[("good", "x"), ("buyer", "third")] == 0.5
    assert flows[("source", "supply"), ("good", "z")] == pytest.approx(1.1)


def test_layers_follow_the_longest_path_and_loops_end() -> None:
    run = shared_intermediate()
    edges = [(flow.source, flow.target) for flow in flows_of(run)]
    nodes = list(dict.fromkeys(node for edge in edges for node in edge))
    assert backward_edges(nodes, edges) == frozenset()
    depth = longest_paths(nodes, edges)
    assert all(depth[source] < depth[target] for source, target in edges)
    assert depth["sink", "outside"] == 8
    plan = layout(flows_of(roundabout()))
    assert plan is not None
    assert len(plan.loops) == 1
    assert layout(flows_of(many_goods(12))) is None


@pytest.mark.parametrize("run", [many_goods(12), chain(tuple(f"good{i}" for i in range(31)))], ids=["web", "chain"])
def test_of_a_network_too_large_to_read_the_largest_flows_are_drawn(run: Frames) -> None:
    flows = sorted(flows_of(run), key=lambda flow: -flow.value)
    figure = network(run)
    assert figure is not None
    arrows = sum(isinstance(patch, FancyArrowPatch) for patch in figure.axes[0].patches)
    assert 5 < arrows < len(flows)
    share = 100 * sum(flow.value for flow in flows[:arrows]) / sum(flow.value for flow in flows)
    assert f"the {arrows} largest of {len(flows)} flows, {share:.0f} % of all value" in texts_of(figure)
    named = {end[1] for flow in flows[:arrows] for end in (flow.source, flow.target) if end[0] == "good"}
    assert named <= {text.get_text() for text in figure.axes[0].texts}


def test_simplex_points_are_shares_and_the_path_is_drawn_whole() -> None:
    corners = points(np.diag([3.0, 1e300, 1e-300]))
    np.testing.assert_allclose(corners, [[0, 0], [1, 0], [0.5, np.sqrt(0.75)]], atol=1e-15)
    run = orbit(ticks=500)
    figure = simplex(run)
    assert figure is not None
    (path,) = [c for c in figure.axes[0].collections if isinstance(c, LineCollection)]
    prices = run.trajectory["price"].to_numpy().reshape(-1, 3)
    np.testing.assert_allclose([s[0] for s in path.get_segments()], points(prices)[:-1], rtol=1e-14)
    np.testing.assert_array_equal(path.get_array(), np.arange(499))
    said = [text.get_text() for text in figure.legends[0].get_texts()]
    assert said == ["gradient descent", "start", "end", "equilibrium (stable, index +1)"]
    (left, right), (bottom, top) = figure.axes[0].get_xlim(), figure.axes[0].get_ylim()
    x, y = points(prices).T
    assert left < x.min() < x.max() < right
    assert bottom < y.min() < y.max() < top
    assert right - left < 0.5, "zoomed to a small path"


def test_a_run_is_drawn_until_it_settles_or_for_some_turns_of_its_cycle() -> None:
    ticks = np.arange(10000.0)
    rows, note = rows_worth_drawing(ticks, np.exp(-ticks / 20)[:, None] + 1)
    assert 90 < rows < 200
    assert f"Ticks 0 to {rows - 1} of 9,999" in note
    late = np.where(ticks < 5000, np.nan, 1.0)[:, None]
    assert rows_worth_drawing(ticks, late)[0] > 5000, "what is empty at first is not settled"
    wave = np.sin(2 * np.pi * ticks / 50)[:, None]
    assert rows_worth_drawing(ticks, wave) == (10000, "")
    rows, note = rows_worth_drawing(ticks, wave, period=50)
    assert rows == 12 * 50 + 1
    assert "12 turns" in note
    growing = wave * np.minimum(ticks / 3000, 1)[:, None]
    assert 3000 < rows_worth_drawing(ticks, growing, period=50)[0] < 3700, "not before the cycle has its size"


def test_long_lines_are_thinned_to_their_envelope() -> None:
    x = np.arange(200_000.0)
    y = np.sin(x * 1.1)
    y[123_456] = 7.0
    short_x, short_y = thin(x, y)
    assert len(short_x) <= MOST_POINTS + 2
    assert short_y.max() == 7.0
    assert (np.diff(short_x) > 0).all()
    np.testing.assert_array_equal(short_y, y[short_x.astype(int)])
    assert (short_x[0], short_x[-1]) == (x[0], x[-1])


def test_labels_are_moved_apart_and_names_cut_in_their_middle() -> None:
    places = spread([0.5, 0.5, 0.49, 1.0, 1.0], 0.1)
    assert np.diff(sorted(places)).min() >= 0.1 - 1e-12
    assert min(places) >= 0
    assert max(places) <= 1
    assert shorten("a quite long name 1", 9) == "a qu…me 1"
    assert [number(v) for v in (1.2e15, -0.5, np.nan, 0.020833)] == ["1.2e15", "−0.5", "–", "0.02083"]


@pytest.mark.parametrize("case", ["chain", pytest.param("orbit", marks=pytest.mark.slow)])
def test_the_same_frames_give_the_same_bytes(case: str, tmp_path: Path) -> None:
    formats = ("png", "svg", "pdf")
    first = draw(CASES[case](), tmp_path / "one", formats)
    second = draw(CASES[case](), tmp_path / "two", formats)
    assert len(first) == len(draw(CASES[case](), tmp_path / "alone")) * len(formats)
    for one, two in zip(first, second, strict=True):
        assert one.read_bytes() == two.read_bytes(), one.name


def test_a_run_folder_gives_the_same_figures_as_its_frames(tmp_path: Path) -> None:
    run = chain(("NA", "1", "nan", "true"))
    for name in ("trajectory", "ticks", "agents", "wedges", "equilibrium"):
        getattr(run, name).to_csv(tmp_path / f"{name}.csv", index=False, lineterminator="\n")
    (tmp_path / "summary.json").write_text(json.dumps(run.summary))
    assert panel(read_run(tmp_path).trajectory, ("good",), ()).items == (("NA",), ("1",), ("nan",), ("true",))
    from_folder = draw(tmp_path, tmp_path / "figures")
    from_frames = draw(run, tmp_path / "again")
    assert [file.name for file in from_folder] == [file.name for file in from_frames]
    for one, two in zip(from_folder, from_frames, strict=True):
        assert one.read_bytes() == two.read_bytes(), one.name


def test_drawing_needs_no_screen(tmp_path: Path) -> None:
    run = cut(orbit(), 50)
    for name in ("trajectory", "ticks"):
        getattr(run, name).to_csv(tmp_path / f"{name}.csv", index=False)
    program = f"""
import sys
from tests.house import draw
assert draw({str(tmp_path)!r}, {str(tmp_path / "figures")!r})
assert "matplotlib.pyplot" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", program], check=True, cwd=Path(__file__).parents[1])


def test_what_is_not_a_run_or_not_a_format_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no trajectory\.csv here"):
        draw(tmp_path, tmp_path / "figures")
    with pytest.raises(ValueError, match="'gif'; expected one of png, svg, pdf"):
        draw(chain(), tmp_path / "figures", ["gif"])
    assert list(tmp_path.iterdir()) == []


def test_three_prices_below_zero_have_room_in_their_panels() -> None:
    text = "a = x - 2*y\nb = a*a\nc = sin(b) + a\nd = exp(-0.1*c)\nreturn d*a - y"
    data = {"program": text, "supply": {"x": 0.4, "y": 2}, "scheduler": {"kind": "marginal_bids", "rate": 0.5}}
    figure = three_prices(simulate({**data, "name": "below"}))
    assert figure is not None
    low, high = figure.axes[0].get_ylim()
    drawn = np.concatenate([np.asarray(line.get_ydata(), dtype=float) for axes in figure.axes for line in axes.lines])
    assert low < np.nanmin(drawn) < 0 < np.nanmax(drawn) < high
