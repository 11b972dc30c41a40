"""Shocks: what a scenario's economy is from a tick on, after changes to supplies, endowments, technologies and tastes.

A shock changes the resolved scenario, as plain data; the regime that follows is built from the result like any other.
`{times: x}` and `{plus: x}` act on drawn numbers as they were drawn. A price is no part of the economy: it is moved.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from copy import deepcopy
from typing import Any, NamedTuple, cast

import numpy as np
from pydantic import ValidationError

from simulator.economics.user_markets import UserMarkets
from simulator.kinds.distributions import DISTRIBUTIONS, Array
from simulator.kinds.entry import MARKS, Steps
from simulator.kinds.numbers import Draw, draw_model
from simulator.kinds.wording import found, listed, nearest, number, quoted
from simulator.scenario.complaints import fault_of
from simulator.scenario.document import from_data, leading
from simulator.scenario.language import Language
from simulator.scenario.schema import ScenarioFile, Shock
from simulator.slips import called_here, instead, meant

CHANGEABLE = "supply.GOOD, prices.GOOD, goods.GOOD.cap, goods.GOOD.floor, " + (
    "firms.NAME.productivity, firms.NAME.technology..., consumers.NAME.endowment.GOOD, consumers.NAME.budget, "
    "consumers.NAME.utility..., consumers.NAME.belief.OUTCOME, taxes.NAME.rate, taxes.NAME.rate.adjust.at, "
    "transfers.0.amount, transfers.0.share"
)
CHANGED = {"firms": ("productivity", "technology"), "consumers": ("endowment", "budget", "utility", "belief")}
"""The keys of an entry that may be changed."""
KINDS, BOUNDS = ("times", "plus"), ("cap", "floor")


class ShockError(Exception):
    """A change that cannot be made: its place in the scenario and what is wrong with it."""

    def __init__(self, steps: Steps, message: str) -> None:
        super().__init__(message)
        self.steps, self.message = steps, message


class PriceMove(NamedTuple):
    """The price of a good becomes another, or so many `times` what it is, or so much more (`plus`)."""

    good: str
    kind: str | None
    number: float

    def of(self, prices: Array, markets: UserMarkets) -> Array:
        """Prices `(markets,)` after the move; each user pays the same part of the good's price as before."""
        here = markets.good == markets.goods.index(self.good)
        now = float(prices[here] @ markets.users[here])
        becomes = {"times": now * self.number, "plus": now + self.number}.get(self.kind or "", self.number)
        # Where nobody pays anything all pay the same.
        several = now and np.count_nonzero(here) > 1
        return np.where(here, prices * (becomes / now) if several else becomes / markets.users[here].sum(), prices)


def price_move(model: ScenarioFile, shock: Shock, place: int, path: str, change: Any) -> PriceMove:
    """How a change whose path is `prices.GOOD` moves a price. Raises `ShockError`."""
    steps, good = ("shocks", place, "set", path), path.partition(".")[2]
    known = [f"prices.{each}" for each in model.markets]
    if good not in model.markets:
        guess = meant(nearest(path, known))
        raise ShockError(steps, f"unknown path {quoted(path)}; expected {listed(known[:10])}{guess}")
    if why := model.held(good):
        raise ShockError(steps, f"found {path}, but {good} has {why}, which stays; expected a good whose price moves")
    if shock.tick == 0:
        raise ShockError(steps, f"found {path} at tick 0; expected goods: {{{good}: {{price: ...}}}}, or a later tick")
    if shock.every is None and shock.until is not None:
        message = f"found {path} with until, but a price that has moved on cannot be what it was"
        raise ShockError(steps, f"{message}; expected no until, or every beside it")
    kind, to = next(iter(change.items())) if _is_modified(change) else (None, change)
    if not _is_number(to):
        raise ShockError(steps, f"found {found(to)}; expected a number, {{times: x}} or {{plus: x}}")
    if not abs(to) < 1e300 or (kind != "plus" and to <= 0 and model.moved_by.plans):
        raise ShockError(steps, f"found {number(to)}; expected a number above 0")
    return PriceMove(good, kind, float(to))


def changed(data: Mapping[str, Any], changes: Mapping[str, Any], place: int) -> tuple[dict[str, Any], dict[str, float]]:
    """The resolved scenario after the changes of the shock at a place in the list, and the numbers that were changed,
    by path. What is not changed is the same in both. Raises `ShockError`.
    """
    after, reached = dict(data), dict[str, float]()
    for path, change in changes.items():
        steps: Steps = ("shocks", place, "set", path)
        holder, key = _Reach(after, path, steps).found()
        if _is_modified(change):
            ((kind, by),) = change.items()
            if path.startswith("goods.") and holder.get(key) is None:
                raise ShockError(steps, f"found {kind} for a {key} that is not there; expected a number")
            holder[key] = _modified(holder.get(key), kind, by, steps)
        else:
            _must_be_a_value(change, steps)
            if path.startswith(("taxes.", "transfers.")) and not _is_number(change):
                raise ShockError(steps, f"found {found(change)}; expected a number, {{times: x}} or {{plus: x}}")
            holder[key] = change
        if isinstance(holder[key], int | float):
            reached[path] = holder[key]
        if path.startswith("goods."):
            # What moves has moved there when the shock is over.
            _move_within(holder)
    return after, reached


