"""Which models have the memory, which are asked for, and which make room. Sans I/O; all times are of one clock."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import takewhile

from enclave.engine.errors import ModelRejected
from enclave.engine.footprint import Footprint

WANTED_S = 30.0
"""A model that nobody asked for in so long is not wanted any more."""

_MIB = 1 << 20


@dataclass
class Share:
    """What a loaded model has of the memory."""

    size_bytes: int
    used_s: float
    stays_until_s: float
    tasks: int = 0
    leaving: bool = False
    """It takes no further task, so that it becomes idle."""


class Memory:
    """The memory of all models together. Use it on one event loop."""

    def __init__(self, budget_bytes: int = sys.maxsize, residence_s: float = 0) -> None:
        """A model that somebody asked for stays for `residence_s` seconds at least."""
        self._budget_bytes, self._residence_s = budget_bytes, residence_s
        self._footprints: dict[str, Footprint] = {}
        self._arriving: dict[str, int] = {}
        self._shares: dict[str, Share] = {}
        self._wanted: dict[str, float] = {}

    def expect(self, model_id: str, footprint: Footprint) -> None:
        """A model is on its way; raise ModelRejected if it could not be loaded even alone."""
        if footprint.loading_bytes > self._budget_bytes:
            needed_mib, budget_mib = -(-footprint.loading_bytes // _MIB), self._budget_bytes // _MIB
            raise ModelRejected(f"{model_id}: expected a model that loads within {budget_mib} MiB, got {needed_mib}")
        self._footprints[model_id] = footprint

    def reserve(self, model_id: str) -> bool:
        """Set aside what loading an expected model takes; False, and nothing happens, when that is not free."""
        needed = self._footprints[model_id].loading_bytes
        if needed > self._free_bytes or model_id in self._shares:  # it is being evicted
            return False
        self._arriving[model_id] = needed
        return True

    def settle(self, model_id: str, at_s: float) -> None:
        """A model for which there is a reservation was loaded."""
        stays_s = self._residence_s if self._is_wanted(model_id, at_s) else 0
        self._shares[model_id] = Share(self._footprints[model_id].resident_bytes, at_s, at_s + stays_s)
        del self._arriving[model_id]
        self._wanted.pop(model_id, None)

    def release(self, model_id: str) -> None:
        """Give back what the model has, loaded or on its way, if it has anything."""
        self._arriving.pop(model_id, None)
        self._shares.pop(model_id, None)

    def share(self, model_id: str) -> Share | None:
        """The share of a loaded model."""
        return self._shares.get(model_id)

    @contextmanager
    def used(self, model_id: str, clock: Callable[[], float]) -> Iterator[None]:
        """A loaded model has one task more, for as long as the block takes."""
        share = self._shares[model_id]
        share.tasks += 1
        try:
            yield
        finally:
            share.tasks -= 1
            share.used_s = clock()

    def want(self, model_id: str, at_s: float) -> bool:
        """Somebody asks for a model that is not loaded. False, and nothing happens, if it was never expected."""
        if model_id not in self._footprints:
            return False
        self._wanted[model_id] = at_s
        return True

    def wanted(self, at_s: float) -> list[str]:
        """The models that are asked for and would be given room, who was asked for first comes first.

        None comes before one for which too few may leave yet: others in its stead would stay their time, for ever.
        """
        self._wanted = {each: asked_s for each, asked_s in self._wanted.items() if self._is_wanted(each, at_s)}
        absent = [each for each in self._wanted if each not in self._arriving]
        return list(takewhile(lambda each: self._leavers(each, at_s) is not None, absent))

    def make_leave(self, model_id: str, at_s: float, is_busy: Callable[[str], bool]) -> list[str]:
        """Let models leave for an expected one: the idle before the busy, those first that were used longest ago.

        Gives those that are to be evicted as soon as they are idle: none, when they would not be enough.
        """
        leavers = self._leavers(model_id, at_s, is_busy) or []
        for each, share in self._shares.items():
            share.leaving = each in leavers
        return leavers

    def stay(self) -> None:
        """Nobody has to leave any more."""
        for share in self._shares.values():
            share.leaving = False

    @property
    def _free_bytes(self) -> int:
        taken = sum(share.size_bytes for share in self._shares.values()) + sum(self._arriving.values())
        return self._budget_bytes - taken

    def _is_wanted(self, model_id: str, at_s: float) -> bool:
        return at_s - self._wanted.get(model_id, -sys.maxsize) <= WANTED_S

    def _leavers(
        self, model_id: str, at_s: float, is_busy: Callable[[str], bool] = lambda model_id: False
    ) -> list[str] | None:
        """Who makes room for the model; None when those that may are too few."""
        if model_id in self._shares:
            return []
        missing = self._footprints[model_id].loading_bytes - self._free_bytes
        movable = [each for each, share in self._shares.items() if share.stays_until_s <= at_s]
        leavers = []
        for each in sorted(movable, key=lambda each: (is_busy(each), self._shares[each].used_s)):
            if missing <= 0:
                break
            leavers.append(each)
            missing -= self._shares[each].size_bytes
        return leavers if missing <= 0 else None
