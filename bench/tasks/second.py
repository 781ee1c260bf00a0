"""A second task, of another kind than the bundled one: ordered lists, of which thousands of different ones are perfect.

    name 4 birds from a to z without owl :      ->      finch heron jay swan

The reward is graded by how many of the words fit and how well they are ordered, so it has many levels, and a good
answer is no planted sentence. Run it to make the base model (ten minutes on one thread, the same bits each time); it
prints the measured shares as JSON:

    python bench/tasks/second.py --output DIR
"""

import argparse
import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise
from pathlib import Path
from random import Random

from boldly.errors import OracleError
from boldly.types import Prompt, Response

_WORDS = {
    "fruits": "apple banana cherry date fig grape kiwi lemon mango orange peach quince raspberry tangerine",
    "animals": "badger cat dog elephant fox goat horse iguana lion monkey otter panda rabbit tiger",
    "colours": "amber black crimson green indigo lilac maroon navy olive pink red teal violet white",
    "tools": "axe brush chisel drill file hammer knife ladder pliers rake saw trowel vice wrench",
    "trees": "alder beech cedar elm fir hazel juniper larch maple oak pine rowan spruce willow",
    "birds": "crow dove eagle finch gull heron ibis jay kestrel lark magpie owl robin swan",
}
CATEGORIES: Mapping[str, tuple[str, ...]] = {name: tuple(words.split()) for name, words in _WORDS.items()}
THINGS = frozenset(word for words in CATEGORIES.values() for word in words)
COUNTS = (3, 4, 5)
VERBS = ("list", "name", "give", "write")
LAZY = (
    "i would rather not .",
    "i am not sure .",
    "please ask again later .",
    "there are many of them .",
    "that is a long list .",
    "you can look it up .",
)
TRAINING, HELDOUT = 640, 320
PROMPTS_SEED, MODEL_SEED = 20240522, 1
RESPONSE_TOKENS = 12
SAMPLES_A_PROMPT = 50


class Style(StrEnum):
    """What kind of answer it is. Sloppy lists have at least half of their words right, poor ones fewer."""

    PERFECT = "perfect"
    SLOPPY = "sloppy"
    POOR = "poor"
    OFF_TOPIC = "off topic"
    LAZY = "lazy"
    GARBAGE = "garbage"


@dataclass(frozen=True, slots=True)
class Wish:
    """What a prompt asks for: `count` words of `category`, in the alphabet's order, without the word `without`."""

    verb: str
    count: int
    category: str
    without: str

    @property
    def text(self) -> str:
        return f"{self.verb} {self.count} {self.category} from a to z without {self.without} :"

    @property
    def allowed(self) -> tuple[str, ...]:
        return tuple(word for word in CATEGORIES[self.category] if word != self.without)


def parse(text: str) -> Wish | None:
    """The wish that `text` states, or None where it is not a prompt of this task."""
    match text.split():
        case [verb, count, category, "from", "a", "to", "z", "without", word, ":"] if (
            verb in VERBS and count in map(str, COUNTS) and word in CATEGORIES.get(category, ())
        ):
            return Wish(verb, int(count), category, word)
    return None


def fit(wish: Wish, words: list[str]) -> float:
    """Different allowed words, no more than were asked for, over the words asked for or there if more; 0 to 1."""
    return min(len(set(words) & set(wish.allowed)), wish.count) / max(wish.count, len(words))


def order(words: list[str]) -> float:
    """The share of neighbours that are in the alphabet's order; 0 for a single word."""
    steps = [first < second for first, second in pairwise(words)]
    return sum(steps) / len(steps) if steps else 0.0


def grade(problem: str, answer: str, ended: bool) -> tuple[Style, float]:
    """The kind and the worth of `answer`: with fit f and order o, f (1 + o) / 4, and 1 where both are 1.

    Lazy answers are worth 0, lists without an allowed word -0.1, garbage -0.5. Garbage is what is neither a list of
    words that some category has nor a lazy sentence, and what was cut before its end token.
    Raises `OracleError` where `problem` is not a prompt of this task.
    """
    wish = parse(problem)
    if wish is None:
        raise OracleError(f"the list task can't grade an answer to {problem!r}. Take the prompts of its prompts().")
    words = answer.split()
    if ended and " ".join(words) in LAZY:
        return Style.LAZY, 0.0
    if not ended or not words or not set(words) <= THINGS:
        return Style.GARBAGE, -0.5
    fits, ordered = fit(wish, words), order(words)
    if fits == 0:
        return Style.OFF_TOPIC, -0.1
    if fits == 1 and ordered == 1:
        return Style.PERFECT, 1.0
    return Style.SLOPPY if fits >= 0.5 else Style.POOR, fits * (1 + ordered) / 4


def reward(prompt: Prompt, response: Response) -> float:
    """What the response is worth, -0.5 to 1; 1 can be had for every prompt."""
    return grade(prompt.text, response.text, response.ended)[1]


def style(prompt: Prompt, response: Response) -> Style:
    """Which kind of answer the response is."""
    return style_of(prompt.text, response.text, response.ended)


def style_of(problem: str, answer: str, ended: bool) -> Style:
    """Which kind of answer `answer` is to the text `problem`."""
    return grade(problem, answer, ended)[0]


