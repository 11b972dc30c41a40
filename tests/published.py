"""Economies of the literature with their published answers, as scenarios: those of constant returns in `cases`."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

CASES = Path(__file__).parent / "cases"
Answer = dict[str, dict[str, float]]
"""Values of an equilibrium by kind and name, as in equilibria.csv."""


@dataclass(frozen=True)
class Case:
    """A scenario with some `settings`, the answers of its equilibria in the order of the prices of the first good, and
    how exactly they are known; `relative` where prices are known up to a factor. `value` is that of a planner's
    programme.
    """

    scenario: dict[str, Any] | Path
    answers: list[Answer]
    tolerance: float = 1e-9
    relative: bool = False
    indices: tuple[int, ...] = (1,)
    value: float = 0.0
    settings: dict[str, Any] = field(default_factory=dict)


def consumer(name: str, utility: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"name": name, "utility": utility, **more}


def activity(name: str, **vector: float) -> dict[str, Any]:
    return {"name": name, "technology": {"activity": vector}}


SCARF = Case(
    {
        "goods": ["x", "y", "z"],
        "consumers": [consumer(f"{a}{b}", {"leontief": {a: 1, b: 1}}, endowment={a: 1}) for a, b in ("xy", "yz", "zx")],
    },
    [{"price": {"x": 1, "y": 1, "z": 1}, "utility": {"xy": 0.5, "yz": 0.5, "zx": 0.5}}],
    relative=True,
)
"""Scarf (1960): no tatonnement converges, yet there is an equilibrium, and one only."""

_SMALL = (12 / 37) ** 3
THREE = Case(
    {
        "goods": ["x", "y"],
        "numeraire": "y",
        "consumers": [
            consumer("1", {"ces": {"rho": -2, "weights": {"x": 1, "y": _SMALL}}}, endowment={"x": 1}),
            consumer("2", {"ces": {"rho": -2, "weights": {"x": _SMALL, "y": 1}}}, endowment={"y": 1}),
        ],
    },
    [{"price": {"x": ratio}} for ratio in (27 / 64, 1, 64 / 27)],
    indices=(1, -1, 1),
)
"""Mas-Colell, Whinston and Green (1995), exercise 15.B.6."""

BAZAAR = Case(
    {
        "goods": ["a", "b", "c"],
        "numeraire": "a",
        "consumers": [
            consumer("one", {"cobb_douglas": {"a": 0.5, "b": 0.25, "c": 0.25}}, endowment={"a": 1, "c": 2}),
            consumer("two", {"cobb_douglas": {"a": 0.5, "b": 0.1, "c": 0.4}}, endowment={"a": 1, "b": 2, "c": 2}),
        ],
    },
    [
        {
            "price": {"a": 1, "b": 14 / 43, "c": 29 / 86},
            "consumption": {
                "one.a": 36 / 43,
                "one.b": 1.28571428571,
                "one.c": 1.24137931034,
                "two.a": 50 / 43,
                "two.b": 0.714285714286,
                "two.c": 2.75862068966,
            },
        }
    ],
)
"""The second pure exchange economy of the R package GE."""

_LINEAR = ((20, 1, 3, 5, 1, 2), (23, 2, 5, 6, 2, 6), (54, 6, 3, 5, 1, 4), (12, 3, 3, 4, 2, 6))
FISHER_LINEAR = Case(
    {
        "goods": list("abcde"),
        "supply": dict.fromkeys("abcde", 1),
        "scheduler": {"form": "additive", "rate": 0.1},
        "consumers": [
            consumer(f"buyer{n}", {"linear": dict(zip("abcde", values, strict=True))}, budget=budget)
            for n, (budget, *values) in enumerate(_LINEAR, 1)
        ],
    },
    [
        {
            "price": {good: 109 / 59 * part for good, part in zip("abcde", (18, 10, 15, 4, 12), strict=True)},
            "utility": {
                "buyer1": 20 * 0.180428134557,
                "buyer2": 23 * 0.270642201835,
                "buyer3": 54 * 0.180428134557,
                "buyer4": 12 * 0.270642201835,
            },
        }
    ],
    tolerance=1e-6,
)
"""Valuations and budgets of the repository denizalp/Fisher-market; answers in rational numbers."""

FISHER_CES = Case(
    {
        "goods": list("abc"),
        "supply": dict.fromkeys("abc", 1),
        "consumers": [
            consumer(f"b{budget}", {"ces": {"rho": 0.5, "weights": dict(zip("abc", w, strict=True))}}, budget=budget)
            for budget, w in ((10, (1, 2, 1)), (20, (3, 1, 1)), (30, (1, 1, 4)))
        ],
    },
    [
        {
            "price": {"a": 19.5602184133, "b": 13.4317969178, "c": 27.0079846689},
            "consumption": {"b10.a": 0.0677205302683, "b20.b": 0.193943046572, "b30.c": 0.916510430822},
        }
    ],
    tolerance=1e-8,
)
"""A Fisher market of substitutes, by Newton's method and by the Eisenberg-Gale programme."""

