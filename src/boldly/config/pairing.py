"""Which parts can't work together: found when the configuration is read, never when labels have been paid for."""

from collections.abc import Callable, Iterator

import torch

from boldly.config.documents import Key
from boldly.config.layers import Settings
from boldly.config.methods import REGISTRIES, function_of
from boldly.config.options import example_options
from boldly.config.problems import Problem
from boldly.config.schema import Part, RunConfig
from boldly.errors import BoldlyError
from boldly.lm.learners import LEARNERS
from boldly.objectives import OBJECTIVES, Column, Pairs
from boldly.samplers import SAMPLERS, Sampler
from boldly.selectors import SELECTORS
from boldly.tables import COLUMNS

_USERS = ("flag", "environment", "argument", "file")


def check_pairing(config: RunConfig, settings: Settings) -> list[Problem]:
    """Everything in a typed configuration that contradicts itself, each with the line that mends it."""
    rules = (
        _objective,
        _columns,
        _explore,
        _pool,
        _implicit,
        _hypotheses,
        _ahead,
        _budget,
        _bundled_task,
        _merge,
        _itself,
        _programs,
    )
    return list(_values(config)) or [problem for rule in rules for problem in rule(config, settings)]


def notes(config: RunConfig) -> list[str]:
    """What is allowed but worth a line before the run starts."""
    found: list[str] = []
    if config.generation.temperature != 1.0:
        found.append(
            f"generation.temperature is {config.generation.temperature:g}: responses come from another distribution "
            "than the policy that is scored, trained and (at 1) evaluated, and the theory of every objective assumes "
            "them to be one."
        )
    if config.oracle.name == "self" and config.oracle.options.get("by") == "implicit":
        found.append(
            "the policy's implicit reward is 0 until it has learned something, so a run that begins with "
            "`by: implicit` abstains from every label: begin with labels of another oracle, or write "
            "`oracle: {name: self}`."
        )
    if config.hypotheses is not None and not _needs_hypotheses(config):
        found.append("hypotheses are fitted but neither selector nor learner reads them: write `hypotheses: null`.")
    return found


def _values(config: RunConfig) -> Iterator[Problem]:
    """Bounds that only the function itself knows: it is asked once, on next to nothing."""
    calls: dict[str, tuple[Part, Callable[[Part], object]]] = {"sampler": (config.sampler, _sampler)}
    if config.objective is not None:
        calls["objective"] = config.objective, _try_objective
    for section, (part, call) in calls.items():
        try:
            call(part)
        except (BoldlyError, ValueError, ArithmeticError) as error:
            options = example_options(function_of(REGISTRIES[section][part.name]))
            why = f"`{section}` can't take these options ({str(error).rstrip('.')})"
            yield Problem((section,), why, ((section,), {"name": part.name, **options}))


def _sampler(part: Part) -> Sampler:
    return SAMPLERS[part.name](**part.options)


def _try_objective(part: Part) -> None:
    one = torch.ones(1)
    row = Pairs(**dict.fromkeys(Pairs.__dataclass_fields__, one))
    terms = OBJECTIVES[part.name].function(row, **part.options)
    if not bool(torch.isfinite(terms.preference + terms.bonus).all()):
        raise ValueError("its loss on a pair of equal responses is not finite")


def _objective(config: RunConfig, settings: Settings) -> Iterator[Problem]:
    spec, learner = LEARNERS[config.learner.name], config.learner.name
    if spec.objective and config.objective is None:
        yield Problem(
            _set_last(settings, ("learner",), ("objective",)),
            f"the learner `{learner}` fits an objective, but `objective` is null",
            (("objective",), {"name": "dpo", "beta": 0.1}),
        )
    if not spec.objective and config.objective is not None:
        yield Problem(
            _set_last(settings, ("learner",), ("objective",)),
            f"the learner `{learner}` has a loss of its own and would never read `{config.objective.name}`",
            (("objective",), None),
        )


def _columns_read(objective: Part) -> frozenset[Column]:
    return OBJECTIVES[objective.name].reads(objective.options)


def _columns(config: RunConfig, settings: Settings) -> Iterator[Problem]:
    """Columns that no label fills, whatever the sampler draws."""
    unfilled = frozenset[Column]() if config.objective is None else _columns_read(config.objective) - COLUMNS
    if config.objective is not None and unfilled:
        yield Problem(
            ("objective",),
            f"`{config.objective.name}` reads the {' and the '.join(sorted(unfilled))} of each response, and a label "
            "says only which of two is better (the lab's problems have it)",
            (("objective",), {"name": "dpo", "beta": 0.1}),
        )


def _draws_from_reference(config: RunConfig) -> bool:
    return _sampler(config.sampler).reference >= 1 or config.reference.name == "previous"


def _explore(config: RunConfig, settings: Settings) -> Iterator[Problem]:
    if config.objective is None or "explore" not in _columns_read(config.objective):
        return
    if not _draws_from_reference(config):
        yield Problem(
            _set_last(settings, ("sampler",), ("objective",), ("reference",)),
            f"the bonus of `{config.objective.name}` is taken on a response that the reference drew, and the sampler "
            f"`{config.sampler.name}` draws none with the reference `{config.reference.name}`",
            (("sampler",), "policy_and_reference"),
        )


