"""Arrays of terms that answer to NumPy's own calls: what a function does to them is written down in a graph.

    trace = Trace()
    prices = trace.array(np.array([1.0, 2.0]))
    spent = (prices * quantities).sum()      # a 0-dimensional `TracedArray` that knows its number and its term

A function of arrays need not know that it is traced. Where it asks whether something holds (`if prices.min() > 0.0`),
the answer at the numbers it is traced with is taken, and kept as a guard: the graph is the function's as long as all
guards hold. What would take a number out of the graph unseen (`float`, `np.asarray`, an index) raises an
`UntraceableError`.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin

from simulator.formulas.graph import Graph, Term

UFUNCS: dict[Any, str] = {
    np.add: "+",
    np.subtract: "-",
    np.multiply: "*",
    np.true_divide: "/",
    np.negative: "negate",
    np.power: "power",
    np.sqrt: "sqrt",
    np.log: "ln",
    np.exp: "exp",
    np.log1p: "log1p",
    np.expm1: "expm1",
    np.abs: "abs",
    np.maximum: "max",
    np.minimum: "min",
    np.remainder: "remainder",
    np.cos: "cos",
    np.sin: "sin",
    np.tanh: "tanh",
    np.cosh: "cosh",
    np.sign: "sign",
    np.greater: ">",
    np.less: "<",
    np.greater_equal: ">=",
    np.less_equal: "<=",
    np.equal: "==",
    np.not_equal: "!=",
    np.isfinite: "finite",
    np.logical_and: "and",
    np.bitwise_and: "and",
    np.logical_or: "or",
    np.bitwise_or: "or",
    np.logical_not: "not",
    np.invert: "not",
}
"""NumPy's functions of elements, and the operations they are."""

COMPOSED: dict[str, Callable[..., Any]] = {
    "square": lambda do, a: do("*", a, a),
    "reciprocal": lambda do, a: do("/", 1.0, a),
    "log2": lambda do, a: do("/", do("ln", a), math.log(2.0)),
    "log10": lambda do, a: do("/", do("ln", a), math.log(10.0)),
    "tan": lambda do, a: do("/", do("sin", a), do("cos", a)),
    "logaddexp": lambda do, a, b: do("+", a, do("softplus", do("-", b, a))),
    # Of SciPy, which is not loaded for its sake.
    "expit": lambda do, a: do("sigmoid", a),
    "log_expit": lambda do, a: do("negate", do("softplus", do("negate", a))),
}
"""Functions of elements that are several operations, by name."""

OF_NOTHING = {"+": 0.0, "*": 1.0, "and": True, "or": False}
"""What these operations make of no number at all."""
OF_FLAGS = frozenset([np.bitwise_and, np.bitwise_or, np.invert])
"""Functions that are traced of flags alone: of numbers they go bit by bit."""
FLAGS = frozenset([">", "<", ">=", "<=", "==", "!=", "finite", "and", "or", "not"])
WHOLE = frozenset(["+", "-", "*", "remainder", "min", "max", "choose"])
"""Operations of whole numbers that give whole numbers."""

ALIKE: frozenset[Any] = frozenset(
    [
        np.concatenate,
        np.einsum,
        np.prod,
        np.reshape,
        np.ravel,
        np.take,
        np.repeat,
        np.broadcast_to,
        np.copy,
        np.stack,
        np.hstack,
        np.vstack,
        np.moveaxis,
        np.transpose,
        np.squeeze,
        np.expand_dims,
        np.diag,
        np.dot,
        np.inner,
        np.outer,
        np.mean,
    ]
)
"""Functions of NumPy that do to arrays of terms what they do to arrays of numbers."""

MOST_OPERATIONS = 40_000
"""More than these take longer to be written and compiled than most runs."""
LARGEST = float(np.finfo(float).max)


class UntraceableError(BaseException):
    """A function needs a number where it is given a term: nothing that a handler of its own should deal with."""


