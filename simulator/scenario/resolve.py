"""A scenario as plain data with its defaults filled in: what is written beside a run, and what shocks change."""

from __future__ import annotations

from collections.abc import Mapping, Set
from pathlib import Path
from typing import Any

from simulator.kinds.draws import Draws
from simulator.kinds.entry import Entry, Steps
from simulator.kinds.numbers import Draw, draws_in
from simulator.scenario.bounds import floor_of
from simulator.scenario.schema import Consumer, Firm, ScenarioFile


def completed(model: ScenarioFile, draws: Draws) -> ScenarioFile:
    """The scenario in which every entry says how many agents it stands for, every purse what is in it, and every tax on
    output what its base is.
    """

    def filled(entry: Firm | Consumer, path: str) -> Firm | Consumer:
        missing: dict[str, float] = {}
        if entry.count is None:
            files = (draw.csv for _, draw in draws_in(entry) if isinstance(draw, Draw) and draw.csv is not None)
            file = next(files, None)
            missing["count"] = 1 if file is None else draws.rows(file, path)
        if isinstance(entry, Consumer) and entry.budget is None and not entry.unlimited:
            missing["budget"] = 0.0
        return entry.model_copy(update=missing) if missing else entry

    firms = [filled(firm, f"firms.{firm.name}") for firm in model.firms]
    consumers = [filled(consumer, f"consumers.{consumer.name}") for consumer in model.consumers]
    taxes = [
        tax.model_copy(update={"base": "gross"}) if tax.on == "output" and tax.base is None else tax
        for tax in model.taxes
    ]
    return model.model_copy(update={"firms": firms, "consumers": consumers, "taxes": taxes})


def resolve(model: ScenarioFile, name: str) -> dict[str, Any]:
    """A completed scenario as plain data with its defaults filled in, keys in the schema's order.

    Initial prices stand with their goods; prices that follow from `numeraire`, `outside` or `fixed_price` are not
    repeated.
    """
    resolved: dict[str, Any] = {"name": name, "goods": _resolved_goods(model)}
    resolved |= {"learning": _plain(model.learning)} if model.learning is not None else _resolved_economy(model)
    resolved["scheduler"] = model.scheduler.resolved()
    if model.moved_by.rations:
        resolved["compare"] = model.compare.model_dump()
    resolved["run"] = _plain(model.run)
    resolved["expect"] = model.model_dump(include={"expect"})["expect"]
    return resolved


def _plain(entry: Entry, exclude: Set[str] = frozenset()) -> dict[str, Any]:
    """An entry as plain data, without what was not given."""
    return entry.model_dump(exclude_none=True, by_alias=True, exclude={*exclude})


def _resolved_goods(model: ScenarioFile) -> dict[str, Any]:
    goods: dict[str, Any] = {}
    for good, market in model.markets.items():
        said = goods.setdefault(good, {})
        if model.scheduler.first_price(good, [*model.markets]) is not None:
            continue
        if market.fixed_price is not None:
            said["fixed_price"] = market.fixed_price
        elif good != model.numeraire and good not in model.outside and not model.begins_in_bounds(good):
            said["price"] = model.initial_price(good)
        floor = floor_of(model, good)
        if floor is not None:
            said["floor"] = floor
        if market.cap is not None:
            said["cap"] = market.cap
        if not market.rival:
            said["rival"] = False
    return goods


def _resolved_economy(model: ScenarioFile) -> dict[str, Any]:
    """Who trades what."""
    rations = model.moved_by.rations
    resolved: dict[str, Any] = {} if model.numeraire is None else {"numeraire": model.numeraire}
    resolved["outside"] = dict(model.outside)
    resolved["supply"] = dict(model.supply)
    if model.contingent is not None:
        resolved["contingent"] = _plain(model.contingent)
    resolved["firms"] = [_plain(firm, exclude=frozenset() if rations else {"behaviour"}) for firm in model.firms]
    resolved["consumers"] = [_plain(consumer) for consumer in model.consumers]
    for key in ("taxes", "transfers"):
        if entries := getattr(model, key):
            resolved[key] = [_plain(entry) for entry in entries]
    if model.scheduler.kind == "market_maker":
        resolved["arrival"] = model.arrival
    if model.settlement is not None:
        resolved["settlement"] = _plain(model.settlement)
    if rations:
        resolved["trade"] = _resolved_trade(model)
        resolved["start"] = model.start
    if model.shocks:
        resolved["shocks"] = [_plain(shock) for shock in model.shocks]
    return resolved


def files_of(data: Any, path: Steps = ()) -> dict[Steps, str]:
    """The files that plain data speak of, CSVs and a checkpoint to go on from, by their places, in order."""
    files: dict[Steps, str] = {}
    for key, value in data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ():
        if _is_file(value, path, key):
            files[*path, key] = value
        files |= files_of(value, (*path, key))
    return files


def called(places: Mapping[str, Path]) -> dict[str, str]:
    """A name `inputs/NAME` for each file, no two alike."""
    names: dict[str, str] = {}
    taken: dict[str, Path] = {}
    for file, place in places.items():
        name, number = f"inputs/{place.name}", 1
        while taken.setdefault(name, place) != place:
            number += 1
            name = f"inputs/{place.stem}-{number}{place.suffix}"
        names[file] = name
    return names


def with_files_called(data: Any, called: Mapping[str, str], path: Steps = ()) -> Any:
    """Data with its files called otherwise."""
    if isinstance(data, dict):
        return {
            key: called.get(value, value)
            if _is_file(value, path, key)
            else with_files_called(value, called, (*path, key))
            for key, value in data.items()
        }
    return [with_files_called(value, called, (*path, 0)) for value in data] if isinstance(data, list) else data


def _is_file(value: Any, path: Steps, key: Any) -> bool:
    return isinstance(value, str) and (key == "csv" or (*path, key) in (("run", "from"), ("calibrate", "sam")))


def _resolved_trade(model: ScenarioFile) -> Any:
    if model.trade == "at_equilibrium":
        return "at_equilibrium"
    options = model.every_tick
    return {
        "every_tick": {
            "rationing": options.rationing,
            "spoilage": options.spoils,
            "inventories": options.spoils < 1,
        }
    }
