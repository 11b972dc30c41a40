"""The columns of a run's CSVs and the keys of its summary, each with its meaning: one table a file, in order.

What is recorded, listed and documented follows these tables; nothing is imported for them.
"""

from __future__ import annotations

TRAJECTORY = {
    "price": "the market's price, numeraire per unit",
    "demand": "planned demand at that price, per tick; the outside's part included",
    "supply": "planned supply at that price, per tick; the outside's part included",
    "excess_demand": "demand - supply: the signal that moves the price",
    "traded": "what really changed hands in this tick (0 while trade waits for equilibrium)",
    "inventory": "what lies in the firms' stock after the tick",
    "bid": "flow-weighted mean of the users' marginal values at the quantities used: one local step of backprop",
    "gradient_price": "the gradient path's price at the same tick, same start: descent by the same rule, or planned",
    "adjoint": "derivative of the objective with respect to the quantity used, by a full reverse sweep",
}
"""Columns of trajectory.csv after `tick` and `good`, with their meaning."""

TICKS = {
    "max_relative_excess_demand": "largest max(z/s, p|z|/sum(p s)) over goods whose price may move",
    "walras_residual": "value of planned net orders not covered by planned money, relative to sum(p s)",
    "potential": "the convex function whose gradient is minus excess demand, where one exists",
    "merit": "z' G^-1 z / (2 p.s), G = diag(s/p): half the squared excess demand in the value metric",
    "cosine_to_gradient": "cosine between the price motion and minus the gradient of the potential (or merit)",
    "distance_to_gradient_path": "largest relative gap between price and gradient_price",
    "distance_to_equilibrium": "largest relative gap between price and the nearest equilibrium's",
    "distance_to_adjoint": "largest relative gap between price and adjoint",
    "rotation_index": "part of the whitened Jacobian that is antisymmetric: 0 a gradient, 1 a pure rotation",
    "cosine_home": "cosine between the price motion and the Newton displacement: does the market point home?",
    "dominant_mode": "share of the imbalance that is in the one combination of goods most out of balance",
}
"""Columns of ticks.csv after `tick`, with their meaning."""

TRADE_TICKS = {
    "money": "sum of the consumers' accounts after the tick",
    "goods_imbalance": "largest |bought - sold| of a good relative to what is bought",
    "money_imbalance": "|sum of all changes of purses| relative to the tick's turnover",
}
"""Further columns of ticks.csv where agents trade in every tick."""

LEARNING_TICKS = {
    "loss": "mean over patterns of the squared unfilled order; under logit of -sum y ln S (cross-entropy)",
    "accuracy": "part of the patterns decided right: supplied to within a half, or most under the right contract; "
    "empty where what bundles pay is no number",
    "test_accuracy": "the same of the patterns that are held out",
}
"""Further columns of ticks.csv where a market learns."""

AGENTS = {
    "quantity": "consumed by a consumer; in stock after the tick with a firm",
    "input": "used by a firm; bought by a consumer",
    "output": "made by a firm; sold by a consumer",
    "profit": "a firm's cash flow of the tick, paid out in full (planned profit while trade waits)",
    "utility": "a consumer's utility of what it consumed",
    "money": "what is left in the agent's account",
}
"""Columns of agents.csv after `tick`, `agent`, `kind` and `good`, with their meaning; the last three are repeated."""

USERS = {
    "pays": "what the agent pays for a unit of what it uses: of a good that is not rival, a price of its own",
}
"""A further column of agents.csv where some good is not rival, and under `marginal_bids`, where only the goods a firm
makes or uses have rows.
"""

WEDGES = {
    "marginal_revenue_product": "p_out df/dx_i of a firm's input at the quantities used",
    "price": "the input's price",
    "wedge": "their difference: positive where the firm would use more if it could have it",
}
"""Columns of wedges.csv after `tick`, `firm` and `input`, with their meaning."""

EQUILIBRIUM = {
    "price": "the equilibrium's price; where only relative prices matter, scaled to the market's last sum(p s)",
    "quantity": "demand at that price, per tick",
    "adjoint": "derivative of the objective with respect to the quantity used, there",
    "market_price": "the market's last price",
    "price_gap": "|market_price - price| / price",
    "adjoint_gap": "|adjoint - price| / price",
    "index": "sign of det(-J) on relative prices; those of all equilibria of a regular economy add up to +1",
    "stable": "1 if the scenario's own price rule settles here from nearby, else 0; empty where that is not known",
    "from_tick": "the tick from which this is an equilibrium: after a shock there are others",
}
"""Columns of equilibrium.csv after `equilibrium` and `good`, with their meaning."""

DISTRIBUTION = {
    "income": "income below which this percent of a cohort have theirs",
    "utility": "utility likewise",
    "gain": "gain from trade likewise: utility beyond that of the endowment, in money at the margin",
    "gain_share": "part of all gains that goes to this percent, those who gain least",
}
"""Columns of distribution.csv after `agent` and `percent`, with their meaning: cohorts at the last tick."""

TABLES = {
    "trajectory.csv": (("tick", "good"), TRAJECTORY),
    "ticks.csv": (("tick",), TICKS | TRADE_TICKS | LEARNING_TICKS),
    "agents.csv": (("tick", "agent", "kind", "good"), AGENTS | USERS),
    "wedges.csv": (("tick", "firm", "input"), WEDGES),
    "equilibrium.csv": (("equilibrium", "good"), EQUILIBRIUM),
    "distribution.csv": (("agent", "percent"), DISTRIBUTION),
}
"""Every CSV of a run: what its rows are one of, and the columns after that."""

SUMMARY = {
    "name": "the scenario's name",
    "outcome": "how the run ended",
    "scheduler": "what moved the prices",
    "sentence": "what happened, and what prices, bids and derivatives have to do with each other",
    "ticks": "price adjustments made",
    "evaluations": "times that excess demand was asked for",
    "wall_seconds": "how long the run took",
    "max_relative_excess_demand": "at the last tick, as in ticks.csv",
    "price_gap": "distance_to_equilibrium at the last tick",
    "adjoint_gap": "distance_to_adjoint at the last tick",
    "gradient_path_gap": "largest distance_to_gradient_path of all ticks",
    "gradient_path": "what gradient_price is: dual (descent on a function of prices) or primal (a planner's ascent)",
    "reference": "the function that a dual gradient_price descends: potential or merit",
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
    "shocks": "the ticks at which a shock changed the economy",
    "worst_imbalance": "largest relative imbalance of a good or of money in any tick",
    "loss": "of a market that learns: loss at the last tick, as in ticks.csv",
    "accuracy": "of a market that learns: accuracy at the last tick",
    "test_accuracy": "of a market that learns: accuracy on the patterns held out, at the last tick",
    "test": "of several contracts: how held-out patterns are decided, and some of them, for figures",
    "surface": "of patterns of two inputs: what the market would supply all over their square, for figures",
    "separable": "of orders of 0 or 1: whether some prices of the inputs fill them all or nothing (a linear programme)",
    "seed": "seed of every random stream",
    "scenario_sha256": "hash of the scenario as resolved (scenario.yaml)",
    "versions": "of Python and of the libraries that the numbers depend on",
}
"""Keys of summary.json, with their meaning; a number that does not exist is null."""
