"""Formulas that compare: `price.natgas < 0.03 and outcome == "cleared"`, over numbers and texts.

Arithmetic is that of formulas. Names may have dots and colons; what is true is 1, what is not is 0.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from typing import Any, ClassVar, cast

from simulator.formulas.formula import FormulaError, Parser
from simulator.formulas.letters import NAME, SIGN

COMPARED = {"<": 4, "<=": 4, ">": 4, ">=": 4, "==": 4, "!=": 4}
_TEXT = r"\"[^\"]*\"|'[^']*'"
_STEP = rf"[0-9]+(?:\.[0-9]+)?[eE][-+]?[0-9]+|{SIGN}+"


class _Parser(Parser):
    """The names that hold a `-` have to be known."""

    precedence: ClassVar = {
        "or": 1,
        "and": 2,
        "not": 3,
        **COMPARED,
        "+": 5,
        "-": 5,
        "*": 6,
        "/": 6,
        "negate": 7,
        "^": 8,
    }
    prefixes: ClassVar = {"-": "negate", "not": "not"}
    refused: ClassVar = {
        **{sign: text for sign, text in Parser.refused.items() if sign not in (*COMPARED, "=", "'", '"')},
        "=": "found =; expected ==",
        "'": "found a quotation mark that is never closed; expected two",
        '"': "found a quotation mark that is never closed; expected two",
    }

    def __init__(self, text: str, names: Iterable[str]) -> None:
        super().__init__(text)
        odd = [re.escape(name) for name in sorted(names, key=len, reverse=True) if "-" in name]
        name = "|".join([*(rf"{each}(?![\w.-])" for each in odd), rf"{NAME}(?:[.:](?:{_STEP}))*"])
        self.token = re.compile(
            rf"\s*(?:(?P<number>(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)|(?P<sign>(?:and|or|not)\b|"
            rf"[<>!=]=|[-+*/^(),<>])|(?P<name>{name}|{_TEXT}))"
        )

    def after_value(self, kind: str, token: str, offset: int) -> bool:
        if token in COMPARED:
            for waiting in reversed(self.waiting):
                if waiting.kind == "(":
                    break
                if waiting.kind in COMPARED:
                    self.refuse(
                        f"found {token} after {waiting.kind}; expected one comparison, as in a < b and b < c", offset
                    )
        if token == "not":
            self.refuse("found not after a value; expected and or or before it", offset)
        return super().after_value(kind, token, offset)


class Comparison:
    """A formula over names; `names` are those it speaks of. Raises `FormulaError`."""

    def __init__(self, text: str, known: Iterable[str] = ()) -> None:
        self._known, self._formula = tuple(known), _Parser(text, known).run()
        self._texts = {name: name[1:-1] for name in self._formula.variables if name[0] in "'\""}
        self.names = tuple(name for name in self._formula.variables if name not in self._texts)

    def value(self, given: Mapping[str, Any]) -> float | int | None:
        """What it is where names have these values: a number, 1 or 0; None if a value is None, or what comes of them
        is no finite number. Raises `FormulaError` where texts are taken for numbers.
        """
        values = {**self._texts, **{name: given[name] for name in self.names}}
        if any(value is None for value in values.values()):
            return None
        output = self._formula.output
        graph, numbers = output.graph, dict[int, Any]()
        nodes = {graph.variable(name).node: value for name, value in values.items()}
        try:
            for node in graph.reachable([output]):
                numbers[node] = graph.number(node, numbers, cast("Any", nodes))
            result = numbers[output.node]
            if isinstance(result, bool):
                return int(result)
            return float(result) if math.isfinite(result) else None
        except TypeError:
            texts = [shown for shown, value in values.items() if isinstance(value, str)]
            raise FormulaError(f"found arithmetic with text ({', '.join(texts)}); expected numbers", 0) from None

    def __reduce__(self) -> tuple[Callable[..., Comparison], tuple[str, tuple[str, ...]]]:
        return _read_once, (self._formula.text, self._known)


@cache
def _read_once(text: str, known: tuple[str, ...]) -> Comparison:
    return Comparison(text, known)
