"""The columns of a run's CSVs and the keys of its summary, a row each: name, unit, meaning, and the value's source.

What is recorded, listed and documented follows these tables. A scheduler adds columns of its own (`View.columns`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from simulator.economics.forms import Array

Known = Mapping[str, Array]
"""Arrays of one shape by name: what is known of each row of a table."""

PRICE, QUANTITY, NUMBER = "numeraire per unit", "per tick", "1"
STOCK, MONEY, UTILITY = "units", "numeraire", "utility"


class Column(NamedTuple):
    """A column of a CSV: its `value` of what is `Known` of the rows, by default what is known under its own name; an
    empty cell where that is nothing. `whole` numbers are written as such.
    """

    name: str
    unit: str
    meaning: str
    value: Callable[[Known], Array] | None = None
    whole: bool = False

    def of(self, known: Known) -> Array | None:
        """The cells of all rows; None where all are empty."""
        return known.get(self.name) if self.value is None else self.value(known)


Columns = tuple[Column, ...]

TRAJECTORY: Columns = (
    Column("price", PRICE, "the market's price"),
    Column("demand", QUANTITY, "planned demand at that price; the outside's part included"),
    Column("supply", QUANTITY, "planned supply at that price; the outside's part included"),
    Column("excess_demand", QUANTITY, "demand - supply: the signal that moves the price"),
    Column("traded", QUANTITY, "what really changed hands in this tick (0 while trade waits for equilibrium)"),
    Column("inventory", STOCK, "what lies in the firms' stock after the tick"),
    Column(
        "bid",
        PRICE,
        "flow-weighted mean of the users' marginal values at the quantities used: one local step of backprop",
    ),
    Column(
        "gradient_price",
        PRICE,
        "the gradient path's price at the same tick, same start: descent by the same rule, or planned",
    ),
    Column(
        "adjoint",
        PRICE,
        "derivative of the objective with respect to the quantity used, by a full reverse sweep; the objective is the "
        "value of net sales to the outside, the surplus of quasi-linear consumers, budget times log utility of those "
        "with a budget, and utility in money of those who own goods or firms, as far as there are any",
    ),
)
"""Columns of trajectory.csv after `tick` and `good`."""

TICKS: Columns = (
    Column("max_relative_excess_demand", NUMBER, "largest max(z/s, p|z|/sum(p s)) over goods whose price may move"),
    Column("walras_residual", NUMBER, "value of planned net orders not covered by planned money, relative to sum(p s)"),
    Column(
        "potential",
        MONEY,
        "the convex function whose gradient is minus excess demand, where one exists; with activity levels at these, "
        "which climb it while prices descend",
    ),
    Column("merit", NUMBER, "z' G^-1 z / (2 p.s), G = diag(s/p): half the squared excess demand in the value metric"),
    Column(
        "cosine_to_gradient",
        NUMBER,
        "cosine between the price motion and minus the gradient of the potential (or merit); 1 at rest",
    ),
    Column("distance_to_gradient_path", NUMBER, "largest relative gap between price and gradient_price"),
    Column("distance_to_equilibrium", NUMBER, "largest relative gap between price and the nearest equilibrium's"),
    Column("distance_to_adjoint", NUMBER, "largest relative gap between price and adjoint"),
    Column(
        "plan_residual",
        NUMBER,
        "largest relative residual of first-order conditions and budgets in plans which the judges have no other "
        "road to (formulas of several inputs, utilities by formula, kinds from outside)",
    ),
    Column(
        "rotation_index", NUMBER, "part of the whitened Jacobian that is antisymmetric: 0 a gradient, 1 a pure rotation"
    ),
    Column(
        "cosine_home",
        NUMBER,
        "cosine between the price motion and the Newton displacement: does the market point home?",
    ),
    Column(
        "dominant_mode", NUMBER, "share of the imbalance that is in the one combination of goods most out of balance"
    ),
)
"""Columns of ticks.csv after `tick`."""

ACTIVITY_TICKS: Columns = (
    Column(
        "max_relative_unit_profit",
        NUMBER,
        "largest max((r-c)/max(r,c), y|r-c|/sum(p s)) over activities of level y, unit revenue r and unit cost c",
    ),
)
"""A further column of ticks.csv where firms have constant returns."""
TRADE_TICKS: Columns = (
    Column("money", MONEY, "sum of the consumers' accounts after the tick"),
    Column("goods_imbalance", NUMBER, "largest |bought - sold| of a good relative to what is bought"),
    Column("money_imbalance", NUMBER, "|sum of all changes of purses| relative to turnover, budgets and accounts"),
)
"""Further columns of ticks.csv where agents trade in every tick."""
TRADE_AGENTS: Columns = (
    Column(
        "rationed",
        QUANTITY,
        "planned and not carried out: purchases ordered less served; of a good that is left over, sales offered less "
        "sold (unsold stock of a firm that spoils or waits)",
    ),
)
"""A further column of agents.csv there."""
LEARNING_TICKS: Columns = (
    Column(
        "loss", NUMBER, "mean over patterns of the squared unfilled order; under logit of -sum y ln S (cross-entropy)"
    ),
    Column(
        "accuracy",
        NUMBER,
        "part of the patterns decided right: supplied to within a half, or most under the right contract; "
        "a tie, to rounding, is not; empty where what bundles pay is no number",
    ),
    Column("test_accuracy", NUMBER, "the same of the patterns that are held out"),
)
"""Further columns of ticks.csv where a market learns."""
STOCK_OF = "inventory_"
"""Begins the name of a column of a market maker's inventory; the outcome follows."""
MAKER_TICKS: Columns = (
    Column(
        f"{STOCK_OF}OUTCOME", STOCK, "contracts on OUTCOME that the maker has sold and not bought back, a column each"
    ),
)
"""Further columns of ticks.csv where a market maker trades."""
AGENTS: Columns = (
    Column(
        "quantity",
        QUANTITY,
        "consumed by a consumer; in stock after the tick with a firm; what an order misses; contracts a trader holds",
    ),
    Column("input", QUANTITY, "used by a firm (of a hidden one its design); bought by a consumer; ordered by an order"),
    Column("output", QUANTITY, "made of the good by a firm; sold by a consumer; supplied of an order"),
    Column("profit", MONEY, "a firm's cash flow of the tick, paid out in full (planned profit while trade waits)"),
    Column("utility", UTILITY, "a consumer's utility of what it consumed"),
    Column("money", MONEY, "what is left in the agent's account; of a trader once contracts are paid all that it has"),
)
"""Columns of agents.csv after `tick`, `agent`, `kind` and `good`; the last three are repeated."""