CRUSOE = Case(
    {
        "goods": ["food", "labour"],
        "numeraire": "labour",
        "firms": [{"name": "farm", "makes": "food = labour^0.5"}],
        "consumers": [
            consumer("crusoe", {"cobb_douglas": {"food": 1, "labour": 1}}, endowment={"labour": 1}, owns={"farm": 1})
        ],
    },
    [
        {
            "price": {"food": 2 / 3**0.5},
            "input": {"farm.labour": 1 / 3},
            "profit": {"farm": 1 / 3},
            "income": {"crusoe": 4 / 3},
            "consumption": {"crusoe.food": 0.57735026919, "crusoe.labour": 2 / 3},
        }
    ],
)
"""Mas-Colell, Whinston and Green (1995), section 15.C."""

STATICS = Case(
    {
        "goods": ["1", "2"],
        "numeraire": "2",
        "consumers": [
            consumer("one", {"cobb_douglas": {"1": 0.3, "2": 0.7}}, endowment={"1": 1, "2": 2}),
            consumer("two", {"cobb_douglas": {"1": 0.6, "2": 0.4}}, endowment={"1": 2, "2": 1}),
        ],
    },
    [{"price": {"1": 0.8}}],
)
"""Two goods, Cobb-Douglas: `p = N/D`."""

CONSTANT_RETURNS: dict[str, tuple[dict[str, float], dict[str, float]]] = {
    "kehoe_1985-1": (
        {"G1": 0.637688256185, "G2": 1, "G3": 0.154605931099, "G4": 2.20770581272},
        {"A1": 4.27012831453, "A2": 8.11980346762},
    ),
    "kehoe_1985-2": (dict.fromkeys(("G1", "G2", "G3", "G4"), 1.0), {"A1": 5.2, "A2": 6.9}),
    "kehoe_1985-3": (
        {"G1": 1.10054482652, "G2": 1, "G3": 1.23460459522, "G4": 0.664850578262},
        {"A1": 5.31801324979, "A2": 6.51481514906},
    ),
    "varian_18_2": ({"wheat": 1 / 2, "iron": 1 / 3, "labour": 1}, {"wheat": 18, "iron": 33}),
    "kantorovich_1939": (
        {"part_a": 2 / 3, "part_b": 1 / 3, "milling": 20 / 3, "turret_lathe": 40 / 3, "automatic": 80 / 3},
        {
            **{"milling_a": 8 / 3, "milling_b": 1 / 3, "turret_lathe_a": 3, "turret_lathe_b": 0},
            **{"automatic_a": 0, "automatic_b": 1},
        },
    ),
    "leontief_1966": ({"wheat": 2, "cloth": 5, "labour": 1}, {"wheat": 100, "cloth": 50}),
    "dakota": (
        {"money": 1, "lumber": 0, "finishing": 10, "carpentry": 10},
        {"desk": 2, "table": 0, "chair": 8},
    ),
    "dantzig": (
        {"money": 1, "seattle": 0, "san_diego": 0, "new_york": 0.225, "chicago": 0.153, "topeka": 0.126},
        {
            **{"seattle_new_york": 50, "seattle_chicago": 300, "seattle_topeka": 0},
            **{"san_diego_new_york": 275, "san_diego_chicago": 0, "san_diego_topeka": 275},
        },
    ),
    "hosoe": ({"BRD": 1, "MLK": 1, "CAP": 1, "LAB": 1}, {"BRD": 1, "MLK": 1}),
    "mpsge": (
        {"X": 1.04880884817, "Y": 1.05885285292, "U": 1.05214621878, "L": 1, "K": 1.1},
        {"X": 1.04880884817, "Y": 1.03886011825, "U": 1.04548206358},
    ),
    "shoven_whalley": (
        {"manufacturing": 1.39911066223, "nonmanufacturing": 1.09307648001, "capital": 1.37347114698, "labour": 1},
        {"manufacturing": 24.9424728662, "nonmanufacturing": 54.3781702672},
    ),
    "network": (
        {"one": 23.307261263, "two": 21.72793142, "three": 23.471374919, "labour": 1},
        {"one": 0.0423818511708, "two": 0.0376047381104, "three": 0.0296157320829},
    ),
    "jones": ({"one": 1, "two": 1, "labour": 1, "capital": 1}, {"one": 80, "two": 110}),
}
UTILITIES = {"hosoe": 1.0, "kantorovich_1939": 260 / 3, "dakota": 280.0, "dantzig": 1.0}


