"""Programs as supply chains: what is read and refused, prices as derivatives, the wave's timetable, the way back."""

from __future__ import annotations

import json
import math
import random
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator import ScenarioError, simulate
from tests.builders import links_of, market_of, quotes_of
from tests.house import (
    CounterpartError,
    Links,
    Program,
    ProgramError,
    Run,
    as_scenario,
    chain_of,
    dump,
    load,
    parse_function,
    program_of,
    run_to_disk,
)
from tests.house import parse_program as parse
from tests.program import simulator

SCENARIOS = Path(__file__).parents[1] / "scenarios"
ESSAY = "c = ln(1 - 1/(sqrt(x) + 1))"

Node = tuple[str, tuple[int, ...]]


class Autodiff:
    """Reverse mode on places, written for these tests alone."""

    OPERATIONS: ClassVar[dict[str, tuple[str, Callable[..., float], Callable[..., tuple[float, ...]]]]] = {
        "+": ("{} + {}", lambda a, b: a + b, lambda y, a, b: (1.0, 1.0)),
        "-": ("{} - {}", lambda a, b: a - b, lambda y, a, b: (1.0, -1.0)),
        "*": ("{}*{}", lambda a, b: a * b, lambda y, a, b: (b, a)),
        "/": (
            "{}/(2 + {}^2)",
            lambda a, b: a / (2 + b * b),
            lambda y, a, b: (1 / (2 + b * b), -2 * b * y / (2 + b * b)),
        ),
        "sin": ("sin({})", math.sin, lambda y, a: (math.cos(a),)),
        "cos": ("cos({})", math.cos, lambda y, a: (-math.sin(a),)),
        "tanh": ("tanh({})", math.tanh, lambda y, a: (1 - y * y,)),
        "exp": ("exp({}/4)", lambda a: math.exp(a / 4), lambda y, a: (y / 4,)),
        "sqrt": ("sqrt(1 + {}^2)", lambda a: math.sqrt(1 + a * a), lambda y, a: (a / y,)),
    }

    def __init__(self, seed: int, operations: int, inputs: int) -> None:
        stream = random.Random(seed)
        self.given = [stream.uniform(-1.5, 1.5) for _ in range(inputs)]
        self.nodes: list[Node] = []
        for place in range(inputs, inputs + operations):
            kind = stream.choice(list(self.OPERATIONS))
            arity = 1 if kind in ("sin", "cos", "tanh", "exp", "sqrt") else 2
            # Values far back are read again, and some never.
            back = [
                stream.randrange(place) if stream.random() < 0.3 else max(0, place - 1 - stream.randrange(6))
                for _ in range(arity)
            ]
            self.nodes.append((kind, tuple(back)))
        self.result = inputs + operations - 1 - stream.randrange(min(3, operations))

    def name(self, place: int) -> str:
        return f"x{place}" if place < len(self.given) else f"v{place}"

    @property
    def text(self) -> str:
        lines = [
            f"{self.name(len(self.given) + i)} = {self.OPERATIONS[kind][0].format(*map(self.name, back))}"
            for i, (kind, back) in enumerate(self.nodes)
        ]
        return "\n".join([*lines, f"return {self.name(self.result)}"])

    def sweep(self) -> tuple[list[float], list[float]]:
        values = list(self.given)
        for kind, back in self.nodes:
            values.append(self.OPERATIONS[kind][1](*(values[place] for place in back)))
        slopes = [0.0] * len(values)
        slopes[self.result] = 1.0
        for place in range(len(values) - 1, len(self.given) - 1, -1):
            kind, back = self.nodes[place - len(self.given)]
            for argument, slope in zip(
                back, self.OPERATIONS[kind][2](values[place], *(values[b] for b in back)), strict=True
            ):
                slopes[argument] += slopes[place] * slope
        return values, slopes


def scenario_of(program: Program, supply: dict[str, float], rate: float = 1.0) -> dict[str, Any]:
    used = {name: value for name, value in supply.items() if name in program.inputs}
    return {**chain_of(program), "supply": used, "scheduler": {"kind": "marginal_bids", "rate": rate}}


