"""Programs in scenarios: a program becomes goods and firms, before anything else is asked of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from simulator.scenario.document import Document, Fault
from simulator.schedulers.table import plans

if TYPE_CHECKING:
    from simulator.programs.program import ProgramError

INSTEAD = ("goods", "outside", "firms")
"""What a program stands for."""
OF_GOODS = (*INSTEAD, "numeraire", "supply", "initial_prices", "consumers", "taxes", "transfers", "shocks")
"""What cannot be judged where the goods are not known."""


def expand_program(document: Document) -> None:
    """Put goods, outside price and firms in the place of a document's `program`; what is wrong with it is a fault."""
    if "program" not in document.data or "learning" in document.data:
        # Beside learning there is no place for a program, and that is said there.
        return
    from simulator.programs.language import parse
    from simulator.programs.program import ProgramError
    from simulator.programs.supply_chain import chain_of
    from simulator.scenario.complaints import validate_part
    from simulator.scenario.origin_keys import ProgramText

    given = document.data["program"]
    before = len(document.faults)
    beside = [key for key in INSTEAD if key in document.data]
    document.faults += [Fault((key,), f"found {key} beside program; expected one of them", "key") for key in beside]
    chain: dict[str, Any] = {}
    alone = ProgramText.model_construct(text=given)
    program = validate_part(document, "program", ProgramText) if isinstance(given, dict) else alone
    if program is not None and not isinstance(program.text, str):
        document.faults.append(Fault(("program",), "found no text; expected lines such as c = a*b + 1"))
    elif program is not None:
        scheduler = document.data.get("scheduler")
        if program.copiers and plans(cast("Any", scheduler).get("kind") if isinstance(scheduler, dict) else None):
            # A copier has constant returns: there is no best plan for it.
            message = "found copiers where firms plan; expected scheduler: {kind: marginal_bids}, or goods not rival"
            document.faults.append(Fault(("program", "copiers"), message))
        try:
            parsed = parse(program.text, per=program.per)
            chain = chain_of(parsed, copiers=program.copiers)
            supply = document.data.get("supply", {})
            if parsed.given and isinstance(supply, dict):
                document.data["supply"] = {**parsed.given, **cast("dict[str, Any]", supply)}
        except ProgramError as error:
            document.faults.append(fault_in(document, program.text, error))
    rest = {key: value for key, value in document.data.items() if key != "program"}
    if len(document.faults) > before:
        # In the place of what nobody can know, so that what is wrong with the rest is said too.
        chain = {**chain_of(parse("result = sqrt(x)")), "supply": {"x": 1.0}}
        rest = {key: value for key, value in rest.items() if key not in OF_GOODS}
    document.data, document.compiled = {**chain, **rest}, True


def fault_in(document: Document, text: str, error: ProgramError) -> Fault:
    """What is wrong with a document's program, at its line of the file; where that is hidden, with that of the text."""
    path = ("program", "text") if isinstance(document.data["program"], dict) else ("program",)
    index = None if document.settings & {path, path[:1]} else document.inside(path, error.offset)
    return Fault(path, said(text, error) if index is None else error.message, index=index)


def said(text: str, error: ProgramError) -> str:
    """What is wrong with a program, with its place in the text."""
    line, column = error.place(text)
    return f"line {line}, column {column}: {error.message}"
