"""What the services of the Parley voice engine share.

Every module here is used by two services or more; none imports a service. Start with
`messages` and `subjects` (what crosses NATS), `worker` (the one loop of all three stages)
and `providers` (what a transcriber, an agent and a synthesizer are).
"""

__version__ = "0.1.0"
