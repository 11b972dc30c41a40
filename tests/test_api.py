"""The Python interface: the few names it exports, what they take, and what they return."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from matplotlib.figure import Figure
from threadpoolctl import threadpool_info, threadpool_limits

import simulator
from simulator import Run, Scenario, ScenarioError, load, simulate
from tests.house import Simulation, read_run, run_to_disk, save

TABLES = ("trajectory", "ticks", "agents", "wedges", "equilibrium")
CHAIN: dict[str, Any] = {
    "name": "chain",
    "goods": ["grain", "flour", "bread"],
    "outside": {"bread": 1},
    "supply": {"grain": 2},
    "firms": [
        {"name": "mill", "makes": "flour = sqrt(grain)"},
        {"name": "bakery", "makes": "bread = ln(1 + flour)"},
    ],
    "initial_prices": {"grain": 0.2, "flour": 0.3},
}


def equal(one: Run, other: Any) -> bool:
    return all(getattr(one, table).equals(getattr(other, table)) for table in TABLES)


def test_what_a_run_is() -> None:
    run = simulate(CHAIN)
    assert isinstance(run, Run)
    assert all(isinstance(getattr(run, table), pd.DataFrame) for table in TABLES)
    assert (run.name, run.summary["name"], run.summary["outcome"]) == ("chain", "chain", "cleared")
    first = run.trajectory[run.trajectory["tick"] == 0].set_index("good")["price"]
    assert first.to_dict() == {"grain": 0.2, "flour": 0.3, "bread": 1.0}
    assert run.ticks["tick"].tolist() == list(range(run.summary["ticks"] + 1))
    assert run.trajectory["price"].iloc[-3:].to_numpy() == pytest.approx(run.equilibrium["price"].to_numpy(), rel=1e-5)
    assert json.loads(json.dumps(run.summary)) == run.summary


def test_every_way_to_name_a_scenario_is_the_same_run(tmp_path: Path) -> None:
    run = simulate(CHAIN)
    path = tmp_path / "file.yaml"
    path.write_text(json.dumps(CHAIN))
    scenario = load(path)
    assert isinstance(scenario, Scenario)
    assert all(equal(run, simulate(source)) for source in (path, str(path), scenario, load(CHAIN), scenario.resolved))


def test_arguments_replace_the_scenario_s_own() -> None:
    for source in (CHAIN, load(CHAIN)):
        run = simulate(source, ticks=3, seed=11, references=False)
        assert (run.summary["outcome"], run.summary["ticks"], run.summary["seed"]) == ("out_of_ticks", 3, 11)
        assert run.summary["reference"] is None
        assert run.trajectory["adjoint"].isna().all()
        assert run.equilibrium.empty
    assert load(CHAIN).run.ticks == 1000


def test_a_run_in_memory_is_the_run_on_disk(tmp_path: Path) -> None:
    run = simulate(CHAIN)
    said = run_to_disk(load(CHAIN), tmp_path)
    read = read_run(tmp_path)
    for table in TABLES:
        pd.testing.assert_frame_equal(getattr(run, table), getattr(read, table), check_dtype=False, check_exact=True)
    assert read.summary == said
    assert {**run.summary, "wall_seconds": 0} == {**said, "wall_seconds": 0}


def test_a_run_draws_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    run = simulate(CHAIN, ticks=20)
    figures = run.plot()
    assert figures
    assert {path.parent for path in figures} == {Path("figures")}
    elsewhere = run.plot(tmp_path / "there", formats=("svg",))
    assert [path.name for path in elsewhere] == [path.with_suffix(".svg").name for path in figures]
    assert all(path.is_file() for path in [*figures, *elsewhere])


def test_a_figure_by_its_name_is_the_one_on_disk_and_shows_in_a_notebook(tmp_path: Path) -> None:
    run = simulate(CHAIN, ticks=20)
    files = run.plot(folder=tmp_path)
    for file in files:
        figure = run.plot(file.stem)
        assert isinstance(figure, Figure)
        save(figure, tmp_path / "again.png", "png")
        assert (tmp_path / "again.png").read_bytes() == file.read_bytes()
    shown: Any = run.plot("prices")
    assert shown._repr_png_()[:4] == b"\x89PNG"


def test_a_figure_that_cannot_be_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    run = simulate(CHAIN, ticks=3, settings={"run.tables": "[ticks]"})
    with pytest.raises(ValueError, match=r"unknown figure 'pirces'.*did you mean prices\?.*folder='pirces'"):
        run.plot("pirces")
    with pytest.raises(ValueError, match="figure network: this run has no trajectory and no agents"):
        run.plot("network")
    with pytest.raises(ValueError, match="figure held_out: this run gives nothing to see there"):
        simulate(CHAIN, ticks=3).plot("held_out")
    assert not [*tmp_path.iterdir()]


def test_prices_and_quantities_are_frames_of_ticks_by_goods() -> None:
    run = simulate(CHAIN, ticks=20, settings={"run.record_every": 5})
    columns = {"price": run.prices, **{name: getattr(run, name) for name in ("demand", "supply", "excess_demand")}}
    for column, frame in columns.items():
        assert frame.index.tolist() == [0, 5, 10, 15, 20]
        assert frame.columns.tolist() == ["grain", "flour", "bread"]
        assert frame.to_numpy().ravel().tolist() == run.trajectory[column].tolist()
    assert (run.demand - run.supply).equals(run.excess_demand)
    assert simulate(CHAIN, ticks=2, settings={"run.tables": []}).prices.empty


def test_settings_are_those_of_the_command_line() -> None:
    settings = {"firms.mill.makes": "flour = 2*sqrt(grain)", "run.ticks": "4", "supply.grain": 3}
    for source in (CHAIN, load(CHAIN)):
        run = simulate(source, settings=settings, references=False)
        assert equal(run, simulate(load(CHAIN, settings={**settings, "run.references": "off"})))
        assert run.summary["ticks"] == 4
    assert simulate(CHAIN, settings={"run.ticks": 4}, ticks=2).summary["ticks"] == 2
    with pytest.raises(ScenarioError, match=r"did you mean run\.ticks"):
        simulate(CHAIN, settings={"run.tick": 4})


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"engine": "arrays"}, "settings={'run.engine': 'arrays'}?"),
        ({"rate": 0.2}, "settings={'scheduler.rate': 0.2}?"),
        ({"numeraire": "bread"}, "settings={'numeraire': 'bread'}?"),
        ({"tick": 3}, "ticks?"),
    ],
)
def test_an_argument_that_is_a_setting_is_told_how_to_write_it(given: dict[str, Any], said: str) -> None:
    with pytest.raises(TypeError) as refused:
        simulate(CHAIN, **given)
    assert str(refused.value).endswith(f"did you mean {said}")


def test_mistakes_have_a_place_and_one_line_each(tmp_path: Path) -> None:
    path = tmp_path / "wrong.yaml"
    path.write_text("goods: [a, b]\nsuply: {a: 1}\nfirms:\n  - {name: f, makes: 'b = 2*c'}\n")
    with pytest.raises(ScenarioError) as refused:
        simulate(path)
    lines = str(refused.value).splitlines()
    assert len(lines) == len(refused.value.problems) == 2
    assert [(problem.line, problem.path) for problem in refused.value.problems] == [(2, "suply"), (4, "firms.f.makes")]
    for wrong in ({**CHAIN, "run": {"ticks": -1}}, {}, tmp_path / "no_such.yaml"):
        with pytest.raises(ScenarioError):
            simulate(wrong)
    with pytest.raises(ScenarioError, match=r"run\.ticks"):
        simulate(CHAIN, ticks=-5)


def test_the_exported_names_are_there_and_no_others() -> None:
    assert all(getattr(simulator, name).__name__ == name for name in simulator.__all__)
    with pytest.raises(AttributeError, match="simulator"):
        _ = simulator.simulations  # pyright: ignore[reportAttributeAccessIssue]  (that is the point)


def test_what_there_is_to_import_can_be_looked_up() -> None:
    assert [*dir(simulator)] == sorted([*simulator.__all__, "__version__"])
    assert simulator.__version__ == version("market-simulator")


def test_importing_the_package_imports_nothing_heavy() -> None:
    code = "import simulator, sys; print({'numpy', 'mesa', 'pandas', 'typer', 'pydantic'} & set(sys.modules))"
    root = Path(simulator.__file__).parents[1]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


def test_a_notebook_shows_the_sentence_and_the_last_prices() -> None:
    scenario = {
        "name": "odd",
        "goods": {"a": {"price": 2}, "b": {}},
        "supply": {"a": 1, "b": 2},
        "consumers": [{"name": "h", "budget": 3, "utility": {"cobb_douglas": {"a": 1, "b": 1}}}],
    }
    run = simulate(scenario)
    shown = run._repr_html_()
    assert run.summary["sentence"].replace("'", "&#x27;") in shown
    assert "<td>1.5</td>" in shown
    assert "<td>0.75</td>" in shown
    assert "script" not in shown
    assert "equilibrium" in shown
    assert "<th>equilibrium</th>" not in simulate(scenario, references=False)._repr_html_()


def test_in_memory_too_linear_algebra_keeps_to_one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    def threads() -> set[int]:
        return {library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"}

    seen: list[set[int]] = []
    ticks = Simulation.ticks
    monkeypatch.setattr(Simulation, "ticks", lambda self: (seen.append(threads()), ticks(self))[1])
    with threadpool_limits(2, "blas"):
        before = threads()
        simulate(CHAIN, ticks=2)
        assert threads() == before
    if before != {2}:  # A build without threads, or one that threadpoolctl cannot ask (Apple's).
        pytest.skip(f"linear algebra here knows no threads: {before}")
    assert seen
    assert all(each == {1} for each in seen)
