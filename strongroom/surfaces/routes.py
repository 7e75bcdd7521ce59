"""Which request means what, and in whose shape it is refused."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from typing import Final

from strongroom.surfaces.calls import Call, Stamp
from strongroom.surfaces.http import HTTPRequest, Reply
from strongroom.surfaces.listing import Listed
from strongroom.surfaces.oip import errors as oip_errors
from strongroom.surfaces.oip import infer, metadata
from strongroom.surfaces.openai import chat, completions, embeddings, models
from strongroom.surfaces.openai import errors as openai_errors
from strongroom.surfaces.refusals import Refused


@dataclass(frozen=True, slots=True)
class Asking:
    """Answered by the enclave: `translate` raises Refused for what it cannot be asked."""

    translate: Callable[[HTTPRequest, Stamp], Call]


@dataclass(frozen=True, slots=True)
class Listing:
    """Answered from the gateway's list of models; raises Refused."""

    write: Callable[[Sequence[Listed]], Reply]


@dataclass(frozen=True, slots=True)
class Attesting:
    """Answered once the enclave has attested."""

    write: Callable[[], Reply]


@dataclass(frozen=True, slots=True)
class Telling:
    """Answered by this side alone."""

    write: Callable[[], Reply]


Route = Asking | Listing | Attesting | Telling

_FIXED: Final[dict[str, tuple[str, Route]]] = {
    "/v1/chat/completions": ("POST", Asking(chat.translate)),
    "/v1/completions": ("POST", Asking(completions.translate)),
    "/v1/embeddings": ("POST", Asking(embeddings.translate)),
    "/v1/models": ("GET", Listing(models.listing)),
    "/v2": ("GET", Telling(metadata.server)),
    "/v2/health/live": ("GET", Telling(metadata.live)),
    "/v2/health/ready": ("GET", Attesting(metadata.ready)),
}
_OF_A_MODEL: Final = re.compile(r"(/v1/models/|/v2/models/)([^/]{1,256})(/infer|/ready)?")


def route(request: HTTPRequest) -> Route:
    """What the request means. Raises Refused for no path of ours, another method than its own, a packed body."""
    found = _FIXED.get(request.path.removesuffix("/")) or _of_a_model(request.path)
    if found is None:
        raise Refused(HTTPStatus.NOT_FOUND, "not-found", "expected a path of docs/surfaces.md, got another")
    method, meant = found
    if request.method != method:
        raise Refused(HTTPStatus.METHOD_NOT_ALLOWED, "method-not-allowed", f"expected {method}, got another method")
    if request.headers.get("content-encoding", "identity") != "identity":
        raise Refused(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "encoded", "expected a body as it is, got it with an encoding")
    return meant


def refusal(path: str, refused: Refused) -> Reply:
    """A refusal in the shape that clients of that path expect."""
    return oip_errors.reply(refused) if path.startswith("/v2") else openai_errors.reply(refused)


def _of_a_model(path: str) -> tuple[str, Route] | None:
    match = _OF_A_MODEL.fullmatch(path)
    if match is None:
        return None
    model = match[2]
    routes: dict[tuple[str, str | None], tuple[str, Route]] = {
        ("/v1/models/", None): ("GET", Listing(partial(models.one, model=model))),
        ("/v2/models/", None): ("GET", Asking(partial(metadata.translate, model))),
        ("/v2/models/", "/ready"): ("GET", Listing(partial(metadata.model_ready, model=model))),
        ("/v2/models/", "/infer"): ("POST", Asking(partial(infer.translate, model))),
    }
    return routes.get((match[1], match[3]))
