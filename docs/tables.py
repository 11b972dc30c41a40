"""The generated parts of the reference: keys from the JSON Schema, kinds and columns from their tables, commands from
the command line. `TABLES` says what `<!-- generated: WHAT -->` may ask for.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path
from typing import Any

HOMES = {
    "Accounts": "[keys](#calibrate)",
    "Activities": "[keys](#activities)",
    "Adjust": "[keys](#taxes)",
    "Adjusting": "[`{adjust: ...}`](#taxes)",
    "Behaviour": "[a behaviour](kinds.md#behaviours-of-firms)",
    "Calibrate": "[keys](#calibrate)",
    "Closure": "[keys](#calibrate)",
    "Contingent": "[keys](#contingent)",
    "Compare": "[keys](#compare)",
    "Consumer": "[consumers](#consumers)",
    "Dirichlet": "[`{dirichlet: ...}`](kinds.md#distributions)",
    "Draw": "[a distribution or column](kinds.md#distributions)",
    "DemandNest": "[a nest of a benchmark](kinds.md#benchmarks)",
    "Elasticities": "[keys](#calibrate)",
    "EveryTick": "[keys](#trade)",
    "Firm": "[firms](#firms)",
    "Good": "[keys](#goods)",
    "GoodsDirichlet": "[`{dirichlet: ...}`](kinds.md#distributions)",
    "Hidden": "[keys](#learning)",
    "InputNest": "[a nest of a benchmark](kinds.md#benchmarks)",
    "JointProducts": "[joint products](kinds.md#joint-products)",
    "LearningSettings": "[keys](#learning)",
    "MarginalBidsSettings": "[marginal bids](#scheduler)",
    "MarketMakerSettings": "[market maker](#scheduler)",
    "Nest": "[a nest](kinds.md#nests)",
    "Patterns": "[keys](#learning)",
    "Piece": "[a piece](price-rules.md#pieces)",
    "ProgramText": "[keys](#program)",
    "Run": "[keys](#run)",
    "Settlement": "[keys](#contingent)",
    "Shock": "[shocks](#shocks)",
    "Tax": "[taxes](#taxes)",
    "TatonnementSettings": "[tatonnement](#scheduler)",
    "TradingPostSettings": "[trading posts](#scheduler)",
    "Technology": "[a technology](kinds.md#technologies)",
    "Trade": "[`{every_tick: ...}`](#trade)",
    "Transfer": "[transfers](#transfers)",
    "Utility": "[a utility](kinds.md#utilities)",
    "Worth": "[`{good: ..., amount: ...}`](#transfers)",
}
"""Where the objects of the schema have their own section."""


@cache
def schema() -> dict[str, Any]:
    """The JSON Schema of scenarios, without what installed packages add."""
    from simulator.scenario import scenario_schema

    return scenario_schema()


def table(what: str) -> str:
    """The generated part of this name."""
    if what in TABLES:
        return TABLES[what]()
    name, _, argument = what.partition(" ")
    return TABLES[name](argument)


def rows(titles: Iterable[str], cells: Iterable[Iterable[str]]) -> str:
    """A table in Markdown."""
    titles = list(titles)
    lines = [titles, ["---"] * len(titles), *cells]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines)


def keys(name: str) -> str:
    """The keys of an object: what may stand there, the default, the meaning."""
    found = schema()["$defs"][name]
    required = set(found.get("required", ()))
    return rows(
        ("key", "value", "default", "meaning"),
        (
            (f"`{key}`", said(part), "required" if key in required else default(part), part["description"])
            for key, part in found["properties"].items()
        ),
    )


def default(part: dict[str, Any]) -> str:
    """What holds where a key is left out; `-` where that is nothing, or said with the meaning."""
    value = part.get("default")
    if value is None or isinstance(value, dict):
        return "-"
    return f"`{'true' if value is True else 'false' if value is False else value}`"


def said(part: dict[str, Any]) -> str:
    """What may stand in a place of the schema."""
    if "$ref" in part:
        name = part["$ref"].rpartition("/")[2]
        return HOMES[name] if name in HOMES else said(schema()["$defs"][name])
    ways = part.get("oneOf") or part.get("anyOf")
    if ways:
        return " or ".join(dict.fromkeys(said(way) for way in ways if way != {"type": "null"}))
    if "enum" in part:
        return " or ".join(f"`{value}`" for value in part["enum"])
    if "const" in part:
        return f"`{part['const']}`".lower() if isinstance(part["const"], bool) else f"`{part['const']}`"
    kind = part.get("type")
    if kind == "array":
        size = f" of {part['minItems']}" if part.get("minItems") == part.get("maxItems") is not None else ""
        return f"a list{size}: {said(part['items'])}"
    if kind == "object":
        inner = part.get("additionalProperties") or next(iter(part.get("patternProperties", {}).values()), None)
        return f"by name: {said(inner)}" if isinstance(inner, dict) else "by path: a change" if inner else "keys"
    words = {"integer": "a whole number", "number": "a number", "string": "text", "boolean": "true or false"}
    return f"{words[kind]}{limits(part)}"


def limits(part: dict[str, Any]) -> str:
    """The bounds of a number."""
    words = {
        "exclusiveMinimum": "above",
        "minimum": "of at least",
        "exclusiveMaximum": "below",
        "maximum": "at most",
    }
    bounds = [f"{word} {_number(part[key])}" for key, word in words.items() if key in part]
    return f" {' and '.join(bounds)}" if bounds else ""


def _number(value: float) -> str:
    """A number to be read: large bounds as powers."""
    for base in (10, 2):
        power = round(math.log(value, base)) if value >= 1e6 else 0
        if power and base**power == value:
            return f"{base}^{power}"
    return f"{value:g}"


def kinds(group: str) -> str:
    """A kind of a group after another: its name, meaning and parameters."""
    parts: list[str] = []
    for kind, part in schema()["$defs"][group]["properties"].items():
        parts += [f"### {group} `{kind}`", f"`{part['description']}`"]
        parts += parameters(part)
    return "\n\n".join(parts)


def parameters(part: dict[str, Any]) -> list[str]:
    """What stands behind a kind's name."""
    names = [way["$ref"].rpartition("/")[2] for way in (part, *part.get("oneOf", ())) if "$ref" in way]
    found = schema()["$defs"][names[0]] if names else part
    if "$ref" in found:
        return parameters(found)
    if "properties" not in found:
        return [] if found.get("const") is True else [f"Value: {said(found)}."]
    short = [way for way in part.get("oneOf", ()) if "$ref" not in way]
    (first, *_) = [key for key in found.get("required", ())] or [""]
    alone = (
        [f"A number alone, {said(short[0]).partition(' number')[2].strip() or 'any'}, is `{first}`."] if short else []
    )
    if found.get("maxProperties") == 1:  # kinds below a kind
        return [*alone, in_cells(names[0], "one of")]
    return [*alone, keys(names[0])]