def _pool(config: RunConfig, settings: Settings) -> Iterator[Problem]:
    if LEARNERS[config.learner.name].hypotheses and not _draws_from_reference(config):
        yield Problem(
            _set_last(settings, ("sampler",), ("learner",), ("reference",)),
            f"the learner `{config.learner.name}` weighs a pool by responses that the reference drew, and the sampler "
            f"`{config.sampler.name}` draws none",
            (("sampler",), "mixture"),
        )


def _implicit(config: RunConfig, settings: Settings) -> Iterator[Problem]:
    """Against the policy itself every implicit reward is 0, and a selector that ranks by it takes the first pair."""
    if "implicit" in config.selector.name and config.reference.name == "previous":
        yield Problem(
            _set_last(settings, ("selector",), ("reference",)),
            f"the selector `{config.selector.name}` ranks by log pi/pi_ref, which is 0 for every response while the "
            "reference is the policy that the round starts from",
            (("reference",), "fixed"),
        )


def _needs_hypotheses(config: RunConfig) -> str:
    """The part that decides by reward hypotheses, or nothing."""
    if SELECTORS[config.selector.name].hypotheses:
        return f"selector `{config.selector.name}`"
    return f"learner `{config.learner.name}`" if LEARNERS[config.learner.name].hypotheses else ""


def _hypotheses(config: RunConfig, settings: Settings) -> Iterator[Problem]:
    if config.hypotheses is None and (reader := _needs_hypotheses(config)):
        yield Problem(
            _set_last(settings, (reader.split()[0],), ("hypotheses",)),
            f"the {reader} decides by reward hypotheses, but none are fitted",
            (("hypotheses",), {}),
        )


def _ahead(config: RunConfig, settings: Settings) -> Iterator[Problem]:
    """A round that is asked ahead was drawn by the reference of an earlier one, which a pool has to hold too."""
    reference = config.reference.name
    moves = reference != "fixed" and config.reference.options.get("tau") != 0.0
    if config.ahead and moves and LEARNERS[config.learner.name].hypotheses:
        yield Problem(
            _set_last(settings, ("schedule", "ahead"), ("reference",), ("learner",)),
            f"a round that is asked ahead is drawn by an earlier reference, and the learner `{config.learner.name}` "
            f"weighs a pool by responses of the newest one, which `{reference}` changes in every round",
            (("schedule", "ahead"), 0),
        )


def _budget(config: RunConfig, settings: Settings) -> Iterator[Problem]:
    """A budget has to last for a round, and until the learner learns."""
    per_round, warmup = config.schedule.labels_per_round, config.learner.options.get("warmup", 0)
    if config.budget < per_round:
        key, why = ("schedule", "labels_per_round"), f"less than the {per_round} labels of one round"
    elif config.budget < warmup:
        key, why = ("learner",), f"and the learner waits for {warmup} labels, so it would never learn"
    else:
        return
    yield Problem(
        _set_last(settings, ("budget",), key),
        f"`budget` is {config.budget}, {why}",
        (("budget",), max(per_round, warmup)),
    )


def _bundled_task(config: RunConfig, settings: Settings) -> Iterator[Problem]:
    """The bundled reward can grade the bundled prompts alone; who names it for their own prompts means it."""
    origin = settings.origin(("oracle",))
    if config.prompts != "bundled" and (origin is None or origin.place not in _USERS):
        yield Problem(
            ("prompts",),
            "the prompts are your own, and the default oracle can grade the bundled prompts alone",
            (("oracle",), {"name": "program", "function": "oracle.py:reward"}),
        )


def _itself(config: RunConfig, settings: Settings) -> Iterator[Problem]:
    """A policy that judges itself does so in its own rounds alone, each by what it is then."""
    example = {"name": "program", "function": "oracle.py:prefer"}
    judged = config.evaluation.labels is not None and config.evaluation.oracle is None
    checked = config.consistency is not None and config.consistency.oracle is None
    for section, wanted in (("evaluation", judged), ("consistency", checked)):
        part = getattr(getattr(config, section), "oracle", None)
        if (config.oracle.name == "self" and wanted) or (part is not None and part.name == "self"):
            yield Problem(
                (section,),
                f"`{section}` would be asked of the policy itself, which judges its own rounds and nothing else",
                ((section, "oracle"), example),
            )


def _programs(config: RunConfig, settings: Settings) -> Iterator[Problem]:
    """A program is a function or a command, never both and never neither."""
    oracles = {
        ("oracle",): config.oracle,
        ("evaluation", "oracle"): config.evaluation.oracle,
        ("consistency", "oracle"): config.consistency and config.consistency.oracle,
    }
    for key, part in oracles.items():
        if part is not None and part.name == "program":
            given = [name for name in ("function", "command") if part.options.get(name)]
            if len(given) != 1:
                called = ".".join((*key, "function"))
                why = f"`{called}` is not given" if not given else f"`{called}` and its `command` are both given"
                yield Problem(key, why, (key, {"name": "program", "function": "oracle.py:reward"}))


def _merge(config: RunConfig, settings: Settings) -> Iterator[Problem]:
    if config.merge and config.adapter is None:
        yield Problem(
            _set_last(settings, ("merge",), ("adapter",)),
            "there are no adapters to merge, as `adapter` is null",
            (("adapter",), {"rank": 16}),
        )


def _set_last(settings: Settings, *keys: Key) -> Key:
    """Whichever of the keys was set in the highest place: the one that its author can change."""

    def height(key: Key) -> int:
        origin = settings.origin(key)
        places = ("default", "recipe", "file", "argument", "environment", "flag")
        return places.index(origin.place) if origin else -1

    return max(keys, key=height)
