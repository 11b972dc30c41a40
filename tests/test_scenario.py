"""Reading a scenario: what its words become, settings by dotted path, and that nothing is lost in writing it down."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.house import (
    CES,
    KEPT_TABLES,
    Clip,
    CobbDouglas,
    Homothetic,
    Leontief,
    Momentum,
    QuasiLinear,
    Relative,
    RunSettings,
    Scenario,
    ScenarioError,
    Trade,
    compose,
    dump,
    load,
    load_many,
    scalar,
)

UNTAXED = KEPT_TABLES - {"taxes"}
"""The tables of a scenario without taxes."""
TUPPERWARE = """\
# A supply chain that computes f(x) = ln(1 - 1/(sqrt(x) + 1)) and, in its prices, df/dx.
name: tupperware
goods: [natgas, ethylene, polyethylene, tupperware]
numeraire: tupperware
outside: {tupperware: 1}              # outside buyers take any amount at this price

supply: {natgas: 4}                   # arrives every tick, owned by nobody

firms:
  - {name: A, makes: "ethylene = sqrt(natgas)"}
  - {name: B, makes: "polyethylene = 1 - 1/(ethylene + 1)"}
  - {name: C, makes: "tupperware = ln(polyethylene)"}

initial_prices: {natgas: 0.01, ethylene: 0.05, polyethylene: 0.5}

scheduler: {kind: tatonnement, form: multiplicative, rate: 0.3}
trade: every_tick                     # the default; at_equilibrium is Walras's auctioneer
run: {ticks: 1000, tolerance: 1e-9}
expect: cleared
"""

FISHER = """\
name: fisher
goods: {apples: {price: 2}, pears: {price: 1}, figs: {price: 0.5}}
supply: {apples: 10, pears: 6, figs: 3}
consumers:
  - {name: a, budget: 10, utility: {ces: {elasticity: 0.5, shares: {apples: 1, pears: 2, figs: 1}}}}
  - {name: b, budget: 4,  utility: {cobb_douglas: {apples: 0.2, pears: 0.2, figs: 0.6}}}
scheduler: {kind: tatonnement, form: additive, rate: 0.01}
run: {ticks: 20000, tolerance: 1e-10}
expect: cleared
"""

SCARF = """\
name: scarf
goods: [x, y, z]
consumers:
  - {name: first,  utility: {leontief: {x: 1, y: 1}}, endowment: {x: 1}}
  - {name: second, utility: {leontief: {y: 1, z: 1}}, endowment: {y: 1}}
  - {name: third,  utility: {leontief: {z: 1, x: 1}}, endowment: {z: 1}}
initial_prices: {x: 1.2, y: 1.0, z: 0.85}
trade: at_equilibrium                 # trading on carried accounts changes the orbit; try every_tick
scheduler: {kind: tatonnement, form: additive, rate: 0.01}
run: {ticks: 5000, tolerance: 1e-9}
expect: cycled
"""

VARIETY = """\
goods: {a: {price: 2, floor: 1e-3}, b: {fixed_price: 3}, c: , d: {}}
numeraire: c
outside: {c: 1.0, d: 2}
supply: {a: 0x10}
firms:
  - {name: mill, makes: b = 2*a^0.5}
  - {name: bakery, makes: "d = a^0.2 * b^0.3 - 1"}
consumers:
  - name: first
    utility: {ces: {rho: 0.5, weights: {a: 1, b: 2}}}
    owns: {mill: 0.25, bakery: equal}
  - {name: second, utility: {ces: {elasticity: 1, weights: {a: 1, b: 3}}}, endowment: {a: 1e0}, owns: {mill: equal}}
  - {name: third, utility: {quasilinear: {log: {b: 2, d: 1}}}, owns: {mill: equal, bakery: equal}}
  - {name: fourth, utility: {quasilinear: {log: {b: 2}}}, budget: 5, savings: true}
  - {name: fifth, utility: {leontief: {a: 2, b: 1}}, budget: 5}
