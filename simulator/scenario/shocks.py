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
from simulator.kinds.wording import found, nearest, quoted
from simulator.scenario.document import leading

CHANGEABLE = "supply.GOOD, firms.NAME.productivity, firms.NAME.technology..., consumers.NAME.endowment.GOOD, " + (
    "consumers.NAME.budget, consumers.NAME.utility..."
)


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
        holder, key = _reach(after, path, steps)
        modifier = _modifier(change)
        if modifier is None:
            holder[key] = change
        else:
            holder[key] = _modified(holder.get(key), *modifier, steps)
    return after


def _modifier(change: Any) -> tuple[str, Any] | None:
    """`times` or `plus` with its number, if a change is one."""
    if isinstance(change, dict) and len(change) == 1:
        ((kind, number),) = change.items()
        return (kind, number) if kind in ("times", "plus") else None
    return None


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


def _reach(data: dict[str, Any], path: str, steps: Steps) -> tuple[dict[str, Any], str]:
    """The mapping that a path ends in, and the key there."""
    room, _, rest = path.partition(".")
    if room == "supply":
        if rest == "":
            return data, "supply"
        if rest not in data["goods"]:
            raise _unknown(path, steps, [f"supply.{good}" for good in data["goods"]])
        return data["supply"], rest
    if room not in ("firms", "consumers"):
        raise _unknown(path, steps, [], _paths(data))
    entries: dict[str, dict[str, Any]] = {entry["name"]: entry for entry in data[room]}
    name = leading(rest, entries)
    if name is None or rest == name:
        raise _unknown(path, steps, [f"{room}.{known}" for known in entries], _paths(data))
    return _within(data, entries[name], rest[len(name) + 1 :], room, path, steps)


def _paths(data: Mapping[str, Any]) -> list[str]:
    """What may be changed, to guess from."""
    goods, firms, consumers = data["goods"], data["firms"], data["consumers"]
    return [
        *(f"supply.{good}" for good in goods),
        *(f"firms.{firm['name']}.{key}" for firm in firms for key in ("productivity", "technology")),
        *(f"consumers.{consumer['name']}.{key}" for consumer in consumers for key in ("budget", "utility")),
        *(f"consumers.{consumer['name']}.endowment.{good}" for consumer in consumers for good in goods),
    ]


def _within(
    data: Mapping[str, Any], entry: dict[str, Any], rest: str, room: str, path: str, steps: Steps
) -> tuple[dict[str, Any], str]:
    key = rest.partition(".")[0]
    allowed = ("productivity", "technology") if room == "firms" else ("endowment", "budget", "utility")
    if key not in allowed:
        raise _unknown(path, steps, [], _paths(data))
    if key == "productivity":
        kinds: dict[str, Any] = entry.get("technology") or {}
        holder = next(iter(kinds.values()), entry)
        holder.setdefault("productivity", 1.0)
        return _exactly(holder, rest, "productivity", path, steps)
    if key == "budget":
        if entry.get("budget") is None:
            raise ShockError(steps, "found a consumer without a budget (its purse is unlimited); expected one with one")
        return _exactly(entry, rest, "budget", path, steps)
    if key == "endowment":
        given: dict[str, Any] = entry.setdefault("endowment", {})
        if rest == "endowment":
            return entry, "endowment"
        good = rest.removeprefix("endowment.")
        if good not in data["goods"]:
            raise _unknown(path, steps, [f"consumers.{entry['name']}.endowment.{known}" for known in data["goods"]])
        return given, good
    if key not in entry:
        raise _unknown(path, steps, [f"firms.{entry['name']}.productivity"])
    return _nested(entry, rest, path, steps)


def _exactly(holder: dict[str, Any], rest: str, key: str, path: str, steps: Steps) -> tuple[dict[str, Any], str]:
    if rest != key:
        raise _unknown(path, steps, [path[: len(path) - len(rest) + len(key)]])
    return holder, key


def _nested(node: dict[str, Any], rest: str, path: str, steps: Steps) -> tuple[dict[str, Any], str]:
    """The holder and key of a path of keys that exist."""
    while True:
        key = leading(rest, node)
        before = path[: len(path) - len(rest)]
        if key is None or key == "output":
            raise _unknown(path, steps, [before + known for known in node if known != "output"])
        if rest == key:
            return node, key
        following = node[key]
        if not isinstance(following, dict):
            raise _unknown(path, steps, [before + key])
        node, rest = following, rest[len(key) + 1 :]


def _unknown(path: str, steps: Steps, known: list[str], guesses: list[str] | None = None) -> ShockError:
    guess = nearest(path, guesses or known)
    expected = ", ".join(known[:10]) if known else CHANGEABLE
    return ShockError(
        steps,
        f"unknown path {quoted(path)}; expected {'one of ' if len(known) > 1 else ''}{expected}"
        + (f"; did you mean {guess}?" if guess else ""),
    )
