"""A run that is stopped anywhere and resumed, against one that never was."""

import pytest
import torch

from boldly.ledger import MemoryLedger
from boldly.loop import rounds
from tests.loop.small import bought, hypotheses_parts, small_loop, small_oracle
from tests.loop.stopping import Stop, StoppingLedger
from tests.support.tabular import MemoryArchive


@pytest.mark.parametrize("parts", [dict, hypotheses_parts], ids=["plain", "with hypotheses"])
def test_stopped_anywhere_and_resumed_equals_uninterrupted(parts):
    whole = small_loop(**parts())
    list(rounds(whole, small_oracle()))
    stops = 0
    for at in range(0, 70, 3):
        ledger, archive = MemoryLedger(), MemoryArchive(whole.archive[0])
        try:
            list(rounds(small_loop(StoppingLedger(ledger, at), archive, **parts()), small_oracle()))
        except Stop:
            stops += 1
        ledger.abandon()
        resumed = small_loop(ledger, archive, **parts())
        list(rounds(resumed, small_oracle()))
        assert bought(resumed) == bought(whole)
        assert torch.equal(resumed.policy.logits, whole.policy.logits)
    assert stops > 15
