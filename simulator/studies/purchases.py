"""Tastes from purchases: how rational they are, which form explains those it has not seen, and its numbers."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import numpy as np

from simulator.economics.forms import Array
from simulator.errors import RunFolderError
from simulator.records.report import plain, versions
from simulator.scenario.document import dump
from simulator.sentences import LEARNT, said
from simulator.studies.afriat import efficiency, random_efficiencies
from simulator.studies.purchase_data import Mask, PurchaseData, Purchases, read_purchases, together
from simulator.studies.tastes import FORMS, TasteForm, standard_errors
from simulator.terminal import Progress, silent

if TYPE_CHECKING:
    import pandas as pd

HOLD_OUT = 0.25
ROUNDING = 1e-20
"""Squared gaps of shares that differ by no more are the same."""
TABLES = ("tastes", "efficiency", "held_out")
OURS = frozenset([*(f"{table}.csv" for table in TABLES), "consumers.yaml", "summary.json", "figures"])
"""What there is in the folder of tastes."""


@dataclass(frozen=True)
class HeldOut:
    """How the forms, the simplest first, explain what was held out: squared gaps of shares `(forms, periods)`."""

    gaps: Array

    @property
    def errors(self) -> Array:
        """Mean squared gaps, `(forms,)`."""
        return self.gaps.mean(axis=1)

    @property
    def least(self) -> int:
        """The form of least error, of the same one the simplest."""
        return int(np.argmax(self.errors <= self.errors.min() + ROUNDING))

    @property
    def differences(self) -> Array:
        """By how much each is worse than the best, period by period, `(forms, periods)`."""
        return self.gaps - self.gaps[self.least]

    @property
    def standard_errors(self) -> Array:
        """Of the mean of the differences, `(forms,)`; not a number for one period alone."""
        periods = self.gaps.shape[1]
        return (
            self.differences.std(axis=1, ddof=1) / np.sqrt(periods) if periods > 1 else np.full(len(self.gaps), np.nan)
        )

    @property
    def simplest(self) -> int:
        """The simplest form that is worse than the best by no more than one standard error."""
        near = self.differences.mean(axis=1) <= np.fmax(self.standard_errors, ROUNDING)
        return int(np.argmax(near))


class Estimated(NamedTuple):
    """A form with its numbers, and their standard errors."""

    form: TasteForm
    numbers: Array
    errors: Array


@dataclass(frozen=True)
class Taste:
    """What is learnt of a household: of the `goods` it ever bought; `index` is Afriat's, `low` and `median`
    the 5 % quantile and the median of random choices on its budgets; `fits` are the forms fitted to all its purchases.
    """

    purchases: Purchases
    goods: tuple[str, ...]
    index: float
    low: float
    median: float
    held_out: HeldOut
    fits: list[Estimated]

    @property
    def named(self) -> Estimated:
        """The simplest form that explains what was held out about as well as any."""
        return self.fits[self.held_out.simplest]


@dataclass(frozen=True)
class LearntTastes:
    """What purchases tell of tastes.

    `tastes`, `efficiency` and `held_out` are DataFrames as in the CSV files, `consumers` entries of a scenario, and
    `summary` is a dict.
    """

    name: str
    goods: tuple[str, ...]
    learnt: list[Taste]
    households: int
    hold_out: float
    seed: int

    @cached_property
    def tastes(self) -> pd.DataFrame:
        """`household, form, parameter, estimate, standard_error`, a row for each number of each form."""
        import pandas as pd

        rows: list[tuple[str, str, str, float, float]] = []
        for taste in self.learnt:
            for form, numbers, errors in taste.fits:
                cells = zip(form.labels(taste.goods), numbers.tolist(), errors.tolist(), strict=True)
                rows += [(taste.purchases.household, form.name, *row) for row in cells]
        return pd.DataFrame(rows, columns=["household", "form", "parameter", "estimate", "standard_error"])

    @cached_property
    def efficiency(self) -> pd.DataFrame:
        """`household, periods, efficiency, random_5_percent, random_median`, a row each household."""
        import pandas as pd

        rows = [
            (taste.purchases.household, len(taste.purchases.periods), taste.index, taste.low, taste.median)
            for taste in self.learnt
        ]
        columns = ["household", "periods", "efficiency", "random_5_percent", "random_median"]
        return pd.DataFrame(rows, columns=columns)

    @cached_property
    def held_out(self) -> pd.DataFrame:
        """`household, form, parameters, periods, error, difference, standard_error, least, simplest`: a row each."""
        import pandas as pd

        rows: list[dict[str, Any]] = []
        for taste in self.learnt:
            held = taste.held_out
            columns = zip(held.errors, held.differences.mean(axis=1), held.standard_errors, strict=True)
            for at, ((form, *_), (error, difference, standard_error)) in enumerate(
                zip(taste.fits, columns, strict=True)
            ):
                rows.append(
                    {
                        "household": taste.purchases.household,
                        "form": form.name,
                        "parameters": form.parameters,
                        "periods": held.gaps.shape[1],
                        "error": error,
                        "difference": difference,
                        "standard_error": standard_error,
                        "least": int(at == held.least),
                        "simplest": int(at == held.simplest),
                    }
                )
        return pd.DataFrame(rows)

    @property
    def consumers(self) -> list[dict[str, Any]]:
        """Entries of a scenario with the goods of the purchases: each spends what it spent in a period, on average."""
        return [
            {
                "name": taste.purchases.household,
                **({"count": self.households} if len(self.learnt) < self.households else {}),
                "budget": float(taste.purchases.spent.mean()),
                "utility": taste.named.form.utility(taste.named.numbers, taste.goods),
            }
            for taste in self.learnt
        ]

    @cached_property
    def summary(self) -> dict[str, Any]:
        """What summary.json holds."""
        worst = min(self.learnt, key=lambda taste: taste.index)
        forms = Counter(taste.named.form.name for taste in self.learnt)
        facts = {
            "households": self.households,
            "learnt": len(self.learnt),
            "goods": len(self.goods),
            "periods": sum(len(taste.purchases.periods) for taste in self.learnt),
            "rational": sum(taste.index == 1 for taste in self.learnt),
            "waste": 1 - worst.index,
            "least_efficient": worst.purchases.household,
            "by_chance": [taste.purchases.household for taste in self.learnt if taste.index <= taste.median < 1],
            "weak": [taste.purchases.household for taste in self.learnt if taste.low == 1],
        }
        named = [f"{name} ({count})" for name, count in forms.most_common()]
        sentence = ". ".join(said(LEARNT, {**facts, "form": worst.named.form.name, "forms": named})) + "."
        own = {"hold_out": self.hold_out, "seed": self.seed, "forms": dict(forms), "versions": versions("arrays")}
        return plain({"name": self.name, "sentence": sentence, **facts, **own})


def fit_purchases(
    file: str | Path,
    *,
    pooled: bool = False,
    hold_out: float = HOLD_OUT,
    seed: int = 0,
    out: str | Path | None = None,
    progress: Progress = silent,
) -> LearntTastes:
    """Learn tastes from purchases, a CSV file with columns `household, period, good, price, quantity`: those of each
    household, or of all `pooled`; written to the folder `out`, if given.

    The last part `hold_out` of each household's periods tells which form to name. Random choices are drawn from the
    `seed`. Raises `ScenarioError` for what is wrong in the file, `ValueError` for a part that is not between 0 and 1,
    and for a seed that is none, `RunFolderError` where `out` cannot be a folder.
    """
    part, drawn = cast("Any", hold_out), cast("Any", seed)
    if not isinstance(part, (int, float)) or not 0 < part < 1:
        raise ValueError(f"found hold_out {part!r}; expected a number above 0 and below 1")
    if not isinstance(drawn, int) or drawn < 0:
        raise ValueError(f"found seed {drawn!r}; expected a whole number of at least 0")
    above = Path() if out is None else next(at for at in (Path(out), *Path(out).absolute().parents) if at.exists())
    if not above.is_dir():
        raise RunFolderError(f"{above}: found a file; expected a folder or nothing")
    found = learn(read_purchases(Path(file)), pooled=pooled, hold_out=hold_out, seed=seed, progress=progress)
    if out is not None:
        write(found, Path(out))
    return found


def learn(data: PurchaseData, *, pooled: bool, hold_out: float, seed: int, progress: Progress) -> LearntTastes:
    """The same of purchases that are read."""
    held = [_last(each, hold_out) for each in data.households]
    asked = [(each, each.at(~last), each.at(last)) for each, last in zip(data.households, held, strict=True)]
    if pooled:
        whole, seen, rest = zip(*asked, strict=True)
        asked = [(together(whole), together(seen), together(rest))]
    learnt: list[Taste] = []
    for done, (whole, seen, rest) in enumerate(asked):
        progress("household", done, len(asked))
        learnt.append(_learnt(data.goods, whole, seen, rest, seed))
    return LearntTastes(data.name, data.goods, learnt, len(data.households), hold_out, seed)


def _last(of: Purchases, part: float) -> Mask:
    """Which periods are held out, `(periods,)`: the last ones, as many as come nearest to the part, but one at least
    and not all.
    """
    periods = len(of.periods)
    held = min(max(1, round(part * periods)), periods - 1)
    return np.arange(periods) >= periods - held


def _learnt(goods: tuple[str, ...], whole: Purchases, seen: Purchases, held: Purchases, seed: int) -> Taste:
    """What is learnt of a household from the `whole`, and how the forms fitted to what is `seen` explain the rest."""
    known, some = _bought(seen), _bought(whole)
    gaps: list[Array] = []
    for kind in FORMS:
        form, shares = kind(int(known.sum())), np.zeros(held.prices.shape)
        # Of a good that was never bought before, the forms expect that it never is.
        shares[:, known] = form.shares(form.fit(seen.of(known)).u, held.prices[:, known], held.spent)[0]
        gaps.append(np.sum((shares - held.shares) ** 2, axis=1))
    names = tuple(good for good, is_bought in zip(goods, some.tolist(), strict=True) if is_bought)
    index = float(efficiency(whole.prices, whole.quantities))
    draws = np.random.default_rng([seed, *whole.household.encode()])
    low, median = np.quantile(random_efficiencies(whole.prices, whole.spent, draws), (0.05, 0.5)).tolist()
    bought = whole.of(some)
    fits = [_estimated(kind(len(names)), bought) for kind in FORMS]
    return Taste(whole, names, index, low, median, HeldOut(np.array(gaps)), fits)


def _estimated(form: TasteForm, bought: Purchases) -> Estimated:
    fitted = form.fit(bought)
    return Estimated(form, form.numbers(fitted.u)[0], standard_errors(form, fitted, bought))


def _bought(purchases: Purchases) -> Mask:
    """Which goods were ever bought, `(goods,)`."""
    return np.any(purchases.quantities > 0, axis=0)


def write(found: LearntTastes, folder: Path) -> None:
    """Write the files of tastes that were learnt, and their figure."""
    from simulator.figures.study_purchases import draw

    folder.mkdir(parents=True, exist_ok=True)
    for name in TABLES:
        table: pd.DataFrame = getattr(found, name)
        table.to_csv(folder / f"{name}.csv", index=False, lineterminator="\n", encoding="utf-8")
    (folder / "consumers.yaml").write_bytes(consumers_text(found).encode())
    draw(found.efficiency, found.held_out, found.summary, folder / "figures" / "tastes.png")
    text = json.dumps(found.summary, indent=2, ensure_ascii=False, allow_nan=False)
    (folder / "summary.json").write_bytes(f"{text}\n".encode())


def consumers_text(found: LearntTastes) -> str:
    """The consumers of a scenario, as YAML."""
    head = f"# Tastes learnt from {found.name}.csv, for a scenario with goods: [{', '.join(found.goods)}]\n"
    return head + dump({"consumers": found.consumers})
