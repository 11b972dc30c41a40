"""The JSON Schema of scenario files, for editors: what pydantic says of the models, finished by the kinds there are."""

from __future__ import annotations

from typing import Any

from pydantic import TypeAdapter

from simulator.kinds.entry import Known
from simulator.scenario.schema import ScenarioFile


def scenario_schema(known: Known | None = None) -> dict[str, Any]:
    """The JSON Schema of scenario files (draft 2020-12), for editors; with the kinds that are `known` besides."""
    known, models = known or Known(), list[Any]([ScenarioFile])
    for model in models:
        marks = _marks(TypeAdapter(model).json_schema(by_alias=True))
        models += [below for mark in marks for below in mark.models(known) if below not in models]
    named, found = TypeAdapter.json_schemas([(m, "validation", TypeAdapter(m)) for m in models], by_alias=True)
    references = {model: reference for (model, _), reference in named.items()}
    definitions: dict[str, Any] = _finished(found["$defs"], known, references)
    whole: dict[str, Any] = definitions.pop(ScenarioFile.__name__)
    whole["required"].remove("goods")
    alone = [{"required": [key], "not": {"required": ["goods"]}} for key in ("learning", "contingent")]
    whole["oneOf"] = [{"required": ["goods"]}, {"required": ["program"]}, *alone]
    # What a file leaves out its base may say, or a table of accounts: of differences nothing is required, nor told in
    # types.
    properties = {key: {"description": part["description"]} for key, part in whole["properties"].items()}
    properties["calibrate"] = whole["properties"]["calibrate"]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **{"title": "A market-simulator scenario", "description": whole["description"], "type": "object"},
        **{"properties": properties, "additionalProperties": False},
        **{"if": {"anyOf": [{"required": ["base"]}, {"required": ["calibrate"]}]}},
        "else": {"$ref": "#/$defs/Scenario"},
        "$defs": {**definitions, "Scenario": whole},
    }


LIMITS = {"gt": "exclusiveMinimum", "ge": "minimum", "lt": "exclusiveMaximum", "le": "maximum"}
"""What pydantic leaves in words of its own where a number is read by a validator of ours, in those of JSON Schema."""


def _marks(schema: Any) -> list[Any]:
    """The choices in a schema, which stand for the kinds there are."""
    if isinstance(schema, list):
        return [mark for part in schema for mark in _marks(part)]
    if not isinstance(schema, dict):
        return []
    own = [schema["choice"]] if hasattr(schema.get("choice"), "models") else []
    return own + [mark for part in schema.values() for mark in _marks(part)]


def _finished(schema: Any, known: Known, references: dict[Any, Any]) -> Any:
    """The schema with references to the kinds there are in the place of choices, in which a key that may be left out
    may not be written without a value.
    """
    if isinstance(schema, list):
        return [_finished(part, known, references) for part in schema]
    if not isinstance(schema, dict):
        return schema
    mark: Any = schema.get("choice")
    if hasattr(mark, "models"):
        names = mark.names(known) if getattr(mark, "plain", False) else []
        ways = [*([{"enum": names}] if names else []), *(references[model] for model in mark.models(known))]
        rest = {key: value for key, value in schema.items() if key != "choice"}
        return {**rest, **(ways[0] if len(ways) == 1 else {"oneOf": ways})}
    part = {LIMITS.get(key, key): _finished(value, known, references) for key, value in schema.items()}
    if "anyOf" in part and "default" in part and part["default"] is None:
        part["anyOf"] = [choice for choice in part["anyOf"] if choice != {"type": "null"}]
        del part["default"]
        if len(part["anyOf"]) == 1:
            (only,) = part.pop("anyOf")
            part = {**only, **part}
    return part
