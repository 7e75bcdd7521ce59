"""Places kept in a model's queue, from the admission of a request to its run."""

from collections import Counter


class Places:
    """How many places are kept for each model. Use it on one event loop."""

    def __init__(self) -> None:
        self._kept = Counter[str]()

    def kept(self, model_id: str) -> int:
        """Places that are kept and not given back."""
        return self._kept[model_id]

    def keep(self, model_id: str) -> "Place":
        """Keep one place more."""
        return Place(self._kept, model_id)


class Place:
    """One place: what is admitted later finds it taken."""

    def __init__(self, kept: Counter[str], model_id: str) -> None:
        self._kept, self._model_id = kept, model_id
        self._kept[model_id] += 1
        self._is_kept = True

    def __enter__(self) -> None:
        """It is given back at the end of the block at the latest."""

    def __exit__(self, *_: object) -> None:
        self.give_back()

    def give_back(self) -> None:
        """Right before the run, which takes it without anything in between; or when nothing is run. Once is enough."""
        if self._is_kept:
            self._is_kept = False
            self._kept[self._model_id] -= 1
            self._kept += Counter()  # the models that have none are forgotten
