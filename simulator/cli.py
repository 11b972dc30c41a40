"""The command line: the commands of `commands`, with a line and an example of each, and how they end.

Exit codes: `terminal.EXIT_CODES`. Modules are imported when a command needs them.
"""

from __future__ import annotations

import gc
import os
import sys
from io import TextIOWrapper

import typer

from simulator import terminal
from simulator.commands.check import check, list_kinds, schema
from simulator.commands.plot import compare, plot
from simulator.commands.run import run
from simulator.commands.search import perturb, tune
from simulator.commands.solve import solve
from simulator.commands.study import fit
from simulator.commands.sweep import sensitivity, sweep
from simulator.commands.write import calibrate, compile_program, new
from simulator.options import USAGE_ERROR, Command, usage
from simulator.pool import ONE_THREAD
from simulator.stopping import broken_off_by_signals

app = typer.Typer(
    add_completion=True,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="Simulate how markets find, or fail to find, their prices.",
    epilog="--version, and --debug to see the trace of an error, may stand anywhere. Exit codes: "
    + "; ".join(f"{code} {meaning}" for code, meaning in terminal.EXIT_CODES.items())
    + ".",
)


COMMANDS = (
    (
        "run",
        run,
        "Run scenarios; write CSVs and figures to outputs/NAME/.",
        "scenarios/tupperware.yaml --set scheduler.rate=0.2",
    ),
    ("plot", plot, "Redraw the figures of finished runs from their CSVs.", "outputs/tupperware --format svg"),
    ("compare", compare, "Hold finished runs against each other.", "outputs/tupperware outputs/crusoe"),
    ("check", check, "Validate scenarios without running them.", "scenarios/crusoe.yaml --json"),
    ("solve", solve, "Find every equilibrium, without dynamics.", "scenarios/three_equilibria.yaml"),
    (
        "perturb",
        perturb,
        "Find the small change that moves equilibrium prices most.",
        "scenarios/crusoe.yaml --size 0.05",
    ),
    ("tune", tune, "Find good steps by a small search, and write them.", "scenarios/tupperware.yaml --jobs 2"),
    (
        "sweep",
        sweep,
        "Run a scenario many times, over what a study varies.",
        "scenarios/studies/rates_and_supplies.yaml",
    ),
    (
        "sensitivity",
        sensitivity,
        "Rank parameters by how much they move what is measured.",
        "scenarios/studies/what_moves_prices.yaml",
    ),
    ("fit", fit, "Find parameters from equilibria that were observed.", "scenarios/studies/harvests.yaml"),
    ("list", list_kinds, "List what there is to choose from, with formulas.", "utilities"),
    ("schema", schema, "Print the JSON Schema of scenarios, for editors.", "> scenario.schema.json"),
    (
        "compile",
        compile_program,
        "Turn a program into a supply chain, or back.",
        "'c = ln(1 - 1/(sqrt(x) + 1))' -o program.yaml",
    ),
    (
        "calibrate",
        calibrate,
        "Write out the economy that a table of accounts stands for.",
        "scenarios/open_economy.yaml -o benchmark.yaml",
    ),
    ("new", new, "Write a commented starter scenario, NAME.yaml.", "market"),
)
"""Each command in the order of the help: its name, what it does, that in a line, and an example."""

for _name, _does, _line, _example in COMMANDS:
    app.command(_name, cls=Command, short_help=_line, epilog=f"\b\nExample: simulator {_name} {_example}")(_does)


def main() -> None:
    """The program `simulator`. A user's mistake is said in plain lines; --debug shows the trace of anything."""
    gc.set_threshold(100_000)  # Of the many objects that imports make none is ever garbage.
    os.environ.update(ONE_THREAD)
    arguments = sys.argv[1:]
    own = arguments.index("--") if "--" in arguments else len(arguments)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            # A file's name may be no text in the terminal's encoding.
            stream.reconfigure(errors="backslashreplace")
    terminal.traced = "--debug" in arguments[:own]
    plain = [argument for argument in arguments[:own] if argument != "--debug"]
    try:
        if "--version" in plain:
            from importlib.metadata import version

            terminal.say(f"simulator {version('market-simulator')}")
            code = terminal.AS_EXPECTED
        else:
            with broken_off_by_signals():
                code = app(args=plain + arguments[own:], prog_name="simulator", standalone_mode=False)
    except (KeyboardInterrupt, typer.Abort):
        code = terminal.INTERRUPTED
    except USAGE_ERROR as error:
        terminal.complain(usage(error, plain))
        code = terminal.WRONG_INPUT
    except Exception as error:
        failure = terminal.failure_of(error)
        terminal.complain_of(failure)
        code = failure.code
    terminal.leave(code or terminal.AS_EXPECTED)
