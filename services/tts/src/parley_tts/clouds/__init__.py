"""What the cloud synthesizers are made of: their wire formats, connections and word times."""
