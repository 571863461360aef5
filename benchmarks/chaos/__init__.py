"""`make chaos`: what callers notice when processes are killed, frozen, cut off and restarted.

A recorded person talks to the real engine, faults hit it at seeded moments of a turn, and
afterwards the books are checked: see `books`.
"""
