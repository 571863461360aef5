"""Synthesizers: one provider, one file."""
