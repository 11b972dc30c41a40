"""Linear algebra on one thread."""

from __future__ import annotations

import sys
from contextlib import AbstractContextManager
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from threadpoolctl import ThreadpoolController


def one_thread() -> AbstractContextManager[Any]:
    """Linear algebra on one thread: on more it is slower at a few hundred goods, and adds up in another order."""
    return _libraries(scipy="scipy.linalg" in sys.modules).limit(limits=1, user_api="blas")


@cache
def _libraries(*, scipy: bool) -> ThreadpoolController:
    """The libraries of linear algebra that are loaded, that of `scipy` among them; to find them takes milliseconds."""
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()