def _move_within(good: dict[str, Any]) -> None:
    """Bring the price of a good that moves within its bounds."""
    if "price" in good:
        for bound, nearer in (("floor", max), ("cap", min)):
            if isinstance(to := good.get(bound), int | float) and to > 0:
                good["price"] = nearer(good["price"], to)


def _is_modified(change: Any) -> bool:
    return isinstance(change, dict) and len(cast("dict[Any, Any]", change)) == 1 and not change.keys().isdisjoint(KINDS)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def has_draws(value: Any) -> bool:
    """Whether something is drawn within plain data."""
    return isinstance(value, dict) and any(
        key in (*DISTRIBUTIONS, "dirichlet") or has_draws(item) for key, item in cast("dict[Any, Any]", value).items()
    )


def drawn_for_all(plain: Mapping[str, Any], path: str, change: Any, place: int) -> tuple[str | None, Draw] | None:
    """What a number is drawn from that is the same for all agents, and whether it is `times` or `plus` what there is;
    None where nothing is drawn, or every agent draws. Raises `ShockError`.
    """
    kind, given = next(iter(change.items())) if _is_modified(change) else (None, change)
    if not (isinstance(given, dict) and any(name in given for name in DISTRIBUTIONS)):
        return None
    if kind is None and not _of_one(plain, path):
        return None
    try:
        return kind, draw_model(tuple(DISTRIBUTIONS.items())).model_validate(given)
    except ValidationError as error:
        fault = fault_of(Language(from_data({})), {**error.errors()[0]}, suggest=False)
        where = ".".join(str(step) for step in fault.path if step not in MARKS)
        raise ShockError(("shocks", place, "set", path), f"{where}: {fault.message}") from None


def _of_one(plain: Mapping[str, Any], path: str) -> bool:
    """Whether what stands at a path is one number, not one for each of several agents."""
    room, _, rest = path.partition(".")
    counts = {entry["name"]: entry["count"] for entry in plain.get(room, ())} if room in CHANGED else {}
    return counts.get(leading(rest, counts) or "", 1) == 1


def _must_be_a_value(change: Any, steps: Steps) -> None:
    """Refuse what was meant to change a number and does not."""
    guess = instead("change", change) if isinstance(change, str) else None
    if isinstance(change, dict) and len(change) == 1:
        ((word, number),) = change.items()
        means = called_here(word, KINDS)
        guess = means and f"{{{means}: {number}}}"
    if guess:
        raise ShockError(steps, f"found {found(change)}; expected a value, {{times: x}} or {{plus: x}}{meant(guess)}")


def _modified(value: Any, kind: str, by: Any, steps: Steps) -> Any:
    """A number, a drawn number, or all numbers of a mapping, times or plus another."""
    if not _is_number(by):
        raise ShockError(steps, f"found {kind}: {found(by)}; expected a number")
    if abs(by) > sys.float_info.max:
        raise ShockError(steps, f"found {kind} of a number beyond 1e308; expected one below")
    if value is None or isinstance(value, int | float):
        return float(value or 0.0) * by if kind == "times" else float(value or 0.0) + by
    if isinstance(value, dict):
        if any(name in value for name in (*DISTRIBUTIONS, "csv")):
            times, plus = value.get("times", 1.0), value.get("plus", 0.0)
            if kind == "times":
                return {**value, "times": times * by, "plus": plus * by}
            return {**value, "plus": plus + by}
        if "dirichlet" not in value:
            return {key: _modified(item, kind, by, steps) for key, item in value.items()}
    raise ShockError(steps, f"found {kind} for what is no number; expected a new value instead")


def _fiscal_leaves(entry: Mapping[str, Any]) -> Iterator[str]:
    """The numbers of a tax or a transfer that may change; a rate that adjusts goes on adjusting."""
    for key in ("rate", "amount", "share"):
        if isinstance(entry.get(key), dict):
            yield from ("rate.adjust.at", "rate.adjust.speed") if key == "rate" else ("amount.amount",)
        elif key in entry:
            yield key


