"""Where goods are bought: a rival good in one market, each user of a non-rival good in a market of its own.

Of a rival good (steel) users take different amounts that add up, and all pay one price. A non-rival value (a
blueprint) every user has whole: each user `u` buys all of it at a price of its own, the producer is paid the sum,

    z_u = x_u(p_u) - y(sum p),        V = pi_producer(sum p_u) + sum_u pi_u(p_u):

Lindahl's prices, Samuelson's condition, and backprop's rule that adjoints of a value read twice are added. In the
trajectory a non-rival good has one row: its price, bid and adjoint are sums over users, its quantities means weighted
by the users' prices.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from simulator.economics.means import Array

OUTSIDE = "the outside"
"""The user that buys at an outside price."""


@dataclass(frozen=True)
class UserMarkets:
    """The markets of `goods`, in the goods' order: `names`, which good each is of `(markets,)`, by whom each good is
    bought where (`places`: user to market), and for how many users each market stands `(markets,)`.
    """

    goods: tuple[str, ...]
    names: tuple[str, ...]
    good: NDArray[np.intp]
    users: Array
    places: tuple[Mapping[str, int], ...]

    @classmethod
    def of(cls, goods: Iterable[str], users: Mapping[str, Mapping[str, int]]) -> UserMarkets:
        """One market for each of `goods`, or one for each of the `users` of a good, which says how many they are."""
        goods = tuple(goods)
        names: list[str] = []
        good: list[int] = []
        many: list[int] = []
        places: list[Mapping[str, int]] = []
        for place, name in enumerate(goods):
            bought = users.get(name, {})
            first = len(names)
            places.append({user: first + number for number, user in enumerate(bought)})
            names += [f"{name} for {user}" for user in bought] or [name]
            many += bought.values() or [1]
            good += [place] * (len(names) - first)
        return cls(goods, tuple(names), np.array(good, dtype=np.intp), np.array(many, dtype=float), tuple(places))

    @cached_property
    def separate(self) -> bool:
        """Whether some good is bought in several markets, or for several users in one."""
        return bool(any(self.places))

    def name_of(self, market: int) -> str:
        """The good that a market is of."""
        return self.goods[self.good[market]]

    def seen_by(self, user: str) -> tuple[str, ...]:
        """The markets' names `(markets,)`, in which those where the user buys are called by the good they are of."""
        names = list(self.names)
        for good, places in zip(self.goods, self.places, strict=True):
            if user in places:
                names[places[user]] = good
        return tuple(names)

    def of_user(self, user: str) -> list[int]:
        """The markets in which a user buys what is not rival."""
        return [places[user] for places in self.places if user in places]

    def bought(self, good: str, user: str) -> int:
        """The market in which a user buys a good."""
        place = self._place[good]
        return self.places[place].get(user, int(self._first[place]))

    def sold(self, good: str) -> list[tuple[int, float]]:
        """The markets in which a good is sold, and how much of it goes to each: one for every user."""
        place = self._place[good]
        first = int(self._first[place])
        return [(at, float(self.users[at])) for at in range(first, first + max(1, len(self.places[place])))]

    def spread(self, values: Array) -> Array:
        """Of quantities `(..., goods)` what comes to each market, `(..., markets)`: all of it, for every user."""
        return values[..., self.good] * self.users if self.separate else values

    def sum_over_users(self, values: Array) -> Array:
        """What users pay, bid or find worth a unit, `(..., markets)`, added up to `(..., goods)`.

        Not a number where it is that in all of a good's markets.
        """
        if not self.separate:
            return values
        known = values == values
        sums = self._add(np.where(known, values * self.users, 0.0))
        return np.where(self._add(known.astype(float)) > 0, sums, np.nan)

    def mean_over_users(self, quantities: Array, prices: Array) -> Array:
        """What a user has of each good, `(..., goods)`, of quantities `(..., markets)`: the mean weighted by what users
        pay at `prices` `(..., markets)`, the plain mean where nobody pays.
        """
        if not self.separate:
            return quantities
        paid = prices * self.users
        some = self._add(paid)[..., self.good] > 0
        weights = np.where(some, paid, self.users)
        with np.errstate(invalid="ignore"):
            return self._add(weights * (quantities / self.users)) / self._add(weights)

    def total_over_users(self, quantities: Array) -> Array:
        """Quantities in all markets of a good, `(..., markets)`, added up to `(..., goods)`."""
        return self._add(quantities) if self.separate else quantities

    def any_user(self, marks: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Which goods have a market that is marked, `(markets,)` to `(goods,)`."""
        return self._add(marks.astype(float)) > 0 if self.separate else marks

    def _add(self, values: Array) -> Array:
        return np.add.reduceat(values, self._first, axis=-1)

    @cached_property
    def _place(self) -> dict[str, int]:
        return {good: place for place, good in enumerate(self.goods)}

    @cached_property
    def _first(self) -> NDArray[np.intp]:
        return np.searchsorted(self.good, np.arange(len(self.goods)))
