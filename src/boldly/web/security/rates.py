"""How often one client may ask."""

import time
from collections import OrderedDict
from collections.abc import Callable, Hashable

from boldly.web.settings import Rate

_MOST_CLIENTS = 10_000


class Buckets:
    """A token bucket for each client; the clients that were silent the longest are forgotten."""

    def __init__(self, rate: Rate, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate = rate
        self._clock = clock
        self._left: OrderedDict[Hashable, tuple[float, float]] = OrderedDict()

    def take(self, client: Hashable) -> float:
        """Take one: 0 if there was one, else the seconds until there is."""
        now = self._clock()
        left, since = self._left.pop(client, (float(self._rate.burst), now))
        left = min(float(self._rate.burst), left + (now - since) * self._rate.per_second)
        enough = left >= 1.0
        self._left[client] = (left - 1.0 if enough else left, now)
        if len(self._left) > _MOST_CLIENTS:
            self._left.popitem(last=False)
        return 0.0 if enough else (1.0 - left) / self._rate.per_second
