"""How a study is opened: its document, the folder that its paths are seen from, and the scenario that it is about."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from simulator.errors import Problem, ScenarioError
from simulator.kinds.names import NAME_RULE, composed, name_fault
from simulator.kinds.wording import found
from simulator.scenario import Scenario, load
from simulator.scenario.document import Fault, from_data
from simulator.scenario.resolve import files_of
from simulator.scenario.yaml_text import compose, read

INLINE = "inline"
"""What stands in the place of a scenario that is written into the study while the study's own keys are read."""
Source = str | Path | Mapping[str, Any]


class Opened:
    """A study: its `document`, in which a `scenario` that is written into it is left out, and the `folder` of its file
    (that of the caller if it is Python data).
    """

    def __init__(self, source: Source) -> None:
        given: Any = source
        if not isinstance(given, Mapping | str | os.PathLike):
            message = f"found {found(given)}; expected a study: the path of its file, or a dict {{'scenario': ...}}"
            raise ScenarioError([Problem("<study>", 0, 0, "", message)])
        if isinstance(source, Mapping):
            self.document, self.folder, self._stem = from_data(source, "<study>"), Path(), "study"
        else:
            self.document = compose(read(source, "study"), str(source))
            self.folder, self._stem = Path(source).parent, composed(Path(source).stem)
        if "scenario" not in self.document.data and {"goods", "program", "learning"} & self.document.data.keys():
            message = "found a scenario; expected a study, which names one: scenario: FILE; did you mean simulator run?"
            raise ScenarioError([self.document.problem(Fault((), message))])
        self._scenario: Any = self.document.data.get("scenario")
        if isinstance(self._scenario, dict):
            self.document.data = {**self.document.data, "scenario": INLINE}

    def name(self, given: str | None) -> str:
        """The study's name: as given, or its file's. Raises `ScenarioError` if that cannot be one."""
        if given is None and name_fault(self._stem):
            message = f"found no name, and the file's {self._stem!r} cannot be one; expected {NAME_RULE}"
            self.complain(("name",), message, "parent")
            self.refuse()
        return given or self._stem

    def scenario(self) -> Scenario:
        """The scenario that the study is about. Raises `ScenarioError`."""
        if not isinstance(self._scenario, dict):
            return load(self.folder / str(self._scenario))
        written = cast("dict[str, Any]", self._scenario)
        files = {file: self.folder / file for file in files_of(written).values() if ".." not in Path(file).parts}
        try:
            return load({"name": self._stem, **written}, inputs=files)
        except ScenarioError as error:
            place = self.document.problem(Fault(("scenario",), ""))
            paths = ("scenario" + (f".{problem.path}" if problem.path else "") for problem in error.problems)
            pairs = zip(error.problems, paths, strict=True)
            raise ScenarioError(replace(place, path=path, message=p.message) for p, path in pairs) from None

    def complain(self, path: tuple[str | int, ...], message: str, spot: Any = "value") -> None:
        """Note what is wrong at a place of the study."""
        self.document.faults.append(Fault(path, message, spot))

    def refuse(self) -> None:
        """Raise what there is to complain of."""
        if self.document.faults:
            problems = [self.document.problem(fault) for fault in self.document.faults]
            raise ScenarioError(sorted(problems, key=lambda problem: (problem.line, problem.column)))
