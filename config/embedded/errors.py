class EmbeddedError(Exception):
    """An embedded service can't run; the message is one sentence that says the cure."""