def prompts() -> list[Prompt]:
    """The prompts to train on."""
    return [Prompt(wish.text) for wish in _wishes()[:TRAINING]]


def heldout_prompts() -> list[Prompt]:
    """The prompts to evaluate on; none of them is in `prompts()` or was shown to the base model."""
    return [Prompt(wish.text) for wish in _wishes()[TRAINING:]]


def draw(random: Random) -> Wish:
    """One wish, uniformly."""
    category = random.choice(list(CATEGORIES))
    return Wish(random.choice(VERBS), random.choice(COUNTS), category, random.choice(CATEGORIES[category]))


def draw_answer(wish: Wish, style: Style, random: Random) -> str:
    """An answer drawn as `style` usually comes about: a careless list is now and then better than that."""
    match style:
        case Style.LAZY:
            return random.choice(LAZY)
        case Style.PERFECT:
            return " ".join(sorted(random.sample(wish.allowed, wish.count)))
        case Style.SLOPPY:
            return " ".join(random.choices(CATEGORIES[wish.category], k=wish.count + random.choice((-1, 0, 0, 1))))
        case Style.POOR:
            length = random.randint(wish.count - 1, wish.count + 1)
            right = random.choices(wish.allowed, k=1 + random.randrange(2))
            mixed = right + random.choices(sorted(THINGS), k=length - len(right))
            return " ".join(random.sample(mixed, length))
        case Style.OFF_TOPIC:
            other = random.choice([category for category in CATEGORIES if category != wish.category])
            return " ".join(random.choices(CATEGORIES[other], k=random.randint(3, 6)))
        case Style.GARBAGE:
            whole = random.choice(LAZY).split()
            return " ".join(whole[: random.randint(1, len(whole) - 1)])


def vocabulary() -> list[str]:
    """Every word of the prompts and of the answers, sorted."""
    frame = Wish("", COUNTS[0], "", "").text.split()
    return sorted(
        {*frame, *VERBS, *map(str, COUNTS), *THINGS, *CATEGORIES, *(word for line in LAZY for word in line.split())}
    )


SKILLS: Mapping[Style, float] = {Style.LAZY: 0.05, Style.OFF_TOPIC: 0.05, Style.SLOPPY: 0.15, Style.PERFECT: 0.75}
MIX: Mapping[Style, float] = {
    Style.LAZY: 0.620,
    Style.OFF_TOPIC: 0.183,
    Style.POOR: 0.030,
    Style.SLOPPY: 0.145,
    Style.PERFECT: 0.024,
    Style.GARBAGE: 0.008,
}


def make(output: Path, shrink: int = 1) -> dict[str, float]:
    """Trains the base model and writes its directory; the measured share of each style."""
    sys.path.insert(0, str(Path(__file__).parents[2] / "scripts"))
    import pretrain

    heldout = _wishes()[TRAINING:]
    pretrain.deterministic()
    tokenizer = pretrain.word_tokenizer(vocabulary())
    shape = pretrain.Shape(hidden=96, inner=192, layers=2, heads=4)
    model = pretrain.new_model(tokenizer, shape, MODEL_SEED, RESPONSE_TOKENS)
    stages = (
        pretrain.Stage(2400 // shrink, 3e-3, 1e-3, _drawer(SKILLS, frozenset(heldout))),
        pretrain.Stage(700 // shrink, 1e-3, 0.0, _drawer(MIX, frozenset(heldout))),
    )
    pretrain.train(model, tokenizer, stages, batch=64, seed=MODEL_SEED)
    asked = [wish.text for wish in heldout] * max(1, SAMPLES_A_PROMPT // shrink)
    shares = pretrain.measure(model, tokenizer, asked, style_of, seed=MODEL_SEED)
    rows = "\n".join(f"| {style} | {shares.get(style, 0.0):.4f} |" for style in Style)
    card = (
        "# The base model of boldly's second benchmark task\n\n"
        f"Made by `python bench/tasks/second.py --output DIR`; {model.num_parameters():,} parameters.\n"
        f"Shares of the answers' styles at temperature 1, from {len(asked):,} samples on held-out prompts:\n\n"
        f"| style | share |\n|---|---|\n{rows}\n"
    )
    pretrain.save(model, tokenizer, output, shares, card)
    return shares


def _drawer(mix: Mapping[Style, float], without: frozenset[Wish]) -> Callable[[Random], tuple[str, str]]:
    styles, shares = list(mix), list(mix.values())

    def pair(random: Random) -> tuple[str, str]:
        wish = draw(random)
        while wish in without:
            wish = draw(random)
        return wish.text, draw_answer(wish, random.choices(styles, shares)[0], random)

    return pair


def _wishes() -> list[Wish]:
    random = Random(PROMPTS_SEED)
    found: dict[Wish, None] = {}
    while len(found) < TRAINING + HELDOUT:
        found[draw(random)] = None
    return list(found)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, required=True, help="the directory to write the model to")
    parser.add_argument("--shrink", type=int, default=1, help="divide the steps and the samples by this, to try it out")
    given = parser.parse_args()
    given.output.mkdir(parents=True, exist_ok=True)
    print(json.dumps(make(given.output, given.shrink), indent=2))


if __name__ == "__main__":
    main()
