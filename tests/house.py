"""Where the parts of the house that tests ask for live: the one place to change when they move.

Each is imported when first asked for, so that a file of tests loads what it needs and no more.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

ROOMS = {
    "simulator.arguments": "most_rows",
    "simulator.cli": "app main",
    "simulator.commands.check": "LISTED",
    "simulator.dynamics": "market",
    "simulator.dynamics.consumers": "CohortTick book order plan",
    "simulator.dynamics.crowds": "Crowd",
    "simulator.dynamics.cycles": "find_cycle",
    "simulator.dynamics.global_pieces": "Anderson Consensus Newton Symplectic",
    "simulator.dynamics.orbits": "Ranges",
    "simulator.dynamics.observers": "Conservation walras_residual",
    "simulator.dynamics.verdicts": "PriceHistory Verdict VerdictRule",
    "simulator.dynamics.pieces": (
        "Adam Averaging Clip Cosine Decay Delay Extragradient INFORMATION Momentum Nesterov OwnSlope PD RMSprop "
        "Relative Warmup"
    ),
    "simulator.dynamics.price_rules": "PIECES PRICE_FORMS=FORMS PriceRule RECIPES",
    "simulator.dynamics.market_tick": "MarketTick Ticks",
    "simulator.dynamics.trading": "Fills Trade ration",
    "simulator.dynamics.price_order": "Bernoulli RandomOrder Sequential",
    "simulator.extras": "EXTRAS MissingExtraError library",
    "simulator.economics": "economy formula_utility forms rows technology",
    "simulator.economics.aggregate": "aggregate",
    "simulator.economics.agents": "Consumers Firm",
    "simulator.economics.allocation": "bids marginal_products outputs share_out used worth",
    "simulator.economics.behaviour": "BestResponse",
    "simulator.economics.best_response": "many_inputs",
    "simulator.economics.bundles": "ACTIVATIONS SELLERS separable",
    "simulator.economics.clearing": "relative_excess_demand",
    "simulator.economics.unknowns": "Unknowns",
    "simulator.economics.conjugate": "best_input",
    "simulator.economics.economy": "Economy",
    "simulator.economics.forms": "Array CES CobbDouglas FORMS Form Leontief",
    "simulator.economics.formula_utility": "FormulaUtility unfit",
    "simulator.economics.linear": "Linear",
    "simulator.economics.links": "Links",
    "simulator.economics.user_markets": "UserMarkets",
    "simulator.economics.user_prices": "PriceFactors",
    "simulator.economics.nests": "Nest",
    "simulator.economics.potential": "Descent Merit Reference SpendingPotential WealthPotential reference",
    "simulator.economics.production": "Production",
    "simulator.economics.quasilinear": "Quadratic QuasiLinear",
    "simulator.economics.stone_geary": "StoneGeary",
    "simulator.economics.taste": "Taste",
    "simulator.economics.technology": "FormulaTechnology HomotheticTechnology Plan Technology",
    "simulator.economics.ties": "bought clearing_split set_valued ties",
    "simulator.economics.utility": "Homothetic",
    "simulator.errors": "Problem RunFolderError ScenarioError",
    "simulator.formulas.concavity": "judge",
    "simulator.formulas.formula": "Formula FormulaError MAX_CHARACTERS MAX_DEPTH MAX_OPERATIONS parse",
    "simulator.formulas.in_floats": "MOST_LINES InFloats emitted plain",
    "simulator.formulas.compiled_rows": "SIGNATURE",
    "simulator.formulas.compiled": "Compiled UncompilableError written",
    "simulator.formulas.graph": "Graph",
    "simulator.formulas.in_runs": "InRuns gathered",
    "simulator.formulas.leaves": "differing with_leaves",
    "simulator.formulas.traced_array": "Trace TracedArray UntraceableError",
    "simulator.formulas.searches": "array_search traced_or_called",
    "simulator.formulas.operations": "FUNCTIONS OPERATIONS",
    "simulator.formulas.prover": "Prover",
    "simulator.programs.decompile": "program_of",
    "simulator.programs.differences": "differences values_at",
    "simulator.programs.language": "parse_function parse_program=parse",
    "simulator.programs.program": "Program ProgramError",
    "simulator.programs.supply_chain": "chain_of",
    "simulator.references.adjoint": "adjoints equilibrium_adjoints",
    "simulator.references.diagnostics": "Diagnosis Markets diagnose",
    "simulator.references.equilibrium": "Equilibrium find search_equilibria=search",
    "simulator.references.fragility": "ENUMERATED Fragility FragilityError Parameter changed parameters",
    "simulator.references.implicit": "FoldError Side Sides beside log_price_slopes",
    "simulator.references.gradient_path": "GradientPath",
    "simulator.references.judges": "PATHS",
    "simulator.references.planner_path": "PlannerPath Sweep",
    "simulator.references.verification": "FirmVerification",
    "simulator.scenario.plugins": "FILES Plugins run_files",
    "simulator.figures.canvas": (
        "BLUE CYCLE MOST_POINTS MOST_TURNS TITLE TRAIL WIDTH draw_line=line ink number shorten spread thin save"
    ),
    "simulator.dynamics.transition": "Transition",
    "simulator": "sentences",
    "simulator.records": "columns",
    "simulator.records.agent_rows": "AgentRows",
    "simulator.records.market_block": "Afterwards",
    "simulator.records.report": "last_row",
    "simulator.sentences": "Facts Sentence said",
    "simulator.records.columns": "Column LEARNING_TICKS NUMBER SUMMARY TICKS USERS growing_columns",
    "simulator.figures.comparison": ("Comparison common_scale compare finding labels lines price_finding"),
    "simulator.figures.comparison_folder": "write_comparison",
    "simulator.figures.comparison_figure": "MOST_RUNS comparison_figure",
    "simulator.figures.curves": "convergence diagnostics wedges",
    "simulator.figures.flows": "backward_edges flows_of layout longest_paths",
    "simulator.records.folder": "RunFolder",
    "simulator.figures.frames": "Frames Panel panel read_run",
    "simulator.figures.learnt": "held_out learnt",
    "simulator.figures.network": "network",
    "simulator.records.perturbation": "perturbation perturbation_lines",
    "simulator.figures.prices": "prices three_prices",
    "simulator.figures.needed": "NEEDED",
    "simulator.figures.table": "FIGURES draw",
    "simulator.records.recorder": "Recorder Rows View held",
    "simulator.figures.run_measures": "MEASURES RunMeasures",
    "simulator.figures.simplex": "points simplex",
    "simulator.records.table": "Table names",
    "simulator.figures.window": "rows_worth_drawing turns_of",
    "simulator.schedulers.learning": "Learning",
    "simulator.schedulers.marginal_bids": "MarginalBids",
    "simulator.schedulers.market": "Market",
    "simulator.schedulers.scheduler": (
        "Findings Quotes Scheduler SchedulerSettings Setup ViewOptions flatten unflatten"
    ),
    "simulator.schedulers.side_by_side": "SideBySide",
    "simulator.schedulers.table": "SCHEDULERS all_tables by_kind",
    "simulator.schedulers.tatonnement": "Tatonnement",
    "simulator.schedulers.tatonnement_settings": "TatonnementSettings",
    "simulator.pool": "Job Pool",
    "simulator.run": "Run Simulation run_to_disk simulate",
    "simulator.scenario": "RunSettings Scenario dump load load_many scenario_schema text_with",
    "simulator.scenario.document": "scalar",
    "simulator.scenario.variation": "Variation",
    "simulator.kinds.distributions": "DISTRIBUTIONS",
    "simulator.kinds.draws": "Reader",
    "simulator.kinds.entry": "Complaint Entry GoodName MARKS Positive refusal required",
    "simulator.kinds.numbers": "Amounts AnyPositive",
    "simulator.kinds.technologies": "TECHNOLOGIES",
    "simulator.kinds.utilities": "UTILITIES",
    "simulator.dynamics.behaviours": "BEHAVIOURS MarginalAdjustment",
    "simulator.compiling": "CounterpartError as_program as_scenario",
    "simulator.scenario.rewrite": "rewrite",
    "simulator.scenario.schema": "Outcome ScenarioFile",
    "simulator.scenario.yaml_text": "MAX_BYTES compose read",
    "simulator.stopping": "Interruption",
    "simulator.studies.fit_model": "FitModel",
    "simulator.studies.fit_search": "Search",
    "simulator.studies.fit_study": "load_fit",
    "simulator.studies.observed": "observable place_of",
    "simulator.terminal": "Failure",
    "simulator.tune": "RANGES Trial best_of most_runs numbers_of search trial",
    "simulator.formulas.comparisons": "Comparison",
    "simulator.studies.designs": "DESIGNS levels_of",
    "simulator.studies.measures": "JUDGED SCALARS",
    "simulator.studies.outcome": "Plan PlannedRun Row measured row_of",
    "simulator.studies.study": "StudyFile known_of load_study",
    "simulator.studies.folder": "StudyFolder",
    "simulator.studies.sweep": "carry_out grouped rows_by_pool rows_of sweep",
}
"""What each module gives to the tests; `name=attribute` where two modules have one name."""

HOMES = {
    name.partition("=")[0]: (module, name.rpartition("=")[2])
    for module, names in ROOMS.items()
    for name in names.split()
}


def __getattr__(name: str) -> Any:
    if name not in HOMES:
        raise AttributeError(f"no module of the house gives {name!r} to the tests; add it to ROOMS")
    module, attribute = HOMES[name]
    return getattr(import_module(module), attribute)
