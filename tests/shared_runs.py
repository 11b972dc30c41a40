"""Runs of shipped scenarios that many tests look at: each is done once, by whichever worker asks for it first."""

from __future__ import annotations

import fcntl
import os
import pickle
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import pytest

from tests import house

if TYPE_CHECKING:
    from tests.house import Run, Scenario

FOLDER = Path(__file__).parents[1] / "scenarios"
UNCHANGED: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True)
class SharedRuns:
    """Finished runs of the files in `scenarios/`, by name and changed settings. To be read, never to be changed."""

    root: Path
    known: dict[str, Run] = field(default_factory=dict)

    def run(self, name: str, settings: Mapping[str, Any] = UNCHANGED) -> Run:
        """The run in memory: its tables and its summary."""
        key = _key(name, settings)
        if key not in self.known:

            def simulated(file: Path) -> None:
                file.write_bytes(pickle.dumps(house.simulate(_scenario(name, settings))))

            self.known[key] = pickle.loads(self._once(f"{key}.pickle", simulated).read_bytes())
        return self.known[key]

    def folder(self, name: str, settings: Mapping[str, Any] = UNCHANGED) -> Path:
        """The run's folder, without figures. Copy it where a test writes into it."""
        return self._once(_key(name, settings), lambda folder: house.run_to_disk(_scenario(name, settings), folder))

    def _once(self, key: str, make: Callable[[Path], Any]) -> Path:
        """Where `make` has put something, in this process or in another, just now or before."""
        kept = self.root / key
        with (self.root / f"{key}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not kept.exists():
                with TemporaryDirectory(dir=self.root) as new:
                    make(Path(new) / key)
                    (Path(new) / key).rename(kept)
        return kept


def _scenario(name: str, settings: Mapping[str, Any]) -> Scenario:
    return house.load(next(FOLDER.rglob(f"{name}.yaml")), settings=settings)


def _key(name: str, settings: Mapping[str, Any]) -> str:
    return f"{name}-{sha256(repr(sorted(settings.items())).encode()).hexdigest()[:8]}"


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> SharedRuns:
    """Runs of shipped scenarios, shared by all tests and all workers: `shared.run("town")`, `shared.folder("town")`."""
    base = tmp_path_factory.getbasetemp()
    root = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "shared_runs"
    root.mkdir(exist_ok=True)
    return SharedRuns(root)
