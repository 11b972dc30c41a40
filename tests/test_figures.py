"""What each figure draws is what the CSVs say: lines where numbers are, goods by their moves, no more than is true."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib import colormaps
from matplotlib.collections import PolyCollection
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import FancyArrowPatch
from matplotlib.text import Text

from tests.house import CYCLE, FIGURES, MOST_TURNS, TRAIL, Frames, Run, draw_line, ink, simulate, turns_of
from tests.shared_runs import SharedRuns

RunOf = Callable[..., Run]


@pytest.fixture
def run_of(shared: SharedRuns) -> RunOf:
    """Runs of scenarios of the project by name, with settings changed."""
    return lambda name, *settings: shared.run(name, dict(settings))


def figure_of(name: str, run: Frames) -> Figure:
    figure = FIGURES[name](run)
    assert figure is not None, name
    return figure


def words_of(figure: Figure) -> str:
    return "\n".join(text.get_text() for text in figure.findobj(Text)).replace("\N{NO-BREAK SPACE}", " ")


def lines_of(axes: Any) -> list[Line2D]:
    """The lines over ticks."""
    return [line for line in axes.lines if len(line.get_xdata()) > 2]


def grey(colour: Any) -> float:
    """How light a colour is on a printer without colours."""
    return float(np.dot(to_rgb(colour), (0.299, 0.587, 0.114)))


def taught(run: Run) -> dict[tuple[str, str], float]:
    """The last designs of a market that learns, by firm and what they are of."""
    last = run.agents[(run.agents["tick"] == run.agents["tick"].max()) & (run.agents["kind"] == "firm")]
    return {(firm, of): size for firm, of, size in zip(last["agent"], last["good"], last["input"], strict=True)}


RUNS = (
    ("scarf", ("run.ticks", 300)),
    ("subsistence", ("run.ticks", 330)),
    ("tupperware",),
    ("xor",),
    ("logit_contracts", ("run.ticks", 40)),
    ("program",),
    ("town", ("consumers.households.count", 300)),
)


@pytest.mark.parametrize("run", RUNS, ids=lambda run: run[0])
def test_every_figure_says_what_it_shows_and_of_which_run(run: Any, run_of: RunOf) -> None:
    told = run_of(*run)
    drawn = {name: figure for name, build in FIGURES.items() if (figure := build(told)) is not None}
    titles = {name: next(t.get_text() for t in f.texts if t.get_fontweight() == "bold") for name, f in drawn.items()}
    assert len(set(titles.values())) == len(titles) > 2, "a title each"
    for name, figure in drawn.items():
        assert f"{told.summary['name']}: {told.summary['outcome'].replace('_', ' ')}" in words_of(figure)
        assert told.summary["name"] not in titles[name]
        assert not any("…" in text.get_text() and not 0.85 < text.get_position()[1] < 0.92 for text in figure.texts), (
            name
        )


@pytest.mark.parametrize("run", RUNS, ids=lambda run: run[0])
def test_no_words_lie_on_others(run: Any, run_of: RunOf) -> None:
    for name, build in FIGURES.items():
        if (figure := build(run_of(*run))) is None:
            continue
        figure.canvas.draw()
        texts = [text for text in figure.texts if text.get_text()]
        for axes in figure.axes:
            texts += [text for text in axes.texts if text.get_text() and text.get_visible()]
            texts += [text for text in axes.findobj(Text) if text in (axes.title, axes._left_title, axes._right_title)]
        boxes = [(text.get_text(), text.get_window_extent().padded(-1)) for text in texts if text.get_text()]
        for i, (words, box) in enumerate(boxes):
            assert figure.bbox.x0 <= box.x0 <= box.x1 <= figure.bbox.x1, (name, words)
            assert [other for other, there in boxes[:i] if box.overlaps(there)] == [], (name, words)


@pytest.mark.parametrize("run", [("tupperware",), ("fish_market",), ("subsistence", ("run.ticks", 600))], ids=str)
@pytest.mark.parametrize("name", ["prices", "three_prices", "wedges", "diagnostics"])
def test_what_is_cut_off_is_as_still_as_is_said(run: Any, name: str, run_of: RunOf) -> None:
    """Every column that the figure draws, of every tick after the cut, against its own range."""
    told = run_of(*run)
    figure = FIGURES[name](told)
    if figure is None:
        assert (name, run[0]) == ("wedges", "fish_market"), "nobody there is ever short"
        return
    if (
        found := re.search(r"Ticks 0 to ([\d,]+) of .*: afterwards no line is more than 1 %", words_of(figure))
    ) is None:
        assert f"of {told.summary['ticks']:,}:" not in words_of(figure)
        return
    last = int(found[1].replace(",", ""))
    columns = {
        "prices": ["price", "gradient_price", "adjoint"],
        "three_prices": ["price", "bid", "adjoint", "gradient_price"],
        "diagnostics": ["cosine_to_gradient", "cosine_home", "rotation_index"],
    }
    if name == "wedges":
        table = told.wedges.assign(relative=told.wedges["wedge"] / told.wedges["price"].abs())
        lines = table.pivot(index="tick", columns=["firm", "input"], values="relative")
    elif name == "diagnostics":
        lines = told.ticks.set_index("tick")[columns[name]]
    else:
        lines = told.trajectory.pivot(index="tick", columns="good", values=columns[name])
    span = (lines.max() - lines.min()).where(lambda size: size > 1e-8, np.inf)
    assert ((lines - lines.ffill().iloc[-1]).abs() / span).loc[last + 1 :].max().max() <= 0.01 + 1e-12


def test_an_equilibrium_is_drawn_at_the_level_of_the_path(run_of: RunOf) -> None:
    """Scarf's prices keep the sum of their squares, and turn about the equilibrium that has the same one."""
    run = run_of("scarf", ("run.ticks", 1500))
    last = run.trajectory[run.trajectory["tick"] == 1500]["price"].to_numpy()
    level = float(np.sqrt(last @ last / 3))
    assert run.equilibrium["price"].to_numpy() == pytest.approx([level] * 3, rel=1e-12)
    path = run.trajectory.pivot(index="tick", columns="good", values="price")
    assert np.sqrt((path**2).mean(axis=1)).to_numpy() == pytest.approx(level, rel=1e-3)
    for axes in figure_of("prices", run).axes:
        (drawn,) = {line.get_ydata()[0] for line in axes.lines if len(set(line.get_ydata())) == 1}
        assert drawn == pytest.approx(level, rel=1e-12)


