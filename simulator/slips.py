"""Slips that people make, each with what to write instead: the one table behind every `did you mean ...?`.

A slip is a row. In `WORDS` it is a word of another book or program, beside the word of this one; in `SLIPS` a pattern
of what was written, and what to write in its place.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import cache
from itertools import accumulate
from typing import Literal, NamedTuple

WORDS = {
    # How a run ends.
    "cleared": "converged, convergence, converges, clears, equilibrium, in_equilibrium, solved, success, stable",
    "cycled": "cycle, cycles, cyclic, oscillates, oscillated, oscillation, periodic, limit_cycle",
    "diverged": "diverges, divergence, exploded, unstable, unbounded",
    "settled_off_equilibrium": "settled, stuck, disequilibrium, stationary",
    "out_of_ticks": "timeout, timed_out, max_iterations, not_converged, unfinished, running",
    "no_equilibrium": "none, no_solution, inconsistent, infeasible, unsolvable",
    "equilibria": "equilibrium, n_equilibria, number_of_equilibria, solutions, found",
    # Kinds of utility, technology, distribution and behaviour.
    "cobb_douglas": "cd, cobb, log_linear, loglinear",
    "leontief": "perfect_complements, complements, fixed_proportions, fixed_coefficients, min",
    "linear": "perfect_substitutes, substitutes, additive",
    "ces": "constant_elasticity, dixit_stiglitz, armington",
    "stone_geary": "les, linear_expenditure, linear_expenditure_system, klein_rubin",
    "quasilinear": "quasi_linear, log, logarithmic, quadratic, money",
    "formula": "function, expression, custom, utility_function",
    "power": "isoelastic, power_law",
    "activity": "vector, activity_vector, fixed_vector, process, linear_activity, level",
    "reference": "benchmark, calibrated, calibration, mpsge",
    "lognormal": "log_normal",
    "normal": "gaussian, gauss",
    "uniform": "random, range, between, unif",
    "pareto": "power_law",
    "best_response": "optimal, rational, maximise, maximize, profit_maximizing, optimizing",
    "marginal_adjustment": "gradual, gradient, adaptive, step_by_step",
    "tatonnement": "auctioneer, walras, walrasian, groping",
    "marginal_bids": "bids, backprop, backpropagation",
    "walras": "sgd, gd, gradient_descent, gradient, vanilla",
    "floats": "float, python, plain, scalar",
    "arrays": "array, numpy, vectorised, vectorized",
    "compiled": "fast, numba, jit, njit, c, machine_code, native",
    # Keys of a scenario.
    "goods": "good, commodities, commodity, products, items, markets, market",
    "consumers": "consumer, households, household, agents, agent, people, buyers, persons, individuals",
    "rows": "examples, samples, records, data, table",
    "firms": "firm, units, neurons, nodes, producers, producer, companies, companies, production, "
    "sellers, industries, sectors, processes",
    "utility": "preferences, preference, tastes, taste, utility_function, u, wants",
    "endowment": "endowments, initial_endowment, owned, holdings, initial_holdings, e, omega, has",
    "budget": "income, wealth, money, cash, spending, wage",
    "owns": "shares_of_firms, ownership, profit_shares, dividends",
    "seeds": "replications, replicates, repetitions, repeats",
    "measures": "metrics, measure",
    "makes": "produces, production, production_function, technology_formula, f, output_formula, "
    "function, formula, inputs, outputs, uses",
    "technology": "tech, recipe",
    "productivity": "tfp, a, total_factor_productivity, efficiency",
    "elasticity": "sigma, s, elasticity_of_substitution, substitution, eos",
    "transformation": "elasticity_of_transformation, tau, cet, omega",
    "output_prices": "maker_prices, producer_prices",
    "returns_to_scale": "returns, scale, degree, nu",
    "free": "parameters, params, unknowns, estimate, estimated, theta, fit",
    "data": "observations, observed, measurements, targets, moments",
    "cases": "experiments, conditions, scenarios",
    "starts": "n_starts, restarts, multistart, n_restarts",
    "bounds": "bound, range, limits, between",
    "mean": "mu, average, loc, location",
    "sigma": "sd, std, stddev, stdev, standard_deviation, spread",
    "shares": "alpha, alphas, share, coefficients, parameters, spending_shares, budget_shares, expenditure_shares",
    "weights": "weight",
    "exponent": "alpha, tail_index, shape",
    "subsistence": "minimum, gamma, floor, necessities",
    "inputs": "input, exponents, factors, alpha, uses, ingredients, shares",
    "output": "outputs, product, makes, produces",
    "numeraire": "numéraire, unit_of_account, money, base_good",
    "initial_prices": "prices, price, start_prices, starting_prices, p0, initial_price",
    "price": "initial_price, p, start_price",
    "fixed_price": "fixed, price_control, controlled_price",
    "floor": "price_floor, minimum_price, min_price, lower_bound, minimum_wage, support_price",
    "cap": "price_cap, ceiling, price_ceiling, maximum_price, max_price, upper_bound, rent_control, limit",
    "taxes": "tax, tariffs, duties, levies, vat, excise, subsidies, fiscal",
    "transfers": "transfer, grants, gifts, redistribution, social_security",
    "adjust": "endogenous, adjusting, instrument, auxiliary",
    "keep": "target, hold, constraint",
    "good": "goods, commodity",
    "of": "agents, firms, who, payer, sector",
    "to": "recipient, receiver, beneficiary, revenue, goes_to, paid_to",
    "from": "sender, payer, by, source",
    "share": "fraction, portion",
    "amount": "lump_sum, value, quantity",
    "supply": "supplies, resources, total_supply, exogenous_supply, stock, stocks",
    "outside": "external, foreign, world, world_prices, export, exports, import, imports, rest_of_world",
    "learning": "training, train, machine_learning",
    "shocks": "shock, events, changes, interventions",
    "scheduler": "optimizer, optimiser, algorithm, rule, solver, dynamics, mechanism, price_rule, adjustment, method",
    "rate": "lr, learning_rate, step, step_size, stepsize, eta, speed, adjustment_speed, lambda, "
    "gain, ad_valorem, tax_rate",
    "form": "type, mode",
    "with": "pieces, plus, options",
    "run": "simulation, settings, options, config, parameters, start, simulate, execute, go",
    "ticks": "steps, n_steps, iterations, iters, max_iter, max_iterations, periods, rounds, horizon, t_max",
    "tolerance": "tol, eps, epsilon, precision, threshold",
    "seed": "random_seed, random_state, rng, rng_seed",
    "record_every": "log_every, save_every, record, sample_every, every",
    "references": "reference, judges",
    "expect": "expected, expected_outcome, outcome, assert",
    "count": "n, number, population, size, copies, how_many, num_agents",
    "name": "id, label, title",
    "tick": "at, when, time, period, t",
    "set": "change, changes, values",
    "logit": "softmax, logistic, sigmoid, cross_entropy",
    "all_or_nothing": "perceptron, step, hinge, threshold",
    "every_tick": "always, each_tick, every, continuous, yes",
    "at_equilibrium": "never, none, no, off, end, once, at_the_end",
    "on": "yes, true, always",
    "off": "no, false, none, never",
    "text": "code, source, lines",
    "program": "code, source",
    "gradient_path": "path, reference",
    "primal": "planner, allocation, quantities",
    "dual": "price, prices",
    "stocked": "full, filled, stock",
    "empty": "none, zero, nothing",
    "times": "multiply, multiply_by, factor, by, scale",
    "plus": "add, increase, increment",
    "patterns": "data, samples, examples, training_set",
    "target": "y, label, labels, targets",
    "hidden": "layers, hidden_layers, hidden_units, neurons",
    "batch": "batch_size, minibatch",
    # Options and commands.
    "--out": "--output, --outdir, --output_dir, --dir, --folder, -o",
    "--ticks": "--steps, --iterations, --iters, --max_iter, --periods, -n, -t",
    "--seed": "--random_seed, --rng, -s",
    "--jobs": "--workers, --threads, --processes, --parallel, --n_jobs, --cores, -j",
    "--overwrite": "--force, --replace, --clobber, -f, -y",
    "--resume": "--continue, --restart",
    "--no-plots": "--no_figures, --noplot, --no_plot, --no_figs",
    "--quiet": "--silent, -q",
    "--format": "--formats, --figures, --ext",
    "--starts": "--n_starts, --restarts, --multistart, --tries",
    "--planner": "--lp, --linear_program, --linear_programme, --social_planner",
    "--debug": "--trace, --traceback, --verbose, -v, -vv",
    "--help": "-h, -help, --usage, help",
    "--version": "-version, -V, version",
    "--set": "--param, --override, --config, --with, -D, -p",
    "plot": "draw, figure, figures, graph, redraw",
    "check": "validate, lint, verify, test",
    "solve": "equilibrium, equilibria, find, clear",
    "compare": "diff, versus",
    "list": "ls, show, kinds, catalogue, catalog",
    "new": "init, create, start, template",
    "compile": "translate, convert",
    "tune": "optimise, optimize, calibrate, search",
    "perturb": "sensitivity, shock, fragility",
    "utilities": "preferences, tastes",
    "rules": "price_rules",
    "technologies": "production, firms",
    "schedulers": "optimizers, optimisers, solvers",
    "endowments": "endowment, supply, supplies, budgets, resources, prices",
    "tastes": "preferences, utility, utilities, demand",
    "sup": "max, linf, infinity, maximum, largest",
    "l2": "euclidean, rms, quadratic, 2",
    # Functions of formulas and programs.
    "ln": "log, loge, log_e",
    "sqrt": "root, squareroot, square_root",
    "abs": "fabs, absolute",
    "min": "minimum, fmin",
    "max": "maximum, fmax",
}
"""A word of this program, and what others call it. Of a word with several meanings the first is taken that a place
knows.
"""


def meant(guess: str | Literal[False] | None) -> str:
    """A guess, or advice, as the end of a message, where there is one."""
    return "" if not guess else f"; {guess}" if guess.startswith(ADVICE) else f"; did you mean {guess}?"


class Slip(NamedTuple):
    r"""What was written in some place, a pattern, and what to write instead: `\1` is the pattern's first group."""

    where: str
    written: str
    instead: str | Callable[[re.Match[str]], str]


