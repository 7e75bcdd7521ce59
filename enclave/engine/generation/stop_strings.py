"""Texts that end an answer before they appear in it."""

from collections.abc import Sequence


class StopStrings:
    """Passes text on, but for what could be the beginning of a stop string.

    Of several stop strings the one whose last character comes first ends the text, so that the answer does not depend
    on the pieces that its text came in.
    """

    def __init__(self, strings: Sequence[str]) -> None:
        """`strings` are not empty."""
        self._strings = strings
        self._longest = max(map(len, strings), default=0)
        self._held = ""
        self.met = False
        """Whether a stop string has ended the text."""

    def push(self, text: str) -> str:
        """What may be shown now that `text` has come; after a stop string nothing may."""
        text = self._held + text
        ends = [(at + len(string), at) for string in self._strings if (at := text.find(string)) >= 0]
        self.met = bool(ends)
        shown = min(ends)[1] if ends else len(text) - self._beginning(text)
        self._held = "" if ends else text[shown:]
        return text[:shown]

    def flush(self) -> str:
        """What was held back, once no more text comes."""
        held, self._held = self._held, ""
        return held

    def _beginning(self, text: str) -> int:
        """The number of characters at the text's end that a stop string could begin with."""
        for count in range(min(self._longest - 1, len(text)), 0, -1):
            if any(string.startswith(text[-count:]) for string in self._strings):
                return count
        return 0
