"""The agent worker."""

from parley.service import run_worker
from parley.subjects import Stage
from parley_agent.llama_config import CAPACITY
from parley_agent.replying import ReplyHandler


def main() -> int:
    """Run the worker until it is told to stop. The exit code."""
    return run_worker(Stage.AGENT, ReplyHandler(), capacity=CAPACITY, embedded="llama")


if __name__ == "__main__":
    raise SystemExit(main())
