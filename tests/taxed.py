"""Economies with taxes and transfers of every kind, as data."""

from __future__ import annotations

from typing import Any

REALM: dict[str, Any] = {
    "name": "realm",
    "goods": ["grain", "bread", "tools", "labour", "land"],
    "numeraire": "labour",
    "initial_prices": {"grain": 0.9, "bread": 1.4, "tools": 1.6, "land": 0.7},
    "firms": [
        {
            "name": "farm",
            "technology": {
                "cobb_douglas": {
                    "output": "grain",
                    "productivity": 2,
                    "inputs": {"labour": 0.4, "land": 0.3, "grain": 0.1},
                }
            },
        },
        {
            "name": "bakery",
            "count": 2,
            "technology": {
                "cobb_douglas": {"output": "bread", "productivity": 1.5, "inputs": {"grain": 0.4, "labour": 0.3}}
            },
        },
        {
            "name": "smithy",
            "technology": {
                "ces": {
                    "output": "tools",
                    "elasticity": 0.5,
                    "shares": {"labour": 0.6, "land": 0.4},
                    "returns_to_scale": 1,
                }
            },
            "behaviour": {"activity": {"rate": 0.05}},
        },
    ],
    "consumers": [
        {
            "name": "lord",
            "utility": {"ces": {"elasticity": 1.5, "shares": {"bread": 0.3, "tools": 0.4, "land": 0.3}}},
            "endowment": {"land": 10},
            "owns": {"farm": 1, "smithy": 1},
        },
        {
            "name": "folk",
            "count": 3,
            "utility": {
                "stone_geary": {
                    "subsistence": {"bread": 0.1},
                    "shares": {"grain": 0.1, "bread": 0.5, "tools": 0.1, "labour": 0.3},
                }
            },
            "endowment": {"labour": {"uniform": [4, 8]}},
            "owns": {"bakery": 1},
        },
        {"name": "state", "utility": {"cobb_douglas": {"bread": 1, "labour": 2}}},
    ],
    "taxes": [
        {
            "name": "land_tax",
            "on": "input",
            "of": "farm",
            "good": "land",
            "rate": 0.3,
            "to": {"lord": 0.2, "state": 0.8},
        },
        {"name": "grain_tax", "on": "output", "of": "farm", "rate": 0.1, "to": "state"},
        {"name": "bread_tax", "on": "output", "good": ["bread"], "rate": 0.2, "base": "net", "to": {"folk": 1}},
        {"name": "sales_tax", "on": "sales", "good": ["grain", "tools"], "rate": 0.05, "to": "state"},
        {
            "name": "excise",
            "on": "consumption",
            "good": ["bread", "labour"],
            "rate": 0.15,
            "to": {"folk": 0.5, "state": 0.5},
        },
        {"name": "relief", "on": "consumption", "good": "bread", "of": ["folk"], "rate": -0.25, "to": "state"},
    ],
    "transfers": [
        {"from": "lord", "to": "state", "share": 0.2},
        {"from": "state", "to": "folk", "share": 0.3},
        {"from": "lord", "to": "folk", "amount": {"good": "land", "amount": 0.2}},
        {"from": "state", "to": "folk", "amount": 0.05},
    ],
    "scheduler": {"rate": 0.05},
    "run": {"ticks": 3000},
}
"""Taxes on inputs, outputs gross and net, sales and consumption, a subsidy, transfers, and a government.
The farm sows its own grain; lord and folk keep some of their own.
"""
ADJUSTING: dict[str, Any] = {
    "grain_tax": {"adjust": {"keep": "taxes.grain_tax.revenue", "at": 0.5, "start": 0.02, "speed": 0.02}},
    "excise": {"adjust": {"keep": "consumers.state.utility", "at": 0.15, "start": 0.05, "speed": 0.02}},
}
"""Rates that adjust, by tax."""


def realm(*, adjusts: bool = False, **changes: Any) -> dict[str, Any]:
    """The realm with other entries, and with rates that adjust if asked for."""
    taxes = [{**tax, "rate": ADJUSTING.get(tax["name"], tax["rate"])} if adjusts else tax for tax in REALM["taxes"]]
    return {**REALM, "taxes": taxes, **changes}