@given(
    seed=st.integers(0, 10**9),
    operations=st.integers(1, 200),
    inputs=st.integers(1, 8),
    per=st.sampled_from(["operation", "statement"]),
)
@settings(max_examples=50)
def test_prices_come_to_rest_at_the_derivatives_in_the_promised_ticks(
    seed: int, operations: int, inputs: int, per: str
) -> None:
    own = Autodiff(seed, operations, inputs)
    values, slopes = own.sweep()
    program = parse(own.text, per=per)
    market = market_of(scenario_of(program, {own.name(i): x for i, x in enumerate(own.given)}))
    depth = program.depth
    assert links_of(market).depth == depth
    goods = market.economy.goods
    places = {own.name(place): place for place in range(len(values))}
    known = [good for good, name in enumerate(goods) if name in places]
    for _ in range(depth + 1):
        market.advance()
    expected = np.array([values[places[goods[good]]] for good in known])
    reaches = links_of(market).reaches[links_of(market).place][known]
    np.testing.assert_allclose(quotes_of(market).demand[known][reaches], expected[reaches], rtol=1e-12, atol=1e-12)
    while market.last_tick.tick < max(2 * depth - 1, depth):
        market.advance()
    derivatives = np.array([slopes[places[goods[good]]] for good in known])
    np.testing.assert_allclose(quotes_of(market).prices[known], derivatives, rtol=1e-9, atol=1e-11)
    assert not market.last_tick.prices[~links_of(market).reaches].any()


@given(seed=st.integers(0, 10**9), operations=st.integers(2, 60))
@settings(max_examples=25)
def test_a_full_sweep_gives_the_derivatives_as_soon_as_quantities_are_there(seed: int, operations: int) -> None:
    own = Autodiff(seed, operations, 3)
    _, slopes = own.sweep()
    program = parse(own.text)
    market = market_of(scenario_of(program, {own.name(i): x for i, x in enumerate(own.given)}))
    for _ in range(program.depth + 1):
        market.advance()
    adjoint = links_of(market).adjoint(market.last_tick.slopes)
    for name in program.inputs:
        place = int(name[1:])
        assert adjoint[links_of(market).place[market.economy.goods.index(name)]] == pytest.approx(
            slopes[place], rel=1e-9, abs=1e-11
        )


@given(seed=st.integers(0, 10**9), rate=st.floats(0.2, 1.0))
@settings(max_examples=15)
def test_partial_rates_come_to_the_same_rest(seed: int, rate: float) -> None:
    own = Autodiff(seed, 12, 3)
    _, slopes = own.sweep()
    data = scenario_of(parse(own.text), {own.name(i): x for i, x in enumerate(own.given)}, rate)
    run = simulate({**data, "run": {"ticks": 2000, "tolerance": 1e-11}})
    assert run.summary["outcome"] == "cleared"
    last = run.trajectory[run.trajectory["tick"] == run.summary["ticks"]].set_index("good")
    for name in data["supply"]:
        assert last.loc[name, "price"] == pytest.approx(slopes[int(name[1:])], rel=1e-6, abs=1e-8)


@given(seed=st.integers(0, 10**9), operations=st.integers(1, 40))
@settings(max_examples=20)
def test_compile_write_read_run_gives_the_same_and_the_way_back_the_program(seed: int, operations: int) -> None:
    own = Autodiff(seed, operations, 3)
    program = parse(own.text)
    data = scenario_of(program, {own.name(i): x for i, x in enumerate(own.given)})
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "chain.yaml"
        file.write_text(dump(data), encoding="utf-8")
        again = load(file)
    back = parse(program_of(again.resolved).text)
    assert (back.operations, back.result) == (program.operations, program.result)
    assert back.given == data["supply"]
    first, second = simulate(data), simulate(again)
    np.testing.assert_array_equal(first.trajectory["price"], second.trajectory["price"])


