"""Agents: one provider, one file."""
