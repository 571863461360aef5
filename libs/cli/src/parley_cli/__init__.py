"""The parley command: run the engine, one service, or a call."""
