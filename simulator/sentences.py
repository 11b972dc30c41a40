"""Every sentence that is said of a run, and of what `solve`, `perturb`, `fit` and `compare` find: a row each, of facts.

A row is said where its condition holds of the facts. A fact that is not known (left out, None, not a number, an empty
list) holds of nothing: a row that names it, in its condition or its text, stays silent.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from string import Formatter
from types import SimpleNamespace
from typing import Any, NamedTuple

Facts = Mapping[str, Any]
"""Numbers, words and lists of words by name, of which sentences are made."""

AGREE = 1e-4
"""Prices, bids and derivatives that differ by no more, relatively, agree."""
NEAR = 0.01
"""Prices that are off an equilibrium by no more, relatively, are near it."""
FOLLOWS = 1e-9
"""A path that is off another by no more, relatively, follows it."""
FAR_OFF = 0.5
"""A prediction that is off by more than this part of it is none."""
MOST_NAMED = 3
"""So many of a list are named."""

SETTLES = {True: "settles", False: "does not settle", None: "may settle"}
"""What a price rule does near an equilibrium that is stable, unstable, or not known to be either."""


class Sentence(NamedTuple):
    """A row: its `text`, with facts in braces, is said `when` a condition holds of the facts (see `SPECS`)."""

    name: str
    text: str
    when: Callable[[Any], bool] = lambda f: True

    def of(self, facts: Facts) -> str | None:
        """The sentence made of some facts; None where it does not hold, or a fact that it needs is not known."""
        known = {name: fact for name, fact in facts.items() if _is_known(fact)}
        try:
            return _WORDS.vformat(self.text, (), known) if self.when(SimpleNamespace(**known)) else None
        except (AttributeError, KeyError):
            return None


def said(rows: Iterable[Sentence], facts: Facts, details: Sequence[Facts] = ()) -> list[str]:
    """What the rows say of the facts, in the rows' order; also with each of the `details` (of a good, an account)."""
    each = [facts, *({**facts, **detail} for detail in details)]
    return list(dict.fromkeys(text for row in rows for one in each if (text := row.of(one)) is not None))


def _is_known(fact: Any) -> bool:
    return fact == fact and fact is not None and not (isinstance(fact, str | list) and not fact)


def _in_words(gap: float) -> str:
    """A relative gap in words that fit its size."""
    if gap < 1e-12:
        return "rounding"
    if gap < AGREE:
        return f"{gap:.1e}"
    return f"{100 * gap:.3g} %" if gap < 9.995 else f"a factor of {gap + 1:.3g}"


def names(those: Sequence[str]) -> str:
    """The first of a list, and how many more there are."""
    more = len(those) - MOST_NAMED
    return ", ".join(those[:MOST_NAMED]) + (f" and {more} more" if more > 0 else "")


SPECS: Mapping[str, Callable[[Any], str]] = {
    "gap": _in_words,
    "value": lambda value: f"{value:.4g}" if math.isfinite(value) else "beyond every number",
    "percent": lambda part: f"{100 * part:.3g} %",
    "names": names,
    "none": lambda count: "Neither" if count == 2 else f"None of {count}",
    "all": lambda count: "both" if count == 2 else "all",
    "All": lambda count: "Both" if count == 2 else f"All {count}",
    "s": lambda count: "" if count == 1 else "s",
    "um": lambda count: "um" if count == 1 else "a",
}
"""How a fact is written after a colon, beside Python's own ways: `{gap:gap}`, `{goods:names}`, `tick{ticks:s}`."""


class _Words(Formatter):
    def format_field(self, value: Any, format_spec: str) -> str:
        return SPECS[format_spec](value) if format_spec in SPECS else format(value, format_spec)


_WORDS = _Words()

