"""Tools in agents.yaml, and in the history."""

import pytest

from parley import profiles, tools
from parley.messages import ChatMessage, ToolCall
from parley.profiles import ProfileError
from parley.tool_rounds import INTERRUPTED, LEFT_OUT, NOT_DONE, ToolRound, ToolRun, settled
from parley.transcript import Transcript

GOOD = """
agents:
  shop:
    tools:
      - type: end_call
      - type: http
        name: find_order
        description: Finds an order.
        method: GET
        url: https://shop.example/orders/{number}?full={full}
        parameters:
          type: object
          properties: {number: {type: string}, full: {type: boolean}}
          required: [number, full]
        headers: {X-Shop: north, Authorization: {text: "Bearer ", secret: env:SHOP_TOKEN}}
      - {type: mcp, name: crm, command: crm-server, args: [--fast], allow: [lookup]}
      - {type: transfer_call, destinations: {sales: "+441234"}}
"""


def test_tools_are_the_same_after_their_way_to_the_worker() -> None:
    found = profiles.parse(GOOD).agents["shop"].tools
    assert tools.parse(tools.dump(found)) == found
    assert [tools.name_of(tool) for tool in found] == [
        "end_call", "find_order", "crm", "transfer_call"
    ]  # fmt: skip


HTTP = "- {type: http, name: a, description: b, url: 'http://x'"


@pytest.mark.parametrize(
    ("tool", "line", "says"),
    [
        ("- {type: htp}", 4, "'http', 'end_call'"),
        ("- {name: a}", 4, "'type'"),
        (
            "- type: http\n        name: a b\n        description: b\n        url: http://x",
            5,
            "name",
        ),
        ("- type: end_call\n        colour: red", 5, "unknown key 'agents.a.tools.0.colour'"),
        ("- {type: end_call}\n      - {type: end_call}", 3, "the same name: end_call"),
        ("- {type: mcp, name: a}", 4, "either a url or a command"),
        ("- {type: http, name: a, description: b, url: 'http://{a}'}", 4, "url"),
        ("- {type: http, name: a, description: b, url: 'http://x/{id}'}", 4, "id must be in"),
        (HTTP + ", parameters: {type: array}}", 4, "type: object"),
        (HTTP + ", headers: {Authorization: sesame}}", 4, "by reference"),
        (HTTP + ", headers: {X-Key: {secret: sesame}}}", 4, "env:NAME"),
        (HTTP + ", timeoutSeconds: 0}", 4, "timeoutSeconds"),
    ],
)
def test_what_is_wrong_is_told_with_its_line_and_without_the_secret(
    tool: str, line: int, says: str
) -> None:
    with pytest.raises(ProfileError) as error:
        profiles.parse(f"agents:\n  a:\n    tools:\n      {tool}\n")
    assert f"line {line}:" in str(error.value)
    assert says in str(error.value)
    assert "sesame" not in str(error.value)


def run(name: str, result: str | None = None, *, begun: bool = True) -> ToolRun:
    call = ToolCall(id=f"id-{name}", name=name)
    return ToolRun(call=call, begun=begun, ok=result is not None, result=result)


def test_tools_stand_in_the_history_where_they_were_called() -> None:
    transcript = Transcript("Be brief.")
    transcript.add_human_message(1, "Weather?")
    looked = ToolRound(after=12, runs=[run("rome", "sun"), run("oslo", "snow")])
    transcript.add_bot_message(1, "Let me look. Sun and snow.", rounds=[looked])
    transcript.add_human_message(2, "Thanks.")
    said = [(one.role, one.content, len(one.tool_calls)) for one in transcript.to_messages()]
    assert said == [
        ("system", "Be brief.", 0),
        ("user", "Weather?", 0),
        ("assistant", "Let me look.", 2),
        ("tool", "sun", 0),
        ("tool", "snow", 0),
        ("assistant", "Sun and snow.", 0),
        ("user", "Thanks.", 0),
    ]


def test_of_a_reply_that_was_cut_off_only_the_words_are_missing() -> None:
    rounds = settled(
        [
            ToolRound(after=12, runs=[run("rome", "sun")]),
            ToolRound(after=30, runs=[run("oslo"), run("bonn", begun=False)]),
            ToolRound(after=30, runs=[run("end_call", "soon")]),
        ],
        {"end_call"},
    )
    transcript = Transcript()
    transcript.add_bot_message(1, "Let me look. It", cut_off=True, rounds=rounds)
    assert [one.content for one in transcript.to_messages()] == [
        "Let me look.", "sun", "It", INTERRUPTED, NOT_DONE, "", NOT_DONE
    ]  # fmt: skip


def test_a_turn_in_which_nothing_was_heard_still_has_its_tools() -> None:
    transcript = Transcript()
    rounds = settled([ToolRound(after=0, runs=[run("oslo")])])
    transcript.add_bot_message(1, "", cut_off=True, rounds=rounds)
    transcript.update_last_bot_message_on_cut_off("")
    assert [one.role for one in transcript.to_messages()] == ["assistant", "tool"]


def test_old_results_are_left_out_where_all_are_too_much() -> None:
    transcript = Transcript()
    for turn in range(1, 6):
        transcript.add_human_message(turn, "More.")
        rounds = [ToolRound(after=0, runs=[run("read", "x" * 15_000)])]
        transcript.add_bot_message(turn, "Done.", rounds=rounds)
    results: list[ChatMessage] = [one for one in transcript.to_messages() if one.role == "tool"]
    assert [one.content == LEFT_OUT for one in results] == [True, True, False, False, False]
