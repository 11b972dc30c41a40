"""What a scenario says of what is kept of its run, and what contradicts that: complaints, each with its place."""

from __future__ import annotations

from collections.abc import Iterator

from simulator.extras import MissingExtraError
from simulator.kinds.numbers import draws_in
from simulator.kinds.wording import shown, unknown
from simulator.records.parquet import pyarrow
from simulator.scenario.document import Fault
from simulator.scenario.schema import ScenarioFile
from simulator.schedulers.scheduler import Findings
from simulator.schedulers.table import plans


def refuse_kept(findings: Findings) -> None:
    """Complain about agents that are not there, members of entries in which nobody differs, and a missing library."""
    run = findings.model.run
    if not findings.sound("run"):
        return
    rooms = {"firms": findings.firms, "consumers": findings.consumers}
    placed = [((room, at), entry) for room, found in rooms.items() for at, entry in found.items()]
    entries = {entry.name: (path, entry) for path, entry in placed if entry.name}
    for place, name in enumerate(run.agents or ()):
        if name not in entries:
            findings.fault(("run", "agents", place), unknown("agent", name, entries))
    for name in run.members:
        path = ("run", "members", name)
        if name not in entries:
            findings.fault(path, unknown("agent", name, entries), "key")
        elif findings.sound(*entries[name][0]) and not any(draws_in(entries[name][1])):
            found = f"found {shown(name)}, whose agents are all alike"
            findings.fault(path, f"{found}; expected an entry in which something is drawn, or read from a file", "key")
    if run.members and findings.model.learning is None and not plans(findings.model.scheduler.kind):
        found = f"found members of agents who do not plan ({findings.model.scheduler.kind})"
        findings.fault(("run", "members"), f"{found}; expected them where everybody plans (tatonnement)")
    if run.format == "parquet":
        try:
            pyarrow()
        except MissingExtraError as error:
            findings.fault(("run", "format"), f"found parquet: {error}")


def unreached_members(model: ScenarioFile) -> Iterator[Fault]:
    """Ticks after the last one."""
    for name, ticks in model.run.members.items():
        for at, tick in enumerate(ticks):
            if tick > model.run.ticks:
                found = f"found tick {tick}, which is not reached"
                yield Fault(("run", "members", name, at), f"{found}; expected at most run.ticks, {model.run.ticks}")