_ENDS = {
    "cleared": "Cleared after {ticks} tick{ticks:s}",
    "cycled": "Still cycling after {ticks} tick{ticks:s}",
    "diverged": "Diverged after {ticks} tick{ticks:s}",
    "settled_off_equilibrium": "Settled off equilibrium after {ticks} tick{ticks:s}",
    "out_of_ticks": "Not cleared to {tolerance:.2g} after {ticks} tick{ticks:s}",
    "interrupted": "Stopped by the user after {ticks} tick{ticks:s}",
}
_SOONER = "at the end of {ticks} tick{ticks:s}, or sooner: the run was not to stop"
OPENINGS = (
    *(
        Sentence(outcome, text, lambda f, outcome=outcome: f.outcome == outcome and not f.ran_on)
        for outcome, text in _ENDS.items()
    ),
    Sentence("cleared_sooner", f"Cleared {_SOONER}", lambda f: f.outcome == "cleared" and f.ran_on),
    Sentence("diverged_sooner", f"Diverged {_SOONER}", lambda f: f.outcome == "diverged" and f.ran_on),
    Sentence("at_once", "The initial prices are right already", lambda f: f.outcome == "cleared" and f.ticks == 0),
)
"""How every run ended, said first."""

MARKET = (
    Sentence("clears", "Every market clears: relative excess demand is at most {excess_demand:.2g}"),
    Sentence(
        "others_clear", "Every market whose price may move clears: relative excess demand is at most {others:.2g}"
    ),
    Sentence("no_profits", "No activity earns or loses what counts: relative unit profit is at most {unit_profit:.2g}"),
    Sentence("keeps", "Rates of taxes keep what they should, to {kept:.2g}"),
    Sentence("split_clears", "A split of spending on equally good goods clears every market, to {split:.2g}"),
    Sentence("any_price_clears", "There is no relative price of one good: every price clears", lambda f: f.lone_good),
    Sentence("free", "More {free:names} is offered than anybody wants, even for next to nothing"),
    Sentence("unwanted", "Nobody wants {unwanted:names}, even for next to nothing"),
    Sentence("idle", "At these prices nobody wants or offers {idle:names}"),
    Sentence("resting", "A unit of {resting:names} costs more than it brings, and none is made"),
    Sentence("some_rest", "Some of {some_rest:names} make nothing: a unit costs them more than it brings"),
    Sentence("infinite", "The price of {infinite:names} runs to infinity"),
    Sentence("endless", "The level of {endless:names} runs to infinity"),
    Sentence("untenable", "The rate of {untenable} runs away: after {rate:.3g} it would be {next_rate:.3g}"),
    Sentence("numberless", "The price of {numberless:names} is no longer a number"),
    Sentence("floored", "The price of {floored:names} is at its floor"),
    Sentence("unlimited", "No finite plan exists at these prices: unlimited {unlimited:names}"),
    Sentence("too_large", "What is planned at these prices is worth more than numbers can say", lambda f: f.overflow),
    Sentence("runaway", "Excess demand shrinks, but only because the price of {runaway} runs to {towards}"),
    Sentence("runaway_at_floor", "It lies at its floor, {runaway_floor:g}, and would fall further"),
    Sentence("runaway_chases", "Equilibrium stays as far ahead of it as it was", lambda f: f.recedes),
    Sentence("thrown", "In tick {thrown_in} the price of {thrown} was thrown from {before:g} to {after:g}"),
    Sentence("thrown_still", "It is still {thrown_now:g}"),
    Sentence("still", "Prices have stood still for {still} ticks, though markets do not clear"),
    Sentence(
        "cycle",
        "Prices return every {period:.4g} ticks: that of {swinging} swings by {amplitude:percent} either way "
        "({first_amplitude:percent} at first)",
    ),
    Sentence("centre", "The middle of the cycle is {centre_gap:gap} off the nearest equilibrium that was found"),
    Sentence(
        "drifts", "Prices swing every {swing:.4g} ticks about a centre that moved by {drift:percent} since half way"
    ),
    Sentence("short", "Farthest from clearing is {short}: supply falls short of demand by {gap:percent}"),
    Sentence("left", "Farthest from clearing is {left}: demand falls short of supply by {gap:percent}"),
    Sentence("no_source", "Nobody makes, owns or supplies {sourceless:names}"),
    Sentence("earning", "Firm {earning} still earns {margin:percent} a unit"),
    Sentence("losing", "Firm {losing} still loses {margin:percent} a unit"),
    Sentence(
        "adjusts", "The rate of {adjusts}, {rate:.4g} by now, has yet to keep {target:.6g}: it keeps {has_kept:.6g}"
    ),
    Sentence("held_short", "At {held_at} supply of {held_short} falls short of demand by {held_by:percent}"),
    Sentence("held_left", "At {held_at} demand for {held_left} falls short of supply by {held_by:percent}"),
    Sentence("buyers", "Who wants {held_short} buys less than planned: {rationed:names}"),
    Sentence("sellers", "Who offers {held_left} sells less than planned: {rationed:names}"),
    Sentence("unspent", "{account:.3g} in the accounts of {account_of} cannot be spent", lambda f: f.account > 0),
    Sentence("owed", "The accounts of {account_of} are at {account:.3g}, not all paid for", lambda f: f.account < 0),
    Sentence("ahead", "Excess demand is within the tolerance, but equilibrium prices are still {ahead:gap} away"),
    Sentence("distorted", "Rationed consumers carry {carried:.3g} in their accounts, which distorts their plans"),
    Sentence(
        "old_plans", "What is traded is not what is planned: somebody still carries out old plans", lambda f: f.late
    ),
    Sentence("brings", "Revenue of taxes, at their rates: {brings:names}"),
    Sentence(
        "equilibrium",
        "Prices are near number {equilibrium} of the {equilibria} equilibria found, of index {index:+d}; "
        "the price rule {settles} there",
        lambda f: f.outcome == "cleared" and f.equilibria > 1 and f.equilibrium_gap <= NEAR and f.index != 0,
    ),
    Sentence(
        "continuum",
        "Prices are on a continuum of equilibria: others beside them clear, too",
        lambda f: f.outcome == "cleared" and f.equilibrium_gap <= NEAR and f.continuum,
    ),
    Sentence(
        "index_unknown",
        "Prices are near number {equilibrium} of the {equilibria} equilibria found; its index is not known, so that "
        "prices beside it may clear too",
        lambda f: f.outcome == "cleared" and f.equilibrium_gap <= NEAR and f.index == 0 and not f.continuum,
    ),
    Sentence(
        "none_near",
        "No equilibrium that was found is near: of {equilibria} the nearest is {equilibrium_gap:gap} away",
        lambda f: f.outcome == "cleared" and f.equilibrium_gap > NEAR,
    ),
    Sentence(
        "none",
        "The search from {starts} starts found no equilibrium",
        lambda f: f.equilibria == 0 and f.starts > 0 and not f.price_held,
    ),
    Sentence(
        "not_looked_for",
        "Equilibria are not looked for: tastes are linear beside taxes or transfers",
        lambda f: f.equilibria == 0 and f.starts == 0,
    ),
    Sentence(
        "none_payable",
        "Where all markets clear {overdrawn} would have less than nothing to spend",
        lambda f: f.equilibria == 0,
    ),
    Sentence(
        "none_held",
        "At a price that is held no competitive equilibrium was found; `simulator solve` tells the one with rationing",
        lambda f: f.equilibria == 0 and f.price_held,
    ),
    Sentence(
        "missing",
        "Some equilibria are missing: the indices of those found add up to {indices:+d}, and all of them to +1",
        lambda f: f.missing and f.unknown == 0,
    ),
    Sentence(
        "may_be_missing",
        "Some equilibria may be missing: of {unknown} of those found the index is not known",
        lambda f: f.missing and f.unknown > 0,
    ),
    Sentence(
        "ended_early",
        "The search for equilibria was ended early: there may be others",
        lambda f: f.given_up and f.starts > 0,
    ),
    Sentence(
        "derivatives",
        "Each price that may move equals its bid and the derivative of {objective}, to {agreement:gap}",
        lambda f: f.agreement <= AGREE and f.compared == f.movable,
    ),
    Sentence(
        "some_derivatives",
        "{compared} of {movable} prices that may move equal bids and derivatives of {objective}, to {agreement:gap}; "
        "the other goods are free or not used",
        lambda f: f.agreement <= AGREE and f.compared < f.movable,
    ),
    Sentence(
        "no_evidence",
        "That alone shows no equilibrium: a buyer who is not rationed always bids the price",
        lambda f: f.agreement <= AGREE and f.outcome != "cleared",
    ),
    Sentence(
        "no_derivatives",
        "The last prices are off bids by up to {bid_gap:gap}, off the derivatives of {objective} by {adjoint_gap:gap}",
        lambda f: f.agreement > AGREE and f.bid_gap > AGREE,
    ),
    Sentence(
        "bids_alone",
        "The last prices equal bids, to {bid_gap:gap}, but are off the derivatives of {objective} by {adjoint_gap:gap}",
        lambda f: f.agreement > AGREE and f.bid_gap <= AGREE,
    ),
    Sentence(
        "taxes_between",
        "Taxes come between the two: one more unit also brings what is paid in {wedges:names} further on",
        lambda f: f.agreement > AGREE and f.bid_gap <= AGREE,
    ),
    Sentence("planner", "Prices were up to {planner_gap:gap} off those of a planner who climbs the gradient"),
    Sentence(
        "leaves_saddle",
        "Prices were up to {saddle_gap:gap} off the saddle path, on which levels climb unit profits and prices descend",
        lambda f: f.saddle_gap > FOLLOWS,
    ),
    Sentence(
        "is_saddle",
        "Prices followed the saddle path, to {saddle_gap:gap}: levels climb unit profits while prices descend",
        lambda f: f.saddle_gap <= FOLLOWS and f.ticks > 0,
    ),
    Sentence(
        "leaves_descent",
        "Prices were up to {path_gap:gap} off gradient descent on {reference}",
        lambda f: f.path_gap > FOLLOWS,
    ),
    Sentence(
        "is_descent",
        "Prices followed gradient descent on {reference}, to {path_gap:gap}",
        lambda f: f.path_gap <= FOLLOWS and not f.rose and f.ticks > 0,
    ),
    Sentence(
        "overshoots",
        "Each step went down the gradient of {reference}, but so far that it rose from {first:.4g} to {last:value}",
        lambda f: f.path_gap <= FOLLOWS and f.rose,
    ),
    Sentence(
        "path_hops",
        "{path} itself has not settled: its prices hop to and fro by {path_hop:gap} from tick to tick, "
        "and a smaller rate may help",
        lambda f: f.outcome == "cleared" and f.path_hop > AGREE,
    ),
    Sentence(
        "pace",
        "At its present pace it would clear after {more_ticks:,} more tick{more_ticks:s}",
        lambda f: f.outcome == "out_of_ticks",
    ),
    Sentence(
        "level",
        "Relative prices are right, and only their level is off, by {level:gap}: no more than {little:percent} is "
        "spent on the numeraire {numeraire}. `--set numeraire={better}` is much faster",
    ),
    Sentence(
        "rate",
        "Near the equilibrium found prices settle at rates below {largest_rate:.2g}, and it is {rate:g}: try "
        "`--set scheduler.rate={smaller_rate:g}`",
    ),
    Sentence(
        "piece",
        "Near the equilibrium found no smaller rate settles, but `--set scheduler.rate={turning_rate:g} --set "
        "'scheduler.with={turning_piece}'` does",
    ),
    Sentence("faster", "With `--set 'scheduler.with={faster_piece}'` prices near it about {times:.2g} times as fast"),
    Sentence("tune", "`{tune}` looks for better steps", lambda f: f.steps),
    Sentence("unreached", "Members were to be recorded at tick {unreached:names}: the run had ended"),
    Sentence("no_gains", "Gains from trade of {gainless:names} have no number: without trade some have no utility"),
)
"""What is said of a market in which everybody plans."""

