"""Kinds from outside: the documented examples, two roads to one answer, entry points, and what is refused."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from pydantic import Field

from simulator import Plugins, Run, ScenarioError, simulate
from simulator.economics.production import Production
from simulator.economics.technology import FormulaTechnology, Plan
from simulator.run import run_to_disk
from simulator.scenario import load
from tests.house import Amounts, Entry, Reader

PAGE = Path(__file__).parents[1] / "docs" / "how-to" / "add-a-kind.md"
EXAMPLES = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
NAMES = ["SquareRoots", "Saturating", "Mix", "Doubt", "Inertia"]


@pytest.fixture(scope="module")
def page() -> dict[str, dict[str, Any]]:
    """What each example of the page defines, by the class it is about."""
    found: dict[str, dict[str, Any]] = {}
    for name, example in zip(NAMES, EXAMPLES, strict=True):
        # A dataclass looks for its module.
        space: dict[str, Any] = {"__name__": __name__}
        exec(compile(example, str(PAGE), "exec", dont_inherit=True), space)
        found[name] = space
    return found


def last_prices(run: Run) -> np.ndarray:
    rows = run.trajectory[run.trajectory["tick"] == run.trajectory["tick"].max()]
    return rows["price"].to_numpy()


@pytest.mark.parametrize("name", NAMES)
def test_the_examples_run_and_clear(name: str, page: dict[str, dict[str, Any]]) -> None:
    run = page[name]["run"]
    assert run.summary["outcome"] == "cleared"
    assert run.summary["price_gap"] < 1e-4
    assert run.summary["adjoint_gap"] < 1e-4


def test_a_utility_that_the_language_has_too_gives_the_same_run(page: dict[str, dict[str, Any]]) -> None:
    market = deepcopy(page["SquareRoots"]["market"])
    weights = market["consumers"][0]["utility"]["square_roots"]
    own, parameters = page["SquareRoots"]["run"], {"elasticity": 2, **weights}
    # Weights of the same name are drawn from the same stream only under the same path.
    parameters["weights"] = {"bread": 2, "wine": 2}
    market["consumers"][0]["utility"] = {"ces": parameters}
    theirs = simulate(market)
    market["consumers"][0]["utility"] = {"square_roots": {"weights": parameters["weights"]}}
    ours = simulate(market, plugins=Plugins(utilities={"square_roots": page["SquareRoots"]["SquareRoots"]}))
    np.testing.assert_allclose(ours.trajectory["price"], theirs.trajectory["price"], rtol=1e-12)
    # On the way it matters how utility is counted, at the end it does not.
    np.testing.assert_allclose(ours.trajectory["adjoint"][-2:], theirs.trajectory["adjoint"][-2:], rtol=1e-6)
    np.testing.assert_allclose(ours.equilibrium["price"], theirs.equilibrium["price"], rtol=1e-9)
    assert len(own.trajectory["price"].unique()) > 10


def test_a_technology_that_the_language_has_too_gives_the_same_run(page: dict[str, dict[str, Any]]) -> None:
    market = deepcopy(page["Saturating"]["market"])
    del market["firms"][0]["technology"]
    market["firms"][0]["makes"] = "bread = 4*(1 - exp(-labour/2))"
    ours, theirs = page["Saturating"]["run"], simulate(market)
    for column in ("price", "supply", "bid", "adjoint", "gradient_price"):
        np.testing.assert_allclose(ours.trajectory[column], theirs.trajectory[column], rtol=1e-7)
    np.testing.assert_allclose(ours.equilibrium["price"], theirs.equilibrium["price"], rtol=1e-8)


def test_production_derives_what_the_formula_says() -> None:
    from simulator.formulas.formula import parse

    @dataclass(frozen=True)
    class Roots(Production):
        scale: np.ndarray

        def output_of_one(self, inputs: np.ndarray) -> np.ndarray:
            return self.scale * (np.sqrt(inputs[..., 0]) + 2 * np.sqrt(inputs[..., 1]))

        def best_response_of_one(self, price: float, input_prices: np.ndarray) -> np.ndarray:
            return (price * self.scale[:, None] * np.array([1.0, 2.0]) / (2.0 * input_prices)) ** 2

    input_prices, inputs = np.array([0.7, 1.3]), np.array([[2.0, 0.4]])
    own, formula = Roots(np.ones(1)), FormulaTechnology(parse("x^0.5 + 2*y^0.5"), count=3)
    object.__setattr__(own, "count", 3)
    plan, expected = (kind.best_response(1.7, list(input_prices), inputs) for kind in (own, formula))
    np.testing.assert_allclose(plan.inputs, expected.inputs, rtol=1e-10)
    np.testing.assert_allclose(plan.output, expected.output, rtol=1e-10)
    np.testing.assert_allclose(
        own.profit(1.7, input_prices, inputs)[0], formula.profit(1.7, input_prices, inputs)[0], rtol=1e-10
    )
    np.testing.assert_allclose(
        own.marginal_product(inputs, input_prices), formula.marginal_product(inputs, input_prices), rtol=1e-8
    )
    at = expected.inputs
    np.testing.assert_allclose(
        own.supply_slope(1.7, input_prices, at), formula.supply_slope(1.7, input_prices, at), rtol=1e-7, atol=1e-9
    )


def test_a_piece_changes_the_way_and_not_the_end(page: dict[str, dict[str, Any]]) -> None:
    market = deepcopy(page["Doubt"]["market"])
    del market["scheduler"]["with"]
    plain, doubting = simulate(market), page["Doubt"]["run"]
    assert doubting.summary["ticks"] < plain.summary["ticks"]
    np.testing.assert_allclose(last_prices(doubting), last_prices(plain), rtol=1e-5)


def test_a_behaviour_changes_the_way_and_not_the_end(page: dict[str, dict[str, Any]]) -> None:
    inertia = Plugins(behaviours={"inertia": page["Inertia"]["Inertia"]})
    market = deepcopy(page["Inertia"]["market"])
    plain = deepcopy(market)
    for firm, best in zip(market["firms"], plain["firms"], strict=True):
        firm["behaviour"] = {"inertia": {"speed": 1}}
        del best["behaviour"]
    reference = simulate(plain)
    at_once = simulate(market, plugins=inertia)
    np.testing.assert_allclose(at_once.trajectory["price"], reference.trajectory["price"], rtol=1e-12)
    slow = page["Inertia"]["run"]
    assert not np.isclose(slow.trajectory["price"].iloc[40], reference.trajectory["price"].iloc[40], rtol=1e-4)
    np.testing.assert_allclose(last_prices(slow), last_prices(reference), rtol=1e-5)


def test_a_run_with_kinds_from_outside_resumes_to_the_same_bytes(
    page: dict[str, dict[str, Any]], tmp_path: Path
) -> None:
    plugins = Plugins(rule_pieces={"doubt": page["Doubt"]["Doubt"]})
    scenario = load({**page["Doubt"]["market"], "name": "doubt"}, plugins=plugins)
    run_to_disk(scenario, tmp_path / "whole")
    seen = 0

    def stop() -> bool:
        nonlocal seen
        seen += 1
        return seen > 30

    run_to_disk(scenario, tmp_path / "parts", stopped=stop)
    run_to_disk(scenario, tmp_path / "parts", resume=True)
    for file in ("trajectory.csv", "ticks.csv", "agents.csv"):
        assert (tmp_path / "whole" / file).read_bytes() == (tmp_path / "parts" / file).read_bytes()


def test_a_shock_reaches_the_parameters_of_a_kind_from_outside(page: dict[str, dict[str, Any]]) -> None:
    market = deepcopy(page["Saturating"]["market"])
    market["shocks"] = [{"tick": 60, "set": {"firms.bakers.technology.saturating.capacity": {"times": 0.5}}}]
    market["run"] = {"stop": "never", "ticks": 400}
    run = simulate(market, plugins=Plugins(technologies={"saturating": page["Saturating"]["Saturating"]}))
    supply = run.trajectory[run.trajectory["good"] == "bread"].set_index("tick")["supply"]
    assert supply[60] < 0.8 * supply[59]
    assert run.summary["outcome"] == "cleared"


class Answer:
    """Answers with the wrong shape, or raises."""

    size = 1

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error

    def demand(self, prices: np.ndarray, income: np.ndarray) -> np.ndarray:
        if self.error is not None:
            raise self.error
        return income


class Odd(Entry):
    meaning: ClassVar[str] = "answers with the wrong shape"
    weights: Amounts = Field(description="weights, by good")

    def build(self, read: Reader) -> Any:
        read.table(self.weights, "weights")
        return Answer()


class Broken(Odd):
    def build(self, read: Reader) -> Any:
        return Answer(ZeroDivisionError("no weights"))


ODD = Plugins(utilities={"odd": Odd, "broken": Broken})


@pytest.mark.parametrize(
    ("utility", "parts"),
    [
        (
            {"odd": {"weight": {"bread": 1}}},
            ["unknown key 'weight'", "did you mean weights?"],
        ),
        ({"odd": {}}, ["consumers.c.utility.odd.weights: missing key weights; expected weights, by good"]),
        ({"odd": {"weights": {"bred": 1}}}, ["unknown good 'bred'", "did you mean bread?"]),
        ({"odd": {"weights": {"bread": {"uniform": [1]}}}}, ["weights.bread.uniform"]),
        ({"odd": {"weights": {"bread": {"uniform": [1, 2]}}}}, ["a distribution for a single agent"]),
        ({"odd": {"weights": {"bread": 1}}}, ["array of shape (1,) for demand(prices, income); expected (1, 2)"]),
        ({"broken": {"weights": {"bread": 1}}}, ["refused by its own code: ZeroDivisionError: no weights"]),
        ({"odds": {"weights": {"bread": 1}}}, ["unknown kind 'odds'"]),
        ({"odd": {"weights": {"bread": None}}}, ["found nothing"]),
        ({"odd": {"weights": {"bread": 1}}, "ces": {}}, ["found odd and ces; expected one of"]),
    ],
)
def test_mistakes_are_told_with_their_place(utility: dict[str, Any], parts: list[str]) -> None:
    market = {
        "goods": ["bread", "wine"],
        "consumers": [{"name": "c", "utility": utility, "endowment": {"wine": 1}}],
    }
    with pytest.raises(ScenarioError) as caught:
        load(market, plugins=ODD)
    for part in parts:
        assert part in str(caught.value)


@pytest.mark.parametrize(
    ("technology", "parts"),
    [
        ({"input": "labour", "capacity": 1, "scale": 1}, ["missing key output; expected the good made"]),
        ({"output": "bread", "capacity": 1, "scale": 1}, ["missing key input"]),
        (
            {"output": "bread", "input": "labor", "capacity": 1, "scale": 1},
            ["saturating.input", "did you mean labour?"],
        ),
        ({"output": "bread", "input": "labour", "capacity": 0, "scale": 1}, ["found 0; expected a number above 0"]),
        ({"output": "bread", "input": "labour", "capacity": 1}, ["missing key scale"]),
    ],
)
def test_mistakes_in_a_technology(
    technology: dict[str, Any], parts: list[str], page: dict[str, dict[str, Any]]
) -> None:
    market = deepcopy(page["Saturating"]["market"])
    market["goods"].append("wine")
    market["firms"][0]["technology"]["saturating"] = technology
    with pytest.raises(ScenarioError) as caught:
        load(market, plugins=Plugins(technologies={"saturating": page["Saturating"]["Saturating"]}))
    for part in parts:
        assert part in str(caught.value)


def test_constant_returns_from_outside_are_those_of_the_language(page: dict[str, dict[str, Any]]) -> None:
    market, own = deepcopy(page["Mix"]["market"]), page["Mix"]["run"]
    market["firms"][0]["technology"] = {
        "cobb_douglas": {"output": "bread", "productivity": 2, "inputs": {"labour": 0.5, "grain": 0.5}}
    }
    run = simulate(market)
    assert run.ticks.shape == own.ticks.shape
    np.testing.assert_allclose(run.trajectory["price"], own.trajectory["price"], rtol=1e-12)
    np.testing.assert_allclose(run.agents["level"], own.agents["level"], rtol=1e-12)


@pytest.mark.parametrize(
    ("method", "answer", "said"),
    [
        ("at_level", Plan(np.ones(2), np.ones(1)), "the plan at_level(1)'s inputs"),
        ("unit_cost", (1.0, None), "found a float for the cost of unit_cost(prices); expected an array of shape (1,)"),
        ("cost_slope", np.zeros((1, 2)), "cost_slope(prices, level)"),
    ],
)
def test_constant_returns_from_outside_are_tried_at_a_level(
    method: str, answer: Any, said: str, page: dict[str, dict[str, Any]]
) -> None:
    odd = type("Odd", (page["Mix"]["Mixing"],), {method: lambda *_: answer})
    kind = type("Mix", (page["Mix"]["Mix"],), {"build": lambda self, read: odd(np.ones(1))})
    with pytest.raises(ScenarioError) as caught:
        load(page["Mix"]["market"], plugins=Plugins(technologies={"mix": kind}))
    assert "firms.bakers.technology" in str(caught.value)
    assert said in str(caught.value)


def test_a_name_of_the_language_cannot_be_taken() -> None:
    with pytest.raises(ValueError, match="a kind 'ces' already"):
        Plugins(utilities={"ces": Odd})
    with pytest.raises(ValueError, match="cannot name a kind"):
        Plugins(utilities={"a.b": Odd})


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A folder in which a package with the page's examples is installed."""
    code = "\n".join(example.partition("\nmarket = ")[0] for example in EXAMPLES)
    code = "from __future__ import annotations\n" + code
    (tmp_path / "my_package.py").write_text(code, encoding="utf-8")
    points = re.search(r"```toml\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert points is not None
    lines = points[1].replace("project.entry-points.", "").replace('"', "")
    extra = "[market_simulator.behaviours]\ngone = my_package:Gone\n"
    meta = tmp_path / "my_package-1.0.dist-info"
    meta.mkdir()
    (meta / "METADATA").write_text("Metadata-Version: 2.1\nName: my-package\nVersion: 1.0\n")
    (meta / "entry_points.txt").write_text(lines.replace("[market_simulator.behaviours]\n", extra))
    return tmp_path


def called(package: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    root = str(Path(__file__).parents[1])
    path = {"PYTHONPATH": f"{package}:{root}", "PATH": "/usr/bin:/bin"}
    command = [sys.executable, "-m", "simulator", *arguments]
    return subprocess.run(command, cwd=package, env=path, capture_output=True, text=True, check=False)


def test_an_installed_package_adds_kinds_to_the_command_line(package: Path) -> None:
    (package / "market.yaml").write_text(
        "goods: [labour, bread]\n"
        "numeraire: labour\n"
        "firms:\n"
        "  - name: bakers\n"
        "    technology: {saturating: {output: bread, input: labour, capacity: 4, scale: 2}}\n"
        "    behaviour: {inertia: {speed: 0.5}}\n"
        "consumers:\n"
        "  - name: h\n"
        "    utility: {square_roots: {weights: {labour: 1, bread: 2}}}\n"
        "    endowment: {labour: 20}\n"
        "    owns: {bakers: 1}\n"
        "trade: at_equilibrium\n"
        "scheduler: {with: [doubt]}\n"
    )
    done = called(package, "run", "market.yaml", "--out", "out", "--no-plots")
    assert done.returncode == 0, done.stderr + done.stdout
    assert "cleared" in done.stdout
    again = called(package, "run", "out/market/scenario.yaml", "--out", "again", "--no-plots")
    assert again.returncode == 0, again.stderr + again.stdout
    first, second = (package / folder / "market" / "trajectory.csv" for folder in ("out", "again"))
    assert first.read_bytes() == second.read_bytes()
    wrong = called(package, "check", "market.yaml", "--set", "firms.bakers.behaviour.inertia.sped=2")
    assert "did you mean firms.bakers.behaviour.inertia.speed?" in wrong.stderr + wrong.stdout
    gone = called(package, "check", "market.yaml", "--set", "firms.bakers.behaviour=gone")
    assert "cannot be imported" in gone.stderr + gone.stdout
    assert "Traceback" not in wrong.stderr + gone.stderr


@pytest.mark.slow
def test_an_installed_package_is_listed_and_allowed_for(package: Path) -> None:
    listed = {what: called(package, "list", what).stdout for what in ("utilities", "rules", "behaviours")}
    assert "square_roots  u(x) = sum w sqrt(x)" in listed["utilities"]
    assert "halve the step" in listed["rules"]
    assert "cannot be imported" in listed["behaviours"]
    schema = json.loads(called(package, "schema").stdout)
    assert "square_roots" in schema["$defs"]["Utility"]["properties"]
    assert "doubt" in schema["$defs"]["Piece"]["properties"]


@pytest.mark.parametrize(
    "code",
    [
        "import sys\nsys.exit(0)\n",
        *(pytest.param(code, marks=pytest.mark.slow) for code in ("1/0\n", "raise OSError('no')\n")),
    ],
)
def test_a_package_that_fails_when_it_is_imported_is_named(code: str, package: Path) -> None:
    (package / "my_package.py").write_text(code)
    (package / "market.yaml").write_text(
        "goods: [a]\nsupply: {a: 1}\nconsumers: [{name: c, budget: 1, utility: {square_roots: {weights: {a: 1}}}}]\n"
    )
    for arguments in (("check", "market.yaml"), ("run", "market.yaml", "--no-plots"), ("list", "utilities")):
        done = called(package, *arguments)
        assert done.returncode == 2, done.stdout + done.stderr
        assert "square_roots, registered as my_package:SquareRoots, cannot be imported: " in done.stderr
        assert "Traceback" not in done.stderr