def test_the_contract_s_program() -> None:
    run = simulate(SCENARIOS / "program.yaml")
    x, y = 0.7, 1.3
    inner = math.sin(x * y) + x
    c = math.exp(inner / 3) * y
    last = run.trajectory[run.trajectory["tick"] == run.summary["ticks"]].set_index("good")
    assert run.summary["ticks"] == 2 * 6 - 1
    assert last.loc["c", "supply"] == pytest.approx(c, rel=1e-15)
    assert last.loc["x", "price"] == pytest.approx(c / 3 * (math.cos(x * y) * y + 1), rel=1e-13)
    assert last.loc["y", "price"] == pytest.approx(c / 3 * math.cos(x * y) * x + c / y, rel=1e-13)
    pays = run.agents.query("good == 'x' and tick == @run.summary['ticks'] and input > 0")["pays"]
    assert len(pays) == 2
    assert pays.sum() == pytest.approx(last.loc["x", "price"], rel=1e-14)
    assert run.summary["adjoint_gap"] < 1e-14
    assert "Each price is the derivative of net sales of" in run.summary["sentence"]


def test_what_has_not_arrived_is_empty_and_the_wave_runs_both_ways() -> None:
    run = simulate(SCENARIOS / "chain_of_fifty.yaml")
    supply = run.trajectory.pivot(index="tick", columns="good", values="supply")
    goods = run.trajectory["good"].unique()[1:]
    for level, good in enumerate(goods, 1):
        assert supply[good].first_valid_index() == level
    price = run.trajectory.pivot(index="tick", columns="good", values="price")
    last = price.loc[119]
    # The first price is the last to be right; a halved input sends another wave.
    assert price["x"].loc[98] != last["x"]
    assert price["x"].loc[99] == last["x"]
    assert price["x"].loc[218] != price["x"].loc[219]
    assert run.summary["ticks"] == 120 + 2 * 50 - 1


def test_a_value_outside_a_domain_is_a_verdict_that_names_firm_tick_and_value() -> None:
    run = simulate(
        {
            "program": "a = x - 2\nb = ln(a)\nreturn b",
            "supply": {"x": 1},
            "scheduler": {"kind": "marginal_bids", "rate": 1},
        }
    )
    assert run.summary["outcome"] == "diverged"
    assert "ln_b has no finite value or slope at a = -1 (tick " in run.summary["sentence"]


def test_a_firm_that_a_shock_mends_is_waited_for() -> None:
    data = {
        "program": "a = x - 2\nb = ln(a)\nreturn b",
        "supply": {"x": 1},
        "scheduler": {"kind": "marginal_bids", "rate": 1},
        "shocks": [{"tick": 10, "set": {"supply.x": 5}}],
    }
    run = simulate(data)
    assert (run.summary["outcome"], run.summary["ticks"]) == ("cleared", 13)
    assert run.trajectory.query("tick == 13 and good == 'x'")["price"].item() == pytest.approx(1 / 3, rel=1e-15)


def test_a_run_of_messages_resumes_to_the_same_bytes_across_a_shock(tmp_path: Path) -> None:
    scenario = load(SCENARIOS / "chain_of_fifty.yaml")
    run_to_disk(scenario, tmp_path / "whole")
    for number, after in enumerate((30, 119, 150)):
        seen = 0

        def stop(after: int = after) -> bool:
            nonlocal seen
            seen += 1
            return seen > after

        folder = tmp_path / str(number)
        run_to_disk(scenario, folder, stopped=stop)
        run_to_disk(scenario, folder, resume=True)
        for file in ("trajectory.csv", "ticks.csv", "agents.csv", "wedges.csv"):
            assert (folder / file).read_bytes() == (tmp_path / "whole" / file).read_bytes()


def test_a_supply_chain_is_a_program() -> None:
    program = program_of(load(SCENARIOS / "tupperware.yaml").resolved)
    assert program.text == (
        "# supply: natgas = 4\nethylene = sqrt(natgas)\npolyethylene = 1 - 1/(ethylene + 1)\n"
        "tupperware = ln(polyethylene)\nreturn tupperware\n"
    )


def test_the_essay_s_program_by_operation_and_by_statement() -> None:
    assert [operation.formula for operation in parse(ESSAY).operations] == [
        "sqrt(x)",
        "t1 + 1",
        "1/t2",
        "1 - t3",
        "ln(t4)",
    ]
    (whole,) = parse(ESSAY, per="statement").operations
    assert (whole.output, whole.inputs, whole.formula) == ("c", ("x",), "ln(1 - 1/(sqrt(x) + 1))")


