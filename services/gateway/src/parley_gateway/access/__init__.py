"""Who may call, as whom, and how much: see docs/security.md, "The gateway"."""
