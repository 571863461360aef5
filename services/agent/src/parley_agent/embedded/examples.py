"""Example turns that show a small model how a voice assistant answers.

A model of 135 million parameters follows an example far better than an instruction.
"""

from collections.abc import Sequence

from parley.messages import ChatMessage

_TURNS = [
    ("Hello.", "Hello! How can I help you today?"),
    ("How are you doing?", "I'm doing well, thank you. What can I do for you?"),
    ("What is the capital of France?", "The capital of France is Paris."),
    ("I had a long day.", "I'm sorry to hear that. I hope you get some rest tonight."),
    ("Can you call a taxi for me?", "I'm sorry, I can't do that. I can only talk with you."),
    (
        "How do I boil an egg?",
        "Put the egg in boiling water for about eight minutes, then cool it in cold water.",
    ),
    (
        "Why do leaves fall in autumn?",
        "Trees drop their leaves in autumn to save water and energy for the winter.",
    ),
    ("Thanks, that's all.", "You're welcome. Have a nice day!"),
]

EXAMPLES = [
    message
    for asked, answered in _TURNS
    for message in (
        ChatMessage(role="user", content=asked),
        ChatMessage(role="assistant", content=answered),
    )
]


def with_examples(history: Sequence[ChatMessage]) -> list[ChatMessage]:
    """The history with the examples after its system prompt."""
    system = [message for message in history if message.role == "system"]
    turns = [message for message in history if message.role != "system"]
    return [*system, *EXAMPLES, *turns]
