"""The commands that write scenarios."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from simulator import terminal
from simulator.arguments import check_folder, refuse, write_new
from simulator.options import one_of


def compile_program(
    program: Annotated[str, typer.Argument(metavar="PROGRAM", help="A file, or the program itself: 'c = ln(1 + x)'.")],
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="FILE", help="Write the scenario here.")
    ] = None,
    per: Annotated[
        str | None, typer.Option("--per", metavar="WHAT", help="A firm for each operation, or for each statement.")
    ] = None,
    copiers: Annotated[
        bool, typer.Option("--copiers", help="Firms that copy what is read more than once, in place of rival: false.")
    ] = False,
    back: Annotated[bool, typer.Option("--from", help="PROGRAM is a scenario: print it as a program.")] = False,
) -> None:
    """Turn a program into a scenario whose firms are its operations and whose prices come to rest at its derivatives.

    A program is lines such as a = x*y, with def, for i in range(3): and w[0]; what it returns is sold at a price of 1.
    The way back, how much each user but the last gets of a rival good is an input of the program, an allocation.
    """
    from simulator.compiling import CounterpartError, as_program, as_scenario

    if per not in (None, "operation", "statement"):
        refuse(f"--per: found {per!r}; expected {one_of(per, ['operation', 'statement'])}")
    for option, given in (("--copiers", copiers), ("--per", per is not None)):
        if back and given:
            refuse(f"{option}: found --from too; expected one of them")
    try:
        text = as_program(program) if back else as_scenario(program, per, copiers=copiers)
    except CounterpartError as problem:
        refuse(str(problem))
    if output is None:
        terminal.say(text.rstrip())
    else:
        write_new(output, text)
        terminal.say(f"wrote {output}")
    if not back:
        from simulator.answers import answer
        from simulator.scenario import load
        from simulator.scenario.yaml_text import compose

        lines = "\n".join(["", *answer(load(compose(text, "program").data))])
        # Where the scenario is the result, nothing else is.
        (terminal.complain if output is None else terminal.say)(lines)


def calibrate(
    scenario: Annotated[Path, typer.Argument(metavar="SCENARIO", help="A YAML file with calibrate.")],
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="FILE", help="Write the scenario here.")
    ] = None,
) -> None:
    """Write out the economy that a table of accounts stands for: goods, firms, consumers, taxes and transfers.

    A scenario with calibrate also runs, checks and solves as it is. A file that exists is left alone.
    """
    from simulator.scenario import calibrated

    text = calibrated(scenario, Path() if output is None else output.parent)
    if output is None:
        terminal.say(text.rstrip())
    else:
        write_new(output, text)
        terminal.say(f"wrote {output}")


def new(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Letters, digits, '.', '_' and '-'.")],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Where it goes.")] = Path(),
) -> None:
    """Write a commented starter scenario, NAME.yaml, which runs as it is. A file that exists is left alone."""
    from shlex import quote

    from simulator.kinds.names import NAME_RULE, composed, name_fault
    from simulator.scenario.starter import starter

    name = composed(name).removesuffix(".yaml").removesuffix(".yml")
    if fault := name_fault(name):
        folder, _, last = name.replace(os.sep, "/").rpartition("/")
        refuse(
            f"found {name!r}; expected {NAME_RULE}; did you mean simulator new {last} --out {folder}?"
            if folder
            else fault
        )
    check_folder(out)
    out.mkdir(parents=True, exist_ok=True)
    file = out / f"{name}.yaml"
    write_new(file, starter(name))
    terminal.say(f"wrote {file}\nnext: simulator run {quote(str(file))}")
