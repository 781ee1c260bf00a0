"""What a rehearsal needs: a hidden reward for anybody's prompts, and the habits of those who are stood in for."""

import math
import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from boldly.types import Prompt, Response

REWARD = "boldly.oracles.rehearsal:reward"
"""How a configuration names `reward`."""

_HALF = 200
_WORD = re.compile(r"\w{4,}")
_ENDS = (".", "!", "?", "…", "。", "！", "？", "؟", "।")
_CLOSING = "\"'”’»)]}*_` \t\r\n"


def reward(prompt: Prompt, response: Response) -> float:
    """How brief, finished and to the point a text is, in [0, 1]: a plain taste that a short run can learn.

        r = (200 / (200 + characters) + finished + shared) / 3,    0 for a text of white space

    `finished` is 1 where the text ends with a mark that ends sentences (closing quotes and brackets behind it aside),
    else 0. `shared` is the share of the prompt's last message's words that the text has, too: words of four or more
    letters, any case, each counted once; 1/2 where the message has none. It stands for no quality of an answer; a
    rehearsal shows that a run works and what it costs, not what it will learn.
    """
    text = response.text.strip()
    if not text:
        return 0.0
    wanted, had = _words(prompt.messages[-1]["content"]), _words(text)
    shared = len(wanted & had) / len(wanted) if wanted else 0.5
    finished = float(text.rstrip(_CLOSING).endswith(_ENDS))
    return (_HALF / (_HALF + len(text)) + finished + shared) / 3.0


def _words(text: str) -> set[str]:
    return set(_WORD.findall(text.casefold()))


# AlpacaEval's table: a person agrees with the majority of three others in 65.7%, the best judges in 69%. Where people
# err independently with e, a majority of three errs with m = 3 e^2 - 2 e^3 and agreement is (1 - e)(1 - m) + e m: so e
# is 0.26 for people, and with that m 0.21 for judges.
_PERSON, _JUDGE = 0.26, 0.21

# People chose the longer of two in 64%, judges in 59% to 79% (the same table): log-odds of 0.58 and, for the middle of
# the range, 0.80. The table doesn't say how much longer; 100 characters is assumed.
_SURE = 20.0
_PEOPLE_LENGTH = math.log(0.64 / 0.36) / _SURE / 100.0
_JUDGE_LENGTH = math.log(0.69 / 0.31) / _SURE / 100.0

# The higher score always wins and equal ones always tie.
_EXACT: Mapping[str, Any] = MappingProxyType({"scale": math.inf, "ties": 1e9})

KNOBS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "bradley_terry": MappingProxyType({"scale": _SURE}),
        # position_bias: assumed, to be seen in a rehearsal; equal answers are turned round with the order in 39%. (A
        # harness on gpt-4o turned 18% of all its verdicts; this labeller's flips are drawn anew for each order, so it
        # turns more than a real judge, who errs alike in both.) ties, failures: assumed.
        "judge": MappingProxyType(
            {
                "scale": _SURE,
                "flip": _JUDGE,
                "position_bias": 1.0,
                "length_bias": _JUDGE_LENGTH,
                "ties": 0.2,
                "failures": 0.02,
            }
        ),
        # ties: equal answers tie in 0.5 / 2.5 = 20%; abstentions: 2%; both assumed. People see no delay here: a
        # label takes 37 s of their time (36 800 s for 1000, the same table), which a rehearsal does not wait for.
        "people": MappingProxyType(
            {"scale": _SURE, "flip": _PERSON, "length_bias": _PEOPLE_LENGTH, "ties": 0.5, "abstentions": 0.02}
        ),
        "program": _EXACT,
        "recorded": MappingProxyType({"scale": _SURE, "flip": _PERSON}),
        "reward_model": _EXACT,
        # A policy that judges itself prefers what it is likely to write, whatever its worth: no figure is known, and
        # an error of 40% is assumed.
        "self": MappingProxyType({"scale": _SURE, "flip": 0.4}),
    }
)
"""Options of `bradley_terry` for each oracle that a rehearsal may stand in for; price and reward come from the run."""
