"""The tables of a run: which are kept, what is worked out for those that are not, and whose rows agents.csv has."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from shutil import rmtree
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pytest

from tests.builders import market_of, saved_every_block, tick_of
from tests.house import (
    NEEDED,
    AgentRows,
    CohortTick,
    InFloats,
    InRuns,
    ScenarioError,
    Simulation,
    Table,
    Tatonnement,
    UserMarkets,
    gathered,
    held,
    load,
    names,
    run_to_disk,
    simulate,
)
from tests.program import simulator
from tests.run_folders import contents, run_with_stops, summary
from tests.test_taste import BARE

SHIPPED = Path(__file__).parents[1] / "scenarios"
TABLES = ("trajectory", "ticks", "agents", "wedges", "equilibrium", "distribution", "welfare")
CHOICES = [("trajectory", "ticks"), ("ticks",), ("agents", "distribution"), ("wedges", "equilibrium"), ()]
KINDS = (
    "crusoe",
    "scarf",
    pytest.param("town", marks=pytest.mark.slow),
    "program",
    "and_perceptron",
    "blueprint_saddle",
)


def loaded(name: str, **run: Any) -> Any:
    return load(SHIPPED / f"{name}.yaml", settings={f"run.{key}": value for key, value in run.items()})


@pytest.mark.parametrize("name", KINDS)
def test_tables_that_are_kept_and_the_summary_are_the_same_whatever_is_left_out(name: str, tmp_path: Path) -> None:
    run_to_disk(loaded(name, ticks=40), tmp_path / "whole")
    whole = summary(tmp_path / "whole")
    assert whole["tables"] == list(TABLES)
    for choice in CHOICES:
        folder = tmp_path / "-".join(choice or ("none",))
        run_to_disk(loaded(name, ticks=40, tables=list(choice)), folder)
        files = [f"{table}.csv" for table in choice]
        assert {path.name for path in folder.iterdir()} == {*files, "summary.json", "scenario.yaml", "state.npz"}
        assert contents(folder, files) == contents(tmp_path / "whole", files)
        assert summary(folder)["tables"] == [table for table in TABLES if table in choice]
        # Of what is recorded nowhere only the first tick and the last are looked at.
        told_of_ticks = {"plan_residual"} if not choice else set[str]()
        for key in whole.keys() - {"scenario_sha256", "tables", *told_of_ticks}:
            assert summary(folder)[key] == whole[key], (choice, key)


@pytest.mark.usefixtures("tick_by_tick")
@pytest.mark.parametrize("name", KINDS)
def test_a_resumed_run_leaves_out_the_same_tables(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    saved_every_block(monkeypatch)
    monkeypatch.setattr("simulator.records.recorder.MOST_TICKS", 8)
    scenario = loaded(name, ticks=150, tables=["wedges", "equilibrium"], stop="never")
    run_to_disk(scenario, tmp_path / "whole")
    assert run_with_stops(scenario, tmp_path / "parts", 37) > 1
    files = ("wedges.csv", "equilibrium.csv")
    assert contents(tmp_path / "parts", files) == contents(tmp_path / "whole", files)
    assert summary(tmp_path / "parts") == summary(tmp_path / "whole")
    assert {path.name for path in (tmp_path / "parts").iterdir()} == {
        *files,
        "summary.json",
        "scenario.yaml",
        "state.npz",
    }


def test_nothing_is_worked_out_for_a_table_that_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError

    monkeypatch.setattr(CohortTick, "totals", refuse)
    run = simulate(loaded("bazaar", ticks=5, tables=["ticks"], references="off"))
    assert len(run.ticks) == 6
    assert run.agents.empty
    assert run.trajectory.empty
    with pytest.raises(AssertionError):
        simulate(loaded("bazaar", ticks=5, tables=["agents"], references="off"))
    monkeypatch.undo()
    for place in ("market_block.bids", "market_block.adjoints", "agent_rows.AgentRows.known"):
        monkeypatch.setattr(f"simulator.records.{place}", refuse)
    simulate(loaded("crusoe", ticks=5, tables=["wedges"], references="off"))
    with pytest.raises(AssertionError):
        simulate(loaded("crusoe", ticks=5, tables=["trajectory"], references="off"))


@pytest.mark.parametrize(
    "name", ["crusoe", *(pytest.param(name, marks=pytest.mark.slow) for name in ("and_perceptron", "blueprint_saddle"))]
)
def test_figures_that_miss_a_table_are_left_out_as_well(name: str, shared: Any, tmp_path: Path) -> None:
    run = shared.run(name)
    drawn = {file.name: file.read_bytes() for file in run.plot(tmp_path / "whole")}
    for left_out in TABLES:
        kept = [table for table in TABLES if table != left_out]
        some = replace(run, summary={**run.summary, "tables": kept}, **{left_out: pd.DataFrame()})
        files = {file.name: file.read_bytes() for file in some.plot(tmp_path / left_out)}
        gone = {f"{figure}.png" for figure, tables in NEEDED.items() if left_out in tables}
        assert files.keys() == drawn.keys() - gone
        # Where equilibria are not told, their lines are not drawn.
        if left_out != "equilibrium":
            assert files == {name: drawn[name] for name in files}


@pytest.mark.parametrize(
    ("tables", "told"), [("", "files in"), ("equilibrium", "files in"), ("ticks", "files and figures in")]
)
def test_figures_are_promised_where_a_table_shows_something(tables: str, told: str, tmp_path: Path) -> None:
    kept = f"run.tables=[{tables}]"
    done = simulator("run", str(SHIPPED / "crusoe.yaml"), "--set", kept, "--set", "run.ticks=5", cwd=tmp_path)
    assert f"  {told} outputs" in done.stdout


def test_a_run_without_prices_is_shown_in_words() -> None:
    run = simulate(loaded("crusoe", ticks=5, tables=["equilibrium"]))
    assert run._repr_html_() == f"<p><b>crusoe</b>: {run.summary['sentence']}</p>"


@pytest.mark.parametrize(
    ("tables", "said"),
    [
        (["ticks", "trajectry"], "run.tables[1]: found 'trajectry'"),
        (["agents.csv"], "did you mean agents?"),
        (["prices"], "expected one of trajectory, ticks, agents, wedges, taxes, equilibrium, distribution, welfare"),
        ("trajectory", "did you mean [trajectory]?"),
        ("trajectories", "welfare; did you mean [trajectory]?"),
        ("all", "expected a list of trajectory, ticks, agents, wedges, taxes, equilibrium, distribution, welfare"),
        ("trajectory, agents.csv", "did you mean [trajectory, agents]?"),
    ],
)
def test_an_unknown_table_is_refused(tables: Any, said: str) -> None:
    with pytest.raises(ScenarioError) as refused:
        loaded("crusoe", tables=tables)
    assert said in str(refused.value)


def test_plot_and_compare_say_what_is_missing_and_what_to_write(tmp_path: Path) -> None:
    for place, tables in (("some", "[ticks]"), ("prices", "[trajectory, ticks]"), ("all", f"[{', '.join(TABLES)}]")):
        run = ("run", str(SHIPPED / "crusoe.yaml"), "--no-plots", "--quiet", "--out", place)
        assert simulator(*run, "--set", f"run.tables={tables}", cwd=tmp_path).returncode == 0
    drawn = simulator("plot", "some/crusoe", cwd=tmp_path)
    assert drawn.returncode == 0
    assert drawn.stdout.split() == ["some/crusoe/figures/convergence.png", "some/crusoe/figures/diagnostics.png"]
    assert drawn.stderr == (
        "some/crusoe: found no trajectory.csv, agents.csv, wedges.csv, equilibrium.csv, distribution.csv or "
        f"welfare.csv, which the run left out; expected run: {{tables: [{', '.join(TABLES)}]}}\n"
    )
    assert simulator("plot", "all/crusoe", cwd=tmp_path).stderr == ""
    refused = simulator("compare", "some/crusoe", "all/crusoe", cwd=tmp_path)
    assert (refused.returncode, refused.stderr) == (
        2,
        "some/crusoe: found no trajectory.csv, which the run left out; expected run: {tables: [trajectory, ticks]}\n",
    )
    assert simulator("compare", "prices/crusoe", "all/crusoe", "--no-plots", cwd=tmp_path).returncode == 0
    (tmp_path / "prices/crusoe/trajectory.csv").unlink()
    lost = simulator("plot", "prices/crusoe", cwd=tmp_path)
    assert (lost.returncode, "left out" in lost.stderr) == (2, False)


def test_a_figure_that_cannot_be_written_is_a_line_and_leaves_the_others_be(tmp_path: Path) -> None:
    run = ("run", str(SHIPPED / "crusoe.yaml"), "--set", "run.ticks=5", "--set", "expect=out_of_ticks")
    assert simulator(*run, "--no-plots", cwd=tmp_path).returncode == 0
    figures = tmp_path / "outputs/crusoe/figures"
    (figures / "convergence.png").mkdir(parents=True)
    again = simulator(*run, "--resume", cwd=tmp_path)
    assert (again.returncode, again.stderr.count("\n")) == (0, 1)
    assert again.stderr.endswith("; then simulator plot outputs/crusoe draws them\n")
    assert (figures / "prices.png").is_file()
    assert (figures / "diagnostics.png").is_file()
    rmtree(figures)
    figures.write_text("")
    again = simulator(*run, "--resume", cwd=tmp_path)
    assert again.returncode == 0
    assert again.stdout.startswith("        ")
    assert again.stderr.startswith("outputs/crusoe/figures: found a file; expected a folder for figures")


def test_plot_says_that_nothing_can_be_drawn(tmp_path: Path) -> None:
    run = ("run", str(SHIPPED / "crusoe.yaml"), "--set", "run.tables=[equilibrium]", "--no-plots", "--quiet")
    assert simulator(*run, cwd=tmp_path).returncode == 0
    drawn = simulator("plot", "outputs/crusoe", cwd=tmp_path)
    assert (drawn.returncode, drawn.stdout) == (0, "")
    assert drawn.stderr.endswith("outputs/crusoe: found no table that a figure is drawn from\n")


def goods_of(run: Any) -> dict[str, list[str]]:
    """The goods of each agent in agents.csv, the same in every tick."""
    found = defaultdict[tuple[int, str], list[str]](list)
    for tick, agent, good in run.agents[["tick", "agent", "good"]].itertuples(index=False):
        found[tick, agent].append(good)
    first = {agent: goods for (tick, agent), goods in found.items() if tick == 0}
    assert all(first[agent] == goods for (_, agent), goods in found.items())
    return first


TRADE: dict[str, Any] = {
    "goods": ["grain", "bread", "wine", "oil", "salt", "gold"],
    "supply": {"salt": 1, "oil": 1},
    "firms": [{"name": "baker", "makes": "bread = 2*sqrt(grain)"}],
    "consumers": [
        {"name": "ann", "endowment": {"grain": 2}, "utility": {"cobb_douglas": {"bread": 1, "wine": 1}}},
        {"name": "bob", "count": 3, "endowment": {"wine": 1}, "utility": {"cobb_douglas": {"bread": 1, "salt": 0}}},
        {"name": "cat", "budget": 5, "utility": {"linear": {"oil": 1, "salt": 2}}},
        {"name": "dan", "budget": 5, "utility": {"formula": "ln(1 + oil) + ln(1 + gold)"}, "endowment": {"gold": 1}},
    ],
    "scheduler": {"form": "additive", "rate": 0.01},
    "run": {"ticks": 4},
}


def test_agents_have_rows_of_what_they_own_want_use_or_make() -> None:
    assert goods_of(simulate(TRADE)) == {
        "baker": ["grain", "bread"],
        "ann": ["grain", "bread", "wine"],
        "bob:mean": ["bread", "wine"],
        "bob:total": ["bread", "wine"],
        "cat": ["oil", "salt"],
        "dan": ["oil", "gold"],
    }


def test_what_a_shock_brings_has_rows_from_the_first_tick_to_the_last() -> None:
    shocks = [
        {"tick": 2, "set": {"consumers.ann.endowment.salt": 1, "consumers.bob.utility.cobb_douglas.salt": 0.5}},
        {"tick": 3, "set": {"consumers.ann.endowment.grain": 0}},
    ]
    goods = goods_of(simulate(TRADE | {"shocks": shocks}))
    assert goods["ann"] == ["grain", "bread", "wine", "salt"]
    assert goods["bob:mean"] == ["bread", "wine", "salt"]


def test_of_drawn_members_a_cohort_has_what_any_of_them_has(tmp_path: Path) -> None:
    (tmp_path / "people.csv").write_text("wine,oil\n1,0\n0,2\n0,0\n")
    drawn = {good: {"csv": "people.csv", "column": good} for good in ("wine", "oil")}
    people = {"name": "folk", "endowment": drawn, "utility": {"cobb_douglas": {"bread": 1}}}
    (tmp_path / "market.yaml").write_text(json.dumps(TRADE | {"consumers": [people]}))
    assert goods_of(simulate(tmp_path / "market.yaml"))["folk:mean"] == ["bread", "wine", "oil"]


def test_of_a_taste_from_outside_every_good_has_a_row() -> None:
    market = market_of(load(TRADE))
    folk = replace(market.economy.consumers[0], utility=BARE)
    economy = replace(market.economy, consumers=(folk,))
    rows = AgentRows([economy], UserMarkets.of(economy.goods, {}))
    assert rows.keys["good"].tolist() == ["grain", "bread", *TRADE["goods"]]


PLANNED = [path.stem for path in sorted(SHIPPED.glob("*.yaml")) if isinstance(load(path).scheduler, Tatonnement)]


@pytest.mark.parametrize("name", PLANNED)
def test_no_good_that_is_left_out_is_had_or_traded(name: str) -> None:
    scenario = load(SHIPPED / f"{name}.yaml")
    firms = len(scenario.economy.firms)
    market, rows = market_of(scenario), AgentRows([scenario.economy], scenario.markets)
    for _ in range(12):
        market.advance()
        tick = tick_of(market)
        for number in range(len(scenario.economy.consumers)):
            left_out = ~np.isin(scenario.markets.good, rows.goods[firms + number])
            for quantities in (tick.consumption, tick.consumers_bought, tick.consumers_sold):
                assert not quantities[number : number + 1, left_out].any()


@pytest.mark.parametrize("name", ["bazaar", "chain_of_fifty", "program", "xor_two_layers"])
def test_what_is_kept_of_ticks_is_bounded_in_bytes(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every note is counted here, of which the recorder measures a few; tables are as wide as what they are of."""
    bound = 100_000
    monkeypatch.setattr("simulator.records.recorder.MOST_BYTES", bound)
    simulation, blocks = Simulation(loaded(name, ticks=300, stop="never", references="off")), 0
    for _ in simulation.ticks():
        recorder = simulation.recorder
        assert sum(map(held, recorder._notes)) <= 1.5 * bound
        if recorder.full:
            tables = recorder.tables()
            assert sum(table.values.nbytes for table in tables.values()) <= 3 * bound
            blocks += 1
    assert blocks > 1


