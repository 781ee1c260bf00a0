"""What a run is: its configuration read, checked and built into objects, and its prompts read from a file.

    schema     every key                          reading    recipe, file, environment and flags to one `RunConfig`
    methods    what may be named                  pairing    what can't work together
    options    read from their signatures         saving     what a run keeps of it, and what may change
    building   from a `RunConfig` to objects      prompts    files of prompts
    experiments  the settings of the lab's experiments

The keys are light to import, as `--help` lists them; the rest knows the methods, and so imports torch.
"""

from boldly.config.schema import Part, RunConfig

__all__ = ["Part", "RunConfig"]
