"""Markets that learn: steps that are gradients, what can be learnt and what cannot, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator import load, simulate
from tests.builders import market_of
from tests.house import (
    LEARNING_TICKS,
    SELLERS,
    TICKS,
    Market,
    Recorder,
    Simulation,
    ViewOptions,
    run_to_disk,
    separable,
)
from tests.run_folders import contents

Array = np.ndarray
LAST = [column.name for column in (*TICKS, *LEARNING_TICKS)]
"""The columns of what is known of a tick."""
TABLES = {"and": (0, 0, 0, 1), "or": (0, 1, 1, 1), "xor": (0, 1, 1, 0)}


def lesson(
    values: tuple[float, ...] = TABLES["xor"], rate: float = 0.1, ticks: int = 3000, seed: int = 1, **learning: Any
) -> dict[str, Any]:
    rows = [{"left": a, "right": b, "value": v} for (a, b), v in zip(product((0, 1), (0, 1)), values, strict=True)]
    return {
        "name": "lesson",
        "learning": {"patterns": {"target": "value", "rows": rows}, **learning},
        "scheduler": {"form": "additive", "rate": rate},
        "run": {"ticks": ticks, "tolerance": 1e-4, "seed": seed},
    }


def market(data: dict[str, Any], ticks: int = 0) -> Market:
    found = market_of(data)
    for _ in range(ticks):
        found.advance()
    return found


def unfilled(found: Market) -> Array:
    return found.scheduler.unfilled(found.last_tick)


def last_prices(run: Any) -> dict[str, float]:
    rows = run.trajectory[run.trajectory["tick"] == run.trajectory["tick"].max()]
    return dict(zip(rows["good"], rows["price"], strict=True))


VALUES: dict[str, Callable[[Array], Array]] = {
    "tanh": np.tanh,
    "relu": lambda a: np.where(a.real > 0, a, 0),
    "sigmoid": lambda a: 1 / (1 + np.exp(-a)),
}


def network_loss(
    prices: Array, designs: list[Array], inputs: Array, orders: Array, activations: list[str], sellers: str
) -> Any:
    """The objective of a whole network, written down from scratch and good for complex numbers."""
    goods = np.concatenate([inputs, np.ones((len(inputs), 1))], axis=1)
    for design, name in zip(designs, activations, strict=True):
        made = VALUES[name](goods @ design.T)
        goods = np.concatenate([made, np.ones((len(inputs), 1))], axis=1)
    paid = goods @ prices.reshape(orders.shape[1], -1).T
    if sellers == "linear":
        return 0.5 * np.sum((orders - paid) ** 2)
    if orders.shape[1] == 1:
        paid = np.concatenate([paid, 0 * paid], axis=1)
        orders = np.concatenate([orders, 1 - orders], axis=1)
    return np.sum(orders * (np.log(np.exp(paid).sum(axis=1, keepdims=True)) - paid))


def slope(value: Callable[[Array], Any], at: Array) -> Array:
    """A gradient by complex steps: exact to rounding."""
    gradient = np.zeros(at.shape)
    for place in np.ndindex(at.shape):
        moved = at.astype(complex)
        moved[place] += 1e-30j
        gradient[place] = value(moved).imag / 1e-30
    return gradient


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 10**6),
    st.lists(st.tuples(st.integers(1, 4), st.sampled_from(sorted(VALUES))), max_size=3),
    st.sampled_from(["linear", "logit", "logit of three"]),
)
def test_a_step_is_the_gradient_of_the_whole_network(seed: int, layers: list[tuple[int, str]], kind: str) -> None:
    """Prices along excess demand, designs along marginal revenue: both steps against an independent derivative."""
    stream = np.random.default_rng(seed)
    goal = stream.integers(0, 3 if kind == "logit of three" else 2, 6)
    goal[:3] = [0, 1, 2 if kind == "logit of three" else 0]
    rows = [
        {"a": a, "b": b, "y": float(y)} for (a, b), y in zip(stream.normal(size=(6, 2)).tolist(), goal, strict=True)
    ]
    hidden = [{"firms": firms, "activation": activation, "rate": 0.7} for firms, activation in layers]
    supply = kind.split()[0]
    data = lesson(supply=supply, rate=0.3)
    data["learning"] |= {"patterns": {"target": "y", "rows": rows}} | ({"hidden": hidden} if hidden else {})
    found = market(data)
    found.state = found.state._replace(prices=stream.normal(size=len(found.state.prices)))
    found.advance()
    now, learnt = found.last_tick, found.scheduler.training
    names = [name for _, name in layers]

    def at_prices(prices: Array) -> Any:
        return network_loss(prices, list(now.designs), learnt.inputs, learnt.orders, names, supply)

    def close(ours: Array, theirs: Array) -> None:
        np.testing.assert_allclose(ours, theirs, rtol=1e-12, atol=1e-12 * max(1.0, np.abs(theirs).max()))

    close((found.state.prices - now.prices) / 0.3, -slope(at_prices, now.prices))
    for level, (before, after) in enumerate(zip(now.designs, found.state.designs, strict=True)):

        def at_design(design: Array, level: int = level) -> Any:
            designs = [design if place == level else other for place, other in enumerate(now.designs)]
            return network_loss(now.prices, designs, learnt.inputs, learnt.orders, names, supply)

        close((after - before) / 0.7, -slope(at_design, before))


@pytest.mark.parametrize("kind", SELLERS)
def test_excess_demand_is_minus_the_slope_of_the_potential(kind: str) -> None:
    found = market(lesson(TABLES["or"], supply=kind))
    found.state = found.state._replace(prices=np.array([0.3, -0.2, 0.1]))
    found.advance()
    sellers, held = SELLERS[kind], np.array([[0, 0, 1], [0, 1, 1], [1, 0, 1], [1, 1, 1.0]])

    def potential(prices: Array) -> float:
        paid = held @ prices[:, None]
        return float(sellers.surplus(paid).sum() - (found.scheduler.training.orders * paid).sum())

    for good, step in enumerate(1e-6 * np.eye(3)):
        fall = (potential(found.prices - step) - potential(found.prices + step)) / 2e-6
        assert (found.demand - found.supply)[good] == pytest.approx(fall, abs=1e-8)


def test_the_delta_rule_settles_on_the_wrong_answer_to_xor() -> None:
    run = simulate(lesson())
    assert run.summary["outcome"] == "settled_off_equilibrium"
    assert last_prices(run) == pytest.approx({"left": 0, "right": 0, "constant": 0.5}, abs=1e-9)
    assert run.summary["loss"] == pytest.approx(0.25, rel=1e-9)
    assert (run.summary["accuracy"], run.summary["separable"]) == (0, False)
    last = run.trajectory[run.trajectory["tick"] == run.trajectory["tick"].max()]
    np.testing.assert_allclose(last["excess_demand"], 0, atol=1e-9)


def idle(inputs: int) -> dict[str, Any]:
    """Orders for bundles that hold nothing of the first so many goods."""
    rows = [{**{f"idle_{i}": 0 for i in range(inputs)}, "a": a, "y": y} for a, y in ((0, 0), (1, 1), (2, 0))]
    return {"patterns": {"target": "y", "rows": rows}}


@pytest.mark.parametrize(
    ("pieces", "learning"),
    [([{"delay": 150}], idle(0)), ([{"bernoulli": 0.001}], idle(0)), (["sequential"], idle(150)), ([], idle(0))],
)
def test_what_is_about_to_move_has_not_settled(pieces: list[Any], learning: dict[str, Any]) -> None:
    """Prices that wait for news or for their turn, and those that creep (without pieces, at a tiny rate)."""
    data = lesson(ticks=120, rate=0.01 if pieces else 1e-14, **learning)
    data["scheduler"]["with"] = pieces
    assert simulate(data).summary["outcome"] == "out_of_ticks"


@pytest.mark.parametrize("pieces", [[{"delay": 1}], [{"bernoulli": 0.5}], ["sequential"], ["random_order"]])
def test_what_waits_no_more_settles(pieces: list[Any]) -> None:
    data = lesson()
    data["scheduler"]["with"] = pieces
    run = simulate(data)
    assert run.summary["outcome"] == "settled_off_equilibrium"
    assert last_prices(run) == pytest.approx({"left": 0, "right": 0, "constant": 0.5}, abs=1e-9)


def test_prices_and_designs_at_rest_have_settled() -> None:
    """A hidden firm whose design fits nothing makes nothing, and learns no more."""
    data = lesson(hidden={"firms": 1, "activation": "relu", "rate": 5}, ticks=1000, seed=3)
    data["learning"]["patterns"] = {"target": "y", "rows": [{"a": 1, "y": 1}, {"a": 2, "y": 0}]}
    run = simulate(data)
    assert run.summary["outcome"] == "settled_off_equilibrium"
    assert "Prices and designs have stood still for" in run.summary["sentence"]
    assert run.agents.query("tick == tick.max() and kind == 'order'")["output"].tolist() == pytest.approx([0.5, 0.5])


def test_a_run_taken_up_again_settles_at_the_same_tick() -> None:
    whole = Simulation(load(lesson()))
    for _ in whole.ticks():
        pass
    first, second = Simulation(load(lesson())), Simulation(load(lesson()))
    next(tick for tick in first.ticks() if tick == whole.market.last_tick.tick - 30)
    second.restore(first.state())
    for _ in second.ticks():
        pass
    assert (second.verdict, second.market.last_tick.tick) == (whole.verdict, whole.market.last_tick.tick)


def test_all_or_nothing_swings_on_xor_and_wanders_one_at_a_time() -> None:
    swinging = simulate(lesson(rate=1, supply="all_or_nothing"))
    assert (swinging.summary["outcome"], swinging.summary["period"]) == ("cycled", 2)
    wandering = simulate(lesson(rate=1, supply="all_or_nothing", batch="one"))
    assert wandering.summary["outcome"] == "out_of_ticks"
    assert wandering.summary["accuracy"] < 1


@pytest.mark.parametrize("values", list(product((0, 1), repeat=4)))
def test_what_a_linear_programme_separates_is_learnt_and_nothing_else(values: tuple[int, ...]) -> None:
    """Every truth table of two inputs."""
    for batch in ("one", "all"):
        run = simulate(lesson(values, rate=1, ticks=300, supply="all_or_nothing", batch=batch))
        assert (run.summary["outcome"] == "cleared") == run.summary["separable"]
    assert run.summary["separable"] == (values not in ((0, 1, 1, 0), (1, 0, 0, 1)))


@pytest.mark.parametrize("unit", [1e-300, 1e-11, 1.0, 1e16, 1e290])
@pytest.mark.parametrize("zero", [0.0, 1e10, -1e10])
def test_what_can_be_separated_depends_on_no_unit_and_no_zero(unit: float, zero: float) -> None:
    places = (np.array(list(product((0.0, 1.0), repeat=2))) + zero) * unit
    for values in product((0.0, 1.0), repeat=4):
        assert separable(places, np.array(values)) is (values not in ((0, 1, 1, 0), (1, 0, 0, 1)))


def test_a_linear_programme_that_fails_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scipy.optimize.linprog", lambda *_, **__: SimpleNamespace(status=4, x=None))
    assert separable(np.array([[0.0], [1.0]]), np.array([0.0, 1.0])) is None


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.integers(2, 12), st.integers(1, 4))
def test_novikoffs_bounds(seed: int, count: int, inputs: int) -> None:
    """On orders that some prices fill with a margin, from zero prices, at rate 1."""
    stream = np.random.default_rng(seed)
    truth, places = stream.normal(size=inputs + 1), stream.normal(size=(count, inputs))
    held = np.concatenate([places, np.ones((count, 1))], axis=1)
    margin = np.abs(held @ truth) / np.linalg.norm(truth)
    kept = margin > 0.1
    if kept.sum() < 2:
        return
    places, held, margin = places[kept], held[kept], margin[kept]
    orders = (held @ truth > 0).astype(float)
    assert separable(places, orders)
    bound = (np.linalg.norm(held, axis=1).max() / margin.min()) ** 2
    rows = [
        {**{f"x{i}": float(x) for i, x in enumerate(place)}, "y": float(y)}
        for place, y in zip(places, orders, strict=True)
    ]
    for batch, most in (("one", bound), ("all", len(places) * bound)):
        data = lesson(rate=1, supply="all_or_nothing", batch=batch)
        data["learning"]["patterns"] = {"target": "y", "rows": rows}
        found, corrections = market(data), 0
        for _ in range(int(len(places) * (bound + 2)) + 1):
            found.advance()
            corrections += int(
                np.abs(found.scheduler.training.orders[found.last_tick.patterns] - found.last_tick.supplied).sum()
            )
            if not unfilled(found).any():
                break
        assert not unfilled(found).any()
        assert corrections <= most


def test_hidden_firms_learn_xor_from_more_than_nine_in_ten_starts() -> None:
    ticks = []
    for seed in range(40):
        run = simulate(
            {**lesson(hidden={"firms": 4, "activation": "tanh", "rate": 0.3}, seed=seed, ticks=1000)},
        )
        if run.summary["outcome"] == "cleared":
            assert run.summary["accuracy"] == 1
            ticks.append(run.summary["ticks"])
    assert len(ticks) > 36
    assert 100 <= np.median(ticks) <= 250


def test_every_order_is_in_the_market_once_a_round() -> None:
    data = lesson(batch=3)
    found = market(data)
    for _ in range(4):
        seen = [found.last_tick.patterns.tolist() for _ in range(2) if found.advance()]
        assert sorted(len(patterns) for patterns in seen) == [1, 3]
        assert sorted(pattern for patterns in seen for pattern in patterns) == [0, 1, 2, 3]


@pytest.mark.parametrize(
    "learning",
    [{"hidden": {"firms": 3, "activation": "relu", "rate": 0.1}, "batch": 2}, {"supply": "logit", "batch": "one"}],
)
def test_a_run_that_was_stopped_goes_on_to_the_same_bytes(learning: dict[str, Any], tmp_path: Path) -> None:
    data = lesson(ticks=2500, **learning)
    data["scheduler"]["with"] = [{"momentum": 0.5}]
    data["run"] |= {"record_every": 7, "stop": "never"}
    seen = iter(range(10**6))
    run_to_disk(load(data), tmp_path / "whole")
    first = run_to_disk(load(data), tmp_path / "parts", stopped=lambda: next(seen) > 1500)
    assert first["outcome"] == "interrupted"
    run_to_disk(load(data), tmp_path / "parts", resume=True)
    files = ("trajectory.csv", "ticks.csv", "agents.csv")
    assert contents(tmp_path / "whole", files) == contents(tmp_path / "parts", files)


def test_what_is_written_beside_a_run_is_the_same_run(tmp_path: Path) -> None:
    (tmp_path / "xor.csv").write_text("left,right,value\n0,0,0\n0,1,1\n1,0,1\n1,1,0\n")
    text = """
