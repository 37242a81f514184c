"""The error that stops a start."""


class CannotStart(Exception):
    """A start that failed until a person changes something. The message names the change and the setting."""
