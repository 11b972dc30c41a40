"""A social accounting matrix becomes an economy that reproduces it, before anything else is asked of a scenario.

Cell `x_rc` is what account `c` pays account `r`. All benchmark prices are 1, so that payments are quantities; a good is
counted in units of its market value at the benchmark.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from simulator.kinds.draws import DrawError, Draws
from simulator.kinds.names import composed
from simulator.kinds.wording import quoted, shown, unknown
from simulator.scenario.bases import lay_over_what_is_made
from simulator.scenario.complaints import validate_part
from simulator.scenario.document import Document, Fault, scalar
from simulator.scenario.origin_keys import Accounts, Calibrate
from simulator.slips import instead, meant

OF_ACCOUNTS = (
    *("goods", "numeraire", "outside", "supply", "initial_prices", "activities", "firms", "consumers"),
    *("taxes", "transfers", "shocks", "run"),
)
"""What cannot be judged where the accounts are not known."""
PAID = {
    "activities": ("activities", "households", "government", "investment", "world"),
    "factors": ("activities",),
    "households": ("factors",),
    "government": ("indirect_tax", "tariff", "households"),
    "investment": ("households", "government", "world"),
    "world": ("activities",),
    "indirect_tax": ("activities",),
    "tariff": ("activities",),
}
"""Who pays whom: each kind of account, and those that it is paid by."""
BALANCED = 1e-6
"""By how much the sums of an account's row and column may differ, relative to the larger."""
EXACT = 1e-12
"""The same where nothing but the rounding of sums is between them."""
VALUE_ADDED = "value_added"
SAM = ("calibrate", "sam")
Payments = dict[tuple[str | None, str | None], float]
"""What is paid, above 0, by `(receiver, payer)`."""


def expand_calibration(document: Document, folder: Path, inputs: Mapping[str, Path]) -> dict[str, Path]:
    """Put the economy of a table of accounts in the place of a document's `calibrate`, below what else it says, and say
    where the table lies; what is wrong with it is a fault of the document.
    """
    if "calibrate" not in document.data or "learning" in document.data:
        # Beside learning there is no place for a table, and that is said there.
        return {}
    before = len(document.faults)
    if document.compiled:
        document.faults.append(Fault(("calibrate",), "found calibrate beside program; expected one of them", "key"))
    said = validate_part(document, "calibrate", Calibrate)
    places = {} if said is None else {said.sam: inputs.get(said.sam, folder / said.sam)}
    made: dict[str, Any] | None = None
    if said is not None:
        try:
            table = _Table(said, Draws(0, places))
            document.faults.extend(table.faults())
            if len(document.faults) == before:
                made = written_out(table.payments(), said)
        except DrawError as error:
            document.faults.append(Fault(SAM, error.message))
    document.data = {key: value for key, value in document.data.items() if key != "calibrate"}
    if made is None:
        # In the place of what nobody can know, so that what is wrong with the rest is said too.
        document.data = {key: value for key, value in document.data.items() if key not in OF_ACCOUNTS}
        buyer = {"name": "buyer", "utility": {"linear": {"good": 1}}, "budget": 1}
        made = {"goods": ["good"], "supply": {"good": 1}, "consumers": [buyer]}
    lay_over_what_is_made(document, made)
    return places


