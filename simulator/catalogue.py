"""What there is to choose from: `simulator list`, a line for each kind, from the tables in which the kinds stand."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

FIRST_LETTERS = 10_000
"""As much of a scenario is read to find its first comment."""


class Section(NamedTuple):
    """Entries of one sort: how they are written in a scenario, or what file they are found in, and name and meaning
    of each; `broken` are the names of those that cannot be had. `facts` are more that is known of some: the `unit` of a
    column, the `information` that a market needs for a piece, the `example` of a kind's parameters.
    """

    title: str
    entries: Mapping[str, str]
    broken: tuple[str, ...] = ()
    facts: Mapping[str, Mapping[str, str]] = MappingProxyType({})

    def marked(self, name: str) -> str:
        """The meaning of an entry behind its unit, or the information it needs."""
        facts = self.facts.get(name, {})
        mark = facts.get("unit") or facts.get("information")
        shown = [facts[key] for key in ("parameters", "example") if key in facts] if "parameters" in facts else []
        return "; ".join(filter(None, [f"[{mark}] {self.entries[name]}" if mark else self.entries[name], *shown]))

    @property
    def data(self) -> dict[str, Any]:
        """The section as plain data: `title`, and `entries`, each with its `name`, its `meaning` and facts."""
        entries = [{"name": name, "meaning": text, **self.facts.get(name, {})} for name, text in self.entries.items()]
        return {"title": self.title, "entries": entries}


def scenarios(folder: Path) -> list[Section]:
    """The scenario files of a folder with what their first comment says, in order of their names."""
    if not folder.is_dir():
        return []
    files = sorted(file for file in folder.iterdir() if file.suffix in (".yaml", ".yml") and file.is_file())
    return [Section(f"scenarios in {folder}: simulator run {folder / 'NAME'}", {f.name: _opening(f) for f in files})]


def _opening(file: Path) -> str:
    """The first line of a scenario that says something, if it is a comment, as far as its sentences are whole."""
    with file.open(encoding="utf-8-sig", errors="replace") as text:
        lines = text.read(FIRST_LETTERS).splitlines()
    first = " ".join(next((line for line in lines if line.strip(" \t#-")), "").split())
    if not first.startswith("#"):
        return "-"
    # A sentence that goes on in the next line is left out if there is one before it.
    whole = first.lstrip("# ")
    return whole if whole.endswith((".", "?", "!")) else re.sub(r"(.*[.?!]) .*", r"\1", whole)


def _said(title: str, kinds: Mapping[str, Any]) -> Section:
    """A section of kinds that say what they mean."""
    examples = {
        name: {"example": f"{{{name}: {kind.example}}}"} for name, kind in kinds.items() if hasattr(kind, "example")
    }
    return Section(title, {name: kind.meaning for name, kind in kinds.items()}, facts=examples)


def utilities() -> list[Section]:
    from simulator.kinds.traders import TRADERS, WANTS

    traders = "consumers: [{belief: {OUTCOME: ...}, utility: {KIND: ...}}], traders in contingent goods"
    goods = {name: kind for name, kind in WANTS.items() if name not in TRADERS}
    of_goods = _said("consumers: [{utility: {KIND: ...}}]", goods)
    return [of_goods, _said(traders, TRADERS), *_from_outside("utilities")]


def technologies() -> list[Section]:
    from simulator.economics.bundles import ACTIVATIONS, SELLERS
    from simulator.kinds.technologies import FORMULA, TECHNOLOGIES

    firms = _said('firms: [{technology: {KIND: ...}}], a formula as {makes: "y = ..."}', TECHNOLOGIES)
    hidden = "learning: {hidden: {activation: KIND}}, what a hidden firm makes by its design w of a bundle e"
    return [
        firms._replace(entries={"formula": FORMULA, **firms.entries}),
        _said("learning: {supply: KIND}, what sellers offer of a bundle", SELLERS),
        _said(hidden, ACTIVATIONS),
        *_from_outside("technologies"),
    ]


def distributions() -> list[Section]:
    from simulator.kinds.distributions import DISTRIBUTIONS

    section = _said("a number of firms or consumers: {KIND: ...}, and times and plus", DISTRIBUTIONS)
    facts = {
        name: {**section.facts.get(name, {}), "parameters": _parameters(kind)} for name, kind in DISTRIBUTIONS.items()
    }
    return [section._replace(facts=facts)]


def _parameters(kind: Any) -> str:
    """The parameters of a kind with their meanings; of a kind that is a number or a list none."""
    named = {key: field.description for key, field in kind.model_fields.items() if key != "root"}
    return ", ".join(f"{key} ({meaning})" for key, meaning in named.items())


def _from_outside(group: str) -> list[Section]:
    """What installed packages and the files of --plugin add to a group of kinds."""
    from simulator.kinds.entry import meaning_of
    from simulator.scenario.plugins import installed, loaded

    entries: dict[str, str] = {}
    broken: list[str] = []
    for name, point in sorted(installed(group).items()):
        try:
            entries[name] = f"{meaning_of(loaded(group, point))} ({point.module})"
        except ValueError as error:
            entries[name] = str(error)
            broken.append(name)
    return [Section("from outside", entries, tuple(broken))] if entries else []


def schedulers() -> list[Section]:
    from simulator.schedulers.table import SCHEDULERS

    sections: dict[str, dict[str, str]] = {}
    for name, kind in SCHEDULERS.items():
        sections.setdefault(kind.asked_for, {})[name] = kind.meaning
    return [Section(title, kinds) for title, kinds in sections.items()]


def rules() -> list[Section]:
    from simulator.dynamics.price_rules import FORMS, PIECES, RECIPES

    known = [{name: {"information": row.information} for name, row in rows.items()} for rows in (PIECES, RECIPES)]
    pieces = {name: piece.meaning for name, piece in PIECES.items()}
    recipes = {name: f"{rule.meaning}; {rule.source}" for name, rule in RECIPES.items()}
    return [
        Section("scheduler: {form: FORM, rate: ...}", FORMS),
        Section("scheduler: {with: [PIECE, ...]}, in brackets what a market must know", pieces, facts=known[0]),
        Section("scheduler: {rule: NAME, rate: ...}: a form and pieces by a famous name", recipes, facts=known[1]),
        *_from_outside("rule_pieces"),
    ]


def behaviours() -> list[Section]:
    from simulator.dynamics.behaviours import BEHAVIOURS

    return [_said("firms: [{behaviour: KIND}]", BEHAVIOURS), *_from_outside("behaviours")]


def columns() -> list[Section]:
    from simulator.records.columns import SUMMARY
    from simulator.records.solved_columns import DERIVED_KINDS, SOLVED_KINDS, SOLVED_SUMMARY, SOLVED_TABLES
    from simulator.schedulers.table import all_tables

    solved = {f"solve: {name}": sheet for name, sheet in SOLVED_TABLES.items()}
    files = [
        Section(
            f"{name}.csv",
            {**keys, **{column.name: column.meaning for column in columns}},
            facts={column.name: {"unit": column.unit} for column in columns},
        )
        for name, (keys, columns) in {**all_tables(), **solved}.items()
    ]
    return [
        *files[: -len(solved)],
        Section("summary.json", SUMMARY),
        *files[-len(solved) :],
        Section("solve: kinds in equilibria.csv", SOLVED_KINDS),
        Section("solve: kinds in derivatives.csv", DERIVED_KINDS),
        Section("solve: summary.json", SOLVED_SUMMARY),
    ]


HEADINGS: Mapping[str, Callable[[], list[Section]]] = {
    make.__name__: make for make in (utilities, technologies, schedulers, rules, behaviours, distributions, columns)
}
"""What can be listed, besides the scenarios of a folder."""


def lines(sections: Iterable[Section]) -> list[str]:
    """Sections as text: a title each, then a line per entry."""
    printed: list[str] = []
    for section in sections:
        width = max(map(len, section.entries), default=0)
        printed += ["", section.title, *(f"  {name.ljust(width)}  {section.marked(name)}" for name in section.entries)]
    return printed[1:]


def under(heading: str, folder: Path) -> list[Section]:
    """The sections of a heading."""
    return scenarios(folder) if heading == "scenarios" else HEADINGS[heading]()


def everything(folder: Path) -> dict[str, list[Section]]:
    """The sections of every heading."""
    return {heading: under(heading, folder) for heading in ("scenarios", *HEADINGS)}


def overview(found: Mapping[str, list[Section]], folder: Path) -> list[str]:
    """Every heading with the names under it."""
    # A rule by name may be called as the piece that it is made of.
    names = {
        heading: list(dict.fromkeys(entry for section in sections for entry in section.entries))
        for heading, sections in found.items()
    }
    names["scenarios"] = [Path(name).stem for name in names["scenarios"]] or [f"none in {folder}"]
    names["columns"] = [section.title for section in found["columns"]]
    width = max(map(len, names))
    rows = [f"{heading.ljust(width)}  {', '.join(entries)}" for heading, entries in names.items()]
    return [*rows, "", "simulator list HEADING says what each of them is."]