class Trace:
    """A graph that is being written, the number each node has where it is traced, and the guards met so far."""

    def __init__(self) -> None:
        self.graph = Graph(exact=True)
        self.guards: list[tuple[Term, bool]] = []
        self._given: dict[int, float] = {}
        self._numbers: list[Any] = []
        self._whole: list[bool] = []
        self.written: list[Any] = []
        """Tables of others that a result was to be written on, and was not."""

    def array(self, numbers: Any) -> TracedArray:
        """Variables of the shape of `numbers`."""
        terms = np.empty(np.shape(numbers), dtype=object)
        for place, number in np.ndenumerate(np.asarray(numbers)):
            terms[place] = term = self.graph.variable(f"x{len(self._given)}")
            self._given[term.node] = number.item()
        return TracedArray(self, terms)

    def number(self, term: Term | float) -> Any:
        """What a term, or a number, is where it is traced."""
        if not isinstance(term, Term):
            return term
        graph = self.graph
        for node in range(len(self._numbers), len(graph.operations)):
            self._numbers.append(graph.number(node, self._numbers, self._given))
        return self._numbers[term.node]

    def whole(self, term: Term) -> bool:
        """Whether a term is made of whole numbers alone, as one that counts ticks."""
        graph = self.graph
        for node in range(len(self._whole), len(graph.operations)):
            operation, arguments, constant = graph.operations[node], graph.arguments[node], graph.constants[node]
            if not arguments:
                whole = isinstance(self._given[node], int) if constant is None else constant.is_integer()
            else:
                chosen = arguments[1:] if operation == "choose" else arguments
                whole = operation in WHOLE and all(self._whole[argument] for argument in chosen)
            self._whole.append(whole)
        return self._whole[term.node]

    def flags(self, terms: Any, *, constants: bool = False) -> bool:
        """Whether terms are true or false, and nothing else; `constants` that are 0 or 1 may be both."""
        return terms.size > 0 and all(
            self.graph.operations[each.node] in FLAGS
            or isinstance(self._given.get(each.node), bool)
            or (constants and each.constant in (0.0, 1.0))
            if isinstance(each, Term)
            else isinstance(each, bool)
            for each in terms.flat
        )

    def decide(self, term: Any) -> bool:
        """Whether a term holds, which from now on is a condition of the graph."""
        if not isinstance(term, Term):
            return bool(term)
        holds = bool(self.number(term))
        if term.constant is None and (term, holds) not in self.guards:
            self.guards.append((term, holds))
        return holds

    def apply(self, operation: str, *arguments: Any) -> Any:
        """The operation of each element of arrays that broadcast, of terms or numbers."""
        if len(self.graph.operations) > MOST_OPERATIONS:
            raise UntraceableError(f"more than {MOST_OPERATIONS:,} operations")
        done = np.frompyfunc(functools.partial(self.graph.apply, operation), len(arguments), 1)
        return np.asarray(done(*(_objects(each) for each in arguments)), dtype=object)

    def call(self, function: Callable[..., Sequence[float]], count: int, *arguments: Any) -> list[TracedArray]:
        """The `count` results of a function of floats, as one operation."""
        terms = [_objects(each).item() for each in arguments]
        called = self.graph.call(function, *terms)
        return [TracedArray(self, np.asarray(self.graph.part(called, place))) for place in range(count)]


