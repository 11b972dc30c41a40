"""The columns of what `simulator solve` writes, and the keys of its summary, each with its meaning."""

from __future__ import annotations

from simulator.records.columns import NUMBER, Column, Sheet

SOLVED = Sheet(
    {"equilibrium": "its number", "kind": "what the value is", "name": "of which good, firm, consumer or tax"},
    (
        Column("value", "that of its kind", "the value"),
        Column("residual", NUMBER, "how far its condition is from holding: of a price, a level, an income or a rate"),
    ),
)
"""The CSV of a solved scenario, equilibria.csv."""
SOLVED_KINDS = {
    "price": "of GOOD; of a good that is not rival the sum of what users pay",
    "level": "of FIRM with constant returns: its activity level; of all firms of an entry together",
    "unit_profit": "of FIRM with constant returns: revenue less cost of a unit of level",
    "profit": "of FIRM with decreasing returns",
    "input": "FIRM.GOOD: how much of it is used",
    "income": "of CONSUMER; of a cohort the mean",
    "utility": "of CONSUMER; of a cohort the mean",
    "consumption": "CONSUMER.GOOD: how much of it is consumed, by a whole cohort",
    "rate": "of TAX; one that adjusts as it was found",
    "revenue": "of TAX: what is paid of it",
    "rationed": "AGENT.GOOD at a held price: what was planned less what was served; of a whole cohort",
    "shadow_price": "of GOOD at a held price: what one more unit is worth to its users",
    "deadweight_loss": "at held prices, without a name: what is lost in money because too little is used",
    "index": "without a name: sign of det(-J), +1 or -1; empty where it is not known",
}
"""What `kind` may be in equilibria.csv."""
_EQUILIBRIUM, _MOVED = (
    {"equilibrium": "its number"},
    {"kind": "what moves", "name": "of which good, firm, consumer or tax"},
)
_RESOLVED = (
    Column("resolved", "that of the derivative", "the same by differences of equilibria that are solved again"),
    Column("agrees", NUMBER, "1 if the two agree to 1e-5 of it, or to 1e-9 as elasticities, else 0", whole=True),
)
DERIVED = Sheet(
    {**_EQUILIBRIUM, "parameter": "the path of the number that changes", **_MOVED},
    (
        Column("derivative", "that of the kind per unit of the parameter", "d value / d parameter"),
        Column("elasticity", NUMBER, "d ln value / d ln parameter; empty where either is 0, and of the objective"),
        *_RESOLVED,
        Column("domar_weight", NUMBER, "of a firm's productivity: its sales over all incomes; else empty"),
    ),
)
"""The CSV of derivatives of equilibria, derivatives.csv."""
DERIVED_TWICE = Sheet(
    {**_EQUILIBRIUM, "parameter": "the path of a number", "by": "the path of the other, or the same", **_MOVED},
    (
        Column("derivative", "that of the kind per unit of both", "d2 value / d parameter d by"),
        Column(
            "elasticity_slope",
            NUMBER,
            "d2 ln value / d ln parameter d ln by: how the elasticity by the one moves with the other",
        ),
        *_RESOLVED,
    ),
)
"""That of second derivatives, second_derivatives.csv."""
SOLVED_TABLES = {"equilibria": SOLVED, "derivatives": DERIVED, "second_derivatives": DERIVED_TWICE}
"""Every CSV of a solved scenario."""
DERIVED_KINDS = {
    "price": "of GOOD; where only relative prices matter and none is fixed, the sum of all stays",
    "level": "of FIRM with constant returns, as in equilibria.csv",
    "profit": "of FIRM with decreasing returns",
    "income": "of CONSUMER; of a cohort the mean",
    "utility": "of CONSUMER; of a cohort the mean",
    "revenue": "of TAX",
    "rate": "of TAX, if it adjusts",
    "objective": "without a name: value of net sales to the outside, and everybody's utility in money at given worths",
}
"""What `kind` may be in derivatives.csv."""
SOLVED_SUMMARY = {
    "name": "the scenario's name",
    "sentence": "what was found",
    "equilibria": "how many equilibria were found, those of fix prices among them",
    "starts": "from how many starts",
    "missing": "whether some are missing, by their indices",
    "given_up": "whether the search was ended early",
    "runaway": "where none was found: what runs away, towards infinity or zero, and the smallest residual",
    "expect": "how many equilibria the scenario expects; a list of what may be",
    "found": "each equilibrium: residual, certificate, index, stability, starts that led there, and values by kind and "
    "name",
    "planner": "the planner's optimum: value, multipliers and levels, their ranges, and the market beside it",
    "derivatives": "of derivatives: by what, in which prices; how many, flagged, unsolved; equilibria without",
    "seed": "the seed of the starts",
    "scenario_sha256": "checksum of the scenario as resolved",
    "versions": "of Python and libraries",
}
"""The keys of the summary.json of a solved scenario."""
