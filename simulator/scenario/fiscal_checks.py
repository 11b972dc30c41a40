"""What a scenario says of taxes and transfers, and what contradicts that: complaints, each with its place."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from simulator.kinds.entry import Steps
from simulator.kinds.names import alike_names
from simulator.kinds.wording import listed, nearest, number, quoted, shown, unknown
from simulator.scenario.fiscal_keys import KEPT, Adjust, Adjusting, KeptPath, Tax, Transfer, listed_names
from simulator.scenario.run_checks import closed
from simulator.scenario.schema import SHARE_ROUNDING
from simulator.schedulers.scheduler import Findings
from simulator.slips import meant

LEAVES = "leaves the economy, into which none comes, so that no equilibrium exists"
VERBS = {"output": "makes"}
"""What those taxed do with a good, unless they use it."""
Goods = Mapping[str, Collection[str]]
"""The goods that agents use, or make, by the agents' names."""


class Flow(NamedTuple):
    """A flow of a good, `made` or used by an agent; on the maker's side rates add up by the `base` of their tax."""

    agent: str
    good: str
    made: bool
    base: str | None


def refuse_fiscal(findings: Findings) -> None:
    """Complain about taxes on nothing or of too much, revenue that leaks, rates that cannot adjust, and transfers that
    nobody can pay.
    """
    model = findings.model
    taxes, transfers = _readable(findings, "taxes"), _readable(findings, "transfers")
    for key, entries in (("taxes", taxes), ("transfers", transfers)):
        if entries and findings.sound("scheduler") and not model.scheduler.plans:
            found = f"found {key} under {model.scheduler.kind}, where nobody plans"
            findings.fault((key,), f"{found}; expected none, or scheduler: tatonnement", "key")
            return
    _names(findings, "taxes", "tax", taxes)
    _names(findings, "transfers", "transfer", transfers)
    # Of agents who cannot be read nothing can be said.
    if all(findings.sound(room) for room in ("goods", "outside", "firms", "consumers")):
        _lump_sums(findings)
        if taxes:
            _Taxes(findings, taxes).refuse()
        _Transfers(findings, transfers).refuse()


def funded(findings: Findings) -> set[str]:
    """The consumers who receive revenue or transfers; everybody where these cannot be read."""
    model = findings.model
    if not findings.sound("taxes") or not findings.sound("transfers"):
        return {consumer.name for consumer in findings.consumers.values()}
    return {name for tax in model.taxes for name in tax.shares} | {each.to for each in model.transfers}


def _readable(findings: Findings, key: str) -> dict[int, Any]:
    entries = enumerate(getattr(findings.model, key) or ())
    return {at: entry for at, entry in entries if entry is not None and findings.sound(key, at)}


def _names(findings: Findings, key: str, what: str, entries: Mapping[int, Any]) -> None:
    seen: dict[str, int] = {}
    for at, entry in entries.items():
        if entry.name is not None and seen.setdefault(entry.name, at) != at:
            other = f"(the other is {key}[{seen[entry.name]}])"
            found = f"found the name {quoted(entry.name)} twice; expected one name per {what} {other}"
            findings.fault((key, at, "name"), found)
    for name, other in alike_names(seen).items():
        found = f"found {quoted(name)}, which looks like {quoted(other)}; expected names that differ"
        findings.fault((key, seen[name], "name"), found)


def _lump_sums(findings: Findings) -> None:
    """Complain about budgets below 0 that take more money out of the economy than comes in."""
    model = findings.model
    if model.outside or any(consumer.unlimited or consumer.draws for consumer in model.consumers):
        return
    total = sum((consumer.budget or 0.0) * (consumer.count or 1) for consumer in model.consumers)
    if total < 0:
        at = next(at for at, consumer in enumerate(model.consumers) if (consumer.budget or 0.0) < 0)
        found = (
            f"found {number(model.consumers[at].budget)}, and budgets of {number(total)} in all: money that {LEAVES}"
        )
        findings.fault(("consumers", at, "budget"), f"{found}; expected a transfer, or an outside price")


