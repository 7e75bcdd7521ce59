"""Paths, methods, lists of models, and the two shapes of a refusal."""

from typing import get_args

import pytest

from strongroom.protocol.payloads import Failure, FailureCode
from strongroom.surfaces.http import HTTPRequest
from strongroom.surfaces.refusals import Refused, of_failure
from strongroom.surfaces.routes import Asking, Attesting, Listing, Telling, route
from tests.client.fake_gateway import MODELS
from tests.surfaces.translating import CHAT, INFER, shaped, told


class Listed:
    """One model."""

    def __init__(self, model: str) -> None:
        self.id = model


LISTED = [Listed(model["id"]) for model in MODELS]


@pytest.mark.parametrize(
    ("method", "path", "kind"),
    [
        ("POST", CHAT, Asking),
        ("POST", "/v1/completions", Asking),
        ("POST", "/v1/embeddings/", Asking),
        ("POST", INFER, Asking),
        ("GET", "/v1/models", Listing),
        ("GET", "/v1/models/m", Listing),
        ("GET", "/v2/models/m", Asking),
        ("GET", "/v2/models/m/ready", Listing),
        ("GET", "/v2/health/ready", Attesting),
        ("GET", "/v2/health/live", Telling),
        ("GET", "/v2", Telling),
    ],
)
def test_every_path_has_one_meaning_and_one_method(method: str, path: str, kind: type) -> None:
    assert isinstance(route(HTTPRequest(method, path)), kind)
    for other in {"GET", "POST", "PUT", "DELETE", "OPTIONS", "HEAD"} - {method}:
        with pytest.raises(Refused) as caught:
            route(HTTPRequest(other, path))
        assert caught.value.status == 405


@pytest.mark.parametrize(
    "path",
    ["", "/", "/v1/responses", "/v1/chat", "/v2/models/m/versions/1/infer", "/v2/models/m/x", "/v1/models/m/infer"],
)
def test_other_paths_are_not_found(path: str) -> None:
    with pytest.raises(Refused) as caught:
        route(HTTPRequest("POST", path))
    assert caught.value.status == 404


def listed(path: str) -> object:
    meant = route(HTTPRequest("GET", path))
    assert isinstance(meant, Listing)
    return told(meant.write(LISTED))


def test_the_lists_of_both_surfaces() -> None:
    openai = listed("/v1/models")
    assert openai == {
        "object": "list",
        "data": [{"id": each.id, "object": "model", "created": 0, "owned_by": "strongroom"} for each in LISTED],
    }
    assert listed("/v1/models/tiny-embed") == openai["data"][1]
    assert listed("/v2/models/tiny-infer/ready") == {"name": "tiny-infer", "ready": True}


@pytest.mark.parametrize("path", ["/v1/models/other", "/v2/models/other/ready"])
def test_a_model_that_is_not_listed_is_not_found(path: str) -> None:
    with pytest.raises(Refused) as caught:
        listed(path)
    assert caught.value.status == 404


@pytest.mark.parametrize("code", get_args(FailureCode))
def test_every_failure_of_the_enclave_has_a_status(code: FailureCode) -> None:
    refused = of_failure(Failure(code, "Do this."))
    assert refused.status in {400, 404, 500, 503}
    assert (refused.retry_after_s is not None) == (refused.status == 503)
    assert shaped(INFER, refused) == {"error": f"{code}: Do this."}
    assert shaped(CHAT, refused)["error"]["message"] == "Do this."


@pytest.mark.parametrize(
    ("status", "kind"),
    [(400, "invalid_request_error"), (401, "authentication_error"), (403, "permission_error"), (503, "server_error")],
)
def test_the_types_of_the_openai_api(status: int, kind: str) -> None:
    error = shaped(CHAT, Refused(status, "a-code", "Do this.", field="stop"))["error"]
    assert error == {"message": "Do this.", "type": kind, "param": "stop", "code": "a-code"}
