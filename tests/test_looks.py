"""What of a run is drawn and how: named figures, goods, ticks, sizes, titles; quantities; supply and demand curves."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgb
from matplotlib.image import imread
from matplotlib.text import Text

from tests.house import FIGURES, Run, load, read_run
from tests.program import simulator
from tests.shared_runs import SharedRuns

SCENARIOS = Path(__file__).parents[1] / "scenarios"


@pytest.fixture
def run_of(shared: SharedRuns) -> Callable[..., Run]:
    return lambda name, *settings: shared.run(name, dict(settings))


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("finished")
    for name in ("fish_market", "scarf", "program"):
        simulator("run", str(SCENARIOS / f"{name}.yaml"), "--ticks", "300", "--no-plots", cwd=folder)
    return folder


def figures_of(folder: Path, *arguments: str, run: str = "fish_market") -> dict[str, bytes]:
    done = simulator("plot", f"outputs/{run}", *arguments, cwd=folder)
    assert done.returncode == 0, done.stderr
    return {Path(file).name: (folder / file).read_bytes() for file in done.stdout.split()}


def test_named_figures_alone_are_drawn(finished: Path) -> None:
    every = figures_of(finished)
    some = figures_of(finished, "--figures", "network, prices")
    assert set(some) == {"network.png", "prices.png"} < set(every)
    assert {name: every[name] for name in some} == some
    nothing = simulator("plot", "outputs/fish_market", "--figures", "wedges", cwd=finished)
    assert (nothing.returncode, nothing.stderr) == (
        2,
        "outputs/fish_market: figure wedges: this run gives nothing to see there\n",
    )


def test_named_goods_and_ticks_alone_are_drawn(run_of: Any, finished: Path) -> None:
    from simulator.figures.frames import part_of

    run = run_of("fish_market")
    part = part_of(run, ("cod", "fuel"), (20, 60))
    for name in ("prices", "quantities"):
        figure = FIGURES[name](part)
        assert figure is not None
        words = [text.get_text() for text in figure.findobj(Text)]
        assert "Drawn: ticks 20 to 60, the goods cod, fuel." in "  ".join(words)
        assert {axes.get_title(loc="left") for axes in figure.axes} <= {"cod", "fuel"}
        for axes in figure.axes:
            assert axes.get_xlim() == (20, 60)
            for line in axes.lines:
                if len(set(line.get_ydata())) > 1:
                    column = run.trajectory[run.trajectory["good"] == axes.get_title(loc="left")].set_index("tick")
                    ticks = np.asarray(line.get_xdata(), dtype=int)
                    drawn = np.asarray(line.get_ydata(), dtype=float)
                    columns = ["price", "gradient_price", "adjoint", "demand", "supply", "traded"]
                    assert any(np.array_equal(column.loc[ticks, each], drawn) for each in columns)
    assert part_of(run) is run
    for arguments, said in (
        (("--goods", "cot"), "found 'cot', no good of this run; expected some of fuel, cod, herring"),
        (("--between", "5000:6000"), "found no tick recorded between 5000 and 6000"),
    ):
        refused = simulator("plot", "outputs/fish_market", *arguments, cwd=finished)
        assert refused.returncode == 2
        assert said in refused.stderr


def test_a_page_has_the_size_of_a_slide_or_of_paper(finished: Path) -> None:
    for size, width in (("slide", 1600), ("paper", 2100)):
        files = figures_of(finished, "--figures", "prices,network", "--size", size, "--format", "png,svg")
        for name in ("prices.png", "network.png"):
            assert imread(finished / "outputs" / "fish_market" / "figures" / name).shape[1] == width
        assert (b'width="7in"' in files["prices.svg"]) is (size == "paper")
    assert figures_of(finished, "--figures", "prices", "--size", "paper") == figures_of(
        finished, "--figures", "prices", "--size", "paper"
    )


def test_a_title_of_ones_own_stands_on_every_figure(finished: Path) -> None:
    asked = ("--format", "svg", "--figures", "prices,convergence")
    svg, others = figures_of(finished, "--title", "Cod, by any other name", *asked), figures_of(finished, *asked)
    for name, written in svg.items():
        assert b"<!-- Cod, by any other name -->" in written
        assert b"<!-- Cod" not in others[name]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--figures", "price"), "--figures: found 'price'; expected one of prices, quantities,"),
        (("--figures", "price"), "did you mean prices?"),
        (("--size", "poster"), "--size: found 'poster'; expected one of slide, paper"),
        (("--between", "20"), "--between: found '20'; expected two ticks, as in 100:200, :50 or 100:"),
        (("--between", ":"), "expected two ticks"),
        (("--between", "30:20"), "expected a later tick after the colon"),
        (("--goods", "cot"), "--goods: found 'cot', no good of fish_market; expected one of"),
    ],
)
def test_what_cannot_be_drawn_is_refused_before_anything_is_run(
    arguments: tuple[str, str], said: str, tmp_path: Path
) -> None:
    done = simulator("run", str(SCENARIOS / "fish_market.yaml"), *arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert said in done.stderr
    assert not (tmp_path / "outputs").exists()


def test_a_run_draws_what_it_is_told_to(tmp_path: Path) -> None:
    told = ("--figures", "quantities,wedges", "--goods", "cod", "--between", "10:", "--size", "paper", "--title", "Cod")
    done = simulator("run", str(SCENARIOS / "fish_market.yaml"), "--ticks", "30", *told, cwd=tmp_path)
    assert [file.name for file in (tmp_path / "outputs" / "fish_market" / "figures").iterdir()] == ["quantities.png"]
    assert done.stderr == "fish_market: figure wedges: this run has no wedges\n"


@pytest.mark.parametrize("name", ["fish_market", "scarf", "program", "xor", "town"])
def test_demand_supply_and_trade_are_drawn_of_every_run(name: str, run_of: Any) -> None:
    run = run_of(name, ("run.ticks", 300))
    figure = FIGURES["quantities"](run)
    assert figure is not None
    last = run.trajectory[run.trajectory["tick"] == run.trajectory["tick"].max()].set_index("good")
    waits = name == "scarf"
    for axes in figure.axes:
        ends = [float(line.get_ydata()[-1]) for line in axes.lines]
        row = last.loc[axes.get_title(loc="left")]
        # Once lines are still, no more ticks are drawn.
        np.testing.assert_allclose(ends, row[["supply", "demand", "traded"][: 3 - waits]], rtol=0.02)
        shades = [float(np.dot(to_rgb(line.get_color()), (0.299, 0.587, 0.114))) for line in axes.lines]
        apart = [abs(one - other) for i, one in enumerate(shades) for other in shades[:i]]
        assert min(apart) > 0.25
    assert ("Trade waits" in "  ".join(text.get_text() for text in figure.texts)) is waits


def curves_in(folder: Path, run: str, goods: str) -> pd.DataFrame:
    assert figures_of(folder, "--curves", goods, run=run).keys() == {"curves.png"}
    return read_run(folder / "outputs" / run).curves


def test_curves_pass_through_what_was_planned_and_are_everybodys_plans(finished: Path) -> None:
    table = curves_in(finished, "fish_market", "cod@7, herring")
    scenario = load(SCENARIOS / "fish_market.yaml")
    path = read_run(finished / "outputs" / "fish_market").trajectory
    for (good, tick), curve in table.groupby(["good", "tick"]):
        there = path[path["tick"] == tick].set_index("good")
        middle = curve.iloc[len(curve) // 2]
        assert middle["price"] == pytest.approx(there.loc[good, "price"], rel=1e-12)
        for side in ("demand", "supply"):
            assert middle[side] == pytest.approx(there.loc[good, side], rel=1e-6)
        for row in (curve.iloc[10], curve.iloc[-1]):
            prices = there["price"].copy()
            prices[good] = row["price"]
            plans = scenario.economy.balance(prices[[*scenario.markets.goods]].to_numpy())
            place = scenario.markets.goods.index(good)
            assert (row["demand"], row["supply"]) == pytest.approx((plans.demand[place], plans.supply[place]))


def test_curves_are_those_of_the_economy_that_a_repeated_shock_left(tmp_path: Path) -> None:
    market = SCENARIOS / "harvests.yaml"
    done = simulator("run", str(market), "--no-plots", "--ticks", "280", "--set", "expect=out_of_ticks", cwd=tmp_path)
    assert done.returncode == 0
    table = curves_in(tmp_path, "harvests", "grain@30,grain@120,grain@275")
    path = read_run(tmp_path / "outputs" / "harvests").trajectory
    for tick, curve in table.groupby("tick"):
        supply = path[(path["good"] == "grain") & (path["tick"] == tick)]["supply"].item()
        assert curve["supply"].unique() == pytest.approx([supply], rel=1e-12)


def test_where_curves_cross_the_market_alone_clears(finished: Path) -> None:
    table = curves_in(finished, "fish_market", "cod,herring,herring@0")
    figure = FIGURES["curves"](read_run(finished / "outputs" / "fish_market"))
    assert figure is not None
    for axes, (_, curve) in zip(figure.axes, table.groupby(["good", "tick"], sort=False), strict=True):
        (crossings,) = (line for line in axes.lines if line.get_marker() == "o")
        excess = np.interp(crossings.get_ydata(), curve["price"], curve["demand"] - curve["supply"])
        np.testing.assert_allclose(excess, 0, atol=1e-2)
        turns = np.count_nonzero(np.diff(np.sign(curve["demand"] - curve["supply"])))
        assert len(crossings.get_ydata()) == turns >= 1


def test_a_run_that_is_replaced_loses_its_curves(tmp_path: Path) -> None:
    run = ("run", str(SCENARIOS / "fish_market.yaml"), "--ticks", "20", "--no-plots")
    simulator(*run, cwd=tmp_path)
    simulator("plot", "outputs/fish_market", "--curves", "cod", cwd=tmp_path)
    assert (tmp_path / "outputs" / "fish_market" / "curves.csv").exists()
    simulator(*run, "--overwrite", cwd=tmp_path)
    assert not (tmp_path / "outputs" / "fish_market" / "curves.csv").exists()


@pytest.mark.parametrize(
    ("run", "goods", "said"),
    [
        ("fish_market", "cot", "--curves: found 'cot', no good of"),
        ("fish_market", "cod@x", "--curves: found 'cod@x'; expected a good, or a good and a tick: bread@100"),
        ("fish_market", "cod@9999", "--curves: found tick 9999, which was not recorded; expected one from 0 to"),
        ("fish_market", "fuel", "--curves: found fuel, whose price no single market makes"),
        ("program", "x", "found a run in which nobody plans at a price; expected one of tatonnement"),
        ("scarf", ",", "--curves: found nothing; expected goods"),
    ],
)
def test_curves_that_cannot_be_had_are_refused(run: str, goods: str, said: str, finished: Path) -> None:
    done = simulator("plot", f"outputs/{run}", "--curves", goods, cwd=finished)
    assert done.returncode == 2
    assert said in done.stderr
