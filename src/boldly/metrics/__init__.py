"""Every number that is reported, computed once, with its interval. Nothing that is imported here needs torch.

`boldly.metrics.evaluate.evaluate` is imported from its own module, as it calls policies and so does need it, and
`boldly.metrics.length_controlled` too, as it needs numpy, which takes longer to load than all the rest.
"""

from boldly.metrics.agreement import Difference, agreement, apart, cohen_kappa, krippendorff_alpha
from boldly.metrics.annotators import Flagged, People, Person, Quartiles, people
from boldly.metrics.anytime import anytime_interval
from boldly.metrics.checks import Agreement, Checks, Habit, checks
from boldly.metrics.corrections import Changed, changed
from boldly.metrics.distances import kl_policy, kl_reference, largest_log_ratio, reference_mass
from boldly.metrics.intervals import LEVEL, difference, mean_interval, rule_of_three, wilson, win_rate
from boldly.metrics.jsonl import plain
from boldly.metrics.labels import OUTCOMES, bought
from boldly.metrics.log import append, curve, read
from boldly.metrics.samples import Sample, read_samples, write_samples
from boldly.metrics.stopping import Hint, hint, wins
from boldly.metrics.targets import Median, labels_to_target, median_interval, target_of_gain

__all__ = [
    "LEVEL",
    "OUTCOMES",
    "Agreement",
    "Changed",
    "Checks",
    "Difference",
    "Flagged",
    "Habit",
    "Hint",
    "Median",
    "People",
    "Person",
    "Quartiles",
    "Sample",
    "agreement",
    "anytime_interval",
    "apart",
    "append",
    "bought",
    "changed",
    "checks",
    "cohen_kappa",
    "curve",
    "difference",
    "hint",
    "kl_policy",
    "kl_reference",
    "krippendorff_alpha",
    "labels_to_target",
    "largest_log_ratio",
    "mean_interval",
    "median_interval",
    "people",
    "plain",
    "read",
    "read_samples",
    "reference_mass",
    "rule_of_three",
    "target_of_gain",
    "wilson",
    "win_rate",
    "wins",
    "write_samples",
]