class _Taxes:
    """The taxes of a scenario whose agents can all be read."""

    def __init__(self, findings: Findings, taxes: Mapping[int, Tax]) -> None:
        self.findings, self.model, self.taxes = findings, findings.model, taxes
        used: Goods = {firm.name: firm.inputs for firm in self.model.firms}
        made: Goods = {firm.name: firm.outputs for firm in self.model.firms}
        wanted: Goods = {consumer.name: consumer.uses for consumer in self.model.consumers}
        self.sides = {"input": used, "output": made, "consumption": wanted, "sales": {**used, **wanted}}
        self.everybody = {**made, **wanted}

    def refuse(self) -> None:
        rates: dict[Flow, float] = {}
        last: dict[Flow, int] = {}
        for at, tax in self.taxes.items():
            if tax.base is not None and tax.on != "output":
                found = f"found base of a tax on {tax.on}: there the price is the base"
                self.findings.fault(("taxes", at, "base"), f"{found}; expected none, or on: output", "key")
            self._receivers(at, tax)
            for flow in self._flows(at, tax) if self._agents(at, tax) else ():
                rates[flow] = rates.get(flow, 0.0) + tax.first_rate
                last[flow] = at
        for at, flow in {at: flow for flow, at in last.items() if _too_much(flow, rates[flow])}.items():
            self._too_much(at, flow, rates[flow])
        self._instruments()

    def _agents(self, at: int, tax: Tax) -> bool:
        """Whether those who are taxed are agents who may be."""
        side, sound = self.sides[tax.on], True
        for place, name in enumerate(listed_names(tax.of) or ()):
            path: Steps = ("taxes", at, "of") if isinstance(tax.of, str) else ("taxes", at, "of", place)
            if name in side:
                continue
            sound = False
            if name in self.everybody:
                other = "consumption" if name in self.sides["consumption"] else "input"
                kind = "a consumer" if other == "consumption" else "a firm"
                expected = f"expected {listed([*map(shown, side)][:10]) or 'none'}{meant(f'on: {other}')}"
                self.findings.fault(path, f"found {shown(name)}, {kind}, of a tax on {tax.on}; {expected}")
            else:
                self.findings.fault(path, unknown("agent", name, side))
        return sound

    def _flows(self, at: int, tax: Tax) -> Iterator[Flow]:
        """What is taxed; a complaint where that is nothing of what is named."""
        side, of, goods = self.sides[tax.on], listed_names(tax.of), listed_names(tax.good)
        verb, made = VERBS.get(tax.on, "uses"), tax.on == "output"
        base = (tax.base or "gross") if made else None
        agents = {name: side[name] for name in of or side}
        found = {name: [good for good in traded if goods is None or good in goods] for name, traded in agents.items()}
        for place, name in enumerate(of or ()):
            if not found[name]:
                path: Steps = ("taxes", at, "of") if isinstance(tax.of, str) else ("taxes", at, "of", place)
                what = " and ".join(map(shown, goods or ())) or "anything"
                self._nothing(path, f"found {shown(name)}, which {verb} no {what}", agents[name])
                return
        taxed = {good for traded in found.values() for good in traded}
        for place, good in enumerate(goods or ()):
            if good not in taxed:
                path = ("taxes", at, "good") if isinstance(tax.good, str) else ("taxes", at, "good", place)
                what = f"found {shown(good)}, which nobody {verb} who is taxed"
                self._nothing(path, what, dict.fromkeys(good for traded in agents.values() for good in traded))
                return
        if not taxed:
            self._nothing(("taxes", at, "on"), f"found {tax.on}, while nobody {verb} anything who could be taxed", ())
        yield from (Flow(name, good, made, base) for name, traded in found.items() for good in traded)

    def _nothing(self, path: Steps, found: str, goods: Iterable[str]) -> None:
        known = [*map(shown, goods)]
        expected = f"a good such as {listed(known[:10])}" if known else "a tax on something"
        self.findings.fault(path, f"{found}; expected {expected}")

    def _too_much(self, at: int, flow: Flow, total: float) -> None:
        tax = self.taxes[at]
        path: Steps = ("taxes", at, "rate", *(("adjust", "start") if isinstance(tax.rate, Adjusting) else ()))
        most = "below 1" if flow.base == "gross" else "above -1"
        why = "makers would get nothing" if flow.base == "gross" else "no price above 0 would be left"
        found = f"found {number(tax.first_rate)}"
        if total != tax.first_rate:
            found += f", and with other taxes {number(round(total, 9))} on {shown(flow.good)} of {shown(flow.agent)}"
        self.findings.fault(path, f"{found}: {why}; expected a rate {most}")

    def _receivers(self, at: int, tax: Tax) -> None:
        """Complain about who is no consumer, about shares above 1, and below it where the rest may not leave."""
        consumers, path = self.sides["consumption"], ("taxes", at, "to")
        for name in tax.shares:
            if name not in consumers:
                place: Steps = path if isinstance(tax.to, str) else (*path, name)
                _no_consumer(self.findings, place, name, consumers, name in self.everybody, mapped=place != path)
        total = sum(tax.shares.values())
        if total > 1 + SHARE_ROUNDING:
            self.findings.fault(path, f"found shares that sum to {number(round(total, 9))}; expected at most 1")
        elif total < 1 - SHARE_ROUNDING and closed(self.model):
            alone = meant(f"to: {next(iter(consumers))}") if len(consumers) == 1 else ""
            if tax.to is None:
                found, where = f"found no to of {shown(tax.name)}: its revenue is money that {LEAVES}", path[:-1]
            else:
                found, where = (
                    f"found shares that sum to {number(round(total, 9))}: the rest is money that {LEAVES}",
                    path,
                )
            expected = "expected shares that sum to 1, or a budget or an outside price"
            self.findings.fault(where, f"{found}; {expected}{alone}")

    def _instruments(self) -> None:
        kept: dict[KeptPath, int] = {}
        rooms = {"firms": self.sides["input"], "consumers": self.sides["consumption"]}
        names = {**rooms, "taxes": [tax.name for tax in self.taxes.values()]}
        for at, tax in self.taxes.items():
            if not isinstance(tax.rate, Adjusting):
                continue
            path, adjust = ("taxes", at, "rate", "adjust"), tax.rate.adjust
            found = KeptPath.of(adjust.keep, names, self.model.markets)
            if found is None:
                known = self._known(names) if len(self.everybody) * len(self.model.markets) < 500 else ()
                message = f"unknown path {quoted(adjust.keep)}; expected {KEPT}"
                self.findings.fault((*path, "keep"), message + meant(nearest(adjust.keep, known)))
            elif why := self._not_kept(found):
                self.findings.fault((*path, "keep"), f"found {adjust.keep}, {why}")
            elif kept.setdefault(found, at) != at:
                other = f"expected one (the other is taxes[{kept[found]}])"
                self.findings.fault((*path, "keep"), f"found a second rate that keeps {adjust.keep}; {other}")
            if adjust.speed == 0:
                message = "found 0, at which the rate never moves; expected a speed above or below 0"
                self.findings.fault((*path, "speed"), message)
            self._target(path, adjust, found)

    def _target(self, path: Steps, adjust: Adjust, found: KeptPath | None) -> None:
        if adjust.at == 0:
            message = "found 0, of which nothing is a part (gaps are relative); expected a number other than 0"
            self.findings.fault((*path, "at"), message)
        elif adjust.at < 0 and found is not None and found.kind in ("consumption", "level", "price"):
            self.findings.fault((*path, "at"), f"found {number(adjust.at)}; expected a number above 0")

    def _not_kept(self, kept: KeptPath) -> str | None:
        """Why what a path leads to cannot be kept."""
        if kept.kind == "price" and (why := self.model.held(kept.good)):
            return f"but {shown(kept.good)} has {why}, which stays; expected a good whose price moves"
        wanted = self.sides["consumption"].get(kept.name, ())
        if kept.kind == "consumption" and kept.good not in wanted:
            return f"of which {shown(kept.name)} uses none; expected {listed([*map(shown, sorted(wanted))][:10])}"
        return None

    def _known(self, names: Mapping[str, Iterable[str]]) -> list[str]:
        return [
            *(f"consumers.{name}.{key}" for name in names["consumers"] for key in ("utility", *self.model.markets)),
            *(f"firms.{name}.level" for name in names["firms"]),
            *(f"taxes.{name}.revenue" for name in names["taxes"]),
            *(f"prices.{good}" for good in self.model.markets),
        ]


