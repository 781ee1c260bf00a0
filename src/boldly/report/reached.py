"""Whether a group of runs reached a score, with how many labels, and where those stopped that did not."""

import math
from dataclasses import dataclass

from boldly.metrics import Median, labels_to_target, median_interval
from boldly.report.grouping import Group
from boldly.report.numbers import count


@dataclass(frozen=True, slots=True)
class Reached:
    """The labels each run of a group took to a score, infinity where it did not get there (it is censored).

    `ends` are the labels of each run's last evaluation. `median` counts a censored run as later than any other.
    """

    group: Group
    each: tuple[float, ...]
    ends: tuple[int, ...]
    median: Median

    @property
    def short(self) -> list[int]:
        """The labels at which the runs ended that did not get there."""
        return sorted(end for labels, end in zip(self.each, self.ends, strict=True) if math.isinf(labels))

    @property
    def reached(self) -> bool:
        return math.isfinite(self.median.value)

    @property
    def words(self) -> str:
        """The median, or how far the labels went without getting there."""
        return count(round(self.median.value)) if self.reached else f"not within {self.limit}"

    @property
    def limit(self) -> str:
        """`64`, or `48 to 64` where the runs that did not get there ended at different labels."""
        return " to ".join(count(end) for end in dict.fromkeys((self.short[0], self.short[-1])))

    @property
    def runs(self) -> str:
        return f"{len(self.each) - len(self.short)} of {len(self.each)}"

    @property
    def every_run(self) -> str:
        """What each run took, in their order."""
        pairs = zip(self.each, self.ends, strict=True)
        return ", ".join(f"not within {count(e)}" if math.isinf(n) else count(round(n)) for n, e in pairs)


def reached(group: Group, aim: float) -> Reached:
    """How `group` came to a score of `aim`; a run that was never evaluated ends at 0 labels."""
    curves = group.curves
    found = [labels_to_target(one, aim) for one in curves]
    each = tuple(math.inf if labels is None else float(labels) for labels in found)
    return Reached(group, each, tuple(one[-1][0] if one else 0 for one in curves), median_interval(each))
