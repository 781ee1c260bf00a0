"""Align a language model to preferences with the fewest labels.

    import boldly

    result = boldly.run(recipe="xpo", budget=256)                          # the embedded default
    result = boldly.run(model="my-model", prompts="prompts.jsonl",         # one's own
                        oracle=lambda prompt, response: float(...))

For a loop of one's own there are `boldly.loop.Loop` with `ask`, `tell` and `fit`, and the objectives in
`boldly.objectives`, which need nothing but torch.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from boldly.oracles import Oracle
    from boldly.progress import Progress, Result

__all__ = ["run"]
__version__ = "0.1.0"


def run(
    *,
    oracle: Oracle | Callable[..., Any] | str | dict[str, Any] | None = None,
    observe: Callable[[Progress], None] | None = None,
    fork: bool = False,
    **keys: Any,
) -> Result:
    """Run the loop to the end of its budget and return what it ended with; any key of a configuration is an argument.

    `oracle` is a function of one response (`reward(prompt, response)`) or of two (`prefer(prompt, a, b)`), an object
    that answers queries (`boldly.oracles.Oracle`), or what a configuration would say. `observe` is called with every
    `boldly.progress.Progress`. Called again with the same arguments it continues where it was stopped, and buys
    nothing twice. A function that can be imported is named in the run's `config.yaml`, so that `boldly run` can go on
    too; one that can't be goes on from Python alone.

    Raises `boldly.errors.ConfigError` and its siblings for what can't work, before anything is written.
    """
    from boldly.config.problems import placed
    from boldly.config.reading import read_settings
    from boldly.oracles import Oracle, Program, spec_of
    from boldly.runner import execute

    held: Oracle | None = None
    if isinstance(oracle, str | dict):
        keys["oracle"] = oracle
    elif oracle is not None:
        held = oracle if isinstance(oracle, Oracle) else Program(oracle)
        keys["oracle"] = {"name": "program", "function": spec_of(oracle)}
    config, settings = read_settings(arguments=keys)
    with placed(settings):
        return execute(config, observe=observe or (lambda progress: None), oracle=held, fork=fork)
