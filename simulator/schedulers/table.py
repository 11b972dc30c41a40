"""The schedulers there are, a row each, and the field of a scenario that holds the settings of one of them."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import ValidationInfo
from pydantic_core import core_schema

from simulator.dynamics.price_rules import RECIPES
from simulator.kinds.entry import Complaint, Entry, Known, refusal
from simulator.kinds.wording import choice, nearest
from simulator.records.columns import TABLES, Sheet
from simulator.schedulers.learning import LearningSettings
from simulator.schedulers.marginal_bids import MarginalBidsSettings
from simulator.schedulers.market_maker import MarketMakerSettings
from simulator.schedulers.scheduler import SchedulerSettings
from simulator.schedulers.tatonnement_settings import TatonnementSettings
from simulator.schedulers.trading_post import TradingPostSettings
from simulator.slips import meant

SCHEDULERS: dict[str, type[SchedulerSettings]] = {
    "tatonnement": TatonnementSettings,
    "marginal_bids": MarginalBidsSettings,
    "trading_post": TradingPostSettings,
    "market_maker": MarketMakerSettings,
    "learning": LearningSettings,
}


def by_kind() -> dict[str, type[SchedulerSettings]]:
    """The schedulers that `scheduler: {kind: ...}` asks for."""
    return {name: settings for name, settings in SCHEDULERS.items() if "kind" in settings.model_fields}


def plans(kind: object) -> bool:
    """Whether agents plan under a scheduler of this kind; they would under one that is not known."""
    return not isinstance(kind, str) or kind not in SCHEDULERS or SCHEDULERS[kind].plans


def all_tables() -> dict[str, Sheet]:
    """Every CSV of a run with all the columns that some scheduler writes."""
    added = {name: [column for kind in SCHEDULERS.values() for column in kind.columns.get(name, ())] for name in TABLES}
    return {name: sheet._replace(columns=(*sheet.columns, *added[name])) for name, sheet in TABLES.items()}


class _ByKind:
    """Marks the field that holds the settings of one scheduler, told by its `kind`."""

    def models(self, known: Known, value: Any = None) -> list[type[Entry]]:
        """The settings that a value may be."""
        kind = value.get("kind", "tatonnement") if isinstance(value, dict) else None
        return [by_kind()[kind]] if isinstance(kind, str) and kind in by_kind() else list(by_kind().values())

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> core_schema.CoreSchema:
        return core_schema.with_info_plain_validator_function(self._read)

    def __get_pydantic_json_schema__(self, schema: Any, handler: Any) -> dict[str, Any]:
        return {"choice": self}

    def _read(self, value: object, info: ValidationInfo) -> Any:
        if isinstance(value, tuple(by_kind().values())):
            return value
        kind = value.get("kind", "tatonnement") if isinstance(value, dict) else "tatonnement"
        if not isinstance(kind, str) or kind not in by_kind():
            rule = nearest(kind, RECIPES) if isinstance(kind, str) else None
            said = f"{choice(kind, list(by_kind()), suggest=not rule)}{meant(rule and f'rule: {rule}')}"
            raise refusal(Complaint(("kind",), said))
        return by_kind()[kind].model_validate(value, context=info.context)


AnyScheduler = Annotated[Any, _ByKind()]
