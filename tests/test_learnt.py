"""Figures of markets that learn: what they draw is the data, named, on the page, and no more than is true."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.legend import Legend
from matplotlib.text import Text

from simulator import load, simulate
from tests.house import Frames, Run, convergence, held_out, learnt, panel, simplex


def taught(rows: Sequence[tuple[float, ...]], rate: float = 0.05, ticks: int = 30, **learning: object) -> Run:
    """A run of a lesson: rows of inputs `x0, x1, ...` and, last, what is ordered."""
    named = [{**{f"x{place}": value for place, value in enumerate(row[:-1])}, "y": row[-1]} for row in rows]
    part = learning.pop("test", None)
    patterns = {"target": "y", "rows": named} | ({"test": part} if part else {})
    data = {"name": "taught", "learning": {"patterns": patterns, **learning}}
    data |= {"scheduler": {"form": "additive", "rate": rate}, "run": {"ticks": ticks, "seed": 1}}
    return simulate(load(data))


def scattered(count: int, values: int, inputs: int = 2) -> list[tuple[float, ...]]:
    """Patterns around middles of their own, one of `values` targets from 500 on each (0 and 1 if there are two)."""
    rng = np.random.default_rng(1)
    middles = rng.normal(size=(values, inputs)) * 2
    first = 0 if values == 2 else 500
    return [(*(middles[i % values] + 0.2 * rng.normal(size=inputs)), first + i % values) for i in range(count)]


def texts_of(figure: Figure) -> str:
    return "\n".join(text.get_text() for text in figure.findobj(Text)).replace("\N{NO-BREAK SPACE}", " ")


def titles_of(figure: Figure) -> str:
    return "\n".join(axes.get_title(loc="left") for axes in figure.axes)


def drawn_of(build: Callable[[Frames], Figure | None], run: Frames) -> Figure:
    figure = build(run)
    assert figure is not None
    return figure


def panel_called(figure: Figure, words: str) -> Axes:
    (found,) = (axes for axes in figure.axes if words in axes.get_title(loc="left"))
    return found


def keeps_its_place(figure: Figure) -> bool:
    """Whether panels with all that belongs to them are on the page, and off its heading and footnotes."""
    boxes = [axes.get_tightbbox() for axes in figure.axes]
    inside = all(box.x0 >= 0 and box.x1 <= 1600 and box.y0 >= 0 and box.y1 <= 900 for box in boxes)
    return inside and not any(box.overlaps(text.get_window_extent()) for box in boxes for text in figure.texts)


SQUARE = [(0.0, 0.0, 0.0), (0.0, 1.0, 1.0), (1.0, 0.0, 1.0), (1.0, 1.0, 0.0)]


def test_what_is_learnt_is_no_matter_of_shares_and_of_absolute_orders() -> None:
    run = taught(SQUARE)
    assert len(panel(run.trajectory, ("good",), ("price",)).items) == 3
    assert simplex(run) is None
    figure = drawn_of(convergence, run)
    assert "relative gap" not in texts_of(figure)
    assert "units of a bundle" in texts_of(figure)


def test_lines_of_what_is_learnt_are_named_and_told_apart() -> None:
    run = taught(scattered(60, 5), supply="logit")
    figure = drawn_of(learnt, run)
    words = texts_of(figure)
    assert "prices (8 of 15 that moved most)" in words
    prices = panel_called(figure, "prices")
    lines = [line for line in prices.lines if len(line.get_xdata()) > 2]
    names = [text.get_text() for text in prices.texts]
    assert len(lines) == len(names) == len({to_hex(line.get_color()) for line in lines}) == 8
    ends = {good: rows["price"].iloc[-1] for good, rows in run.trajectory.groupby("good")}
    assert sorted(ends[name] for name in names) == pytest.approx(sorted(line.get_ydata()[-1] for line in lines))


def test_orders_are_counted_by_pattern_and_shown_under_the_contract_ordered() -> None:
    run = taught(scattered(70, 5), supply="logit")
    figure = drawn_of(learnt, run)
    assert "orders that stay unfilled (the first 60 of 70)" in titles_of(figure)
    last = run.agents[(run.agents["tick"] == run.agents["tick"].max()) & (run.agents["kind"] == "order")]
    ordered = last[last["input"] == 1]["quantity"].to_numpy()
    (mesh,) = panel_called(figure, "orders that").collections
    assert np.asarray(mesh.get_array())[:, -1] == pytest.approx(ordered[:60])


@pytest.mark.parametrize(("count", "dots", "said"), [(40, 40, "ordered"), (1100, 500, "ordered (500 of 1,100)")])
def test_the_surface_is_drawn_whatever_the_number_of_patterns(count: int, dots: int, said: str) -> None:
    figure = drawn_of(learnt, taught(scattered(count, 2), rate=0.001, supply="logit"))
    assert f"supply by bundle; line: a half; dots: {said}\n" in f"{titles_of(figure)}\n"
    assert ("orders that stay unfilled" in titles_of(figure)) == (count <= 1000)
    shown = panel_called(figure, "supply by").collections[-1]
    assert isinstance(shown, PathCollection)
    assert len(shown.get_offsets()) == dots
    assert keeps_its_place(figure)


def test_what_is_told_of_neither_orders_nor_a_surface_keeps_to_the_page() -> None:
    figure = drawn_of(learnt, taught([(row[0], row[2]) for row in scattered(1100, 2)], rate=0.001))
    assert len(figure.axes) == 2
    assert not figure.findobj(Legend)
    assert keeps_its_place(figure)


def test_a_surface_that_cannot_be_rounded_is_no_longer_finite() -> None:
    assert taught([(0, 0, -1e308), (0, 1, 1)], rate=0.3, supply="linear").summary["surface"]["supplied"] is None


def test_a_surface_that_is_no_longer_finite_says_so() -> None:
    run = taught([(a * 1e200, b * 1e200, y) for a, b, y in SQUARE], rate=1e200, supply="linear")
    assert run.summary["surface"]["supplied"] is None
    assert "supply by bundle: no longer finite; dots: ordered" in titles_of(drawn_of(learnt, run))


def test_a_surface_is_shaded_by_what_is_ordered() -> None:
    figure = drawn_of(learnt, taught([(a, b, 10 + 80 * y) for a, b, y in SQUARE], supply="linear"))
    assert "supply by bundle; dots: ordered" in titles_of(figure)
    shades, *_, dots = panel_called(figure, "supply by").collections
    assert shades.get_clim() == dots.get_clim() == (-30, 130)
    assert np.ptp(np.asarray(dots.get_array())) == 80
    # A half means something where a unit or nothing is ordered, and is drawn where supply passes it.
    whole = drawn_of(learnt, taught([(a, b, float(a and b)) for a, b, _ in SQUARE], ticks=300, supply="linear"))
    assert "line: a half" in titles_of(whole)
    assert panel_called(whole, "supply by").collections[0].get_clim() == (-0.5, 1.5)


@pytest.mark.parametrize(("contracts", "named"), [(3, 3), (12, 12), (25, 13)])
def test_contracts_are_named_and_have_colours_of_their_own(contracts: int, named: int) -> None:
    figure = drawn_of(learnt, taught(scattered(6 * contracts, contracts), supply="logit"))
    axes = panel_called(figure, "contract supplied most")
    assert [text.get_text() for text in axes.texts] == [f"{500 + place}" for place in range(contracts)][
        :: -(-contracts // named)
    ]
    dots = [part for part in axes.collections if isinstance(part, PathCollection)]
    for part in dots:
        part.update_scalarmappable()
    assert [len({to_hex(colour) for colour in part.get_facecolor()}) for part in dots] == [1] * contracts
    assert len({to_hex(part.get_facecolor()[0]) for part in dots}) == contracts
    assert len({part.get_paths()[0].vertices.tobytes() for part in dots}) == min(contracts, 10)


def test_a_run_is_not_cut_while_its_loss_still_falls() -> None:
    run = taught(SQUARE, ticks=200, supply="logit")
    still = run.trajectory.assign(price=lambda t: np.where(t["tick"] < 5, t["tick"] / 5.0, 1.0))
    falling = run.ticks.assign(loss=np.exp(-0.05 * run.ticks["tick"]))
    settled = run.ticks.assign(loss=np.exp(-np.minimum(run.ticks["tick"], 5.0)))
    first, second = (
        texts_of(drawn_of(learnt, replace(run, trajectory=still, ticks=ticks.assign(accuracy=1.0))))
        for ticks in (falling, settled)
    )
    assert "away from its end" not in first
    assert "afterwards no line is more than 1 % of its range away from its end" in second


def test_decisions_are_labelled_by_contracts_and_can_be_read() -> None:
    figure = drawn_of(held_out, taught(scattered(200, 25, inputs=4), supply="logit", test=0.25))
    (axes,) = figure.axes
    assert axes.get_window_extent().width > 1300
    for named in (axes.get_xticklabels(), axes.get_yticklabels()):
        words = [text.get_text() for text in named]
        assert {"500", "524"} <= set(words)
        boxes = [text.get_window_extent() for text in named]
        assert not any(one.overlaps(other) for i, one in enumerate(boxes) for other in boxes[:i])
    counts = {text.get_text() for text in axes.texts}
    assert counts
    assert min(text.get_fontsize() for text in axes.texts) >= 7
    (image,) = axes.images
    shown = np.asarray(image.get_array())
    for text in axes.texts:
        column, row = (round(float(place)) for place in text.get_position())
        dark = image.cmap(image.norm(shown[row, column]))
        light = 0.3 * dark[0] + 0.59 * dark[1] + 0.11 * dark[2]
        assert (text.get_color() == "white") == (light < 0.55)


@pytest.mark.parametrize(("inputs", "pictures"), [(4, False), (9, False), (16, True)])
def test_bundles_are_pictures_only_where_they_may_well_be(inputs: int, pictures: bool) -> None:
    run = taught(scattered(60, 3, inputs=inputs), supply="logit", test=0.25)
    figure = drawn_of(held_out, run)
    assert (len(figure.axes) > 1) == pictures
    assert ("→" in texts_of(figure)) == pictures


def test_a_hundred_contracts_have_shades_for_counts_and_some_of_their_names() -> None:
    figure = drawn_of(held_out, taught(scattered(400, 100), supply="logit", test=0.25))
    axes = figure.axes[0]
    assert not axes.texts
    assert "decided wrong" in texts_of(figure)
    assert 10 <= len(axes.get_yticks()) <= 30