def test_functions_loops_and_vectors_are_written_out() -> None:
    program = parse(
        "def square(a):\n    return a^2\n"
        "total = 0\n"
        "for i in range(1, 3):\n    total += w[i] * square(x[i - 1])\n"
        "return total"
    )
    assert program.inputs == ("w_1", "x_0", "w_2", "x_1")
    values = {"w_1": 2.0, "x_0": 3.0, "w_2": 5.0, "x_1": 7.0}
    run = simulate({**scenario_of(program, values), "run": {"tolerance": 1e-12}})
    last = run.trajectory[run.trajectory["tick"] == run.summary["ticks"]].set_index("good")
    assert last.loc[program.result, "supply"] == 2 * 9 + 5 * 49
    assert last.loc["x_1", "price"] == 2 * 5 * 7


def squares_of(u: float, v: float) -> float:
    """A plain function."""
    both = u * v
    return math.sin(both) ** 2 + math.log(u)


def test_a_python_function_is_a_program() -> None:
    program = parse_function(squares_of)
    assert program.inputs == ("u", "v")
    run = simulate(scenario_of(program, {"u": 1.2, "v": 0.4}))
    last = run.trajectory[run.trajectory["tick"] == run.summary["ticks"]].set_index("good")
    assert last.loc[program.result, "supply"] == pytest.approx(squares_of(1.2, 0.4), rel=1e-14)
    slope = 2 * math.sin(0.48) * math.cos(0.48)
    assert last.loc["u", "price"] == pytest.approx(slope * 0.4 + 1 / 1.2, rel=1e-12)


REFUSED = {
    "a = x +": "line such as",
    "a = foo(x)": "unknown function foo",
    "a = log(x)": "did you mean ln?",
    "while x: pass": "no assignment",
    "import os": "no assignment",
    "": "found no result",
    "a = b\nb = 2*x": "has no value here",
    "a = x.y": "not arithmetic",
    "a = 'b'": "not arithmetic",
    "a = True": "truth value",
    "a = 1/0": "division by zero",
    "a = ln(-1) + x": "finite number",
    "a = sin(x, y)": "sin of 2 values",
    "def f(a):\n  return f(a)\nb = f(x)": "without end",
    "for i in range(10**9):\n  a = x": "turns",
    "for i in x:\n  a = x": "loop of another sort",
    "sin = x": "found sin, a function",
    "_a = x": "a letter first",
    "w[-1] = x": "index -1",
    "a = 1e400*x": "too large",
    "a = lambda x: x": "not arithmetic",
    "a = " + "(" * 300 + "x" + ")" * 300: "nested",
    "a = " + "+".join(["x"] * 20000): "expected",
    "# supply: x = 1\n# supply: y = 4\na = x": "found y, which is no input; expected x",
    "a = x # allocation: y": "found y, which is no input; expected x",
    "# supply: x = nan\na = x": "found nan for x; expected a finite number",
    "# supply: x = 1e400\na = x": "found 1e400 for x",
    "# supply: x = 4 t\na = x": "found 4 t for x",
    "# supply: x = 4, x = 5\na = x": "found x again",
    "def f(a, a): return a\nb = f(x, x)": "found the parameter a of f twice",
    "@f\ndef g(a): return a\nb = g(x)": "found a decorator of g",
    "def f(a, b=2): return a*b\nc = f(x)": "found a default in def f",
    "def f(*a): return x\nb = f(x)": "found f with other than plain parameters",
    "def f(a, *, b): return a\nb = f(x)": "found f with other than plain parameters",
    "def f(a): return a\nb = f(a=x)": "found a value given by its parameter's name",
    "def f(a): return a\nb = f(*x)": "not arithmetic",
    "a = x\nreturn a\nreturn x": "found a line after return",
    "def f(a):\n  return a\n  b = 2\nc = f(x)": "found a line after return",
    "for i in range(2):\n  return x": "found return in a loop",
    "for i in range(2):\n  a = x\nelse:\n  a = 2*x": "loop of another sort",
    "for i in range(0):\n  global a\na = x": "no assignment",
    "def f(a):\n  while a: pass\nb = x": "no assignment",
    "a: float\nb = x": "no assignment",
    "a = (b := x) + 1": "not arithmetic",
    "a = x\na //= 2": "no assignment",
    "a, b = x, y": "more than a name on the left",
    "def f(a): return 2*a\nf = f(x)\nreturn f(x)": "where f is no function",
    "def f(a): return a\ndef g(f): return f(x)\nb = g(x)": "where f is no function",
    "def f(a): return a\ndef g(a):\n  b = f(a)\n  def f(c): return c\n  return b\nd = g(x)": "found f, which has no",
    "def f(sin): return sin(x)\nb = f(x)": "found sin, a function, as a name",
    "range = x": "found range, a function, as a name",
}