def in_cells(name: str, title: str = "key") -> str:
    """The keys of an object whose values have keys of their own, which stand in the same row."""
    cells = (
        (f"`{key}`", part["description"], below(part)) for key, part in schema()["$defs"][name]["properties"].items()
    )
    return rows((title, "meaning", "value"), cells)


def below(part: dict[str, Any]) -> str:
    """A value, or the keys of a mapping with what may stand there."""
    names = [way["$ref"].rpartition("/")[2] for way in (part, *part.get("oneOf", ())) if "$ref" in way]
    found = schema()["$defs"][names[0]] if names else part
    if "properties" not in found:
        return "-" if found.get("const") is True else said(found)
    lines = []
    for key, one in found["properties"].items():
        unless = "" if default(one) == "-" else f", default {default(one)}"
        lines.append(f"`{key}`: {one['description']} ({said(one)}{unless})")
    return "; ".join(lines)


def learning_kinds() -> str:
    """How sellers answer, and what hidden firms make of a bundle."""
    from simulator.economics.bundles import ACTIVATIONS, SELLERS

    groups = {"`learning: {supply: ...}`": SELLERS, "`learning: {hidden: {activation: ...}}`": ACTIVATIONS}
    parts = [
        rows(("key", "meaning"), ((f"`{n}`", k.meaning) for n, k in group.items())) for title, group in groups.items()
    ]
    return "\n\n".join(parts)


def functions() -> str:
    """The functions that a formula may call."""
    from simulator.formulas.operations import FUNCTIONS

    return ", ".join(f"`{name}`" for name in FUNCTIONS)


def measures() -> str:
    """What a comparison measures."""
    from simulator.figures.run_measures import MEASURES

    return rows(("measure", "meaning"), ((f"`{name}`", text) for name, text in MEASURES.items()))


def rule_table(which: str) -> str:
    """Forms, pieces or famous rules."""
    from simulator.dynamics.price_rules import FORMS, PIECES, RECIPES

    if which == "forms":
        return rows(("form", "what a step does"), ((f"`{name}`", f"`{text}`") for name, text in FORMS.items()))
    if which == "pieces":
        names = schema()["$defs"]["Piece"]["properties"]
        cells = ((f"`{name}`", piece.meaning, piece.information, below(names[name])) for name, piece in PIECES.items())
        return rows(("piece", "what it does", "a market must know", "parameters"), cells)
    return rows(
        ("rule", "what it does", "a market must know", "source"),
        ((f"`{name}`", rule.meaning, rule.information, rule.source) for name, rule in RECIPES.items()),
    )


