"""A scenario file with other values reads back as those values, and keeps every comment that it had."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from tests.house import compose, load, read, rewrite, text_with

SCENARIOS = Path(__file__).parents[1] / "scenarios"
FILES = sorted(SCENARIOS.rglob("*.yaml"))
NEW: tuple[Any, ...] = (0.25, True, "x: y", None, {"a key": {"b": [1, True, []]}}, [{"momentum": 0.5}])
ODD = """\
a: {b: , c: 1}      # nothing, and one
list:
  - x: 1   # one
    y:     # nothing
  - {z: 2,
     w: [1, 2]}
text: |
  hello
  there

# between
empty: {}
quoted: 'it''s'
folded: many
  words # x
last: 1"""


def written(text: str, path: tuple[str | int, ...], value: Any) -> str:
    """The text with a value at a path; what it says is checked here."""
    document = compose(text, "file")
    data = deepcopy(document.data)
    node: Any = data
    for step in path[:-1]:
        node = node[step]
    node[path[-1]] = value
    new = rewrite(document, data)
    read_back = compose(new, "file")
    assert not read_back.faults
    assert repr(read_back.data) == repr(data)
    return new


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_what_is_written_is_read_again_and_nothing_else_moves(file: Path) -> None:
    text = read(file)
    document = compose(text, str(file))
    assert rewrite(document, document.data) == text
    for number, path in enumerate(list(document.values)[1::5]):
        new = written(text, path, NEW[number % len(NEW)])
        start, end = document.values[path], document.ends[path]
        assert new.startswith(text[:start])
        assert new.endswith(text[end:])
    assert written(text, ("another",), {"key": 1}).startswith(text.rstrip("\n"))


@pytest.mark.parametrize(
    "path",
    [("a", "b"), ("a", "c"), ("a", "d"), ("list", 0, "x"), ("list", 0, "y"), ("list", 0, "new"), ("list", 1, "w"),
     ("list", 1, "w", 0), ("list", 1, "new"), ("text",), ("empty",), ("empty", "new"), ("quoted",), ("folded",),
     ("last",), ("new",)],
    ids=lambda path: ".".join(map(str, path)),
)  # fmt: skip
@pytest.mark.parametrize("value", NEW, ids=str)
def test_odd_layouts(path: tuple[str | int, ...], value: Any) -> None:
    for text in (ODD, f"{ODD}\n", ODD.replace("\n", "\r\n")):
        assert "# between" in written(text, path, value)


def test_a_list_that_grows_and_a_key_that_goes() -> None:
    document = compose(ODD, "file")
    data = deepcopy(document.data)
    data["list"].append(3)
    del data["a"]["b"]
    text = rewrite(document, data)
    assert compose(text, "file").data == data
    assert "a: {c: 1}      # nothing, and one\nlist:\n  [" in text


def test_settings_are_written_as_load_takes_them(tmp_path: Path) -> None:
    file = tmp_path / "near.yaml"
    settings = {"scheduler.with": "[adam, {clip: 0.2}]", "scheduler.with.0.adam.beta1": 0.5, "goods.fuel.floor": "0.1"}
    original = SCENARIOS / "near_substitutes.yaml"
    file.write_text(text_with(original, settings, tmp_path))
    assert (
        load(file, settings={"name": "same"}).resolved == load(original, settings=settings | {"name": "same"}).resolved
    )
    comments = [line for line in original.read_text().splitlines() if line.startswith("#")]
    assert [line for line in file.read_text().splitlines() if line.startswith("#")] == comments


def test_files_are_found_from_where_the_scenario_stands_now(tmp_path: Path) -> None:
    (tmp_path / "deep" / "er").mkdir(parents=True)
    file = tmp_path / "deep" / "er" / "village.yaml"
    file.write_text(text_with(SCENARIOS / "village.yaml", {}, file.parent))
    assert load(file).inputs["inputs/households.csv"].resolve() == SCENARIOS / "households.csv"
    again = tmp_path / "village.yaml"
    again.write_text(text_with(file, {}, tmp_path))
    assert load(again).resolved == load(SCENARIOS / "village.yaml").resolved
