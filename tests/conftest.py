"""For all tests: onnxruntime's telemetry off before anything imports it; property tests do not judge the machine."""

import os

os.environ["ORT_DISABLE_TELEMETRY"] = "1"

from hypothesis import HealthCheck, settings

settings.register_profile("shared", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("shared")
