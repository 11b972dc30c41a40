"""What the values of a scenario contradict among themselves: complaints, each with its place.

The checks work on whatever part of the scenario is sound, so that one mistake neither hides another nor causes a second
complaint.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from simulator.kinds.entry import MAX_SUGGESTIONS, Spot, Steps
from simulator.kinds.names import alike_names
from simulator.kinds.numbers import Draw, columns_drawn, draws_in, positive
from simulator.kinds.traders import TRADERS
from simulator.kinds.wording import number, one_of, quoted, shown, unknown
from simulator.scenario.contingent import refuse_contingent, unreached_settlement
from simulator.scenario.document import Document, Fault
from simulator.scenario.fiscal_checks import funded, refuse_fiscal
from simulator.scenario.kept_checks import refuse_kept
from simulator.scenario.language import declared_goods
from simulator.scenario.planner_checks import refuse_planner
from simulator.scenario.price_checks import refuse_prices
from simulator.scenario.schema import SHARE_ROUNDING, Consumer, Firm, ScenarioFile
from simulator.scenario.trade_keys import Trade
from simulator.schedulers.table import by_kind

if TYPE_CHECKING:
    pass

HOMOTHETIC = ("power", "cobb_douglas", "ces", "leontief", "reference")
"""Technologies that can always use more of each input."""
MAX_CELLS = 10_000_000
MOST_NAMES = 10
SMALL = 0.05
"""A part of spending that moves the level of prices slowly."""
MAX_DRAWN = 400_000_000
"""Bytes of the numbers of agents who differ."""


class Findings:
    """The sound part of a scenario, and the faults found in it so far; what is at fault is None in the `model`.

    A check asks whether what it needs is `sound`, and complains by `fault`: so that one mistake neither hides another
    nor causes a second complaint.
    """

    def __init__(self, document: Document, model: ScenarioFile) -> None:
        self.document, self.model = document, model
        self.faulty: set[Steps] = set()
        for fault in document.faults:
            self._mark(fault)
        self.goods = declared_goods(document.data)
        self.firms: dict[int, Firm] = _readable(model.firms)
        """The readable entries, by their places."""
        self.consumers: dict[int, Consumer] = _readable(model.consumers)

    @property
    def agents(self) -> Iterator[tuple[tuple[str, int], Firm | Consumer]]:
        """The readable entries of firms and consumers, each with its path."""
        yield from ((("firms", at), firm) for at, firm in self.firms.items())
        yield from ((("consumers", at), consumer) for at, consumer in self.consumers.items())

    @property
    def faultless(self) -> bool:
        """Whether nothing has been complained about."""
        return not self.document.faults

    def _mark(self, fault: Fault) -> None:
        self.faulty.update(fault.path[:length] for length in range(len(fault.path) + 1))

    def fault(self, path: Steps, message: str, spot: Spot = "value") -> None:
        fault = Fault(path, message, spot)
        self._mark(fault)
        self.document.faults.append(fault)

    def sound(self, *path: str | int) -> bool:
        """Whether nothing at or below a path has been complained about."""
        return path not in self.faulty

    def written(self, *path: str | int) -> dict[str, Any]:
        """A mapping as it was written."""
        entry = self.document.at(path)
        return entry if isinstance(entry, dict) else {}


def _readable(entries: Any) -> dict[int, Any]:
    return {at: entry for at, entry in enumerate(entries or ()) if entry is not None}


def check(document: Document, model: ScenarioFile) -> None:
    """Add to the document's faults all that its values contradict among themselves, as far as they can be read."""
    findings = Findings(document, model)
    learns = "learning" in document.data
    _goods(findings)
    refuse_prices(findings, document, learns=learns)
    refuse_kept(findings)
    if learns:
        if model.learning is not None:
            model.learning.refuse(findings)
        return
    _names(findings)
    if not _agents(findings):
        return
    for at in findings.firms:
        _firm(findings, ("firms", at))
    refuse_fiscal(findings)
    receivers = funded(findings)
    # What is meant by a key that is not known nobody can say.
    strange = any(len(fault.path) == 1 and fault.spot == "key" for fault in document.faults)
    for at, consumer in findings.consumers.items():
        _consumer(findings, ("consumers", at), consumer, strange or consumer.name in receivers)
    _ownership(findings)
    _holdings(findings)
    _draws(findings)
    refuse_contingent(findings)
    if model.scheduler is not None:
        model.scheduler.refuse(findings)
    if findings.sound("compare") and model.compare.gradient_path == "primal":
        refuse_planner(findings)
    _shocks(findings)
    _trade(findings)
    _numeraire(findings)
    _paid_for(findings)


