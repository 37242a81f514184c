"""The servers that ``bin/run`` starts when none is configured, and the command itself.

``environment`` is what everyone reads; ``configuration`` decides what is ours to
start; ``preparation`` builds what a clone lacks; ``processes`` is the table of
what runs; ``supervision`` keeps it running.  Only ``django_steps`` imports Django:
the environment must be complete before the settings are read.
"""
