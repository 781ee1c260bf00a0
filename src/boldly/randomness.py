"""Randomness is named, not carried: every draw has a seed made of the run's seed and a path of counters.

So nothing has to be saved for a resumed run to draw what an uninterrupted one would have drawn.
"""

import hashlib


def derive(seed: int, *path: str | int) -> int:
    """The seed of the draw at `path`: the first 63 bits of SHA-256 over the run's seed and the path.

    `derive(0, "round", 3, "sample")` is the same number in every process and on every machine; any change
    of one part of the path gives an unrelated number.
    """
    text = "/".join(str(part) for part in (seed, *path))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1
