"""For all tests: onnxruntime's telemetry off before anything imports it; property tests do not judge the machine."""

import os
import signal

os.environ["ORT_DISABLE_TELEMETRY"] = "1"

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as in a script's background: parts would ignore it as well
    signal.signal(signal.SIGINT, signal.default_int_handler)

from hypothesis import HealthCheck, settings

settings.register_profile("shared", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("shared")