POSTS = (
    Sentence("posts_clear", "At the prices of the tick before bids meet what is on offer, to {bids_gap:.2g}"),
    Sentence(
        "posts_move",
        "In the last tick prices moved by {prices_moved:gap} at most, the money of a firm by {money_moved:gap} of all",
    ),
    Sentence(
        "mirror", "Prices followed entropic mirror descent, to {mirror_gap:gap}", lambda f: f.mirror_gap <= FOLLOWS
    ),
    Sentence(
        "leaves_mirror",
        "Prices were up to {mirror_gap:gap} off entropic mirror descent",
        lambda f: f.mirror_gap > FOLLOWS,
    ),
)
"""What is said of trading posts, before what is said of every market."""

BIDS = (
    Sentence("bids", "Every bid is the price, and every quantity what its firm makes, to {bids_residual:.2g}"),
    Sentence("no_answer", "{silent} has no finite value or slope at {silent_at} (tick {silent_in})"),
    Sentence("not_arrived", "{missing} has not arrived"),
    Sentence("off_bid", "The price of {off_bid} is {off_by:.3g} off what is bid"),
    Sentence(
        "bids_are_derivatives",
        "Each price is the derivative of {objective}, to {adjoint_gap:gap}",
        lambda f: f.adjoint_gap <= AGREE,
    ),
    Sentence(
        "bids_are_not_derivatives",
        "Prices are off the derivatives of {objective} by up to {adjoint_gap:gap}",
        lambda f: f.adjoint_gap > AGREE,
    ),
)
"""What is said of a market of marginal bids."""

