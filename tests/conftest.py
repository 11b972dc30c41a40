"""Property tests draw the same examples everywhere; `--hypothesis-profile=explore` draws new and more ones."""

from hypothesis import settings

from tests.builders import tick_by_tick as tick_by_tick
from tests.faults import inject as inject
from tests.shared_runs import shared as shared

settings.register_profile("ci", max_examples=30, derandomize=True, deadline=None)
settings.register_profile("explore", max_examples=1000, deadline=None)
settings.load_profile("ci")
