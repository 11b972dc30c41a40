"""How much arithmetic a search for equilibria may take, counted so that it ends at the same point on every machine."""

from __future__ import annotations

from simulator.economics.economy import Economy

MOST = 5.0
"""What a search may cost: about so many seconds of one core."""


class Effort:
    """What is left of it. Every step says first what it costs, and is not taken where that is more than there is."""

    def __init__(self, most: float = MOST) -> None:
        self.left, self.exhausted = most, False

    def spend(self, cost: float) -> bool:
        """Whether there was as much left; it is spent then."""
        if cost > self.left:
            self.left, self.exhausted = 0.0, True
            return False
        self.left -= cost
        return True

    def half(self) -> Effort:
        """An effort of its own, with half of what is left; `joined_by` gives back what it did not need."""
        self.left /= 2.0
        return Effort(self.left)

    def joined_by(self, other: Effort) -> None:
        """Take what is left of the other."""
        self.left, self.exhausted = self.left + other.left, self.exhausted or other.exhausted

    @staticmethod
    def of_balance(economy: Economy) -> float:
        """What it costs to ask everybody for a plan."""
        cohorts, firms = len(economy.consumers), len(economy.firms)
        return 5e-5 + 3e-5 * (firms + cohorts) + 3e-8 * _cells(economy)

    def balance(self, economy: Economy) -> bool:
        """Everybody is asked for a plan."""
        return self.spend(self.of_balance(economy))

    def slopes(self, economy: Economy) -> bool:
        """Everybody is asked how plans move with prices, and a system of all goods is solved."""
        goods = len(economy.goods)
        return self.spend(2.0 * self.of_balance(economy) + 1e-9 * _cells(economy) * goods + 1e-9 * goods**3)

    def steps(self, size: int, ticks: int) -> bool:
        """So many ticks of a price rule are differentiated in `size` numbers, and their eigenvalues found."""
        return self.spend(1e-4 * size * ticks + 2e-8 * size**3)


def _cells(economy: Economy) -> int:
    """Numbers in what everybody plans."""
    return len(economy.goods) * sum(cohort.size for cohort in economy.consumers) + 100 * len(economy.edge_good)