MAKER = (
    Sentence(
        "last_round",
        "Nobody trades any more: the largest trade of the last round is {last_round:.2g} of the liquidity",
        lambda f: f.outcome == "cleared",
    ),
    Sentence(
        "goes_on",
        "The largest trade of the last round is {last_round:.2g} of the liquidity",
        lambda f: f.outcome == "out_of_ticks" and math.isfinite(f.last_round),
    ),
    Sentence("come", "All {traders:,} traders have come, and none comes again"),
    Sentence("lost", "A trade took the price of {lost:names} to 0; more liquidity keeps it from there"),
    Sentence("came_true", "{came_true} came true, at a last price of {last_price:.4g}: the log loss is {log_loss:.4g}"),
    Sentence(
        "maker_lost",
        "The maker loses {realised:.4g}, and could have lost {maker_loss_bound:.4g} at most",
        lambda f: f.realised > 0,
    ),
    Sentence("maker_gained", "The maker gains {gained:.4g}", lambda f: f.realised <= 0),
    Sentence(
        "may_lose",
        "The maker would lose {worst_loss:.4g} if {worst} came true, of {maker_loss_bound:.4g} at most",
        lambda f: not f.settled,
    ),
    Sentence(
        "own_gradient",
        "Each trade was a step down the gradient of the trader's own objective, to {path_gap:gap}",
        lambda f: f.path_gap <= FOLLOWS and f.ticks > 0,
    ),
)
"""What is said of a market maker and its traders."""

