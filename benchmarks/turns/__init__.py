"""Turn-taking, scored: real audio through the real engine over the real protocol."""
