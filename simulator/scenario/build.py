"""A valid scenario becomes the frozen objects a run uses.

They are built from the resolved scenario alone: what is written beside a run is what was run.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from simulator.scenario.checks import elasticity_of
from simulator.scenario.schema import (
    CES,
    Consumer,
    EveryTick,
    Firm,
    Good,
    ScenarioFile,
    Trade,
    Utility,
)

if TYPE_CHECKING:
    from simulator.dynamics import price_rules, trading
    from simulator.economics import economy, utility

Array = NDArray[np.float64]


@dataclass(frozen=True)
class RunSettings:
    """How long a run may take (`ticks`), when it counts as cleared (`tolerance`), what it records and when it stops."""

    ticks: int = 1000
    tolerance: float = 1e-6
    seed: int = 0
    record_every: int = 1
    references: bool = True
    stop: str = "verdict"


@dataclass(frozen=True, eq=False)
class Scenario:
    """A scenario ready to run.

    `initial_prices` `(goods,)` in numeraire per unit; `resolved` is the scenario with its defaults filled in, as plain
    data: written as YAML and loaded again it gives the same scenario. `source` is the text it came from, `path` its
    file.
    """

    name: str
    economy: economy.Economy
    initial_prices: Array
    numeraire: str | None
    rule: price_rules.PriceRule
    trade: trading.Trade
    run: RunSettings
    expect: tuple[str, ...]
    resolved: dict[str, Any] = field(repr=False)
    source: str = field(repr=False)
    path: str | None = None


def resolve(model: ScenarioFile, name: str) -> dict[str, Any]:
    """The scenario as plain data with its defaults filled in, keys in the schema's order.

    Initial prices stand with their goods; prices that follow from `numeraire`, `outside` or `fixed_price` are not
    repeated.
    """
    listed = model.goods if isinstance(model.goods, dict) else dict.fromkeys(model.goods)
    goods: dict[str, Any] = {}
    for good, given in listed.items():
        market = given or Good.model_construct()
        if market.fixed_price is not None:
            price: dict[str, float] = {"fixed_price": market.fixed_price}
        elif good == model.numeraire or good in model.outside:
            price = {}
        else:
            price = {"price": model.initial_prices.get(good, 1.0 if market.price is None else market.price)}
        goods[good] = {**price, "floor": market.floor}
    resolved: dict[str, Any] = {"name": name, "goods": goods}
    if model.numeraire is not None:
        resolved["numeraire"] = model.numeraire
    resolved["outside"] = dict(model.outside)
    resolved["supply"] = dict(model.supply)
    resolved["firms"] = [firm.model_dump() for firm in model.firms]
    resolved["consumers"] = [
        consumer.model_dump(exclude_none="quasilinear" in consumer.utility.model_fields_set)
        for consumer in model.consumers
    ]
    for consumer in resolved["consumers"]:
        consumer["utility"] = {kind: given for kind, given in consumer["utility"].items() if given is not None}
        if "ces" in consumer["utility"]:
            consumer["utility"]["ces"] = {
                key: given for key, given in consumer["utility"]["ces"].items() if given is not None
            }
        if consumer.get("budget", 0.0) is None:
            consumer["budget"] = 0.0
    resolved["trade"] = _resolved_trade(model)
    resolved["start"] = model.start
    pieces = [
        piece if isinstance(piece, str) else piece.model_dump(exclude_none=True) for piece in model.scheduler.pieces
    ]
    resolved["scheduler"] = {**model.scheduler.model_dump(exclude={"pieces"}), "with": pieces}
    resolved["run"] = model.run.model_dump()
    resolved["expect"] = model.expect
    return resolved


def _resolved_trade(model: ScenarioFile) -> Any:
    if model.trade == "at_equilibrium":
        return "at_equilibrium"
    options = model.trade.every_tick if isinstance(model.trade, Trade) else None
    options = options or EveryTick.model_construct()
    spoilage = options.spoilage if options.spoilage is not None else 0.0 if options.inventories else 1.0
    return {"every_tick": {"rationing": options.rationing, "spoilage": spoilage, "inventories": spoilage < 1}}


def build(resolved: dict[str, Any], source: str, path: str | None) -> Scenario:
    """The objects of a resolved scenario that has passed every check."""
    from simulator.dynamics.price_rules import PIECES, PriceRule
    from simulator.dynamics.trading import Trade as TradeRule
    from simulator.economics.economy import Economy

    model = ScenarioFile.model_validate(resolved)
    markets = {good: market or Good.model_construct() for good, market in cast("dict[str, Good]", model.goods).items()}
    goods = tuple(markets)
    outside = {good: float(model.outside.get(good, np.nan)) for good in goods}
    fixed = [
        good == model.numeraire or good in model.outside or market.fixed_price is not None
        for good, market in markets.items()
    ]
    options = model.trade.every_tick if isinstance(model.trade, Trade) else None
    rule = PriceRule(
        form=model.scheduler.form,
        rate=model.scheduler.rate,
        pieces=tuple(_piece(PIECES, piece) for piece in model.scheduler.pieces),
        floor=_frozen([market.floor for market in markets.values()]),
        fixed=_frozen(fixed, np.bool_),
    )
    return Scenario(
        name=resolved["name"],
        economy=Economy(
            goods=goods,
            supply=_frozen([model.supply.get(good, 0.0) for good in goods]),
            outside=_frozen(list(outside.values())),
            firms=tuple(_firm(firm, goods, model) for firm in model.firms),
            consumers=_consumers(model, goods),
        ),
        initial_prices=_frozen([_initial_price(good, market, model) for good, market in markets.items()]),
        numeraire=model.numeraire,
        rule=rule,
        trade=TradeRule(
            every_tick=model.trade != "at_equilibrium",
            spoilage=1.0 if options is None or options.spoilage is None else options.spoilage,
            start=model.start,
        ),
        run=RunSettings(
            ticks=model.run.ticks,
            tolerance=model.run.tolerance,
            seed=model.run.seed,
            record_every=model.run.record_every,
            references=model.run.references == "on",
            stop=model.run.stop,
        ),
        expect=(model.expect,) if isinstance(model.expect, str) else tuple(model.expect),
        resolved=resolved,
        source=source,
        path=path,
    )


def _frozen(values: Any, kind: Any = np.float64) -> Any:
    array = np.array(values, dtype=kind)
    array.setflags(write=False)
    return array


def _initial_price(good: str, market: Good, model: ScenarioFile) -> float:
    if good in model.outside:
        return model.outside[good]
    if good == model.numeraire:
        return 1.0
    if market.fixed_price is not None:
        return market.fixed_price
    return 1.0 if market.price is None else market.price


def _piece(kinds: dict[str, Any], piece: Any) -> Any:
    if piece == "relative":
        return kinds["relative"]()
    ((kind, parameter),) = piece.model_dump(exclude_none=True).items()
    return kinds[kind]() if parameter is True else kinds[kind](parameter)


def _firm(firm: Firm, goods: tuple[str, ...], model: ScenarioFile) -> economy.Firm:
    from simulator.economics.economy import Firm as FirmEntry
    from simulator.economics.formula import parse
    from simulator.economics.technology import FormulaTechnology

    output, _, text = firm.makes.partition("=")
    formula = parse(text)
    technology = FormulaTechnology(formula, negative_output=output.strip() in model.outside)
    return FirmEntry(firm.name, technology, goods.index(output.strip()), tuple(map(goods.index, formula.variables)))


def _consumers(model: ScenarioFile, goods: tuple[str, ...]) -> tuple[economy.Consumers, ...]:
    from simulator.economics.economy import Consumers

    claimed = {firm.name: 0.0 for firm in model.firms}
    equals = dict.fromkeys(claimed, 0)
    for consumer in model.consumers:
        for firm, owned in consumer.owns.items():
            if owned == "equal":
                equals[firm] += 1
            else:
                claimed[firm] += owned

    def share(consumer: Consumer, firm: str) -> float:
        owned = consumer.owns.get(firm, 0.0)
        return max(0.0, 1.0 - claimed[firm]) / equals[firm] if owned == "equal" else owned / max(1.0, claimed[firm])

    def budget(consumer: Consumer) -> float:
        return np.inf if consumer.budget is None else consumer.budget

    return tuple(
        Consumers(
            name=consumer.name,
            utility=_utility(consumer.utility, goods),
            endowment=_frozen([[consumer.endowment.get(good, 0.0) for good in goods]]),
            budget=_frozen([budget(consumer)]),
            owns=_frozen([[share(consumer, firm) for firm in claimed]]),
            saves=consumer.savings,
        )
        for consumer in model.consumers
    )


def _utility(given: Utility, goods: tuple[str, ...]) -> utility.Utility:
    from simulator.economics.forms import CobbDouglas, Leontief
    from simulator.economics.utility import Homothetic, QuasiLinear

    def row(amounts: dict[str, float]) -> Any:
        return _frozen([[amounts.get(good, 0.0) for good in goods]])

    if given.cobb_douglas is not None:
        return Homothetic(CobbDouglas(row(given.cobb_douglas)))
    if given.leontief is not None:
        return Homothetic(Leontief(row(given.leontief)))
    if given.ces is not None:
        return Homothetic(_ces(given.ces, row))
    return QuasiLinear(row((given.quasilinear and given.quasilinear.log) or {}))


def _ces(given: CES, row: Any) -> Any:
    from simulator.economics import forms

    elasticity = _frozen([elasticity_of(given.model_dump(exclude_none=True))])
    if given.shares is not None:
        return forms.CES(elasticity, row(given.shares))
    return forms.CES.from_weights(elasticity, row(given.weights))
