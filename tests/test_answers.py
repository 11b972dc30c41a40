"""Answers at hand: the market of a Python function, tables of derivatives, and functions of vectors in programs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit

from simulator import answers, market
from tests.house import Program, ProgramError, Simulation, differences, parse_function, values_at
from tests.house import parse as parse_formula
from tests.house import parse_program as parse
from tests.program import simulator

SCENARIOS = Path(__file__).parents[1] / "scenarios"


def essay(x: Any) -> Any:
    return np.log(1 - 1 / (np.sqrt(x) + 1))


def network(w: Any, x: Any, target: Any = 0.3) -> Any:
    hidden = np.tanh(w["inner"] @ x + w["bias"])
    return np.mean((hidden @ w["outer"] - target) ** 2)


def smooth(x: Any) -> Any:
    soft = np.logaddexp(0, x[0]) * expit(-x[1]) + np.square(x[2]) / (1 + np.exp(x[0] * x[1]))
    return soft + np.dot(x, np.stack([x[1], x[2], x[0]])) + np.prod(x) + np.log1p(x[0] ** 2) - np.expm1(x[2] / 3)


def kinked(x: Any) -> Any:
    return np.maximum(x[0], x[1]) + abs(x[2] - 5) * np.minimum(x[1], 2.5) + x.max()


def by_differences(function: Callable[[Any], Any], x: Any, step: float = 1e-6) -> Any:
    """Central differences of a function of an array, written for these tests alone."""
    flat = np.asarray(x, dtype=float).ravel()
    slopes = [
        (function((flat + move).reshape(np.shape(x))) - function((flat - move).reshape(np.shape(x)))) / (2 * step)
        for move in step * np.eye(len(flat))
    ]
    return np.reshape(slopes, np.shape(x))


def test_prices_of_the_essay_are_its_derivative() -> None:
    value, price = market(essay)(4)
    assert value == pytest.approx(essay(4.0), rel=1e-15)
    assert price == pytest.approx(1 / 24, rel=1e-14)
    assert isinstance(price, float)


@pytest.mark.parametrize("function", [smooth, kinked])
@given(x=st.lists(st.floats(0.1, 3), min_size=3, max_size=3, unique=True))
def test_prices_are_differences(function: Callable[[Any], Any], x: list[float]) -> None:
    at = np.array(x)
    if function is kinked and (np.abs(np.diff([*at, 2.5, at[0]])).min() < 1e-3 or abs(at[1] - 2.5) < 1e-3):
        return
    value, prices = market(function)(at)
    assert value == pytest.approx(function(at), rel=1e-13)
    np.testing.assert_allclose(prices, by_differences(function, at), rtol=1e-6, atol=1e-7)


@given(x=st.floats(-3, 3), y=st.floats(0.2, 3))
def test_prices_are_the_reverse_sweep_of_the_formula(x: float, y: float) -> None:
    """Another road: the same function as a text, differentiated in its graph without any market."""
    formula = parse_formula("sigmoid(x*y) + softplus(x - y) + relu(x)*y^x + ln(1 + x^2)/tanh(y)")

    def function(x: Any, y: Any) -> Any:
        return expit(x * y) + np.logaddexp(0, x - y) + np.maximum(x, 0) * y**x + np.log(1 + x**2) / np.tanh(y)

    value, prices = market(function, argnums=(0, 1))(x, y)
    np.testing.assert_allclose(value, formula.value([x, y]), rtol=1e-13)
    np.testing.assert_allclose(prices, formula.gradient([x, y]), rtol=1e-11, atol=1e-13)


class Pair(NamedTuple):
    first: Any
    rest: Any


def test_prices_have_the_shape_of_the_argument() -> None:
    weights = {"inner": np.array([[0.1, -0.2], [0.3, 0.5]]), "bias": np.zeros(2), "outer": np.array([1.0, -1.0])}
    x = np.array([1.0, -0.5])
    prices = market(network)(weights, x, target=0.7)[1]
    for name, given_ in weights.items():

        def of_one(values: Any, name: str = name) -> Any:
            return network({**weights, name: values}, x, target=0.7)

        np.testing.assert_allclose(prices[name], by_differences(of_one, given_), rtol=1e-6, atol=1e-9)
    second, both = market(network, argnums=1), market(network, argnums=(1, 0))
    np.testing.assert_array_equal(second(weights, x, 0.7)[1], both(weights, x, target=0.7)[1][0])
    found = market(lambda pair: pair.first * pair.rest[0] + pair.rest[1]["deep"][0])(Pair(2, (3, {"deep": [1]})))[1]
    assert found == Pair(3.0, (2.0, {"deep": [1.0]}))
    assert market(lambda x, unread: x, argnums=(0, 1))(2, np.ones(2))[1][1].tolist() == [0.0, 0.0]


@pytest.mark.parametrize("many", [60, 250])
@pytest.mark.parametrize("total", [np.sum, sum, lambda x: np.sum(x[::2]) + (np.sum(x[1::2]) + x[0]), np.mean])
def test_sums_may_be_long(total: Any, many: int) -> None:
    """Formulas stand in brackets no deeper than formulas may, whatever the order in which terms are added."""
    x = np.linspace(-1.0, 2.0, many)
    value, prices = market(lambda x: total(np.tanh(x)))(x)
    assert value == pytest.approx(total(np.tanh(x)), rel=1e-12)
    np.testing.assert_allclose(prices, by_differences(lambda x: total(np.tanh(x)), x), rtol=1e-6, atol=1e-9)


def test_it_is_the_market_that_finds_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """A market that is stopped before bids have come back has no prices, and none are made up."""
    ticks: list[int] = []
    run = Simulation.ticks

    def counted(simulation: Simulation) -> Any:
        for tick in run(simulation):
            ticks.append(tick)
            yield tick

    monkeypatch.setattr(Simulation, "ticks", counted)
    market(essay)(4.0)
    assert len(ticks) > 5


def test_a_chain_is_made_once_for_inputs_of_one_shape(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Program] = []
    scenario = answers._scenario

    def counted(program: Program, supply: Any) -> Any:
        made.append(program)
        return scenario(program, supply)

    monkeypatch.setattr(answers, "_scenario", counted)
    of_loss = market(lambda x, power: np.sum(x**power))
    for power, many in ((2, 3), (2, 3), (3, 3), (3, 2)):
        value, prices = of_loss(np.full(many, 2.0), power)
        np.testing.assert_allclose((value, *prices), (many * 2.0**power, *[power * 2.0 ** (power - 1)] * many))
    assert [(len(program.inputs), len(program.operations)) for program in made] == [(3, 4), (3, 4), (2, 3)]


@pytest.mark.parametrize(
    ("function", "x", "said"),
    [
        (lambda x: x if x > 0 else -x, 2, "found a branch on a traced value (if, while, and, or, max); expected"),
        (lambda x: max(x, 0), 2, "as in np.maximum(x, 0)"),
        (lambda x: np.where(x > 0, x, 0), 2, "found > of traced values in the result"),
        (lambda x: np.sin(float(x)), 2, "found a number asked of a traced value; expected numpy's functions"),
        (lambda x: np.arctan(x), 2, "found arctan of traced values; expected absolute, add,"),
        (lambda x: np.array([x, x]).sum(), 2, "expected np.stack([a, b])"),
        (lambda x: x, [1, 2], "found a list as result; expected a number"),
        (lambda x: x * x, np.ones(2), "found a result of shape (2,); expected one number, as np.sum(...) makes"),
        (lambda x: 3.0, 2, "found 3 as result; expected a number that follows from an input"),
        (lambda x: x * x, "two", "found 'two' as x; expected finite numbers"),
        (lambda x: x * x, np.nan, "found nan as x; expected finite numbers"),
        (lambda x: x * x, True, "found True as x; expected finite numbers"),
    ],
)
def test_what_is_no_arithmetic_is_refused_with_a_sentence(function: Any, x: Any, said: str) -> None:
    with pytest.raises(TypeError) as refused:
        market(function)(x)
    assert said in str(refused.value)
    if "traced value;" in said or "branch" in said:
        assert f"{__file__}:" in str(refused.value)


def test_where_a_function_has_no_value_the_market_says_so() -> None:
    with pytest.raises(ValueError, match=r"market\(essay\): Diverged .* has no finite value or slope at"):
        market(essay)(-1.0)
    with pytest.raises(TypeError, match="found 1 arguments; expected one at the place 1"):
        market(essay, argnums=1)(1.0)


@pytest.mark.parametrize(
    "text",
    ["c = ln(1 - 1/(sqrt(x) + 1))", "a = x*y\nb = softplus(a) - x\nreturn b*sigmoid(y) + dot([x, a], [y, b])"],
)
def test_differences_are_the_derivatives_of_a_program(text: str) -> None:
    program, at = parse(text), {"x": 4.0, "y": -0.7}
    names = [*program.inputs, *(each.output for each in program.operations)]
    slopes, values = differences(program, at, names), values_at(program, at)
    # Each value in turn as an input of what follows from it.
    for cut in names:
        rest = [each for each in program.operations if each.output != cut]
        known = {name: values[name] for name in (*program.inputs, cut)}
        moved = Program(tuple(known), tuple(rest), program.result)
        by_hand = [values_at(moved, {**known, cut: known[cut] + move})[program.result] for move in (1e-5, -1e-5)]
        expected = 1.0 if cut == program.result else (by_hand[0] - by_hand[1]) / 2e-5
        assert slopes[cut] == pytest.approx(expected, rel=1e-5, abs=1e-8)


def test_compile_and_run_print_the_derivatives(tmp_path: Path) -> None:
    text = "c = x*y + tanh(x)  # supply: x = 0.5, y = 3"
    made = simulator("compile", text, "-o", "c.yaml", cwd=tmp_path)
    slope = f"{3 + 1 / np.cosh(0.5) ** 2:.6g}"
    rows = [line.split() for line in made.stdout.splitlines()]
    assert ["x", "0.5", slope, slope] in rows
    assert ["y", "3", "0.5", "0.5"] in rows
    printed = simulator("compile", text, cwd=tmp_path)
    assert printed.stdout == (tmp_path / "c.yaml").read_text()
    assert ["x", "0.5", slope, slope] in [line.split() for line in printed.stderr.splitlines()]
    run = simulator("run", "c.yaml", "--no-plots", cwd=tmp_path)
    assert ["x", "0.5", slope, slope] in [line.split() for line in run.stdout.splitlines()]
    silent = simulator("run", "c.yaml", "--no-plots", "--json", "--overwrite", cwd=tmp_path)
    assert "finite difference" not in silent.stdout
    planned = simulator("run", str(SCENARIOS / "tupperware.yaml"), "--no-plots", cwd=tmp_path)
    assert ["natgas", "4", "0.0416667", "0.0416667"] in [line.split() for line in planned.stdout.splitlines()]
    others = simulator("run", str(SCENARIOS / "crusoe.yaml"), "--no-plots", cwd=tmp_path)
    assert "finite difference" not in others.stdout
    outside = simulator("compile", "c = ln(x - 2)", cwd=tmp_path)
    assert "no derivatives at these inputs: Diverged" in outside.stderr


def test_a_long_table_says_how_much_it_leaves_out(tmp_path: Path) -> None:
    text = "for i in range(20):\n    v[i] = sin(x[i])\nreturn sum(v)"
    made = simulator("compile", text, "-o", "c.yaml", cwd=tmp_path)
    lines = made.stdout.splitlines()
    assert len([line for line in lines if line.startswith("  x_")]) == answers.MOST_ROWS
    assert lines[-1].strip() == f"and {40 - answers.MOST_ROWS} more in trajectory.csv"


def loop(text: str) -> str:
    """A sum, or a product of vectors of four, a term after another."""
    return f"total = 0\nfor i in range(4):\n    total += {text}\n"


@pytest.mark.parametrize(
    ("whole", "written_out"),
    [
        ("return sum(x[:4])", loop("x[i]") + "return total"),
        ("return dot(w, x[0:4])", loop("w[i]*x[i]") + "return total"),
        ("w = [2, 0, a, 1]\nreturn dot(w, x)^2", "w = [2, 0, a, 1]\n" + loop("w[i]*x[i]") + "return total^2"),
        ("return dot([a, 2], [3, a]) + sum(x[1:3])", "return a*3 + 2*a + x[1] + x[2]"),
        ("for i in range(3):\n    v[i] = x[i]^2\nreturn sum(v) + sum(v[1:])", "return x_0^2 + 2*x_1^2 + 2*x_2^2"),
        ("return sum(x[:250])", "total = 0\nfor i in range(250):\n    total += x[i]\nreturn total"),
        ("return sum([a, 4, -1, b])", "return a + 3 + b"),
        ("sum = a*b\nreturn sum + 1", "return a*b + 1"),
    ],
)
def test_functions_of_vectors_are_loops(whole: str, written_out: str) -> None:
    one, other = parse(whole), parse(written_out)
    stream = np.random.default_rng(0)
    at = {name: stream.uniform(0.5, 2) for name in {*one.inputs, *other.inputs}}
    assert set(one.inputs) <= set(at)
    values = [values_at(program, at)[program.result] for program in (one, other)]
    assert values[0] == pytest.approx(values[1], rel=1e-13)
    slopes = [differences(program, at, program.inputs) for program in (one, other)]
    for name in set(one.inputs) & set(other.inputs):
        assert slopes[0][name] == pytest.approx(slopes[1][name], rel=1e-7, abs=1e-7)
    assert one.depth <= other.depth


def test_a_sum_is_one_firm_and_a_long_one_a_sum_of_sums() -> None:
    assert [each.kind for each in parse("return dot(w[:9], x) + sum(x[:9])").operations] == ["dot", "sum", "sum"]
    program = parse("return sum(x[:1001])")
    assert program.depth == 2
    assert len(program.operations) == 11


def test_a_python_function_may_use_them() -> None:
    def function(w: Any, x: Any) -> Any:
        return np.dot(w[:3], x) + sum(x[:2]) * np.sum([w[0], 2.0])

    program = parse_function(function)
    at = {f"{name}_{place}": 0.5 + place for name in "wx" for place in range(3)}
    arrays = [np.array([at[f"{name}_{place}"] for place in range(3)]) for name in "wx"]
    assert values_at(program, at)[program.result] == pytest.approx(function(*arrays))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("return dot(w, x)", "found w, whose length nobody knows; expected a part of it, as w[:3]"),
        ("return sum(x[1:])", "found x[...:], whose length nobody knows; expected x[0:3]"),
        ("return sum(a, b)", "found sum of 2 values; expected sum([a, b])"),
        ("return sum(a*b)", "found a * b, which is no vector; expected a name, x[:3] or [a, b]"),
        ("return dot(w[:2], x[:3])", "found dot of 2 and 3 values; expected as many"),
        ("v = a\nreturn sum(v)", "found v, which is no vector"),
        ("def f(v): return v\nreturn f([1])", "found something that is not arithmetic"),
        ("def sum(v): return v\nreturn sum([1])", "found the vector [1] where a value is expected"),
    ],
)
def test_what_is_no_vector_is_refused(text: str, said: str) -> None:
    with pytest.raises(ProgramError) as refused:
        parse(text)
    assert said in refused.value.message


@pytest.mark.parametrize("argnums", ["x", 1.5, (0, "y"), (), None, (0, 0), True])
def test_places_of_arguments_are_whole_numbers(argnums: Any) -> None:
    with pytest.raises(TypeError, match="expected a place, such as 0, or several"):
        market(lambda x, y: x * y, argnums)
