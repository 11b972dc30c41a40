"""Activities in a table: each becomes a firm, before anything else is asked of a scenario."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from simulator.kinds.draws import DrawError, Draws
from simulator.kinds.names import composed, name_fault
from simulator.kinds.wording import quoted, shown, unknown
from simulator.scenario.complaints import validate_part
from simulator.scenario.document import Document, Fault
from simulator.scenario.language import declared_goods
from simulator.scenario.schema import Activities

COLUMNS, PATH = ("activity", "good", "amount"), "activities.csv"


def expand_activities(document: Document, folder: Path, inputs: Mapping[str, Path]) -> dict[str, Path]:
    """Put firms in the place of a document's `activities`, and say where the file lies that they come from; what is
    wrong with it is a fault of the document.
    """
    if "activities" not in document.data:
        return {}
    said = validate_part(document, "activities", Activities)
    behaviour = {} if said is None or said.behaviour is None else {"behaviour": said.behaviour.written}
    firms: Any = document.data.get("firms", [])
    document.data = {key: value for key, value in document.data.items() if key != "activities"}
    if said is None or not isinstance(firms, list):
        return {}
    places = {said.csv: inputs.get(said.csv, folder / said.csv)}
    made = {
        name: {"technology": {"activity": vector}, **behaviour}
        for name, vector in _vectors(document, said.csv, Draws(0, places)).items()
    }
    entries = list[Any]()
    for at, entry in enumerate(firms):
        name = str(entry.get("name")) if isinstance(entry, dict) else ""
        own = [key for key in ("makes", "technology") if name in made and key in entry]
        for key in own:
            message = f"found {key} of {shown(name)}, which is an activity of {places[said.csv]}; expected none"
            document.faults.append(Fault(("firms", at, key), message, "key"))
        entries.append(entry if own or name not in made else {**made[name], **entry})
        made.pop(name, None)
    document.data["firms"] = [*entries, *({"name": name, **firm} for name, firm in made.items())]
    return places


def _vectors(document: Document, file: str, draws: Draws) -> dict[str, dict[str, float]]:
    """The net outputs of each activity; what is wrong with a row is a fault."""
    vectors, spoilt = dict[str, dict[str, float]](), set[str]()
    first, begun, goods = dict[tuple[str, str], str](), dict[str, str](), [*(declared_goods(document.data) or {})]

    def complain(name: str, message: str) -> None:
        spoilt.add(name)
        document.faults.append(Fault(("activities", "csv"), message))

    try:
        for number, name, good, amount in _rows(file, draws):
            where = f"row {draws.read(file, PATH).lines[number]}"
            if fault := name_fault(name):
                complain(name, _placed(fault, f"{where} of {draws.place(file)}, column activity"))
                continue
            if goods and good not in goods:
                complain(name, _placed(unknown("good", good, goods), f"{where} of {draws.place(file)}, column good"))
            if amount == 0 or not np.isfinite(amount):
                message = f"found {amount:g}; expected a number above 0 (made) or below 0 (used), or no such row"
                complain(name, _placed(message, f"{where} of {draws.place(file)}, column amount"))
            if (other := first.setdefault((name, good), where)) != where:
                message = f"found {shown(good)} of {shown(name)} twice; expected it once (the other is in {other})"
                complain(name, _placed(message, f"{where} of {draws.place(file)}"))
            begun.setdefault(name, where)
            vectors.setdefault(name, {})[good] = amount
    except DrawError as error:
        document.faults.append(Fault(("activities", "csv"), error.message))
        begun, vectors = {}, {name: {} for name in _spoken_of(document)}
        spoilt.update(vectors)
    for name in vectors.keys() - spoilt:
        signs = set(np.sign(list(vectors[name].values())))
        for sign, word, why in ((1, "above", "makes nothing never pays"), (-1, "below", "uses nothing has no end")):
            if sign not in signs:
                message = f"found no amount {word} 0 of {shown(name)}; expected one at least: what {why}"
                complain(name, _placed(message, f"{begun[name]} of {draws.place(file)}"))
    # In the place of what nobody can know, so that what is wrong with the rest is said too.
    return vectors | {
        name: {good: 1.0 - 2.0 * at for at, good in enumerate(goods[:2])} for name in vectors if name in spoilt
    }


def _spoken_of(document: Document) -> list[str]:
    """The firms of which a document speaks and does not say what they make."""
    firms, consumers = (
        [entry for entry in document.data.get(key) or () if isinstance(entry, dict)] for key in ("firms", "consumers")
    )
    owned = [name for entry in consumers if isinstance(entry.get("owns"), dict) for name in entry["owns"]]
    own = {entry.get("name") for entry in firms if {"makes", "technology"} & entry.keys()}
    return [name for name in (*owned, *(str(entry.get("name")) for entry in firms)) if name not in own]


def _placed(message: str, where: str) -> str:
    """A message with a place behind what was found."""
    found, mark, expected = message.partition("; ")
    return f"{found} in {where}{mark}{expected}"


def _rows(file: str, draws: Draws) -> Iterator[tuple[int, str, str, float]]:
    """The rows of the table: number, activity, good and amount. Raises `DrawError` where it is none, or an amount is no
    number.
    """
    table = draws.read(file, PATH)
    if sorted(table.columns) != sorted(COLUMNS):
        found = f"found the columns {', '.join(map(quoted, table.columns))} in {draws.place(file)}"
        raise DrawError(PATH, f"{found}; expected {', '.join(COLUMNS)}")
    amounts = draws.column(file, "amount", draws.rows(file, PATH), PATH).tolist()
    names, goods = ([composed(cell.strip()) for cell in table.columns[column]] for column in COLUMNS[:2])
    yield from zip(range(len(names)), names, goods, amounts, strict=True)
