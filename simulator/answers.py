"""Answers at hand: the market of a plain Python function, and the derivatives that a program's prices are."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import wraps
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from simulator.formulas.structures import rebuilt
from simulator.programs.decompile import program_of
from simulator.programs.differences import differences, values_at
from simulator.programs.program import Program
from simulator.programs.supply_chain import chain_of
from simulator.programs.traced_function import traced
from simulator.run import simulate
from simulator.scenario import Scenario, load
from simulator.scenario.variation import Variation
from simulator.simulation import Simulation
from simulator.terminal import aligned

TOLERANCE = 1e-12
MOST_ROWS = 12
"""More values are not told of; the inputs come first."""
MOST_FIRMS = 2000
"""A larger program is not run for the sake of a table."""


def market(function: Callable[..., Any], argnums: int | Sequence[int] = 0) -> Callable[..., tuple[float, Any]]:
    """`value, prices = market(f)(x)`: f(x), and df/dx as the prices at which the supply chain of f comes to rest.

    In the shape of autodiff's `value_and_grad`: `prices` are like the argument (a number, an array, or tuples, lists
    and dicts of these), with a tuple of `argnums` a tuple, one for each of these arguments. Other arguments, and those
    given by name, are handed on as they are.

    f is called once with traced numbers, on which `+ - * / **` and numpy's functions work. Every operation it does
    becomes a firm, every value a good; x arrives as supply, the result is sold at 1, and firms bid for their inputs
    what one more unit would earn. Raises TypeError for what is no arithmetic (a branch on a traced value), ValueError
    where some operation has no finite value or derivative.
    """
    places: tuple[Any, ...] = tuple(argnums) if isinstance(argnums, (list, tuple)) else (argnums,)
    if not places or {type(place) for place in places} != {int} or len({*places}) < len(places):
        raise TypeError(f"market: found argnums {argnums!r}; expected a place, such as 0, or several, as in (0, 2)")
    known: list[tuple[Program, Variation]] = []

    @wraps(function)
    def value_and_prices(*arguments: Any, **others: Any) -> tuple[float, Any]:
        if missing := [place for place in places if not 0 <= place < len(arguments)]:
            found = f"found {len(arguments)} arguments; expected one at the place {missing[0]} of argnums"
            raise TypeError(f"market({_called(function)}): {found}")
        names = _names(function, len(arguments))
        leaves = [(place, label, leaf) for place in places for label, leaf in _leaves(names[place], arguments[place])]
        given = [_numbers(label, leaf) for _, label, leaf in leaves]

        def of_arrays(*arrays: Any) -> Any:
            each = iter(arrays)
            filled = {place: _filled(arguments[place], each) for place in places}
            return function(*({**dict(enumerate(arguments)), **filled}.values()), **others)

        try:
            program, labels = traced(of_arrays, [label for _, label, _ in leaves], given)
        except TypeError as problem:
            raise TypeError(f"market({_called(function)}): {problem}") from problem
        at = {
            name: float(value)
            for label, values in zip(labels, given, strict=True)
            for name, value in zip(label.flat, values.flat, strict=True)
        }
        value, price = _at_rest(program, at, known, f"market({_called(function)})")
        found = iter([np.reshape([price.get(name, 0.0) for name in label.flat], label.shape) for label in labels])
        prices = tuple(_filled(arguments[place], found, plain=True) for place in places)
        return value, prices[0] if isinstance(argnums, int) else prices

    return value_and_prices


def derivatives(scenario: Scenario, prices: Mapping[str, float]) -> list[str]:
    """A table of the program that a scenario's supply chain is: each value, its price, and the derivative of the result
    by it as a finite difference. Empty where the result does not follow from supplies alone.
    """
    try:
        program = program_of(scenario.resolved)
    except ValueError:
        return []
    if program.allocations or not program.inputs or len(scenario.regimes) > 1:
        return []
    values = values_at(program, program.given)
    names = [name for name in (*program.inputs, *(each.output for each in program.operations)) if name in prices]
    told = [name for name in names if name != program.result][:MOST_ROWS]
    slopes = differences(program, program.given, told)
    rows = [["", "value", "price", "finite difference"]]
    rows += [[name, *(f"{number:.6g}" for number in (values[name], prices[name], slopes[name]))] for name in told]
    left = len(names) - 1 - len(told)
    more = [f"and {left:,} more in trajectory.csv"] if left > 0 else []
    result = program.result
    heading = f"{result} = {values[result]:.6g}; the price of a value is the derivative of {result} by it:"
    return [heading, *(f"  {line}" for line in [*aligned(rows, {0}), *more])]


def derivatives_in(folder: Path, scenario: Scenario) -> list[str]:
    """The same table of a finished run, at its last prices."""
    from simulator.figures.frames import read_table

    last = read_table(folder / "trajectory.csv", ["tick", "good", "price"])
    last = last[last["tick"] == last["tick"].max()]
    return derivatives(scenario, dict(zip(last["good"], last["price"], strict=True)))


def answer(scenario: Scenario) -> list[str]:
    """The same table of a scenario that is run for its sake, or why there is none."""
    if len(scenario.economy.firms) > MOST_FIRMS:
        return [f"{len(scenario.economy.firms):,} firms: simulator run finds the derivatives"]
    run = simulate(scenario, references=False)
    if run.summary["outcome"] != "cleared":
        return [f"no derivatives at these inputs: {run.summary['sentence']}"]
    return derivatives(scenario, run.prices.iloc[-1].to_dict())


def _called(function: Callable[..., Any]) -> str:
    return getattr(function, "__name__", "f")


def _names(function: Callable[..., Any], many: int) -> list[str]:
    """What the arguments of a function are called."""
    try:
        names = [*inspect.signature(function).parameters]
    except (TypeError, ValueError):
        names = []
    return [*names[:many], *(f"x{place}" for place in range(len(names), many))]


def _parts(tree: Any) -> Mapping[Any, Any] | None:
    """What a tuple, list or dict holds, by place or key; None of a leaf."""
    if tree is None or isinstance(tree, dict):
        return cast("dict[Any, Any]", tree or {})
    return dict(enumerate(cast("Sequence[Any]", tree))) if isinstance(tree, (list, tuple)) else None


def _leaves(name: str, tree: Any) -> Iterator[tuple[str, Any]]:
    """The numbers and arrays of an argument, each with a name."""
    parts = _parts(tree)
    if parts is None:
        yield name, tree
    for key, part in (parts or {}).items():
        yield from _leaves(f"{name}_{key}", part)


def _filled(tree: Any, leaves: Iterator[Any], *, plain: bool = False) -> Any:
    """The same tuples, lists and dicts with other leaves; `plain`: an array of no dimension is a float."""
    parts = _parts(tree)
    if parts is None:
        leaf = next(leaves)
        return leaf.item() if plain and not leaf.ndim else leaf
    filled = {key: _filled(part, leaves, plain=plain) for key, part in parts.items()}
    return tree if tree is None else filled if isinstance(tree, dict) else rebuilt(tree, filled.values())


def _numbers(name: str, leaf: Any) -> NDArray[np.float64]:
    """A leaf as floats. Raises TypeError where it is none."""
    found = np.asarray(leaf)
    if found.dtype.kind not in "iuf" or not np.isfinite(found).all():
        raise TypeError(f"market: found {leaf!r} as {name}; expected finite numbers")
    return found.astype(float)


def _at_rest(
    program: Program, at: Mapping[str, float], known: list[tuple[Program, Variation]], said: str
) -> tuple[float, dict[str, float]]:
    """The result of a program at some inputs, and the price of every good; `known` is its supply chain, once made."""
    supply = {name: at[name] for name in program.inputs}
    if known and known[0][0] == program:
        scenario = known[0][1].at({"supply": supply})
    else:
        scenario = load(_scenario(program, supply))
        known[:] = [(program, Variation(scenario))]
    simulation = Simulation(scenario)
    for _ in simulation.ticks():
        pass
    now, verdict = simulation.market.transition, simulation.verdict
    assert now is not None
    assert verdict is not None
    if verdict.outcome != "cleared":
        raise ValueError(f"{said}: {simulate(scenario).summary['sentence']}")
    quotes = scenario.scheduler.quotes(now.economy, now.tick)
    goods = now.economy.goods
    return float(quotes.supply[goods.index(program.result)]), dict(zip(goods, quotes.prices.tolist(), strict=True))


def _scenario(program: Program, supply: Mapping[str, float]) -> dict[str, Any]:
    """The supply chain of a program, whose firms bid, as plain data."""
    run = {"ticks": 2 * program.depth + 10, "tolerance": TOLERANCE, "references": "off", "tables": []}
    scheduler = {"kind": "marginal_bids", "rate": 1}
    return {**chain_of(program), "supply": dict(supply), "scheduler": scheduler, "run": run}
