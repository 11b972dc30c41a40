"""From what a scenario says of tastes and techniques to the objects of economics, drawn numbers included."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from simulator.scenario import from_outside
from simulator.scenario.draws import ABOVE_0, AT_LEAST_0, BELOW_1, Array, Bound, DrawError
from simulator.scenario.draws_schema import branches, leaves, shares_key
from simulator.scenario.reader import Given, Reader

if TYPE_CHECKING:
    from simulator.economics.behaviour import Behaviour
    from simulator.economics.forms import Form
    from simulator.economics.nests import Nest
    from simulator.economics.technology import Technology
    from simulator.economics.utility import Utility


def elasticity_of(ces: Given, read: Reader, bound: Bound = ABOVE_0) -> Array:
    """The elasticity of substitution of a CES given by it or by `rho`: `1/(1 - rho)`."""
    if "elasticity" in ces:
        return read.number(ces["elasticity"], "elasticity", bound)
    return 1.0 / (1.0 - read.number(ces["rho"], "rho", BELOW_1))


def ces_form(given: Given, read: Reader) -> Form:
    """A CES over goods, or a tree of them where some names stand for nests."""
    from simulator.economics.forms import CES

    if given.get("nests"):
        return _nest(given, read, ABOVE_0)
    elasticity = elasticity_of(given, read)
    key = shares_key(given)
    parameters = read.table(given[key], key)
    return CES.from_weights(elasticity, parameters) if key == "weights" else CES(elasticity, parameters)


def _nest(given: Given, read: Reader, bound: Bound = AT_LEAST_0) -> Nest:
    from simulator.economics.nests import Nest

    nests: Given = given.get("nests") or {}
    key, names = shares_key(given), branches(given)
    below = [_nest(nests[name], read.at("nests", name)) if name in nests else read.goods.index(name) for name in names]
    make = Nest.of_weights if key == "weights" else Nest.of_shares
    return make(len(read.goods), below, elasticity_of(given, read, bound), read.table(given[key], key, names))


def _cobb_douglas(given: Any, read: Reader) -> Utility:
    from simulator.economics.forms import CobbDouglas
    from simulator.economics.utility import Homothetic

    return Homothetic(CobbDouglas(read.table(given, "cobb_douglas")))


def _ces(given: Any, read: Reader) -> Utility:
    from simulator.economics.utility import Homothetic

    return Homothetic(ces_form(given, read.at("ces")))


def _leontief(given: Any, read: Reader) -> Utility:
    from simulator.economics.forms import Leontief
    from simulator.economics.utility import Homothetic

    return Homothetic(Leontief(read.table(given, "leontief")))


def _linear(given: Any, read: Reader) -> Utility:
    from simulator.economics.linear import Linear

    return Linear(read.table(given, "linear"))


def _quasilinear(given: Any, read: Reader) -> Utility:
    from simulator.economics.quasilinear import Quadratic, QuasiLinear

    below = read.at("quasilinear")
    if "log" in given:
        return QuasiLinear(below.table(given["log"], "log"))
    if "power" in given:
        power, inside = given["power"], below.at("power")
        elasticity = inside.number(power["elasticity"], "elasticity")
        return QuasiLinear(inside.table(power["weights"], "weights"), elasticity)
    quadratic, inside = given["quadratic"], below.at("quadratic")
    return Quadratic(
        inside.table(quadratic["intercept"], "intercept"), inside.table(quadratic["slope"], "slope", bound=ABOVE_0)
    )


def _stone_geary(given: Any, read: Reader) -> Utility:
    from simulator.economics.forms import CobbDouglas
    from simulator.economics.stone_geary import StoneGeary

    below = read.at("stone_geary")
    return StoneGeary(
        CobbDouglas(below.table(given["shares"], "shares")), below.table(given["subsistence"], "subsistence")
    )


def _formula(given: Any, read: Reader) -> Utility:
    from simulator.economics.formula_utility import FormulaUtility
    from simulator.formulas.formula import parse

    formula = parse(given)
    return FormulaUtility(formula, tuple(map(read.goods.index, formula.variables)), len(read.goods))


TASTES: dict[str, Callable[[Any, Reader], Utility]] = {
    "cobb_douglas": _cobb_douglas,
    "ces": _ces,
    "leontief": _leontief,
    "linear": _linear,
    "quasilinear": _quasilinear,
    "stone_geary": _stone_geary,
    "formula": _formula,
}
"""How each kind of utility is built from its part of a scenario."""


def utility(given: Given, read: Reader) -> Utility:
    """The utility of an entry, `{kind: parameters}`."""
    ((kind, parameters),) = given.items()
    if kind in read.plugins.utilities:
        return from_outside.taste(read.plugins.utilities[kind], parameters, read.at("utility", kind))
    return TASTES[kind](parameters, read.at("utility"))


@dataclass(frozen=True)
class Technique:
    """A technology with the goods it makes and those it uses, in the technology's order."""

    technology: Technology
    outputs: tuple[str, ...]
    inputs: tuple[str, ...]


