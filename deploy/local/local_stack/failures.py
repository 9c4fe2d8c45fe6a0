"""What may go wrong with the stack, in sentences for the person who ran it."""


class StackFailed(Exception):
    """The stack cannot run; the message says which part failed and why, and quotes the end of its log."""


class PortTaken(StackFailed):
    """A port that was asked for is in use."""


class AlreadyRunning(StackFailed):
    """Another runner owns the folder."""
