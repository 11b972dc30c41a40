"""The commands that say whether scenarios are right, and what may stand in them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from simulator import catalogue, terminal
from simulator.arguments import load_scenarios, refuse
from simulator.errors import ScenarioError
from simulator.kinds.wording import nearest
from simulator.options import AsJson, Plugin, Scenarios, Settings
from simulator.slips import meant

if TYPE_CHECKING:
    from simulator.scenario import Scenario

LISTED = ["scenarios", *catalogue.HEADINGS]


def check(scenarios: Scenarios, settings: Settings = None, plugin: Plugin = None, as_json: AsJson = False) -> int:
    """Validate scenarios without running them: a line for each problem, as many at once as can be told.

    With --json a mapping: `ok`, true if there is no problem; `scenarios`, each with its `file`, `name` and numbers of
    `goods`, `firms` and `consumers` (empty if there is a problem); `problems` and `warnings`, each with `file`, `line`,
    `column`, `path`, and what was `found`, what is `expected` and what to write `instead`. A line or column of 0 is not
    known, nor is an empty text.
    """
    try:
        loaded, problems = load_scenarios(scenarios, settings), ()
    except ScenarioError as error:
        if not as_json:
            raise
        loaded, problems = (), error.problems
    sound = [{"file": scenario.path, "name": scenario.name, **_sizes(scenario)} for scenario in loaded]
    warnings = [warning for scenario in loaded for warning in scenario.warnings]
    if as_json:
        said = {"problems": [each.data for each in problems], "warnings": [each.data for each in warnings]}
        terminal.print_json({"ok": not problems, "scenarios": sound, **said})
        return terminal.WRONG_INPUT if problems else terminal.AS_EXPECTED
    for warning in warnings:
        terminal.complain(str(warning))
    for scenario in loaded:
        nouns = [_plural(n, noun.removesuffix("s")) for noun, n in _sizes(scenario).items() if n]
        terminal.say(f"{scenario.path}: ok: {scenario.name}, {', '.join(nouns)}")
    return terminal.AS_EXPECTED


def _sizes(scenario: Scenario) -> dict[str, int]:
    economy = scenario.economy
    firms, consumers = (sum(entry.count for entry in entries) for entries in (economy.firms, economy.consumers))
    return {"goods": len(scenario.markets.goods), "firms": firms, "consumers": consumers}


def list_kinds(
    heading: Annotated[
        str | None, typer.Argument(metavar="HEADING", help=f"{', '.join(LISTED)}.", autocompletion=lambda: LISTED)
    ] = None,
    folder: Annotated[
        Path | None, typer.Argument(metavar="DIR", help="With scenarios: the folder to look into.")
    ] = None,
    plugin: Plugin = None,
    as_json: AsJson = False,
) -> None:
    """List what there is: scenarios, utilities, technologies and other kinds, or the columns of CSVs.

    One line each with its formula or meaning, a column with its unit; of a scenario its first comment. Without a
    heading: all headings.

    With --json a mapping: to each heading its sections, each with a `title` and its `entries`; an entry has a `name`
    and a `meaning`, a column a `unit`, a piece of a price rule the `information` that it needs, a kind an `example`.
    """
    place = folder or Path("scenarios")
    if heading is not None and heading not in LISTED:
        refuse(f"list: found {heading!r}; expected one of {', '.join(LISTED)}{meant(_heading_meant(heading))}")
    if folder is not None and heading != "scenarios":
        refuse(f"list: found {str(folder)!r} after {heading}; expected it after scenarios only")
    if heading == "scenarios" and not place.is_dir():
        refuse(f"{place}: no such folder; expected one with scenarios (YAML): simulator list scenarios DIR")
    found = catalogue.everything(place) if heading is None else {heading: catalogue.under(heading, place)}
    sections = [section for listed in found.values() for section in listed]
    if as_json:
        terminal.print_json({name: [section.data for section in listed] for name, listed in found.items()})
    else:
        terminal.say("\n".join(catalogue.overview(found, place) if heading is None else catalogue.lines(sections)))
    broken = [section.entries[name] for section in sections for name in section.broken]
    if broken and heading is not None:
        refuse("\n".join(broken))


def _heading_meant(word: str) -> str | None:
    """The heading that a word means, or under which it stands."""
    found = nearest(word, LISTED)
    under = (name for name, make in catalogue.HEADINGS.items() if any(word in section.entries for section in make()))
    return found or next(under, None)


def schema(plugin: Plugin = None) -> None:
    """Print the JSON Schema of scenarios: with it an editor completes keys, shows what they mean and marks mistakes."""
    from simulator.scenario import scenario_schema
    from simulator.scenario.plugins import all_installed

    plugins, broken = all_installed()
    terminal.print_json(scenario_schema(plugins.known))
    if broken:
        refuse("\n".join(broken))


def _plural(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