class _Reach:
    """The way along the dotted `path` of a change, which stands at `steps`, in the data of a resolved scenario."""

    def __init__(self, data: dict[str, Any], path: str, steps: Steps) -> None:
        self.data, self.path, self.steps = data, path, steps

    def found(self) -> tuple[dict[str, Any], str]:
        """The mapping that the path ends in, and the key there."""
        room, _, rest = self.path.partition(".")
        if room == "supply":
            self.data["supply"] = dict(self.data["supply"])
            return (self.data["supply"], self._good(rest, "supply")) if rest else (self.data, "supply")
        if room == "goods":
            return self._bound(rest)
        if room in ("taxes", "transfers"):
            return self._fiscal(room, rest)
        if room not in CHANGED:
            raise self._unknown([], self._all())
        entries: dict[str, dict[str, Any]] = {entry["name"]: entry for entry in self.data[room]}
        name = leading(rest, entries)
        if name is None or rest == name:
            raise self._unknown([f"{room}.{known}" for known in entries], self._all())
        # Nobody else's entry changes, and what was before stays what it was.
        entry = deepcopy(entries[name])
        self.data[room] = [entry if each is entries[name] else each for each in self.data[room]]
        return self._within(room, entry, rest[len(name) + 1 :])

    def _bound(self, rest: str) -> tuple[dict[str, Any], str]:
        """The same for the floor or the cap of a good's price."""
        goods: dict[str, Any] = self.data["goods"]
        good, _, key = rest.rpartition(".")
        if good not in goods or key not in BOUNDS:
            raise self._unknown([f"goods.{known}.{each}" for known in goods for each in BOUNDS])
        self.data["goods"] = {**goods, good: {**goods[good]}}
        return self.data["goods"][good], key

    def _fiscal(self, room: str, rest: str) -> tuple[dict[str, Any], str]:
        """The same for a number of a tax or a transfer, by its name or its place."""
        entries: list[dict[str, Any]] = self.data.get(room, [])
        names = {at: str(entry.get("name", at)) for at, entry in enumerate(entries)}
        places = {str(at): at for at in names} | {name: at for at, name in names.items()}
        name = leading(rest, places)
        chosen = names if name is None else {places[name]: name}
        leaf = "" if name is None else rest[len(name) + 1 :]
        if name is None or leaf not in _fiscal_leaves(entries[places[name]]):
            raise self._unknown([f"{room}.{chosen[at]}.{one}" for at in chosen for one in _fiscal_leaves(entries[at])])
        entry = holder = deepcopy(entries[places[name]])
        self.data[room] = [entry if at == places[name] else each for at, each in enumerate(entries)]
        *steps, last = leaf.split(".")
        for step in steps:
            holder = holder[step]
        return holder, last

    def _within(self, room: str, entry: dict[str, Any], rest: str) -> tuple[dict[str, Any], str]:
        """The same in a firm or a consumer."""
        key, holder = rest.partition(".")[0], entry
        if key in ("count", "name", "behaviour"):
            raise ShockError(self.steps, f"found {self.path}, but a {key} cannot change; expected {CHANGEABLE}")
        if key not in CHANGED[room]:
            raise self._unknown([], self._all())
        if key in ("technology", "utility", "belief"):
            if key not in entry:
                other = "productivity" if room == "firms" else "utility"
                raise self._unknown([f"{room}.{entry['name']}.{other}"])
            return self._nested(entry, rest)
        if key == "endowment":
            given: dict[str, Any] = entry.setdefault("endowment", {})
            if rest != "endowment":
                return given, self._good(rest.removeprefix("endowment."), f"consumers.{entry['name']}.endowment")
        elif key == "productivity":
            kinds: dict[str, Any] = entry.get("technology") or {}
            holder = entry if "activity" in kinds else next(iter(kinds.values()), entry)
            holder.setdefault("productivity", 1.0)
        elif entry.get("budget") is None:
            advice = "expected one with one"
            raise ShockError(self.steps, f"found a consumer without a budget (its purse is unlimited); {advice}")
        if rest != key:
            raise self._unknown([self._before(rest) + key])
        return holder, key

    def _nested(self, node: dict[str, Any], rest: str) -> tuple[dict[str, Any], str]:
        """The same along keys that exist."""
        key = leading(rest, node)
        if key is None or key == "output":
            raise self._unknown([self._before(rest) + known for known in node if known != "output"])
        if rest == key:
            return node, key
        if not isinstance(node[key], dict):
            raise self._unknown([self._before(rest) + key])
        return self._nested(node[key], rest[len(key) + 1 :])

    def _good(self, name: str, where: str) -> str:
        if name not in self.data["goods"]:
            raise self._unknown([f"{where}.{good}" for good in self.data["goods"]])
        return name

    def _before(self, rest: str) -> str:
        """What of the path comes before the rest of it."""
        return self.path[: len(self.path) - len(rest)]

    def _all(self) -> list[str]:
        """What may be changed, to guess from."""
        goods = self.data["goods"]
        owned = [f"endowment.{good}" for good in goods]
        rooms = {"firms": ["productivity", "technology"], "consumers": ["budget", "utility", *owned]}
        return [
            *(f"{room}.{good}" for room in ("supply", "prices") for good in goods),
            *(f"goods.{good}.{bound}" for good in goods for bound in BOUNDS),
            *(f"taxes.{tax['name']}.{leaf}" for tax in self.data.get("taxes", ()) for leaf in _fiscal_leaves(tax)),
            *(f"{room}.{entry['name']}.{key}" for room in rooms for entry in self.data[room] for key in rooms[room]),
        ]

    def _unknown(self, known: list[str], guesses: list[str] | None = None) -> ShockError:
        expected = listed(known[:10]) if known else CHANGEABLE
        ends = (path for path in guesses or known if path.endswith(f".{self.path}"))
        guess = nearest(self.path, guesses or known) or next(ends, None)
        return ShockError(self.steps, f"unknown path {quoted(self.path)}; expected {expected}{meant(guess)}")
