"""Economies of the literature with their published answers, as scenarios."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

Answer = dict[str, dict[str, float]]
"""Values of an equilibrium by kind and name, as in equilibria.csv."""


@dataclass(frozen=True)
class Case:
    """A scenario, the answers of its equilibria in the order of the prices of the first good, and how exactly they are
    known; `relative` where prices are known up to a factor. Of a planner's programme the multipliers.
    """

    scenario: dict[str, Any]
    answers: list[Answer]
    tolerance: float = 1e-9
    relative: bool = False
    indices: tuple[int, ...] = (1,)
    multipliers: dict[str, float] = field(default_factory=dict)
    value: float = 0.0


def consumer(name: str, utility: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"name": name, "utility": utility, **more}


def activity(name: str, **vector: float) -> dict[str, Any]:
    return {"name": name, "technology": {"activity": vector}}


def cobb_douglas(name: str, output: str, productivity: float = 1.0, **inputs: float) -> dict[str, Any]:
    technology = {"output": output, "productivity": productivity, "inputs": inputs}
    return {"name": name, "technology": {"cobb_douglas": technology}}


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

VARIAN = Case(
    {
        "goods": ["wheat", "iron", "labour"],
        "numeraire": "labour",
        "firms": [cobb_douglas("farm", "wheat", 2, labour=1), cobb_douglas("smelter", "iron", 3, labour=1)],
        "consumers": [
            consumer("one", {"cobb_douglas": {"wheat": 0.4, "iron": 0.6}}, endowment={"labour": 10}),
            consumer("two", {"cobb_douglas": {"wheat": 0.5, "iron": 0.5}}, endowment={"labour": 10}),
        ],
    },
    [
        {
            "price": {"wheat": 1 / 2, "iron": 1 / 3, "labour": 1},
            "level": {"farm": 18, "smelter": 33},
            "input": {"farm.labour": 9, "smelter.labour": 11},
            "unit_profit": {"farm": 0, "smelter": 0},
            "consumption": {"one.wheat": 8, "one.iron": 18, "two.wheat": 10, "two.iron": 15},
        }
    ],
    tolerance=1e-8,
)
"""Varian (1992), exercise 18.2: technology alone decides prices."""

JONES = Case(
    {
        "goods": ["first", "second", "labour", "capital"],
        "outside": {"first": 1, "second": 1},
        "supply": {"labour": 100, "capital": 90},
        "firms": [
            # Of unit cost w^0.7 r^0.3, and w^0.4 r^0.6.
            cobb_douglas("one", "first", 1 / (0.7**0.7 * 0.3**0.3), labour=0.7, capital=0.3),
            cobb_douglas("two", "second", 1 / (0.4**0.4 * 0.6**0.6), labour=0.4, capital=0.6),
        ],
    },
    [{"price": {"labour": 1, "capital": 1}, "level": {"one": 80, "two": 110}}],
    tolerance=1e-8,
)
"""Jones (1965): a small open economy of two factors and two goods."""

_ROWS = ((0.2, 0.3, 0.1), (0.1, 0.1, 0.4), (0.3, 0.2, 0.1))
NETWORK = Case(
    {
        "goods": ["x", "y", "z", "labour"],
        "numeraire": "labour",
        "firms": [
            cobb_douglas(f"{good}_maker", good, labour=0.4, **dict(zip("xyz", row, strict=True)))
            for good, row in zip("xyz", _ROWS, strict=True)
        ],
        "consumers": [consumer("household", {"cobb_douglas": {"x": 0.5, "y": 0.3, "z": 0.2}}, endowment={"labour": 1})],
    },
    [
        {
            "price": {"x": 23.307261263, "y": 21.72793142, "z": 23.471374919},
            "level": {"x_maker": 0.0423818511708, "y_maker": 0.0376047381104, "z_maker": 0.0296157320829},
            "input": {"x_maker.labour": 0.39512195122, "z_maker.labour": 0.278048780488},
            "consumption": {"household.x": 0.0214525419507, "household.z": 0.00852102},
            "utility": {"household": 0.0156267453419},
        }
    ],
    tolerance=1e-8,
)
"""Long, Plosser (1983), Acemoglu et al. (2012): round-about production, prices in closed form."""

KEHOE = Case(
    {
        "goods": ["g1", "g2", "g3", "g4"],
        "numeraire": "g2",
        "firms": [activity("a1", g1=6, g2=-1, g3=-4, g4=-1), activity("a2", g1=-1, g2=3, g3=-1, g4=-1)],
        "consumers": [
            consumer(f"c{n}", {"cobb_douglas": dict(zip(("g1", "g2", "g3", "g4"), shares, strict=True))}, endowment=e)
            for n, shares, e in (
                (1, (0.52, 0.4, 0.04, 0.04), {"g1": 5}),
                (2, (0.86, 0.1, 0.02, 0.02), {"g2": 5}),
                (3, (0.5, 0.2, 0.2975, 0.0025), {"g3": 40}),
                (4, (0.06, 0.25, 0.0025, 0.6875), {"g4": 40}),
            )
        ],
    },
    [
        {"price": {"g1": g1, "g2": 1, "g3": g3, "g4": g4}, "level": {"a1": a1, "a2": a2}}
        for g1, g3, g4, a1, a2 in (
            (0.637688256185, 0.154605931099, 2.20770581272, 4.27012831453, 8.11980346762),
            (1, 1, 1, 5.2, 6.9),
            (1.10054482652, 1.23460459522, 0.664850578262, 5.31801324979, 6.51481514906),
        )
    ],
    tolerance=1e-7,
    indices=(1, -1, 1),
)
"""Kehoe (1985): four goods, two activities, three equilibria."""

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
    multipliers={"wheat": 2 / 300, "cloth": 5 / 300, "labour": 1 / 300},
    value=1.0,
)
"""Leontief (1966): wheat 2 and cloth 5 by their content of labour; firms use some of what they make."""

KANTOROVICH = Case(
    {
        "goods": ["part_a", "part_b", "milling", "turret_lathe", "automatic"],
        "firms": [
            activity("milling_a", part_a=30, milling=-1),
            activity("milling_b", part_b=60, milling=-1),
            activity("lathe_a", part_a=60, turret_lathe=-1),
            activity("lathe_b", part_b=90, turret_lathe=-1),
            activity("automatic_a", part_a=30, automatic=-1),
            activity("automatic_b", part_b=80, automatic=-1),
        ],
        "consumers": [
            consumer(
                "plant",
                {"leontief": {"part_a": 1, "part_b": 1}},
                endowment={"milling": 1, "turret_lathe": 1, "automatic": 1},
            )
        ],
    },
    [
        {
            "price": {"part_a": 2 / 3, "part_b": 1 / 3, "milling": 20, "turret_lathe": 40, "automatic": 80 / 3},
            "level": {"milling_a": 8 / 9, "milling_b": 1 / 9, "lathe_a": 1, "lathe_b": 0, "automatic_a": 0},
            "utility": {"plant": 260 / 3},
        }
    ],
    relative=True,
    multipliers={"part_a": 2 / 3, "part_b": 1 / 3, "milling": 20, "turret_lathe": 40, "automatic": 80 / 3},
    value=260 / 3,
)
"""Kantorovich (1939), section I: all machines of a kind together; a complete set costs 1."""

DAKOTA = Case(
    {
        "goods": ["lumber", "finishing", "carpentry", "desk", "table", "chair"],
        "outside": {"desk": 60, "table": 30, "chair": 20},
        "supply": {"lumber": 48, "finishing": 20, "carpentry": 8},
        "firms": [
            activity("desks", desk=1, lumber=-8, finishing=-4, carpentry=-2),
            activity("tables", table=1, lumber=-6, finishing=-2, carpentry=-1.5),
            activity("chairs", chair=1, lumber=-1, finishing=-1.5, carpentry=-0.5),
        ],
    },
    [
        {
            "price": {"lumber": 0, "finishing": 10, "carpentry": 10},
            "level": {"desks": 2, "tables": 0, "chairs": 8},
            "unit_profit": {"tables": -5},
        }
    ],
    multipliers={"lumber": 0, "finishing": 10, "carpentry": 10},
    value=280,
)
"""Winston (2003): a linear programme restated as an equilibrium; a free resource, an idle activity."""

_DISTANCES = {"seattle": (2.5, 1.7, 1.8), "san_diego": (2.5, 1.8, 1.4)}
_MARKETS = {"new_york": 325, "chicago": 300, "topeka": 275}
DANTZIG = Case(
    {
        "goods": ["seattle", "san_diego", *_MARKETS, "money"],
        "numeraire": "money",
        "firms": [
            activity(f"{plant}_to_{market}", **{market: 1, plant: -1, "money": -0.09 * distance})
            for plant, distances in _DISTANCES.items()
            for market, distance in zip(_MARKETS, distances, strict=True)
        ],
        # As much freight as the cheapest plan costs, so that just what is wanted arrives.
        "consumers": [
            consumer("shops", {"leontief": _MARKETS}, endowment={"seattle": 350, "san_diego": 600, "money": 153.675})
        ],
    },
    [
        {
            "price": {"new_york": 0.225, "chicago": 0.153, "topeka": 0.126, "seattle": 0, "san_diego": 0, "money": 1},
            "utility": {"shops": 1},
        }
    ],
    multipliers={
        "new_york": 0.225 / 153.675,
        "chicago": 0.153 / 153.675,
        "topeka": 0.126 / 153.675,
        "seattle": 0,
        "san_diego": 0,
        "money": 1 / 153.675,
    },
    value=1,
)
"""Dantzig (1963): the transport problem, whose best plan is not unique."""

PLANNED = {"leontief": LEONTIEF, "kantorovich": KANTOROVICH, "dakota": DAKOTA, "dantzig": DANTZIG}
"""Those that a linear programme plans."""
PUBLISHED = {
    "scarf": SCARF,
    "three": THREE,
    "bazaar": BAZAAR,
    "fisher_linear": FISHER_LINEAR,
    "fisher_ces": FISHER_CES,
    "crusoe": CRUSOE,
    "statics": STATICS,
    "varian": VARIAN,
    "jones": JONES,
    "network": NETWORK,
    "kehoe": KEHOE,
    **PLANNED,
}