@pytest.mark.parametrize("form", ["additive", "multiplicative"])
def test_the_table_has_the_level_that_the_rule_keeps(form: str, run_of: RunOf) -> None:
    run = run_of("scarf", ("run.ticks", 200), ("scheduler.form", form))
    there, last = run.equilibrium.set_index("good"), run.trajectory[run.trajectory["tick"] == 200].set_index("good")
    if form == "additive":
        assert (there["price"] ** 2).sum() == pytest.approx((last["price"] ** 2).sum(), rel=1e-12)
        assert run.summary["scale"] == f"sum of squared prices = {(last['price'] ** 2).sum():.6g}"
    else:
        quantities = there["quantity"]
        assert (there["price"] * quantities).sum() == pytest.approx((last["price"] * quantities).sum(), rel=1e-12)
    gap = run.ticks.set_index("tick")["distance_to_equilibrium"][200]
    assert gap == pytest.approx((last["price"] / there["price"] - 1).abs().max(), rel=1e-9)


def test_of_several_equilibria_it_is_said_which_prices_are_over(run_of: RunOf) -> None:
    for name, several in (("three_equilibria", True), ("bazaar", False), ("fan_out", False)):
        words = words_of(figure_of("three_prices", run_of(name)))
        assert ("Equilibrium: of several that were found the nearest" in words) == several


