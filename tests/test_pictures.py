"""The pictures of the documentation are those that today's code draws, each by `python -m docs.figures`."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from docs.figures import DOCS, PICTURES, RULES_PAGE, carried, figure_of, fingerprint, rule_table, rules
from docs.pages import ROOT, pages

SHOWN = re.compile(r"!\[[^\]]*\]\(([^)\s]+\.png)\)")


def test_every_picture_that_a_page_shows_is_drawn_by_the_script_and_no_other_is_there() -> None:
    shown = {(page.parent / name).resolve() for page in pages() for name in SHOWN.findall(page.read_text("utf-8"))}
    assert shown == {(DOCS / name).resolve() for name in PICTURES}
    assert {file.name for file in (ROOT / "docs").rglob("*.png")} == set(PICTURES)


@pytest.mark.parametrize("name", PICTURES)
def test_no_picture_is_stale(name: str) -> None:
    assert fingerprint(PICTURES[name]()) == carried(DOCS / name), "stale: run python -m docs.figures"


def test_a_fingerprint_tells_numbers_and_words_apart(tmp_path: Path) -> None:
    figure = figure_of("crusoe", "prices")
    first = fingerprint(figure)
    figure.savefig(tmp_path / "one.png", metadata={"Description": first})
    assert carried(tmp_path / "one.png") == first == fingerprint(figure_of("crusoe", "prices"))
    line = figure.axes[0].lines[0]
    line.set_ydata(1.001 * line.get_ydata())
    second = fingerprint(figure)
    figure.texts[0].set_text("another")
    assert len({first, second, fingerprint(figure), carried(tmp_path / "none.png")}) == 4


def test_bars_are_the_table_of_price_rules() -> None:
    header, *rows = rule_table(RULES_PAGE)
    for column, axes in enumerate(rules().axes, start=2):
        bars = {round(bar.get_y() + bar.get_height() / 2): bar.get_width() for bar in axes.patches if bar.get_width()}
        assert bars == {place: int(row[column]) for place, row in enumerate(rows) if row[column].isdigit()}
        assert [text.get_text() for text in axes.texts] == [row[column] for row in rows]
    assert len(header) == 8
