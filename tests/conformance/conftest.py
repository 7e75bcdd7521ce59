"""One appliance with the models of other people: graphs that nobody wrote for us."""

from collections.abc import Iterator

import pytest

from strongroom.simulator.appliance import Appliance
from tests.appliance.conftest import client_of
from tests.conformance.asking import Asking
from tests.real_models import real_model

MODELS = ("magika", "rapidocr-det", "rapidocr-rec", "rapidocr-cls", "silero-vad")


@pytest.fixture(scope="session")
def asking(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asking]:
    packages = {name: real_model(name) for name in MODELS}
    folder = tmp_path_factory.mktemp("conformance")
    with Appliance(folder, list(packages.values())) as appliance, client_of(appliance) as client:
        yield Asking(client, packages)