@pytest.mark.parametrize("text", REFUSED, ids=range(len(REFUSED)))
def test_what_is_no_straight_line_is_refused(text: str) -> None:
    with pytest.raises(ProgramError) as caught:
        parse(text)
    assert REFUSED[text] in caught.value.message
    with pytest.raises(ScenarioError, match="program: line "):
        load({"program": text, "scheduler": {"kind": "marginal_bids"}})


def test_what_comments_say_of_inputs_holds_wherever_they_stand() -> None:
    text = "a = x*y*z # Supply: x = 2, y\n'# supply: y = 7'\n  # allocation: z = .5e1\nreturn a"
    program = parse(text)
    assert (program.given, program.allocations) == ({"x": 2.0, "z": 5.0}, ("z",))
    data = {"program": text, "scheduler": {"kind": "marginal_bids"}, "supply": {"y": 3, "z": 1}}
    # The scenario's own word goes before.
    assert load(data).resolved["supply"] == {"x": 2.0, "y": 3, "z": 1}
    with pytest.raises(CounterpartError, match="found no value for x"):
        as_scenario("a = 2*x # supply: x =", "operation")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "unread.yaml"
        file.write_text("program: a = 2*x\nsupply: {x: 1, y: 2}\n", encoding="utf-8")
        with pytest.raises(CounterpartError, match="found supply of y, which the program does not read"):
            as_scenario(str(file), "operation")


BASE: dict[str, Any] = {
    "program": "a = x*y\nreturn a",
    "supply": {"x": 1, "y": 2},
    "scheduler": {"kind": "marginal_bids"},
}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"goods": ["x"]}, "found goods beside program"),
        ({"program": 3}, "found no text"),
        ({"supply": {"x": 1}}, "found no supply of 'y'"),
        ({"trade": "every_tick"}, "found trade under marginal_bids"),
        ({"scheduler": {"kind": "marginal_bids", "rate": 2}}, "found 2; expected a rate below 2"),
        ({"program": {"text": "a = x*y", "per": "line"}}, "found 'line'; expected one of operation, statement"),
        (
            {"program": {"text": "a = x^0.5", "copiers": True}, "scheduler": {"kind": "tatonnement"}},
            "found copiers where firms plan; expected scheduler: {kind: marginal_bids}",
        ),
        ({"program": {"txt": "a = x*y"}}, "unknown key 'txt'; expected one of text, per, copiers"),
        (
            {"program": {"text": "a = ln("}},
            "program.text: line 1, column 7: found what cannot be read ('(' was never closed); expected",
        ),
        ({"scheduler": {"kind": "marginal_bids", "form": "additive"}}, "found form under marginal_bids"),
        ({"consumers": [{"name": "c", "budget": 1, "utility": {"linear": {"a": 1}}}]}, "found consumers under"),
        (
            {"scheduler": {"kind": "tatonnement"}, "program": "a = x^0.5\nb = x^0.3\nc = a^0.5 + b^0.5"},
            "constant returns",
        ),
        ({"scheduler": {"kind": "tatonnement"}, "supply": {"x": -1, "y": 1}}, "expected a number of at least 0"),
    ],
)
def test_what_firms_that_bid_cannot_do_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ScenarioError) as caught:
        load({**BASE, **changes})
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"goods": ["x", "a", "b", "c"]}, "found 2 firms that use x up"),
        ({"outside": {}}, "found no good with an outside price"),
        ({"outside": {"x": 1}}, "found x, which no firm makes"),
        ({"supply": {"x": 1, "a": 1}}, "which is supplied too"),
    ],
)
def test_what_a_chain_of_bids_must_be(changes: dict[str, Any], message: str) -> None:
    chain = {
        "goods": {"x": {"rival": False}, "a": {}, "b": {}, "c": {}},
        "outside": {"c": 1},
        "supply": {"x": 1},
        "firms": [
            {"name": "f", "makes": "a = sin(x)"},
            {"name": "g", "makes": "b = cos(x)"},
            {"name": "h", "makes": "c = a*b"},
        ],
        "scheduler": {"kind": "marginal_bids", "rate": 1},
    }
    assert simulate({**chain, "run": {"ticks": 4}}).summary["outcome"] == "cleared"
    with pytest.raises(ScenarioError) as caught:
        load({**chain, **changes})
    assert message in str(caught.value)


