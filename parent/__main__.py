"""`python -m parent`: the gateway on one port, with settings from the environment."""

import gc
import os
import signal
import sys
from typing import NoReturn

from parent.app import create_app
from parent.errors import SettingsError
from parent.serving import descriptors_needed, gateway_server, public_listener
from parent.settings import Settings
from strongroom.process import allow_descriptors, emit


def _exit_cleanly(signum: int, frame: object) -> None:
    """Called once uvicorn has drained: it then raises the signal again, for whoever handled it before."""
    sys.exit(0)


def _give_up(message: str) -> NoReturn:
    sys.stderr.write(f"strongroom gateway: {message}\n")
    sys.exit(2)


def main() -> None:
    """Serve until SIGTERM or SIGINT, then drain and exit with 0; exit with 2 when the settings cannot be used."""
    signal.signal(signal.SIGTERM, _exit_cleanly)
    signal.signal(signal.SIGINT, _exit_cleanly)
    try:
        settings = Settings.from_environment(os.environ)
        app = create_app(settings)
        listener = public_listener(settings)
    except SettingsError as error:
        _give_up(str(error))
    except OSError as error:
        _give_up(f"expected a free port {settings.port} on {settings.host} ({error.strerror})")
    allow_descriptors(descriptors_needed(settings.limits))
    emit("listening", port=listener.getsockname()[1])
    server = gateway_server(app, settings)
    gc.freeze()  # modules, routes and schemas stay: walking them again and again was a sixth of what requests cost
    server.run(sockets=[listener])


if __name__ == "__main__":
    main()
