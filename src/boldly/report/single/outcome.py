"""What the labels bought: the curves of reward and win rate, and answers before and after."""

from boldly.report.blocks import Answers, Figure, Figures, Pair, Section
from boldly.report.data import RunData
from boldly.report.diagnosis.finding import evaluated
from boldly.report.numbers import number, percent
from boldly.report.plots import GREY, Line
from boldly.report.single.curve import BAND, curve

SHOWN_ANSWERS = 12


def answers(run: RunData) -> Section | None:
    """Held-out answers of the base model beside those of the iterate that was kept, where it is another."""
    iterates = sorted({sample.iterate for sample in run.samples})
    if not iterates:
        return None
    base, kept = iterates[0], iterates[-1]
    by_place = {(s.iterate, s.prompt): s for s in reversed(run.samples)}
    prompts = list(dict.fromkeys(sample.prompt for sample in run.samples))[:SHOWN_ANSWERS]
    pairs = [Pair(p, by_place.get((base, p)), by_place.get((kept, p))) for p in prompts]
    alone = base == kept
    return Section(
        "answers",
        "What the base model answers" if alone else "The same questions, before and after",
        [
            *(["The base model was kept, as no iterate did better; so there is no after to show."] if alone else []),
            "One answer each to held-out prompts, drawn at random and not picked. Spaces and line breaks are as the "
            "model wrote them; characters that can't be seen are shown by their code.",
        ],
        [Answers("Base model" if base == 0 else f"Iterate {base}", None if alone else f"Iterate {kept}", pairs)],
    )


def learning(run: RunData) -> Section | None:
    points = evaluated(run.records)
    if not points:
        return None
    figures: list[Figure] = []
    rewards = [(p.record, p.evaluation.reward) for p in points if p.evaluation.reward is not None]
    if rewards:
        figures.append(curve("reward", "Mean reward on held-out prompts", "reward", rewards, number, BAND))
    wins = [(p.record, p.evaluation.win_rate) for p in points if p.evaluation.win_rate is not None]
    if wins:
        reading = f"The share of prompts on which the model's answer beats the base model's; a tie counts half. {BAND}"
        half = Line("even", [float(p.record.labels) for p in points], [0.5] * len(points), colour=GREY, dash="dot")
        figures.append(curve("win-rate", "Win rate against the base model", "win rate", wins, percent, reading, half))
    if not figures:
        return None
    return Section(
        "learning",
        "What the labels bought",
        ["Held-out prompts are never trained on, and their answers are judged apart from the label budget."],
        [Figures(figures)],
    )
