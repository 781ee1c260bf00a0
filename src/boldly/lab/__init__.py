"""The exact lab: small problems whose optimum is known, run through the loop that trains language models.

Everything is float64, and every leading dimension is a repetition, so one call runs hundreds of seeds. It needs nothing
but torch and scipy.
"""

__all__: list[str] = []
