"""The operator's routes: liveness, attested readiness, metrics, the API description as a page."""

import json

from fastapi import APIRouter, FastAPI
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from starlette.responses import HTMLResponse, Response

from parent.audit.state import AuditState
from parent.documentation import described, page
from parent.fleet import Fleet
from parent.metrics import Metrics
from parent.readiness import State
from parent.trust import Trust

PATH_LIVE = "/livez"
PATH_READY = "/readyz"
PATH_METRICS = "/metrics"
PATH_DOCS = "/docs"
PATH_OPENAPI = "/openapi.json"

_MEDIA_JSON = "application/json"
_AUDIT_LOG = {
    "type": "object",
    "properties": {
        "state": {"type": "string", "enum": [str(state) for state in AuditState]},
        "reason": {"type": "string"},
        "leaves": {"type": "integer"},
        "due": {"type": "integer"},
    },
}
_MODELS = {
    "type": "object",
    "properties": {name: {"type": "integer"} for name in ("loaded", "wanted")},
}
_ENCLAVE = {
    "type": "object",
    "properties": {
        "enclave": {"type": "integer"},
        "ready": {"type": "boolean"},
        "state": {"type": "string", "enum": [str(state) for state in State]},
        "reason": {"type": "string"},
        "age_s": {"type": "integer"},
        "document_bytes": {"type": ["integer", "null"]},
        "warnings": {"type": "array", "items": {"type": "string"}},
        "models": _MODELS,
        "audit_log": _AUDIT_LOG,
    },
}
_REPORT = {
    "type": "object",
    "properties": {
        "ready": {"type": "boolean"},
        "trust_anchor": {
            "type": "object",
            "properties": {"sha256": {"type": "string"}, "simulated": {"type": "boolean"}},
        },
        "policy": {"type": "string"},
        "enclaves": {"type": "array", "items": _ENCLAVE},
    },
}
_READY = described("At least one enclave proved itself within the last minute.", {_MEDIA_JSON: _REPORT}) | {
    503: {"description": "None did; the body says why.", "content": {_MEDIA_JSON: {"schema": _REPORT}}}
}
_LIVE = described("The gateway's process answers.", {_MEDIA_JSON: {"type": "object"}})
_EXPOSITION = described("Counters without content.", {"text/plain": {"type": "string"}})


def operator_routes(app: FastAPI, fleet: Fleet, trust: Trust, metrics: Metrics) -> APIRouter:
    """Routes that say how the gateway fares; none reaches the enclave."""
    router = APIRouter(default_response_class=Response)

    @router.get(PATH_LIVE, summary="Liveness of the gateway's process.", responses=_LIVE)
    async def live() -> Response:
        return Response(b'{"live":true}', media_type=_MEDIA_JSON)

    @router.get(PATH_READY, summary="Attested readiness.", responses=_READY)
    async def ready() -> Response:
        report = {**trust.report(), **fleet.report()}
        return Response(json.dumps(report), 200 if report["ready"] else 503, media_type=_MEDIA_JSON)

    @router.get(PATH_METRICS, summary="Metrics in Prometheus's text format.", responses=_EXPOSITION)
    async def exposition() -> Response:
        return Response(metrics.exposition(), media_type=CONTENT_TYPE_LATEST)

    @router.get(PATH_DOCS, include_in_schema=False)
    async def docs() -> Response:
        return HTMLResponse(page(app))

    return router
