"""What may stand on a command line: options that commands share, and what is said of a word that is wrong there."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperArgument, TyperCommand

from simulator.kinds.wording import alike, listed, nearest
from simulator.slips import ADVICE, called_here, instead, meant


def _untold(ctx: Any) -> None:
    """The type of an argument, which its name in the usage tells already."""


class Command(TyperCommand):
    """A command whose help says what its arguments are, and not of what type: Typer has no option for that."""

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        for parameter in self.params:
            if isinstance(parameter, TyperArgument):
                parameter.display_type_rich = _untold


Scenarios = Annotated[list[str], typer.Argument(metavar="SCENARIO", help="YAML files, folders of them, or globs.")]
OneScenario = Annotated[str, typer.Argument(metavar="SCENARIO", help="A YAML file.")]
Jobs = Annotated[
    str, typer.Option("--jobs", metavar="N", help="Runs at the same time, at most one a core, once that pays.")
]
Runs = Annotated[list[str], typer.Argument(metavar="RUN", help="Folders of runs, such as outputs/tupperware.")]
Formats = Annotated[str, typer.Option("--format", metavar="FORMATS", help="Figures as png, svg or pdf, or png,svg.")]
FigureNames = Annotated[
    str | None, typer.Option("--figures", metavar="NAMES", help="Draw these figures alone, as in prices,network.")
]
FigureGoods = Annotated[
    str | None, typer.Option("--goods", metavar="NAMES", help="Draw these goods alone, as in bread,wine.")
]
Between = Annotated[
    str | None, typer.Option("--between", metavar="A:B", help="Draw the ticks from A to B, as in 100:200, :50 or 100:.")
]
Size = Annotated[
    str, typer.Option("--size", metavar="SIZE", help="slide (1600 by 900 pixels), or paper (7 inches, 300 dpi).")
]
Title = Annotated[str | None, typer.Option("--title", metavar="TITLE", help="What figures are called.")]
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="PATH=VALUE", help="Change a scenario, as in --set scheduler.rate=0.1; repeatable."),
]
Seed = Annotated[str | None, typer.Option("--seed", metavar="N", help="Seed, in place of the scenario's.")]


def _run_plugins(files: list[Path] | None) -> list[Path] | None:
    """Run the files that bring kinds, before anything that may name one is read."""
    if files:
        from simulator.scenario.plugins import run_files

        run_files(files)
    return files


Plugin = Annotated[
    list[Path] | None,
    typer.Option(
        "--plugin",
        metavar="FILE",
        callback=_run_plugins,
        help="Run this Python file: scenarios may name the kinds that its Plugins hold; repeatable.",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON and nothing else.")]
USAGE_ERROR: type[Exception] = typer.BadParameter.__mro__[1]
"""The parser's error for a wrong command line; typer does not export it under a name."""


def one_of(found: str, known: Sequence[str]) -> str:
    """The words to choose from, and what was perhaps meant."""
    return f"one of {', '.join(known)}{meant(nearest(found, known))}"


def usage(error: Any, arguments: Sequence[str]) -> str:
    """One line for a wrong command line: what was found, and what was perhaps meant."""
    context: Any = error.ctx
    message = str(error.format_message()).rstrip(".")
    if message.startswith("Usage:"):
        return message
    command = context.command_path if context is not None else "simulator"
    guess: str | None = None
    if context is not None and type(error).__name__ == "NoSuchOption":
        wrong = str(error.option_name)
        known = [name for parameter in context.command.params for name in parameter.opts if name.startswith("-")]
        guess = called_here(wrong, [*known, "--help", "--version", "--debug"])
        guess = guess or (_setting(wrong, arguments) if "--set" in known else None)
        guess = guess or alike(wrong, [*known, "--help", "--version", "--debug"])
        message = f"unknown option {wrong}; expected {listed(known) if known else 'none'}"
    elif context is not None and message.startswith("No such command"):
        wrong, known = message.split("'")[1], list(context.command.list_commands(context))
        guess = f"simulator run {wrong}" if wrong.endswith((".yaml", ".yml")) else None
        guess = guess or nearest(wrong, [*known, "--help", "--version"])
        message = f"unknown command {wrong!r}; expected one of {', '.join(known)}"
    elif hasattr(error.__cause__, "errors"):
        # Typer has asked pydantic, which knows what was typed.
        (wrongly,) = error.__cause__.errors()[:1]
        kinds = {"int_parsing": "a whole number", "float_parsing": "a number", "bool_parsing": "true or false"}
        expected = kinds.get(wrongly["type"], wrongly["msg"])
        guess = instead("number", str(wrongly["input"]))
        message = f"{error.param.opts[0]}: found {wrongly['input']!r}; expected {expected}"
    elif context is not None and message.startswith("Missing argument"):
        example = str(context.command.epilog).partition("Example: ")[2]
        message = f"found no {error.param.metavar}; expected one, as in {example}"
    elif context is not None and (extra := re.fullmatch(r"Got unexpected extra argument\S* \((.*)\)", message)):
        usual = " ".join(context.command.collect_usage_pieces(context))
        message = f"found {extra[1]} besides; expected no more than {usual}"
    else:
        message = message[:1].lower() + message[1:]
    return f"{command}: {message}{meant(guess) or f'; see {command} --help'}"


def _setting(option: str, arguments: Sequence[str]) -> str | None:
    """`--rate 0.5` as a setting of the scenario's key of that name."""
    from simulator.scenario.document import from_data
    from simulator.scenario.language import Language
    from simulator.scenario.remedies import belongs

    if (advice := instead("key", option)) and advice.startswith(ADVICE):
        return advice
    way = belongs(Language(from_data({})), (), option.lstrip("-").replace("-", "_"))
    if way is None or not all(step.isidentifier() for step in way):
        return None
    place = [argument.partition("=")[0] for argument in arguments].index(option)
    _, equals, value = arguments[place].partition("=")
    value = value if equals else next(iter(arguments[place + 1 :]), "")
    return f"--set {'.'.join(way)}={value if value and not value.startswith('--') else '...'}"