def test_firms_of_one_formula_are_one_operation() -> None:
    program = parse("a = 2*x\nb = 3*y\nc = sin(a)\nd = sin(b)\nreturn c*d")
    links = Links(load(scenario_of(program, {"x": 1, "y": 1})).economy)
    assert sorted(len(links.goods[operation.goods[0]]) for operation in links.operations) == [1, 2, 2]
    goods = [links.economy.goods[good] for good in links.goods]
    made, slopes = links.answers(np.array([0.5 if name in ("x", "y") else 1.0 for name in goods]))
    by_good = dict(zip(goods, made, strict=True))
    assert (by_good["a"], by_good["b"]) == (1.0, 1.5)
    by_link = dict(zip([goods[good] for good in links.good], slopes, strict=True))
    assert (by_link["x"], by_link["y"]) == (2.0, 3.0)


def test_joint_products_are_worth_what_a_good_that_is_not_rival_is() -> None:
    value = {
        "supply": {"x": 0.7},
        "outside": {"c": 1},
        "scheduler": {"kind": "marginal_bids", "rate": 1},
        "run": {"tolerance": 1e-14},
    }
    shared = {
        "goods": {"x": {"rival": False}, "a": {}, "b": {}, "c": {}},
        "firms": [
            {"name": "f", "makes": "a = sin(x)"},
            {"name": "g", "makes": "b = cos(x)"},
            {"name": "h", "makes": "c = a*b + a"},
        ],
    }
    copied = {
        "goods": ["x", "x_1", "x_2", "a", "b", "c"],
        "firms": [
            {"name": "copier", "makes": "x_1 = x_2 = x"},
            {"name": "f", "makes": "a = sin(x_1)"},
            {"name": "g", "makes": "b = cos(x_2)"},
            {"name": "h", "makes": "c = a*b + a"},
        ],
    }
    lasts = [
        run.trajectory[run.trajectory["tick"] == run.summary["ticks"]].set_index("good")
        for run in (simulate({**value, **shared}), simulate({**value, **copied}))
    ]
    for column in ("price", "bid", "adjoint", "supply"):
        one, other = (last.loc[["x", "a", "b", "c"], column] for last in lasts)
        np.testing.assert_allclose(one, other, rtol=1e-14)
    one, other = lasts
    assert one.loc["x", "price"] == pytest.approx(math.cos(1.4) + math.cos(0.7), rel=1e-13)
    assert other.loc[["x_1", "x_2"], "price"].sum() == pytest.approx(one.loc["x", "price"], rel=1e-14)


def prices_of(run: Run) -> dict[str, float]:
    """The last prices, by good."""
    last = run.trajectory[run.trajectory["tick"] == run.trajectory["tick"].max()]
    return dict(zip(last["good"], last["price"], strict=True))


def test_a_loop_of_firms_that_bid_is_refused() -> None:
    firms = [{"name": "fa", "makes": "x = sin(y)"}, {"name": "fb", "makes": "y = cos(x)"}]
    goods = {"goods": ["x", "y"], "outside": {"y": 1}, "firms": firms}
    with pytest.raises(ScenarioError, match=r"found x of y of x: a good that is needed to make itself"):
        load({**goods, "scheduler": {"kind": "marginal_bids"}})