LEARNING = (
    Sentence("filled", "Every order is filled, to {filled:.2g}"),
    Sentence("unbounded_price", "The price of {unbounded:names} leaves every bound; a smaller rate may help"),
    Sentence(
        "unbounded_pay", "What bundles pay leaves every bound; a smaller rate may help", lambda f: f.unbounded_pay
    ),
    Sentence("learnt", "{learnt} have stood still for {still} ticks"),
    Sentence(
        "learning_cycle",
        "Prices return every {period:.4g} ticks: that of {swinging} swings by {amplitude:.3g} either way "
        "({first_amplitude:.3g} at first)",
    ),
    Sentence("unfilled", "{unfilled:,} of {orders:,} orders are not filled, and miss up to {unfilled_by:.3g}"),
    Sentence("loss", "The loss is {loss:.3g}"),
    Sentence("decided", "{accuracy:percent} of the patterns are decided right", lambda f: f.tied < 1),
    Sentence("tied", "{tied:percent} of the patterns are ties, to rounding, and not decided", lambda f: f.tied > 0),
    Sentence("held_out", "Of the patterns held out {test_accuracy:percent} are decided right"),
)
"""What is said of a market that learns."""

SOLVED = (
    Sentence(
        "none_found",
        "no equilibrium found from {starts} start{starts:s}",
        lambda f: f.equilibria == 0 and f.fix_price == 0,
    ),
    Sentence("came_nearest", "the smallest residual is {best:.2g}", lambda f: f.equilibria == 0 and f.fix_price == 0),
    Sentence("runs_away", "{runaway} runs to {towards}", lambda f: f.equilibria == 0 and f.fix_price == 0),
    Sentence("out_of_reach", "no rate of {unkept} was found that keeps its value", lambda f: f.equilibria == 0),
    Sentence(
        "overdrawn",
        "where all markets clear {overdrawn} would have less than nothing to spend",
        lambda f: f.equilibria == 0,
    ),
    Sentence("one_found", "1 equilibrium found from {starts} start{starts:s}", lambda f: f.equilibria == 1),
    Sentence("no_other", "there is no other", lambda f: f.equilibria == 1 and f.all_found),
    Sentence("some_found", "{equilibria} equilibria found from {starts} starts", lambda f: f.equilibria > 1),
    Sentence(
        "held",
        "{fix_price} fix-price equilibri{fix_price:um} found, not competitive: the price of {held:names} is held and "
        "the long side rationed",
        lambda f: f.fix_price > 0,
    ),
    Sentence(
        "relative",
        "only relative prices matter, and the sum of all is that of the initial ones",
        lambda f: f.equilibria > 0 and f.level_free,
    ),
    Sentence("counted_in", "the price of {numeraire} is 1", lambda f: f.equilibria > 0),
    Sentence(
        "missing",
        "some are missing: the indices add up to {indices:+d}, and those of all equilibria of a regular economy to +1",
        lambda f: f.missing and f.unknown == 0,
    ),
    Sentence(
        "may_be_missing",
        "some may be missing: of {unknown} the index is not known, so that it cannot be told",
        lambda f: f.missing and f.unknown > 0,
    ),
    Sentence("derivatives_of", "derivatives are of {objective}", lambda f: f.equilibria > 0),
    Sentence("search_ended", "the search was ended early, so that there may be others", lambda f: f.given_up),
    Sentence("not_as_expected", "expected {expected}"),
)
"""What is said of the equilibria of a scenario."""

