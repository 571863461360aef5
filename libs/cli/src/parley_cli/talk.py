"""`parley talk`: a call from the command line, with a recording, a microphone or typed text."""

import asyncio
import signal
from contextlib import ExitStack
from pathlib import Path

from rich.console import Console

from parley_cli import mic, wav
from parley_cli.call import Call, CallEnded, Options, connect
from parley_cli.errors import Failure
from parley_cli.script import Script, perform
from parley_cli.view import View, summary


async def talk(
    url: str, options: Options, script: Script | None, out: Path | None, console: Console
) -> None:
    """Call `url` and print the conversation; with no script, by microphone until Ctrl-C.

    Saves both sides to `out`. Raises Failure if the call fails or the bot does not answer.
    """
    async with connect(url, options) as call:
        following = asyncio.create_task(View(console).follow(call))
        try:
            answered = await (perform(call, script) if script else _live(call, console))
            await following
        finally:
            following.cancel()
            await asyncio.gather(following, return_exceptions=True)
            if out is not None:
                wav.write_stereo(out, call.caller_audio, call.bot_audio, options.sample_rate)
        console.print(summary(call), style="dim", highlight=False)
        if out is not None:
            console.print(f"saved {out} (left: caller, right: bot)", soft_wrap=True)
    if not answered:
        raise Failure("the bot did not answer in time; see `parley doctor`, or give it more --wait")


async def _live(call: Call, console: Console) -> bool:
    """Speak and listen until Ctrl-C or until the other side hangs up."""
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGINT, stop.set)
    with ExitStack() as devices:
        devices.enter_context(mic.attached(call))
        console.print("speak; Ctrl-C hangs up (use headphones, or the bot hears itself)")
        try:
            await call.until(stop.is_set, 24 * 3600)
        except CallEnded:
            return True
        await call.end()
    return True
