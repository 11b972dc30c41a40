"""Contracts on an event as goods: where a scenario names the outcomes, and what contradicts that."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from simulator.kinds.entry import Steps
from simulator.kinds.numbers import Dirichlet
from simulator.kinds.traders import TRADERS, TraderKind
from simulator.kinds.wording import number
from simulator.scenario.document import Document
from simulator.scenario.schema import Consumer
from simulator.schedulers.market_maker import refuse_not_one
from simulator.schedulers.scheduler import Findings

if TYPE_CHECKING:
    from collections.abc import Iterator

MAKER = "scheduler: {kind: market_maker, liquidity: 20}"


def expand_contingent(document: Document) -> None:
    """Name the goods of a document with `contingent` as the outcomes, unless it names them itself."""
    contingent: Any = document.data.get("contingent")
    outcomes = cast("Any", contingent).get("outcomes") if isinstance(contingent, dict) else None
    if isinstance(outcomes, list) and "goods" not in document.data:
        document.data = {**document.data, "goods": [*cast("list[Any]", outcomes)]}


def refuse_contingent(findings: Findings) -> None:
    """Complain about outcomes that are no goods, traders without an event or a belief, and what needs a market maker
    where there is none.
    """
    model = findings.model
    outcomes: list[str] = [] if model.contingent is None else list(model.contingent.outcomes or ())
    if model.contingent is not None and findings.sound("contingent") and findings.sound("goods"):
        if len({*outcomes}) < len(outcomes):
            findings.fault(("contingent", "outcomes"), "found an outcome twice; expected each once")
        elif {*outcomes} != {*model.markets}:
            message = "found goods other than the outcomes; expected no goods, or the outcomes alone"
            findings.fault(("goods",), message, "key")
    makes = getattr(model.scheduler, "kind", None) == "market_maker"
    for key in ("arrival", "settlement"):
        if key in findings.written() and not makes and findings.sound("scheduler"):
            findings.fault((key,), f"found {key} without a market maker; expected {MAKER}", "key")
    for at, consumer in findings.consumers.items():
        for path, message in _strange(findings, ("consumers", at), consumer, makes=makes):
            findings.fault(path, message, "value" if path[-1] == "utility" else "key")


def _strange(findings: Findings, path: Steps, consumer: Consumer, *, makes: bool) -> Iterator[tuple[Steps, str]]:
    """What a consumer, or a trader, may not say."""
    written = findings.written(*path)
    if not findings.sound(*path):
        return
    name, kind = consumer.utility.name, consumer.utility.kind
    if not isinstance(kind, TraderKind):
        for key in ("belief", "sees_impact"):
            if key in written:
                yield (*path, key), f"found {key} of who is no trader; expected a utility of {', '.join(TRADERS)}"
        return
    if findings.model.contingent is None and "contingent" not in findings.written():
        expected = "contingent: {event: NAME, outcomes: [...]}"
        yield (*path, "utility"), f"found {name} without contracts on an event; expected {expected}"
        return
    if "belief" not in written:
        yield (*path, "utility"), f"found {name} without a belief; expected belief: {{OUTCOME: PROBABILITY, ...}}"
    elif findings.sound(*path, "belief") and not isinstance(consumer.belief, Dirichlet):
        belief: dict[str, float] = consumer.belief or {}
        refuse_not_one(findings, (*path, "belief"), belief)
        if name == "cara" and any(belief.get(good, 0.0) == 0 for good in findings.model.markets):
            found = "found an outcome held impossible; expected a probability above 0 of each"
            yield (*path, "belief"), f"{found}: cara would sell it without end"
    if not makes and findings.sound("scheduler"):
        if kind.needs_maker:
            kinds = " or ".join(each for each, other in TRADERS.items() if not other.needs_maker)
            yield (*path, "utility"), f"found {name} without a market maker; expected {MAKER}, or {kinds}"
        if "sees_impact" in written:
            yield (*path, "sees_impact"), f"found sees_impact without a market maker; expected {MAKER}"
    elif kind.always_sees and consumer.sees_impact is False:
        yield (*path, "sees_impact"), f"found false; expected true: {name} is defined by what its trade does to prices"


def unreached_settlement(model: Any) -> str | None:
    """What is wrong with a settlement after the last tick."""
    if model.settlement is None or model.settlement.tick <= model.run.ticks:
        return None
    found = f"found a settlement at tick {number(model.settlement.tick)}, which is not reached"
    return f"{found}; expected at most run.ticks, {number(model.run.ticks)}"
