"""What the values of a scenario contradict among themselves: complaints, each with its place.

The checks work on whatever part of the data is sound, so that one mistake neither hides another nor causes a second
complaint.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import cached_property
from typing import Any, cast

from simulator.scenario.complaints import MAX_SUGGESTIONS, unknown
from simulator.scenario.document import Document, Steps, found, quoted, shown
from simulator.scenario.draws_schema import Draw
from simulator.scenario.kind_checks import KindChecks, wants_of
from simulator.scenario.learning_checks import LearningChecks
from simulator.scenario.message_checks import MessageChecks
from simulator.scenario.planner_checks import PlannerChecks
from simulator.scenario.schema import DEFAULT_FLOOR, SHARE_ROUNDING, Trade

MAX_CELLS = 10_000_000
MAX_DRAWN = 100_000_000
DEFAULT_TICKS = 1000
SCALINGS, TURNS = ("relative", "own_slope"), ("sequential", "random_order", "bernoulli")
"""Pieces of a price rule of which there can be one."""
BY_JACOBIAN = ("newton", "symplectic", "consensus")
"""Pieces that go by the whole Jacobian, in the unit of the step."""
AT_ONCE = ("extragradient", "averaging", "anderson", *BY_JACOBIAN)
"""Pieces that need all prices to move at once."""


def check(document: Document) -> None:
    """Add to the document's faults all that its values contradict among themselves, as far as they can be read."""
    _Checks(document).run()