def test_no_line_moves_ahead_of_a_shock_and_few_ticks_are_not_more(run_of: RunOf) -> None:
    run = run_of("subsistence", ("run.ticks", 330), ("run.record_every", 30))
    for name in ("prices", "three_prices", "convergence", "wedges"):
        figure = figure_of(name, run)
        assert "Recorded every 30 ticks" in words_of(figure)
        for line in (line for axes in figure.axes for line in lines_of(axes)):
            x, y = np.asarray(line.get_xdata()), np.asarray(line.get_ydata(), dtype=float)
            if x[0] < 300 <= x[-1]:
                whole = np.flatnonzero(np.isfinite(y[:-1]) & np.isfinite(y[1:]))
                assert not any(x[i] < 300 <= x[i + 1] for i in whole), name
                assert "Upright, dotted: a shock" in words_of(figure)
            assert line.get_marker() == "o", "so few ticks are dots"


def test_what_follows_a_shock_is_not_squeezed(run_of: RunOf) -> None:
    for axes in figure_of("prices", run_of("subsistence", ("run.ticks", 360))).axes:
        assert axes.get_xscale() == "linear"
        low, high = axes.get_xlim()
        assert (high - 300) / (high - low) > 0.1


def test_a_line_that_turns_too_often_becomes_its_envelope(run_of: RunOf) -> None:
    x = np.arange(400.0)
    y = np.where(x % 2, 1.0, -1.0) * np.exp(-x / 200)
    axes = Figure().add_subplot()
    draw_line(axes, x, y, **CYCLE[0])
    (band,) = axes.collections
    assert isinstance(band, PolyCollection)
    start, low, high = (np.asarray(line.get_ydata()) for line in axes.lines)
    assert turns_of(y) > MOST_TURNS > turns_of(high)
    assert start.tolist() == y[:2].tolist(), "a line up to its first turn"
    stretches = np.array_split(y[1:], len(low))
    assert low.tolist() == [stretch.min() for stretch in stretches]
    assert high.tolist() == [stretch.max() for stretch in stretches]
    assert (axes.lines[1].get_xdata()[0], axes.lines[1].get_xdata()[-1]) == (1, 399)
    run = run_of("overshooting")
    figure = figure_of("convergence", run)
    assert "Band: a line that goes to and fro" in words_of(figure)
    assert any(isinstance(part, PolyCollection) for part in figure.axes[0].collections)
    low, high = (line.get_ydata()[-1] for line in lines_of(figure.axes[0])[-2:])
    last = run.ticks["max_relative_excess_demand"].to_numpy()[-4:]
    assert (low, high) == (last.min(), last.max())


def test_no_envelope_spans_a_shock_or_a_gap() -> None:
    """Three levels, a line that hops about each: a band of its own for each, and nothing in between."""
    x = np.arange(0.0, 1500.0, 5.0)
    level = np.where(x < 500, 10.0, np.where(x < 1000, 20.0, 30.0))
    y = np.where((x >= 1000) & (x < 1055), np.nan, level + np.where(x % 10, 0.4, -0.4))
    axes = Figure().add_subplot()
    draw_line(axes, x, y, (500.0,), **CYCLE[0])
    (band,) = axes.collections
    spans = [(*path.get_extents().min, *path.get_extents().max) for path in band.get_paths()]
    assert [(round(left), round(right)) for left, _, right, _ in spans] == [(5, 495), (505, 995), (1060, 1495)]
    assert [(round(low, 1), round(high, 1)) for _, low, _, high in spans] == [(9.6, 10.4), (19.6, 20.4), (29.6, 30.4)]
    for line in axes.lines:
        at, there = np.asarray(line.get_xdata()), np.asarray(line.get_ydata())
        whole = np.flatnonzero(np.isfinite(there[:-1]) & np.isfinite(there[1:]))
        assert all(abs(there[i + 1] - there[i]) < 1 for i in whole)
        assert not any(at[i] < tick <= at[i + 1] for i in whole for tick in (500, 1000, 1050))