trade: {every_tick: {inventories: true}}
start: empty
scheduler: {form: additive, rate: 0.5, with: [{momentum: 0.5}, {clip: 0.1}, {relative: true}]}
run: {ticks: 2e3, references: off, stop: never, record_every: 5, seed: 7}
expect: [cleared, cycled]
"""

READABLE = {"tupperware": TUPPERWARE, "fisher": FISHER, "scarf": SCARF, "variety": VARIETY}


def written(folder: Path, text: str, name: str = "scenario.yaml") -> Path:
    folder.mkdir(exist_ok=True)
    file = folder / name
    file.write_text(text, encoding="utf-8")
    return file


def arrays(scenario: Scenario) -> list[np.ndarray]:
    """Every array of a scenario, in a fixed order."""
    economy, rule = scenario.economy, scenario.rule
    found = [scenario.initial_prices, rule.floor, rule.fixed, economy.supply, economy.outside]
    for consumers in economy.consumers:
        found += [consumers.endowment, consumers.budget, consumers.owns]
        match consumers.utility:
            case Homothetic(form=CES() as form):
                found += [form.elasticity, form.shares, form.scale]
            case Homothetic(form=CobbDouglas() as form):
                found.append(form.shares)
            case Homothetic(form=Leontief() as form):
                found.append(form.coefficients)
            case QuasiLinear() as utility:
                found.append(utility.weights)
    return found


def assert_same(one: Scenario, other: Scenario) -> None:
    assert one.resolved == other.resolved
    assert list(one.resolved) == list(other.resolved)
    assert (one.name, one.numeraire, one.scheduler.trade, one.run, one.expect) == (
        other.name,
        other.numeraire,
        other.scheduler.trade,
        other.run,
        other.expect,
    )
    assert (one.rule.form, one.rule.rate, one.rule.pieces) == (other.rule.form, other.rule.rate, other.rule.pieces)
    assert one.economy.goods == other.economy.goods
    assert [(f.name, f.outputs, f.inputs, f.technology) for f in one.economy.firms] == [
        (f.name, f.outputs, f.inputs, f.technology) for f in other.economy.firms
    ]
    for array, same in zip(arrays(one), arrays(other), strict=True):
        np.testing.assert_array_equal(array, same)


def test_tupperware_becomes_a_chain_of_firms(tmp_path: Path) -> None:
    scenario = load(written(tmp_path, TUPPERWARE))
    economy = scenario.economy
    assert scenario.name == "tupperware"
    assert scenario.numeraire == "tupperware"
    assert economy.goods == ("natgas", "ethylene", "polyethylene", "tupperware")
    assert [(firm.name, firm.inputs, firm.outputs) for firm in economy.firms] == [
        ("A", (0,), (1,)),
        ("B", (1,), (2,)),
        ("C", (2,), (3,)),
    ]
    np.testing.assert_array_equal(economy.supply, [4, 0, 0, 0])
    np.testing.assert_array_equal(economy.outside, [math.nan, math.nan, math.nan, 1])
    np.testing.assert_array_equal(scenario.initial_prices, [0.01, 0.05, 0.5, 1])
    np.testing.assert_array_equal(scenario.rule.fixed, [False, False, False, True])
    assert [firm.technology.negative_output for firm in economy.firms] == [False, False, True]
    assert economy.firms[1].technology.formula.value(np.array([3.0])) == 0.75
    assert (scenario.rule.form, scenario.rule.rate, scenario.rule.pieces) == ("multiplicative", 0.3, ())
    assert scenario.run == RunSettings(ticks=1000, tolerance=1e-9, tables=UNTAXED)
    assert scenario.scheduler.trade == Trade()
    assert scenario.expect == ("cleared",)


def test_fisher_and_scarf(tmp_path: Path) -> None:
    fisher = load(written(tmp_path, FISHER))
    first, second = fisher.economy.consumers
    np.testing.assert_array_equal(first.budget, [10])
    assert isinstance(first.utility, Homothetic)
    assert isinstance(first.utility.form, CES)
    np.testing.assert_allclose(first.utility.form.shares, [[0.25, 0.5, 0.25]])
    assert isinstance(second.utility, Homothetic)
    assert isinstance(second.utility.form, CobbDouglas)
    np.testing.assert_array_equal(fisher.initial_prices, [2, 1, 0.5])
    assert not fisher.rule.fixed.any()
    scarf = load(written(tmp_path, SCARF))
    np.testing.assert_array_equal(np.vstack([each.endowment for each in scarf.economy.consumers]), np.eye(3))
    assert scarf.scheduler.trade == Trade(every_tick=False)
    assert scarf.expect == ("cycled",)


def test_every_word_of_a_varied_scenario(tmp_path: Path) -> None:
    scenario = load(written(tmp_path, VARIETY, "variety.yaml"))
    assert scenario.name == "variety"
    np.testing.assert_array_equal(scenario.initial_prices, [2, 3, 1, 2])
    np.testing.assert_array_equal(scenario.rule.fixed, [False, True, True, True])
    np.testing.assert_array_equal(scenario.rule.floor, [2e-12, 3e-12, 1e-12, 2e-12])
    assert scenario.economy.bounds is not None
    np.testing.assert_array_equal(scenario.economy.bounds.floor, [1e-3, -math.inf, -math.inf, -math.inf])
    np.testing.assert_array_equal(scenario.economy.supply, [16, 0, 0, 0])
    np.testing.assert_array_equal(scenario.economy.outside, [math.nan, math.nan, 1, 2])
    assert scenario.rule.pieces == (Momentum(0.5), Clip(0.1), Relative())
    assert scenario.scheduler.trade == Trade(every_tick=True, spoilage=0.0, start="empty")
    assert scenario.run == RunSettings(
        ticks=2000, seed=7, record_every=5, references=False, stop="never", tables=UNTAXED
    )
    assert scenario.expect == ("cleared", "cycled")
    consumers = scenario.economy.consumers
    owns = np.vstack([each.owns for each in consumers])
    np.testing.assert_allclose(owns, [[0.25, 0.5], [0.375, 0], [0.375, 0.5], [0, 0], [0, 0]])
    np.testing.assert_array_equal([each.budget[0] for each in consumers], [0, 0, math.inf, 5, 5])
    assert [each.saves for each in consumers] == [False, False, False, True, False]
    assert [type(each.utility).__name__ for each in consumers] == ["Homothetic"] * 2 + ["QuasiLinear"] * 2 + [
        "Homothetic"
    ]
    third = consumers[2].utility
    assert isinstance(third, QuasiLinear)
    np.testing.assert_array_equal(third.weights, [[0, 2, 0, 1]])


@pytest.mark.parametrize(
    ("given", "elasticity"), [("elasticity: 2", 2), ("rho: 0.5", 2), ("rho: 0", 1), ("rho: -1", 0.5)]
)
def test_weights_mean_the_utility_they_are_written_in(tmp_path: Path, given: str, elasticity: float) -> None:
    text = FISHER.replace("elasticity: 0.5, shares", f"{given}, weights")
    utility = load(written(tmp_path, text)).economy.consumers[0].utility
    assert isinstance(utility, Homothetic)
    np.testing.assert_allclose(utility.form.elasticity, [elasticity])
    one, other = np.array([[2.0, 3.0, 5.0]]), np.array([[4.0, 1.0, 2.0]])
    weights, rho = np.array([1.0, 2.0, 1.0]), 1 - 1 / elasticity

    def expected(quantities: np.ndarray) -> float:
        if rho == 0:
            return np.prod(quantities ** (weights / weights.sum()))
        return np.sum(weights * quantities**rho) ** (1 / rho)

    np.testing.assert_allclose(utility.form.value(one) / utility.form.value(other), expected(one) / expected(other))
    if rho != 0:
        np.testing.assert_allclose(utility.form.value(one), expected(one))


def test_defaults() -> None:
    scenario = load(
        {
            "goods": ["a"],
            "supply": {"a": 1},
            "consumers": [{"name": "h", "utility": {"leontief": {"a": 1}}, "budget": 1}],
        }
    )
    assert scenario.name == "scenario"
    assert scenario.path is None
    assert scenario.run == RunSettings(tables=UNTAXED)
    assert scenario.scheduler.trade == Trade()
    assert (scenario.rule.form, scenario.rule.rate, scenario.rule.pieces) == ("multiplicative", 0.1, ())
    np.testing.assert_array_equal(scenario.initial_prices, [1])
    assert scenario.expect == ("cleared",)


def test_a_scenario_cannot_be_changed(tmp_path: Path) -> None:
    scenario = load(written(tmp_path, VARIETY))
    with pytest.raises(AttributeError):
        scenario.name = "other"
    with pytest.raises(ValueError, match="read-only"):
        scenario.initial_prices[0] = 5
    with pytest.raises(ValueError, match="read-only"):
        scenario.economy.supply[0] = 5


@pytest.mark.parametrize("name", READABLE)
def test_the_resolved_scenario_is_the_same_scenario(tmp_path: Path, name: str) -> None:
    scenario = load(written(tmp_path, READABLE[name]))
    assert_same(scenario, load(written(tmp_path, dump(scenario.resolved))))
    assert_same(scenario, load(scenario.resolved))
    assert dump(load(scenario.resolved).resolved) == dump(scenario.resolved)


NUMBERS = st.floats(1e-6, 1e6)
NAMES = ["a", "b", "no", "1e5", "null", "true", "x.y", "0o7", "on"]


@st.composite
def scenarios(draw: st.DrawFn) -> dict[str, Any]:
    goods = draw(st.lists(st.sampled_from(NAMES), min_size=1, unique=True))
    amounts = st.dictionaries(st.sampled_from(goods), NUMBERS, min_size=1)
    utilities = st.one_of(
        amounts.map(lambda given: {"cobb_douglas": given}),
        amounts.map(lambda given: {"leontief": given}),
        amounts.map(lambda given: {"quasilinear": {"log": given}}),
        st.builds(lambda s, given: {"ces": {"elasticity": s, "shares": given}}, st.floats(0.01, 10), amounts),
        st.builds(lambda r, given: {"ces": {"rho": r, "weights": given}}, st.floats(-10, 0.9), amounts),
    )
    count = draw(st.integers(1, 3))
    consumers = [
        {"name": f"h{at}", "utility": draw(utilities), "budget": draw(NUMBERS), "endowment": draw(amounts)}
        for at in range(count)
    ]
    additive = draw(st.booleans())
    return {
        "name": draw(st.sampled_from(NAMES)),
        "goods": draw(st.sampled_from([goods, {good: None for good in goods}])),
        "supply": draw(amounts),
        "initial_prices": draw(amounts),
        "consumers": consumers,
        "scheduler": {"form": "additive" if additive else "multiplicative", "rate": draw(NUMBERS)},
        "run": {"ticks": draw(st.integers(0, 10**6)), "tolerance": draw(st.floats(1e-300, 1))},
    }


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=scenarios())
def test_writing_and_reading_loses_nothing(tmp_path: Path, data: dict[str, Any]) -> None:
    scenario = load(data)
    assert_same(scenario, load(written(tmp_path, dump(scenario.resolved))))
    # The same scenario as YAML written by hand, with nothing filled in.
    assert_same(scenario, load(written(tmp_path, dump(data))))


PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.floats(allow_nan=False)
    | st.text(alphabet=st.characters(exclude_categories=["Cs", "Cc"]), max_size=20)
    | st.text(alphabet="0123456789+-._eExXoOinfINFaAtruTRUlsLS~ :#", max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abn1~:{ .", max_size=4), inner, max_size=3),
    max_leaves=12,
)


@given(value=PLAIN)
def test_plain_data_survives_yaml(value: Any) -> None:
    document = compose(dump({"value": value}), "f")
    assert document.faults == []
    assert document.data == {"value": value}
    assert repr(document.data) == repr({"value": value})


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-9", 1e-9),
        ("1E5", 1e5),
        (".5", 0.5),
        ("5.", 5.0),
        ("+12", 12),
        ("-0.0", -0.0),
        ("010", 10),
        ("0o17", 15),
        ("0x1F", 31),
        (".inf", math.inf),
        ("-.INF", -math.inf),
        ("", None),
        ("~", None),
        ("NULL", None),
        ("true", True),
        ("FALSE", False),
        *((text, text) for text in ["no", "yes", "on", "off", "y", "n", "1_000", "0b1", "1:30", "1e", ".", "-", "e5"]),
        *((text, text) for text in ["2001-01-01", "0x", "+", "nan", "inf", "tRUE", "<<", "=", "٣", "1 000", "1,5"]),
    ],
)
def test_scalars_are_those_of_yaml_1_2(text: str, value: object) -> None:
    assert scalar(text) == value
    assert type(scalar(text)) is type(value)
    if text != "-":
        assert compose(f"key: {text}", "f").data == {"key": value}


def test_a_byte_order_mark_and_foreign_line_ends_are_read_over(tmp_path: Path) -> None:
    file = tmp_path / "scenario.yaml"
    file.write_bytes(b"\xef\xbb\xbf" + SCARF.replace("\n", "\r\n").encode())
    assert_same(load(file), load(written(tmp_path, SCARF)))


@pytest.mark.parametrize(
    ("dotted", "value", "expected"),
    [
        ("run.ticks", 7, "run: {ticks: 7, tolerance: 1e-9}"),
        ("run.ticks", "7", "run: {ticks: 7, tolerance: 1e-9}"),
        ("run.seed", "3", "run: {ticks: 1000, tolerance: 1e-9, seed: 3}"),
        ("run", "{ticks: 3}", "run: {ticks: 3}"),
        ("supply.natgas", "1e-3", "supply: {natgas: 1e-3}"),
        ("supply.ethylene", 2, "supply: {natgas: 4, ethylene: 2}"),
        ("firms.A.makes", "ethylene = natgas^0.3", '  - {name: A, makes: "ethylene = natgas^0.3"}'),
        ("firms.0.makes", "ethylene = natgas^0.3", '  - {name: A, makes: "ethylene = natgas^0.3"}'),
        ("trade", "at_equilibrium", "trade: at_equilibrium"),
        ("trade.every_tick.spoilage", "0.5", "trade: {every_tick: {spoilage: 0.5}}"),
        ("scheduler.with", [{"clip": 0.1}], "scheduler: {form: multiplicative, rate: 0.3, with: [{clip: 0.1}]}"),
        ("initial_prices.natgas", 3, "initial_prices: {natgas: 3, ethylene: 0.05, polyethylene: 0.5}"),
        ("goods.natgas.price", 3, "initial_prices: {natgas: 3, ethylene: 0.05, polyethylene: 0.5}"),
        ("expect", "[cleared, cycled]", "expect: [cleared, cycled]"),
        ("start", "empty", "start: empty"),
        ("name", "other", "name: other"),
    ],
)
def test_a_setting_is_what_the_file_could_have_said(tmp_path: Path, dotted: str, value: object, expected: str) -> None:
    key = expected.split(":")[0]
    lines = TUPPERWARE.splitlines()
    at = [number for number, line in enumerate(lines) if line.startswith(key)]
    begin = at[0] if at else len(lines)
    lines[begin : begin + 1] = [expected]
    text = "\n".join(lines)
    scenario = load(written(tmp_path, TUPPERWARE), settings={dotted: value})
    assert_same(scenario, load(written(tmp_path, text)))


def test_settings_reach_consumers_by_name_and_can_be_combined(tmp_path: Path) -> None:
    given = {"consumers.a.budget": 3, "consumers.b.utility": "{leontief: {figs: 1}}", "goods.figs.price": "0.25"}
    scenario = load(written(tmp_path, FISHER), settings=given)
    assert scenario.economy.consumers[0].budget == 3
    assert scenario.resolved["consumers"][1]["utility"] == {"leontief": {"figs": 1.0}}
    assert scenario.initial_prices[2] == 0.25
    dotted = {"goods": ["x.y"], "consumers": [{"name": "h.i", "utility": {"leontief": {"x.y": 1}}, "budget": 1}]}
    named = load(dotted, settings={"consumers.h.i.utility.leontief.x.y": 4, "goods.x.y.price": 2, "supply.x.y": 3})
    assert named.initial_prices == 2
    assert named.economy.supply == 3
    assert named.resolved["consumers"][0]["utility"] == {"leontief": {"x.y": 4.0}}


@pytest.mark.parametrize(
    ("dotted", "value", "path", "part"),
    [
        ("run.tick", 5, "run.tick", "unknown path 'run.tick'; expected one of ticks, tolerance"),
        ("run.tick", 5, "run.tick", "; did you mean run.ticks?"),
        ("rum.ticks", 5, "rum.ticks", "; did you mean run.ticks?"),
        ("firms.D.makes", "x = y", "firms.D.makes", "unknown path 'firms.D.makes'; expected one of A, B, C"),
        ("firms.A.make", "x = y", "firms.A.make", "; did you mean firms.A.makes?"),
        ("goods.naturalgas.price", 5, "goods.naturalgas.price", "; did you mean goods.natgas.price?"),
        ("run.ticks.more", 5, "run.ticks.more", "expected to end at 'run.ticks'"),
        ("", 5, "''", "unknown path ''"),
        ("run.", 5, "run.", "expected a name after the last dot"),
        ("run.ticks", "many", "run.ticks", "found 'many'; expected a whole number"),
        ("run.ticks", "[1", "run.ticks", "not valid YAML"),
        ("run.ticks", "&a 1", "run.ticks", "found the anchor '&a'"),
        ("run.ticks", "", "run.ticks", "found nothing"),
        ("run.ticks", None, "run.ticks", "found nothing"),
        ("run.ticks", object(), "run.ticks", "found a Python object; expected a whole number"),
        ("supply.natgaz", 5, "supply.natgaz", "unknown good 'natgaz'; expected one of natgas"),
        ("firms.A.makes", "ethylene = nat", "firms.A.makes", "unknown good 'nat'"),
    ],
)
def test_settings_are_refused_as_such(tmp_path: Path, dotted: str, value: object, path: str, part: str) -> None:
    with pytest.raises(ScenarioError) as caught:
        load(written(tmp_path, TUPPERWARE), settings={dotted: value})
    (problem,) = caught.value.problems
    assert str(problem).startswith(f"settings: {path}: " if path.replace(".", "").isalnum() else "settings: ")
    assert part in problem.message


def test_a_setting_can_mend_a_file(tmp_path: Path) -> None:
    broken = TUPPERWARE.replace("ticks: 1000", "ticks: many")
    with pytest.raises(ScenarioError, match="found 'many'"):
        load(written(tmp_path, broken))
    assert load(written(tmp_path, broken), settings={"run.ticks": 4}).run.ticks == 4


def test_many_files_folders_and_globs(tmp_path: Path) -> None:
    written(tmp_path / "two", SCARF, "b.yml")
    written(tmp_path / "two", FISHER, "a.yaml")
    (tmp_path / "two" / "notes.txt").write_text("not a scenario")
    chain = written(tmp_path, TUPPERWARE)
    assert [each.name for each in load_many([chain, tmp_path / "two"])] == ["tupperware", "fisher", "scarf"]
    assert [each.name for each in load_many([str(tmp_path / "*" / "*.y*ml")])] == ["fisher", "scarf"]


def test_all_files_are_read_before_any_is_refused(tmp_path: Path) -> None:
    good, bad = written(tmp_path, SCARF, "good.yaml"), written(tmp_path, SCARF + "suply: {}\n", "bad.yaml")
    worse = written(tmp_path, "", "worse.yaml")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ScenarioError) as caught:
        load_many([good, bad, worse, tmp_path / "empty", tmp_path / "none.yaml", tmp_path / "x*.yaml", good])
    assert [str(problem).removeprefix(str(tmp_path)).split(";")[0] for problem in caught.value.problems] == [
        "/bad.yaml:12:1: suply: unknown key 'suply'",
        "/worse.yaml:1:1: found an empty file",
        "/empty: found no scenario in this folder",
        "/none.yaml: no such file",
        "/x*.yaml: found no file that matches",
        "/good.yaml:1:7: name: found a second scenario named scarf",
    ]


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        (
            "program: |\n  a = x*y\n  return a\nsupply: {x: 0.7}\nscheduler: {kind: marginal_bids, rate: 1}\n",
            ["found no supply of 'y'; expected a number for each input"],
        ),
        (
            "goods: {ore: {}, blueprint: {rival: false}}\nnumeraire: blueprint\nsupply: {ore: 9}\n"
            "firms: [{name: studio, makes: 'blueprint = 2*ore^0.3'}]\n",
            ["found blueprint, which is not rival; expected a good with one price"],
        ),
        (
            "goods: [labour, bread]\n"
            "firms:\n"
            "  - {name: f, count: 2, technology: {ces: {output: bread}}, behaviour: {best: {rate: 0.2}}}\n"
            "consumers:\n"
            "  - name: h\n"
            "    utility: {ces: {elasticity: {uniform: [0.4, 2.5]}, shares: {dirichlet: {labour: 2, bread: 3}}}}\n"
            "    endowment: {labour: 1}\n"
            "    owns: {f: equal}\n"
            "trade: {every_tick: {inventories: true, inventory_weight: 0.1}}\n"
            "shocks: []\n",
            [
                "firms.f.technology.ces.returns_to_scale: missing key",
                "firms.f.behaviour.best: unknown kind 'best'; expected one of best_response, marginal_adjustment",
                "elasticity: found a distribution for a single agent",
                "unknown key 'inventory_weight'",
            ],
        ),
        (
            "name: xor\nlearning: {supply: linear}\nscheduler: {kind: tatonnement, form: additive, rate: 0.1}\n",
            ["learning.patterns: missing key patterns; expected what is in the bundles, and what is ordered"],
        ),
    ],
)
def test_what_is_not_known_is_refused_by_name_and_nothing_else_is(tmp_path: Path, text: str, parts: list[str]) -> None:
    with pytest.raises(ScenarioError) as caught:
        load(written(tmp_path, text))
    lines = [str(problem) for problem in caught.value.problems]
    assert len(lines) == len(parts)
    for part in parts:
        assert any(part in line for line in lines), part
