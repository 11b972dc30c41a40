"""Compiling: programs as Python reads them, copiers, and supply chains as programs with allocations."""

from __future__ import annotations

import functools
import math
import random
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator import ScenarioError, load, simulate
from tests.builders import links_of, market_of, quotes_of
from tests.house import (
    CounterpartError,
    Market,
    ProgramError,
    as_program,
    as_scenario,
    chain_of,
    parse_function,
    program_of,
)
from tests.house import parse_program as parse
from tests.program import simulator

SCENARIOS = Path(__file__).parents[1] / "scenarios"


class Taped:
    """A number that remembers what it was made of: reverse mode by operator overloading, for these tests alone."""

    def __init__(self, value: float, made_of: tuple[tuple[Taped, float], ...] = ()) -> None:
        self.value, self.made_of, self.slope = value, made_of, 0.0

    @staticmethod
    def of(given: Taped | float) -> Taped:
        return given if isinstance(given, Taped) else Taped(float(given))

    def __add__(self, other: Taped | float) -> Taped:
        b = Taped.of(other)
        return Taped(self.value + b.value, ((self, 1.0), (b, 1.0)))

    def __mul__(self, other: Taped | float) -> Taped:
        b = Taped.of(other)
        return Taped(self.value * b.value, ((self, b.value), (b, self.value)))

    def __truediv__(self, other: Taped | float) -> Taped:
        b = Taped.of(other)
        return Taped(self.value / b.value, ((self, 1 / b.value), (b, -self.value / b.value**2)))

    def __pow__(self, power: float) -> Taped:
        return Taped(self.value**power, ((self, power * self.value ** (power - 1)),))

    def __neg__(self) -> Taped:
        return Taped(-self.value, ((self, -1.0),))

    def __pos__(self) -> Taped:
        return self

    def __sub__(self, other: Taped | float) -> Taped:
        return self + (-Taped.of(other))

    def __radd__(self, other: float) -> Taped:
        return self + other

    def __rmul__(self, other: float) -> Taped:
        return self * other

    def __rsub__(self, other: float) -> Taped:
        return Taped.of(other) - self

    def __rtruediv__(self, other: float) -> Taped:
        return Taped.of(other) / self

    def sweep(self) -> None:
        """Fill in the derivatives of this number by all that it is made of."""
        order: list[Taped] = []
        seen: set[int] = set()
        waiting = [(self, False)]
        while waiting:
            node, done = waiting.pop()
            if done:
                order.append(node)
            elif id(node) not in seen:
                seen.add(id(node))
                waiting.append((node, True))
                waiting += [(source, False) for source, _ in node.made_of]
        self.slope = 1.0
        for node in reversed(order):
            for source, slope in node.made_of:
                source.slope += node.slope * slope


def smooth(value: Callable[[float], float], slope: Callable[[float], float]) -> Callable[[Taped | float], Taped]:
    def function(given: Taped | float) -> Taped:
        a = Taped.of(given)
        return Taped(value(a.value), ((a, slope(a.value)),))

    return function


PYTHON = {
    "sin": smooth(math.sin, math.cos),
    "cos": smooth(math.cos, lambda a: -math.sin(a)),
    "tanh": smooth(math.tanh, lambda a: 1 - math.tanh(a) ** 2),
    "exp": smooth(math.exp, math.exp),
    "ln": smooth(math.log, lambda a: 1 / a),
    "sqrt": smooth(math.sqrt, lambda a: 0.5 / math.sqrt(a)),
    "max": lambda *given: max(map(Taped.of, given), key=lambda a: a.value),
    "range": range,
}


def by_python(text: str, inputs: dict[str, float]) -> tuple[float, dict[str, float]]:
    """What a program returns and its derivatives by all values of the top level, as Python carries the text out."""
    numbers: dict[str, Any] = {name: Taped(value) for name, value in inputs.items()}
    around: dict[str, Any] = {**PYTHON, **numbers, "u": [numbers.get(f"u_{place}") for place in range(3)]}
    *lines, last = text.strip().replace("^", "**").splitlines()
    exec("\n".join([*lines, last.replace("return ", "the_result = ")]), around)
    around["the_result"].sweep()
    values = {**around, **numbers}
    return around["the_result"].value, {name: each.slope for name, each in values.items() if isinstance(each, Taped)}


