"""What the cloud transcribers need besides their adapters, which are in `providers`."""
