"""What stops a start, said in one sentence."""


class CannotStart(Exception):
    """A person must change something; the message says what, and by which setting."""