def test_gaps_of_long_lines_survive_thinning() -> None:
    x = np.arange(50_000.0)
    axes = Figure().add_subplot()
    draw_line(axes, x, np.where(x == 20_000, np.nan, x), **CYCLE[0])
    (line,) = axes.lines
    at, there = np.asarray(line.get_xdata()), np.asarray(line.get_ydata())
    assert not any(at[i] < 20_000 < at[i + 1] and np.isfinite(there[i : i + 2]).all() for i in range(len(at) - 1))


@pytest.mark.parametrize(
    "run", [("town", ("consumers.households.count", 300)), ("perceptron",)], ids=lambda run: run[0]
)
def test_no_arrow_crosses_what_is_said_of_a_good(run: Any, run_of: RunOf) -> None:
    (axes,) = figure_of("network", run_of(*run)).axes
    said = [text for text in axes.texts if re.match("price|derivative", text.get_text()) or text.get_weight() == "bold"]
    arrows = [patch for patch in axes.patches if isinstance(patch, FancyArrowPatch)]
    assert len(said) > 6
    assert len(arrows) > 6
    for arrow in arrows:
        curve = axes.transData.transform(arrow._path_original.to_polygons(closed_only=False)[0])
        assert len(curve) > 1
        for text in said:
            box = text.get_window_extent()
            assert not any(box.contains(x, y) for x, y in curve), text.get_text()


@pytest.mark.parametrize("name", ["dot_product", "fan_out", "logistic_loss"])
def test_of_a_large_program_whole_firms_are_drawn_from_the_inputs_on(name: str, run_of: RunOf) -> None:
    run = run_of(name)
    figure = figure_of("network", run)
    (axes,) = figure.axes
    arrows = sum(isinstance(patch, FancyArrowPatch) for patch in axes.patches)
    assert f"the first {arrows} of " in words_of(figure)
    assert all(text.get_window_extent().x1 < figure.bbox.x1 for text in figure.texts)
    drawn = {re.sub(r"\s", "", text.get_text()) for text in axes.texts}
    uses = run.agents[run.agents["kind"] == "firm"].groupby(["agent", "good"])[["input", "output"]].max().reset_index()
    made = {good: agent for agent, good, _, output in uses.itertuples(index=False) if output != 0}
    firms = drawn & set(uses["agent"])
    assert 1 < len(firms) < uses["agent"].nunique()
    for agent, good, used, _ in uses.itertuples(index=False):
        if agent in firms and used != 0:
            assert good in drawn
            assert made.get(good, agent) in firms, "what it uses is made in the picture, or is an input"


def test_what_is_rounding_beside_others_is_0(run_of: RunOf) -> None:
    run = run_of("xor_delta")
    last = run.trajectory[run.trajectory["tick"] == run.trajectory["tick"].max()].set_index("good")["price"]
    assert 0 < abs(last["left"]) < 1e-13
    (axes,) = figure_of("network", run).axes
    assert sorted(text.get_text() for text in axes.texts if text.get_text()[:1].isdigit()) == ["0", "0", "0.5"]
    assert [axes.get_title(loc="right") for axes in figure_of("prices", run).axes] == ["at end 0"] * 2 + ["at end 0.5"]


@pytest.mark.parametrize(("name", "kinked"), [("scarf", True), ("tupperware", False)])
def test_a_derivative_that_jumps_is_explained(name: str, kinked: bool, run_of: RunOf) -> None:
    """Tastes of fixed proportions have kinks, smooth ones have none."""
    run = run_of(name, ("run.ticks", 1000)) if kinked else run_of(name)
    words = words_of(figure_of("three_prices", run))
    assert ("The adjoint jumps though prices hardly move: a kink" in words) == kinked


