"""What the schema knows at a place of a scenario, with the kinds from outside that the scenario speaks of."""

from __future__ import annotations

from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import RootModel

from simulator.kinds.entry import Entry, Steps
from simulator.kinds.wording import listed
from simulator.scenario.document import Document
from simulator.scenario.schema import ScenarioFile


class Language:
    """What a document may say, a scenario if not another `model`, with the kinds from outside that it speaks of."""

    def __init__(self, document: Document, model: type[Entry] = ScenarioFile) -> None:
        self.document, self.known, self.model = document, document.plugins.known, model
        self.goods = list(declared_goods(document.data) or ())

    def alternatives(self, annotation: Any, value: Any = None) -> list[Any]:
        """The types an annotation allows, unions and marks taken apart; those of `value` where that tells them."""
        origin = get_origin(annotation)
        if origin is Annotated:
            inner, *marks = get_args(annotation)
            for mark in marks:
                if hasattr(mark, "models"):
                    return mark.models(self.known, value)
            return self.alternatives(inner, value)
        if origin is Union or origin is UnionType:
            return [single for part in get_args(annotation) for single in self.alternatives(part, value)]
        if isinstance(annotation, type) and issubclass(annotation, RootModel):
            return self.alternatives(annotation.model_fields["root"].rebuild_annotation(), value)
        return [annotation]

    def below(self, annotations: list[Any], step: str | int, value: Any = None) -> list[Any]:
        """The types allowed one step further down; empty where the schema knows no such step."""
        allowed: list[Any] = []
        for annotation in annotations:
            origin = get_origin(annotation)
            if origin is list and isinstance(step, int):
                allowed.extend(self.alternatives(get_args(annotation)[0], value))
            elif origin is dict and isinstance(step, str):
                allowed.extend(self.alternatives(get_args(annotation)[1], value))
            elif is_entry(annotation) and step in fields_of(annotation):
                allowed.extend(self.alternatives(fields_of(annotation)[str(step)].rebuild_annotation(), value))
        return allowed

    def at(self, path: Steps) -> list[Any]:
        """The types allowed at a place of the document."""
        annotations: list[Any] = [self.model]
        for depth, step in enumerate(path):
            annotations = self.below(annotations, step, self.document.at(path[: depth + 1]))
        return annotations

    def keys_at(self, path: Steps) -> tuple[str, list[str]]:
        """What a key is called at a place, and the keys there are."""
        model = model_of(self.at(path))
        return ("key", []) if model is None else (model.key_word, list(fields_of(model)))

    def choices(self, path: Steps) -> list[str]:
        """The words that may stand at a place, where it is for words alone."""
        allowed = self.at(path)
        words = [get_args(each) for each in allowed if get_origin(each) is Literal]
        return [word for some in words for word in some] if len(words) == len(allowed) else []

    def meaning(self, path: Steps) -> str:
        """What belongs at a place."""
        if choices := self.choices(path):
            return listed(choices)
        model = model_of(self.at(path[:-1]))
        item = fields_of(model).get(str(path[-1])) if model is not None else None
        return str(item.description) if item is not None and item.description else "a value"


def is_entry(annotation: Any) -> bool:
    """Whether a type is a mapping of known keys."""
    return isinstance(annotation, type) and issubclass(annotation, Entry)


def fields_of(model: type[Entry]) -> dict[str, Any]:
    """Keys as written in a scenario, with the type and meaning of each."""
    return {item.alias or name: item for name, item in model.model_fields.items()}


def model_of(annotations: list[Any]) -> type[Entry] | None:
    """The mapping of known keys among the types allowed at a place."""
    return next((single for single in annotations if is_entry(single)), None)


def declared_goods(data: dict[str, Any]) -> dict[str, Any] | None:
    """The goods by name, None where they cannot all be read."""
    goods = data.get("goods")
    if isinstance(goods, list) and all(isinstance(name, str) for name in goods):
        goods = dict.fromkeys(goods)
    return goods or None if isinstance(goods, dict) else None