class _Table:
    """A table of accounts as it stands in a file, and what is wrong with it. Raises `DrawError` where it is none."""

    def __init__(self, said: Calibrate, draws: Draws) -> None:
        file = draws.read(said.sam, ".".join(SAM))
        self.accounts, self.place = said.accounts, draws.place(said.sam)
        first, *columns = ([composed(name.strip()), *cells] for name, cells in file.columns.items())
        self.rows = [composed(name.strip()) for name in first[1:]]
        self.columns = {name: cells for name, *cells in columns}
        self.kinds = {name: kind for kind, _, name in self.accounts.named()}

    def faults(self) -> list[Fault]:
        """What is wrong: with names first, then with cells, then with sums and with what cannot be produced."""
        for kind in (self._of_names, self._of_derived_names, self._of_cells, self._of_sums, self._of_activities):
            if faults := list(kind()):
                return faults
        return []

    def payments(self) -> Payments:
        """What is paid, with each account in balance: what rounding has left is spread over its cells."""
        cells = np.array([[self._amount(row, column) for column in self.rows] for row in range(len(self.rows))])
        received, paid = cells.sum(1), cells.sum(0)
        if _apart(received, paid).max() > EXACT:
            # The changes d that are least in sum d^2/x: x_rc (u_r - u_c), u the potentials of the gaps.
            laplacian = np.diag(received + paid) - cells - cells.T
            potential = np.linalg.lstsq(laplacian, paid - received, rcond=None)[0]
            cells *= 1 + potential[:, None] - potential
        return {
            (row, column): cells[at, to].item()
            for at, row in enumerate(self.rows)
            for to, column in enumerate(self.rows)
            if cells[at, to] > 0
        }

    def _amount(self, row: int, column: str) -> float:
        """A cell; an empty one is 0, and what is no number is not a number."""
        value = scalar(self.columns[column][row].strip())
        if value is None:
            return 0.0
        return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else math.nan

    def _cell(self, row: str, column: str) -> str:
        return f"in row {shown(row)}, column {shown(column)} of {self.place}"

    def _of_names(self) -> Iterator[Fault]:
        named, names = self.accounts.named(), list(self.columns)
        if not self.kinds.keys() & names:
            message = f"found no account in the first line of {self.place}"
            yield Fault(SAM, f"{message}; expected the names of all accounts there, the same as in the first column")
            return
        first: dict[str, str] = {}
        for kind, at, name in named:
            path = ("calibrate", "accounts", kind, *([] if at is None else [at]))
            where = kind if at is None else f"{kind}[{at}]"
            if name in first:
                message = f"found {shown(name)} twice; expected it once (the other is accounts.{first[name]})"
                yield Fault(path, message)
            elif name not in names:
                yield Fault(path, unknown(f"account of {self.place}", name, names))
            first.setdefault(name, where)
        for name in names:
            if name not in first:
                message = f"found a column {quoted(name)} in {self.place} that is not among accounts"
                yield Fault(SAM, f"{message}; expected accounts to say what it is, or no such row and column")
            if name not in self.rows:
                yield Fault(SAM, f"found a column {quoted(name)} in {self.place} and no such row; expected both")
        for at, name in enumerate(self.rows):
            if name not in names:
                yield Fault(SAM, f"found a row {quoted(name)} in {self.place} and no such column; expected both")
            elif name in self.rows[:at]:
                yield Fault(SAM, f"found the row {quoted(name)} in {self.place} twice; expected it once")

    def _of_derived_names(self) -> Iterator[Fault]:
        """Accounts that are called what something is that is written out beside them."""
        derived = {VALUE_ADDED: "the nest of factors"}
        if self.accounts.world is not None:
            for name in self.accounts.activities:
                derived |= {home_of(name): f"what {name} makes for home", supply_of(name): f"who supplies {name}"}
        for name in self.kinds:
            if name in derived:
                message = f"found the account {shown(name)}, which is what {derived[name]} is called"
                yield Fault(SAM, f"{message}; expected another name")

    def _of_cells(self) -> Iterator[Fault]:
        for row, receiver in enumerate(self.rows):
            for payer in self.columns:
                amount, kind = self._amount(row, payer), self.kinds[receiver]
                where = self._cell(receiver, payer)
                if not math.isfinite(amount):
                    written = self.columns[payer][row].strip()
                    message = f"found {quoted(written)} {where}; expected a number of at least 0, or nothing"
                    yield Fault(SAM, message + meant(instead("number", written)))
                elif amount and self.kinds[payer] not in PAID[kind]:
                    by = ", ".join(PAID[kind])
                    message = f"found {amount:g} {where}, paid by {shown(payer)} ({self.kinds[payer]})"
                    yield Fault(SAM, f"{message}; expected nothing there: {kind} are paid by {by} alone")
                elif amount < 0:
                    message = f"found {amount:g} {where}; expected at least 0"
                    opposite = self.kinds[receiver] in PAID[self.kinds[payer]]
                    better = f"{-amount:g} {self._cell(payer, receiver)}" if opposite else None
                    yield Fault(SAM, message + meant(better))

    def _of_sums(self) -> Iterator[Fault]:
        for at, name in enumerate(self.rows):
            received = math.fsum(self._amount(at, column) for column in self.columns)
            paid = math.fsum(self._amount(row, name) for row in range(len(self.rows)))
            if _apart(np.array([received]), np.array([paid])).item() > BALANCED:
                message = f"found a row {shown(name)} of {self.place} that sums to {received:.10g}"
                message += f" and a column {shown(name)} that sums to {paid:.10g} ({received - paid:+.10g})"
                yield Fault(SAM, f"{message}; expected the same sum, to a part in a million")

    def _of_activities(self) -> Iterator[Fault]:
        payments, of = self.payments(), self.accounts
        if not payments:
            yield Fault(SAM, f"found no payment in {self.place}; expected what the accounts pay each other")
        for name in of.activities:
            made = _Made.of(name, payments, of)
            if made.home < 0:
                message = f"found exports of {made.exports:.10g} {self._cell(name, str(of.world))}"
                yield Fault(SAM, f"{message}, and {made.output:.10g} made of it; expected at most what is made")
            for tax, cell, base, what in (
                (of.tariff, made.tariff, made.imports, "no imports"),
                (of.indirect_tax, made.indirect_tax, made.cost, "nothing used"),
            ):
                if cell and not base:
                    message = f"found {cell:g} {self._cell(str(tax), name)}, and {what} by {shown(name)}"
                    yield Fault(SAM, f"{message}; expected something to tax, or no tax")