class TracedArray(NDArrayOperatorsMixin):
    """An array of terms. NumPy's functions and operators give another."""

    def __init__(self, trace: Trace, terms: Any) -> None:
        self.trace, self.terms = trace, terms

    shape = property(lambda self: self.terms.shape)
    ndim = property(lambda self: self.terms.ndim)
    size = property(lambda self: self.terms.size)
    dtype = property(lambda self: np.dtype(float))

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, out: Any = None, **options: Any) -> Any:
        if any(each is table for each in inputs for table in self.trace.written):
            raise UntraceableError("a table was written on: its result must be used")
        given = [_objects(each) for each in inputs]
        bits = ufunc in OF_FLAGS
        flags = [self.trace.flags(each, constants=bits) for each in given] if bits or ufunc is np.add else []
        if method == "__call__" and (all(flags) if ufunc is np.add else not all(flags)) and flags:
            raise UntraceableError(f"{ufunc.__name__} of numbers is not what it is of flags")
        if ufunc is np.isnan:
            ufunc, given = np.not_equal, [given[0], given[0]]
        elif ufunc is np.isinf:
            ufunc, given = np.equal, [self.trace.apply("abs", *given), np.array(np.inf, dtype=object)]
        if ufunc is np.matmul:
            terms = np.matmul(*given)
        elif ufunc.__name__ in COMPOSED and method == "__call__":
            terms = COMPOSED[ufunc.__name__](self.trace.apply, *given)
        elif ufunc not in UFUNCS:
            raise UntraceableError(f"no operation is {ufunc.__name__}")
        elif method == "reduce":
            terms = self._reduce(UFUNCS[ufunc], given[0], options)
        elif method == "__call__":
            terms = self.trace.apply(UFUNCS[ufunc], *given)
            if (where := options.get("where", True)) is not True:
                terms = self.trace.apply("choose", where, terms, _objects(out[0]))
        else:
            raise UntraceableError(f"{ufunc.__name__}.{method} is no operation")
        return self._written(np.asarray(terms, dtype=object), None if out is None else out[0])

    def _written(self, terms: Any, out: Any) -> TracedArray:
        """A result; where it was to be written on is written on."""
        if out is None:
            return TracedArray(self.trace, terms)
        if isinstance(out, TracedArray):
            out.terms[...] = terms
            return out
        # Whoever goes on with this table, and not with the result, is to be seen.
        out.fill(np.nan)
        self.trace.written.append(out)
        return TracedArray(self.trace, terms)

    def _reduce(self, operation: str, terms: Any, options: dict[str, Any]) -> Any:
        axis, initial = options.get("axis", 0), options.get("initial")
        if (where := options.get("where", True)) is not True:
            terms = self.trace.apply("choose", where, terms, initial)
        if operation == "+" and self.trace.flags(terms, constants=True):
            # How many hold: added, two arrays of flags are one of flags.
            terms = self.trace.apply("choose", terms, 1.0, 0.0)
        apply = self.trace.graph.apply
        joined = np.frompyfunc(lambda a, b: apply(operation, a, b), 2, 1)
        if axis is None:
            terms, axis = terms.ravel(), 0
        if not terms.size and operation in OF_NOTHING:
            shape = np.sum(terms.astype(float), axis=axis, keepdims=options.get("keepdims", False)).shape
            return np.full(shape, OF_NOTHING[operation], dtype=object)
        if initial is not None and initial is not np._NoValue:  # pyright: ignore
            first = np.full_like(np.take(terms, [0], axis), initial, dtype=object) if terms.size else None
            if first is None:
                return np.asarray(float(initial), dtype=object)
            terms = np.concatenate([first, terms], axis)
        return joined.reduce(terms, axis=axis, keepdims=options.get("keepdims", False))

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        if function in ALIKE:
            args, kwargs = _with_terms(args), _with_terms(kwargs)
            return TracedArray(self.trace, np.asarray(function(*args, **kwargs), dtype=object))
        if function not in FUNCTIONS:
            raise UntraceableError(f"no operation is {function.__name__}")
        return FUNCTIONS[function](self.trace, *args, **kwargs)

    def __array__(self, *_: Any, **__: Any) -> Any:
        raise UntraceableError("an array of numbers is needed")

    def __float__(self) -> float:
        raise UntraceableError("a number is needed")

    __int__ = __index__ = __float__

    def __bool__(self) -> bool:
        return self.trace.decide(self.terms.item())

    def __len__(self) -> int:
        return len(self.terms)

    def __iter__(self) -> Iterator[TracedArray]:
        return (self[place] for place in range(len(self)))

    def __getitem__(self, place: Any) -> TracedArray:
        return TracedArray(self.trace, np.asarray(self.terms[place], dtype=object))

    def __setitem__(self, place: Any, value: Any) -> None:
        self.terms[place] = _objects(value)

    @property
    def T(self) -> TracedArray:
        return TracedArray(self.trace, self.terms.T)

    def diagonal(self) -> TracedArray:
        return TracedArray(self.trace, self.terms.diagonal())

    def copy(self) -> TracedArray:
        return TracedArray(self.trace, self.terms.copy())

    def reshape(self, *shape: Any) -> TracedArray:
        return TracedArray(self.trace, self.terms.reshape(*shape))

    def ravel(self) -> TracedArray:
        return self.reshape(-1)

    flatten = ravel

    def dot(self, other: Any) -> TracedArray:
        return np.dot(self, other)  # pyright: ignore

    def mean(self, axis: Any = None) -> TracedArray:
        return np.mean(self, axis=axis)  # pyright: ignore

    def prod(self, axis: Any = None) -> TracedArray:
        return np.multiply.reduce(self, axis=axis)  # pyright: ignore

    def take(self, places: Any, axis: int | None = None) -> TracedArray:
        return TracedArray(self.trace, self.terms.take(places, axis))

    @property
    def real(self) -> TracedArray:
        return self

    def astype(self, kind: Any, copy: bool = True) -> TracedArray:
        if np.dtype(kind).kind != "f":
            raise UntraceableError("only floats are traced")
        if self.trace.flags(self.terms, constants=True):
            return TracedArray(self.trace, self.trace.apply("choose", self.terms, 1.0, 0.0))
        return self.copy() if copy else self

    def item(self) -> TracedArray:
        return self.reshape(()).copy()

    def tolist(self) -> list[Any]:
        return [each.tolist() if each.ndim else each for each in self]

    def sum(self, axis: Any = None, **options: Any) -> TracedArray:
        return np.add.reduce(self, axis=axis, **options)  # pyright: ignore

    def max(self, axis: Any = None, **options: Any) -> TracedArray:
        return np.maximum.reduce(self, axis=axis, **options)  # pyright: ignore

    def min(self, axis: Any = None, **options: Any) -> TracedArray:
        return np.minimum.reduce(self, axis=axis, **options)  # pyright: ignore

    def all(self, axis: Any = None, **options: Any) -> TracedArray:
        return np.logical_and.reduce(self != 0, axis=axis, **options)  # pyright: ignore

    def any(self, axis: Any = None, **options: Any) -> TracedArray:
        return np.logical_or.reduce(self != 0, axis=axis, **options)  # pyright: ignore