def test_consumers_among_whom_nobody_differs_are_named(run_of: RunOf) -> None:
    taste = {"cobb_douglas": {"bread": 1, "wine": 1}}
    poor = {"name": "poor", "count": 9, "utility": taste, "endowment": {"bread": {"uniform": [1, 3]}}}
    alike = [
        {"name": name, "count": n, "utility": taste, "endowment": {"wine": 2}} for name, n in (("rich", 4), ("x", 1))
    ]
    run = simulate({"goods": ["bread", "wine"], "numeraire": "wine", "consumers": [poor, *alike]})
    assert "Not drawn, as nobody there differs: rich, x." in words_of(figure_of("gains", run))
    assert "nobody there differs" not in words_of(
        figure_of("gains", run_of("town", ("consumers.households.count", 300)))
    )


def test_cycles_are_cut_without_a_claim(run_of: RunOf) -> None:
    words = words_of(figure_of("prices", run_of("overshooting")))
    assert "Ticks 0 to 24 of 400: the first 12 turns of the cycle." in words


def test_goods_that_start_at_nothing_are_chosen_by_how_far_they_moved(run_of: RunOf) -> None:
    """Forty prices, all 0 at first: the later they come, the further they go."""
    run, ticks, goods = run_of("tupperware"), np.arange(30), [f"g{i}" for i in range(40)]
    sizes = np.linspace(0.1, 2, 40) * np.where(np.arange(40) % 2, 1, -1)
    price = ticks[:, None] / 29 * sizes
    table = pd.DataFrame({"tick": np.repeat(ticks, 40), "good": goods * 30, "price": price.ravel()})
    told = Frames(
        table, run.ticks, run.agents, run.wedges, run.equilibrium.iloc[:0], run.distribution, {"name": "many"}
    )
    figure = figure_of("prices", told)
    assert {axes.get_title(loc="left") for axes in figure.axes} == set(goods[-9:])
    assert "9 of 40 goods, those whose prices moved by most" in words_of(figure)


def test_levels_are_drawn_beside_quantities_and_the_saddle_path_is_named(run_of: RunOf) -> None:
    run = run_of("linear_firms")
    assert run.summary["reference"] == "saddle"
    assert "saddle path" in words_of(figure_of("prices", run))
    assert "gradient descent" not in words_of(figure_of("prices", run))
    last = (
        run.agents[run.agents["tick"] == run.agents["tick"].max()].drop_duplicates("agent").set_index("agent")["level"]
    )
    drawn = {axes.get_title(loc="left"): lines_of(axes) for axes in figure_of("quantities", run).axes}
    for firm, level in last.dropna().items():
        (line,) = drawn[f"level of {firm}"]
        assert np.asarray(line.get_ydata(), dtype=float)[-1] == pytest.approx(level, rel=0.02, abs=0.02 * last.max())


def test_panels_by_logarithm_say_so(run_of: RunOf) -> None:
    figure = figure_of("prices", run_of("ten_tiers", ("run.ticks", 150)))
    scales = [(axes.get_yscale() == "log", "log scale" in axes.get_title(loc="right")) for axes in figure.axes]
    assert set(scales) == {(True, True), (False, False)}


def test_goods_are_told_apart_in_grey(run_of: RunOf) -> None:
    figure = figure_of("three_prices", run_of("ten_tiers", ("run.ticks", 150)))
    for axes in figure.axes:
        looks = [(line.get_linestyle(), str(line._dash_pattern), line.get_linewidth()) for line in lines_of(axes)]
        assert len(looks) == len(set(looks)) == 8
    assert grey(TRAIL["color"]) > 0.7 > grey(CYCLE[0]["color"]) + 0.3
    orders, surface = (colormaps[name] for name in ("viridis", "Purples"))
    drawn = figure_of("learnt", run_of("xor")).axes
    used = {c.get_cmap().name for axes in drawn for c in axes.collections if getattr(c, "get_cmap", None)}
    assert {orders.name, surface.name} <= used
    for scale in (orders, surface):
        shades = [grey(scale(place)[:3]) for place in np.linspace(0, 1, 20)]
        assert len({np.sign(step) for step in np.diff(shades)}) == 1, "lighter throughout, or darker"
    assert abs(grey(surface(0.25)[:3]) - grey(surface(0.75)[:3])) > 0.3, "0 and 1 of -0.5 to 1.5"