def _apart(received: np.ndarray, paid: np.ndarray) -> np.ndarray:
    """Relative gaps between sums of rows and of columns, 0 where both are 0."""
    larger = np.maximum(received, paid)
    return np.abs(received - paid) / np.where(larger > 0, larger, 1.0)


def home_of(activity: str) -> str:
    """The good that an activity makes for home, where there are imports beside it."""
    return f"{activity}_home"


def supply_of(activity: str) -> str:
    """The firm that makes what is bought of what is made at home and of imports."""
    return f"{activity}_supply"


class _Made(NamedTuple):
    """What an activity costs before tax, and what becomes of what it makes."""

    cost: float
    indirect_tax: float
    exports: float
    imports: float
    tariff: float

    @classmethod
    def of(cls, name: str, payments: Payments, of: Accounts) -> _Made:
        """An activity of the table."""
        cost = math.fsum(payments.get((row, name), 0.0) for row in (*of.activities, *of.factors))
        taken = [payments.get((row, name), 0.0) for row in (of.indirect_tax, of.world, of.tariff)]
        return cls(cost, taken[0], payments.get((name, of.world), 0.0), *taken[1:])

    @property
    def output(self) -> float:
        """What it makes, worth at market prices."""
        return self.cost + self.indirect_tax

    @property
    def home(self) -> float:
        """What of it is sold at home."""
        left = self.output - self.exports
        return left if abs(left) > EXACT * self.output else 0.0

    @property
    def supply(self) -> float:
        """What is bought at home of it and of imports."""
        return self.home + self.imports + self.tariff


def written_out(payments: Payments, said: Calibrate) -> dict[str, Any]:
    """The scenario that reproduces what is paid, as plain data. Of accounts that receive nothing it has nothing."""
    of = said.accounts.among({receiver for receiver, _ in payments})
    said = said.model_copy(update={"accounts": of})
    economy: dict[str, Any] = {"goods": [], "numeraire": of.world or (of.factors or of.activities)[-1]}
    economy |= {"firms": [], "consumers": [], "taxes": [], "transfers": []}
    for name in of.activities:
        _add_activity(economy, name, payments, said)
    economy["goods"] += [*of.factors, *([] if of.world is None else [of.world])]
    for name in of.households:
        taste = {"elasticity": _number(said.elasticities.household)}
        _add_consumer(economy, name, taste, _paid_to(payments, name, of.factors), payments, of)
    if of.government is not None:
        _add_consumer(economy, of.government, {}, {}, payments, of)
    if of.investment is not None:
        lent = {} if of.world is None else _paid_to(payments, of.investment, [of.world])
        _add_consumer(economy, of.investment, {}, lent, payments, of)
    return {key: value for key, value in economy.items() if value} | {
        "trade": "at_equilibrium",
        "run": {"ticks": 10000},
    }