LEVELS: Columns = (Column("level", NUMBER, "the activity level at which a firm of constant returns plans"),)
"""A further column of agents.csv where firms have constant returns, the same in all rows of a firm."""

USERS: Columns = (
    Column(
        "pays", PRICE, "what the agent pays for a unit of what it uses: of a good that is not rival, a price of its own"
    ),
)
"""A further column of agents.csv where some good is not rival, and under `marginal_bids`."""

WEDGES: Columns = (
    Column(
        "marginal_revenue_product",
        PRICE,
        "p_out df/dx_i of a firm's input at the quantities used; where `input` is empty what a unit of level brings",
    ),
    Column("price", PRICE, "the input's price; where `input` is empty what a unit of level costs"),
    Column(
        "wedge",
        PRICE,
        "their difference: positive where the firm would use more if it could have it, or its level rises",
    ),
)
"""Columns of wedges.csv after `tick`, `firm` and `input`."""

TAXES: Columns = (
    Column("rate", NUMBER, "the rate in this tick; below 0 it is a subsidy"),
    Column("revenue", MONEY, "what the tax brought in this tick (planned while trade waits)"),
)
"""Columns of taxes.csv after `tick` and `tax`."""

EQUILIBRIUM: Columns = (
    Column(
        "price",
        PRICE,
        "the equilibrium's price; where only relative prices matter, at the level of the market's last ones: "
        "of the same sum(p^2) under the additive form, of the same sum(p s) at its quantities under the multiplicative",
    ),
    Column("quantity", QUANTITY, "demand at that price"),
    Column("adjoint", PRICE, "derivative of the objective with respect to the quantity used, there"),
    Column("market_price", PRICE, "the market's last price"),
    Column("price_gap", NUMBER, "|market_price - price| / price"),
    Column("adjoint_gap", NUMBER, "|adjoint - price| / price"),
    Column(
        "index",
        NUMBER,
        "sign of det(-J) on relative prices; those of all equilibria of a regular economy add up to +1",
        whole=True,
    ),
    Column(
        "stable",
        NUMBER,
        "1 if the scenario's own price rule settles here from nearby, else 0; empty where that is not known",
        whole=True,
    ),
    Column(
        "from_tick", "tick", "the tick from which this is an equilibrium: after a shock there are others", whole=True
    ),
)
"""Columns of equilibrium.csv after `equilibrium` and `good`."""