def _goods(findings: Findings) -> None:
    goods = findings.model.goods
    seen: dict[str, int] = {}
    for at, name in enumerate(goods if isinstance(goods, list) else ()):
        if findings.sound("goods", at) and seen.setdefault(name, at) != at:
            findings.fault(("goods", at), f"found the good {quoted(name)} twice; expected it once")
    written: Any = findings.document.data.get("goods")
    places = {name: at for at, name in enumerate(written) if isinstance(name, str)} if isinstance(written, list) else {}
    for name, other in alike_names(findings.goods or ()).items():
        _alike(findings, ("goods", places.get(name, name)), name, other, "key")


def _alike(findings: Findings, path: Steps, name: str, other: str, spot: Spot) -> None:
    if findings.sound(*path):
        message = f"found {quoted(name)}, which looks like {quoted(other)}; expected names that differ"
        findings.fault(path, message, spot)


def _names(findings: Findings) -> None:
    seen: dict[str, tuple[str, int]] = {}
    for path, entry in findings.agents:
        if findings.sound(*path, "name") and seen.setdefault(entry.name, path) != path:
            key, at = seen[entry.name]
            message = f"found the name {quoted(entry.name)} twice; expected one name per agent"
            findings.fault((*path, "name"), f"{message} (the other is {key}[{at}])")
    for name, other in alike_names(filter(None, seen)).items():
        _alike(findings, (*seen[name], "name"), name, other, "value")


def _agents(findings: Findings) -> bool:
    """Whether there are few enough agents to go on."""
    document = findings.document
    lists: list[Any] = [document.data.get(key, []) for key in ("firms", "consumers")]
    if not any(lists):
        if not any(len(fault.path) == 1 for fault in document.faults if fault.path != ("goods",)):
            findings.fault((), "found neither firms nor consumers; expected somebody who trades")
    elif all(isinstance(entries, list) for entries in lists):
        firms, consumers = map(len, lists)
        cells = max(len(findings.goods or ()) * (firms + consumers), firms * consumers)
        if cells > MAX_CELLS and getattr(findings.model.scheduler, "plans", True):
            findings.fault((), f"found {cells:,} pairs of agents and goods; expected at most {MAX_CELLS:,}")
            return False
    return True


def _paid_for(findings: Findings) -> None:
    """Goods that the outside pays to have taken, and those who would take them without end."""
    for good, price in (findings.model.outside or {}).items():
        if price == 0:
            findings.fault(("outside", good), "found 0; expected a number above 0, or below 0 where taking it is paid")
        if price >= 0 or not findings.sound("outside", good):
            continue
        takers = [
            firm.name
            for firm in findings.firms.values()
            if firm.technology is not None and firm.technology.name in HOMOTHETIC and good in firm.inputs
        ]
        for at, consumer in findings.consumers.items():
            if not findings.sound("consumers", at, "utility"):
                continue
            sated = "quadratic" in (consumer.utility.written.get("quasilinear") or ())
            takers += [consumer.name] if good in consumer.uses and not sated else []
        if takers:
            found = f"found a price of {number(price)}, at which {shown(takers[0])} would be paid for all it takes"
            advice = "expected a number above 0, or a use that does harm beyond some quantity"
            findings.fault(("outside", good), f"{found} and take it without end; {advice}")


