"""Who uses which good, of what a scenario says: the markets of its goods."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from simulator.scenario.draws import Array

if TYPE_CHECKING:
    from simulator.economics.markets import Markets


def markets_of(resolved: Mapping[str, Any]) -> Markets:
    """One market for each good; under tatonnement one for each user of a good that is not rival and has several.

    An entry of several agents who are all alike is one user, who counts as many.
    """
    from simulator.economics.markets import OUTSIDE, Markets

    users: dict[str, dict[str, int]] = {}
    if resolved["scheduler"]["kind"] == "tatonnement":
        users = {good: {} for good, given in resolved["goods"].items() if given.get("rival") is False}
        for good in users.keys() & resolved.get("outside", {}).keys():
            users[good][OUTSIDE] = 1
    if users:
        for entry, used in _uses(resolved):
            for good in users.keys() & used:
                users[good][entry["name"]] = entry["count"]
    several = {good: found for good, found in users.items() if len(found) > 1 or sum(found.values()) > 1}
    return Markets.of(resolved["goods"], several)


def outside_prices(outside: Mapping[str, float], markets: Markets) -> Array:
    """The price at which the outside trades in each market, `(markets,)`; not a number where it does not."""
    from simulator.economics.markets import OUTSIDE

    prices = np.array([outside.get(good, np.nan) for good in markets.goods])[markets.good]
    for places in markets.places:
        for user, at in places.items():
            if user != OUTSIDE:
                prices[at] = np.nan
    return prices


def _uses(resolved: Mapping[str, Any]) -> Iterator[tuple[Mapping[str, Any], set[str]]]:
    """Every entry of firms and consumers, with the goods it names as something it uses."""
    from simulator.economics.formula import parse, sides

    for firm in resolved["firms"]:
        if "makes" in firm:
            yield firm, set(parse(sides(firm["makes"])[1]).variables)
        else:
            yield firm, set(_names({key: value for key, value in firm["technology"].items()}, without="output"))
    for consumer in resolved["consumers"]:
        utility = consumer["utility"]
        yield consumer, set(parse(utility["formula"]).variables) if "formula" in utility else set(_names(utility))


def _names(given: Any, without: str = "") -> Iterator[str]:
    """All texts in data: keys and values, but for the value of the key `without`."""
    if isinstance(given, Mapping):
        for key, value in cast("Mapping[str, Any]", given).items():
            if key != without:
                yield key
                yield from _names(value, without)
    elif isinstance(given, list):
        for value in cast("list[Any]", given):
            yield from _names(value, without)
    elif isinstance(given, str):
        yield given
