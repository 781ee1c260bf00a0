"""What every test runs under: one thread, no network for Hugging Face, the same hypothesis examples each time.

Shapes and types of the package are checked at run time: pyproject.toml hands `boldly` to jaxtyping's import hook.
"""

import os

os.environ.update(OMP_NUM_THREADS="1", TOKENIZERS_PARALLELISM="false", HF_HUB_OFFLINE="1")

import hypothesis
import torch

torch.set_num_threads(1)
hypothesis.settings.register_profile("boldly", deadline=None, derandomize=True)
hypothesis.settings.load_profile("boldly")
