"""Sentences of a run: each row has facts that make it true and facts that make it false, and asks for no others."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import pytest

from tests.house import Sentence, Simulation, last_row, load, said, sentences, simulate
from tests.shared_runs import FOLDER as SCENARIOS
from tests.shared_runs import SharedRuns

TABLES: dict[str, tuple[Sentence, ...]] = {
    name: value
    for name, value in vars(sentences).items()
    if isinstance(value, tuple) and value and all(isinstance(row, Sentence) for row in value)
}
ROWS = {f"{table} {row.name}": row for table, rows in TABLES.items() for row in rows}


class Case(NamedTuple):
    """The facts that a row needs, what of them instead makes it false, and what is said."""

    facts: dict[str, Any]
    instead: dict[str, Any]
    text: str


def ended(outcome: str, text: str) -> Case:
    return Case({"outcome": outcome, "ticks": 9, "ran_on": False}, {"outcome": "other"}, text)


def swing(amplitude: float) -> dict[str, Any]:
    return {"period": 12.04, "swinging": "y", "amplitude": amplitude, "first_amplitude": 0.1}


NEAR_ONE = {"outcome": "cleared", "equilibrium": 2, "equilibria": 3, "index": -1, "equilibrium_gap": 1e-9}
DESCENT = {"path_gap": 1e-16, "reference": "the potential", "rose": True, "first": 8.0, "last": 9.5}

CASES = {
    "OPENINGS cleared": ended("cleared", "Cleared after 9 ticks"),
    "OPENINGS cycled": ended("cycled", "Still cycling after 9 ticks"),
    "OPENINGS diverged": ended("diverged", "Diverged after 9 ticks"),
    "OPENINGS settled_off_equilibrium": ended("settled_off_equilibrium", "Settled off equilibrium after 9 ticks"),
    "OPENINGS out_of_ticks": Case(
        {"outcome": "out_of_ticks", "ticks": 1, "tolerance": 1e-6, "ran_on": False},
        {"outcome": "cleared"},
        "Not cleared to 1e-06 after 1 tick",
    ),
    "OPENINGS interrupted": ended("interrupted", "Stopped by the user after 9 ticks"),
    "OPENINGS cleared_sooner": Case(
        {"outcome": "cleared", "ticks": 900, "ran_on": True},
        {"ran_on": False},
        "Cleared at the end of 900 ticks, or sooner: the run was not to stop",
    ),
    "OPENINGS diverged_sooner": Case(
        {"outcome": "diverged", "ticks": 1, "ran_on": True},
        {"outcome": "cleared"},
        "Diverged at the end of 1 tick, or sooner: the run was not to stop",
    ),
    "OPENINGS at_once": Case({"outcome": "cleared", "ticks": 0}, {"ticks": 1}, "The initial prices are right already"),
    "MARKET clears": Case(
        {"excess_demand": 3.2e-10},
        {"excess_demand": None},
        "Every market clears: relative excess demand is at most 3.2e-10",
    ),
    "MARKET others_clear": Case(
        {"others": 0.0},
        {"others": None},
        "Every market whose price may move clears: relative excess demand is at most 0",
    ),
    "MARKET split_clears": Case(
        {"split": 3e-4},
        {"split": math.nan},
        "A split of spending on equally good goods clears every market, to 0.0003",
    ),
    "MARKET any_price_clears": Case(
        {"lone_good": True}, {"lone_good": False}, "There is no relative price of one good: every price clears"
    ),
    "MARKET free": Case(
        {"free": ["air"]}, {"free": []}, "More air is offered than anybody wants, even for next to nothing"
    ),
    "MARKET unwanted": Case({"unwanted": ["weeds"]}, {"unwanted": []}, "Nobody wants weeds, even for next to nothing"),
    "MARKET idle": Case({"idle": ["q"]}, {"idle": []}, "At these prices nobody wants or offers q"),
    "MARKET no_profits": Case(
        {"unit_profit": 3e-7},
        {"unit_profit": math.nan},
        "No activity earns or loses what counts: relative unit profit is at most 3e-07",
    ),
    "MARKET some_rest": Case(
        {"some_rest": ["plant (19 of 20)"]},
        {"some_rest": []},
        "Some of plant (19 of 20) make nothing: a unit costs them more than it brings",
    ),
    "MARKET resting": Case(
        {"resting": ["mill"]}, {"resting": []}, "A unit of mill costs more than it brings, and none is made"
    ),
    "MARKET keeps": Case({"kept": 3e-7}, {"kept": math.nan}, "Rates of taxes keep what they should, to 3e-07"),
    "MARKET untenable": Case(
        {"untenable": "carbon", "rate": -0.96, "next_rate": -1.04},
        {"untenable": None},
        "The rate of carbon runs away: after -0.96 it would be -1.04",
    ),
    "MARKET adjusts": Case(
        {"adjusts": "carbon", "rate": 0.123456, "target": 2.0, "has_kept": 1.98765},
        {"adjusts": None},
        "The rate of carbon, 0.1235 by now, has yet to keep 2: it keeps 1.98765",
    ),
    "MARKET brings": Case(
        {"brings": ["2 of carbon at 0.5"]}, {"brings": []}, "Revenue of taxes, at their rates: 2 of carbon at 0.5"
    ),
    "MARKET endless": Case({"endless": ["mill"]}, {"endless": []}, "The level of mill runs to infinity"),
    "MARKET earning": Case({"earning": "mill", "margin": 0.03}, {"earning": None}, "Firm mill still earns 3 % a unit"),
    "MARKET losing": Case({"losing": "mill", "margin": 0.03}, {"losing": None}, "Firm mill still loses 3 % a unit"),
    "MARKET infinite": Case(
        {"infinite": list("abcde")}, {"infinite": []}, "The price of a, b, c and 2 more runs to infinity"
    ),
    "MARKET numberless": Case({"numberless": ["x"]}, {"numberless": []}, "The price of x is no longer a number"),
    "MARKET floored": Case({"floored": ["air"]}, {"floored": []}, "The price of air is at its floor"),
    "MARKET unlimited": Case(
        {"unlimited": ["demand for air"]},
        {"unlimited": []},
        "No finite plan exists at these prices: unlimited demand for air",
    ),
    "MARKET too_large": Case(
        {"overflow": True},
        {"overflow": False},
        "What is planned at these prices is worth more than numbers can say",
    ),
    "MARKET runaway": Case(
        {"runaway": "y", "towards": "zero"},
        {"runaway": None},
        "Excess demand shrinks, but only because the price of y runs to zero",
    ),
    "MARKET runaway_at_floor": Case(
        {"runaway_floor": 1e-12}, {"runaway_floor": None}, "It lies at its floor, 1e-12, and would fall further"
    ),
    "MARKET runaway_chases": Case(
        {"recedes": True}, {"recedes": False}, "Equilibrium stays as far ahead of it as it was"
    ),
    "MARKET thrown": Case(
        {"thrown": "x", "thrown_in": 2, "before": 1e-12, "after": 5e11},
        {"thrown": None},
        "In tick 2 the price of x was thrown from 1e-12 to 5e+11",
    ),
    "MARKET thrown_still": Case({"thrown_now": 5e11}, {"thrown_now": None}, "It is still 5e+11"),
    "MARKET still": Case(
        {"still": 100}, {"still": None}, "Prices have stood still for 100 ticks, though markets do not clear"
    ),
    "MARKET cycle": Case(
        swing(0.2057),
        {"period": None},
        "Prices return every 12.04 ticks: that of y swings by 20.6 % either way (10 % at first)",
    ),
    "MARKET centre": Case(
        {"centre_gap": 0.00108},
        {"centre_gap": math.nan},
        "The middle of the cycle is 0.108 % off the nearest equilibrium that was found",
    ),
    "MARKET drifts": Case(
        {"swing": 2.0, "drift": 0.3},
        {"drift": None},
        "Prices swing every 2 ticks about a centre that moved by 30 % since half way",
    ),
    "MARKET short": Case(
        {"short": "steel", "gap": 1.0},
        {"short": None},
        "Farthest from clearing is steel: supply falls short of demand by 100 %",
    ),
    "MARKET left": Case(
        {"left": "x", "gap": 0.5},
        {"left": None},
        "Farthest from clearing is x: demand falls short of supply by 50 %",
    ),
    "MARKET no_source": Case({"sourceless": ["steel"]}, {"sourceless": []}, "Nobody makes, owns or supplies steel"),
    "MARKET held_short": Case(
        {"held_short": "flats", "held_by": 0.75, "held_at": "its fixed price"},
        {"held_short": None},
        "At its fixed price supply of flats falls short of demand by 75 %",
    ),
    "MARKET held_left": Case(
        {"held_left": "milk", "held_by": 0.1, "held_at": "its floor"},
        {"held_left": None},
        "At its floor demand for milk falls short of supply by 10 %",
    ),
    "MARKET buyers": Case(
        {"held_short": "flats", "rationed": ["tenants 5 of 20"]},
        {"rationed": []},
        "Who wants flats buys less than planned: tenants 5 of 20",
    ),
    "MARKET sellers": Case(
        {"held_left": "milk", "rationed": ["farm 9 of 10"]},
        {"rationed": []},
        "Who offers milk sells less than planned: farm 9 of 10",
    ),
    "MARKET unspent": Case(
        {"account_of": "tenants", "account": 1234.5},
        {"account": -1.0},
        "1.23e+03 in the accounts of tenants cannot be spent",
    ),
    "MARKET owed": Case(
        {"account_of": "tenants", "account": -8.0},
        {"account": 8.0},
        "The accounts of tenants are at -8, not all paid for",
    ),
    "MARKET ahead": Case(
        {"ahead": 0.02},
        {"ahead": None},
        "Excess demand is within the tolerance, but equilibrium prices are still 2 % away",
    ),
    "MARKET distorted": Case(
        {"carried": 2.5},
        {"carried": None},
        "Rationed consumers carry 2.5 in their accounts, which distorts their plans",
    ),
    "MARKET old_plans": Case(
        {"late": True},
        {"late": False},
        "What is traded is not what is planned: somebody still carries out old plans",
    ),
    "MARKET equilibrium": Case(
        {**NEAR_ONE, "settles": "does not settle"},
        {"equilibrium_gap": 1.0},
        "Prices are near number 2 of the 3 equilibria found, of index -1; the price rule does not settle there",
    ),
    "MARKET continuum": Case(
        {"outcome": "cleared", "equilibrium_gap": 1e-9, "continuum": True},
        {"continuum": False},
        "Prices are on a continuum of equilibria: others beside them clear, too",
    ),
    "MARKET index_unknown": Case(
        {**NEAR_ONE, "index": 0, "continuum": False},
        {"index": 1},
        "Prices are near number 2 of the 3 equilibria found; its index is not known, so that prices beside it may "
        "clear too",
    ),
    "MARKET none_near": Case(
        {"outcome": "cleared", "equilibria": 2, "equilibrium_gap": 1.0},
        {"equilibrium_gap": 1e-9},
        "No equilibrium that was found is near: of 2 the nearest is 100 % away",
    ),
    "MARKET none": Case(
        {"equilibria": 0, "starts": 15, "price_held": False},
        {"equilibria": 1},
        "The search from 15 starts found no equilibrium",
    ),
    "MARKET not_looked_for": Case(
        {"equilibria": 0, "starts": 0},
        {"starts": 15},
        "Equilibria are not looked for: tastes are linear beside taxes or transfers",
    ),
    "MARKET none_payable": Case(
        {"equilibria": 0, "overdrawn": "state"},
        {"equilibria": 1},
        "Where all markets clear state would have less than nothing to spend",
    ),
    "MARKET none_held": Case(
        {"equilibria": 0, "price_held": True},
        {"price_held": False},
        "At a price that is held no competitive equilibrium was found; `simulator solve` tells the one with rationing",
    ),
    "MARKET missing": Case(
        {"missing": True, "indices": 2, "unknown": 0},
        {"missing": False},
        "Some equilibria are missing: the indices of those found add up to +2, and all of them to +1",
    ),
    "MARKET may_be_missing": Case(
        {"missing": True, "unknown": 1},
        {"unknown": 0},
        "Some equilibria may be missing: of 1 of those found the index is not known",
    ),
    "MARKET ended_early": Case(
        {"given_up": True, "starts": 15},
        {"given_up": False},
        "The search for equilibria was ended early: there may be others",
    ),
    "MARKET derivatives": Case(
        {"objective": "the surplus of ann", "agreement": 3e-9, "compared": 4, "movable": 4},
        {"agreement": 0.1},
        "Each price that may move equals its bid and the derivative of the surplus of ann, to 3.0e-09",
    ),
    "MARKET some_derivatives": Case(
        {"objective": "the surplus of ann", "agreement": 3e-9, "compared": 3, "movable": 4},
        {"compared": 4},
        "3 of 4 prices that may move equal bids and derivatives of the surplus of ann, to 3.0e-09; "
        "the other goods are free or not used",
    ),
    "MARKET no_evidence": Case(
        {"outcome": "out_of_ticks", "agreement": 1e-16},
        {"outcome": "cleared"},
        "That alone shows no equilibrium: a buyer who is not rationed always bids the price",
    ),
    "MARKET no_derivatives": Case(
        {"objective": "the surplus of ann", "agreement": 13.5, "bid_gap": 13.5, "adjoint_gap": 0.5},
        {"agreement": 1e-9},
        "The last prices are off bids by up to a factor of 14.5, off the derivatives of the surplus of ann by 50 %",
    ),
    "MARKET bids_alone": Case(
        {"objective": "the surplus of ann", "agreement": 0.5, "bid_gap": 1e-14, "adjoint_gap": 0.5},
        {"bid_gap": 0.1},
        "The last prices equal bids, to rounding, but are off the derivatives of the surplus of ann by 50 %",
    ),
    "MARKET taxes_between": Case(
        {"agreement": 0.5, "bid_gap": 1e-14, "wedges": ["excise"]},
        {"wedges": []},
        "Taxes come between the two: one more unit also brings what is paid in excise further on",
    ),
    "MARKET planner": Case(
        {"planner_gap": 0.64},
        {"planner_gap": None},
        "Prices were up to 64 % off those of a planner who climbs the gradient",
    ),
    "MARKET leaves_saddle": Case(
        {"saddle_gap": 0.5},
        {"saddle_gap": 1e-12},
        "Prices were up to 50 % off the saddle path, on which levels climb unit profits and prices descend",
    ),
    "MARKET is_saddle": Case(
        {"saddle_gap": 1e-11, "ticks": 5},
        {"saddle_gap": 0.1},
        "Prices followed the saddle path, to 1.0e-11: levels climb unit profits while prices descend",
    ),
    "MARKET leaves_descent": Case(
        {"path_gap": 0.184, "reference": "the merit"},
        {"path_gap": 0.0},
        "Prices were up to 18.4 % off gradient descent on the merit",
    ),
    "MARKET is_descent": Case(
        {"path_gap": 1e-16, "reference": "the potential", "rose": False, "ticks": 9},
        {"ticks": 0},
        "Prices followed gradient descent on the potential, to rounding",
    ),
    "MARKET overshoots": Case(
        DESCENT,
        {"rose": False},
        "Each step went down the gradient of the potential, but so far that it rose from 8 to 9.5",
    ),
    "MARKET path_hops": Case(
        {"outcome": "cleared", "path": "Gradient descent", "path_hop": 0.033},
        {"path_hop": 0.0},
        "Gradient descent itself has not settled: its prices hop to and fro by 3.3 % from tick to tick, "
        "and a smaller rate may help",
    ),
    "MARKET pace": Case(
        {"outcome": "out_of_ticks", "more_ticks": 1234},
        {"more_ticks": None},
        "At its present pace it would clear after 1,234 more ticks",
    ),
    "MARKET level": Case(
        {"level": 0.44, "little": 0.004, "numeraire": "shells", "better": "figs"},
        {"level": None},
        "Relative prices are right, and only their level is off, by 44 %: no more than 0.4 % is spent on the numeraire "
        "shells. `--set numeraire=figs` is much faster",
    ),
    "MARKET rate": Case(
        {"largest_rate": 1.06, "rate": 1.2, "smaller_rate": 0.53},
        {"largest_rate": None},
        "Near the equilibrium found prices settle at rates below 1.1, and it is 1.2: try `--set scheduler.rate=0.53`",
    ),
    "MARKET piece": Case(
        {"turning_rate": 0.64, "turning_piece": "[{pd: 2}]"},
        {"turning_piece": None},
        "Near the equilibrium found no smaller rate settles, but `--set scheduler.rate=0.64 "
        "--set 'scheduler.with=[{pd: 2}]'` does",
    ),
    "MARKET faster": Case(
        {"faster_piece": "[{momentum: 0.5}]", "times": 3.21},
        {"faster_piece": None},
        "With `--set 'scheduler.with=[{momentum: 0.5}]'` prices near it about 3.2 times as fast",
    ),
    "MARKET tune": Case(
        {"tune": "simulator tune a.yaml", "steps": True},
        {"steps": False},
        "`simulator tune a.yaml` looks for better steps",
    ),
    "MARKET unreached": Case(
        {"unreached": ["61", "1,000"]},
        {"unreached": []},
        "Members were to be recorded at tick 61, 1,000: the run had ended",
    ),
    "MARKET no_gains": Case(
        {"gainless": ["poor"]},
        {"gainless": []},
        "Gains from trade of poor have no number: without trade some have no utility",
    ),
    "POSTS posts_clear": Case(
        {"bids_gap": 3e-8},
        {"bids_gap": None},
        "At the prices of the tick before bids meet what is on offer, to 3e-08",
    ),
    "POSTS posts_move": Case(
        {"prices_moved": 2e-7, "money_moved": 0.25},
        {"money_moved": None},
        "In the last tick prices moved by 2.0e-07 at most, the money of a firm by 25 % of all",
    ),
    "POSTS mirror": Case(
        {"mirror_gap": 1e-16}, {"mirror_gap": 1e-3}, "Prices followed entropic mirror descent, to rounding"
    ),
    "POSTS leaves_mirror": Case(
        {"mirror_gap": 0.25}, {"mirror_gap": 1e-16}, "Prices were up to 25 % off entropic mirror descent"
    ),
    "BIDS bids": Case(
        {"bids_residual": 0.0},
        {"bids_residual": None},
        "Every bid is the price, and every quantity what its firm makes, to 0",
    ),
    "BIDS no_answer": Case(
        {"silent": "ln_b", "silent_at": "a = -1", "silent_in": 7},
        {"silent": None},
        "ln_b has no finite value or slope at a = -1 (tick 7)",
    ),
    "BIDS not_arrived": Case({"missing": "c"}, {"missing": None}, "c has not arrived"),
    "BIDS off_bid": Case({"off_bid": "c", "off_by": 0.25}, {"off_bid": None}, "The price of c is 0.25 off what is bid"),
    "BIDS bids_are_derivatives": Case(
        {"objective": "net sales of c", "adjoint_gap": 1e-16},
        {"adjoint_gap": 0.5},
        "Each price is the derivative of net sales of c, to rounding",
    ),
    "BIDS bids_are_not_derivatives": Case(
        {"objective": "net sales of c", "adjoint_gap": 0.5},
        {"adjoint_gap": 1e-16},
        "Prices are off the derivatives of net sales of c by up to 50 %",
    ),
    "MAKER last_round": Case(
        {"outcome": "cleared", "last_round": 1e-9},
        {"outcome": "out_of_ticks"},
        "Nobody trades any more: the largest trade of the last round is 1e-09 of the liquidity",
    ),
    "MAKER goes_on": Case(
        {"outcome": "out_of_ticks", "last_round": 0.25},
        {"last_round": math.inf},
        "The largest trade of the last round is 0.25 of the liquidity",
    ),
    "MAKER come": Case({"traders": 4000}, {"traders": None}, "All 4,000 traders have come, and none comes again"),
    "MAKER lost": Case(
        {"lost": ["red"]}, {"lost": []}, "A trade took the price of red to 0; more liquidity keeps it from there"
    ),
    "MAKER came_true": Case(
        {"came_true": "red", "last_price": 0.45, "log_loss": 0.8},
        {"came_true": None},
        "red came true, at a last price of 0.45: the log loss is 0.8",
    ),
    "MAKER maker_lost": Case(
        {"realised": 5.96, "maker_loss_bound": 22.0},
        {"realised": -1.0},
        "The maker loses 5.96, and could have lost 22 at most",
    ),
    "MAKER maker_gained": Case({"realised": -1.0, "gained": 1.0}, {"realised": 1.0}, "The maker gains 1"),
    "MAKER may_lose": Case(
        {"settled": False, "worst": "red", "worst_loss": 6.0, "maker_loss_bound": 22.0},
        {"settled": True},
        "The maker would lose 6 if red came true, of 22 at most",
    ),
    "MAKER own_gradient": Case(
        {"path_gap": 1e-16, "ticks": 9},
        {"path_gap": 1e-3},
        "Each trade was a step down the gradient of the trader's own objective, to rounding",
    ),
    "LEARNING filled": Case({"filled": 9.9e-5}, {"filled": None}, "Every order is filled, to 9.9e-05"),
    "LEARNING unbounded_price": Case(
        {"unbounded": ["a"]}, {"unbounded": []}, "The price of a leaves every bound; a smaller rate may help"
    ),
    "LEARNING unbounded_pay": Case(
        {"unbounded_pay": True},
        {"unbounded_pay": False},
        "What bundles pay leaves every bound; a smaller rate may help",
    ),
    "LEARNING learnt": Case(
        {"learnt": "Prices and designs", "still": 100},
        {"still": None},
        "Prices and designs have stood still for 100 ticks",
    ),
    "LEARNING learning_cycle": Case(
        swing(2.0),
        {"period": None},
        "Prices return every 12.04 ticks: that of y swings by 2 either way (0.1 at first)",
    ),
    "LEARNING unfilled": Case(
        {"unfilled": 2, "orders": 4000, "unfilled_by": 0.5},
        {"unfilled": None},
        "2 of 4,000 orders are not filled, and miss up to 0.5",
    ),
    "LEARNING loss": Case({"loss": 0.25}, {"loss": math.nan}, "The loss is 0.25"),
    "LEARNING decided": Case({"accuracy": 0.5, "tied": 0.25}, {"tied": 1.0}, "50 % of the patterns are decided right"),
    "LEARNING tied": Case({"tied": 1.0}, {"tied": 0.0}, "100 % of the patterns are ties, to rounding, and not decided"),
    "LEARNING held_out": Case(
        {"test_accuracy": 0.978}, {"test_accuracy": math.nan}, "Of the patterns held out 97.8 % are decided right"
    ),
    "SOLVED none_found": Case(
        {"equilibria": 0, "fix_price": 0, "starts": 15}, {"equilibria": 1}, "no equilibrium found from 15 starts"
    ),
    "SOLVED came_nearest": Case(
        {"equilibria": 0, "fix_price": 0, "best": 2.345e-7}, {"equilibria": 1}, "the smallest residual is 2.3e-07"
    ),
    "SOLVED runs_away": Case(
        {"equilibria": 0, "fix_price": 0, "runaway": "the price of y", "towards": "zero"},
        {"fix_price": 1},
        "the price of y runs to zero",
    ),
    "SOLVED out_of_reach": Case(
        {"equilibria": 0, "unkept": "tariff"}, {"equilibria": 1}, "no rate of tariff was found that keeps its value"
    ),
    "SOLVED overdrawn": Case(
        {"equilibria": 0, "overdrawn": "state"},
        {"equilibria": 1},
        "where all markets clear state would have less than nothing to spend",
    ),
    "SOLVED one_found": Case({"equilibria": 1, "starts": 15}, {"equilibria": 2}, "1 equilibrium found from 15 starts"),
    "SOLVED no_other": Case({"equilibria": 1, "all_found": True}, {"all_found": False}, "there is no other"),
    "SOLVED some_found": Case({"equilibria": 2, "starts": 15}, {"equilibria": 1}, "2 equilibria found from 15 starts"),
    "SOLVED relative": Case(
        {"equilibria": 2, "level_free": True},
        {"level_free": False},
        "only relative prices matter, and the sum of all is that of the initial ones",
    ),
    "SOLVED held": Case(
        {"fix_price": 1, "held": ["flats"]},
        {"fix_price": 0},
        "1 fix-price equilibrium found, not competitive: the price of flats is held and the long side rationed",
    ),
    "SOLVED counted_in": Case({"equilibria": 1, "numeraire": "x"}, {"equilibria": 0}, "the price of x is 1"),
    "SOLVED missing": Case(
        {"missing": True, "indices": -1, "unknown": 0},
        {"missing": False},
        "some are missing: the indices add up to -1, and those of all equilibria of a regular economy to +1",
    ),
    "SOLVED may_be_missing": Case(
        {"missing": True, "unknown": 1},
        {"unknown": 0},
        "some may be missing: of 1 the index is not known, so that it cannot be told",
    ),
    "SOLVED derivatives_of": Case(
        {"equilibria": 1, "objective": "net sales of c"}, {"equilibria": 0}, "derivatives are of net sales of c"
    ),
    "SOLVED search_ended": Case(
        {"given_up": True}, {"given_up": False}, "the search was ended early, so that there may be others"
    ),
    "SOLVED not_as_expected": Case({"expected": "1 or 3"}, {"expected": None}, "expected 1 or 3"),
    "DERIVED flagged": Case(
        {"flagged": 2, "counted": 30},
        {"flagged": 0},
        "* 2 of 30 derivatives are off what solving again gives: something is about to be used or made no more, or a "
        "bound is near, where derivatives on both sides differ",
    ),
    "DERIVED unsolved": Case(
        {"unsolved": 2, "counted": 30},
        {"unsolved": 0},
        "* beside 2 of 30 derivatives no equilibrium was found: there may be none",
    ),
    "DERIVED nothing_moves": Case(
        {"equilibria": 0}, {"equilibria": 1}, "no derivatives: no competitive equilibrium was found"
    ),
    "DERIVED without": Case(
        {"without": ["2"]}, {"without": []}, "no derivatives at equilibrium 2: it is one of a continuum, or at a fold"
    ),
    "PERTURBED bound_only": Case(
        {"bound": 3.5, "amplification": 3.0},
        {"bound": 3.0},
        "too many parameters to try all signs: the worst amplification is at most 3.5",
    ),
    "PERTURBED none_after": Case(
        {"solved_again": False}, {"solved_again": True}, "after this change no equilibrium was found"
    ),
    "PERTURBED prediction_fails": Case(
        {"resolved_amplification": 9.0, "amplification": 3.0},
        {"resolved_amplification": 3.1},
        "the prediction does not hold this far: take a smaller size, or a fold is near, where prices jump",
    ),
    "PERTURBED random_without": Case(
        {"without_equilibrium": 2},
        {"without_equilibrium": 0},
        "after 2 of the random changes Newton's method finds no equilibrium from the old prices",
    ),
    "FITTED unsettled": Case(
        {"converged": False}, {"converged": True}, "The best search did not come to rest: more may be had from its end"
    ),
    "FITTED fits": Case(
        {"largest_gap": 0.021}, {"largest_gap": 0.5}, "The scenario comes to within 2.1 % of every observed value"
    ),
    "FITTED misfits": Case({"largest_gap": 0.5}, {"largest_gap": 0.02}, "Some observed value is off by 50 %"),
    "FITTED factors": Case(
        {"factors": 2}, {"factors": 0}, "Only relative prices matter: those of a case are counted up to a factor"
    ),
    "FITTED alone": Case({"starts": 1}, {"starts": 8}, "There was one search: others may end elsewhere"),
    "FITTED reached": Case({"starts": 8, "reached": 5}, {"starts": 1}, "5 of 8 searches ended there"),
    "FITTED lost": Case(
        {"starts": 8, "lost": 2}, {"lost": 0}, "2 of 8 searches broke off, where prices have no derivative"
    ),
    "FITTED untold": Case(
        {"untold": ["a", "b"]}, {"untold": []}, "No observed value tells a, b: no standard errors there"
    ),
    "FITTED held": Case({"at_bound": ["a"]}, {"at_bound": []}, "At a bound: a, where intervals do not hold"),
    "LEARNT one_rational": Case(
        {"learnt": 1, "rational": 1},
        {"rational": 0},
        "These purchases are those of somebody who wants the most for the money",
    ),
    "LEARNT all_rational": Case(
        {"learnt": 3, "rational": 3},
        {"rational": 2},
        "All 3 households buy as if they wanted the most for their money",
    ),
    "LEARNT one_wastes": Case(
        {"learnt": 1, "rational": 0, "waste": 0.1},
        {"rational": 1},
        "These purchases waste 10 % of the money, by Afriat's index",
    ),
    "LEARNT some_waste": Case(
        {"learnt": 3, "rational": 2, "least_efficient": "a", "waste": 0.1},
        {"rational": 3},
        "2 of 3 households buy as if they wanted the most for their money; the least so, a, wastes 10 % of it",
    ),
    "LEARNT by_chance": Case(
        {"by_chance": ["a"]}, {"by_chance": []}, "No more rational than half of all random choices are: a"
    ),
    "LEARNT weak": Case(
        {"weak": ["a"]}, {"weak": []}, "Budgets tell little where 19 of 20 random choices waste nothing: a"
    ),
    "LEARNT form": Case(
        {"learnt": 1, "form": "ces"}, {"learnt": 2}, "The simplest form that explains what was held out: ces"
    ),
    "LEARNT forms": Case(
        {"learnt": 2, "forms": ["ces (2)"]},
        {"learnt": 1},
        "The simplest forms that explain what was held out: ces (2)",
    ),
    "FITTED exact": Case(
        {"degrees_of_freedom": 0},
        {"degrees_of_freedom": 1},
        "There are no more values than parameters: nothing is left to tell standard errors from",
    ),
}

CASES |= {
    "COMPARED none_clears": Case(
        {"runs": 2, "cleared": 0, "others": ["a cycled", "b diverged"]},
        {"cleared": 1},
        "Neither clears: a cycled, b diverged",
    ),
    "COMPARED none_clears_alike": Case(
        {"runs": 4, "cleared": 0, "ending": "diverged"}, {"cleared": 4}, "None of 4 clears: all diverged"
    ),
    "COMPARED all_at_once": Case(
        {"runs": 2, "last_ticks": 1, "at_once": True}, {"at_once": False}, "Both clear after 1 tick"
    ),
    "COMPARED all_clear": Case(
        {"runs": 2, "cleared": 2, "at_once": False, "first": "a", "first_ticks": 9, "last": "b", "last_ticks": 1234},
        {"cleared": 1},
        "a clears first, after 9 ticks, b last, after 1,234",
    ),
    "COMPARED some_clear": Case(
        {"runs": 3, "cleared": 2, "first": "a", "first_ticks": 9, "others": ["c cycled"]},
        {"others": []},
        "2 of 3 clear, a first, after 9 ticks; c cycled",
    ),
    "COMPARED_PRICES no_good": Case({"goods": 0}, {"goods": 1}, "No good is common to all runs"),
    "COMPARED_PRICES lone_price": Case(
        {"lone_good": "money"}, {"lone_good": None}, "No price but that of money is common to all runs"
    ),
    "COMPARED_PRICES turns": Case(
        {"turns": ["1,472 in scarf"]}, {"turns": []}, "Prices return after so many ticks: 1,472 in scarf"
    ),
    "COMPARED_PRICES same": Case(
        {"which": "at the end", "gap": 1e-16, "finite": 2}, {"gap": 0.5}, "Prices at the end agree to rounding"
    ),
    "COMPARED_PRICES apart": Case(
        {"which": "of the last tick", "gap": 0.5, "widest": "b", "finite": 2},
        {"finite": 1},
        "Prices of the last tick differ by up to 50 % (b)",
    ),
    "COMPARED_PRICES no_two": Case({"finite": 1}, {"finite": 2}, "No two runs ended with finite prices"),
}


def test_every_row_has_its_case() -> None:
    assert len(TABLES) >= 6
    assert set(CASES) == set(ROWS)


@pytest.mark.parametrize("name", ROWS)
def test_a_row_is_said_where_it_holds_and_nowhere_else(name: str) -> None:
    row, (facts, instead, text) = ROWS[name], CASES[name]
    assert row.of({**facts, "beside": 1}) == text
    assert instead
    assert set(instead) <= set(facts)
    assert row.of({**facts, **instead}) is None


@pytest.mark.parametrize("name", ROWS)
def test_a_row_claims_nothing_of_what_is_not_known(name: str) -> None:
    row, (facts, _, _) = ROWS[name], CASES[name]
    for fact in facts:
        assert row.of({known: value for known, value in facts.items() if known != fact}) is None, fact
        for nothing in (None, math.nan, [], ""):
            assert row.of({**facts, fact: nothing}) is None, fact


def test_rows_of_one_table_have_names_of_their_own() -> None:
    for rows in TABLES.values():
        assert len({row.name for row in rows}) == len(rows)


def test_sentences_come_in_the_rows_order_with_what_is_said_of_single_goods() -> None:
    rows = (Sentence("all", "{count} goods"), Sentence("one", "{good} of {count}"))
    assert said(rows, {"count": 2}) == ["2 goods"]
    assert said(rows, {"count": 2}, [{"good": "a"}, {"good": "b"}]) == ["2 goods", "a of 2", "b of 2"]


def own(name: str, utility: dict[str, Any], **endowment: float) -> dict[str, Any]:
    return {"name": name, "utility": utility, "endowment": endowment}


HALF = {"cobb_douglas": {"x": 1, "y": 1}}
BARTER: dict[str, Any] = {
    "goods": ["x", "y"],
    "numeraire": "y",
    "initial_prices": {"x": 3},
    "consumers": [own("ann", HALF, x=2, y=1), own("ben", {"cobb_douglas": {"x": 1, "y": 3}}, x=1, y=3)],
    "trade": "at_equilibrium",
    "scheduler": {"form": "additive", "rate": 0.2},
}


def test_the_largest_gap_to_the_path_does_not_depend_on_the_ticks_recorded() -> None:
    every, seldom = (simulate({**BARTER, "run": {"record_every": n}}).summary for n in (1, 50))
    assert every["ticks"] > 20
    assert every["gradient_path_gap"] > 0.01
    assert seldom["gradient_path_gap"] == every["gradient_path_gap"]
    assert seldom["sentence"] == every["sentence"]


@pytest.mark.parametrize("rate", [0.05, 0.02])
def test_a_path_that_hops_while_the_market_stands_is_told_of(rate: float) -> None:
    """Of every tenth tick alone it would look at rest; a smaller rate lets it settle."""
    settings = {"consumers.households.count": 300, "scheduler.rate": rate}
    seldom, every = (
        simulate(load(SCENARIOS / "town.yaml", settings={**settings, "run.record_every": n})) for n in (10, 1)
    )
    path = every.trajectory.pivot(index="tick", columns="good", values="gradient_price").to_numpy()
    hop = float((abs(path[-1] - path[-2]) / path[-2]).max())
    told = "Gradient descent itself has not settled: its prices hop to and fro by " in every.summary["sentence"]
    assert every.summary["outcome"] == "cleared"
    assert (told, hop > 1e-3) == (rate == 0.05, rate == 0.05)
    assert f"by {100 * hop:.3g} % from tick to tick" in every.summary["sentence"] or not told
    assert seldom.summary["sentence"] == every.summary["sentence"]


def test_when_a_run_cleared_that_was_not_to_stop_is_not_claimed() -> None:
    stops, goes_on = (
        simulate({**BARTER, "run": {"ticks": 300, "stop": stop}}).summary for stop in ("verdict", "never")
    )
    assert stops["ticks"] < goes_on["ticks"] == 300
    assert stops["sentence"].startswith(f"Cleared after {stops['ticks']} ticks. ")
    assert goes_on["sentence"].startswith("Cleared at the end of 300 ticks, or sooner: the run was not to stop. ")


def test_no_search_for_equilibria_no_word_of_them_or_of_derivatives() -> None:
    summary = simulate({**BARTER, "run": {"references": "off"}}).summary
    assert summary["outcome"] == "cleared"
    assert summary["sentence"].count(". ") == 1
    assert "Every market clears" in summary["sentence"]


def valued(**intercepts: float) -> dict[str, Any]:
    """Demand falls by 1 as the price rises by 1."""
    return {"quasilinear": {"quadratic": {"intercept": intercepts, "slope": dict.fromkeys(intercepts, 1)}}}


SAID: dict[str, tuple[dict[str, Any], list[str]]] = {
    "the initial prices clear": (
        {**BARTER, "initial_prices": {"x": 1}, "consumers": [own("ann", HALF, x=2, y=2)]},
        ["Cleared after 0 ticks. The initial prices are right already. Every market clears", "to rounding."],
    ),
    "one good": (
        {"goods": ["x"], "consumers": [own("ann", {"cobb_douglas": {"x": 1}}, x=2)]},
        ["The initial prices are right already", "There is no relative price of one good"],
    ),
    "bread that nobody wants": (
        {
            "goods": ["bread", "wine"],
            "supply": {"bread": 5, "wine": 4},
            "consumers": [{"name": "ann", "utility": {"cobb_douglas": {"wine": 1}}, "budget": 2}],
        },
        [
            "Nobody wants bread, even for next to nothing",
            "1 of 2 prices that may move equal bids and derivatives of budget times",
        ],
    ),
    "more power than anybody wants": (
        {
            "goods": ["power", "bread"],
            "supply": {"power": 100, "bread": 4},
            "consumers": [{"name": "town", "utility": valued(power=60, bread=10)}],
        },
        [
            "More power is offered than anybody wants, even for next to nothing",
            "derivatives of the surplus of town, to",
        ],
    ),
    "what is too dear to make": (
        {
            "goods": ["q", "money"],
            "outside": {"money": 1},
            "firms": [{"name": "maker", "makes": "q = sqrt(144 + 2*money) - 12"}],
            "consumers": [{"name": "buyer", "utility": valued(q=10)}],
        },
        ["At these prices nobody wants or offers q. Prices followed gradient descent"],
    ),
    "steel from nowhere": (
        {
            "goods": ["steel", "cars"],
            "outside": {"cars": 1},
            "firms": [{"name": "maker", "makes": "cars = sqrt(steel)"}],
            "run": {"ticks": 3},
        },
        [
            "Not cleared to 1e-06 after 3 ticks. Farthest from clearing is steel: "
            "supply falls short of demand by 100 %. Nobody makes, owns or supplies steel"
        ],
    ),
}


@pytest.mark.parametrize("name", SAID)
def test_a_run_says_why(name: str) -> None:
    data, parts = SAID[name]
    sentence = simulate(data).summary["sentence"]
    for part in parts:
        assert part in sentence


def test_where_no_equilibrium_is_near_that_is_known_one_is_searched_for_from_there() -> None:
    simulation = Simulation(load(SCENARIOS / "three_equilibria.yaml"))
    view = simulation.recorder.view
    assert view.references is not None
    known = view.references.equilibria
    lost = known.pop()
    assert len(view.references.equilibria) == 2
    tables = {}
    for _ in simulation.ticks():
        if simulation.recorder.full or simulation.verdict is not None:
            tables = simulation.recorder.tables()
    last = {**last_row(tables, view.free_goods), "distance_to_equilibrium": 1.0}
    facts = view.facts(simulation.verdict, simulation.market.transition, last)
    lines = said(view.sentences, {"outcome": "cleared", **facts})
    assert any(line.startswith("Prices are near number 3 of the 3 equilibria found") for line in lines)
    assert view.references.equilibria[2].prices.tolist() == pytest.approx(lost.prices.tolist(), rel=1e-9)
    assert view.summary(simulation.market.transition)["price_gap"] < 1e-6


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("three_equilibria", "Prices are near number 3 of the 3 equilibria found, of index +1; the price rule settles"),
        ("tupperware", "the derivative of net sales of tupperware, to"),
        (
            "fish_market",
            "net sales of fuel, plus the surplus of restaurants, households, to",
        ),
        ("crusoe", "the derivative of the utility in money of crusoe, to"),
        (
            "xor_delta",
            "4 of 4 orders are not filled, and miss up to 0.5. The loss is 0.25. 100 % of the pat",
        ),
        ("subsistence", "Gains from trade of poor have no number: without trade some have no utility."),
    ],
)
def test_shipped_scenarios_say(name: str, part: str, shared: SharedRuns) -> None:
    assert part in shared.run(name).summary["sentence"]


@pytest.mark.parametrize("name", ["bazaar", "fisher", "tupperware"])
def test_a_market_at_rest_points_nowhere_else(name: str, shared: SharedRuns) -> None:
    """What is left of motion and excess demand there is rounding, and its direction is none."""
    ticks = shared.run(name, {"run.stop": "never", "run.ticks": 3000}).ticks.iloc[-300:]
    assert ticks["max_relative_excess_demand"].max() < 1e-13
    assert (ticks["cosine_to_gradient"] == 1).all()
