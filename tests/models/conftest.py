"""Nothing here may reach the network: onnxruntime's telemetry is forbidden before anything imports it."""

import os

os.environ["ORT_DISABLE_TELEMETRY"] = "1"
