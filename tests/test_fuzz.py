"""Whatever a file says: a run or a clean refusal, never a traceback, a warning, a hang or a gigabyte.

Scenarios of every family are mutated: values swapped for extremes and other types, keys dropped, renamed and doubled,
text broken. Formulas are grown from a grammar and broken likewise.
"""

from __future__ import annotations

import copy
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.house import Formula, FormulaError, Scenario, ScenarioError, compose, load, parse, read, simulate

FOLDER = Path(__file__).parents[1] / "scenarios"
EXAMPLES = pytest.mark.parametrize("examples", [250, pytest.param(1000, marks=pytest.mark.slow)])
SHIPPED = [path for path in sorted(FOLDER.glob("*.yaml")) if path.stem != "village"]
TEXTS = {path.stem: path.read_text() for path in SHIPPED}
EXTREMES: tuple[Any, ...] = (
    *(0, -1, 1, 2, 0.5, 1e308, -1e308, 1e-308, 1e300, 1e-12, 10**400, float("nan"), float("inf")),
    *("", "x", "y = x", "equal", "1", "\x00", "naïve", "{}", "a" * 300, None, True, False, [], {}, [[]], {"": 1}),
    *({"uniform": [0, 1]}, {"lognormal": {"mean": 0, "sigma": 500}}, {"dirichlet": {"x": 1}}, {"times": 2}),
    *({"normal": {"mean": -5, "sigma": 1}}, {"csv": "none.csv", "column": "a"}, {"choice": []}),
)
EVERYTHING: dict[str, Any] = {
    "goods": {"a": {"floor": 1e-9}, "b": {}, "c": {}, "d": {}, "e": {"fixed_price": 2}},
    "outside": {"d": 3},
    "supply": {"a": 4, "e": 1},
    "firms": [
        {"name": "f", "count": 3, "makes": "b = 2*a^0.5", "productivity": {"uniform": [1, 2]}},
        {"name": "g", "technology": {"cobb_douglas": {"output": "c", "inputs": {"a": 0.3, "b": 0.4}}}},
        {"name": "l", "technology": {"leontief": {"output": "c", "returns_to_scale": 0.5, "inputs": {"a": 1, "e": 2}}}},
        {
            "name": "n",
            "count": 2,
            "technology": {
                "ces": {
                    "output": "d",
                    "elasticity": 0.5,
                    "returns_to_scale": 0.7,
                    "inputs": {"a": 1, "m": 2},
                    "nests": {"m": {"rho": 0.5, "weights": {"b": 1, "c": 2}}},
                }
            },
        },
    ],
    "consumers": [
        {"name": "s", "budget": 2, "utility": {"stone_geary": {"shares": {"b": 1, "c": 1}, "subsistence": {"b": 0.1}}}},
        {"name": "q", "utility": {"quasilinear": {"power": {"weights": {"b": 1}, "elasticity": 1.5}}}},
        {
            "name": "p",
            "utility": {"quasilinear": {"quadratic": {"intercept": {"b": 4}, "slope": {"b": 1}}}},
            "budget": 1,
        },
        {"name": "t", "endowment": {"a": 1}, "utility": {"formula": "ln(b) + sqrt(c)"}, "owns": {"f": 0.5}},
        {"name": "v", "budget": 1, "utility": {"linear": {"b": 1, "c": 2}}},
        {
            "name": "h",
            "count": 5,
            "endowment": {"a": {"lognormal": {"mean": 0, "sigma": 0.5}}},
            "owns": {"f": "equal", "g": "equal"},
            "savings": True,
            "budget": {"uniform": [0, 1]},
            "utility": {
                "ces": {"elasticity": {"uniform": [0.5, 2]}, "shares": {"dirichlet": {"a": 1, "b": 2, "c": 1}}}
            },
        },
    ],
    "taxes": [
        {"name": "t", "on": "input", "of": ["g", "l"], "good": "a", "rate": 0.2, "to": {"s": 0.5, "h": 0.25}},
        {"name": "u", "on": "output", "rate": {"adjust": {"keep": "consumers.s.b", "at": 0.1, "speed": -0.1}}},
        {"name": "w", "on": "output", "of": "f", "rate": 0.1, "base": "net", "to": "q"},
        {"name": "x", "on": "sales", "good": ["b", "e"], "rate": 0.05, "to": "v"},
        {"name": "y", "on": "consumption", "of": "v", "rate": -0.1, "to": "s"},
    ],
    "transfers": [
        {"from": "s", "to": "t", "share": 0.1},
        {"from": "h", "to": "p", "amount": 0.1},
        {"from": "v", "to": "h", "amount": {"good": "c", "amount": 0.01}},
    ],
    "trade": {"every_tick": {"inventories": True}},
    "scheduler": {"form": "additive", "rate": 0.01, "with": ["own_slope", {"momentum": 0.5}, {"decay": 0.1}]},
    "shocks": [{"tick": 2, "set": {"supply.a": {"times": 0.5}, "firms.n.productivity": {"plus": 1}}}],
    "run": {"ticks": 5},
}


def plain(name: str) -> dict[str, Any]:
    """A scenario as plain data."""
    if name == "everything":
        return copy.deepcopy(EVERYTHING)
    file = str(FOLDER / f"{name}.yaml")
    return compose(read(file), file).data


def places(value: Any) -> list[tuple[Any, Any]]:
    """Every container with every key or index in it."""
    items = (
        list(value.items()) if isinstance(value, dict) else list(enumerate(value)) if isinstance(value, list) else []
    )
    return [place for key, below in items for place in ((value, key), *places(below))]


