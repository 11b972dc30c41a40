"""Compiling: programs as Python reads them, copiers, and supply chains as programs with allocations."""

from __future__ import annotations

import math
import random
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator import ScenarioError, load, simulate
from simulator.dynamics.marginal_bids import MessageMarket
from simulator.programs.language import parse, parse_function
from simulator.programs.program import Program, ProgramError
from simulator.programs.supply_chain import chain_of
from simulator.programs.way_back import program_of
from simulator.scenario.programs import CounterpartError, as_program, as_scenario

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

    def __pow__(self, power: int) -> Taped:
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
    "sqrt": smooth(math.sqrt, lambda a: 0.5 / math.sqrt(a)),
    "max": lambda *given: max(map(Taped.of, given), key=lambda a: a.value),
    "range": range,
}


def by_python(text: str, inputs: dict[str, float]) -> tuple[float, dict[str, float]]:
    """A program's last line's value and its derivatives, as Python itself carries the text out."""
    numbers = {name: Taped(value) for name, value in inputs.items()}
    around: dict[str, Any] = {**PYTHON, **numbers}
    around["u"] = [numbers[f"u_{place}"] for place in range(3)]
    *lines, last = text.replace("^", "**").splitlines()
    exec("\n".join([*lines, last.replace("return ", "the_result = ")]), around)
    around["the_result"].sweep()
    return around["the_result"].value, {name: number.slope for name, number in numbers.items()}


class Writer:
    """Writes programs at random: functions in functions, loops, vectors, names used again and names like made-up ones."""

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


def market_of(text: str) -> MessageMarket:
    """The market of a compiled program that went through a file, at rest."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "chain.yaml"
        file.write_text(text, encoding="utf-8")
        scenario = load(file)
    market = MessageMarket(scenario.economy, scenario.rule, scenario.initial_prices)
    for _ in range(2 * market.links.depth + 1):
        market.advance()
    return market


@given(seed=st.integers(0, 10**9), per=st.sampled_from(["operation", "statement"]), copiers=st.booleans())
@settings(max_examples=150)
def test_a_program_means_what_it_means_to_python(seed: int, per: str, copiers: bool) -> None:
    writer = Writer(seed)
    text = writer.text()
    value, slopes = by_python(text, writer.inputs)
    comments = "".join(f"# supply: {name} = {number!r}\n" for name, number in writer.inputs.items())
    program = parse(comments + text, per=per)
    outputs = [operation.output for operation in program.operations]
    assert len({*outputs, *program.inputs}) == len(outputs) + len(program.inputs)
    assert set(program.inputs) <= set(writer.inputs)
    market = market_of(as_scenario(comments + text, per, copiers=copiers))
    assert market.links.depth == program.depth_with(program.shared if copiers else ())
    prices = dict(zip(market.economy.goods, market.prices, strict=True))
    made = dict(zip(market.economy.goods, market.now.quantities, strict=True))
    assert made[program.result] == pytest.approx(value, rel=1e-9, abs=1e-12)
    for name, slope in slopes.items():
        assert (prices[name] if name in program.inputs else 0.0) == pytest.approx(slope, rel=1e-7, abs=1e-9)
