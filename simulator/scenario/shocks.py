"""Shocks: what a scenario's economy is from a tick on, after changes to supplies, endowments, technologies and tastes.

A shock changes the resolved scenario, as plain data; the regime that follows is built from the result like any other.
`{times: x}` and `{plus: x}` act on drawn numbers as they were drawn.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from copy import deepcopy
from typing import Any

from simulator.kinds.distributions import DISTRIBUTIONS
from simulator.kinds.entry import Steps
from simulator.kinds.wording import found, listed, nearest, quoted
from simulator.scenario.document import leading
from simulator.slips import called_here, instead, meant

CHANGEABLE = "supply.GOOD, firms.NAME.productivity, firms.NAME.technology..., consumers.NAME.endowment.GOOD, " + (
    "consumers.NAME.budget, consumers.NAME.utility..."
)
CHANGED = {"firms": ("productivity", "technology"), "consumers": ("endowment", "budget", "utility")}
"""The keys of an entry that may be changed."""


class ShockError(Exception):
    """A change that cannot be made: its place in the scenario and what is wrong with it."""

    def __init__(self, steps: Steps, message: str) -> None:
        super().__init__(message)
        self.steps, self.message = steps, message


def changed(data: Mapping[str, Any], changes: Mapping[str, Any], place: int) -> dict[str, Any]:
    """The resolved scenario after the changes of the shock at a place in the list. Raises `ShockError`."""
    after = deepcopy(dict(data))
    for path, change in changes.items():
        steps: Steps = ("shocks", place, "set", path)
        holder, key = _Reach(after, path, steps).found()
        if isinstance(change, dict) and len(change) == 1 and ("times" in change or "plus" in change):
            ((kind, number),) = change.items()
            holder[key] = _modified(holder.get(key), kind, number, steps)
        else:
            _must_be_a_value(change, steps)
            holder[key] = change
    return after


def _must_be_a_value(change: Any, steps: Steps) -> None:
    """Refuse what was meant to change a number and does not."""
    guess = instead("change", change) if isinstance(change, str) else None
    if isinstance(change, dict) and len(change) == 1:
        ((word, number),) = change.items()
        means = called_here(word, ("times", "plus"))
        guess = means and f"{{{means}: {number}}}"
    if guess:
        raise ShockError(steps, f"found {found(change)}; expected a value, {{times: x}} or {{plus: x}}{meant(guess)}")


def _modified(value: Any, kind: str, number: Any, steps: Steps) -> Any:
    """A number, a drawn number, or all numbers of a mapping, times or plus another."""
    if isinstance(number, bool) or not isinstance(number, int | float):
        raise ShockError(steps, f"found {kind}: {found(number)}; expected a number")
    if abs(number) > sys.float_info.max:
        raise ShockError(steps, f"found {kind} of a number beyond 1e308; expected one below")
    if value is None or isinstance(value, int | float):
        return float(value or 0.0) * number if kind == "times" else float(value or 0.0) + number
    if isinstance(value, dict):
        if any(name in value for name in (*DISTRIBUTIONS, "csv")):
            times, plus = value.get("times", 1.0), value.get("plus", 0.0)
            if kind == "times":
                return {**value, "times": times * number, "plus": plus * number}
            return {**value, "plus": plus + number}
        if "dirichlet" not in value:
            return {key: _modified(item, kind, number, steps) for key, item in value.items()}
    raise ShockError(steps, f"found {kind} for what is no number; expected a new value instead")


class _Reach:
    """The way along the dotted `path` of a change, which stands at `steps`, in the data of a resolved scenario."""

    def __init__(self, data: dict[str, Any], path: str, steps: Steps) -> None:
        self.data, self.path, self.steps = data, path, steps

    def found(self) -> tuple[dict[str, Any], str]:
        """The mapping that the path ends in, and the key there."""
        room, _, rest = self.path.partition(".")
        if room == "supply":
            return (self.data["supply"], self._good(rest, "supply")) if rest else (self.data, "supply")
        if room not in CHANGED:
            raise self._unknown([], self._all())
        entries: dict[str, dict[str, Any]] = {entry["name"]: entry for entry in self.data[room]}
        name = leading(rest, entries)
        if name is None or rest == name:
            raise self._unknown([f"{room}.{known}" for known in entries], self._all())
        return self._within(room, entries[name], rest[len(name) + 1 :])

    def _within(self, room: str, entry: dict[str, Any], rest: str) -> tuple[dict[str, Any], str]:
        """The same in a firm or a consumer."""
        key, holder = rest.partition(".")[0], entry
        if key in ("count", "name", "behaviour"):
            raise ShockError(self.steps, f"found {self.path}, but a {key} cannot change; expected {CHANGEABLE}")
        if key not in CHANGED[room]:
            raise self._unknown([], self._all())
        if key in ("technology", "utility"):
            if key not in entry:
                raise self._unknown([f"firms.{entry['name']}.productivity"])
            return self._nested(entry, rest)
        if key == "endowment":
            given: dict[str, Any] = entry.setdefault("endowment", {})
            if rest != "endowment":
                return given, self._good(rest.removeprefix("endowment."), f"consumers.{entry['name']}.endowment")
        elif key == "productivity":
            kinds: dict[str, Any] = entry.get("technology") or {}
            holder = next(iter(kinds.values()), entry)
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
            *(f"supply.{good}" for good in goods),
            *(f"{room}.{entry['name']}.{key}" for room in rooms for entry in self.data[room] for key in rooms[room]),
        ]

    def _unknown(self, known: list[str], guesses: list[str] | None = None) -> ShockError:
        expected = listed(known[:10]) if known else CHANGEABLE
        ends = (path for path in guesses or known if path.endswith(f".{self.path}"))
        guess = nearest(self.path, guesses or known) or next(ends, None)
        return ShockError(self.steps, f"unknown path {quoted(self.path)}; expected {expected}{meant(guess)}")