def test_a_wave_runs_down_the_page(run_of: RunOf) -> None:
    run = run_of("program")
    figure = figure_of("wave", run)
    quantities, prices = figure.axes[:2]
    goods = run.trajectory["good"].drop_duplicates().tolist()
    bottom, top = quantities.get_ylim()
    assert bottom > top, "the first row is the highest"
    assert [text.get_text() for text in quantities.get_yticklabels()] == goods
    for axes, column in ((quantities, "supply"), (prices, "price")):
        (mesh,) = axes.collections
        values = run.trajectory.pivot(index="tick", columns="good", values=column)[goods].to_numpy()
        base = np.where(values[-1] != 0, np.abs(values[-1]), 1)
        gaps = np.clip(np.abs(values - values[-1]) / base, 1e-12, 1).T
        np.testing.assert_allclose(np.ma.filled(mesh.get_array(), np.nan), gaps)
    arrived = run.trajectory.dropna(subset="supply").groupby("good")["tick"].min()[goods].to_numpy()
    assert (np.diff(arrived) >= 0).all(), "and what arrives last stands last"


def test_who_has_and_who_gains_is_drawn_of_all_who_can_be_told(run_of: RunOf) -> None:
    run = run_of("subsistence", ("run.ticks", 320))
    figure = figure_of("gains", run)
    income, gain = figure.axes
    told = {axes: {tuple(line.get_ydata()) for line in lines_of(axes)} for axes in figure.axes}
    by_cohort = dict(iter(run.distribution.groupby("agent")))
    assert told[income] == {tuple(table["income"]) for table in by_cohort.values()}
    assert told[gain] == {tuple(by_cohort["rich"]["gain"])}
    assert by_cohort["poor"]["gain"].isna().all()
    assert "No gain is drawn of poor: without trade some of them have no finite utility." in words_of(figure)
    half = by_cohort["rich"].set_index("percent")["gain_share"][50]
    assert f"{100 * half:.2g} % of all gains" in words_of(figure)


def test_diagnostics_are_the_columns_of_the_ticks(run_of: RunOf) -> None:
    run = run_of("bazaar", ("run.ticks", 60))
    (axes,) = figure_of("diagnostics", run).axes
    named = {"cosine home": "cosine_home", "cosine to": "cosine_to_gradient", "rotation": "rotation_index"}
    column_of = {text.get_color(): named[w] for text in axes.texts for w in named if text.get_text().startswith(w)}
    drawn = {column_of[ink(line.get_color())]: line for line in lines_of(axes)}
    assert set(drawn) == set(named.values())
    for column, line in drawn.items():
        told = run.ticks.set_index("tick")[column][line.get_xdata()]
        np.testing.assert_allclose(line.get_ydata(), told, atol=1e-9, err_msg=column)


def test_a_market_that_learns_has_a_network_of_designs_and_prices(run_of: RunOf) -> None:
    run = run_of("xor")
    figure = figure_of("network", run)
    price = run.trajectory[run.trajectory["tick"] == run.trajectory["tick"].max()].set_index("good")["price"]
    shown = {text.get_text() for text in figure.axes[0].texts}
    assert {"left", "right", "constant", "firm_1", "firm_4", "bundle"} <= shown
    weights = [*taught(run).values(), *price]
    digits = {f"{weight:.3g}".replace("-", "−") for weight in weights}
    assert len(digits & shown) >= 0.8 * len(weights), "but for those without room"
    numbers = {text for text in shown if re.fullmatch(r"−?[\d.]+", text)}
    assert numbers <= digits
    dashed = sum(patch.get_linestyle() != "-" and patch.get_zorder() == 1 for patch in figure.axes[0].patches)
    assert dashed == sum(weight <= 0 for weight in weights)
    contracts = figure_of("network", run_of("logit_contracts", ("run.ticks", 40)))
    assert {"east", "north", "constant", "0", "1", "2"} <= {text.get_text() for text in contracts.axes[0].texts}


