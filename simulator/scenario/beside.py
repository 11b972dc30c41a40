"""Economies beside that of a scenario: in which one number is another, put together of entries that were read once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from simulator.references.implicit import Side
from simulator.scenario.build import Scenario
from simulator.scenario.document import leading


class Own(NamedTuple):
    """What is an entry's own matter: the entry of firms, consumers or taxes, and the path within it."""

    room: str
    number: int
    path: str

    @property
    def taste(self) -> bool:
        """Whether it is the entry's taste."""
        return self.room == "consumers" and self.path.startswith("utility.")

    @property
    def amount(self) -> bool:
        """Whether it is an amount that consumers have: no taste and no firm depends on it."""
        return self.room == "consumers" and self.path.partition(".")[0] in ("endowment", "budget")


def own_of(scenario: Scenario, path: str) -> Own | None:
    """The entry of firms, consumers or taxes whose own matter a path is; None where it concerns others as well."""
    room, _, rest = path.partition(".")
    economy = scenario.economy
    taxes = () if economy.fiscal is None else economy.fiscal.taxes
    entries = {"firms": economy.firms, "consumers": economy.consumers, "taxes": taxes}.get(room, ())
    names = [each.name for each in entries]
    name = leading(rest, names)
    within = "" if name is None else rest[len(name) + 1 :]
    return None if name is None or within.startswith("owns") else Own(room, names.index(name), within)


def groups_of(owns: Sequence[Own | None]) -> list[list[int]]:
    """The places of paths in groups in which each entry is there once, and none that concerns others."""
    groups: list[list[int]] = []
    entries = [each and each[:2] for each in owns]
    for place, entry in enumerate(entries):
        free = (group for group in groups if entry is not None and not {None, entry} & {entries[at] for at in group})
        group = next(free, None)
        if group is None:
            groups.append(group := [])
        group.append(place)
    return groups


def side_of(here: Scenario, moved: Scenario, own: Own | None = None) -> Side:
    """What of a scenario that has moved is there when one entry alone has, or its taste, or all."""
    if own is None:
        return Side(moved.rule.unknowns(moved.economy), moved.initial_prices)
    if own.room == "taxes":
        fiscal, there = here.economy.fiscal, moved.economy.fiscal
        assert fiscal is not None
        assert there is not None
        taxes = (*fiscal.taxes[: own.number], there.taxes[own.number], *fiscal.taxes[own.number + 1 :])
        return Side(here.rule.unknowns(here.economy.taxed(replace(fiscal, taxes=taxes))), here.initial_prices)
    entries, other = list(getattr(here.economy, own.room)), getattr(moved.economy, own.room)[own.number]
    entries[own.number] = replace(entries[own.number], utility=other.utility) if own.taste else other
    return Side(here.rule.unknowns(replace(here.economy, **{own.room: tuple(entries)})), here.initial_prices)
