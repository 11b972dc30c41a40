"""Constant elasticities of substitution, and trees of them: how they are written, and the forms they build."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar, Self

from pydantic import Field, ValidationInfo, model_validator

from simulator.economics import nests
from simulator.economics.forms import CES, Form
from simulator.kinds.distributions import Array
from simulator.kinds.draws import Reader
from simulator.kinds.entry import Complaint, Entry, Known, Name, refusal
from simulator.kinds.numbers import AnyAmount, AnyRho, ByName, Dirichlet, Draw, Table, amounts_in, wanted
from simulator.kinds.wording import one_of, shown


class Tree(Entry):
    """What a CES and a nest have in common: an elasticity, numbers by good or nest, and the nests."""

    tables: ClassVar[tuple[str, ...]] = ("shares", "weights")
    """The keys under which it says how much of what."""

    if TYPE_CHECKING:
        elasticity: float | Draw | None
        rho: float | Draw | None
        nests: dict[Name, Nest] | None

    @property
    def key(self) -> str:
        """The one of `tables` that is given."""
        return next(key for key in self.tables if getattr(self, key) is not None)

    @property
    def table(self) -> Table:
        """How much of what."""
        return getattr(self, self.key)

    def leaves(self) -> Iterator[tuple[tuple[str, ...], str]]:
        """The goods of the tree in order, each with the path to it."""
        nests = self.nests or {}
        within = (self.key, "dirichlet") if isinstance(self.table, Dirichlet) else (self.key,)
        for name in amounts_in(self.table):
            if name in nests:
                yield from ((("nests", name, *path), good) for path, good in nests[name].leaves())
            else:
                yield (*within, name), name

    def goods(self) -> tuple[str, ...]:
        """The goods of the tree, in order."""
        return tuple(dict.fromkeys(good for _, good in self.leaves()))

    @model_validator(mode="after")
    def _convention(self, info: ValidationInfo) -> Self:
        how = [key for key in ("elasticity", "rho", *self.tables) if getattr(self, key) is not None]
        allowed = [("elasticity", table) for table in self.tables] + [("rho", "weights")]
        if not any(set(how) == set(pair) for pair in allowed):
            conventions = one_of(f"{{{', '.join(pair)}}}" for pair in allowed)
            given = ", ".join(how) or "an empty mapping"
            raise refusal(Complaint((), f"found {given}; expected {conventions}"))
        drawn = isinstance(self.elasticity, Draw) or isinstance(self.rho, Draw)
        wanted(self.table, 1.0 if drawn or self.key != "weights" else self._elasticity(), (self.key,))
        complaints = list(self._strangers(Known.of(info)))
        if complaints:
            raise refusal(*complaints)
        return self

    def _strangers(self, known: Known) -> Iterator[Complaint]:
        """What is wrong with the names: goods, each once in the tree, and nests, each used and called otherwise."""
        seen: set[str] = set()
        for path, good in self.leaves():
            said = known.stranger(good) if path[0] != "nests" else None
            if good in seen:
                said = f"found the good {shown(good)} twice in a tree; expected it once"
            if said is not None:
                yield Complaint(path, said, "key")
            seen.add(good)
        for name in self.nests or {}:
            if name in (known.goods or {}):
                message = f"found {shown(name)}, which is a good; expected a name of its own"
                yield Complaint(("nests", name), message, "key")
            elif name not in amounts_in(self.table):
                message = f"found a nest that no share names; expected {shown(name)} among {self.key}"
                yield Complaint(("nests", name), message, "key")

    def _elasticity(self) -> float:
        if self.rho is None:
            return float(self.elasticity) if isinstance(self.elasticity, float | int) else 1.0
        return 1.0 / (1.0 - self.rho) if isinstance(self.rho, float | int) else 1.0

    def substitution(self, read: Reader) -> Array:
        """The elasticity of substitution, `1/(1 - rho)` where that is given, `(rows,)`."""
        if self.elasticity is not None:
            return read.number(self.elasticity, "elasticity")
        assert self.rho is not None
        return 1.0 / (1.0 - read.number(self.rho, "rho"))

    def form(self, read: Reader) -> Form:
        """A CES over the goods to be read, or a tree of them."""
        if self.nests:
            return self.nest(read)
        elasticity, parameters = self.substitution(read), read.table(self.table, self.key)
        return CES.from_weights(elasticity, parameters) if self.key == "weights" else CES(elasticity, parameters)

    def nest(self, read: Reader) -> nests.Nest:
        """A tree over the goods to be read."""
        names, below = list(amounts_in(self.table)), self.nests or {}
        branches = [
            below[name].nest(read.at("nests", name)) if name in below else read.goods.index(name) for name in names
        ]
        make = nests.Nest.of_weights if self.key == "weights" else nests.Nest.of_shares
        table = read.table(self.table, self.key, names=names)
        return make(len(read.goods), branches, self.substitution(read), table)


class Nest(Tree):
    """A good made of goods, with an elasticity of substitution of its own."""

    elasticity: AnyAmount | None = Field(None, description="elasticity of substitution; 0 fixed proportions")
    rho: AnyRho | None = Field(None, description="exponent in (sum w x^rho)^(1/rho), with weights")
    shares: ByName | None = Field(None, description="spending shares at equal prices, by good or nest")
    weights: ByName | None = Field(None, description="weights w in (sum w x^rho)^(1/rho), by good or nest")
    nests: dict[Name, Nest] | None = Field(
        None, description="what the names among the shares that are no goods stand for"
    )
