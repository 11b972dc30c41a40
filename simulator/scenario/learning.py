"""Learning in scenarios: what is in the bundles becomes goods, before anything else is asked of a scenario."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from simulator.scenario.document import Document, Fault, Steps, quoted
from simulator.scenario.draws import Array, DrawError, Draws, files_of
from simulator.scenario.findings import Findings

if TYPE_CHECKING:
    from simulator.dynamics.learning import Lesson
    from simulator.scenario.learning_schema import Hidden, Learning

INSTEAD = ("firms", "consumers", "program", "supply", "outside", "numeraire", "trade", "start", "shocks", "compare")
"""What has no place beside learning."""
CONSTANT = "constant"
"""The good of which every bundle holds one unit."""
MOST_CONTRACTS = 1000


class Table(NamedTuple):
    """Patterns as numbers: the names of `inputs` and `(patterns, inputs)` of them, `contracts` and how much is ordered,
    `(patterns, contracts)`; `target` `(patterns,)` as it was read.
    """

    inputs: tuple[str, ...]
    values: Array
    contracts: tuple[str, ...]
    orders: Array
    target: Array


def expand_learning(document: Document, folder: Path, inputs: Mapping[str, Path]) -> None:
    """Name the goods of a document with `learning`; what is wrong with that part is a fault of the document."""
    if "learning" not in document.data:
        return
    from simulator.scenario.complaints import validate_part
    from simulator.scenario.learning_schema import Learning

    for key in INSTEAD:
        # A resolved scenario says so where there is none.
        if document.data.get(key) not in (None, {}, []):
            message = f"found {key} beside learning; expected none: patterns say what is ordered of what"
            document.faults.append(Fault((key,), message, "key"))
    learning = validate_part(document, "learning", Learning)
    names = ["good"]
    if learning is not None:
        places = {file: inputs.get(file, folder / file) for file in files_of(document.data["learning"])}
        try:
            names = goods_of(learning, table_of(learning, Draws(0, places)))
        except DrawError as error:
            document.faults.append(Fault(tuple(error.path.split(".")), error.message))
    if document.faults:
        document.data = {**document.data, "goods": names, "initial_prices": {}}
    elif "goods" not in document.data:
        document.data = {"goods": names, **document.data}
    elif list(document.data["goods"]) != names:
        message = f"found goods beside learning that are not those of its bundles; expected {', '.join(names[:8])}"
        document.faults.append(Fault(("goods",), message, "key"))


def table_of(learning: Learning, draws: Draws) -> Table:
    """The patterns of a scenario. Raises `DrawError`."""
    patterns, path = learning.patterns, "learning.patterns"
    ways = [key for key in ("rows", "csv", "dataset") if getattr(patterns, key) is not None]
    if len(ways) != 1:
        raise DrawError(path, f"found {' and '.join(ways) or 'no patterns'}; expected one of rows, csv, dataset")
    if patterns.dataset is not None:
        return _dataset(learning, path)
    if patterns.target is None:
        raise DrawError(path, "missing key target; expected the column that says what is ordered")
    columns = _columns(patterns.rows, f"{path}.rows") if patterns.rows is not None else None
    if columns is None:
        file = str(patterns.csv)
        count, names = draws.rows(file, f"{path}.csv"), draws.names(file, f"{path}.csv")
    else:
        file, count, names = "", len(next(iter(columns.values()))), list(columns)

    def column(name: str) -> Array:
        if columns is None:
            return draws.column(file, name, count, f"{path}.csv")
        if name not in columns:
            raise DrawError(f"{path}.rows", f"found no {name!r}; expected one of {', '.join(columns)}")
        return columns[name]

    target = column(patterns.target)
    inputs = patterns.inputs or [name for name in names if name != patterns.target]
    twice = next((name for place, name in enumerate(inputs) if name in inputs[:place]), None)
    if twice is not None or CONSTANT in inputs or not inputs:
        wrong = repr(twice or CONSTANT) if inputs else "no inputs"
        raise DrawError(f"{path}.inputs", f"found {wrong}; expected different names, and none called {CONSTANT}")
    values = np.stack([column(name) for name in inputs], axis=1)
    contracts, orders = _orders(learning, target, path)
    return Table(tuple(inputs), values, contracts, orders, target)


def _dataset(learning: Learning, path: str) -> Table:
    """The handwritten digits that scikit-learn brings along: 1,797 of 8 by 8 pixels (Alpaydin, Kaynak 1998)."""
    for key in ("inputs", "target"):
        if getattr(learning.patterns, key) is not None:
            raise DrawError(f"{path}.{key}", f"found {key} beside a dataset; expected none: it has its own")
    try:
        from sklearn.datasets import load_digits  # pyright: ignore[reportMissingTypeStubs, reportUnknownVariableType]
    except ImportError:
        advice = "expected scikit-learn: pip install 'market-simulator[digits]'"
        raise DrawError(f"{path}.dataset", f"found digits, which cannot be read here; {advice}") from None
    bundles: Any = load_digits()
    values, target = np.asarray(bundles.data, dtype=float) / 16.0, np.asarray(bundles.target, dtype=float)
    contracts, orders = _orders(learning, target, path)
    names = tuple(f"pixel_{row}_{column}" for row in range(8) for column in range(8))
    return Table(names, values, contracts, orders, target)


def _held_out(part: float | None, target: Array, stream: np.random.Generator, path: str) -> NDArray[np.bool_]:
    """Which patterns are held out: the same part of each value of the target, drawn."""
    out = np.zeros(len(target), dtype=bool)
    if part is None:
        return out
    for kind in np.unique(target):
        places = stream.permutation(np.flatnonzero(target == kind))
        out[places[: round(part * len(places))]] = True
    if out.all() or not out.any():
        raise DrawError(
            f"{path}.test", f"found {part:g} of {len(target)} patterns; expected some held out and some not"
        )
    return out


def _columns(rows: list[dict[str, float]], path: str) -> dict[str, Array]:
    names = list(rows[0])
    for place, row in enumerate(rows):
        if list(row) != names and set(row) != set(names):
            found = f"found {', '.join(row)} in row {place + 1}"
            raise DrawError(path, f"{found}; expected {', '.join(names)}, as in the first")
    return {name: np.array([row[name] for row in rows], dtype=float) for name in names}


def _orders(learning: Learning, target: Array, path: str) -> tuple[tuple[str, ...], Array]:
    """The contracts and what is ordered of them: one contract, or one for each value that the target takes."""
    kinds = np.unique(target)
    binary = set(kinds.tolist()) <= {0.0, 1.0}
    if learning.supply == "all_or_nothing" and not binary:
        wrong = next(value for value in kinds.tolist() if value not in (0.0, 1.0))
        raise DrawError(f"{path}.target", f"found {wrong:g}; expected orders of 0 or 1, filled all or nothing")
    if learning.supply != "logit" or binary:
        return ("",), target[:, None]
    if len(kinds) > MOST_CONTRACTS:
        found = f"found {len(kinds):,} values"
        raise DrawError(f"{path}.target", f"{found}; expected at most {MOST_CONTRACTS:,} contracts under logit")
    return tuple(f"{kind:g}" for kind in kinds), (target[:, None] == kinds).astype(float)


def layers_of(learning: Learning) -> list[Hidden]:
    """The layers of hidden firms, from the inputs up."""
    given = learning.hidden
    return [] if given is None else given if isinstance(given, list) else [given]


def goods_of(learning: Learning, table: Table) -> list[str]:
    """The goods that have prices, contract after contract, a constant one last in each."""
    layers = layers_of(learning)
    bundled = [f"firm_{place + 1}" for place in range(layers[-1].firms)] if layers else list(table.inputs)
    return [f"{good}.{contract}" if contract else good for contract in table.contracts for good in [*bundled, CONSTANT]]


def lesson_of(learning: Learning, draws: Draws) -> Lesson:
    """What is to be learnt, with designs drawn as `N(0, 3/(goods below))`, a stream for each layer."""
    from simulator.dynamics.learning import Lesson
    from simulator.economics.bundles import Layer

    table, path = table_of(learning, draws), "learning.patterns"
    out = _held_out(learning.patterns.test, table.target, draws.stream(f"{path}.test"), path)
    layers = tuple(Layer(layer.firms, layer.activation, layer.rate) for layer in layers_of(learning))
    below = [len(table.inputs) + 1, *(layer.firms + 1 for layer in layers)]
    designs = [
        draws.stream(f"learning.hidden.{place}").normal(0.0, (3.0 / width) ** 0.5, (layer.firms, width))
        for place, (layer, width) in enumerate(zip(layers, below, strict=False))
    ]
    batch = {"all": 0, "one": 1}.get(str(learning.batch), learning.batch)
    batch = 0 if int(batch) >= np.count_nonzero(~out) else int(batch)
    return Lesson(
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


class LearningChecks:
    """Complaints about a scenario with `learning`, left with the `findings`."""

    def __init__(self, findings: Findings) -> None:
        self.findings = findings

    def run(self) -> None:
        """All of them."""
        scheduler = self.findings.mapping("scheduler")
        path: Steps = ("scheduler",)
        if scheduler.get("kind", "tatonnement") != "tatonnement":
            message = f"found {quoted(str(scheduler['kind']))} beside learning; expected tatonnement"
            self.findings.fault((*path, "kind"), message)
        elif scheduler.get("form") != "additive" and "rule" not in scheduler:
            found = "found multiplicative" if "form" in scheduler else "found no form"
            message = f"{found}; expected form: additive: prices of a market that learns may be negative"
            self.findings.fault((*path, "form") if "form" in scheduler else path, message)
        self._pieces(scheduler)

    def _pieces(self, scheduler: dict[str, Any]) -> None:
        from simulator.dynamics.pieces import needs_jacobian
        from simulator.dynamics.price_rules import PIECES, RECIPES

        rule: Any = scheduler.get("rule")
        if isinstance(rule, str) and rule in RECIPES and RECIPES[rule].form != "additive":
            message = f"found {rule}, which is {RECIPES[rule].form}; expected an additive rule"
            self.findings.fault(("scheduler", "rule"), f"{message}: prices of a market that learns may be negative")
        pieces: Any = scheduler.get("with")
        for piece in cast("list[Any]", pieces) if isinstance(pieces, list) else []:
            given: dict[str, Any] = cast("dict[str, Any]", piece) if isinstance(piece, dict) else {str(piece): True}
            name, parameter = next(iter(given.items()), ("", None))
            if name in PIECES and needs_jacobian(PIECES[name]):
                message = f"found {name} beside learning; expected pieces that need no slope"
                self.findings.fault(("scheduler", "with"), message)
            if name == "delay" and isinstance(parameter, dict):
                message = "found own and neighbours beside learning; expected {delay: ticks}"
                self.findings.fault(("scheduler", "with"), message)
