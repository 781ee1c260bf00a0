"""From a configuration to the objects it names. Pure: nothing is loaded, asked or written."""

from functools import partial

from boldly.config.methods import function_of
from boldly.config.schema import Part, RunConfig
from boldly.hypotheses import Hypotheses
from boldly.learner import Learner
from boldly.lm.learners import LEARNERS
from boldly.lm.load import Adapter
from boldly.lm.model import Generation
from boldly.loop import Parts, Schedule
from boldly.objectives import OBJECTIVES
from boldly.oracles import Oracle
from boldly.oracles.registry import ORACLES
from boldly.references import REFERENCES
from boldly.samplers import SAMPLERS
from boldly.selectors import SELECTORS


def build(config: RunConfig) -> Parts:
    """The parts of the loop."""
    return Parts(
        sampler=SAMPLERS[config.sampler.name](**config.sampler.options),
        selector=partial(SELECTORS[config.selector.name].function, **config.selector.options),
        reference=partial(REFERENCES[config.reference.name], **config.reference.options),
        learner=_learner(config),
        hypotheses=None if config.hypotheses is None else Hypotheses(**config.hypotheses),
    )


def build_oracle(part: Part) -> Oracle:
    """An oracle; imports the user's code. Raises `OracleError` where that can't be asked."""
    return function_of(ORACLES[part.name])(**part.options)


def schedule(config: RunConfig) -> Schedule:
    return Schedule(**config.schedule.model_dump() | {"ahead": config.ahead})


def generation(config: RunConfig) -> Generation:
    own = config.generation
    return Generation(**own.model_dump(exclude={"stop"}), stop=tuple(own.stop))


def adapter(config: RunConfig) -> Adapter | None:
    """The adapter to train, its random matrix drawn from the run's seed."""
    if config.adapter is None:
        return None
    targets = config.adapter.targets
    return Adapter(
        rank=config.adapter.rank,
        alpha=config.adapter.alpha,
        targets=targets if isinstance(targets, str) else tuple(targets),
        seed=config.seed,
    )


def _learner(config: RunConfig) -> Learner:
    make = LEARNERS[config.learner.name].factory
    if config.objective is None:
        return make(**config.learner.options)
    objective = OBJECTIVES[config.objective.name]
    columns = objective.reads(config.objective.options)
    return make(partial(objective.function, **config.objective.options), columns, **config.learner.options)
