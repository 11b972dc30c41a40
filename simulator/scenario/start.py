"""Where a run begins that goes on from another one: `run: {from: FILE}` names the other's checkpoint.

Shocks up to the other's last tick have happened; prices, stocks, accounts and the rule's memory are as they were. Where
anything else about the scenario is different, verdict and judges begin anew.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from simulator.errors import RunFolderError
from simulator.kinds.entry import Steps
from simulator.kinds.wording import listed
from simulator.records.checkpoint import Manifest, State, UnfitError
from simulator.records.columns import Columns
from simulator.records.ending import Ending
from simulator.records.table import Table
from simulator.scenario.document import Document, Fault
from simulator.scenario.yaml_text import compose

FREE = ("name", "run", "expect", "shocks")
"""What may be another without the market being another one."""


@dataclass(frozen=True)
class Start:
    """The checkpoint `file` of a run, and how that ended; whether the scenario is `changed` beside its shocks, and
    whether the price rule `remembers` what it did.
    """

    file: Path
    ending: Ending
    changed: bool
    remembers: bool

    @property
    def tick(self) -> int:
        """The last tick of the other run."""
        return self.ending.tick

    def state(self) -> State:
        """What the rest depends on. Raises `RunFolderError` if the file has been lost or damaged since."""
        try:
            return Manifest.read(self.file).load(self.file, self.tick + 1)
        except (UnfitError, OSError) as error:
            raise RunFolderError(f"{self.file}: found {error}; expected the checkpoint it was") from None

    def carries_over(self, name: str) -> bool:
        """Whether an array of the state is taken over."""
        part, _, key = name.partition(".")
        if part == "market" and key.startswith("memory"):
            return self.remembers
        return not self.changed or part not in ("verdict", "path", "view", "since")

    def rows(self, columns: Mapping[str, Columns]) -> dict[str, Table]:
        """The other's last rows, in the columns of each table."""
        return {name: self.ending.table(name, each) for name, each in columns.items()}


def start_of(document: Document, now: Mapping[str, Any], fresh: State, file: Path) -> Start | None:
    """The start of a scenario, resolved as it is `now`, that goes on from a checkpoint; None where it cannot, which is
    a fault of the document. `fresh` is the state in which its market would begin.
    """
    try:
        ending, arrays = Ending.read(file), Manifest.read(file).arrays
    except (UnfitError, OSError) as error:
        said = str(error) if isinstance(error, UnfitError) else f"a file that cannot be read: {error.strerror}"
        document.faults.append(Fault(("run", "from"), f"found {said}"))
        return None
    before = compose(ending.scenario, str(file)).data
    faults, ticks, seeds = (
        list(_others(before, now)),
        now["run"]["ticks"],
        [each["run"]["seed"] for each in (now, before)],
    )
    if ticks <= ending.tick:
        message = f"found {ticks}, but the run goes on from tick {ending.tick}; expected more"
        faults.append(Fault(("run", "ticks"), message))
    past = [[shock for shock in each.get("shocks", ()) if shock["tick"] <= ending.tick] for each in (now, before)]
    if past[0] != past[1]:
        message = f"found other shocks up to tick {ending.tick} than those that have happened; expected the same"
        faults.append(Fault(("shocks",), message, "key"))
    if seeds[0] != seeds[1]:
        message = f"found {seeds[0]}; expected {seeds[1]}, by which agents were drawn"
        faults.append(Fault(("run", "seed"), message))
    changed = any(before.get(key) != now.get(key) for key in {*before, *now} - {*FREE})
    remembers = _pieces(before) == _pieces(now)
    if not faults:
        for name, array in fresh.items():
            stored = arrays.get(f"market.{name}")
            fits = stored is not None and stored.shape == list(array.shape)
            if name.startswith("memory"):
                remembers = remembers and fits
            elif not fits:
                message = f"found a run whose {name} do not fit; expected the same goods, agents and taxes"
                faults.append(Fault(("run", "from"), message))
                break
    document.faults.extend(faults)
    return None if faults else Start(file, ending, changed, remembers)


def _others(before: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[Fault]:
    """Goods and agents that are not those of the run that is gone on from."""
    goods, known = list(now["goods"]), list(before["goods"])
    if goods != known:
        more = next((good for good in goods if good not in known), None)
        path: Steps = ("goods",) if more is None else ("goods", more)
        yield Fault(path, f"found {listed(goods)}; expected {listed(known)}, as in the run to go on from", "key")
    for room in ("firms", "consumers"):
        entries, there = (each.get(room, []) for each in (now, before))
        counts = {entry["name"]: entry["count"] for entry in there}
        for at, entry in enumerate(entries):
            name, many = entry["name"], entry["count"]
            if name not in counts:
                expected = f"expected {listed(counts) if counts else 'none'}, as in the run to go on from"
                yield Fault((room, at), f"found {name}; {expected}")
            elif many != counts[name]:
                yield Fault((room, at, "count"), f"found {many}; expected {counts[name]}, as in the run to go on from")
        missing = counts.keys() - {entry["name"] for entry in entries}
        if missing:
            yield Fault((room,), f"found no {min(missing)}; expected it, as in the run to go on from", "key")


def _pieces(data: Mapping[str, Any]) -> list[Any]:
    """What of a scheduler tells what its memory means."""
    scheduler = data["scheduler"]
    pieces = (piece if isinstance(piece, str) else next(iter(piece)) for piece in scheduler.get("with") or ())
    return [*(scheduler.get(key) for key in ("kind", "form", "rule")), *pieces]