def test_text_is_made_piece_by_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("simulator.records.table.PIECE", 12)
    ticks, goods, values = np.arange(7), names(["a", "b"]), np.arange(28.0).reshape(14, 2)
    pieces = list(Table({"tick": ticks}, {"good": goods}, ("x", "y"), values).lines())
    assert [piece.count("\n") for piece in pieces] == [6, 6, 2]
    lines = "".join(pieces).splitlines()
    assert lines == [f"{row // 2},{'ab'[row % 2]},{2 * row}.0,{2 * row + 1}.0" for row in range(14)]


@pytest.mark.parametrize(
    "name",
    ["bazaar", "scarf", "crusoe", "village", "fisher", "shared_labour", pytest.param("town", marks=pytest.mark.slow)],
)
def test_ticks_worked_out_once_more_are_what_they_were_to_the_last_bit(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The road that keeps ticks and takes their numbers out of tuples against the one that keeps the states before."""
    once_more = simulate(loaded(name, ticks=60))
    monkeypatch.setattr("simulator.records.market_view.FormulaUtility", object)
    kept = simulate(loaded(name, ticks=60))
    for table in TABLES:
        pd.testing.assert_frame_equal(getattr(once_more, table), getattr(kept, table), check_exact=True)


class Pair(NamedTuple):
    number: int
    parts: tuple[Any, ...]


def test_structures_in_floats_are_gathered_with_the_runs_in_front() -> None:
    runs = [Pair(1, ((1.0, 2.0), np.zeros(0), (3.0,))), Pair(2, ((6.0, 7.0), np.zeros(0), (8.0,)))]
    number, (prices, nothing, stock) = gathered(runs)
    assert number.tolist() == [1, 2]
    assert prices.tolist() == [[1.0, 2.0], [6.0, 7.0]]
    assert nothing.shape == (2, 0)
    assert stock.tolist() == [[3.0], [8.0]]


def test_runs_are_exactly_what_floats_give() -> None:
    def function(given: tuple[Any, ...]) -> Any:
        (x,) = given
        return np.exp(x) + np.log(np.abs(x)) ** 3 + np.tanh(x) * x**0.3 + np.log1p(np.abs(x))

    rows = np.random.default_rng(0).normal(size=(2000, 2)) * 3
    rows[0] = 0.0, 800.0
    floats = InFloats(function)
    alone = [floats((tuple(row),)) for row in rows.tolist()]
    np.testing.assert_array_equal(InRuns(function, exact=True)((rows,)), alone)
