"""A scenario as plain data with its defaults filled in: what is written beside a run, and what a run is built from."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from simulator.scenario.draws import DISTRIBUTIONS, MODIFIERS, Draws, files_of
from simulator.scenario.schema import Consumer, EveryTick, Good, ScenarioFile, Trade


def resolve(
    model: ScenarioFile, name: str, folder: Path, inputs: Mapping[str, Path]
) -> tuple[dict[str, Any], dict[str, Path]]:
    """The scenario as plain data with its defaults filled in, keys in the schema's order, and the files it reads.

    Initial prices stand with their goods; prices that follow from `numeraire`, `outside` or `fixed_price` are not
    repeated. Files are called `inputs/NAME`; `inputs` says where those lie that are called so already, others lie as
    seen from `folder`.
    """
    entries: dict[str, Any]
    if model.learning is not None:
        entries = {"learning": _entry(model.learning)}
    else:
        entries = {key: list(map(_entry, getattr(model, key))) for key in ("firms", "consumers", "shocks")}
    places = {file: inputs.get(file, folder / file) for file in files_of(entries)}
    called = _called(places)
    entries = with_files_called(entries, called)
    files = {called[file]: place for file, place in places.items()}
    resolved: dict[str, Any] = {"name": name, "goods": _resolved_goods(model)}
    resolved |= entries if model.learning is not None else _resolved_economy(model, entries, Draws(0, files))
    resolved["scheduler"] = _resolved_scheduler(model)
    if _plans(model):
        resolved["compare"] = model.compare.model_dump()
    resolved["run"] = model.run.model_dump()
    resolved["expect"] = model.expect
    return resolved, files


def _plans(model: ScenarioFile) -> bool:
    """Whether anybody plans: nobody does who bids, or learns."""
    return model.learning is None and model.scheduler.kind == "tatonnement"


def _resolved_goods(model: ScenarioFile) -> dict[str, Any]:
    listed = model.goods if isinstance(model.goods, dict) else dict.fromkeys(model.goods)
    goods: dict[str, Any] = {}
    # Where patterns are learnt nothing is known at first.
    first_price = 1.0 if model.learning is None else 0.0
    for good, given in listed.items():
        market = given or Good.model_construct()
        if market.fixed_price is not None:
            price: dict[str, float] = {"fixed_price": market.fixed_price}
        elif good == model.numeraire or good in model.outside:
            price = {}
        else:
            price = {"price": model.initial_prices.get(good, first_price if market.price is None else market.price)}
        bottomless = model.learning is not None and "floor" not in market.model_fields_set
        floor = {} if bottomless else {"floor": market.floor}
        goods[good] = {**price, **floor, **({} if market.rival else {"rival": False})}
    return goods


def _resolved_economy(model: ScenarioFile, entries: dict[str, Any], draws: Draws) -> dict[str, Any]:
    """Who trades what, of `entries` whose files are called as they will be."""
    resolved: dict[str, Any] = {} if model.numeraire is None else {"numeraire": model.numeraire}
    resolved["outside"] = dict(model.outside)
    resolved["supply"] = dict(model.supply)
    resolved["firms"] = [_resolved_firm(firm, draws) for firm in entries["firms"]]
    if not _plans(model):
        for firm in resolved["firms"]:
            del firm["behaviour"]
    resolved["consumers"] = [_resolved_consumer(consumer, draws) for consumer in entries["consumers"]]
    if _plans(model):
        resolved["trade"] = _resolved_trade(model)
        resolved["start"] = model.start
    if model.shocks:
        resolved["shocks"] = entries["shocks"]
    return resolved


def _called(places: Mapping[str, Path]) -> dict[str, str]:
    """A name `inputs/NAME` for each file, no two alike."""
    called: dict[str, str] = {}
    taken: dict[str, Path] = {}
    for file, place in places.items():
        name, number = f"inputs/{place.name}", 1
        while taken.setdefault(name, place) != place:
            number += 1
            name = f"inputs/{place.stem}-{number}{place.suffix}"
        called[file] = name
    return called


def with_files_called(data: Any, called: Mapping[str, str]) -> Any:
    """Data with its files called otherwise."""
    if isinstance(data, dict):
        mapping = cast("dict[str, Any]", data)
        return {
            key: called[value] if key == "csv" and isinstance(value, str) else with_files_called(value, called)
            for key, value in mapping.items()
        }
    return [with_files_called(value, called) for value in cast("list[Any]", data)] if isinstance(data, list) else data


def _entry(entry: Any) -> dict[str, Any]:
    """A firm or consumer as plain data, without what was not given."""
    return _without_idle_modifiers(entry.model_dump(exclude_none=True, by_alias=True))


def _without_idle_modifiers(data: Any) -> Any:
    """Draws without a `times` of 1 and a `plus` of 0."""
    if isinstance(data, dict):
        mapping = cast("dict[str, Any]", data)
        is_draw = any(kind in mapping for kind in (*DISTRIBUTIONS, "csv"))
        idle = {"times": 1.0, "plus": 0.0} if is_draw and set(mapping) >= set(MODIFIERS) else {}
        return {key: _without_idle_modifiers(value) for key, value in mapping.items() if idle.get(key) != value}
    return data


def _count(entry: dict[str, Any], draws: Draws, path: str) -> int:
    """How many agents an entry stands for: as given, or the rows of the file it reads."""
    files = files_of(entry)
    return int(entry.get("count") or (draws.rows(files[0], path) if files else 1))


def _resolved_firm(firm: dict[str, Any], draws: Draws) -> dict[str, Any]:
    return {"name": firm["name"], "count": _count(firm, draws, f"firms.{firm['name']}")} | firm


def _resolved_consumer(consumer: dict[str, Any], draws: Draws) -> dict[str, Any]:
    count = _count(consumer, draws, f"consumers.{consumer['name']}")
    budget = {} if "quasilinear" in consumer["utility"] else {"budget": 0.0}
    given = {**budget, **consumer, "count": count}
    return {key: given[key] for key in Consumer.model_fields if key in given}


def _resolved_scheduler(model: ScenarioFile) -> dict[str, Any]:
    scheduler = model.scheduler
    if scheduler.kind == "marginal_bids":
        return {"kind": scheduler.kind, "rate": scheduler.rate}
    pieces = [
        piece if isinstance(piece, str) else piece.model_dump(exclude_none=True, by_alias=True)
        for piece in scheduler.pieces
    ]
    if scheduler.rule is not None:
        return {"kind": scheduler.kind, "rule": scheduler.rule, "rate": scheduler.rate}
    return {"kind": scheduler.kind, "form": scheduler.form, "rate": scheduler.rate, "with": pieces}


def _resolved_trade(model: ScenarioFile) -> Any:
    if model.trade == "at_equilibrium":
        return "at_equilibrium"
    options = model.trade.every_tick if isinstance(model.trade, Trade) else None
    options = options or EveryTick.model_construct()
    spoilage = options.spoilage if options.spoilage is not None else 0.0 if options.inventories else 1.0
    return {"every_tick": {"rationing": options.rationing, "spoilage": spoilage, "inventories": spoilage < 1}}
