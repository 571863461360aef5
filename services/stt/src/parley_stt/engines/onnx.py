"""ONNX models with session options fit for many small runs beside other work."""

from pathlib import Path
from typing import Any

from parley.providers import ProviderError


def open_session(path: Path) -> Any:
    """An onnxruntime session that runs in the calling thread and keeps no spare memory."""
    try:
        import onnxruntime
    except ImportError as error:
        raise ProviderError(
            "onnxruntime is missing: pip install 'parley-voice-stt[embedded]'"
        ) from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.enable_cpu_mem_arena = False
    # Threads that spin while they wait would take the cores from everyone else.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
