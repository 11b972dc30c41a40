"""The JSON Schema that editors are given: it knows every key with its meaning, and the loader's own refusals agree."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from ruamel.yaml import YAML

from tests.house import MARKS, Entry, ScenarioFile, scenario_schema


def models(entry: type[Entry] = Entry) -> list[type[Entry]]:
    """The classes written down in the simulator, not those made of tables of kinds."""
    found = [kind for below in entry.__subclasses__() for kind in (below, *models(below))]
    ours = [kind for kind in found if kind.__module__.startswith("simulator.")]
    return [kind for kind in ours if getattr(sys.modules[kind.__module__], kind.__name__, None) is kind]


def test_every_key_has_its_meaning() -> None:
    schema = scenario_schema()
    definitions: dict[str, Any] = {**schema["$defs"], ScenarioFile.__name__: schema}
    assert len([model for model in models() if model.__name__ in definitions]) > 20
    for model in models():
        if model.__name__ in definitions:
            properties = definitions[model.__name__]["properties"]
            assert set(properties) >= {item.alias or name for name, item in model.model_fields.items()}
    for name, definition in definitions.items():
        if "properties" in definition:
            assert definition["additionalProperties"] is False
            for key, given in definition["properties"].items():
                assert given.get("description"), f"{name}.{key}"


def test_a_number_may_be_a_distribution_or_a_column() -> None:
    endowment = scenario_schema()["$defs"]["Consumer"]["properties"]["endowment"]
    allowed = endowment["additionalProperties"]["oneOf"]
    assert {"type": "number"} in allowed
    assert {"$ref": "#/$defs/Draw"} in allowed
    productivity = scenario_schema()["$defs"]["Firm"]["properties"]["productivity"]
    assert {"type": "number", "minimum": 0} in productivity["oneOf"]
    assert {"uniform", "lognormal", "csv", "column"} <= set(scenario_schema()["$defs"]["Draw"]["properties"])


@pytest.mark.parametrize("mark", MARKS)
def test_marks_of_unions_do_not_show(mark: str) -> None:
    assert mark not in str(scenario_schema())


SHIPPED = sorted((Path(__file__).parents[1] / "scenarios").glob("*.yaml"))
VALIDATOR = Draft202012Validator(scenario_schema())


def places(data: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where the values of plain data stand."""
    entries = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    for key, value in entries:
        yield (*path, key)
        yield from places(value, (*path, key))


@pytest.mark.parametrize("file", SHIPPED, ids=lambda file: file.stem)
def test_editors_accept_what_is_shipped_and_no_key_without_a_value(file: Path) -> None:
    data = YAML(typ="safe", pure=True).load(file.read_text(encoding="utf-8"))
    assert list(VALIDATOR.iter_errors(data)) == []
    for path in places(data):
        if (len(path) == 2 and path[0] == "goods") or "set" in path or {"base", "calibrate"} & data.keys():
            continue
        broken = deepcopy(data)
        holder = broken
        for key in path[:-1]:
            holder = holder[key]
        holder[path[-1]] = None
        assert list(VALIDATOR.iter_errors(broken)), path


@pytest.mark.parametrize(
    "broken",
    [
        {"consumers": [{"name": "a", "utility": {"linear": {"g": 1}, "leontief": {"g": 1}}}]},
        {"consumers": [{"name": "a", "utility": {}}]},
        {"scheduler": {"with": [{"clip": 1, "momentum": 0.5}]}},
        {"scheduler": {"rule": "wallras"}},
        {"firms": [{"name": "f", "makes": "h = g^0.5", "behaviour": "worst_response"}]},
    ],
)
def test_editors_mark_several_kinds_and_unknown_names(broken: dict[str, Any]) -> None:
    assert list(VALIDATOR.iter_errors({"goods": ["g", "h"]})) == []
    assert list(VALIDATOR.iter_errors({"goods": ["g", "h"], **broken}))


def test_bounds_are_in_words_of_json_schema_and_defaults_keep_them() -> None:
    schema = scenario_schema()
    assert schema["$defs"]["Run"]["properties"]["ticks"]["maximum"] == 10**15
    for name, part in {"scenario": schema, **schema["$defs"]}.items():
        for key, given in part.get("properties", {}).items():
            assert not {"ge", "gt", "le", "lt"} & set(given), f"{name}.{key}"
            if "default" in given:
                errors = VALIDATOR.evolve(schema={**given, "$defs": schema["$defs"]}).iter_errors(given["default"])
                assert not list(errors), f"{name}.{key}"
