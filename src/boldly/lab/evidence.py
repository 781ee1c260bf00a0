"""What a run has bought, as numbers: one row for each label, in every repetition at once."""

from dataclasses import dataclass

from jaxtyping import Float, Int
from torch import Tensor

from boldly.objectives import Pairs


@dataclass(frozen=True, slots=True)
class Rows:
    """Labelled pairs: responses `a` and `b` to `prompt` by number, the probability `label` that `a` beats `b`.

    `b` is the second sampler's, on which a bonus is taken. `weight` counts how often a row was bought, 0 for never.
    """

    prompt: Int[Tensor, "repetitions rows"]
    a: Int[Tensor, "repetitions rows"]
    b: Int[Tensor, "repetitions rows"]
    label: Float[Tensor, "repetitions rows"]
    weight: Float[Tensor, "repetitions rows"]


def log_probs(
    log_pi: Float[Tensor, "repetitions *policies prompts responses"],
    prompt: Int[Tensor, "repetitions rows"],
    response: Int[Tensor, "repetitions rows"],
) -> Float[Tensor, "repetitions *policies rows"]:
    """log pi(response | prompt) of every row under every policy of its repetition, in nats."""
    responses = log_pi.shape[-1]
    place = prompt * responses + response
    between = log_pi.shape[1:-2]
    place = place.reshape(place.shape[0], *(1 for _ in between), -1).expand(place.shape[0], *between, -1)
    return log_pi.flatten(-2).expand(place.shape[0], *between, -1).gather(-1, place)


def tabulate(
    rows: Rows,
    policy: Float[Tensor, "repetitions *policies prompts responses"],
    reference: Float[Tensor, "repetitions prompts responses"],
    length: Float[Tensor, " responses"],
    reward: Float[Tensor, "*instances prompts responses"] | None = None,
) -> Pairs:
    """The table that an objective reads: every row under every policy of its repetition, one after the other.

    `reward` is what each response is worth, for an objective that reads it.
    """
    columns = [log_probs(policy, rows.prompt, response) for response in (rows.a, rows.b)]
    between = (1,) * (columns[0].dim() - 2)

    def flat(values: Tensor) -> Tensor:
        first = values.flatten()[0]
        if bool((values == first).all()):  # weights and lengths mostly are, and such a column needs no room
            return first.expand(columns[0].numel())
        return values.reshape(values.shape[0], *between, -1).expand(columns[0].shape).reshape(-1)

    def worth(response: Tensor) -> Tensor | None:
        if reward is None:
            return None
        place = rows.prompt * reward.shape[-1] + response
        return flat(reward.expand(reference.shape).flatten(-2).gather(-1, place))

    references = [flat(log_probs(reference, rows.prompt, response)) for response in (rows.a, rows.b)]
    return Pairs(
        policy_a=columns[0].reshape(-1),
        policy_b=columns[1].reshape(-1),
        reference_a=references[0],
        reference_b=references[1],
        label=flat(rows.label),
        weight=flat(rows.weight),
        length_a=flat(length[rows.a]),
        length_b=flat(length[rows.b]),
        policy_explore=columns[1].reshape(-1),
        reference_explore=references[1],
        reward_a=worth(rows.a),
        reward_b=worth(rows.b),
    )