class _Checks(KindChecks):
    """All checks, in order."""

    def run(self) -> None:
        self._goods()
        if "learning" not in self.data:
            self._positive()
        self._prices()
        if "learning" in self.data:
            self._scheduler()
            LearningChecks(self).run()
            return
        self._names()
        if not self._agents():
            return
        for at, firm in self.entries("firms"):
            self.firm(("firms", at), firm)
        for at, consumer in self.entries("consumers"):
            self.consumer(("consumers", at), consumer)
        for at, firm in self.entries("firms"):
            self._kind_and_parameters(("firms", at, "behaviour"), "behaviours", firm.get("behaviour"))
        self._ownership()
        self._draws()
        self._scheduler()
        if self.messages:
            MessageChecks(self).run()
        else:
            self._not_negative()
            self._rival()
        if self.mapping("compare").get("gradient_path") == "primal":
            PlannerChecks(self).run()
        self._shocks()
        self._trade()
        self._numeraire()

    def _positive(self) -> None:
        """Prices that never move, and floors, on the side of 0 where prices are; patterns are learnt on both."""
        for good in dict.fromkeys(self.goods or ()):
            market = self.mapping("goods", good)
            fixed, floor = market.get("fixed_price"), market.get("floor", DEFAULT_FLOOR)
            if fixed is not None and fixed <= 0:
                self.fault(("goods", good, "fixed_price"), f"found {found(fixed)}; expected a number above 0")
            if floor is not None and floor < 0:
                self.fault(("goods", good, "floor"), f"found {found(floor)}; expected a number of at least 0")

    def _not_negative(self) -> None:
        """Flows and prices below 0 mean something in programs alone."""
        amounts: dict[Steps, Any] = {("supply", good): x for good, x in self.mapping("supply").items()}
        amounts |= {("initial_prices", good): x for good, x in self.mapping("initial_prices").items()}
        for good in dict.fromkeys(self.goods or ()):
            amounts["goods", good, "price"] = self.mapping("goods", good).get("price")
        for path, amount in amounts.items():
            if isinstance(amount, int | float) and amount < 0:
                self.fault(path, f"found {found(amount)}; expected a number of at least 0")

    def _rival(self) -> None:
        """Each user of a good that is not rival has a price of its own, which no one price can be."""
        for good in dict.fromkeys(self.goods or ()):
            market = self.mapping("goods", good)
            if market.get("rival") is not False:
                continue
            if good == self.data.get("numeraire"):
                self.fault(("numeraire",), f"found {shown(good)}, which is not rival; expected a good with one price")
            if market.get("fixed_price") is not None:
                message = "found a fixed price of a good that is not rival; expected none: each user has its own"
                self.fault(("goods", good, "fixed_price"), message, "key")
            if good in self.mapping("outside") and good not in self._brought:
                message = f"found {shown(good)}, which is not rival and which nobody makes, owns or supplies"
                advice = "expected somebody who does: the outside is one more user of it"
                self.fault(("outside", good), f"{message}; {advice}", "key")

    @cached_property
    def _brought(self) -> set[str]:
        """The goods that firms make, consumers own or that arrive as supply."""
        from simulator.formulas.formula import sides

        brought = set(self.mapping("supply"))
        for _, firm in self.entries("firms"):
            makes, technology = firm.get("makes"), firm.get("technology")
            brought.update(sides(makes)[0] if isinstance(makes, str) else ())
            kinds = cast("dict[str, Any]", technology) if isinstance(technology, dict) else {}
            brought.update(
                str(given["output"]) for given in kinds.values() if isinstance(given, dict) and "output" in given
            )
        for at, _ in self.entries("consumers"):
            brought.update(self.mapping("consumers", at, "endowment"))
        return brought

    def _goods(self) -> None:
        goods = self.data.get("goods")
        if isinstance(goods, list):
            seen: dict[str, int] = {}
            for at, name in enumerate(cast("list[Any]", goods)):
                if isinstance(name, str) and seen.setdefault(name, at) != at:
                    self.fault(("goods", at), f"found the good {quoted(name)} twice; expected it once")
        for key in ("outside", "supply", "initial_prices"):
            self.keys_are_goods(key)
        numeraire = self.data.get("numeraire")
        if isinstance(numeraire, str):
            self.is_good(("numeraire",), numeraire, "value")

    def _prices(self) -> None:
        outside, initial = self.mapping("outside"), self.mapping("initial_prices")
        numeraire = self.data.get("numeraire")
        least, multiplicative = (-math.inf, False) if "learning" in self.data else (DEFAULT_FLOOR, self._multiplicative)
        for good in dict.fromkeys(self.goods or ()):
            market = self.mapping("goods", good)
            places: dict[Steps, float] = {
                ("goods", good, key): market[key] for key in ("price", "fixed_price") if market.get(key) is not None
            }
            if initial.get(good) is not None:
                places["initial_prices", good] = initial[good]
            first, *others = [*places, None]
            for path in others:
                if path is not None and first is not None:
                    elsewhere = self.document.dotted(first)
                    self.fault(
                        path, f"found a second price of {shown(good)}; expected one (the other is {elsewhere})", "key"
                    )
            floor = market.get("floor", least)
            if first is None or not self.sound(*first):
                pass
            elif good == numeraire and places[first] != 1:
                self.fault(first, f"found {found(places[first])}; expected 1, the price of the numeraire")
            elif outside.get(good, places[first]) != places[first]:
                self.fault(first, f"found {found(places[first])}; expected the outside price {found(outside[good])}")
            elif places[first] == 0 and multiplicative:
                self.fault(first, "found 0; expected a price above 0 (0 cannot move under multiplicative)")
            elif first[-1] != "fixed_price" and floor > places[first] and (places[first] > 0 or least < 0):
                message = f"found {found(places[first])}; expected a price of at least the floor {found(floor)}"
                self.fault(first, message)
            if good == numeraire and outside.get(good, 1) != 1:
                self.fault(("outside", good), f"found {found(outside[good])}; expected 1, the price of the numeraire")

    @property
    def _multiplicative(self) -> bool:
        from simulator.dynamics.price_rules import RECIPES

        scheduler = self.mapping("scheduler")
        rule = scheduler.get("rule")
        form = RECIPES[rule].form if rule in RECIPES else scheduler.get("form")
        return self.sound("scheduler", "form") and form != "additive"

    def _names(self) -> None:
        seen: dict[str, str] = {}
        for key in ("firms", "consumers"):
            for at, entry in self.entries(key):
                name = entry.get("name")
                if isinstance(name, str) and seen.setdefault(name, f"{key}[{at}]") != f"{key}[{at}]":
                    message = (
                        f"found the name {quoted(name)} twice; expected one name per agent (the other is {seen[name]})"
                    )
                    self.fault((key, at, "name"), message)

    def _agents(self) -> bool:
        """Whether there are few enough agents to go on."""
        lists = [self.document.data.get(key, []) for key in ("firms", "consumers")]
        if not any(lists):
            if not any(len(fault.path) == 1 for fault in self.document.faults if fault.path != ("goods",)):
                self.fault((), "found neither firms nor consumers; expected somebody who trades")
        elif all(isinstance(entries, list) for entries in lists):
            firms, consumers = (len(cast("list[Any]", entries)) for entries in lists)
            cells = max(len(self.goods or ()) * (firms + consumers), firms * consumers)
            if cells > MAX_CELLS and not self.messages:
                self.fault((), f"found {cells:,} pairs of agents and goods; expected at most {MAX_CELLS:,}")
                return False
        return True

    def _ownership(self) -> None:
        totals: dict[str, float] = {}
        for at, _ in self.entries("consumers"):
            for firm, share in self.mapping("consumers", at, "owns").items():
                path = ("consumers", at, "owns", firm)
                if self.firms is not None and firm not in self.known_firms:
                    self.fault(
                        path, unknown("firm", firm, self.firms, len(self.document.faults) < MAX_SUGGESTIONS), "key"
                    )
                elif share != "equal" and not isinstance(share, dict):
                    before = totals.get(firm, 0.0)
                    totals[firm] = before + share
                    if before <= 1 + SHARE_ROUNDING < totals[firm]:
                        total = found(round(totals[firm], 9))
                        self.fault(path, f"found shares of {shown(firm)} that sum to {total}; expected at most 1")

    def _scheduler(self) -> None:
        scheduler = self.mapping("scheduler")
        pieces, rule = scheduler.get("with"), scheduler.get("rule")
        if isinstance(rule, str):
            self._recipe(rule, scheduler)
        given = cast("list[Any]", pieces) if isinstance(pieces, list) else []
        seen: list[str] = []
        for at, piece in enumerate(given):
            path = ("scheduler", "with", at)
            names: list[str] = list(cast("dict[str, Any]", piece)) if isinstance(piece, dict) else [str(piece)]
            if self.sound(*path):
                self._kind_and_parameters(path, "rule_pieces", piece)
            self._piece_among(path, names, seen)
            seen += names

    def _piece_among(self, path: Steps, names: list[str], before: list[str]) -> None:
        """What a piece may not stand beside or behind."""
        for group in (SCALINGS, TURNS):
            if set(group) & set(names) and sum(name in group for name in before) == 1:
                listed = f"{', '.join(group[:-1])} and {group[-1]}"
                self.fault(path, f"found a second of {listed}; expected one of them")
        form = self.mapping("scheduler").get("form")
        if "relative" in names and self.sound("scheduler", "form") and form != "additive":
            self.fault(path, "found relative; expected it under additive only (multiplicative already contains it)")
        unit, turned = (
            next((name for name in among if name in group), None)
            for among, group in ((names, SCALINGS), (before, BY_JACOBIAN))
        )
        if unit and turned:
            self.fault(path, f"found {unit} after {turned}; expected it before: {turned} goes by the unit of the step")
        if "extragradient" in before and not set(names) & set(TURNS):
            self.fault(path, f"found {shown(names[0])} after extragradient; expected extragradient as the last piece")
        waits, whole = (next((name for name in (*before, *names) if name in group), None) for group in (TURNS, AT_ONCE))
        if waits and whole and {waits, whole} & set(names):
            self.fault(path, f"found {waits} beside {whole}; expected one of them: {whole} moves all prices at once")

    def _kind_and_parameters(self, path: Steps, group: str, choice: object) -> None:
        """A kind by its name alone, or as a mapping of one key."""
        given: dict[str, Any] = cast("dict[str, Any]", choice) if isinstance(choice, dict) else {}
        if isinstance(choice, dict) and not (self.sound(*path) and self.one_kind(path, given, self.kinds_at(path))):
            return
        name = choice if isinstance(choice, str) else next(iter(given), "")
        if name in self.document.plugins.of(group):
            self.from_outside((*path, name) if given else path, group, name, given.get(name, {}))

    def _recipe(self, rule: str, scheduler: dict[str, Any]) -> None:
        from simulator.dynamics.price_rules import PIECES, RECIPES

        if rule not in RECIPES:
            piece = f"; {rule} is a piece: scheduler: {{with: [...]}}" if rule in PIECES else ""
            self.fault(("scheduler", "rule"), unknown("rule", rule, RECIPES, not piece) + piece)
        for key in ("form", "with"):
            if key in scheduler:
                message = f"found {key} beside rule; expected one of them: a rule has a form and pieces of its own"
                self.fault(("scheduler", key), message, "key")

    def _shocks(self) -> None:
        ticks = self.mapping("run").get("ticks", DEFAULT_TICKS)
        seen: dict[tuple[int, str], int] = {}
        for at, shock in self.entries("shocks"):
            tick, changes = shock.get("tick"), shock.get("set")
            if not isinstance(tick, int) or not isinstance(changes, dict) or not self.sound("shocks", at):
                continue
            if isinstance(ticks, int) and tick > ticks:
                self.fault(("shocks", at, "tick"), f"found {tick}; expected at most run.ticks, {ticks}")
            for path in cast("dict[str, Any]", changes):
                if seen.setdefault((tick, path), at) != at:
                    message = f"found a second change of {quoted(path)} at tick {tick}; expected one"
                    self.fault(("shocks", at, "set", path), message, "key")

    def _draws(self) -> None:
        """Distributions and columns: one kind each, and agents for whom they differ."""
        for key in ("firms", "consumers"):
            for at, entry in self.entries(key):
                path: Steps = (key, at)
                draws = list(_drawn(entry, path, self.known_goods))
                count = entry.get("count")
                for steps, draw in draws:
                    self._one_draw(steps, draw)
                reads = any("csv" in draw for _, draw in draws)
                if draws and self.sound(*path) and not reads and count in (1, None):
                    message = "found a distribution for a single agent; expected a number, or a count above 1"
                    self.fault(draws[0][0], message)
                rows = count or 1
                if draws and isinstance(rows, int) and rows * len(self.goods or ()) > MAX_DRAWN:
                    message = (
                        f"found {rows:,} agents who differ; expected at most {MAX_DRAWN:,} pairs of agents and goods"
                    )
                    self.fault((*path, "count"), message)

    def _one_draw(self, path: Steps, draw: dict[str, Any]) -> None:
        if not self.sound(*path) or "dirichlet" in draw:
            return
        kinds = [kind for kind in draw if kind not in ("times", "plus", "column")]
        known = [kind for kind in Draw.model_fields if kind not in ("times", "plus", "column")]
        if len(kinds) != 1:
            given = " and ".join(kinds) or "no distribution"
            self.fault(path, f"found {given}; expected one of {', '.join(known)}")
        elif ("csv" in draw) != ("column" in draw):
            missing = "column" if "csv" in draw else "csv"
            self.fault(path, f"found no {missing}; expected {{csv: file, column: name}}")
        elif "uniform" in draw and draw["uniform"][0] > draw["uniform"][1]:
            self.fault((*path, "uniform"), f"found {draw['uniform']}; expected [least, most], the smaller first")

    def _trade(self) -> None:
        trade = self.data.get("trade")
        if not isinstance(trade, dict) or not self.sound("trade"):
            return
        if not self.one_kind(("trade",), cast("dict[str, Any]", trade), list(Trade.model_fields)):
            return
        options = self.mapping("trade", "every_tick")
        kept, spoilage = options.get("inventories"), options.get("spoilage")
        path = ("trade", "every_tick", "spoilage")
        if kept is True and spoilage == 1:
            self.fault(
                path, f"found {found(spoilage)} with inventories; expected less than 1, since nothing would be kept"
            )
        elif kept is False and spoilage is not None and spoilage < 1:
            self.fault(path, f"found {found(spoilage)} without inventories; expected 1, since nothing is kept")

    def _numeraire(self) -> None:
        numeraire = self.data.get("numeraire")
        roles = ("goods", "numeraire", "outside", "supply", "firms", "consumers")
        if not isinstance(numeraire, str) or not all(self.sound(role) for role in roles):
            return
        traded = {*self.mapping("outside"), *self.mapping("supply"), *self.used}
        for at, consumer in self.entries("consumers"):
            traded.update(self.mapping("consumers", at, "endowment"))
            for _, wants in wants_of(consumer["utility"]):
                traded.update(wants)
                traded.update(wants.get("dirichlet") or {})
        if numeraire not in traded:
            self.fault(("numeraire",), f"found {quoted(numeraire)}, which nobody trades; expected a good in use")


def _drawn(value: Any, path: Steps, goods: set[str]) -> Iterator[tuple[Steps, dict[str, Any]]]:
    """The draws within a value, with their places; a mapping of goods is none, whatever they are called."""
    if isinstance(value, dict):
        mapping = cast("dict[str, Any]", value)
        named = mapping and set(mapping) <= {*Draw.model_fields, "dirichlet"} and not set(mapping) <= goods
        if named:
            yield path, mapping
            return
        for key, item in mapping.items():
            yield from _drawn(item, (*path, key), goods)
    elif isinstance(value, list):
        for at, item in enumerate(cast("list[Any]", value)):
            yield from _drawn(item, (*path, at), goods)