name: xor
learning:
  patterns: {inputs: [left, right], csv: xor.csv, target: value}
  supply: linear
  hidden: {firms: 4, activation: tanh, rate: 0.3}
scheduler: {kind: tatonnement, form: additive, rate: 0.1}
run: {ticks: 5000, tolerance: 1e-4, seed: 1}
"""
    (tmp_path / "xor.yaml").write_text(text)
    summary = run_to_disk(load(tmp_path / "xor.yaml"), tmp_path / "one")
    assert summary["outcome"] == "cleared"
    again = run_to_disk(load(tmp_path / "one" / "scenario.yaml"), tmp_path / "two")
    assert summary["scenario_sha256"] == again["scenario_sha256"]
    for name in ("trajectory.csv", "ticks.csv", "agents.csv"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
    inline = simulate(lesson(hidden={"firms": 4, "activation": "tanh", "rate": 0.3}, ticks=5000))
    assert inline.summary["ticks"] == summary["ticks"]


def test_agents_say_which_orders_stay_unfilled_and_what_goods_are_made_of() -> None:
    run = simulate(lesson(hidden=[{"firms": 2, "rate": 0.3}, {"firms": 3, "rate": 0.3}]), ticks=5)
    orders = run.agents.query("kind == 'order' and tick == 5")
    np.testing.assert_allclose(orders["quantity"], orders["input"] - orders["output"], atol=1e-15)
    np.testing.assert_allclose(orders["output"], orders["pays"], atol=1e-15)
    firms = run.agents.query("kind == 'firm' and tick == 5")
    assert list(dict.fromkeys(firms["agent"])) == ["layer_1_firm_1", "layer_1_firm_2", "firm_1", "firm_2", "firm_3"]
    assert list(firms.query("agent == 'firm_2'")["good"]) == ["layer_1_firm_1", "layer_1_firm_2", "constant"]
    row = run.ticks[run.ticks["tick"] == 5].iloc[0]
    assert row["loss"] == pytest.approx(np.mean(orders["quantity"] ** 2), rel=1e-12)
    assert row["max_relative_excess_demand"] == pytest.approx(orders["quantity"].abs().max(), rel=1e-12)


def test_contracts_have_prices_of_their_own() -> None:
    rows = [{"a": a, "b": b, "y": y} for a, b, y in ((0, 0, 3), (1, 0, 5), (0, 1, 7), (0.1, 0.9, 7))]
    data = lesson(supply="logit", ticks=400, rate=0.5)
    data["learning"]["patterns"] = {"target": "y", "rows": rows}
    run = simulate(data)
    assert list(last_prices(run)) == [f"{good}.{contract}" for contract in "357" for good in ("a", "b", "constant")]
    assert run.summary["accuracy"] == 1
    assert run.ticks["loss"].is_monotonic_decreasing
    assert run.ticks["potential"].is_monotonic_decreasing


def contracts_of_three(**changes: Any) -> dict[str, Any]:
    rows = [{"a": x, "y": x % 3 + 3} for x in range(12)]
    return lesson(supply="logit", **changes) | {
        "learning": {"supply": "logit", "patterns": {"target": "y", "rows": rows, "test": 0.5}}
    }


def test_what_is_not_decided_is_not_decided_right() -> None:
    """At prices of 0 all contracts are supplied alike: none most."""
    run = simulate(contracts_of_three(ticks=0))
    assert run.ticks["accuracy"].tolist() == run.ticks["test_accuracy"].tolist() == [0]
    assert run.summary["test"]["undecided"] == 6
    assert np.sum(run.summary["test"]["confusion"]) == 0
    assert {got for _, _, got in run.summary["test"]["samples"]} == {"none"}


@pytest.mark.parametrize("data", [contracts_of_three(rate=1e200), lesson(rate=1e200, supply="all_or_nothing")])
def test_where_nothing_is_paid_there_is_nothing_to_decide(data: dict[str, Any]) -> None:
    found = market(data)
    found.state = found.state._replace(prices=np.full(len(found.state.prices), np.inf))
    found.advance()
    view = found.scheduler.view(found.economy, found.state.prices, ViewOptions(load(data).markets, 0))
    recorder = Recorder(view)
    recorder.observe(found.transition, record=True)
    assert np.isnan(recorder.tables()["ticks"].values[-1, LAST.index("accuracy")])
    assert view.test(found.last_tick) is None


def test_a_sentence_says_nothing_of_what_is_not_decided() -> None:
    run = simulate(lesson(rate=1e308, supply="all_or_nothing"))
    assert run.summary["outcome"] == "diverged"
    assert run.summary["accuracy"] is None
    assert "decided" not in run.summary["sentence"]


DIGITS = Path(__file__).parents[1] / "scenarios" / "extras" / "digits.yaml"


def trained(seed: int, **settings: Any) -> Market:
    scenario = load(DIGITS, settings={"run.seed": seed, **settings})
    found = market_of(scenario)
    for _ in range(scenario.run.ticks):
        found.advance()
    return found


@pytest.mark.slow
def test_digits_are_learnt_as_well_as_by_a_network_of_the_same_shape() -> None:
    """Five stratified splits: at least 0.96 on what was held out, and within 0.01 of scikit-learn's classifier."""
    sklearn = pytest.importorskip("sklearn.neural_network")
    markets, networks = [], []
    for seed in range(5):
        found = trained(seed)
        learnt = found.scheduler.training
        counts = learnt.test_orders.sum(axis=0) / (learnt.test_orders.sum(axis=0) + learnt.orders.sum(axis=0))
        np.testing.assert_allclose(counts, 0.25, atol=0.01)
        wanted = learnt.test_orders.argmax(axis=1)
        markets.append(
            np.mean(found.scheduler.answers(found.last_tick, learnt.test_inputs)[0].argmax(axis=1) == wanted)
        )
        network = sklearn.MLPClassifier((48,), activation="tanh", max_iter=1000, random_state=seed)
        network.fit(learnt.inputs, learnt.orders.argmax(axis=1))
        networks.append(network.score(learnt.test_inputs, wanted))
    assert np.mean(markets) >= 0.96
    assert abs(np.mean(markets) - np.mean(networks)) <= 0.01


def test_what_is_held_out_is_counted_and_shown() -> None:
    pytest.importorskip("sklearn")
    scenario = load(DIGITS, settings={"run.ticks": 86, "run.record_every": 86})
    run = simulate(scenario)
    test, last = run.summary["test"], run.ticks.iloc[-1]
    counts = np.array(test["confusion"])
    assert counts.sum() == len(scenario.scheduler.training.test_inputs) == 450
    assert np.trace(counts) / counts.sum() == pytest.approx(last["test_accuracy"], rel=1e-12)
    assert [wanted != got for _, wanted, got in test["samples"]] == sorted(
        (wanted != got for _, wanted, got in test["samples"]), reverse=True
    )
    assert len(last_prices(run)) == 490
