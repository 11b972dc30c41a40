"""Objects of kinds from outside: their parameters read as those of other kinds are, and tried before the run.

Parameters are passed by name: a number as an array `(1,)`, a drawn one as `(agents,)`, numbers by good as a table
`(1, goods)` or `(agents, goods)` in the order of the goods (of a technology: in the order of its inputs), anything else
as it stands. Pieces of price rules, and what is not drawn of a behaviour, get plain numbers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from simulator.scenario.draws import Array, Bound, DrawError
from simulator.scenario.draws_schema import is_dirichlet, is_draw
from simulator.scenario.plugins import Maker, parameters_of
from simulator.scenario.reader import Reader

if TYPE_CHECKING:
    from simulator.dynamics.pieces import Piece
    from simulator.economics.behaviour import Behaviour
    from simulator.economics.technology import Technology
    from simulator.economics.utility import Utility

ANY = Bound()


class KindError(DrawError):
    """A kind from outside that refuses its parameters, or answers what it may not."""


def taste(maker: Maker, given: Mapping[str, Any], read: Reader) -> Utility:
    """A utility, which has been asked for everybody's best bundle at some prices and incomes, and what it is worth."""
    utility: Utility = _made(maker, _parameters(given, read, read.goods), read.path)
    goods = len(read.goods)
    rows = _answer(read.path, lambda: utility.size)
    prices, income = 1.0 + np.arange(goods) / 8.0, np.ones(rows)
    bundle = _array(read.path, "demand(prices, income)", lambda: utility.demand(prices, income), (rows, goods))
    _array(read.path, "utility(quantities, paid)", lambda: utility.utility(bundle, income), (rows,))
    spent = (bundle * prices).sum(axis=1)
    if not (bundle >= 0.0).all():
        raise KindError(read.path, f"found a demand of {float(bundle.min()):.6g}; expected quantities of at least 0")
    if utility.needs_income and not (spent <= income * (1.0 + 1e-9)).all():
        found = f"found a demand that costs {float(spent.max()):.6g} at an income of 1"
        raise KindError(read.path, f"{found}; expected a bundle that can be paid for")
    return utility


def technology(maker: Maker, given: Mapping[str, Any], read: Reader) -> tuple[Technology, str, list[str]]:
    """A technology, the good it makes and the goods it uses; it has been asked for the best response to prices of 1."""
    inputs: Any = given["inputs"]
    names: list[str] = list(inputs)
    taken = parameters_of(maker)
    others = {key: value for key, value in given.items() if key not in ("output", "inputs")}
    if isinstance(inputs, Mapping) and (taken is None or "inputs" in taken.all):
        others["inputs"] = inputs
    made: Any = _made(maker, _parameters(others, read, names), read.path)
    if read.count > 1 or not hasattr(made, "count"):
        # A frozen dataclass; how many firms there are is not among its parameters.
        object.__setattr__(made, "count", read.count)
    technology = cast("Technology", made)
    rows, guess = _answer(read.path, lambda: technology.size), np.ones((made.size, len(names)))
    price, wages = 1.0, [1.0] * len(names)
    planned = _answer(read.path, lambda: technology.best_response(price, wages, guess))
    _array(read.path, "the best response's inputs", lambda: planned.inputs, (rows, len(names)))
    _array(read.path, "the best response's output", lambda: planned.output, (rows,))
    return technology, given["output"], names


def piece(maker: Maker, given: Mapping[str, Any], path: str, goods: int) -> Piece:
    """A piece of a price rule, whose memory has been asked for."""
    made: Piece = _made(maker, dict(given), path)
    _answer(path, lambda: (made.start(goods), made.information))
    return made


def behaviour(maker: Maker, given: Mapping[str, Any], read: Reader) -> Behaviour:
    """A behaviour of the firms of an entry."""
    parameters = {
        key: read.number(value, key, ANY) if isinstance(value, Mapping) and is_draw(cast("Any", value)) else value
        for key, value in given.items()
    }
    made: Behaviour = _made(maker, parameters, read.path)
    _answer(read.path, lambda: made.plan)
    return made


def _parameters(given: Mapping[str, Any], read: Reader, names: Sequence[str]) -> dict[str, Any]:
    parameters: dict[str, Any] = {}
    for key, value in given.items():
        if isinstance(value, Mapping):
            mapping = cast("Mapping[str, Any]", value)
            drawn = is_draw(mapping) and not is_dirichlet(mapping)
            parameters[key] = read.number(mapping, key, ANY) if drawn else read.table(mapping, key, names, ANY)
        elif isinstance(value, int | float) and not isinstance(value, bool):
            parameters[key] = np.array([float(value)])
        else:
            parameters[key] = value
    return parameters


def _made(maker: Maker, parameters: Mapping[str, Any], path: str) -> Any:
    return _answer(path, lambda: maker(**parameters))


def _answer(path: str, ask: Any) -> Any:
    """What is answered; whatever goes wrong in code from outside is said with its place."""
    try:
        with np.errstate(all="ignore"):
            return ask()
    except DrawError:
        raise
    except Exception as error:
        said = " ".join(str(error).split()) or "no reason given"
        raise KindError(path, f"refused by its own code: {type(error).__name__}: {said}") from error


def _array(path: str, what: str, ask: Any, expected: tuple[int, ...]) -> Array:
    """An answer that is an array of numbers of the shape expected."""
    answer: Any = _answer(path, ask)
    if not isinstance(answer, np.ndarray):
        raise KindError(path, f"found a {type(answer).__name__} for {what}; expected an array of shape {expected}")
    array = cast("Array", answer)
    if array.shape != expected:
        raise KindError(path, f"found an array of shape {array.shape} for {what}; expected {expected}")
    if np.isnan(array).any():
        raise KindError(path, f"found what is not a number in {what}; expected numbers")
    return array
