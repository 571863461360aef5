"""The language model in the worker process: its weights, its server, what it is given to read."""
