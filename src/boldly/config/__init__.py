"""What a run is: its configuration read, checked and built into objects, and its prompts read from a file.

    schema     every key                          reading    recipe, file, environment and flags to one `RunConfig`
    methods    options, read from signatures      pairing    what can't work together
    building   from a `RunConfig` to objects      saving     what a run keeps of it, and what may change
    prompts    files of prompts

The keys are light to import, as `--help` lists them; the rest knows the methods, and so imports torch.
"""

from boldly.config.schema import Part, RunConfig

__all__ = ["Part", "RunConfig"]