def mutate(data: dict[str, Any], stream: random.Random) -> None:
    """One change somewhere."""
    found = places(data)
    if not found:
        return
    holder, key = stream.choice(found)
    how = stream.randrange(10)
    if how >= 6 and isinstance(holder[key], int | float) and abs(holder[key]) < 1e300:
        holder[key] *= 10 ** stream.uniform(-4, 4)
    elif how <= 2 or how >= 6:
        holder[key] = copy.deepcopy(stream.choice(EXTREMES))
    elif how == 3 and isinstance(holder, dict):
        holder[stream.choice(["x", "name", "count", "technology", "a", "nests", "price"])] = holder.pop(key)
    elif how == 4:
        del holder[key]
    else:
        other, place = stream.choice(found)
        if place in other if isinstance(other, dict) else place < len(other):
            holder[key] = copy.deepcopy(other[place])


def tame(data: dict[str, Any]) -> None:
    """Few ticks and few agents: what is tried is what may go wrong, not how long it takes."""
    run = data.get("run")
    data["run"] = {**(run if isinstance(run, dict) else {}), "ticks": 4, "record_every": 1}
    consumers = data.get("consumers")
    for entry in consumers if isinstance(consumers, list) else []:
        if isinstance(entry, dict) and isinstance(entry.get("count"), int) and entry["count"] > 50:
            entry["count"] = 7


def loaded(data: Any) -> Scenario | ScenarioError:
    try:
        return load(data)
    except ScenarioError as refusal:
        return refusal


def attempt(data: Any, references: bool) -> None:
    """A run, or a refusal in plain lines."""
    scenario = loaded(data)
    if isinstance(scenario, ScenarioError):
        assert scenario.problems
        assert all("\n" not in str(problem) and len(str(problem)) < 5000 for problem in scenario.problems)
    else:
        simulate(scenario, references=references)


def parsed(text: str) -> Formula | FormulaError:
    try:
        return parse(text)
    except FormulaError as refusal:
        return refusal


@EXAMPLES
def test_mutated_scenarios_run_or_are_refused(examples: int) -> None:
    @settings(max_examples=examples, suppress_health_check=list(HealthCheck))
    @given(
        st.sampled_from([*TEXTS, "everything", "everything", "everything"]), st.integers(0, 10**9), st.integers(1, 4)
    )
    def check(name: str, seed: int, changes: int) -> None:
        data, stream = plain(name), random.Random(seed)
        for _ in range(changes):
            mutate(data, stream)
        tame(data)
        attempt(data, references=seed % 16 == 0 and name != "everything")

    check()


@EXAMPLES
def test_broken_text_is_refused(examples: int) -> None:
    @settings(max_examples=examples, suppress_health_check=list(HealthCheck))
    @given(st.sampled_from(sorted(TEXTS)), st.integers(0, 10**9), st.integers(1, 5))
    def check(name: str, seed: int, changes: int) -> None:
        stream, text = random.Random(seed), TEXTS[name]
        for _ in range(changes):
            at, length = stream.randrange(len(text) + 1), stream.randrange(12)
            put = stream.choice(
                ["", " ", "\n", "\t", ":", "{", "}", "[", "]", "-", "#", "&a ", "*a ", "!x ", "'", '"', "%", "\x07"]
            )
            text = text[:at] + put + text[at + stream.choice([0, length]) :]
        document = compose(text, "broken.yaml")
        if document.complete and not document.faults:
            tame(document.data)
            attempt(document.data, references=False)

    check()


def grown(stream: random.Random, depth: int) -> str:
    """A formula of goods from the grammar."""
    if depth == 0:
        return stream.choice(["x", "y", "z", "1", "0", "0.5", "2", "1e-9", "1e200", "3"])
    kind = stream.randrange(5)
    if kind == 0:
        return f"({grown(stream, depth - 1)} {stream.choice('+-*/^')} {grown(stream, depth - 1)})"
    if kind == 1:
        of_one = ["sqrt", "ln", "exp", "sin", "cos", "tanh", "abs", "relu", "sigmoid", "softplus"]
        return f"{stream.choice(of_one)}({grown(stream, depth - 1)})"
    if kind == 2:
        return f"{stream.choice(['min', 'max'])}({grown(stream, depth - 1)}, {grown(stream, depth - 1)})"
    if kind == 3:
        return f"-{grown(stream, depth - 1)}"
    return grown(stream, depth - 1)


@settings(max_examples=1000, suppress_health_check=list(HealthCheck))
@given(st.integers(0, 10**9), st.integers(1, 4), st.integers(0, 2))
def test_formulas_are_evaluated_judged_or_refused(seed: int, depth: int, breaks: int) -> None:
    stream = random.Random(seed)
    text = grown(stream, depth)
    for _ in range(breaks):
        at = stream.randrange(len(text) + 1)
        text = text[:at] + stream.choice("()+-*/^.,xeE1 #\n_§") + text[at + stream.randrange(2) :]
    formula = parsed(text)
    if isinstance(formula, FormulaError):
        assert 0 <= formula.offset <= len(text)
        assert "\n" not in formula.message
    else:
        points = np.exp(np.random.default_rng(seed).normal(0, 3, (5, len(formula.variables))))
        assert formula.value(points).shape == (5,)
        assert formula.gradient(points).shape == points.shape
    market = {
        "goods": ["x", "y", "z", "out"],
        "outside": {"out": 1},
        "supply": {"x": 1, "y": 1, "z": 1},
        "firms": [{"name": "f", "makes": f"out = {text}"}],
        "run": {"ticks": 3},
    }
    attempt(market, references=seed % 10 == 0)
