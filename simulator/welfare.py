"""What finished runs, or equilibria that were found, are worth to consumers beside the first of them: tastes are
rebuilt from the scenario in each folder, how consumers stand was kept there.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from simulator.economics.agents import Consumers
from simulator.economics.economy import Economy
from simulator.economics.welfare import same_taste, variations
from simulator.errors import ScenarioError
from simulator.figures.comparison import Comparison
from simulator.figures.comparison_solved import SolvedComparison, compare_solved
from simulator.figures.frames import summary_number
from simulator.figures.worth import Worth
from simulator.records.checkpoint import Manifest, UnfitError
from simulator.records.folder import CHECKPOINT, SCENARIO
from simulator.records.welfare import END, Standings, nowhere
from simulator.scenario import Scenario, load
from simulator.schedulers.scheduler import unflatten
from simulator.solving import STANDINGS


class Stood(NamedTuple):
    """A run at its end, or an equilibrium: its scenario and economy, and how consumers stood."""

    scenario: Scenario
    economy: Economy
    standings: Standings


def with_worth(comparison: Comparison, folders: Sequence[Path]) -> Comparison:
    """A comparison of the runs in these folders, with what they are worth to consumers."""
    stood = list[Stood | str]()
    for run, folder in zip(comparison.runs, folders, strict=True):
        scenario = _scenario(folder)
        ended = 0 if scenario is None else int(summary_number(run.summary, "ticks"))
        stood.append(_stood(scenario, ended, folder / CHECKPOINT, END))
    levels = [float(each[-1]) for each in comparison.scale.levels]
    return replace(comparison, worth=tuple(_worth([run.label for run in comparison.runs], stood, levels)))


def compared_solved(folders: Sequence[Path], numeraire: str | None) -> SolvedComparison:
    """Solved scenarios side by side, with what each equilibrium is worth to consumers."""
    scenarios = [_scenario(folder) for folder in folders]
    in_money = any(scenario is None or not scenario.economy.homogeneous for scenario in scenarios)
    comparison = compare_solved(folders, numeraire, in_money=in_money)
    stood = [
        _stood(scenario, 0, folder / STANDINGS, f"{number}.")
        for folder, scenario, count in zip(folders, scenarios, comparison.counts, strict=True)
        for number in range(1, count + 1)
    ]
    return replace(comparison, worth=tuple(_worth(comparison.labels, stood, comparison.levels)))


def _scenario(folder: Path) -> Scenario | None:
    """The scenario in a folder; None where it cannot be built here, as one of kinds from outside."""
    try:
        return load(folder / SCENARIO)
    except (ScenarioError, OSError):
        return None


def _stood(scenario: Scenario | None, tick: int, file: Path, part: str) -> Stood | str:
    """How consumers stood, by the arrays of a file whose names begin with a `part`; else why that is not known."""
    if scenario is None:
        return f"its {SCENARIO} cannot be built here"
    economy = scenario.economy_at(tick)
    blank = nowhere(economy).consumers
    try:
        manifest = Manifest.read(file)
        names = {name for name in manifest.arrays if name.startswith(part)}
        found = {name.removeprefix(part): array for name, array in manifest.load(file, tick, names).items()}
        return Stood(scenario, economy, unflatten(blank, found))
    except (UnfitError, OSError, KeyError):
        return f"{file.name} does not tell how consumers stood"


def _worth(labels: Sequence[str], stood: Sequence[Stood | str], levels: Sequence[float]) -> Iterator[Worth]:
    """What each is worth beside the first, consumer by consumer, on a common scale."""
    first, *others = stood
    for label, other, level in zip(labels[1:], others, levels[1:], strict=True):
        if isinstance(first, str) or isinstance(other, str):
            yield Worth(label, "all", why=first if isinstance(first, str) else str(other))
            continue
        before, after = ({each.name: n for n, each in enumerate(one.economy.consumers)} for one in (first, other))
        for name in dict.fromkeys((*before, *after)):
            if name not in before or name not in after:
                yield Worth(label, name, why=f"only in {label if name in after else labels[0]}")
                continue
            pair = first.economy.consumers[before[name]], other.economy.consumers[after[name]]
            if why := _other(pair, first, other):
                yield Worth(label, name, why=why)
                continue
            each = variations(pair, first.standings.standing(before[name]), other.standings.standing(after[name]))
            old, new = (pair[0].count * float(one.mean()) for one in each[:2])
            why = "" if abs(old) < float("inf") and abs(new) < float("inf") else "its expenditure has no formula here"
            yield Worth(label, name, why=why) if why else Worth(label, name, old, new).scaled(levels[0], level)


def _other(pair: tuple[Consumers, Consumers], first: Stood, other: Stood) -> str:
    """In what two cohorts of one name are not the same consumers; nothing if they are."""
    if pair[0].count != pair[1].count:
        return f"{pair[0].count:,} and {pair[1].count:,} consumers"
    if first.economy.goods == other.economy.goods:
        return "" if same_taste(pair[0].utility, pair[1].utility) else "another taste"
    # Where goods differ tables do: what is written must be the same, and nobody may have been drawn.
    said = [
        next(each["utility"] for each in one.scenario.resolved["consumers"] if each["name"] == pair[0].name)
        for one in (first, other)
    ]
    return "" if said[0] == said[1] and {each.utility.size for each in pair} == {1} else "another taste"
