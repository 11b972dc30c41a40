"""The equilibria of a scenario, found and told: `solve` in Python, and what `simulator solve` prints and writes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from simulator.economics.ties import set_valued
from simulator.errors import RunFolderError
from simulator.records.checkpoint import packed
from simulator.records.folder import INPUTS, SCENARIO
from simulator.records.market_facts import objective
from simulator.records.planned import planner_lines, planner_record
from simulator.records.report import plain, versions
from simulator.records.solution import solution_lines, solution_records, solution_table, solved
from simulator.records.table import Table
from simulator.records.welfare import Standings, solved_standings
from simulator.references.equilibrium import STARTS, search
from simulator.references.found import Search
from simulator.references.rationing import FixPriceEquilibrium, fix_price_equilibria
from simulator.scenario import NOTHING, Scenario, load
from simulator.scenario.plugins import NO_PLUGINS, Plugins
from simulator.schedulers.scheduler import flatten
from simulator.schedulers.table import plans
from simulator.sentences import SOLVED, said
from simulator.statics import DERIVED, DERIVED_TWICE, NoDerivativeError, Statics
from simulator.threads import one_thread

if TYPE_CHECKING:
    import pandas as pd

TABLE, SUMMARY, STANDINGS = "equilibria.csv", "summary.json", "standings.npz"
OURS = frozenset({TABLE, SUMMARY, STANDINGS, SCENARIO, INPUTS, DERIVED, DERIVED_TWICE})
"""The files of a solved scenario."""


class UnsolvableError(ValueError):
    """A scenario of which no equilibria can be asked: nobody plans in it, or no linear programme tells its optimum."""


@dataclass(frozen=True)
class Solution:
    """The equilibria of a scenario: `summary`, the rows of equilibria.csv as a `table`, and whether these were found
    that the scenario expects, or any at all; the `scenario`, and how its consumers stand in each. With derivatives
    their tables by file (`derived`) and their `text`, part by part.
    """

    name: str
    summary: dict[str, Any]
    table: Table = field(repr=False)
    as_expected: bool
    scenario: Scenario = field(repr=False)
    standings: tuple[Standings, ...] = field(repr=False)
    derived: Mapping[str, Table] = field(default_factory=dict[str, Table], repr=False)
    text: Sequence[str] = field(default=(), repr=False)

    @cached_property
    def equilibria(self) -> pd.DataFrame:
        """equilibria.csv: `equilibrium`, `kind`, `name`, `value` and `residual`."""
        return self.table.frame()

    @cached_property
    def derivatives(self) -> pd.DataFrame:
        """derivatives.csv, if derivatives were asked for."""
        return self.derived[DERIVED].frame()

    @cached_property
    def second_derivatives(self) -> pd.DataFrame:
        """second_derivatives.csv, if they were."""
        return self.derived[DERIVED_TWICE].frame()

    @cached_property
    def prices(self) -> pd.DataFrame:
        """The price of each good, goods by equilibria."""
        return self.of("price")

    def of(self, kind: str) -> pd.DataFrame:
        """The values of one kind (`level`, `income`, `utility` ...), names by equilibria."""
        rows = self.equilibria[self.equilibria["kind"] == kind]
        table = rows.pivot(index="name", columns="equilibrium", values="value")
        return table.reindex(list(dict.fromkeys(rows["name"])))

    def __str__(self) -> str:
        parts = [f"{self.name}: {self.summary['sentence']}"]
        parts += ["\n".join(solution_lines(record)) for record in self.summary["found"]]
        if self.summary["planner"] is not None:
            parts.append("\n".join(planner_lines(self.summary["planner"])))
        parts += self.text
        return "\n\n".join(parts)

    def write(self, folder: Path) -> None:
        """Write equilibria.csv and summary.json into a folder, derivatives if there are any, and what another is
        compared with by: the scenario with copies of the files it reads, and how consumers stand. Raises
        `RunFolderError` where that cannot be done.
        """
        tables = {TABLE: self.table, **self.derived}
        texts = {name: table.header + "".join(table.lines()) for name, table in tables.items()}
        texts |= {SUMMARY: as_json(self.summary), SCENARIO: self.scenario.text}
        numbered = enumerate(self.standings, 1)
        arrays = {f"{number}.{name}": each for number, at in numbered for name, each in flatten(at).items()}
        try:
            folder.mkdir(parents=True, exist_ok=True)
            for name, text in texts.items():
                (folder / name).write_bytes(text.encode())
            (folder / STANDINGS).write_bytes(packed(arrays, {}))
            for name, place in self.scenario.inputs.items():
                (folder / name).parent.mkdir(exist_ok=True)
                (folder / name).write_bytes(place.read_bytes())
        except OSError as error:
            reason = error.strerror or type(error).__name__
            raise RunFolderError(f"{error.filename or folder}: cannot be written: {reason}") from error


def as_json(summary: Mapping[str, Any]) -> str:
    """A summary as the text of its file."""
    return json.dumps(summary, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def solve(
    source: str | Path | Mapping[str, Any] | Scenario,
    *,
    starts: int = STARTS,
    planner: bool = False,
    derivatives: Sequence[str] = (),
    second: bool = False,
    check: bool = True,
    seed: int | None = None,
    settings: Mapping[str, object] = NOTHING,
    plugins: Plugins = NO_PLUGINS,
) -> Solution:
    """Find the equilibria of a scenario (a YAML file, plain data, or a loaded `Scenario`) from so many `starts`, with
    the optimum of a `planner`'s linear programme beside them if that is asked for, and their `derivatives` by the
    numbers at some paths, `second` ones too. `check` solves again beside each of these.

    `settings` and `plugins` as in `simulate`. Raises `ScenarioError` if the scenario or a path is refused,
    `UnsolvableError` where nobody plans in it, no linear programme tells what is best, or there are no derivatives.
    """
    if starts < 1:
        raise ValueError(f"found {starts} starts; expected 1 or more")
    if second and not derivatives:
        raise ValueError("found second derivatives by nothing; expected derivatives=[PATH]")
    changes = {**settings, **({} if seed is None else {"run.seed": seed})}
    if isinstance(source, Scenario):
        kinds = source.plugins.joined_by(plugins)
        scenario = load(source.resolved, settings=changes, inputs=source.inputs, plugins=kinds) if changes else source
    else:
        scenario = load(source, settings=changes, plugins=plugins)
    return solution(scenario, starts, planner=planner, derivatives=derivatives, second=second, check=check)


def solution(
    scenario: Scenario,
    starts: int,
    *,
    planner: bool = False,
    derivatives: Sequence[str] = (),
    second: bool = False,
    check: bool = True,
) -> Solution:
    """The equilibria of a loaded scenario."""
    check_planned(scenario)
    economy, markets, where = scenario.economy, scenario.markets, scenario.path or scenario.name
    if set_valued(economy) and economy.fiscal is not None:
        found = f"{where}: found linear tastes beside taxes or transfers, whose equilibria are not looked for"
        raise UnsolvableError(f"{found}; expected smooth tastes, such as ces; did you mean simulator run {where}?")
    try:
        statics = Statics(scenario, tuple(derivatives), second=second, check=check) if derivatives else None
    except NoDerivativeError as reason:
        raise UnsolvableError(f"{where}: {reason}") from None
    optimum = None
    if planner:
        from simulator.references.planner_program import NoProgramError
        from simulator.references.planner_program import optimum as best

        try:
            optimum = best(economy)
        except NoProgramError as reason:
            raise UnsolvableError(f"{where}: found no linear programme for a planner: {reason}") from None
    with one_thread():
        found = search(economy, scenario.rule, [scenario.initial_prices], many=starts, seed=scenario.run.seed)
        fix_price = fix_price_equilibria(economy, scenario.rule, [scenario.initial_prices]) if found.held else []
        told = None if statics is None else statics.told(statics.of(found.equilibria))
    each = solved(economy, markets, found.equilibria, fix_price)
    count, expected = len(each), scenario.expected_equilibria
    as_expected = count in expected if expected else count > 0
    summary = {
        "name": scenario.name,
        "sentence": "; ".join(said(SOLVED, _facts(scenario, found, fix_price, None if as_expected else expected))),
        "equilibria": count,
        "starts": found.starts,
        "missing": found.missing,
        "given_up": found.given_up,
        "runaway": None if found.runaway is None else found.runaway._asdict(),
        "expect": list(expected),
        "found": solution_records(economy, markets, each),
        "planner": None if optimum is None else planner_record(economy, optimum, found.equilibria),
        "derivatives": None if told is None else told.facts,
        "seed": scenario.run.seed,
        "scenario_sha256": hashlib.sha256(scenario.text.encode()).hexdigest(),
        "versions": versions("arrays"),
    }
    standings = tuple(solved_standings(economy, one.found) for one in each)
    known = scenario.name, plain(summary), solution_table(each), as_expected, scenario, standings
    return Solution(*known) if told is None else Solution(*known, told.tables, told.text)


def check_planned(scenario: Scenario) -> None:
    """Raise `UnsolvableError` where nobody plans."""
    kind = scenario.scheduler.kind
    learns = "found a market that learns, which has no equilibria to solve for; expected one whose agents plan"
    if kind == "learning" or not plans(kind):
        found = learns if kind == "learning" else f"found {kind}, under which nobody plans; expected tatonnement"
        where = scenario.path or scenario.name
        raise UnsolvableError(f"{where}: {found}; did you mean simulator run {where}?")


def _facts(
    scenario: Scenario, found: Search, fix_price: Sequence[FixPriceEquilibrium], expected: Sequence[int] | None
) -> dict[str, Any]:
    """What the sentence about the equilibria is made of."""
    equilibria, markets, unknowns = found.equilibria, scenario.markets, scenario.rule.unknowns(scenario.economy)
    facts: dict[str, Any] = {name: getattr(found, name) for name in ("starts", "all_found", "missing", "given_up")}
    facts |= {
        "equilibria": len(equilibria),
        "fix_price": len(fix_price),
        "level_free": unknowns.level_free and unknowns.cap is None,
    }
    facts["held"] = sorted({markets.names[at] for each in fix_price for at in np.flatnonzero(each.held).tolist()})
    facts |= {"numeraire": scenario.numeraire, "indices": sum(each.index for each in equilibria)}
    facts["unknown"] = sum(each.index == 0 for each in equilibria)
    facts["objective"] = objective(scenario.economy)
    facts["expected"] = " or ".join(map(str, expected)) if expected else None
    facts["overdrawn"], fiscal = found.overdrawn, scenario.economy.fiscal
    if fiscal is not None and fiscal.instruments:
        facts["unkept"] = " or ".join(fiscal.taxes[at].name for at in fiscal.adjusting)
    if found.runaway is not None:
        name, towards, facts["best"] = found.runaway
        # What runs where a rate cannot keep its value is the rate.
        if "unkept" not in facts:
            what = f"the price of {name}" if name in markets.names else f"the level of {name}"
            facts |= {"runaway": what, "towards": towards}
    return facts
