"""Learning in scenarios: patterns become tables of numbers, and what is in the bundles goods, before anything else is
asked of a scenario.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from simulator.economics.bundles import Layer, binary
from simulator.extras import MissingExtraError, library
from simulator.kinds.distributions import Array
from simulator.kinds.draws import DrawError, Draws
from simulator.kinds.names import MOST_LETTERS, NAME_RULE, name_fault
from simulator.kinds.wording import quoted, shown, unknown
from simulator.scenario.complaints import validate_part
from simulator.scenario.document import Document, Fault
from simulator.scenario.resolve import files_of
from simulator.scenario.settings import steps_of
from simulator.schedulers.learning import Hidden, LearningSettings

if TYPE_CHECKING:
    from simulator.dynamics.learning_tick import TrainingSet
    from simulator.dynamics.price_rules import PriceRule
    from simulator.schedulers.tatonnement_settings import TatonnementSettings

INSTEAD = (
    *("firms", "consumers", "taxes", "transfers", "program", "calibrate", "activities", "supply", "outside"),
    *("numeraire", "trade", "start", "shocks", "compare"),
)
"""What has no place beside learning."""
PATH = "learning.patterns"
CONSTANT = "constant"
"""The good of which every bundle holds one unit."""
MOST_CONTRACTS = 1000


def expand_learning(document: Document, folder: Path, inputs: Mapping[str, Path]) -> None:
    """Name the goods of a document with `learning`; what is wrong with that part is a fault of the document."""
    if "learning" not in document.data:
        return
    for key in INSTEAD:
        # A resolved scenario says so where there is none.
        if document.data.get(key) not in (None, {}, []):
            message = f"found {key} beside learning; expected none: patterns say what is ordered of what"
            document.faults.append(Fault((key,), message, "key"))
    learning = validate_part(document, "learning", LearningSettings)
    if learning is not None and not any(fault.path[:1] == ("learning",) for fault in document.faults):
        places = {file: inputs.get(file, folder / file) for file in files_of(document.data["learning"]).values()}
        try:
            names = goods_of(learning, table_of(learning, Draws(0, places)))
        except DrawError as error:
            document.faults.append(Fault(steps_of(document, error.path), error.message))
        else:
            document.data = {**document.data, "goods": _given_goods(document, names)}
            return
    # In the place of what nobody can know, so that what is wrong with the rest is said too.
    document.data = {**document.data, "goods": ["good"], "initial_prices": {}}


def _given_goods(document: Document, names: list[str]) -> Any:
    """The goods of the bundles, with what the document says of some of them; as written where that is neither a list
    of names nor a mapping.
    """
    given: Any = document.data.get("goods", names)
    entries: list[Any] = list(cast("Any", given)) if isinstance(given, list | dict) else [None]
    if given is names or not all(isinstance(entry, str) for entry in entries):
        return given
    known = set(names)
    for at, name in enumerate(entries):
        path, spot = (("goods", name), "key") if isinstance(given, dict) else (("goods", at), "value")
        if name not in known:
            document.faults.append(Fault(path, unknown("good", name, names), spot))
        elif name in entries[:at]:
            document.faults.append(Fault(path, f"found the good {quoted(name)} twice; expected it once", spot))
    markets = cast("dict[str, Any]", given) if isinstance(given, dict) else {}
    return {name: markets.get(name) for name in names}


def layers_of(learning: LearningSettings) -> list[Hidden]:
    """The layers of hidden firms, from the inputs up."""
    given = learning.hidden
    return [] if given is None else given if isinstance(given, list) else [given]


def goods_of(learning: LearningSettings, table: Table) -> list[str]:
    """The goods that have prices, contract after contract, a constant one last in each. Raises `DrawError`."""
    layers = layers_of(learning)
    bundled = [f"firm_{place + 1}" for place in range(layers[-1].firms)] if layers else list(table.inputs)
    names = [
        f"{good}.{contract}" if contract else good for contract in table.contracts for good in [*bundled, CONSTANT]
    ]
    if len(set(names)) < len(names):
        twice = next(name for name, number in Counter(names).items() if number > 1)
        found = f"found contracts under which two goods would be called {twice}"
        raise DrawError(f"{PATH}.target", f"{found}; expected inputs of other names, without a dot")
    longest = max(names, key=len)
    if len(longest) > MOST_LETTERS:
        found = f"found a contract under which a good would be called {quoted(longest)}, {len(longest)} letters"
        raise DrawError(f"{PATH}.target", f"{found}; expected at most {MOST_LETTERS}: shorter names of inputs")
    return names


def training_set_of(learning: LearningSettings, draws: Draws) -> TrainingSet:
    """What is to be learnt, with designs drawn as `N(0, 3/(goods below))`, a stream for each layer."""
    from simulator.dynamics.learning_tick import TrainingSet

    table = table_of(learning, draws)
    out = held_out(learning.patterns.test, table, draws.stream(f"{PATH}.test"))
    layers = tuple(Layer(layer.firms, layer.activation, layer.rate) for layer in layers_of(learning))
    below = [len(table.inputs) + 1, *(layer.firms + 1 for layer in layers)]
    designs = [
        draws.stream(f"learning.hidden.{place}").normal(0.0, (3.0 / width) ** 0.5, (layer.firms, width))
        for place, (layer, width) in enumerate(zip(layers, below, strict=False))
    ]
    batch = {"all": 0, "one": 1}.get(str(learning.batch), learning.batch)
    batch = 0 if int(batch) >= np.count_nonzero(~out) else int(batch)
    return TrainingSet(
        input_names=table.inputs,
        contracts=table.contracts,
        inputs=table.values[~out],
        orders=table.orders[~out],
        test_inputs=table.values[out],
        test_orders=table.orders[out],
        sellers=learning.supply,
        layers=layers,
        designs=tuple(designs),
        batch=batch,
    )


def must_need_no_slope(rule: PriceRule, scheduler: TatonnementSettings) -> None:
    """Refuse a price rule that asks for more than excess demand at the going prices. Raises `DrawError`."""
    from simulator.dynamics.pieces import Delay, needs_jacobian

    for place, (piece, written) in enumerate(zip(rule.pieces, scheduler.pieces, strict=False)):
        if needs_jacobian(piece):
            found = f"found {written.name} beside learning, which goes by slopes of excess demand"
            raise DrawError(f"scheduler.with.{place}", f"{found}; expected pieces that go by excess demand alone")
        if isinstance(piece, Delay) and any(piece.lag):
            message = "found own and neighbours beside learning; expected {delay: ticks}"
            raise DrawError(f"scheduler.with.{place}", message)


class Table(NamedTuple):
    """Patterns as numbers: the names of `inputs` and `(patterns, inputs)` of them, `contracts` and how much is ordered,
    `(patterns, contracts)`; `target` `(patterns,)` as it was read.
    """

    inputs: tuple[str, ...]
    values: Array
    contracts: tuple[str, ...]
    orders: Array
    target: Array


def table_of(learning: LearningSettings, draws: Draws) -> Table:
    """The patterns of a scenario. Raises `DrawError`."""
    patterns = learning.patterns
    ways = [key for key in ("rows", "csv", "dataset") if getattr(patterns, key) is not None]
    if len(ways) != 1:
        raise DrawError(PATH, f"found {' and '.join(ways) or 'no patterns'}; expected one of rows, csv, dataset")
    if patterns.dataset is not None:
        return _dataset(learning)
    target = patterns.target
    if target is None:
        raise DrawError(PATH, "missing key target; expected the column that says what is ordered")
    source, file = f"{PATH}.{ways[0]}", patterns.csv or ""
    columns = _of_rows(patterns.rows, source) if patterns.rows is not None else {}
    names = draws.names(file, source) if file else list(columns)

    def column(name: str) -> Array:
        if file:
            named = name == target or patterns.inputs is not None
            return _of_file(draws, file, name, source, named)
        if name not in columns:
            raise DrawError(source, f"found no {name!r}; expected one of {', '.join(columns)}")
        return columns[name]

    ordered = column(target)
    inputs = patterns.inputs or [name for name in names if name != target]
    where = f" in {draws.place(file)}" if file else ""
    # Numbers first: a name is repeated only of a file that is a table of them.
    columns_of_inputs = [column(name) for name in inputs]
    _must_name_goods(inputs, target, f"{PATH}.inputs" if patterns.inputs else source, where)
    values = np.stack(columns_of_inputs, axis=1)
    contracts, orders = _orders(learning, ordered)
    return Table(tuple(inputs), values, contracts, orders, ordered)


def held_out(part: float | None, table: Table, stream: np.random.Generator) -> NDArray[np.bool_]:
    """Which patterns are held out `(patterns,)`, drawn: of each contract, and of orders of 0 and of 1, the same part,
    but never all; of orders in any amount the same part of all together. Raises `DrawError` if that is none.
    """
    out = np.zeros(len(table.target), dtype=bool)
    if part is None:
        return out
    kinds = table.target if len(table.contracts) > 1 or binary(table.target) else np.zeros(len(out))
    for kind in np.unique(kinds):
        places = stream.permutation(np.flatnonzero(kinds == kind))
        out[places[: min(round(part * len(places)), len(places) - 1)]] = True
    if not out.any():
        found = f"found {part:g} of {len(out)} patterns, which is none of any target"
        raise DrawError(f"{PATH}.test", f"{found}; expected some held out: a larger part, or more patterns")
    return out


def _must_name_goods(inputs: list[str], target: str, path: str, where: str) -> None:
    """Refuse columns that cannot be goods in a bundle; `where` they stand, in words."""
    if not inputs:
        found = f"found no column beside the target {shown(target)}{where}"
        raise DrawError(path, f"{found}; expected at least one more, which says what is in a bundle")
    for place, name in enumerate(inputs):
        if name in inputs[:place]:
            raise DrawError(path, f"found {shown(name)} twice; expected it once")
        if name == target:
            found = f"found {shown(name)}, which is the target"
            raise DrawError(path, f"{found}; expected inputs that do not say what is ordered")
        if name == CONSTANT:
            found = f"found the column {CONSTANT}{where}"
            raise DrawError(path, f"{found}; expected another name: every bundle has a {CONSTANT} good of its own")
        if name_fault(name):
            found = f"found the column {quoted(name)}{where}, which cannot name a good"
            raise DrawError(path, f"{found}; expected {NAME_RULE}, or inputs: without it")


def _of_rows(rows: list[dict[str, float]], path: str) -> dict[str, Array]:
    names = list(rows[0])
    for place, row in enumerate(rows):
        if set(row) != set(names):
            found = f"found {', '.join(row)} in row {place + 1}"
            raise DrawError(f"{path}.{place}", f"{found}; expected {', '.join(names)}, as in the first")
    return {name: np.array([row[name] for row in rows], dtype=float) for name in names}


def _of_file(draws: Draws, file: str, name: str, path: str, named: bool) -> Array:
    values = draws.column(file, name, draws.rows(file, path), path, named=named)
    off = np.flatnonzero(~np.isfinite(values))
    if len(off):
        where = draws.cell(file, name, int(off[0]), path)
        raise DrawError(path, f"found {float(values[off[0]])!r} in {where}; expected a finite number")
    return values


def _dataset(learning: LearningSettings) -> Table:
    """The handwritten digits that scikit-learn brings along: 1,797 of 8 by 8 pixels (Alpaydin, Kaynak 1998)."""
    for key in ("inputs", "target"):
        if getattr(learning.patterns, key) is not None:
            raise DrawError(f"{PATH}.{key}", f"found {key} beside a dataset; expected none: it has its own")
    try:
        bundles = library("sklearn.datasets", "this dataset").load_digits()
    except MissingExtraError as error:
        raise DrawError(f"{PATH}.dataset", f"found digits: {error}") from None
    values, target = np.asarray(bundles.data, dtype=float) / 16.0, np.asarray(bundles.target, dtype=float)
    contracts, orders = _orders(learning, target)
    names = tuple(f"pixel_{row}_{column}" for row in range(8) for column in range(8))
    return Table(names, values, contracts, orders, target)


def _orders(learning: LearningSettings, target: Array) -> tuple[tuple[str, ...], Array]:
    """The contracts and what is ordered of them: one contract, or one for each value that the target takes."""
    kinds, path = np.unique(target) + 0.0, f"{PATH}.target"
    if learning.supply == "all_or_nothing" and not binary(target):
        wrong = next(value for value in kinds.tolist() if value not in (0.0, 1.0))
        raise DrawError(path, f"found {wrong:g}; expected orders of 0 or 1, filled all or nothing")
    if learning.supply != "logit" or binary(target):
        return ("",), target[:, None]
    if len(kinds) > MOST_CONTRACTS:
        found = f"found {len(kinds):,} values"
        raise DrawError(path, f"{found}; expected at most {MOST_CONTRACTS:,} contracts under logit")
    return tuple(map(_exact, kinds.tolist())), (target[:, None] == kinds).astype(float)


def _exact(number: float) -> str:
    """The shortest text that reads back as the same number, without a sign that no name has."""
    return repr(number).removesuffix(".0").replace("e+", "e")