def _add_activity(economy: dict[str, Any], name: str, payments: Payments, said: Calibrate) -> None:
    """The firms of an activity: one that makes it and, where there is a world, one that supplies it with imports."""
    of, elasticity, made = said.accounts, said.elasticities, _Made.of(name, payments, said.accounts)
    world, home = of.world, name if said.accounts.world is None else home_of(name)
    economy["goods"] += [good for good, worth in {name: made.supply, home: made.home}.items() if worth]
    if made.output:
        rate = made.indirect_tax / made.cost
        outputs = _above_0({home: made.home, str(world): made.exports})
        technology: dict[str, Any] = {"outputs": outputs}
        if rate:
            technology["output_prices"] = dict.fromkeys(outputs, 1 / (1 + rate))
        if world is not None:
            technology["transformation"] = _number(elasticity.transformation)
        technology["elasticity"] = _number(elasticity.intermediates)
        if inputs := _paid_by(payments, name, of.activities):
            technology["inputs"] = inputs
        if factors := _paid_by(payments, name, of.factors):
            nest = {"elasticity": _number(elasticity.value_added), "inputs": factors}
            technology["nests"] = {VALUE_ADDED: nest}
        _add_firm(economy, name, technology)
        if of.indirect_tax is not None:
            tax = {"name": f"indirect_tax_{name}", "on": "output", "of": name, "rate": _number(rate), "base": "net"}
            economy["taxes"].append({**tax, "to": of.government})
    if world is not None and made.supply:
        technology = {"outputs": {name: _number(made.supply)}, "elasticity": _number(elasticity.armington)}
        technology["inputs"] = _above_0({home: made.home, world: made.imports})
        rate = made.tariff / made.imports if made.imports else 0.0
        if rate:
            technology["prices"] = {world: 1 + rate}
        _add_firm(economy, supply_of(name), technology)
        if of.tariff is not None and made.imports:
            tax = {"name": f"tariff_{name}", "on": "input", "of": supply_of(name), "good": world, "rate": _number(rate)}
            economy["taxes"].append({**tax, "to": of.government})


def _add_firm(economy: dict[str, Any], name: str, technology: dict[str, Any]) -> None:
    economy["firms"].append({"name": name, "technology": {"reference": technology}, "behaviour": "activity"})


def _add_consumer(
    economy: dict[str, Any],
    name: str,
    taste: dict[str, Any],
    endowment: dict[str, Any],
    payments: Payments,
    of: Accounts,
) -> None:
    """A consumer who buys as in the table, and passes on the shares of its income that others get of it."""
    income = math.fsum(amount for (receiver, _), amount in payments.items() if receiver == name)
    # Who buys nothing spends evenly what it may come to keep.
    demand = _paid_by(payments, name, of.activities) or {good: 1 for good in of.activities if good in economy["goods"]}
    consumer: dict[str, Any] = {"name": name, "utility": {"reference": {"demand": demand, **taste}}}
    economy["consumers"].append(consumer | ({"endowment": endowment} if endowment else {}))
    for word, to in (("direct_tax", of.government), ("saving", of.investment)):
        if passed := payments.get((to, name)):
            transfer = {"name": f"{word}_{name}", "from": name, "to": to, "share": _number(passed / income)}
            economy["transfers"].append(transfer)


def _paid_by(payments: Payments, payer: str, receivers: Iterable[str]) -> dict[str, Any]:
    return _above_0({receiver: payments.get((receiver, payer), 0.0) for receiver in receivers})


def _paid_to(payments: Payments, receiver: str, payers: Iterable[str]) -> dict[str, Any]:
    return _above_0({payer: payments.get((receiver, payer), 0.0) for payer in payers})


def _above_0(amounts: Mapping[str, float]) -> dict[str, Any]:
    return {name: _number(amount) for name, amount in amounts.items() if amount}


def _number(amount: float) -> float:
    """A number as one would write it: 15 for 15.0."""
    return int(amount) if amount.is_integer() else amount
