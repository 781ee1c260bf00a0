"""The page of one run."""

from collections.abc import Iterable

from boldly.report.blocks import Advice, Diagnosis, Page, Section
from boldly.report.bought import rounds_section
from boldly.report.checked import checks_section
from boldly.report.data import RunData
from boldly.report.headline import headline, key_figures, standfirst
from boldly.report.money import money_section
from boldly.report.people import people_section
from boldly.report.single.model import coverage, distance
from boldly.report.single.outcome import answers, learning
from boldly.report.single.reproduction import reproduction
from boldly.report.single.training import time_spent, training
from boldly.text import flat


def single(run: RunData) -> Page:
    """Everything about one run."""
    sections = (
        diagnosis(run),
        answers(run),
        learning(run),
        distance(run),
        coverage(run),
        training(run),
        rounds_section(run),
        money_section(run),
        checks_section(run),
        people_section(run),
        time_spent(run),
        reproduction(run),
    )
    return Page(
        title=f"{flat(run.name)}: what the labels bought",
        kicker=f"Recipe {flat(run.recipe)} · seed {run.setting('seed')} · {flat(run.name)}",
        headline=headline(run),
        standfirst=standfirst(run),
        key_figures=key_figures(run),
        sections=[section for section in sections if section is not None],
    )


def diagnosis(run: RunData) -> Section:
    advice = [Advice(finding, _settings(run, finding.settings)) for finding in run.findings]
    looked = (
        "Nothing found. Looked for: a policy stuck at the base model, one that went past its best, broken or cut "
        "answers, few different answers, one kind of answer only, a bonus that outweighs the labels, unsteady "
        "training, drifting length, labels lost on ties or duplicates, a failing oracle, oracles that contradict "
        "themselves or one another or lean to a place, a budget that was not spent, iterates that nobody judged, and "
        "too few held-out prompts to tell."
    )
    return Section(
        "diagnosis",
        "What to look at",
        ["Known ways in which such a run goes wrong, tested against its numbers."],
        [Diagnosis(advice, looked)],
    )


def _settings(run: RunData, keys: Iterable[str]) -> list[str]:
    """`key: value` of those the run has set; where it has set none, the bare keys."""
    keys = list(keys)
    values = [(key, run.setting(key)) for key in keys]
    return [f"{key}: {flat(str(value))}" for key, value in values if value is not None] or keys