MEMBERS: Columns = (
    Column("income", MONEY, "a consumer's planned income of the tick"),
    Column("utility", UTILITY, "its utility of what it consumed"),
    Column("gain", MONEY, "what it gains by trade, as in distribution.csv"),
    Column("money", MONEY, "what is left in its account"),
    Column("profit", MONEY, "a firm's cash flow of the tick (planned profit while trade waits)"),
    Column("output", QUANTITY, "made by a firm (planned while trade waits)"),
)
"""Columns of members.csv after `tick`, `agent` and `member`, before those of the numbers that are drawn."""
DRAWN = "PATH"
"""Stands for the columns of members.csv that are called by what is drawn, such as `utility.ces.elasticity`."""

DISTRIBUTION: Columns = (
    Column("income", MONEY, "this percent of the cohort have at most this income"),
    Column("utility", UTILITY, "this percent have at most this utility"),
    Column(
        "gain",
        MONEY,
        "most that this percent gain by trade: utility beyond the endowment, in money at the margin; empty where some "
        "of the cohort have no finite utility without trade (less than they need to subsist, say)",
    ),
    Column("gain_share", NUMBER, "part of all gains that goes to the percent who gain least; empty likewise"),
)
"""Columns of distribution.csv after `agent` and `percent`: cohorts at the last tick."""

WELFARE: Columns = (
    Column(
        "equivalent_variation",
        MONEY,
        "of a consumer e(p0, u1) - e(p0, u0): what the change since then is worth to it, at the prices it faced then; "
        "e(p, u) is the least money for utility u at prices p; empty where that has no formula, or tastes have changed",
    ),
    Column("compensating_variation", MONEY, "e(p1, u1) - e(p1, u0): the same at the prices that it faces now"),
    Column(
        "consumer_surplus",
        MONEY,
        "change since then of u(x) - p.x of a quasi-linear consumer; beside it only its income changes its variation",
    ),
    Column("profit", MONEY, "a firm's cash flow of the last tick (planned profit while trade waits)"),
    Column("profit_change", MONEY, "what it has risen by since then"),
    Column("tax", MONEY, "taxes paid in the last tick, less subsidies: of a maker what buyers pay and it does not get"),
    Column("revenue", MONEY, "revenue of taxes that comes to a consumer in the last tick"),
)
"""Columns of welfare.csv after `since`, `agent` and `kind`: the last tick beside an earlier one."""


class Sheet(NamedTuple):
    """A CSV: by what its rows are told apart, each with its meaning, and the columns after that."""

    keys: Mapping[str, str]
    columns: Columns


_TICK, _GOOD = {"tick": "0 at the initial prices, then price adjustments made"}, {"good": "the good's name"}
_AGENT = {
    "agent": "the agent's name; of a cohort NAME two statistics: NAME:mean of its members, NAME:total of all together",
    "kind": "firm, consumer, or order (a pattern's, where a market learns)",
}
TABLES: dict[str, Sheet] = {
    "trajectory": Sheet(_TICK | _GOOD, TRAJECTORY),
    "ticks": Sheet(_TICK, TICKS),
    "agents": Sheet(_TICK | _AGENT | _GOOD, (*AGENTS, *TRADE_AGENTS, *LEVELS, *USERS)),
    "wedges": Sheet(
        _TICK | {"firm": "the firm's name", "input": "the good it uses; empty in the row of an activity level"}, WEDGES
    ),
    "taxes": Sheet(_TICK | {"tax": "the tax's name"}, TAXES),
    "equilibrium": Sheet({"equilibrium": "its number"} | _GOOD, EQUILIBRIUM),
    "members": Sheet(
        _TICK | {"agent": "the cohort's name", "member": "its number in the cohort, from 0"},
        (*MEMBERS, Column(DRAWN, NUMBER, "a column for each number drawn or read, by its path in the entry")),
    ),
    "distribution": Sheet({"agent": "the cohort's name", "percent": "of members, ordered"}, DISTRIBUTION),
    "welfare": Sheet({"since": "the tick compared with: the first, and the last before any shock"} | _AGENT, WELFARE),
}
"""Every CSV of a run, without what a scheduler adds."""

