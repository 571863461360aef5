"""Trimming a history to what a model can read."""

from itertools import pairwise

from parley.messages import ChatMessage
from parley_agent.embedded.examples import EXAMPLES, with_examples
from parley_agent.embedded.history import tokens, trimmed

SYSTEM = ChatMessage(role="system", content="Be brief.")


def conversation(turns: int) -> list[ChatMessage]:
    messages = [SYSTEM]
    for turn in range(turns):
        messages.append(ChatMessage(role="user", content=f"Question number {turn}?"))
        messages.append(ChatMessage(role="assistant", content=f"Answer number {turn}."))
    return [*messages, ChatMessage(role="user", content="The last question?")]


def size(history: list[ChatMessage]) -> int:
    return sum(map(tokens, history))


def test_a_short_history_stays_as_it_is() -> None:
    history = conversation(3)
    assert trimmed(history, 1000) == history


def test_the_oldest_turns_go_and_the_prompt_and_the_last_message_stay() -> None:
    history = conversation(50)
    kept = trimmed(history, 200)
    assert size(kept) <= 200
    assert kept[0] == SYSTEM
    assert kept[1].role == "user"
    assert kept[1:] == history[-len(kept) + 1 :]


def test_while_a_conversation_grows_its_beginning_seldom_changes() -> None:
    beginnings = [trimmed(conversation(turns), 400)[1] for turns in range(60)]
    changes = sum(a != b for a, b in pairwise(beginnings))
    assert 0 < changes <= 60 / 8


def test_a_message_that_is_too_long_keeps_its_end() -> None:
    kept = trimmed([SYSTEM, ChatMessage(role="user", content="x" * 9000 + " the end")], 300)
    assert size(kept) <= 300
    assert kept[-1].content.endswith(" the end")


def test_the_last_message_is_heard_whatever_the_prompt_takes() -> None:
    prompt = ChatMessage(role="system", content="Be brief. " * 500)
    question = ChatMessage(role="user", content="What is the capital of Italy?")
    assert trimmed([prompt, question], 100) == [prompt, question]


def test_examples_come_after_the_prompt_and_before_the_history() -> None:
    history = conversation(1)
    assert with_examples(history) == [SYSTEM, *EXAMPLES, *history[1:]]
