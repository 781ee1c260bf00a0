"""People who label on the pages of a run, simulated: they do what the page's script does, over HTTP."""
