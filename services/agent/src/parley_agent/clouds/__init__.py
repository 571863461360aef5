"""What the cloud agents are made of: their wire formats, their errors, their streams."""