def _number(value: float) -> str:
    return f"{value:.12g}"


ADVICE = "instead, "
"""How advice begins that is a sentence of its own, and nothing to paste."""
EPOCHS = "set run.ticks: a tick is a batch, ticks = epochs x batches a round"
NO_DECAY = "leave it out: nothing draws weights to 0 here; for steps that fade set scheduler.with=[{decay: 0.5}]"
ARGUMENT = r"([^,]+)"
NUMBER = r"([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)"
SLIPS = (
    # Where a number is expected.
    Slip("number", rf"(['\"]?){NUMBER}\1", r"\2 without quotes"),
    Slip("number", rf"{NUMBER} *(?:%|per ?cent|pct)", lambda m: _number(float(m[1]) / 100)),
    Slip("number", r"([-+]?\d+),(\d{1,2}|\d{4,})", r"\1.\2"),
    Slip("number", r"[-+]?\d{1,3}(?:[,_ ']\d{3})+(?:\.\d*)?", lambda m: re.sub("[,_ ']", "", m[0])),
    Slip("number", r"[-+]?\d+(?:_\d+)+(?:\.\d*)?", lambda m: m[0].replace("_", "")),
    Slip("number", rf"{NUMBER} */ *{NUMBER}", lambda m: _number(float(m[1]) / (float(m[2]) or float("nan")))),
    Slip("number", rf"{NUMBER} *(?:\*|x|·)? *10(?:\^|\*\*){NUMBER}", r"\1e\2"),
    Slip("number", rf"10(?:\^|\*\*){NUMBER}", r"1e\1"),
    Slip("number", rf"[$€£] ?{NUMBER}", r"\1, without a unit"),
    Slip("number", rf"{NUMBER} *[^\W\d_][\w/. ]*", r"\1, without a unit"),
    Slip("number", r"(\S+\.csv)", r"{csv: \1, column: NAME}"),
    Slip("number", r"[-+]?(?:inf|infinity|infinite|∞|unlimited|none)", "a large number such as 1e9"),
    Slip("number", "(?i:random|drawn|uniform)", "{uniform: [1, 2]}"),
    Slip("number", "(?i:off|no|false|zero)", "0"),
    Slip("number", r"\D*", f"{ADVICE}write it in digits, such as 2"),
    # What a shock makes of a number.
    Slip("change", rf"[*x×] *{NUMBER}", r"{times: \1}"),
    Slip("change", rf"([-+]) *{NUMBER} *%", lambda m: f"{{times: {_number(1 + float(m[1] + m[2]) / 100)}}}"),
    # Where true or false is expected.
    Slip("truth", r"(?i:yes|on|true|y|1)", "true"),
    Slip("truth", r"(?i:no|off|false|n|0)", "false"),
    # A key that is none, and is no misspelt one.
    Slip("key", r"([\w.-]+):\{([\w.-]+)", r"\1: {\2: ...}"),
    Slip("key", r"([\w.-]+):\[(.+)", r"\1: [\2]"),
    Slip("key", r"([\w.-]+):(\S+)", r"\1: \2"),
    Slip("key", r"([\w.-]+) *\{([\w.-]+)", r"\1: {\2: ...}"),
    Slip("key", r"([\w.-]+) *:?= *\{([\w.-]+)", r"\1: {\2: ...}"),
    Slip("key", r"([\w.-]+) *:?= *(\S+)", r"\1: \2"),
    Slip("key", "at_equilibrium", "trade: at_equilibrium"),
    Slip("key", "vary", f"{ADVICE}this is a study: simulator sweep"),
    Slip("key", "(?i:n_|num_|--)?(?i:epochs?)", f"{ADVICE}{EPOCHS}"),
    Slip("key", "(?i:(?:--)?weight[_-]?decay|l2_?(?:reg(?:ularization)?|penalty))", f"{ADVICE}{NO_DECAY}"),
    Slip("key", r"-([\w.]+)", r"- \1: ..."),
    Slip("key", r"([A-Za-z_]\w*)\.([A-Za-z_]\w*)", r"\1: {\2: ...}"),
    Slip("key", r"([\w.-]+) +(\S+)", r"\1: \2"),
    # Lines that are not YAML: what the parser says, and the line it points at, a | between them.
    Slip("yaml", r".*'\\t'.*\|.*", "spaces in the place of the tab"),
    Slip("yaml", r"mapping values .*\|(\s*[\w.-]+): \(?([\w.-]+: [^:,()]+(?:, *[\w.-]+: [^:,()]+)*)\)?", r"\1: {\2}"),
    Slip("yaml", r"mapping values .*\|([^:#]*:\s+)([^'\"{\[].*:.*)", r'\1"\2"'),
    Slip("yaml", r"mapping values .*\|.*", "a colon in the line above, or as many blanks here as there"),
    Slip("yaml", r"could not find expected ':'.*\|.*:.*", "a colon at the end of the line above"),
    Slip("yaml", r"could not find expected ':'.*\|([A-Za-z_]\w*)\.([A-Za-z_]\w*)\s*=\s*(.*)", r"\1: {\2: \3}"),
    Slip("yaml", r"could not find expected ':'.*\|\s*([\w.-]+)", r"\1: ..."),
    Slip("yaml", r"could not find expected ':'.*\|\s*([\w.-]+)\s*=?\s*(.*)", r"\1: \2"),
    Slip("yaml", r"expected ',' or '\}'.*\|.*?makes: ([\w.-]+): ([^,}]+).*", r'makes: "\1 = \2"'),
    Slip("yaml", r"expected ',' or '\}'.*\|.*?([\w.-]+): ([\w.-]+: [^,}]+).*", r"\1: {\2}"),
    Slip("yaml", r"expected ',' or '\}'.*\|.*?([^\s{,;]+);?\s+([\w.-]+):.*", r"\1, \2:"),
    Slip("yaml", r"expected ',' or '([\]}])'.*end of file.*\|.*", r"\1 at the end"),
    Slip("yaml", r"expected ',' or '([\]}])'.*\|.*", r"a comma between the values, or \1"),
    Slip("yaml", r".*quoted (?:scalar|text).*\|.*", "the same quotation mark at the end of the text"),
    Slip("yaml", r".*'([@`%&*!|>])' that cannot start any token.*\|(\s*[\w.-]+:\s*)?(.*)", r'\2"\3"'),
    Slip("yaml", r"expected the end of .*\|.*", "as many blanks before it as before its neighbours"),
    # Names of goods and agents.
    Slip("name", r"([^;|]+?)\s*[;|]\s*(.+)", r"\1, \2"),
    Slip("name", r".*[^\W_].*", lambda m: re.sub(r"[^\w.]+", "_", m[0]).strip("_.")[:100]),
    # What follows --set.
    Slip("setting", r"([\w.]+) *:=? *(.+)", r"--set '\1=\2'"),
    Slip("setting", r"([\w.]+) +(.+)", r"--set '\1=\2'"),
    Slip("setting", r"([\w.]+)", r"--set \1=..."),
    # What a firm makes.
    Slip("makes", r"([\w.-]+)\s*(?::=|==|<-|~)\s*(.+)", r"\1 = \2"),
    Slip("makes", r"([\w.-]+)\s*(?:,|\band\b|&|\+)\s*([\w.-]+)\s*=\s*(.+)", r"\1 = \2 = \3"),
    Slip("makes", r"(.*[-+*/^(].*?)\s*(?:=|->)\s*([\w.-]+)", r"\2 = \1"),
    Slip("power", r"(.*\^)(\d+/\d+)(.*)", r"\1(\2)\3"),
    # Lines of a program.
    Slip("program", r"def (\w+)(?:\(\s*\))?:?", r"def \1(x): return x^2"),
    Slip("program", r"def (\w+)\s*\(([^()]*)\)\s*[^:\s].*|def (\w+)\s*\(([^()]*)\)", r"def \1\3(\2\4): return ..."),
    Slip("program", r"(\w+)\s*=\s*lambda ([^:]*):\s*(.*)", r"def \1(\2): return \3"),
    Slip("program", r"lambda ([^:]*):\s*(.*)", r"def f(\1): return \2"),
    Slip("program", r"(\w+)\s*\((\w+(?:\s*,\s*\w+)*)\)\s*=\s*(.*)", r"def \1(\2): return \3"),
    Slip("program", r"(?:import|from) .*", f"{ADVICE}leave this line out: sin, exp and the others are known"),
    Slip("program", r"(\w+), *(\w+) *= *([^,]+), *([^,]+)", r"\1 = \3, and in a line of its own \2 = \4"),
    Slip("program", r"print\s*\((.*)\)", r"return \1"),
    Slip("program", r"(\w+)\s*(?::=|==|<-)\s*(.*)", r"\1 = \2"),
    Slip("program", r"(.*?)\b(?:np|numpy|math|torch|tf|jnp)\.(?:log\b)?(.*)", lambda m: _bare(m[0])),
    Slip("program", r".*\bif\b.*|.*\?.*:.*", f"{ADVICE}use max(x, 0) or min(x, 1): a program has no branches"),
    Slip("program", r"while .*", f"{ADVICE}use for i in range(10): a program's loops have a known length"),
    Slip("program", r"(.*?)(\w+) *@ *(\w+)(.*)", r"\1\2[0]*\3[0] + \2[1]*\3[1]\4"),
    Slip("program", r"(.*\d),(\d.*)", r"\1.\2"),
    Slip("program", r"(.*?)(?<![\w.])(\d+\.?\d*)([A-Za-z]\w*)(.*)", r"\1\2*\3\4"),
    Slip("program", r"(?=.*[·×÷−√²³^{}]).*", lambda m: _keyed(m[0])),
    Slip("program", r"(?!(?:return|def|for|class|global|with|try|del|raise|pass)\b|@)([^=]+)", r"c = \1"),
    # Signs of a formula.
    Slip("sign", r"\*\*", "^"),
    Slip("sign", "//", "/"),
    Slip("sign", "&&?", "and"),
    Slip("sign", r"\|\|?", "or"),
    Slip("sign", "[×·]", "*"),
    Slip("sign", "÷", "/"),
    Slip("sign", "[−–]", "-"),
    Slip("sign", "²", "^2"),
    Slip("sign", "³", "^3"),
    Slip("sign", "√", "sqrt(...)"),
    # Functions that formulas have by another name, or through others.
    Slip("function", rf"log10\({ARGUMENT}\)", r"ln(\1)/ln(10)"),
    Slip("function", rf"log2\({ARGUMENT}\)", r"ln(\1)/ln(2)"),
    Slip("function", rf"log1p\({ARGUMENT}\)", r"ln(1 + \1)"),
    Slip("function", rf"pow\({ARGUMENT}, {ARGUMENT}\)", lambda m: f"{_factor(m[1])}^{_factor(m[2])}"),
    Slip("function", r"sum\((.+)\)", lambda m: " + ".join(_terms(m[1]))),
    Slip("function", r"(?:dot|prod|mul)\((.+)\)", lambda m: "*".join(map(_factor, _terms(m[1])))),
    Slip("function", rf"(?:logistic|expit)\({ARGUMENT}\)", r"sigmoid(\1)"),
    Slip("function", rf"(?:mean|average|avg)\({ARGUMENT}\)", r"\1"),
    Slip("function", r"(?:mean|average|avg)\((.+)\)", lambda m: f"({' + '.join(_terms(m[1]))})/{len(_terms(m[1]))}"),
    Slip("function", rf"softmax\({ARGUMENT}\)", f"{ADVICE}write it out: exp(a)/(exp(a) + exp(b)) of values a and b"),
    Slip("function", r"softmax\((.+)\)", lambda m: _share([f"exp({term})" for term in _terms(m[1])])),
    Slip("function", rf"tan\({ARGUMENT}\)", r"sin(\1)/cos(\1)"),
)