class _Transfers:
    """The transfers of a scenario whose agents can all be read."""

    def __init__(self, findings: Findings, transfers: Mapping[int, Transfer]) -> None:
        self.findings, self.transfers = findings, transfers
        self.consumers = {consumer.name: consumer for consumer in findings.model.consumers}
        self.firms = {firm.name for firm in findings.model.firms}

    def refuse(self) -> None:
        totals: dict[str, float] = {}
        for at, each in self.transfers.items():
            path, sides = ("transfers", at), (("from", each.sender), ("to", each.to))
            for key, name in sides:
                if name not in self.consumers:
                    _no_consumer(self.findings, (*path, key), name, self.consumers, name in self.firms)
            if each.sender == each.to:
                found = f"found {shown(each.to)}, who pays it, too"
                self.findings.fault((*path, "to"), f"{found}; expected another consumer")
            if (each.amount is None) == (each.share is None):
                found = "neither amount nor share" if each.amount is None else "both amount and share"
                self.findings.fault(path, f"found {found}; expected one of them")
            if not each.share or not self.findings.sound(*path):
                continue
            if self.consumers[each.sender].unlimited:
                found = f"found a share of the income of {shown(each.sender)}, whose purse has no end (no budget)"
                self.findings.fault((*path, "share"), f"{found}; expected an amount, or a budget")
            before = totals.get(each.sender, 0.0)
            totals[each.sender] = before + each.share
            if before <= 1 + SHARE_ROUNDING < totals[each.sender]:
                total = number(round(totals[each.sender], 9))
                found = f"found shares of the income of {shown(each.sender)} that sum to {total}"
                self.findings.fault((*path, "share"), f"{found}; expected at most 1")
        self._round(totals)

    def _round(self, totals: Mapping[str, float]) -> None:
        """Complain about income that is passed on for ever, since nobody on its way keeps a part."""
        passing = {name for name, total in totals.items() if total >= 1 - SHARE_ROUNDING}
        to: dict[str, set[str]] = {name: set() for name in passing}
        for each in self.transfers.values():
            if each.sender in passing and each.share:
                to[each.sender].add(each.to)
        while ends := {name for name in passing if to[name] - passing}:
            passing -= ends
        if passing:
            at, each = next((at, each) for at, each in self.transfers.items() if each.share and each.sender in passing)
            found = f"found {' and '.join(map(shown, sorted(passing)))} passing on to each other all that they receive"
            self.findings.fault(("transfers", at, "share"), f"{found}; expected one who keeps a part: a share below 1")


def _no_consumer(
    findings: Findings, path: Steps, name: str, consumers: Iterable[str], firm: bool, *, mapped: bool = False
) -> None:
    spot = "key" if mapped else "value"
    if firm:
        known = listed([*map(shown, consumers)][:10]) or "one"
        findings.fault(path, f"found {shown(name)}, a firm; expected a consumer: {known}", spot)
    else:
        findings.fault(path, unknown("consumer", name, consumers), spot)


def _too_much(flow: Flow, rate: float) -> bool:
    """Whether somebody would pay or get nothing, or the reverse."""
    return rate >= 1 if flow.base == "gross" else rate <= -1
