"""Structured logs: one event a line, with the conversation and turn where there is one."""

import logging
import sys
from typing import Literal

import structlog


def configure(
    service: str, form: Literal["auto", "console", "json"] = "auto", level: str = "info"
) -> None:
    """Set up logging for the process; `service` is on every line."""
    as_console = form == "console" or (form == "auto" and sys.stderr.isatty())
    renderer: structlog.typing.Processor = (
        structlog.dev.ConsoleRenderer() if as_console else structlog.processors.JSONRenderer()
    )
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
            foreign_pre_chain=shared,
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
    quieten()
    structlog.contextvars.bind_contextvars(service=service)


def quieten() -> None:
    """Keep what is secret out of the logs, at any level.

    uvicorn would write each call's URL, and with it the caller's token; websockets the keys and
    what callers say; SDKs that, too.
    """
    quiet = ("httpx", "httpx2", "httpcore", "httpcore2", "nats", "uvicorn", "websockets")
    sdks = ("aiobotocore", "anthropic", "botocore", "google_genai", "mcp", "openai")
    for noisy in (*quiet, *sdks):
        logging.getLogger(noisy).setLevel(logging.WARNING)


def get(name: str) -> structlog.stdlib.BoundLogger:
    """A logger. Events are short, lower-case and fixed; what varies goes into fields."""
    logger: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(name)
    return logger
