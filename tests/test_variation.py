"""A scenario with other values at some paths, made of what was read before: the same as one loaded as a whole."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.economies import TAXED
from tests.house import Scenario, ScenarioError, Simulation, Tatonnement, Variation, differing, load, simulate

SCENARIOS = Path(__file__).parents[1] / "scenarios"
SHIPPED = sorted(path.stem for path in SCENARIOS.glob("*.yaml"))
LARGE = ("town", "energy", "fish_market", "subsistence", "chain_of_fifty")
FARM = {
    "goods": ["grain", "bread"],
    "supply": {"grain": 4},
    "firms": [
        {"name": "bakery", "technology": {"power": {"output": "bread", "productivity": 2.0, "inputs": {"grain": 0.5}}}},
        {"name": "mill", "makes": "bread = sqrt(grain)"},
    ],
    "consumers": [{"name": "crowd", "utility": {"cobb_douglas": {"bread": 1}}, "budget": 5.0}],
}


def leaves(data: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:
    """The dotted paths of numbers and words in plain data."""
    if isinstance(data, dict):
        for key, item in data.items():
            yield from leaves(item, (*path, key))
    elif isinstance(data, list):
        for at, item in enumerate(data):
            yield from leaves(item, (*path, item["name"] if isinstance(item, dict) and "name" in item else str(at)))
    elif isinstance(data, int | float | str):
        yield ".".join(path), data


def changes_of(scenario: Scenario, most: int) -> list[dict[str, Any]]:
    """Changes of leaves of all kinds, some of which are refused, alone and together."""
    found = [(path, value) for path, value in leaves(scenario.resolved) if not path.startswith("shocks")]
    chosen = np.random.default_rng(len(found)).permutation(len(found))[:most].tolist()
    numbers = [(path, value) for path, value in (found[at] for at in chosen) if isinstance(value, int | float)]
    words = [path for path, value in (found[at] for at in chosen) if isinstance(value, str)]
    changed = [{path: value * 1.25 if isinstance(value, float) else value + 1} for path, value in numbers]
    changed += [{path: value} for path, _ in numbers for value in (-1.0, "0.5", "off")]
    changed += [{path: word} for path in words for word in ("off", "a: 1", "bread = 2*ore")]
    return [*changed, {key: value for each in changed[: len(numbers)] for key, value in each.items()}]


def loaded(scenario: Scenario, changes: dict[str, Any]) -> Scenario:
    return load(scenario.resolved, settings=changes, inputs=scenario.inputs, plugins=scenario.plugins)


def outcome(make: Any) -> Any:
    """A scenario, or why it is refused."""
    try:
        return make()
    except ScenarioError as error:
        return str(error)


def the_same(one: Scenario, other: Scenario) -> None:
    """Equal text, equal objects to the last bit."""
    assert one.text == other.text
    assert one.warnings == other.warnings
    assert one.run == other.run
    assert (one.expect, one.gradient_path, one.numeraire) == (other.expect, other.gradient_path, other.numeraire)
    assert one.inputs == other.inputs
    np.testing.assert_array_equal(one.initial_prices, other.initial_prices)
    assert [regime.tick for regime in one.regimes] == [regime.tick for regime in other.regimes]
    for mine, others in zip(one.regimes, other.regimes, strict=True):
        assert not differing(mine.economy, others.economy)
    assert not differing(one.scheduler.rule, other.scheduler.rule)
    assert type(one.scheduler) is type(other.scheduler)
    if isinstance(one.scheduler, Tatonnement):
        assert isinstance(other.scheduler, Tatonnement)
        assert not differing(
            (one.scheduler.nothing, one.scheduler.trade), (other.scheduler.nothing, other.scheduler.trade)
        )
        assert one.scheduler.tolerance == other.scheduler.tolerance


@pytest.mark.parametrize("name", SHIPPED)
def test_a_variation_is_what_a_whole_load_gives(name: str) -> None:
    alike(load(SCENARIOS / f"{name}.yaml"), 2 if name in LARGE else 8)


RATE = {"adjust": {"keep": "prices.wool", "at": 5, "speed": 0.02}}
ADJUSTING: dict[str, Any] = {
    **TAXED,
    "taxes": [*TAXED["taxes"], {"name": "t", "on": "sales", "good": "bread", "rate": RATE, "to": "state"}],
    "run": {"ticks": 40, "references": "off"},
}


def test_a_variation_of_taxes_is_what_a_whole_load_gives() -> None:
    alike(load(ADJUSTING), 60)


FISCAL = [
    *(f"taxes.{tax['name']}.rate" for tax in TAXED["taxes"]),
    *(f"taxes.t.rate.adjust.{key}" for key in ("at", "start", "speed")),
    *("transfers.0.amount", "transfers.1.amount.amount", "transfers.2.share"),
]


@pytest.mark.parametrize("path", FISCAL)
def test_a_run_of_other_taxes_is_that_of_a_whole_load(path: str) -> None:
    """To the last bit, and in floats: no number of taxes and transfers is lost to what is traced."""
    scenario = load(ADJUSTING)
    changes = {path: dict(leaves(scenario.resolved))[path] * 1.0625}
    varied = Variation(scenario).at(changes)
    assert varied.engine == "floats"
    expected, found = simulate(loaded(scenario, changes)), simulate(varied)
    assert not expected.trajectory.equals(simulate(scenario).trajectory)
    for table in ("trajectory", "ticks", "agents"):
        assert getattr(found, table).equals(getattr(expected, table)), table


def alike(scenario: Scenario, most: int) -> None:
    """Compare so many variations with what is loaded as a whole."""
    variation = Variation(scenario)
    for changes in changes_of(scenario, most):
        expected = outcome(lambda changes=changes: loaded(scenario, changes))
        found = outcome(lambda changes=changes: variation.at(changes))
        if isinstance(expected, str):
            assert found == expected, changes
        else:
            assert isinstance(found, Scenario), (changes, found)
            the_same(found, expected)


def test_what_no_path_touches_is_the_same_object() -> None:
    variation = Variation(load(SCENARIOS / "bazaar.yaml"))
    first, other = variation.at({"scheduler.rate": 0.1}), variation.at({"consumers.consumer1.endowment.payoff3": 1.5})
    assert first.economy.consumers[0] is not other.economy.consumers[0]
    assert first.economy.consumers[1] is other.economy.consumers[1]


@pytest.mark.parametrize(
    "name", ["bazaar", "tupperware", "crusoe", "fisher", "village", "scarf_traded", "essay_program"]
)
def test_its_run_is_that_of_a_whole_load(name: str) -> None:
    """To the last bit, though its ticks are traced with the numbers of all variations among their variables."""
    scenario = load(SCENARIOS / f"{name}.yaml")
    variation = Variation(scenario)
    numbers = [(path, value) for path, value in leaves(scenario.resolved) if isinstance(value, float) and value]
    paths = [
        path
        for path, _ in numbers
        if path.startswith(("supply", "scheduler", "firms", "consumers", "taxes", "transfers"))
    ]
    for changed in (paths[:1], paths[1:2], paths[::3]):
        changes = {path: value * 1.0625 for path, value in numbers if path in changed}
        changes |= {"run.ticks": 50, "run.references": "off"}
        try:
            expected = simulate(loaded(scenario, changes))
        except ScenarioError:
            continue
        found = simulate(variation.at(changes))
        assert {**found.summary, "wall_seconds": 0} == {**expected.summary, "wall_seconds": 0}
        for table in ("trajectory", "ticks", "agents"):
            assert getattr(found, table).equals(getattr(expected, table)), (changed, table)


def test_a_number_changed_asks_for_no_new_trace() -> None:
    variation = Variation(load(SCENARIOS / "bazaar.yaml"))
    idle = {"run.references": "off", "run.ticks": 30, "run.record_every": 30}
    markets = []
    for rate in (0.1, 0.15, 0.2):
        simulation = Simulation(variation.at({"scheduler.rate": rate, **idle}))
        assert [*simulation.ticks()]
        markets.append(simulation.market)
    lender = variation._whole.scenario.scheduler
    assert isinstance(lender, Tatonnement)
    (alike,) = lender._lent
    assert len(alike.goes_on._lines) == 1
    assert len({market.prices.tobytes() for market in markets}) == 3


@pytest.mark.parametrize("name", ["bakery", "mill"])
def test_the_productivity_of_a_firm_is_a_path_wherever_it_stands(name: str) -> None:
    found = load(FARM, settings={f"firms.{name}.productivity": 3.0})
    (firm,) = (firm for firm in found.economy.firms if firm.name == name)
    assert firm.technology.productivity.tolist() == [3.0]
    variation = Variation(load(FARM))
    the_same(variation.at({f"firms.{name}.productivity": 3.0}), found)


def test_a_productivity_that_is_none_is_refused_where_it_stands() -> None:
    with pytest.raises(ScenarioError, match=r"firms\.bakery\.technology\.power\.productivity: found -1"):
        load(FARM, settings={"firms.bakery.productivity": -1})
    with pytest.raises(ScenarioError, match=r"unknown path 'firms.bakery.technology.power.productivity.x.y'"):
        load(FARM, settings={"firms.bakery.productivity.x.y": 1})


def test_formulas_are_judged_anew_where_flows_are_of_another_size() -> None:
    firm = {"name": "mill", "makes": "bread = sqrt(grain) + 0.000001*grain^2"}
    variation = Variation(load({**FARM, "supply": {"grain": 0.001}, "firms": [firm]}))
    with pytest.raises(ScenarioError, match=r"mill\.makes: "):
        variation.at({"supply.grain": 1.0})


def test_an_entry_is_never_taken_for_another_that_has_gone() -> None:
    """What was made of an entry that is no more must not be found under the identity that another has got since."""
    paths = {"firms.bakery.productivity": 4.0, "consumers.rich.endowment.labour.uniform.0": 1.5}
    paths |= {"consumers.poor.utility.stone_geary.subsistence.bread": 0.5}
    base = load(SCENARIOS / "subsistence.yaml")
    for _ in range(15):
        varied = Variation(base)
        for number in range(20):
            found = varied.at({path: value * (1.0 + 1e-5 * number) for path, value in paths.items()})
            for economy in (regime.economy for regime in found.regimes):
                assert [each.name for each in economy.firms] == ["bakery", "vineyard"]
                assert [each.name for each in economy.consumers] == ["poor", "rich"]
