"""The agent service's own Prometheus metrics. Names of tools and providers come from profiles."""

from prometheus_client import Counter, Histogram

TOOL_CALLS = Counter(
    "parley_tool_calls_total",
    "Calls of tools by outcome: ok, failed, timeout, invalid (arguments), interrupted.",
    ["tool", "outcome"],
)
TOOL_OUTCOMES = ("ok", "failed", "timeout", "invalid", "interrupted")
TOOL_SECONDS = Histogram(
    "parley_tool_seconds",
    "How long a tool's call took, with its retries.",
    ["tool"],
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 120.0),
)
TOKENS = Counter(
    "parley_provider_tokens_total",
    "Tokens by direction, input or output, as the provider counts them.",
    ["provider", "direction"],
)