DERIVED = (
    Sentence(
        "flagged",
        "* {flagged} of {counted} derivatives are off what solving again gives: something is about to be used or made "
        "no more, or a bound is near, where derivatives on both sides differ",
        lambda f: f.flagged > 0,
    ),
    Sentence(
        "unsolved",
        "* beside {unsolved} of {counted} derivatives no equilibrium was found: there may be none",
        lambda f: f.unsolved > 0,
    ),
    Sentence("nothing_moves", "no derivatives: no competitive equilibrium was found", lambda f: f.equilibria == 0),
    Sentence("without", "no derivatives at equilibrium {without:names}: it is one of a continuum, or at a fold"),
)
"""What is said of derivatives of equilibria."""

PERTURBED = (
    Sentence(
        "bound_only",
        "too many parameters to try all signs: the worst amplification is at most {bound:.4g}",
        lambda f: f.bound > f.amplification * (1.0 + 1e-12),
    ),
    Sentence("none_after", "after this change no equilibrium was found", lambda f: not f.solved_again),
    Sentence(
        "prediction_fails",
        "the prediction does not hold this far: take a smaller size, or a fold is near, where prices jump",
        lambda f: abs(f.resolved_amplification - f.amplification) > FAR_OFF * f.amplification,
    ),
    Sentence(
        "random_without",
        "after {without_equilibrium} of the random changes Newton's method finds no equilibrium from the old prices",
        lambda f: f.without_equilibrium > 0,
    ),
)
"""What is said of the change that moves prices most."""

