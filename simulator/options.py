"""What may stand on a command line: options that commands share, and what is said of a word that is wrong there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import typer

Scenarios = Annotated[list[str], typer.Argument(metavar="SCENARIO", help="YAML files, folders of them, or globs.")]
OneScenario = Annotated[str, typer.Argument(metavar="SCENARIO", help="A YAML file.")]
Jobs = Annotated[str, typer.Option("--jobs", metavar="N", help="Runs at the same time.")]
Runs = Annotated[list[str], typer.Argument(metavar="RUN", help="Folders of runs, such as outputs/tupperware.")]
Formats = Annotated[str, typer.Option("--format", metavar="FORMATS", help="Figures as png, svg or pdf, or png,svg.")]
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="PATH=VALUE", help="Change a scenario, as in --set scheduler.rate=0.1; repeatable."),
]
Seed = Annotated[str | None, typer.Option("--seed", metavar="N", help="Seed, in place of the scenario's.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON and nothing else.")]
USAGE_ERROR: type[Exception] = typer.BadParameter.__mro__[1]
"""The parser's error for a wrong command line; typer does not export it under a name."""


def one_of(found: str, known: Sequence[str]) -> str:
    """The words to choose from, and what was perhaps meant."""
    return "; ".join(filter(None, [f"one of {', '.join(known)}", _meant(found, known)]))


def _meant(found: str, known: Sequence[str]) -> str:
    """A question whether one of the words to choose from was meant; empty where none is like the one found."""
    from difflib import get_close_matches

    return "".join(f"did you mean {word}?" for word in get_close_matches(found, known, 1))


def usage(error: Any) -> str:
    """One line for a wrong command line: what was found, and what was perhaps meant."""
    context: Any = error.ctx
    message = str(error.format_message()).rstrip(".")
    if message.startswith("Usage:"):
        return message
    command = context.command_path if context is not None else "simulator"
    wrong, known = "", list[str]()
    if context is not None and type(error).__name__ == "NoSuchOption":
        wrong = str(error.option_name)
        known = [name for parameter in context.command.params for name in parameter.opts if name.startswith("--")]
        known += ["--help", "--version", "--debug"]
        message = f"unknown option {wrong}"
    elif context is not None and message.startswith("No such command"):
        wrong, known = message.split("'")[1], list(context.command.list_commands(context))
        message = f"unknown command {wrong!r}; expected one of {', '.join(known)}"
    elif hasattr(error.__cause__, "errors"):
        # Typer has asked pydantic, which knows what was typed.
        (wrongly,) = error.__cause__.errors()[:1]
        kinds = {"int_parsing": "a whole number", "float_parsing": "a number", "bool_parsing": "true or false"}
        expected = kinds.get(wrongly["type"], wrongly["msg"])
        message = f"{error.param.opts[0]}: found {wrongly['input']!r}; expected {expected}"
    else:
        message = message[:1].lower() + message[1:]
    return f"{command}: {message}; {_meant(wrong, known) or f'see {command} --help'}"
