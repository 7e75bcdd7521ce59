"""Why a release cannot be made."""


class ReleaseError(Exception):
    """One line that says what was expected, what was found and what to do."""
