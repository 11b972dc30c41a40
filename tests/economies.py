"""Economies that several files of tests ask something of."""

from __future__ import annotations

from typing import Any

TREE: dict[str, Any] = {
    "goods": ["ore", "wood", "iron", "axe"],
    "outside": {"axe": 1.3},
    "supply": {"ore": 2, "wood": 3},
    "firms": [
        {"name": "smelter", "makes": "iron = 2*ore^0.6"},
        {"name": "smith", "makes": "axe = 3*iron^0.5*wood^0.3"},
    ],
}
LOOP: dict[str, Any] = {
    "goods": ["labour", "coal", "steel", "car"],
    "outside": {"car": 2},
    "supply": {"labour": 5, "coal": 0.5},
    "firms": [
        {"name": "mine", "makes": "coal = 1.5*labour^0.4*steel^0.2"},
        {"name": "mill", "makes": "steel = 1.2*coal^0.5*labour^0.1*steel^0.1"},
        {"name": "maker", "makes": "car = 2*steel^0.5*labour^0.3"},
    ],
}
TUPPERWARE_FIRMS: list[dict[str, Any]] = [
    {"name": "A", "makes": "ethylene = sqrt(natgas)"},
    {"name": "B", "makes": "polyethylene = 1 - 1/(ethylene + 1)"},
    {"name": "C", "makes": "tupperware = ln(polyethylene)"},
]
FARM_AND_BAKERY: list[dict[str, Any]] = [
    {"name": "farm", "makes": "grain = 2*labour^0.5"},
    {"name": "bakery", "makes": "bread = 1.5*grain^0.4*labour^0.3"},
]
BAZAAR_CONSUMERS: list[dict[str, Any]] = [
    {"name": "a", "utility": {"cobb_douglas": {"x": 0.5, "y": 0.25, "z": 0.25}}, "endowment": {"x": 1, "z": 2}},
    {"name": "b", "utility": {"cobb_douglas": {"x": 0.5, "y": 0.1, "z": 0.4}}, "endowment": {"x": 1, "y": 2, "z": 2}},
]
TWO_BARTERERS: list[dict[str, Any]] = [
    {"name": "a", "utility": {"cobb_douglas": {"g1": 0.3, "g2": 0.7}}, "endowment": {"g1": 1, "g2": 2}},
    {"name": "b", "utility": {"cobb_douglas": {"g1": 0.6, "g2": 0.4}}, "endowment": {"g1": 2, "g2": 1}},
]
SCARF_CONSUMERS: list[dict[str, Any]] = [
    {"name": "1", "utility": {"leontief": {"x": 1, "y": 1}}, "endowment": {"x": 1}},
    {"name": "2", "utility": {"leontief": {"y": 1, "z": 1}}, "endowment": {"y": 1}},
    {"name": "3", "utility": {"leontief": {"z": 1, "x": 1}}, "endowment": {"z": 1}},
]
RUNAWAY_CONSUMERS: list[dict[str, Any]] = [
    {"name": "a", "utility": {"cobb_douglas": {"x": 1}}, "endowment": {"x": 1}},
    {"name": "b", "utility": {"ces": {"elasticity": 2, "shares": {"x": 1, "y": 1}}}, "endowment": {"y": 1}},
]
QUASI_LINEAR: dict[str, Any] = {
    "goods": ["labour", "bread", "wine"],
    "supply": {"labour": 2, "wine": 1},
    "firms": [{"name": "bakery", "makes": "bread = 2*labour^0.6"}],
    "consumers": [
        {"name": "a", "utility": {"quasilinear": {"log": {"bread": 2, "wine": 1}}}},
        {"name": "b", "utility": {"quasilinear": {"log": {"labour": 0.5, "wine": 1}}}, "budget": 1},
    ],
}
TAXED: dict[str, Any] = {
    "goods": ["bread", "wool", "capital", "labour"],
    "numeraire": "labour",
    "firms": [
        {
            "name": "bakery",
            "technology": {"cobb_douglas": {"output": "bread", "inputs": {"capital": 0.5, "labour": 0.5}}},
            "behaviour": {"activity": {"rate": 0.1}},
        },
        {"name": "farm", "makes": "wool = sqrt(labour)"},
    ],
    "consumers": [
        {
            "name": "rich",
            "endowment": {"capital": 10},
            "utility": {"cobb_douglas": {"bread": 1, "wool": 1}},
            "owns": {"farm": 1, "bakery": 1},
        },
        {"name": "poor", "count": 3, "endowment": {"labour": 10}, "utility": {"cobb_douglas": {"bread": 1}}},
        {"name": "state", "utility": {"cobb_douglas": {"wool": 1, "labour": 1}}},
    ],
    "taxes": [
        {
            "name": "capital_tax",
            "on": "input",
            "of": "bakery",
            "good": "capital",
            "rate": 0.5,
            "to": {"rich": 0.4, "poor": 0.6},
        },
        {"name": "gross_tax", "on": "output", "rate": 0.1, "to": "state"},
        {"name": "net_tax", "on": "output", "of": "bakery", "rate": 0.25, "base": "net", "to": "state"},
        {"name": "labour_tax", "on": "sales", "good": "labour", "rate": 0.2, "to": {"poor": 1}},
        {
            "name": "subsidy",
            "on": "consumption",
            "good": ["bread", "wool"],
            "of": ["rich"],
            "rate": -0.2,
            "to": "state",
        },
    ],
    "transfers": [
        {"from": "state", "to": "poor", "amount": 2},
        {"from": "rich", "to": "state", "amount": {"good": "capital", "amount": 0.5}},
        {"from": "poor", "to": "state", "share": 0.25},
    ],
}
"""Taxes on every kind of flow, of both bases, and every kind of transfer."""
