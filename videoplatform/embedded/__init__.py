"""The servers that ``bin/run`` starts if none is configured, and ``bin/run`` itself.

``environment`` reads and writes the environment; ``configuration`` decides which servers
are ours to start; ``preparation`` builds the missing parts of a clone; ``processes`` lists
the processes; ``supervision`` keeps them running. Only ``django_steps`` imports Django: the
environment must be complete before the settings are read.
"""
