"""How fast price rules find equilibrium: `python -m benchmarks.rules` prints the table of
docs/explanation/price-rules.md and draws docs/rules.png.

Every rule gets the search of `simulator tune` in each economy: its rate, one parameter where it has one, and where a
market learns the rate of its hidden firms, 20 runs for each number. Where the start is drawn, the ticks are the median
over several starts, in the search too.
"""

from __future__ import annotations

import itertools
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

from simulator.scenario import load
from simulator.tune import Trial, best_of, numbers_of, search, trial

ROOT = Path(__file__).parents[1]
TICKS = 2000
STARTS = 9


class Economy(NamedTuple):
    """An economy of the comparison: its scenario, what is changed there, and how many starts are drawn."""

    scenario: str
    settings: dict[str, Any]
    starts: int = 1


WAITS = {"scheduler.form": "multiplicative", "trade": "at_equilibrium", "run.tolerance": 1e-6}
ECONOMIES = {
    "well conditioned": Economy("fisher", WAITS),
    "near-perfect substitutes": Economy("near_substitutes", WAITS),
    "Scarf": Economy("scarf", WAITS),
    "linear Fisher, to 1e-3": Economy(
        "perfect_substitutes", {"scheduler.form": "additive", "trade": "at_equilibrium", "run.tolerance": 1e-3}
    ),
    "ten-tier chain": Economy("ten_tiers", WAITS),
    "XOR, to 1e-4": Economy("xor", {}, STARTS),
}


class Rule(NamedTuple):
    """A rule of the comparison: what a market must know for it, its pieces, each with the number the search begins at,
    and the economies that it cannot be asked of.
    """

    knows: str
    pieces: list[Any]
    senseless: tuple[str, ...] = ()


BY_JACOBIAN = ("XOR, to 1e-4",)
"""Where a rule cannot be asked for that goes by slopes."""
RULES = {
    "plain": Rule("local", []),
    "momentum": Rule("local", [{"momentum": 0.6}]),
    "nesterov": Rule("local", [{"nesterov": 0.6}]),
    "rmsprop": Rule("local", [{"rmsprop": {"epsilon": 0.3}}]),
    "adam": Rule("local", [{"adam": {"beta1": 0.6}}]),
    "pd": Rule("local", [{"pd": 1.0}]),
    "extragradient": Rule("local", ["extragradient"]),
    "averaging": Rule("local", ["averaging"]),
    "decay": Rule("local", [{"decay": {"power": 1.0, "over": 50.0}}]),
    "negative momentum": Rule("local", [{"momentum": -0.4}]),
    "the same, in turns": Rule("local", [{"momentum": -0.4}, "sequential"]),
    "own_slope": Rule("own slope", ["own_slope"], BY_JACOBIAN),
    "anderson": Rule("global", [{"anderson": {"depth": 4}}]),
    "newton": Rule("global", ["newton", {"clip": 1.0}], BY_JACOBIAN),
    "symplectic": Rule("global", [{"symplectic": 1.0}], BY_JACOBIAN),
    "consensus": Rule("global", [{"consensus": 1.0}], BY_JACOBIAN),
}


def best(cell: tuple[str, str]) -> Trial | None:
    """The best trial of a rule in an economy, by their names; None where the rule makes no sense."""
    rule, economy = RULES[cell[0]], ECONOMIES[cell[1]]
    if cell[1] in rule.senseless:
        return None
    asked = {"scheduler.rate": 0.1, "scheduler.with": rule.pieces, "run.ticks": TICKS, **economy.settings}
    path = ROOT / "scenarios" / f"{economy.scenario}.yaml"
    starts = [load(path, settings=asked | {"run.seed": seed}) for seed in range(economy.starts)]

    def run(many: list[dict[str, float]]) -> list[Trial]:
        return [median([trial(start, numbers) for start in starts]) for numbers in many]

    return best_of(search(numbers_of(starts[0]), run))


def median(trials: list[Trial]) -> Trial:
    """The middle one of an odd number of trials, from the best to the worst."""
    return sorted(trials, key=lambda one: one.rank)[len(trials) // 2]


def table(found: dict[tuple[str, str], Trial | None]) -> str:
    """The table as Markdown: ticks, or in words how the run with the smallest residual ended."""
    lines = [f"| rule | knows | {' | '.join(ECONOMIES)} |", "|---|---|" + "---:|" * len(ECONOMIES)]
    for name, rule in RULES.items():
        lines.append(f"| {name} | {rule.knows} | {' | '.join(said(found[name, economy]) for economy in ECONOMIES)} |")
    return "\n".join(lines)


def said(one: Trial | None) -> str:
    """A cell in words."""
    if one is None:
        return "-"
    return str(one.ticks) if one.cleared else one.outcome.replace("_", " ")


def main() -> None:
    """Search, and print the table and the numbers found."""
    cells = list(itertools.product(RULES, ECONOMIES))
    with ProcessPoolExecutor() as pool:
        found = dict(zip(cells, pool.map(best, cells), strict=True))
    print(table(found))
    print()
    for (rule, economy), one in found.items():
        if one is not None:
            print(f"{rule}, {economy}: {said(one)} with {one.numbers}")


if __name__ == "__main__":
    main()
