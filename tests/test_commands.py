"""The command line as a user types it: what it prints, what it writes, and its exit codes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from simulator import simulate
from tests.house import load, most_rows, scenario_schema
from tests.program import simulator

SCENARIOS = Path(__file__).parents[1] / "scenarios"
TUPPERWARE = str(SCENARIOS / "tupperware.yaml")
COMMANDS = (
    "run",
    "plot",
    "compare",
    "check",
    "solve",
    "perturb",
    "tune",
    "compile",
    "calibrate",
    "list",
    "schema",
    "new",
)
CRUSOE = str(SCENARIOS / "crusoe.yaml")


def test_a_run_prints_its_sentence_and_leaves_its_files(tmp_path: Path) -> None:
    done = simulator("run", TUPPERWARE, cwd=tmp_path)
    assert done.returncode == 0
    assert "Cleared after" in done.stdout
    assert "equals its bid and the derivative" in done.stdout
    folder = tmp_path / "outputs" / "tupperware"
    files = {path.name for path in folder.iterdir()}
    tables = {f"{table}.csv" for table in ("trajectory", "ticks", "agents", "wedges", "equilibrium")}
    tables |= {"distribution.csv", "welfare.csv"}
    assert files == tables | {"summary.json", "scenario.yaml", "state.npz", "figures"}
    drawn = {path.name: path.read_bytes() for path in (folder / "figures").iterdir()}
    figures = ("prices", "three_prices", "convergence", "quantities", "wedges", "network", "welfare", "diagnostics")
    assert set(drawn) == {f"{name}.png" for name in figures}
    for figure in drawn:
        (folder / "figures" / figure).unlink()
    assert simulator("plot", str(folder)).returncode == 0
    assert {path.name: path.read_bytes() for path in (folder / "figures").iterdir()} == drawn


def test_an_existing_run_is_not_silently_overwritten(tmp_path: Path) -> None:
    arguments = ("run", CRUSOE, "--no-plots", "--quiet", "--out", str(tmp_path))
    assert simulator(*arguments).returncode == 0
    before = (tmp_path / "crusoe" / "summary.json").read_bytes()
    refused = simulator(*arguments)
    assert refused.returncode == 2
    assert "--overwrite" in refused.stderr
    assert (tmp_path / "crusoe" / "summary.json").read_bytes() == before
    assert simulator(*arguments, "--overwrite").returncode == 0
    assert (tmp_path / "crusoe" / "summary.json").read_bytes() != before


def test_a_run_that_ends_otherwise_says_so(tmp_path: Path) -> None:
    done = simulator("run", TUPPERWARE, "--ticks", "5", "--no-plots", "--json", "--out", str(tmp_path))
    assert done.returncode == 3
    summary = json.loads(done.stdout)
    assert (summary["outcome"], summary["ticks"]) == ("out_of_ticks", 5)
    assert (tmp_path / "tupperware" / "trajectory.csv").exists()


def test_the_largest_exit_code_wins_and_jobs_do_not_change_a_byte(tmp_path: Path) -> None:
    both = ("run", TUPPERWARE, CRUSOE, "--set", "run.ticks=60", "--no-plots", "--json")
    alone = simulator(*both, "--out", str(tmp_path / "alone"))
    together = simulator(*both, "--out", str(tmp_path / "together"), "--jobs", "2")
    assert alone.returncode == together.returncode == 3
    assert [summary["outcome"] for summary in json.loads(alone.stdout)] == ["out_of_ticks", "cleared"]
    for path in (tmp_path / "alone").rglob("*.csv"):
        assert path.read_bytes() == (tmp_path / "together" / path.relative_to(tmp_path / "alone")).read_bytes()


def test_workers_read_the_files_that_scenarios_read(tmp_path: Path) -> None:
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "people.csv").write_text("income\n1\n2\n4.5\n")
    for name, share in (("a", 1), ("b", 3)):
        (tmp_path / "files" / f"{name}.yaml").write_text(
            f"goods: [x, y]\nsupply: {{x: 5, y: 5}}\nconsumers:\n"
            f"  - {{name: people, utility: {{cobb_douglas: {{x: {share}, y: 2}}}}, "
            f"budget: {{csv: people.csv, column: income}}}}\n"
        )
    checked = simulator("check", "files", cwd=tmp_path)
    assert checked.stdout.splitlines()[0].endswith("ok: a, 2 goods, 3 consumers")
    for jobs in ("1", "2"):
        done = simulator("run", "files", "--no-plots", "--quiet", "--jobs", jobs, "--out", f"out{jobs}", cwd=tmp_path)
        assert (done.returncode, done.stderr) == (0, "")
    for path in (tmp_path / "out1").rglob("*.csv"):
        assert path.read_bytes() == (tmp_path / "out2" / path.relative_to(tmp_path / "out1")).read_bytes()


def test_nothing_runs_if_one_scenario_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "wrong.yaml").write_text('goods: [a, b]\nfirms:\n  - {name: f, makes: "b = 2*a"}\n')
    done = simulator("run", CRUSOE, str(tmp_path / "wrong.yaml"), "--out", str(tmp_path / "out"))
    assert done.returncode == 2
    assert done.stderr.startswith(f"{tmp_path / 'wrong.yaml'}:3:")
    assert "constant returns" in done.stderr
    assert not (tmp_path / "out").exists()


def test_folders_and_globs(tmp_path: Path) -> None:
    checked = simulator("check", str(SCENARIOS))
    assert checked.returncode == 0
    assert len(checked.stdout.splitlines()) == len(list(SCENARIOS.glob("*.yaml")))
    assert len(simulator("check", str(SCENARIOS / "tupper*.yaml")).stdout.splitlines()) == 2
    assert simulator("check", CRUSOE, CRUSOE).returncode == 2


def test_a_folder_of_runs_is_no_run(tmp_path: Path) -> None:
    for name in ("one", "two"):
        assert simulator("run", CRUSOE, "--no-plots", "--quiet", "--set", f"name={name}", cwd=tmp_path).returncode == 0
    done = simulator("plot", "outputs", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.rstrip().endswith(f"did you mean {Path('outputs')}/*?")
    drawn = simulator("plot", "outputs/*", "--format", "svg", cwd=tmp_path)
    assert drawn.returncode == 0
    assert {Path(line).parts[1] for line in drawn.stdout.splitlines()} == {"one", "two"}


def test_solve_finds_what_the_market_finds(tmp_path: Path) -> None:
    done = simulator("solve", str(SCENARIOS / "bazaar.yaml"), "--json", cwd=tmp_path)
    assert done.returncode == 0
    (found,) = json.loads(done.stdout)["found"]
    assert found["price"]["payoff2"] == pytest.approx(14 / 43, rel=1e-12)
    assert found["adjoint"] == pytest.approx(found["price"], rel=1e-12)
    assert (found["index"], found["stable"]) == (1, True)
    assert "index +1" in simulator("solve", CRUSOE, cwd=tmp_path).stdout


def test_perturb_says_what_moves_prices_most() -> None:
    bazaar, three = str(SCENARIOS / "bazaar.yaml"), str(SCENARIOS / "three_equilibria.yaml")
    told = json.loads(simulator("perturb", bazaar, "--json", "--norm", "sup", "--random", "5").stdout)
    assert told["resolved_amplification"] == pytest.approx(told["amplification"], rel=0.01)
    assert set(map(abs, told["changes"].values())) == {0.01}
    done = simulator("perturb", bazaar, "--change", "tastes", "--random", "5")
    assert "consumers.consumer1.shares.payoff1" in done.stdout
    for arguments, said in (
        ([three], "found 3 equilibria; expected --equilibrium N, from 1 to 3 as solve counts them"),
        ([three, "--equilibrium", "4"], "--equilibrium: found 4; expected 1 to 3"),
        ([bazaar, "--size", "0"], "--size: found 0; expected"),
        ([bazaar, "--norm", "l1"], "--norm: found 'l1'; expected one of l2, sup"),
        ([str(SCENARIOS / "dot_product.yaml")], "found marginal_bids"),
        ([TUPPERWARE, "--change", "tastes"], "found nothing to change"),
    ):
        done = simulator("perturb", *arguments)
        assert done.returncode == 2
        assert said in done.stderr
        assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["run"], "SCENARIO"),
        (["runn", CRUSOE], "did you mean run?"),
        (["run", CRUSOE, "--tick", "3"], "did you mean --ticks?"),
        (["run", "no_such.yaml"], "no_such.yaml"),
        (["run", CRUSOE, "--set", "run.tick=3"], "ticks"),
        (["run", CRUSOE, "--set", "run.ticks"], "PATH=VALUE"),
        (["run", CRUSOE, "--ticks", "many"], "--ticks"),
        (["run", CRUSOE, "--ticks", "-1"], "--ticks"),
        (["run", CRUSOE, "--format", "gif"], "png, svg or pdf"),
        (["run", CRUSOE, "--jobs", "0"], "--jobs"),
        (["run", CRUSOE, "--resume", "--overwrite"], "--resume"),
        (["plot", "."], "trajectory.csv"),
        (["plot", "no_such"], "no_such: no such folder"),
        (["plot", str(SCENARIOS.parent)], "trajectory.csv"),
        (["check", str(SCENARIOS / "crusoe")], f"did you mean {CRUSOE}?"),
        (["run", CRUSOE, "--out", CRUSOE], "--out: found the file"),
        (["new"], "NAME"),
        (["lst"], "did you mean list?"),
        (["check", str(SCENARIOS.parent / "docs" / "tupperware.png")], "tupperware.png"),
    ],
    ids=lambda value: " ".join(Path(part).name for part in value) if isinstance(value, list) else "",
)
def test_mistakes_are_one_plain_line(arguments: list[str], said: str, tmp_path: Path) -> None:
    done = simulator(*arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert said in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert not list(tmp_path.iterdir())


def test_the_schema_of_scenarios_is_printed_whole() -> None:
    done = simulator("schema")
    assert (done.returncode, done.stderr) == (0, "")
    schema = json.loads(done.stdout)
    assert schema == json.loads(json.dumps(scenario_schema()))
    assert {"goods", "firms", "consumers", "scheduler", "run", "expect"} <= set(schema["properties"])
    assert schema["additionalProperties"] is False
    assert all("description" in entry for entry in schema["properties"].values())


def test_a_new_scenario_runs_and_clears_and_is_never_written_over(tmp_path: Path) -> None:
    done = simulator("new", "first.market", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, "wrote first.market.yaml\nnext: simulator run first.market.yaml\n")
    text = (tmp_path / "first.market.yaml").read_text()
    assert max(map(len, text.splitlines())) <= 120
    again = simulator("new", "first.market.yaml", cwd=tmp_path)
    assert (again.returncode, again.stderr) == (2, "first.market.yaml: found a file; expected a name that is free\n")
    assert (tmp_path / "first.market.yaml").read_text() == text
    ran = simulator("run", "first.market.yaml", "--no-plots", "--json", cwd=tmp_path)
    assert (ran.returncode, json.loads(ran.stdout)["outcome"]) == (0, "cleared")
    assert json.loads(ran.stdout)["name"] == "first.market"


def test_a_new_scenario_may_be_called_anything_a_scenario_may(tmp_path: Path) -> None:
    for name in ("1e5", "null", "no", "007", "x" * 100):
        assert simulator("new", name, "--out", "some where", cwd=tmp_path).returncode == 0
    said = simulator("new", "last", "--out", "some where", cwd=tmp_path).stdout.splitlines()[1]
    assert said == "next: simulator run 'some where/last.yaml'"
    checked = simulator("check", "some where", cwd=tmp_path)
    assert (checked.returncode, len(checked.stdout.splitlines())) == (0, 6)


@pytest.mark.parametrize("name", ["", ".x", "-x", "a b", "a/b", "../a", "ü²", "x" * 101, ".yaml"])
def test_what_cannot_be_a_name_becomes_no_file(name: str, tmp_path: Path) -> None:
    done = simulator("new", "--", name, cwd=tmp_path)
    assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (2, "", 1)
    assert not list(tmp_path.iterdir())


def test_a_run_that_may_write_many_rows_says_how_many_first(tmp_path: Path) -> None:
    run = ("run", CRUSOE, "--no-plots", "--out", str(tmp_path), "--overwrite", "--ticks", "6000000")
    done = simulator(*run)
    assert done.returncode == 0
    assert done.stderr == (
        "crusoe: writes at most 12,000,002 rows to trajectory.csv, 24,000,004 rows to agents.csv; "
        "--set run.record_every=5 writes fewer\n"
    )
    assert simulator(*run, "--json").stderr == done.stderr
    assert simulator(*run, "--quiet").stderr == ""
    assert simulator(*run, "--set", "run.record_every=5").stderr == ""


def test_a_good_that_is_not_rival_is_checked_as_one_good() -> None:
    said = simulator("check", str(SCENARIOS / "two_roads_planned.yaml")).stdout
    assert said.endswith("ok: two_roads_planned, 7 goods, 5 firms\n")


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("village", {}),
        ("village", {"run.goods": ["wine"], "run.agents": ["families"]}),
        ("town", {"run.members": {"households": [0, 5, 90]}, "run.agents": ["households"]}),
        ("program", {}),
        ("program", {"run.goods": ["x"]}),
        ("two_roads_planned", {}),
        ("two_roads_planned", {"run.goods": ["plan", "car"]}),
        ("blueprint_saddle", {}),
        ("logit_contracts", {}),
        ("xor_two_layers", {}),
    ],
)
def test_as_many_rows_are_written_as_was_said_at_most(name: str, kept: dict[str, object]) -> None:
    whole = {"run.ticks": 7, "run.record_every": 3, "run.stop": "never", "run.references": "off", **kept}
    scenario = load(SCENARIOS / f"{name}.yaml", settings=whole)
    run = simulate(scenario)
    tables = {"trajectory.csv": run.trajectory, "agents.csv": run.agents, "wedges.csv": run.wedges}
    tables |= {"members.csv": run.members} if "run.members" in kept else {}
    assert most_rows(scenario) == {file: len(table) for file, table in tables.items()}


def test_the_shell_completes_commands_and_options_on_request() -> None:
    for words, meant in (("simulator compa", "compare"), ("simulator run --over", "--overwrite")):
        asked = {"_SIMULATOR_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": str(words.count(" "))}
        done = subprocess.run(
            [sys.executable, "-m", "simulator"],
            env=os.environ | asked,
            cwd=SCENARIOS.parent,
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stdout.split() == [meant]
    assert "--install-completion" in simulator("--help").stdout


def test_version_anywhere() -> None:
    assert simulator("run", CRUSOE, "--version").stdout.startswith("simulator ")


@pytest.mark.parametrize("command", [[], *([name] for name in COMMANDS)], ids=" ".join)
def test_help(command: list[str]) -> None:
    done = simulator(*command, "--help")
    assert done.returncode == 0
    assert done.stdout.startswith("Usage: simulator")


@pytest.mark.parametrize(
    ("arguments", "absent"),
    [
        (["--help"], ("numpy", "pydantic", "mesa", "pandas", "scipy", "matplotlib", "rich")),
        (["list", "columns"], ("mesa", "pandas", "scipy", "matplotlib", "rich")),
        (["list"], ("mesa", "pandas", "scipy", "matplotlib", "rich")),
        (["schema"], ("mesa", "pandas", "scipy", "matplotlib", "rich")),
        (["check", TUPPERWARE], ("mesa", "pandas", "scipy", "matplotlib", "rich")),
        (["solve", TUPPERWARE], ("mesa", "pandas", "matplotlib", "rich")),
    ],
    ids=["help", "list columns", "list", "schema", "check", "solve"],
)
def test_a_command_imports_no_more_than_it_needs(arguments: list[str], absent: tuple[str, ...], tmp_path: Path) -> None:
    script = (
        "import sys\nfrom simulator.cli import main\nsys.argv = ['simulator', *sys.argv[1:]]\n"
        "try:\n    main()\nexcept SystemExit as end:\n    assert not end.code\n"
        f"print([name for name in {absent!r} if name in sys.modules], file=sys.stderr)\n"
    )
    arguments = [*arguments, "--out", str(tmp_path)] if arguments[0] == "solve" else arguments
    done = subprocess.run([sys.executable, "-c", script, *arguments], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "[]"
