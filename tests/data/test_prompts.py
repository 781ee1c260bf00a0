"""The bundled prompts: how many, all of the task, none in both files, and reading them loads nothing heavy."""

import subprocess
import sys

from boldly.data import heldout_prompts, prompts
from boldly.data.problems import parse


def test_sizes_and_no_overlap():
    training, heldout = [p.text for p in prompts()], [p.text for p in heldout_prompts()]
    assert (len(set(training)), len(training)) == (1024, 1024)
    assert (len(set(heldout)), len(heldout)) == (512, 512)
    assert not set(training) & set(heldout)


def test_every_prompt_is_a_problem_of_the_task():
    assert all(parse(prompt.text) is not None for prompt in [*prompts(), *heldout_prompts()])


def test_reading_them_and_grading_needs_no_torch():
    program = (
        "import sys, boldly.data, boldly.data.task; boldly.data.prompts(); "
        "print(sorted({'torch', 'transformers', 'numpy'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