def csv(name: str) -> str:
    """The columns of a CSV."""
    from simulator.records.solved_columns import SOLVED_TABLES
    from simulator.schedulers.table import all_tables

    sheet = {**all_tables(), **SOLVED_TABLES}[name]
    first = f"A row for each {', '.join(f'`{key}`' for key in sheet.keys)}."
    keys = [(f"`{key}`", "", meaning) for key, meaning in sheet.keys.items()]
    cells = [(f"`{column.name}`", column.unit, column.meaning) for column in sheet.columns]
    return f"{first}\n\n{rows(('column', 'unit', 'meaning'), [*keys, *cells])}"


def summary(which: str = "SUMMARY") -> str:
    """The keys of summary.json, or another table of names and meanings."""
    from simulator.records import columns, solved_columns

    meanings = getattr(columns if which == "SUMMARY" else solved_columns, which)
    return rows(("key", "meaning"), ((f"`{key}`", text) for key, text in meanings.items()))


def figures() -> str:
    """The figures there are, with the first sentence of what is said of each in the code."""
    from simulator.figures.table import FIGURES

    return rows(
        ("figure", "what it shows"),
        ((f"`{name}`", _plain(builder.__doc__).partition("\n\n")[0]) for name, builder in FIGURES.items()),
    )


def commands() -> str:
    """Every command with its arguments and options."""
    import typer

    from simulator.cli import app

    whole: Any = typer.main.get_command(app)
    context = typer.Context(whole, info_name="simulator")
    parts: list[str] = []
    for name in whole.list_commands(context):
        command = whole.get_command(context, name)
        below = typer.Context(command, info_name=name, parent=context)
        usage = " ".join([f"simulator {name}", *command.collect_usage_pieces(below)])
        parts += [f"### `simulator {name}`", f"    {usage}", _plain(command.help)]
        records = [p.get_help_record(below) or (p.make_metavar(below), p.help) for p in command.params]
        cells = [(f"`{words}`", text) for words, text in records if words and text]
        parts += [rows(("argument or option", "meaning"), cells)] if cells else []
        parts += [f"```sh\n{_plain(command.epilog).removeprefix('Example: ')}\n```"]
    return "\n\n".join(parts)


def words() -> str:
    """Words of other books and programs beside those of a scenario."""
    from simulator.slips import EPOCHS, WORDS

    return rows(
        ("word here", "words elsewhere"),
        (*((f"`{word}`", others) for word, others in WORDS.items()), ("`run: {ticks: ...}`", f"epochs: {EPOCHS}")),
    )


def exit_codes() -> str:
    """What each exit code means."""
    from simulator.terminal import EXIT_CODES

    return rows(("code", "when"), ((str(code), meaning) for code, meaning in EXIT_CODES.items()))


def _plain(text: str | None) -> str:
    """A help text, whose marks for typer mean nothing here."""
    return "\n\n".join(" ".join(part.split()) for part in (text or "").replace("\b", "").split("\n\n"))


def sentences(group: str) -> str:
    """What may be said of a run: the rows of a table of sentences, with the names of the facts in braces."""
    from simulator import sentences

    lines: list[str] = []
    for row in getattr(sentences, group):
        text = re.sub(r"\{\w+:s\}", "s", row.text)  # the ending of a plural is no fact of its own
        lines.append("- " + re.sub(r"\{(\w+)[^}]*\}", r"{\1}", text))
    return "\n".join(lines)


def scenarios() -> str:
    """The scenarios of the project, with what their first comment says."""
    from ruamel.yaml import YAML

    from docs.pages import ROOT
    from simulator import catalogue

    (section,) = catalogue.scenarios(ROOT / "scenarios")
    cells: list[tuple[str, str, str]] = []
    for name, text in section.entries.items():
        expected = YAML(typ="safe").load(ROOT / "scenarios" / name).get("expect", "cleared")
        outcomes = [expected] if isinstance(expected, str) else expected
        cells.append((f"[`{Path(name).stem}`](../../scenarios/{name})", text, " or ".join(f"`{o}`" for o in outcomes)))
    return rows(("scenario", "what it is", "how it ends"), cells)


TABLES: dict[str, Callable[..., str]] = {
    "keys": keys,
    "kinds": kinds,
    "distributions": lambda: in_cells("Draw"),
    "functions": functions,
    "learning kinds": learning_kinds,
    "measures": measures,
    "rules": rule_table,
    "csv": csv,
    "summary": summary,
    "figures": figures,
    "commands": commands,
    "exit codes": exit_codes,
    "words": words,
    "scenarios": scenarios,
    "sentences": sentences,
}