class Writer:
    """Writes programs at random: functions in functions, loops, vectors, names used again and like made-up ones."""

    NAMES = ("x", "t1", "t2", "a", "a_2", "b", "result", "v_0", "y", "y_2", "c_1", "value")

    def __init__(self, seed: int) -> None:
        self.stream = random.Random(seed)
        names = list(self.NAMES)
        self.stream.shuffle(names)
        # v_0 is the element v[0] where nothing else is called so: as an input it would be another than Python's.
        names.sort(key="v_0".__eq__)
        scalars, self.assignable = names[:3], names[3:]
        self.inputs = {name: self.stream.uniform(-1.5, 1.5) for name in (*scalars, "u_0", "u_1", "u_2")}
        self.outer = [*scalars, *(f"u[{place}]" for place in range(3))]
        self.functions: list[tuple[str, int]] = []

    def expression(self, known: list[str], deep: int = 0) -> str:
        pick, stream = self.stream.random(), self.stream
        if deep > 3 or pick < 0.2:
            return stream.choice(known) if stream.random() < 0.85 else f"{stream.uniform(-2, 2):.3g}"
        one, two = self.expression(known, deep + 1), self.expression(known, deep + 1)
        if pick < 0.5:
            return stream.choice(["({} + {})", "{} - ({})", "({})*({})", "({})/(2 + ({})^2)", "-({}) + {}"]).format(
                one, two
            )
        if pick < 0.65:
            return stream.choice(["-({})^2/4", "({})^3/9", "2*-({})", "+({})", "0 + ({})*1"]).format(one)
        if pick < 0.75:
            return f"max({one}, {two}, 0.1234)"
        if self.functions and pick < 0.9:
            name, arity = stream.choice(self.functions)
            return f"{name}({', '.join(self.expression(known, deep + 2) for _ in range(arity))})"
        return stream.choice(["sin({})", "cos({})", "tanh({})", "exp(tanh({}))", "sqrt(1 + ({})^2)"]).format(one)

    def function(self, indent: str, outer: list[str], nested: bool = False) -> list[str]:
        name, arity = f"f{len(self.functions)}{'n' * nested}", self.stream.randint(1, 2)
        parameters = self.stream.sample(self.NAMES, arity)
        own = self.stream.sample([each for each in self.NAMES if each not in parameters], 3)
        known = [*parameters, *(each for each in outer if each not in own)]
        lines = [f"{indent}def {name}({', '.join(parameters)}):"]
        before = list(self.functions)
        if not nested and self.stream.random() < 0.4:
            lines += self.function(indent + "  ", known, nested=True)
        for each in own:
            lines.append(f"{indent}  {each} = {self.expression(known, 1)}")
            known.append(each)
        lines.append(f"{indent}  return tanh({self.expression(known, 2)})")
        self.functions = [*before, (name, arity)]
        return lines

    def text(self) -> str:
        stream, known = self.stream, list(self.outer)
        lines: list[str] = []
        for _ in range(stream.randint(3, 9)):
            pick, name = stream.random(), stream.choice(self.assignable)
            if pick < 0.25:
                # A function may only read of the top level what is there whenever it is called.
                lines += self.function("", list(self.outer))
            elif pick < 0.4:
                lines += [f"v = [{self.expression(known, 2)}, {self.expression(known, 2)}, 2]"]
                lines += [f"v[{stream.choice(['0', '3 - 2', '2'])}] += {self.expression(known, 2)}"]
                known += [f"v[{place}]" for place in range(3)]
            elif pick < 0.6:
                lines.append(f"{name} = {self.expression(known, 1)}")
                lines.append(f"for i in range({stream.choice(['3', '1, 3', '2, 0, -1'])}):")
                lines.append(f"  {name} = tanh({name} + (i + 1)*{self.expression([*known, name, 'u[i]'], 2)})")
                known.append(name)
            elif pick < 0.7:
                lines.append(f"{name} = {stream.choice(self.assignable)} = {self.expression(known)}")
                known += [lines[-1].split(" = ")[0], lines[-1].split(" = ")[1]]
            else:
                lines.append(f"{name} = {self.expression(known)}")
                known.append(name)
        return "\n".join([*lines, f"return sin({self.expression(known, 1)}) + {self.outer[0]}"])


