"""How goods and money change hands: the keys of `trade`."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import ConfigDict, Field

from simulator.kinds.entry import Entry


class EveryTick(Entry):
    """Trade in every tick, rationed out of equilibrium."""

    rationing: Literal["proportional"] = Field("proportional", description="how too little is shared out")
    spoilage: Annotated[float, Field(ge=0, le=1)] | None = Field(
        None, description="part of the unsold stock lost per tick; default 1, or 0 with inventories"
    )
    inventories: bool | None = Field(None, description="keep unsold goods in stock (default: if spoilage is below 1)")

    @property
    def spoils(self) -> float:
        """The part of the unsold stock that is lost per tick."""
        return self.spoilage if self.spoilage is not None else 0.0 if self.inventories else 1.0


class Trade(Entry):
    """A kind of trade with its options."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1, "maxProperties": 1})
    key_word: ClassVar[str] = "kind"
    every_tick: EveryTick | None = Field(None, description="goods and money move in every tick")