def _objects(value: Any) -> Any:
    """Terms or numbers, as an array of objects."""
    return value.terms if isinstance(value, TracedArray) else np.asarray(value, dtype=object)


def _with_terms(value: Any) -> Any:
    """Arguments in which arrays of terms stand for what was traced."""
    if isinstance(value, (list, tuple)):
        return [_with_terms(each) for each in value]
    if isinstance(value, dict):
        return {name: _with_terms(each) for name, each in value.items()}
    return value.terms if isinstance(value, TracedArray) else value


def _where(trace: Trace, condition: Any, true: Any, false: Any) -> TracedArray:
    return TracedArray(trace, trace.apply("choose", condition, true, false))


def _bincount(trace: Trace, places: Any, weights: Any, minlength: int = 0) -> TracedArray:
    sums = np.full(max(minlength, int(np.max(places, initial=-1)) + 1), trace.graph.constant(0.0), dtype=object)
    for place, weight in zip(places.tolist(), _objects(weights), strict=True):
        sums[place] = sums[place] + weight
    return TracedArray(trace, sums)


def _clip(trace: Trace, values: Any, least: Any, most: Any) -> TracedArray:
    return TracedArray(trace, trace.apply("min", trace.apply("max", values, least), most))


FUNCTIONS: dict[Any, Callable[..., Any]] = {
    np.where: _where,
    np.bincount: _bincount,
    np.clip: _clip,
    np.result_type: lambda *_: np.dtype(float),
    np.shape: lambda _, values: values.shape,
    np.empty_like: lambda _, prototype, **__: np.empty(prototype.shape),
    np.zeros_like: lambda _, prototype, **__: np.zeros(prototype.shape),
    np.broadcast_arrays: lambda trace, *arrays: [
        TracedArray(trace, each) for each in np.broadcast_arrays(*map(_objects, arrays))
    ],
    np.nan_to_num: lambda trace, values: np.where(np.isnan(values), 0.0, np.clip(values, -LARGEST, LARGEST)),
    np.sum: lambda _, values, **options: values.sum(**options),
    np.min: lambda _, values, **options: values.min(**options),
    np.max: lambda _, values, **options: values.max(**options),
    np.real: lambda _, values: values,
}
"""Functions of NumPy that are written down in another way than element by element."""
