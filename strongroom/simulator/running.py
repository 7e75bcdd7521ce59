"""What starts processes of its own: all of them or none, and none is left behind."""

from abc import ABC, abstractmethod
from types import TracebackType
from typing import Self


class Running(ABC):
    """A context manager: enter to start, leave to stop. A start that fails or is interrupted leaves nothing either."""

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    @abstractmethod
    def _start(self) -> None:
        """Start everything, in order."""

    @abstractmethod
    def stop(self) -> object:
        """Stop whatever was started; twice is once."""
