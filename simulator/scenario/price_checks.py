"""What a scenario says of prices, and what contradicts that: complaints, each with its place."""

from __future__ import annotations

import math

from simulator.kinds.entry import Steps
from simulator.kinds.wording import number, shown
from simulator.scenario.bounds import DEFAULT_FLOOR
from simulator.scenario.document import Document
from simulator.scenario.schema import Good
from simulator.schedulers.scheduler import Findings


def refuse_prices(findings: Findings, document: Document, *, learns: bool) -> None:
    """Complain about prices given twice, that cannot be, or that lie outside their bounds."""
    model, fault = findings.model, findings.fault
    for good, market in model.markets.items():
        if not learns and market.fixed_price is not None and market.fixed_price <= 0:
            fault(("goods", good, "fixed_price"), f"found {number(market.fixed_price)}; expected a number above 0")
        given: dict[Steps, float | None] = {
            ("goods", good, "price"): market.price,
            ("goods", good, "fixed_price"): market.fixed_price,
            ("initial_prices", good): (model.initial_prices or {}).get(good),
        }
        prices = {path: price for path, price in given.items() if price is not None}
        for path in [*prices][1:]:
            elsewhere = document.dotted(next(iter(prices)))
            fault(path, f"found a second price of {shown(good)}; expected one (the other is {elsewhere})", "key")
        outside = (model.outside or {}).get(good)
        if good == model.numeraire and outside not in (None, 1):
            fault(("outside", good), f"found {number(outside)}; expected 1, the price of the numeraire")
        path, price = next(iter(prices.items()), (None, 0.0))
        if path is not None and not findings.sound(*path):
            continue
        if path is None or not _first_price(findings, good, path, price, learns):
            _bounds(findings, good, market, path, price, learns)


def _first_price(findings: Findings, good: str, path: Steps, price: float, learns: bool) -> bool:
    """Whether a price cannot be the first one."""
    outside, scheduler = findings.model.outside or {}, findings.model.scheduler
    multiplicative = getattr(scheduler, "multiplicative", False) and findings.sound("scheduler", "form")
    if good == findings.model.numeraire and price != 1:
        message = "expected 1, the price of the numeraire"
    elif outside.get(good, price) != price:
        message = f"expected the outside price {number(outside[good])}"
    elif price == 0 and multiplicative and not learns:
        message = "expected a price above 0 (0 cannot move under multiplicative)"
    else:
        return False
    findings.fault(path, f"found {number(price)}; {message}")
    return True


def _bounds(findings: Findings, good: str, market: Good, path: Steps | None, price: float, learns: bool) -> None:
    """Complain about a floor or a cap that cannot be, leaves no room, or that the first price, at `path`, breaks."""
    model, bounds = findings.model, {"floor": market.floor, "cap": market.cap}
    given = {key: x for key, x in bounds.items() if x is not None and findings.sound("goods", good, key)}
    floor, cap, why = given.get("floor", -math.inf), given.get("cap", math.inf), model.held(good)
    wrong: dict[Steps, str] = {}
    for key, bound in given.items() if not learns else ():
        if bound < 0 or (key == "cap" and bound == 0):
            expected = "a number of at least 0" if key == "floor" else "a number above 0"
            wrong["goods", good, key] = f"found {number(bound)}; expected {expected}"
    if "cap" in given and why is not None:
        message = f"found a cap on the price of {shown(good)}, which has {why}"
        wrong["goods", good, "cap"] = f"{message}; expected none: a cap keeps a price from rising"
    elif cap < floor and not wrong:
        wrong["goods", good, "cap"] = f"found {number(cap)}; expected at least the floor, {number(floor)}"
    elif path is not None and price > cap:
        wrong[path] = f"found {number(price)}; expected a price of at most the cap {number(cap)}"
    # A floor that is left out is no bound where prices begin at 0.
    elif path is not None and price < floor and (learns or floor > DEFAULT_FLOOR):
        wrong[path] = f"found {number(price)}; expected a price of at least the floor {number(floor)}"
    elif why is not None and path is None and floor > (model.outside or {}).get(good, 1.0):
        wrong["goods", good, "floor"] = f"found {number(floor)} for {shown(good)}, which has {why}; expected none"
    for place, message in wrong.items():
        findings.fault(place, message)
