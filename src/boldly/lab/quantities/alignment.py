"""Which instance a policy belongs to: leading dimensions are the instances, if there are any, and then others."""

from torch import Tensor


def beside(values: Tensor, policies: Tensor, own: int) -> Tensor:
    """`values` of each instance, shaped to broadcast against `policies`, whose leading dimensions begin with them.

    The last `own` dimensions of `values` are not leading ones, nor are the last two of `policies` (prompts, responses).
    Rewards of [repetitions, prompts, responses] thus meet policies of [repetitions, rounds, prompts, responses].
    """
    leading = values.dim() - own
    between = policies.dim() - 2 - leading
    if leading == 0 or between <= 0:
        return values
    return values.reshape(*values.shape[:leading], *(1,) * between, *values.shape[leading:])
