"""See main."""