FITTED = (
    Sentence(
        "unsettled", "The best search did not come to rest: more may be had from its end", lambda f: not f.converged
    ),
    Sentence(
        "fits", "The scenario comes to within {largest_gap:gap} of every observed value", lambda f: f.largest_gap < 0.3
    ),
    Sentence("misfits", "Some observed value is off by {largest_gap:gap}", lambda f: f.largest_gap >= 0.3),
    Sentence("factors", "Only relative prices matter: those of a case are counted up to a factor", lambda f: f.factors),
    Sentence("alone", "There was one search: others may end elsewhere", lambda f: f.starts == 1),
    Sentence("reached", "{reached} of {starts} searches ended there", lambda f: f.starts > 1),
    Sentence("lost", "{lost} of {starts} searches broke off, where prices have no derivative", lambda f: f.lost > 0),
    Sentence("untold", "No observed value tells {untold:names}: no standard errors there"),
    Sentence("held", "At a bound: {at_bound:names}, where intervals do not hold"),
    Sentence(
        "exact",
        "There are no more values than parameters: nothing is left to tell standard errors from",
        lambda f: f.degrees_of_freedom <= 0,
    ),
)
"""What is said of parameters that were fitted to observed equilibria."""

LEARNT = (
    Sentence(
        "one_rational",
        "These purchases are those of somebody who wants the most for the money",
        lambda f: f.learnt == f.rational == 1,
    ),
    Sentence(
        "all_rational",
        "{learnt:All} households buy as if they wanted the most for their money",
        lambda f: f.learnt == f.rational > 1,
    ),
    Sentence(
        "one_wastes",
        "These purchases waste {waste:percent} of the money, by Afriat's index",
        lambda f: f.learnt == 1 > f.rational,
    ),
    Sentence(
        "some_waste",
        "{rational} of {learnt} households buy as if they wanted the most for their money; the least so, "
        "{least_efficient}, wastes {waste:percent} of it",
        lambda f: f.learnt > 1 and f.learnt > f.rational,
    ),
    Sentence("by_chance", "No more rational than half of all random choices are: {by_chance:names}"),
    Sentence("weak", "Budgets tell little where 19 of 20 random choices waste nothing: {weak:names}"),
    Sentence("form", "The simplest form that explains what was held out: {form}", lambda f: f.learnt == 1),
    Sentence("forms", "The simplest forms that explain what was held out: {forms:names}", lambda f: f.learnt > 1),
)
"""What is said of tastes that were learnt from purchases."""

COMPARED = (
    Sentence("none_clears", "{runs:none} clears: {others:names}", lambda f: f.cleared == 0),
    Sentence("none_clears_alike", "{runs:none} clears: {runs:all} {ending}", lambda f: f.cleared == 0),
    Sentence("all_at_once", "{runs:All} clear after {last_ticks:,} tick{last_ticks:s}", lambda f: f.at_once),
    Sentence(
        "all_clear",
        "{first} clears first, after {first_ticks:,} tick{first_ticks:s}, {last} last, after {last_ticks:,}",
        lambda f: f.cleared == f.runs and not f.at_once,
    ),
    Sentence(
        "some_clear",
        "{cleared} of {runs} clear, {first} first, after {first_ticks:,} tick{first_ticks:s}; {others:names}",
        lambda f: f.cleared > 0,
    ),
)
"""What is said of how several runs ended."""

COMPARED_PRICES = (
    Sentence("no_good", "No good is common to all runs", lambda f: f.goods == 0),
    Sentence("lone_price", "No price but that of {lone_good} is common to all runs"),
    Sentence("turns", "Prices return after so many ticks: {turns:names}"),
    Sentence("same", "Prices {which} agree to {gap:gap}", lambda f: f.finite > 1 and f.gap <= AGREE),
    Sentence(
        "apart", "Prices {which} differ by up to {gap:percent} ({widest})", lambda f: f.finite > 1 and f.gap > AGREE
    ),
    Sentence("no_two", "No two runs ended with finite prices", lambda f: f.finite < 2),
)
"""What is said of prices of several runs."""
