"""onnxruntime as every unsealed side has it. Its own packages only: peers run in environments of their own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import onnxruntime


def open_session(graph: Path, threads: int, *, arena: bool = True) -> Any:
    """A session on the CPU; without spinning, which makes all sides slower where cores are shared."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.enable_cpu_mem_arena = arena
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(str(graph), options, providers=["CPUExecutionProvider"])