def test_formulas_that_differ_in_what_they_ignore_are_different_operations() -> None:
    data = {
        "goods": {"x": {"rival": False}, "y": {}, "a": {}, "b": {}, "c": {}},
        "outside": {"c": 1},
        "supply": {"x": 1, "y": 2},
        "firms": [
            {"name": "fa", "makes": "a = sin(x) + 0*y"},
            {"name": "fb", "makes": "b = sin(x)"},
            {"name": "fc", "makes": "c = a + b"},
        ],
        "scheduler": {"kind": "marginal_bids", "rate": 1},
    }
    assert prices_of(simulate(data))["x"] == pytest.approx(2 * math.cos(1), rel=1e-12)


CONCAVE = """
plan = x^0.5
body = 2*x^0.3*y^0.4
car = 3*plan^0.2*body^0.5
bus = 2*plan^0.4*body^0.3
return 4*sqrt(car) + 3*sqrt(bus)
"""


@pytest.mark.parametrize("copiers", [False, True])
def test_firms_that_plan_reach_the_prices_of_firms_that_bid(copiers: bool) -> None:
    """The same program under two schedulers: where every statement is strictly concave and increasing."""
    data = {"program": {"text": CONCAVE, "per": "statement"}, "supply": {"x": 2, "y": 1}}
    planned = prices_of(
        simulate(
            {**data, "scheduler": {"kind": "tatonnement", "rate": 0.1}, "run": {"ticks": 3000, "tolerance": 1e-11}},
            references=False,
        )
    )
    program = {**data["program"], "copiers": copiers}
    bid = prices_of(simulate({**data, "program": program, "scheduler": {"kind": "marginal_bids", "rate": 1}}))
    for good, price in planned.items():
        assert price == pytest.approx(bid[good], rel=1e-9), good


def test_the_command_compiles_and_goes_back(tmp_path: Path) -> None:
    done = simulator("compile", ESSAY, "-o", "essay.yaml", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    back = simulator("compile", "--from", "essay.yaml", cwd=tmp_path)
    assert back.stdout.splitlines()[-1] == "return c"
    ran = simulator("run", "essay.yaml", "--set", "supply.x=4", "--json", "--no-plots", cwd=tmp_path)
    assert ran.returncode == 0, ran.stderr
    assert json.loads(ran.stdout)["outcome"] == "cleared"
    assert simulator("compile", ESSAY, "-o", "essay.yaml", cwd=tmp_path).returncode == 2
    wrong = simulator("compile", "c = foo(x)", cwd=tmp_path)
    assert (wrong.returncode, "line 1, column 5: unknown function foo" in wrong.stderr) == (2, True)
    assert simulator("compile", "nothing.txt", cwd=tmp_path).returncode == 2
    assert "each statement" in simulator("compile", ESSAY, "--per", "statement", cwd=tmp_path).stdout


def test_a_written_scenario_keeps_the_values_of_the_one_it_came_from() -> None:
    text = as_scenario(str(SCENARIOS / "program.yaml"), "operation")
    assert "supply: {x: 0.7, y: 1.3}\n" in text


def test_settings_change_a_program_and_what_is_made_of_it() -> None:
    changes = {
        "firms.product_a.makes": "a = 2*x_1*y",
        "goods.a.price": 0.3,
        "outside.c": 2,
        "supply.x": 0.5,
        "program.copiers": True,
    }
    program = {"text": "a = x*y\nc = exp(a) + x\nreturn c"}
    scenario = load(
        {"program": program, "supply": {"x": 1, "y": 1}, "scheduler": {"kind": "marginal_bids", "rate": 1}},
        settings=changes,
    )
    assert "copy_of_x" in [firm.name for firm in scenario.economy.firms]
    assert (scenario.resolved["goods"]["a"]["price"], scenario.resolved["supply"]["x"]) == (0.3, 0.5)
    assert prices_of(simulate(scenario))["y"] == pytest.approx(2 * math.e)
