"""ONNX models with session options fit for many small runs beside other work."""

from pathlib import Path
from typing import Any

from parley.providers import ProviderError


def open_session(model: Path | bytes) -> Any:
    """An onnxruntime session that runs in the calling thread and keeps no spare memory.

    Raises ProviderError where onnxruntime, which only embedded engines need, is not installed.
    """
    try:
        import onnxruntime
    except ImportError as error:
        raise ProviderError("onnxruntime is missing: install the `embedded` extra") from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.enable_cpu_mem_arena = False
    options.log_severity_level = 3
    # Threads that spin while they wait would take the cores from everyone else.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    source = model if isinstance(model, bytes) else str(model)
    return onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])
