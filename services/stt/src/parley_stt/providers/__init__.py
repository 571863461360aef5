"""Transcribers, one a file, found by their entry points."""