KEPT_TABLES = frozenset(TABLES) - {"members"}
"""Those that are kept unless a scenario says otherwise."""


def growing_columns(
    *further: Column, users: bool = True, trade: bool = False, levels: bool = False, taxes: bool = False
) -> dict[str, Columns]:
    """The columns of the tables that grow with the ticks: ticks.csv with `further` ones, agents.csv with what `users`
    of a good pay, or without, both with those of `trade` in every tick and of activity `levels`; and taxes.csv where
    there are `taxes`.
    """
    agents = (*AGENTS, *(TRADE_AGENTS if trade else ()), *(LEVELS if levels else ()), *(USERS if users else ()))
    ticks = (*TICKS, *(ACTIVITY_TICKS if levels else ()), *(TRADE_TICKS if trade else ()), *further)
    of_taxes = {"taxes": TAXES} if taxes else {}
    return {"trajectory": TRAJECTORY, "ticks": ticks, "agents": agents, "wedges": WEDGES, **of_taxes}


SUMMARY = {
    "name": "the scenario's name",
    "outcome": "how the run ended",
    "scheduler": "what moved the prices",
    "sentence": "what happened, and what prices, bids and derivatives have to do with each other",
    "ticks": "price adjustments made",
    "evaluations": "times that excess demand was asked for",
    "wall_seconds": "how long the run took",
    "engine": "what a tick is worked out in at the end: floats (small economies), arrays or compiled",
    "max_relative_excess_demand": "at the last tick, as in ticks.csv",
    "price_gap": "distance_to_equilibrium at the last tick",
    "adjoint_gap": "distance_to_adjoint at the last tick",
    "gradient_path_gap": "largest distance_to_gradient_path of all ticks, recorded or not",
    "plan_residual": "largest plan_residual of all recorded ticks: whether everybody planned what is best for them",
    "gradient_path": "what gradient_price is: dual (descent on a function of prices) or primal (a planner's ascent)",
    "reference": "what a dual gradient_price descends: potential, merit, saddle (activity levels climb it) or none",
    "period": "ticks from one return of a cycle to the next",
    "amplitude": "half a cycle's swing over its middle price, of the good that swings most; where a market learns, "
    "the swing itself",
    "scale": "which price is 1, or held, or the sum that prices are measured by",
    "outside": "the goods that the outside world trades at a fixed price",
    "tolerance": "largest relative excess demand that counts as cleared",
    "expect": "the outcomes that the scenario expects",
    "equilibria": "how many equilibria were found",
    "equilibrium": "the number of the one nearest to the last prices, among those of the economy at the end",
    "dominant_mode": "by good: the combination most out of balance at the last tick, whose share ticks.csv tells",
    "distribution": "by cohort: mean and quantiles of income, utility and gain from trade, and the part who lose",
    "taxes": "by tax: its rate, and the revenue of the last tick, as in taxes.csv; where there are any",
    "shocks": "the ticks at which a shock changed the economy",
    "worst_imbalance": "largest relative imbalance of a good or of money in any tick",
    "loss": "of a market that learns: loss at the last tick, as in ticks.csv",
    "accuracy": "of a market that learns: accuracy at the last tick",
    "test_accuracy": "of a market that learns: accuracy on the patterns held out, at the last tick",
    "test": "of several contracts: how held-out patterns are decided, and some of them, for figures",
    "surface": "of patterns of two inputs: what the market would supply all over their square, for figures",
    "maker_loss": "of a market maker: its loss, by_outcome if that comes true, and realised once contracts are paid",
    "maker_loss_bound": "of a market maker: the most that it can lose, -liquidity ln(prior) of the least likely one",
    "log_loss": "of a market maker: -ln of the last price of the outcome that came true",
    "separable": "of orders of 0 or 1: whether some prices of the inputs fill them all or nothing (a linear programme)",
    "goods": "those that tables have rows of, if others were left out by `run: {goods: [...]}`",
    "agents": "the entries that tables have rows of, if others were left out by `run: {agents: [...]}`",
    "tables": "those that were kept, by their names; others were left out by `run: {tables: [...]}`",
    "seed": "seed of every random stream",
    "scenario_sha256": "hash of the scenario as resolved (scenario.yaml)",
    "versions": "of Python and of the libraries that the numbers depend on",
}
"""Keys of summary.json, with their meaning; a number that does not exist is null."""
