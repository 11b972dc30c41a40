"""Faults put into the house on purpose. Each must take effect, or the test that injects it fails."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator
from typing import Any

import pytest

Change = Callable[..., Any]
Inject = Callable[[Any, str, Change], None]


@pytest.fixture
def inject(monkeypatch: pytest.MonkeyPatch) -> Iterator[Inject]:
    """`inject(owner, name, change)`: what `owner.name` returns goes through `change(result, *arguments)` first.

    At the end of the test every fault must have been asked for and have changed something.
    """
    effects: dict[str, bool] = {}

    def put(owner: Any, name: str, change: Change) -> None:
        honest, place = getattr(owner, name), f"{getattr(owner, '__name__', owner)}.{name}"
        effects[place] = False

        def broken(*arguments: Any, **more: Any) -> Any:
            result = honest(*arguments, **more)
            changed = change(result, *arguments)
            effects[place] |= pickle.dumps(changed) != pickle.dumps(result)
            return changed

        monkeypatch.setattr(owner, name, broken)

    yield put
    assert all(effects.values()), f"faults without effect: {[place for place, seen in effects.items() if not seen]}"