def _firm(findings: Findings, path: Steps) -> None:
    written = findings.written(*path)
    ways = [key for key in ("makes", "technology") if key in written]
    if len(ways) != 1 and (ways or findings.sound(*path)):
        both = "both makes and technology" if ways else "neither makes nor technology"
        findings.fault(path, f"found {both}; expected one of them")
    elif ways == ["technology"] and "productivity" in written and "activity" not in findings.written(*path, *ways):
        message = "found productivity beside technology; expected it within the technology"
        findings.fault((*path, "productivity"), message, "key")


def _consumer(findings: Findings, path: Steps, consumer: Consumer, receives: bool) -> None:
    if not findings.sound(*path) or consumer.unlimited or receives or consumer.utility.name in TRADERS:
        return
    pays = isinstance(consumer.budget, int | float) and consumer.budget < 0
    if (consumer.budget is None or pays) and not consumer.endowment and not consumer.owns:
        expected = "an endowment, a budget or owns, or revenue or a transfer to it"
        findings.fault(path, f"found nothing to spend; expected {expected}")


def _holdings(findings: Findings) -> None:
    """What agents begin with says something under some schedulers alone."""
    scheduler = findings.model.scheduler
    if scheduler is None or scheduler.holdings:
        return
    kinds = one_of(name for name, settings in by_kind().items() if settings.holdings)
    for path, _ in findings.agents:
        for key in findings.written(*path).keys() & {"stock", "money"}:
            message = f"found {key} under {scheduler.kind}; expected scheduler: {{kind: {kinds}}}, or no such key"
            findings.fault((*path, key), message, "key")


def _ownership(findings: Findings) -> None:
    firms: list[Any] | None = [entry.name for entry in findings.firms.values()]
    entries: Any = findings.document.data.get("firms", [])
    if not isinstance(entries, list) or len(firms) < len(entries) or None in firms:
        firms = None
    known, totals = set(firms or ()), dict[str, float]()
    for at, consumer in findings.consumers.items():
        for firm, share in (consumer.owns or {}).items():
            path = ("consumers", at, "owns", firm)
            if firms is not None and firm not in known:
                few = len(findings.document.faults) < MAX_SUGGESTIONS
                findings.fault(path, unknown("firm", firm, firms, few), "key")
            elif isinstance(share, int | float):
                before = totals.get(firm, 0.0)
                totals[firm] = before + share
                if before <= 1 + SHARE_ROUNDING < totals[firm]:
                    total = number(round(totals[firm], 9))
                    findings.fault(path, f"found shares of {shown(firm)} that sum to {total}; expected at most 1")


def _draws(findings: Findings) -> None:
    """Distributions and columns need agents for whom they differ, and room for what is drawn."""
    total = 0
    for path, entry in findings.agents:
        if not entry.draws or not findings.sound(*path):
            continue
        columns = columns_drawn(entry, len(findings.goods or ()))
        draws, count = list(draws_in(entry, path)), entry.count or 1
        reads = any(isinstance(draw, Draw) and draw.csv is not None for _, draw in draws)
        if not reads and count == 1:
            findings.fault(
                draws[0][0], "found a distribution for a single agent; expected a number, or a count above 1"
            )
        total += 8 * columns * count
        if total > MAX_DRAWN:
            numbers = f"{columns:,} number{'' if columns == 1 else 's'}"
            takes = f"{count:,} agents who differ in {numbers} each, {total / 1e9:.3g} GB in all"
            findings.fault((*path, "count"), f"found {takes}; expected at most {MAX_DRAWN / 1e9:g} GB")
            return


def _trade(findings: Findings) -> None:
    trade = findings.model.trade
    if not isinstance(trade, Trade) or not findings.sound("trade"):
        return
    options, path = trade.every_tick, ("trade", "every_tick", "spoilage")
    if options is None:
        findings.fault(("trade",), "found an empty mapping; expected every_tick")
    elif options.inventories is True and options.spoilage == 1:
        expected = "expected less than 1, since nothing would be kept"
        findings.fault(path, f"found {number(options.spoilage)} with inventories; {expected}")
    elif options.inventories is False and options.spoilage is not None and options.spoilage < 1:
        expected = "expected 1, since nothing is kept"
        findings.fault(path, f"found {number(options.spoilage)} without inventories; {expected}")