def _by_file() -> dict[str, list[tuple[dict[str, float], dict[str, float]]]]:
    """The answers of constant returns by the file of their economy, which may have several equilibria."""
    found: dict[str, list[tuple[dict[str, float], dict[str, float]]]] = {}
    for case, answer in CONSTANT_RETURNS.items():
        found.setdefault(case.partition("-")[0], []).append(answer)
    return found


LEONTIEF = Case(
    {
        "goods": ["wheat", "cloth", "labour"],
        "numeraire": "labour",
        "firms": [
            activity("farms", wheat=75, cloth=-14, labour=-80),
            activity("mills", cloth=44, wheat=-20, labour=-180),
        ],
        "consumers": [
            consumer("households", {"leontief": {"wheat": 55, "cloth": 30, "labour": 40}}, endowment={"labour": 300})
        ],
    },
    [{"price": {"wheat": 2, "cloth": 5, "labour": 1}, "level": {"farms": 1, "mills": 1}}],
    value=1.0,
)
"""Leontief (1966): wheat 2 and cloth 5 by their content of labour; firms use some of what they make."""


def _sectors(**values: list[float]) -> Answer:
    """What Shoven and Whalley (1984), tables 1 and 2, tell of sectors and households."""
    sectors, people = ("manufacturing", "nonmanufacturing"), ("rich", "poor")
    names = {
        "price": [*sectors, "capital", "labour"],
        "level": sectors,
        "input": [f"{sector}.{factor}" for factor in ("labour", "capital") for sector in sectors],
        "income": people,
        "consumption": [f"{person}.{good}" for person in people for good in sectors],
        "revenue": ["capital_tax"],
    }
    return {kind: dict(zip(names[kind], numbers, strict=True)) for kind, numbers in values.items()}


FURTHER: dict[str, Answer] = {
    "shoven_whalley": _sectors(
        input=[26.3655843223, 33.6344156777, 6.21177621821, 18.7882237818],
        income=[34.3367786745, 60],
        consumption=[11.5146490181, 16.6745061254, 13.4278238481, 37.7036641417],
    ),
    # Labour is told per unit.
    "mpsge": {
        "income": {"RA": 165},
        "input": {"X.L": 52.4404424085 * 1.04880884817, "Y.L": 21.1770570584 * 1.03886011825},
    },
    "varian_18_2": {
        "input": {"wheat.labour": 9, "iron.labour": 11},
        "consumption": {"one.wheat": 8, "one.iron": 18, "two.wheat": 10, "two.iron": 15},
    },
    "network": {
        "input": {"one.labour": 0.39512195122, "two.labour": 0.326829268293, "three.labour": 0.278048780488},
        "consumption": {
            "household.one": 0.0214525419507,
            "household.two": 0.0138071127988,
            "household.three": 0.00852101765193,
        },
        "utility": {"household": 0.0156267453419},
    },
}
"""What is told of economies of constant returns beside prices and levels."""


