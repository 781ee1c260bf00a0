"""What a run is: its configuration read, checked and built into objects, and its prompts read from a file.

    schema     every key                          reading    recipe, file, environment and flags to one `RunConfig`
    methods    what may be named                  pairing    what can't work together
    options    read from their signatures         saving     what a run keeps of it, and what may change
    building   from a `RunConfig` to objects      prompts    files of prompts
    experiments  the settings of the lab's experiments

The keys and the places of things are light to import, as `--help` and `status` read them; the rest knows the methods,
and so imports torch.
"""
