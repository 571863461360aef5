"""What the embedded providers run on: models, and the threads they run in."""
