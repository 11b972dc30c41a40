"""Who uses which good, of what a scenario says: the markets of its goods."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from simulator.scenario.draws import Array
from simulator.scenario.draws_schema import leaves
from simulator.scenario.kind_checks import wants_of

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
    from simulator.formulas.formula import parse, sides

    for firm in resolved["firms"]:
        if "makes" in firm:
            yield firm, set(parse(sides(firm["makes"])[1]).variables)
        else:
            ((kind, given),) = firm["technology"].items()
            yield firm, set(leaves(given) if kind == "ces" else given["inputs"])
    for consumer in resolved["consumers"]:
        ((kind, given),) = consumer["utility"].items()
        if kind == "formula":
            yield consumer, set(parse(given).variables)
        elif kind == "ces":
            yield consumer, set(leaves(given))
        else:
            tables = [wants for _, wants in wants_of({kind: given})]
            yield consumer, {good for wants in tables for good in wants} if tables else set(_names(given))


def _names(given: Any) -> Iterator[str]:
    """All names in the parameters of a kind from outside, which may be those of goods."""
    if isinstance(given, Mapping):
        for key, value in cast("Mapping[str, Any]", given).items():
            yield key
            yield from _names(value)
