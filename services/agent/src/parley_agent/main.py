"""The agent worker."""

from parley.service import run_worker
from parley.subjects import Stage
from parley_agent.embedded.llama_config import CAPACITY
from parley_agent.replying import ReplyHandler


def main() -> int:
    """Run the worker until it is told to stop. The exit code."""
    handler = ReplyHandler()
    return run_worker(
        Stage.AGENT, handler, capacity=CAPACITY, embedded="llama", close=handler.close
    )


if __name__ == "__main__":
    raise SystemExit(main())
