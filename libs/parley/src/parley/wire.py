"""What all messages on NATS have in common."""

from pydantic import BaseModel, ConfigDict

VERSION = 1


class BadMessage(ValueError):
    """The bytes are not a message of this version."""


class Message(BaseModel):
    """What all messages have in common. A number that is none makes a message a bad one."""

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)