def technique(firm: Given, read: Reader, outside: Set[str]) -> Technique:
    """What an entry of firms can make, by formula or by kind; goods that the `outside` alone buys may be negative."""
    if "makes" in firm:
        return _by_formula(firm, read, outside)
    ((kind, parameters),) = firm["technology"].items()
    if kind in read.plugins.technologies:
        maker, at = read.plugins.technologies[kind], read.at("technology", kind)
        technology, output, inputs = from_outside.technology(maker, parameters, at)
        return Technique(technology, (output,), tuple(inputs))
    return TECHNIQUES[kind](parameters, read)


def behaviour(given: Any, read: Reader) -> Behaviour:
    """The behaviour of an entry of firms: a name, or `{kind: parameters}`."""
    from simulator.economics.behaviour import BEHAVIOURS

    kind, parameters = (given, {}) if isinstance(given, str) else next(iter(given.items()))
    if kind in read.plugins.behaviours:
        return from_outside.behaviour(read.plugins.behaviours[kind], parameters, read.at("behaviour", kind))
    return BEHAVIOURS[kind](**({} if parameters is True else parameters))


def _by_formula(firm: Given, read: Reader, outside: Set[str]) -> Technique:
    from simulator.economics.technology import FormulaTechnology
    from simulator.formulas.formula import parse, sides

    outputs, text = sides(firm["makes"])
    formula = parse(text)
    productivity = read.number(firm.get("productivity", 1.0), "productivity")
    technology = FormulaTechnology(formula, outside >= set(outputs), productivity, read.count)
    return Technique(technology, outputs, formula.variables)


def _of_form(given: Given, read: Reader, form: Form, returns: Array, names: Sequence[str]) -> Technique:
    from simulator.economics.technology import HomotheticTechnology

    # Productivity is drawn by the firm's own name: what it is called in a scenario does not depend on the form.
    productivity = read.number(given.get("productivity", 1.0), "productivity")
    technology = HomotheticTechnology(form, productivity, returns, read.count)
    return Technique(technology, (given["output"],), tuple(names))


def _cobb_douglas_technique(given: Any, read: Reader) -> Technique:
    from simulator.economics.forms import CobbDouglas

    names = list(given["inputs"])
    exponents = read.at("technology").table(given["inputs"], "inputs", names, ABOVE_0)
    returns = exponents.sum(axis=1)
    if not (returns < 1.0).all():
        firm = int(np.argmax(returns >= 1.0))
        found = f"found exponents that sum to {returns[firm]:.6g} for firm {firm + 1}"
        raise DrawError(f"{read.path}.technology.inputs", f"{found}; expected less than 1, or no best response exists")
    return _of_form(given, read, CobbDouglas(exponents), returns, names)


def _leontief_technique(given: Any, read: Reader) -> Technique:
    from simulator.economics.forms import Leontief

    names = list(given["inputs"])
    amounts = read.at("technology").table(given["inputs"], "inputs", names, ABOVE_0)
    return _of_form(given, read, Leontief(amounts), _returns(given, read), names)


def _ces_technique(given: Any, read: Reader) -> Technique:
    names = list(dict.fromkeys(leaves(given)))
    inputs = replace(read.at("technology"), goods=tuple(names))
    return _of_form(given, read, ces_form(given, inputs), _returns(given, read), names)


def _returns(given: Given, read: Reader) -> Array:
    return read.at("technology").number(
        given["returns_to_scale"], "returns_to_scale", Bound(0.0, strict=True, under=1.0)
    )


TECHNIQUES: dict[str, Callable[[Any, Reader], Technique]] = {
    "power": _cobb_douglas_technique,
    "cobb_douglas": _cobb_douglas_technique,
    "ces": _ces_technique,
    "leontief": _leontief_technique,
}
"""How each kind of technology is built from its part of a scenario."""


class Claims(NamedTuple):
    """What consumers claim of a firm's profit: shares in numbers, and how many agents share the rest equally."""

    claimed: float
    sharers: int


def owned(given: Any, count: int, claims: Claims, read: Reader, firm: str) -> Array:
    """One agent's share of a firm's profit, `(1,)` or `(count,)`: its part of what all own together, of what is left to
    be shared equally, or its own if drawn.
    """
    if given == "equal":
        return np.array([max(0.0, 1.0 - claims.claimed) / claims.sharers])
    # Shares that sum to more than 1 by rounding only are scaled to 1.
    scale = 1.0 / max(1.0, claims.claimed)
    if isinstance(given, Mapping):
        return scale * read.number(given, f"owns.{firm}", AT_LEAST_0)
    return np.array([scale * float(given) / count])
