"""A reward model as an oracle: any sequence-classification directory with one output, read with its own tokenizer."""

from boldly.oracles.reward_model.oracle import RewardModel, reward_model

__all__ = ["RewardModel", "reward_model"]