def supplied(text: str, values: dict[str, float]) -> str:
    """The program with comments that say the values of its inputs."""
    return "".join(f"# supply: {name} = {values[name]!r}\n" for name in parse(text).inputs) + text


def at_rest(text: str) -> Market:
    """The market of a compiled program that went through a file, at rest."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "chain.yaml"
        file.write_text(text, encoding="utf-8")
        scenario = load(file)
    market = market_of(scenario)
    for _ in range(2 * links_of(market).depth + 1):
        market.advance()
    return market


@given(seed=st.integers(0, 10**9), per=st.sampled_from(["operation", "statement"]), copiers=st.booleans())
@settings(max_examples=50)
def test_a_program_means_what_it_means_to_python(seed: int, per: str, copiers: bool) -> None:
    writer = Writer(seed)
    text = writer.text()
    value, slopes = by_python(text, writer.inputs)
    text = supplied(text, writer.inputs)
    program = parse(text, per=per)
    outputs = [operation.output for operation in program.operations]
    assert len({*outputs, *program.inputs}) == len(outputs) + len(program.inputs)
    assert set(program.inputs) <= set(writer.inputs)
    market = at_rest(as_scenario(text, per, copiers=copiers))
    assert links_of(market).depth == program.depth_with(program.shared if copiers else ())
    prices = dict(zip(market.economy.goods, quotes_of(market).prices, strict=True))
    made = dict(zip(market.economy.goods, quotes_of(market).demand, strict=True))
    assert made[program.result] == pytest.approx(value, rel=1e-9, abs=1e-12)
    for name in writer.inputs:
        assert (prices[name] if name in program.inputs else 0.0) == pytest.approx(slopes[name], rel=1e-7, abs=1e-9)


COLLIDING = {
    "b = sin(x*y)*2\nreturn b + t1": {"x", "y", "t1"},
    "def f(a):\n  y = 2*a\n  return y\nb = f(x)\nreturn b + y": {"x", "y"},
    "a = x*2\na = a*3\nreturn a + a_2": {"x", "a_2"},
    "def f(a):\n  w[0] = 2*a\n  return w[0]\nb = f(x)\nreturn b + w[0]": {"x", "w_0"},
    "w = y\ndef f(a):\n  w = [a, 2*a]\n  return w[0]*w[1]\nw = 2*w\nw = 3*w\nreturn f(x) + w": {"x", "y"},
    "result_2 = 3*x\nreturn result_2 + result": {"x", "result"},
}


@pytest.mark.parametrize("text", COLLIDING)
def test_names_made_up_keep_out_of_the_way_of_names_still_to_come(text: str) -> None:
    for per in ("operation", "statement"):
        program = parse(text, per=per)
        outputs = [operation.output for operation in program.operations]
        assert set(program.inputs) == COLLIDING[text]
        assert len(set(outputs)) == len(outputs)
        assert not set(outputs) & set(program.inputs)
        for copiers in (False, True):
            data = {**chain_of(program, copiers=copiers), "supply": dict.fromkeys(program.inputs, 1.0)}
            load({**data, "scheduler": {"kind": "marginal_bids"}})


MEANINGS = {
    "w[0] = x*2\nreturn w_0 + w[0]": "w_0 = x*2; result = w_0 + w_0",
    "w_0 = x*2\nreturn w_0 + w[0]": "w_0 = x*2; result = w_0 + w_0",
    "def f(a):\n  c = a\n  return a + c\nz = f(x*y)": "t1 = x*y; z = t1 + t1",
    "def f(a):\n  return a\nz = f(x*y)": "z = x*y",
    "def f(a):\n  def g(b): return a*b\n  return g(2)\nz = f(x)": "z = x*2",
    "a = b = x*2\nreturn a*b": "a = x*2; result = a*a",
    "a = x*2\nv[0] = a*3": "a = x*2; v_0 = a*3",
    "a = x": "a = x",
    "def f(a: int, /, b: list) -> float:\n  'text'\n  return a - b\nc: float = f(x, y)": "c = x - y",
    "def f(a): return 2*a\nf = f(x)\nreturn f*f": "f = 2*x; result = f*f",
    "def f(a): return 2*a\ndef g(a): return f(a)\ndef f(a): return 3*a\nb = g(x)": "b = 3*x",
    "return x": "result = x",
    "# supply: x = 3\na = -x^2 - (-x) # ^": "t1 = x^2; t2 = -t1; t3 = -x; a = t2 - t3",
}


@pytest.mark.parametrize("text", MEANINGS)
def test_what_a_program_becomes(text: str) -> None:
    operations = parse(text).operations
    assert "; ".join(f"{operation.output} = {operation.formula}" for operation in operations) == MEANINGS[text]


def test_formulas_have_the_brackets_they_need() -> None:
    for formula in (
        "a + b - c + d",
        "a - (b - c)",
        "a*b/c",
        "a/(b*c)",
        "-a^2",
        "(-a)^2",
        "a^(-b)",
        "a - (-b)",
        "(a^b)^c",
    ):
        (operation,) = parse(f"y = {formula}", per="statement").operations
        assert operation.formula == formula
    (long,) = parse("y = " + " + ".join(f"x{place}" for place in range(400)), per="statement").operations
    assert len(long.inputs) == 400


LIMITS = {
    "a = " + "1" + "0" * 400 + "*x": (4, "too large"),
    "a = " + "1" + "0" * 5000 + "*x": (0, "too large"),
    "a = x\nfor i in range(99999):\n  for j in range(99999):\n    b = x\nreturn a": (58, "steps"),
    "for i in range(10^300):\n  a = x": (0, "turns"),
    "def f0(a): return a*a\n"
    + "".join(f"def f{i}(a): return f{i - 1}(f{i - 1}(a))\n" for i in range(1, 40))
    + "y = f39(x)": (18, "10,000 characters"),
    "a = " + "x" * 81: (4, "81 characters"),
    "a = 'é' + x": (4, "arithmetic"),
    "if 1: a = x": (0, "no assignment"),
    "a = x\nb = 3": (6, "result that is a number"),
    "for i in range(3):\n  w[i] = w[i] - x": (28, "found w, which has no value here"),
    "w = [x, y]\ndef f(a):\n  w[0] = a\n  return a\nz = f(x)": (23, "outside the function"),
    "for exp in range(3):\n  a = x": (4, "found exp, a function"),
    "a = x + y/(1 - 1)": (8, "division by zero"),
    "a = b = [x, y]": (4, "a vector with two names"),
    "a = b^foo(x)": (6, "unknown function foo"),
}


@pytest.mark.parametrize(
    "text",
    [pytest.param(text, marks=[pytest.mark.slow] * ("99999" in text), id=str(at)) for at, text in enumerate(LIMITS)],
)
def test_what_goes_too_far_is_refused_in_its_place(text: str) -> None:
    place, message = LIMITS[text]
    with pytest.raises(ProgramError, match=message) as caught:
        parse(text, per="statement")
    assert caught.value.offset == place


def test_many_values_of_one_name_are_named_at_once() -> None:
    program = parse("a = x\nfor i in range(30000):\n  a = sin(a)*x\nreturn a")
    assert program.depth == 60000
    assert len(chain_of(program, copiers=True)["goods"]) == 90002


FACTOR = 0.5


def weighted(w: Any, x: Any, /, y: float) -> float:
    total = 0.0
    for i in range(2):
        total += w[i] * x[i] * FACTOR
    return total + math.pi * y


def no_return(x: float) -> None:
    _ = x * 2


def any_number(*x: float) -> float:
    return x[0]


def in_twos(x: float, y: float = 2) -> float:
    return x * y


def log(x: float) -> float:
    return 2 * x


def another_log(x: float) -> float:
    return log(x) + math.log(x)


def largest_of_an_array(x: Any) -> Any:
    return np.max(x, 0)


weights = 3.0


def not_the_number_around(weights: Any, x: float) -> Any:
    return weights[0] * x + weights


def remembered(x: float) -> float:
    return x


remembered_too = functools.lru_cache(remembered)


def test_a_function_s_vectors_and_the_numbers_around_it() -> None:
    program = parse_function(weighted, per="statement")
    assert set(program.inputs) == {"y", "w_0", "x_0", "w_1", "x_1"}
    values = {"w_0": 2.0, "w_1": 3.0, "x_0": 5.0, "x_1": 7.0, "y": 11.0}
    assert by_python(program.text, values)[0] == weighted([2.0, 3.0], [5.0, 7.0], 11.0)
    refused = {
        no_return: "no result|letter first",
        any_number: "plain parameters",
        in_twos: "found a default in def in_twos",
        another_log: "found log, a function from elsewhere",
        largest_of_an_array: "found np.max, a function from elsewhere",
        not_the_number_around: "found weights, which has no value here",
        remembered_too: "no function of its own lines",
    }
    for function, message in refused.items():
        with pytest.raises(ProgramError, match=message):
            parse_function(function)
    with pytest.raises(ProgramError, match="no function of its own lines"):
        parse_function(lambda x: 2 * x)


def test_a_program_s_faults_come_without_what_follows_from_them() -> None:
    data = {"program": "a = foo(x)", "goods": ["a"], "supply": {"x": 1}, "run": {"ticks": -1}}
    with pytest.raises(ScenarioError) as caught:
        load({**data, "scheduler": {"kind": "marginal_bids"}})
    assert sorted(problem.path for problem in caught.value.problems) == ["goods", "program", "run.ticks"]


def prices_of(data: dict[str, Any]) -> dict[str, float]:
    run = simulate({**data, "scheduler": {"kind": "marginal_bids", "rate": 1}, "run": {"tolerance": 1e-12}})
    assert run.summary["outcome"] == "cleared"
    last = run.trajectory[run.trajectory["tick"] == run.summary["ticks"]]
    return dict(zip(last["good"], last["price"], strict=True))


def test_a_copier_is_paid_what_the_users_of_a_shared_value_pay_together() -> None:
    program = parse("a = x*y\nb = sin(a) + x\nx_1 = a*x\nc = exp(b/3)*y*x_1\nd = c*2\nreturn c", per="statement")
    supply = {"x": 0.7, "y": 1.3}
    shared = prices_of({**chain_of(program), "supply": supply})
    chain = chain_of(program, copiers=True)
    copied = prices_of({**chain, "supply": supply})
    assert [firm["makes"] for firm in chain["firms"] if firm["name"].startswith("copy")] == [
        "x_2 = x_3 = x_4 = x",
        "y_1 = y_2 = y",
        "a_1 = a_2 = a",
        "c = c_1 = c_made",
    ]
    for good, price in shared.items():
        assert copied["c_made" if good == "c" else good] == pytest.approx(price, rel=1e-13, abs=1e-15)
    assert copied["x_2"] + copied["x_3"] + copied["x_4"] == pytest.approx(shared["x"], rel=1e-14)
    assert (copied["c"], copied["c_1"]) == (1.0, 0.0)


def test_copies_are_the_value_itself_on_the_way_back() -> None:
    program = parse("a = x*y\nb = sin(a) + x\nc = exp(b/3)*y*a\nd = c*2\nreturn c", per="statement")
    scenario = {**chain_of(program, copiers=True), "supply": {"x": 0.7, "y": 1.3}}
    back = program_of(load({**scenario, "scheduler": {"kind": "marginal_bids"}}).resolved)
    assert back.text.splitlines() == [
        "# supply: x = 0.7",
        "# supply: y = 1.3",
        "a = x*y",
        "b = sin(a) + x",
        "c_made = exp(b/3)*y*a",
        "d = c_made*2",
        "return c_made",
    ]


CHAINS: dict[str, dict[str, Any]] = {
    "several makers and a supply": {
        "goods": ["ore", "steel", "cars", "bridges"],
        "outside": {"cars": 1.5, "bridges": 1},
        "supply": {"ore": 9, "steel": 0.5},
        "firms": [
            {"name": "smelter-1", "makes": "steel = ore^0.5", "productivity": 2},
            {"name": "mills", "count": 3, "makes": "steel = ln(1 + ore)"},
            {"name": "carmaker", "technology": {"power": {"output": "cars", "inputs": {"steel": 0.4}}}},
            {
                "name": "builder",
                "technology": {
                    "cobb_douglas": {"output": "bridges", "productivity": 2, "inputs": {"steel": 0.3, "ore": 0.2}}
                },
            },
        ],
    },
    "bought and sold outside": {
        "goods": ["ore", "gas", "steel", "cars"],
        "outside": {"gas": 0.3, "steel": 0.6, "cars": 2},
        "supply": {"ore": 4},
        "firms": [
            {"name": "smelter", "makes": "steel = 3*ore^0.5*gas^0.2"},
            {"name": "carmaker", "makes": "cars = 2*steel^0.5*gas^0.1"},
        ],
    },
    "joint products": {
        "goods": ["grass", "wool", "mutton", "coats", "pies"],
        "outside": {"coats": 1, "pies": 2},
        "supply": {"grass": 4},
        "firms": [
            {"name": "shepherd", "makes": "wool = mutton = 2*sqrt(grass)"},
            {"name": "tailor", "makes": "coats = sqrt(wool)"},
            {"name": "weaver", "makes": "coats = ln(1 + wool)"},
            {"name": "baker", "makes": "pies = mutton^0.7"},
        ],
    },
    "shared_intermediate": {},
    "shared_labour": {},
    "ten_tiers": {},
    "tupperware": {},
}


@pytest.mark.parametrize("name", CHAINS)
def test_a_chain_s_prices_are_its_program_s_derivatives_and_shares_do_not_matter(name: str) -> None:
    rule = {"kind": "tatonnement", "form": "multiplicative", "rate": 0.1}
    data = {**CHAINS[name], "scheduler": rule, "run": {"ticks": 20000, "tolerance": 1e-10}}
    settings_of = {"run.tolerance": 1e-10, "run.ticks": 20000}
    scenario = load(data) if CHAINS[name] else load(SCENARIOS / f"{name}.yaml", settings=settings_of)
    run = simulate(scenario)
    assert run.summary["outcome"] == "cleared", run.summary["sentence"]
    program = program_of(scenario.resolved)
    assert parse(program.text).given == {
        name: scenario.resolved["supply"][name.removesuffix("_supplied")] for name in program.given
    }
    assert set(parse(program.text).allocations) == set(program.allocations)
    ends = run.agents[run.agents["tick"] == run.summary["ticks"]].set_index(["good", "agent"])["input"]
    shares = {
        f"{good}_for_{agent.partition(':')[0]}".replace("-", "_"): x
        for (good, agent), x in ends.items()
        if not agent.endswith(":mean")
    }
    _, slopes = by_python(program.text, {**program.given, **{each: shares[each] for each in program.allocations}})
    last = run.trajectory[run.trajectory["tick"] == run.summary["ticks"]].set_index("good")["price"]
    joint = {
        goods[0]: goods[1:]
        for goods in (firm.get("makes", "").split(" = ")[:-1] for firm in scenario.resolved["firms"])
        if goods
    }
    for good, price in last.items():
        if good in slopes and good not in scenario.resolved["outside"]:
            # Goods made together are one value, worth what they are worth together.
            assert slopes[good] == pytest.approx(price + sum(last[each] for each in joint.get(good, ())), rel=1e-6)
    for each in program.given:
        assert slopes[each] == pytest.approx(last[each.removesuffix("_supplied")], rel=1e-6)
    for each in program.allocations:
        assert abs(slopes[each]) < 1e-6 * last[each.partition("_for_")[0]]


def test_off_the_equilibrium_a_share_s_derivative_says_who_should_have_more() -> None:
    text = as_program(str(SCENARIOS / "shared_labour.yaml"))
    assert text.splitlines()[:3] == [
        "# supply: labour = 10",
        "# allocation: labour_for_bakery",
        "labour_for_weaver = labour - labour_for_bakery",
    ]
    market = at_rest(as_scenario(text.replace("labour_for_bakery\n", "labour_for_bakery = 2\n", 1), "operation"))
    prices = dict(zip(market.economy.goods, quotes_of(market).prices, strict=True))
    assert prices["labour_for_bakery"] == pytest.approx(2 / math.sqrt(2) - 1.5 * 6 / (1 + 8), rel=1e-12)
    assert prices["labour"] == pytest.approx(1.5 * 6 / (1 + 8), rel=1e-12)


NO_PROGRAMS = {
    "consumers": ({"consumers": [{"name": "c", "budget": 1, "utility": {"linear": {"b": 1}}}]}, "found consumers"),
    "no outside": ({"outside": {}}, "no good with an outside price"),
    "fixed price": ({"goods": {"x": {"fixed_price": 2}, "b": {}}}, "found x, whose price is fixed"),
    "keyword": (
        {"goods": ["x", "b", "in"], "firms": [{"name": "f", "makes": "b = sqrt(in)"}], "supply": {"in": 1}},
        "found a good called in",
    ),
    "kind": (
        {
            "firms": [
                {"name": "f", "technology": {"leontief": {"output": "b", "inputs": {"x": 1}, "returns_to_scale": 0.5}}}
            ]
        },
        "found f with a technology of the kind leontief",
    ),
    "drawn": (
        {"firms": [{"name": "f", "count": 2, "makes": "b = sqrt(x)", "productivity": {"uniform": [1, 2]}}]},
        "found f, whose productivity is drawn",
    ),
    "loop": (
        {"firms": [{"name": "f", "makes": "b = sqrt(x)"}, {"name": "g", "makes": "x = sqrt(b)"}]},
        "needed to make itself",
    ),
    "nobody makes": ({"supply": {}}, "found x, which nobody makes or supplies"),
}


@pytest.mark.parametrize("name", NO_PROGRAMS)
def test_what_is_no_program_is_refused_on_the_way_back(name: str) -> None:
    changes, message = NO_PROGRAMS[name]
    data = {
        "goods": ["x", "b"],
        "outside": {"b": 1},
        "supply": {"x": 1},
        "firms": [{"name": "f", "makes": "b = sqrt(x)"}],
    }
    with pytest.raises(ValueError, match=message):
        program_of(load({**data, **changes}).resolved)


@given(seed=st.integers(0, 10**9), per=st.sampled_from(["operation", "statement"]), copiers=st.booleans())
@settings(max_examples=20)
def test_there_and_back_and_there_again_the_prices_are_the_same(seed: int, per: str, copiers: bool) -> None:
    writer = Writer(seed)
    first = as_scenario(supplied(writer.text(), writer.inputs), per, copiers=copiers)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "chain.yaml"
        file.write_text(first, encoding="utf-8")
        text = as_program(str(file))
    program = parse(text)
    there, again = at_rest(first), at_rest(as_scenario(text, "statement"))
    prices = dict(zip(there.economy.goods, quotes_of(there).prices, strict=True))
    for name, price in zip(again.economy.goods, quotes_of(again).prices, strict=True):
        if name in program.inputs:
            assert price == pytest.approx(prices[name], rel=1e-9, abs=1e-11)


def called(*arguments: str, folder: Path) -> tuple[int, str]:
    done = simulator("compile", *arguments, cwd=folder)
    return done.returncode, done.stdout + done.stderr


def test_the_command_line_of_copiers_and_the_way_back(tmp_path: Path) -> None:
    code, text = called("return x*null*x", "--copiers", folder=tmp_path)
    assert (code, 'makes: "x_1 = x_2 = x"' in text, '"null": {}' in text) == (0, True, True)
    assert called("return x*x", "--copiers", "--from", folder=tmp_path)[0] == 2
    code, text = called("a = " + " + ".join(f"x{place}" for place in range(300)), folder=tmp_path)
    assert (code, "x299" in text) == (0, True)
    (tmp_path / "twice.yaml").write_text("program: a = x\nprogram: b = x\n")
    assert "the key 'program' twice" in called("twice.yaml", folder=tmp_path)[1]
    (tmp_path / "half.txt").write_text("# supply: x = 2, y\na = 2*x*y\n")
    assert "supply: {x: 2.0, y: 1}" in called("half.txt", folder=tmp_path)[1]
    (tmp_path / "nan.txt").write_text("# supply: x = 2, y = inf\na = 2*x*y\n")
    code, text = called("nan.txt", folder=tmp_path)
    assert (code, text) == (2, "nan.txt:1:18: found inf for y; expected a finite number\n")
    with pytest.raises(CounterpartError, match="line 2, column 5: unknown function"):
        as_scenario("a = x^2\nb = foo(a)", "operation")


PUBLISHED = {
    "essay_program": {"x": 1 / 24, "a": 1 / 6, "b": 3 / 2, "c": 1.0},
    "dot_product": {"w_0": 3.0, "x_0": 0.5, "w_2": -0.5, "x_3": 0.25, "total": 1.0},
    "fan_out": {"x": sum(k * math.cos(0.3 * k) for k in range(1, 9)), "sound": 1.0},
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_scenarios_prices_are_those_their_headers_speak_of(name: str) -> None:
    run = simulate(SCENARIOS / f"{name}.yaml")
    last = run.trajectory[run.trajectory["tick"] == run.summary["ticks"]].set_index("good")["price"]
    for good, price in PUBLISHED[name].items():
        assert last[good] == pytest.approx(price, rel=1e-12)