def test_what_is_not_decided_right_ends_where_the_summary_says(run_of: RunOf) -> None:
    run = run_of("xor_delta")
    axes = figure_of("learnt", run).axes[0]
    assert "part not\ndecided right" in [text.get_text() for text in axes.texts], "a tie is not decided wrong"
    wrong = min(lines_of(axes), key=lambda line: line.get_linewidth())
    assert wrong.get_ydata()[-1] == 1 - run.summary["accuracy"] == 1


def test_networks_without_anything_known_of_them_are_not_drawn(run_of: RunOf) -> None:
    run = run_of("tupperware")
    assert FIGURES["network"](replace_agents(run, run.agents.iloc[:0])) is None


def replace_agents(run: Run, agents: pd.DataFrame, **others: pd.DataFrame) -> Frames:
    whole = Frames(run.trajectory, run.ticks, run.agents, run.wedges, run.equilibrium, run.distribution, run.summary)
    return replace(whole, agents=agents, **others)


def test_bars_of_welfare_are_those_of_the_table(run_of: RunOf) -> None:
    """Households together, whose loss by the failed harvest is in money, and firms by their profit, in order."""
    run = run_of("town", ("consumers.households.count", 300))
    since = run.welfare["since"].max()
    table = run.welfare[(run.welfare["since"] == since) & ~run.welfare["agent"].str.endswith(":mean")]
    worth = table["equivalent_variation"].fillna(table["profit_change"]).sort_values()
    figure = figure_of("welfare", run)
    (axes,) = figure.axes
    np.testing.assert_allclose(sorted(bar.get_width() for bar in axes.patches), worth, rtol=1e-12)
    order = [label.get_text() for label in axes.get_yticklabels()]
    assert order == [name.removesuffix(":total") for name in table.loc[worth.index, "agent"]]
    assert f"tick {run.summary['ticks']} beside tick {since}, the last before any shock" in words_of(figure)


def test_of_many_agents_those_with_most_at_stake_have_bars(run_of: RunOf) -> None:
    run = run_of("town", ("consumers.households.count", 300))
    agents = [f"a{number}" for number in range(40)] + ["nobody"]
    worth = [*np.linspace(-1, 3, 40), np.nan]
    rows = {"since": 0, "agent": agents, "kind": "consumer", "equivalent_variation": worth, "profit_change": np.nan}
    figure = figure_of("welfare", replace_agents(run, run.agents, welfare=pd.DataFrame(rows)))
    shown = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert shown == [f"a{number}" for number in range(22, 40)]
    assert "Shown: 18 of 40 agents, those with most at stake.  Not known: nobody." in words_of(figure)
    assert "At tick 0 markets did not clear" in words_of(figure)
    still = pd.DataFrame({**rows, "equivalent_variation": 0.0})
    assert FIGURES["welfare"](replace_agents(run, run.agents, welfare=still)) is None
    assert FIGURES["welfare"](replace_agents(run, run.agents)) is None


def test_what_markets_may_be_off_when_they_clear_is_nobodys_gain(run_of: RunOf) -> None:
    run = run_of("carbon_tax")
    since = run.welfare["since"].max()
    profits = run.welfare[(run.welfare["since"] == since)].set_index("agent")["profit_change"]
    assert 0 < abs(profits["works"]) < 1e-6
    figure = figure_of("welfare", run)
    bars = dict(zip([label.get_text() for label in figure.axes[0].get_yticklabels()], sorted_bars(figure), strict=True))
    assert bars["works"] == bars["power"] == 0
    assert bars["mine"] == profits["mine"]
    assert "did not clear" not in words_of(figure)
    noise = run.welfare.assign(equivalent_variation=1e-7, profit_change=-1e-7)
    assert FIGURES["welfare"](replace_agents(run, run.agents, welfare=noise)) is None


def sorted_bars(figure: Figure) -> list[float]:
    """The widths of bars from the lowest on."""
    bars = sorted(figure.axes[0].patches, key=lambda bar: bar.get_y())
    return [bar.get_width() for bar in bars]