def _shocks(findings: Findings) -> None:
    seen: dict[tuple[int, str], int] = {}
    for at, shock in enumerate(findings.model.shocks or ()):
        if not findings.sound("shocks", at):
            continue
        if shock.until is not None and shock.until < shock.tick + (shock.every is None):
            expected = "the tick or a later one" if shock.every else f"a later tick than {shock.tick}"
            findings.fault(("shocks", at, "until"), f"found {shock.until}; expected {expected}")
        for path in shock.changes:
            if seen.setdefault((shock.tick, path), at) != at:
                message = f"found a second change of {quoted(path)} at tick {shock.tick}; expected one"
                findings.fault(("shocks", at, "set", path), message, "key")


def _numeraire(findings: Findings) -> None:
    model = findings.model
    roles = ("goods", "numeraire", "outside", "supply", "firms", "consumers")
    if model.numeraire is None or not all(findings.sound(role) for role in roles):
        return
    traded = {*model.outside, *model.supply}
    for firm in model.firms:
        traded.update(firm.outputs, firm.inputs)
    for consumer in model.consumers:
        traded.update(consumer.endowment, consumer.uses)
    if model.numeraire not in traded:
        findings.fault(("numeraire",), f"found {quoted(model.numeraire)}, which nobody trades; expected a good in use")


def unreached(model: ScenarioFile) -> Iterator[Fault]:
    """Shocks and a settlement after the last tick."""
    for at, shock in enumerate(model.shocks):
        if shock.tick > model.run.ticks:
            found = f"found a shock at tick {shock.tick}, which is not reached"
            yield Fault(("shocks", at, "tick"), f"{found}; expected at most run.ticks, {model.run.ticks}")
    if message := unreached_settlement(model):
        yield Fault(("settlement", "tick"), message)


def slow_numeraire(model: ScenarioFile) -> Iterator[Fault]:
    """A numeraire on which nobody spends much: only its own market moves the level of prices, and by little."""
    held = {good for good, market in model.markets.items() if market.fixed_price is not None}
    firms = {good for firm in model.firms for good in (*firm.inputs, *firm.outputs)}
    if model.numeraire is None or model.outside or held or model.numeraire in firms:
        return
    tables = [consumer.utility.written.get("cobb_douglas") for consumer in model.consumers]
    if tables and all(
        isinstance(table, dict) and all(isinstance(x, int | float) for x in table.values()) for table in tables
    ):
        most = max(table.get(model.numeraire, 0.0) / sum(table.values()) for table in tables)
        if most < SMALL:
            found = (
                f"found the numeraire {quoted(model.numeraire)}, on which {100 * most:.2g} % of spending falls at most"
            )
            advice = "expected a good on which more falls, or none: the level of prices moves no faster than its market"
            yield Fault(("numeraire",), f"{found}; {advice}")


def unlikely(models: Sequence[ScenarioFile]) -> Iterator[Fault]:
    """What is allowed and probably not meant: goods that lack a source or a buyer, before and after every shock."""
    if models[0].learning is not None or models[0].contingent is not None:
        return
    sources, buyers = set[str](), set[str]()
    for model in models:
        sources.update(model.outside, (good for good, amount in model.supply.items() if amount))
        buyers.update(model.outside)
        for firm in model.firms:
            sources.update(firm.outputs)
            buyers.update(firm.inputs)
        for consumer in model.consumers:
            sources.update(good for good, amount in consumer.endowment.items() if positive(amount))
            buyers.update(consumer.uses, (good for good, amount in consumer.endowment.items() if not positive(amount)))
    for said, lacks in (
        ("source of {}; expected somebody who makes, owns or supplies it", buyers - sources),
        ("buyer of {}; expected a firm or a consumer who uses it", sources - buyers),
        ("trade in {}; expected goods in use", models[0].markets.keys() - sources - buyers),
    ):
        lacking = [shown(good) for good in models[0].markets if good in lacks]
        if lacking:
            more = f" and {len(lacking) - MOST_NAMES:,} more" if len(lacking) > MOST_NAMES else ""
            yield Fault(("goods",), f"found no {said.format(', '.join(lacking[:MOST_NAMES]) + more)}")