def _variant(name: str, settings: dict[str, Any], answer: Answer, tolerance: float = 1e-8) -> Case:
    return Case(CASES / f"{name}.yaml", [answer], tolerance, settings=settings)


VARIANTS = {
    "exchange_with_other_tastes": Case(
        {**BAZAAR.scenario, "name": "exchange"},
        [{"price": {"a": 1, "b": 1 / 2, "c": 1 / 4}}],
        settings={"consumers.two.utility.cobb_douglas": {"a": 0.5, "b": 0.25, "c": 0.25}},
    ),
    # Utility is 1 at the benchmark.
    "hosoe_with_more_capital": _variant(
        "hosoe",
        {"consumers.HOH.endowment.CAP": 27.5},
        {
            "price": {"CAP": 1 / 1.1, "BRD": 0.968729306151, "MLK": 0.946993584956, "LAB": 1},
            "level": {"BRD": 15.4842017318 / 15, "MLK": 36.9590676811 / 35},
            "utility": {"HOH": 28.4689435544 / 27.1440726345},
        },
    ),
    "network_with_a_better_first": _variant(
        "network",
        {"firms.one.technology.cobb_douglas.productivity": 1.1},
        {
            "price": {"one": 20.2336982272, "two": 20.8617517127, "three": 22.1891365742, "labour": 1},
            "utility": {"household": 0.017169451889},
        },
    ),
    "mpsge_in_x": _variant(
        "mpsge",
        {"numeraire": "X"},
        {
            "price": {"X": 1, "Y": 1.0095765828, "U": 1.003182058, "L": 0.9534625892, "K": 1.0488088482},
            "income": {"RA": 157.321327225},
        },
    ),
    "mpsge_taxed": _variant(
        "mpsge_taxed",
        {},
        {
            "price": {"X": 1.17093237255, "Y": 1.06494992416, "U": 1.13448198614, "L": 1, "K": 1.11057692308},
            "level": {"X": 1.01168556988, "Y": 1.11236721815, "U": 1.0441905637},
            "income": {"RA": 177.692307692},
            "input": {"X.L": 52.6919567647 * 1.01168556988, "Y.L": 21.2989984833 * 1.11236721815},
        },
    ),
    "shoven_whalley_taxed": _variant(
        "shoven_whalley_taxed",
        {},
        _sectors(
            price=[1.46651491882, 1.0057730419, 1.12764415156, 1],
            level=[22.3867075688, 57.3069682618],
            input=[25.9990187292, 34.0009812708, 4.03875749539, 20.9612425046],
            income=[29.101960043, 61.3662843808],
            consumption=[8.98942061298, 15.8274679667, 13.3972869559, 41.4795002951],
            revenue=[2.27714063463],
        ),
    ),
}
"""Economies that differ from others in what is said in `settings`, and those with taxes."""

PUBLISHED = {
    "scarf": SCARF,
    "three": THREE,
    "bazaar": BAZAAR,
    "fisher_linear": FISHER_LINEAR,
    "fisher_ces": FISHER_CES,
    "crusoe": CRUSOE,
    "statics": STATICS,
    "leontief": LEONTIEF,
    **{
        name: Case(
            CASES / f"{name}.yaml",
            # The cheapest way to ship is not unique.
            [
                {"price": prices, "level": {} if name == "dantzig" else levels, **FURTHER.get(name, {})}
                for prices, levels in answers
            ],
            1e-6 if name == "kehoe_1985" else 1e-8,
            relative=name == "kantorovich_1939",
            indices=(1, -1, 1) if name == "kehoe_1985" else (1,),
        )
        for name, answers in _by_file().items()
    },
    **VARIANTS,
}
