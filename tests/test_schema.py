"""The JSON Schema that editors are given: it knows every key with its meaning, and the loader's own refusals agree."""

from __future__ import annotations

from typing import Any

import pytest

from simulator.scenario.schema import MARKS, Entry, ScenarioFile, scenario_schema


def models(entry: type[Entry] = Entry) -> list[type[Entry]]:
    return [kind for below in entry.__subclasses__() for kind in (below, *models(below))]


def test_every_key_has_its_meaning() -> None:
    schema = scenario_schema()
    definitions: dict[str, Any] = {**schema["$defs"], ScenarioFile.__name__: schema}
    for model in models():
        if model.__name__ not in definitions:
            continue
        properties = definitions[model.__name__]["properties"]
        assert set(properties) == {item.alias or name for name, item in model.model_fields.items()}
        assert definitions[model.__name__]["additionalProperties"] is False
        for name, given in properties.items():
            assert given.get("description"), f"{model.__name__}.{name}"


def test_a_number_may_be_a_distribution_or_a_column() -> None:
    endowment = scenario_schema()["$defs"]["Consumer"]["properties"]["endowment"]
    allowed = endowment["additionalProperties"]["oneOf"]
    assert {"type": "number", "minimum": 0} in allowed
    assert {"$ref": "#/$defs/Draw"} in allowed
    assert {"uniform", "lognormal", "csv", "column"} <= set(scenario_schema()["$defs"]["Draw"]["properties"])


@pytest.mark.parametrize("mark", MARKS)
def test_marks_of_unions_do_not_show(mark: str) -> None:
    assert mark not in str(scenario_schema())
