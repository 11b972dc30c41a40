"""Learning in scenarios: what is in the bundles becomes goods, before anything else is asked of a scenario."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from simulator.kinds.draws import DrawError, Draws
from simulator.kinds.entry import MOST_LETTERS
from simulator.kinds.wording import quoted, unknown
from simulator.scenario.document import Document, Fault
from simulator.scenario.patterns import CONSTANT, PATH, Table, held_out, table_of
from simulator.scenario.resolve import files_of

if TYPE_CHECKING:
    from simulator.dynamics.learning_tick import TrainingSet
    from simulator.dynamics.price_rules import PriceRule
    from simulator.schedulers.learning import Hidden, LearningSettings
    from simulator.schedulers.tatonnement import TatonnementSettings

INSTEAD = ("firms", "consumers", "program", "supply", "outside", "numeraire", "trade", "start", "shocks", "compare")
"""What has no place beside learning."""


def expand_learning(document: Document, folder: Path, inputs: Mapping[str, Path]) -> None:
    """Name the goods of a document with `learning`; what is wrong with that part is a fault of the document."""
    if "learning" not in document.data:
        return
    from simulator.scenario.complaints import validate_part
    from simulator.scenario.settings import steps_of
    from simulator.schedulers.learning import LearningSettings

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
    from simulator.economics.bundles import Layer

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
