"""The gateway as one FastAPI application: bytes in, bytes out, and nothing that could read them.

Run it with `python -m parent`: the deadlines of parent.deadlines are the server's, not the application's. Under
another command line of uvicorn give them by hand:

    uvicorn --factory parent.app:create_app_from_environment --http parent.deadlines:GuardedProtocol --loop asyncio
"""

import os

from fastapi import FastAPI

from parent.faults import Faults
from parent.gateway import Gateway
from parent.headers import SecurityHeaders
from parent.limits import BodyLimit
from parent.metrics import Measured, Metrics
from parent.operations import PATH_DOCS, PATH_LIVE, PATH_METRICS, PATH_OPENAPI, PATH_READY, operator_routes
from parent.problems import install_handlers
from parent.routes import PATH_EVIDENCE_OF, statement_routes
from parent.sealed_route import add_sealed_route
from parent.settings import Settings
from strongroom.protocol.constants import PATH_ATTESTATION, PATH_EVIDENCE, PATH_MODELS, PATH_SEALED

_ENCLAVE_PATHS = (PATH_ATTESTATION, PATH_EVIDENCE, PATH_EVIDENCE_OF, PATH_MODELS, PATH_SEALED)
_OPERATOR_PATHS = (PATH_LIVE, PATH_READY, PATH_METRICS, PATH_DOCS, PATH_OPENAPI)
_DESCRIPTION = (
    "Carries sealed requests to an attested enclave and sealed responses back. The gateway is not trusted: "
    "clients verify the attestation document themselves and seal to the keys that it binds."
)


def create_app(settings: Settings) -> FastAPI:
    """The application for these settings. Raises SettingsError when a file that they name cannot be used."""
    gateway = Gateway(settings, Metrics(_ENCLAVE_PATHS + _OPERATOR_PATHS))
    app = FastAPI(
        title="Strongroom gateway",
        version="1",
        description=_DESCRIPTION,
        lifespan=gateway.lifespan,
        docs_url=None,
        redoc_url=None,
        openapi_url=PATH_OPENAPI,
        redirect_slashes=False,
        # FastAPI's own looks at each request for somebody to tell, and an environment variable can name one.
        telemetry={"tracing": False, "metrics": False, "logs": False, "auto_configure": False},
    )
    add_sealed_route(app, gateway.router, gateway.uploads)
    app.include_router(statement_routes(gateway.fleet, gateway.questions))
    app.include_router(operator_routes(app, gateway.fleet, gateway.trust, gateway.metrics))
    install_handlers(app)
    # The last one added is the outermost.
    app.add_middleware(BodyLimit, max_body_bytes=settings.limits.max_body_bytes)
    app.add_middleware(Faults, problem_of=gateway.problem_of)
    app.add_middleware(Measured, metrics=gateway.metrics)
    app.add_middleware(SecurityHeaders)
    return app


def create_app_from_environment() -> FastAPI:
    """The application for the process's environment. Raises SettingsError."""
    return create_app(Settings.from_environment(os.environ))