def _bare(line: str) -> str:
    return re.sub(r"\blog\(", "ln(", re.sub(r"\b(?:np|numpy|math|torch|tf|jnp)\.", "", line))


def _terms(arguments: str) -> list[str]:
    """The arguments of a function, parted at commas that are not between brackets."""
    terms, depth = [""], 0
    for letter in arguments:
        depth += (letter == "(") - (letter == ")")
        if letter == "," and not depth:
            terms.append("")
        else:
            terms[-1] += letter
    return [term.strip() for term in terms]


def call_in(text: str) -> str:
    """The call of a function that a text begins with, as far as its brackets are closed."""
    name, _, inside = text.strip().partition("(")
    depths = list(accumulate((letter == "(") - (letter == ")") for letter in inside))
    inside = inside[: depths.index(-1)] if -1 in depths else inside
    return f"{name.strip()}({', '.join(_terms(inside))})"


def _share(terms: list[str]) -> str:
    """The part of the first term in the sum of all."""
    return f"{terms[0]}/({' + '.join(terms)})"


def _factor(term: str) -> str:
    """A term as a factor or a power, in brackets unless it is one name or number."""
    return term if re.fullmatch(r"[\w.\[\]]+", term) else f"({term})"


def _keyed(line: str) -> str:
    """A line in the signs of a keyboard."""
    for written, sign in {"·": "*", "×": "*", "÷": "/", "−": "-", "²": "^2", "³": "^3", "{": "(", "}": ")"}.items():
        line = line.replace(written, sign)
    return re.sub(r"√\(?(\w+)\)?", r"sqrt(\1)", line)


def instead(where: str, written: str) -> str | None:
    """What to write in the place of what was written, by the first slip of a place that it is."""
    if len(written) > 400:
        return None
    for slip in SLIPS:
        found = re.fullmatch(slip.written, written) if slip.where == where else None
        if found:
            return slip.instead(found) if callable(slip.instead) else found.expand(slip.instead)
    return None


def called_here(word: str, names: Iterable[str]) -> str | None:
    """The one of some names that is the word in another spelling (CobbDouglas, cobb-douglas, plural), or means it."""
    known = list(names)
    letters = {_letters(name): name for name in known}
    if word in known:
        return word
    meant = (name for name in _meanings().get(_letters(word), ()) if name in known)
    return letters.get(_letters(word)) or next(meant, None)


def _letters(word: str) -> str:
    """A word without what spellings differ in."""
    letters = re.sub(r"[-_ ]", "", word).lower()
    return ("-" if word.startswith("-") else "") + (letters.removesuffix("s") or letters)


@cache
def _meanings() -> dict[str, list[str]]:
    """By the words of others, what they mean here."""
    meanings: dict[str, list[str]] = {}
    for name, words in WORDS.items():
        for word in words.split(", "):
            meanings.setdefault(_letters(word), []).append(name)
    return meanings
