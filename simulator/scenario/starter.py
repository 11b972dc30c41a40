"""The scenario that `simulator new` writes: small, complete, and with a comment on every choice."""

from __future__ import annotations

STARTER = """\
# {name}: a mill and a bakery compete for grain, and two buyers for flour and bread.
#
# Grain arrives every tick. Each firm buys it until one more unit would not earn its price, and each buyer spends a
# budget. Nobody knows more than the prices, and excess demand moves them. (`simulator list scenarios` shows line 1.)
#
#   simulator check {name}.yaml      is it right?
#   simulator solve {name}.yaml      where are its equilibria?
#   simulator run {name}.yaml        does the market find one?
#
# Quantities are per tick, prices in money per unit. `simulator list` shows what else there is.

goods: [grain, flour, bread]

supply: {{grain: 10}}                     # arrives every tick, owned by nobody
# numeraire: grain                      # a good whose price stays 1; without one, as here, every price moves
# outside: {{bread: 2}}                   # a good the outside world trades at this price, in any amount

firms:                                  # best response to prices: a formula must have decreasing returns
  - {{name: mill, makes: "flour = 2*sqrt(grain)"}}
  - {{name: bakery, makes: "bread = 3*ln(1 + grain)"}}

consumers:                              # a budget is money per tick; an endowment is goods per tick
  - name: town
    budget: 20
    utility: {{cobb_douglas: {{flour: 1, bread: 2}}}}                   # spends a third and two thirds
  - name: village
    budget: 10
    utility: {{ces: {{elasticity: 0.5, shares: {{flour: 1, bread: 1}}}}}}   # below 1: wants them together

initial_prices: {{grain: 1, flour: 1, bread: 1}}    # 1 is the default

scheduler: {{kind: tatonnement, form: multiplicative, rate: 0.2}}     # p *= exp(rate * excess demand / quantity)
trade: every_tick                       # trade at wrong prices, and be rationed; or at_equilibrium: wait
run: {{ticks: 2000, tolerance: 1e-6, seed: 0}}
expect: cleared                         # what `simulator run` holds the outcome against (exit code 3 if it is another)
"""
"""Text of a new scenario, to be formatted with its `name`; the name itself is the file's, and needs no line."""


def starter(name: str) -> str:
    """The text of a new scenario."""
    return STARTER.format(name=name)
