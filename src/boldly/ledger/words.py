"""One word for each kind of verdict, as it is stored and exported."""

from boldly.types import Abstention, BothBad, Failure, Preference, Tie, Verdict

_WORDS: dict[type[Verdict], str] = {
    Preference: "preference",
    Tie: "tie",
    BothBad: "both_bad",
    Abstention: "abstention",
    Failure: "failure",
}


def word_of(verdict: Verdict) -> str:
    """The word of a verdict's kind."""
    return _WORDS[type(verdict)]
