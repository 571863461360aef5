"""The commands and their options. What they do is in the modules they call."""

import asyncio
import sys
from itertools import chain
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from parley.audio import SAMPLE_RATES
from parley_cli import (
    api_keys,
    checks,
    doctor,
    nats_exporter,
    nats_keys,
    operations,
    services,
    trials,
)
from parley_cli.call import Options
from parley_cli.demo import demo as run_demo
from parley_cli.errors import Failure, Usage
from parley_cli.operations import NatsUrl
from parley_cli.plan import Plan, default_agents
from parley_cli.script import BargeIn, BargeInOption, Script
from parley_cli.talk import talk as run_talk
from parley_cli.up import up as run_up
from parley_cli.wav import read

app = typer.Typer(
    help="Parley, a voice AI engine: run it, run one of its services, or call it.",
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.add_typer(operations.app)
app.add_typer(api_keys.app, name="keys")
console = Console()

Port = Annotated[int | None, typer.Option(min=0, max=65535, help="HTTP port; 0: any free one.")]
Host = Annotated[str | None, typer.Option(help="The address to listen on.")]
Capacity = Annotated[int | None, typer.Option(min=1, help="Jobs to run at once.")]
Agents = Annotated[
    Path | None,
    typer.Option(envvar="PARLEY_AGENTS", help="Agent profiles. Default: ./agents.yaml if there."),
]
Workers = Annotated[int, typer.Option(min=0, help="So many workers.")]


@app.command()
def up(  # noqa: PLR0913 -- each is an option
    port: Annotated[int, typer.Option(min=1, max=65535, help="The page's and calls' port.")] = 8080,
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    nats_url: NatsUrl = None,
    agents: Agents = None,
    stt: Workers = 1,
    agent: Workers = 1,
    tts: Workers = 1,
    logs: Annotated[Path | None, typer.Option(help="Folder for the services' logs.")] = None,
    state: Annotated[
        Path | None,
        typer.Option(
            help="Folder for what NATS keeps: the calls, so that they go on when the engine is "
            "killed and started again, and what was said in them (for PARLEY_RECORD_HOURS). "
            "Default: ~/.local/state/parley/PORT."
        ),
    ] = None,
) -> None:
    """Run the whole engine on this machine; Ctrl-C stops it."""
    plan = Plan(port, host, nats_url, agents or default_agents(), stt, agent, tts)
    asyncio.run(run_up(plan, logs, state, console))


@app.command()
def gateway(
    port: Port = None, host: Host = None, nats_url: NatsUrl = None, agents: Agents = None
) -> None:
    """Run one gateway."""
    settings = {"port": port, "host": host, "nats_url": nats_url, "agents": agents}
    raise typer.Exit(services.run("gateway", settings))


@app.command()
def stt(
    port: Port = None, host: Host = None, nats_url: NatsUrl = None, capacity: Capacity = None
) -> None:
    """Run one speech recognition worker."""
    _work("stt", port, host, nats_url, capacity)


@app.command()
def agent(
    port: Port = None, host: Host = None, nats_url: NatsUrl = None, capacity: Capacity = None
) -> None:
    """Run one language model worker."""
    _work("agent", port, host, nats_url, capacity)


@app.command()
def tts(
    port: Port = None, host: Host = None, nats_url: NatsUrl = None, capacity: Capacity = None
) -> None:
    """Run one speech synthesis worker."""
    _work("tts", port, host, nats_url, capacity)


def _work(
    stage: str, port: int | None, host: str | None, nats_url: str | None, capacity: int | None
) -> None:
    settings = {"port": port, "host": host, "nats_url": nats_url, "capacity": capacity}
    raise typer.Exit(services.run(stage, settings))


@app.command()
def talk(  # noqa: PLR0913 -- each is an option
    file: Annotated[Path | None, typer.Argument(help="A WAV file that the caller says.")] = None,
    mic: Annotated[bool, typer.Option("--mic", help="Speak yourself.")] = False,
    text: Annotated[str | None, typer.Option(help="A typed turn.")] = None,
    url: Annotated[
        str, typer.Option(help="Where to call; several addresses with commas between them.")
    ] = "ws://127.0.0.1:8080/conversation",
    agent: Annotated[str, typer.Option(help="Which agent profile answers.")] = "default",
    token: Annotated[str | None, typer.Option(envvar="PARLEY_TOKEN")] = None,
    sample_rate: Annotated[int, typer.Option(help="Hz: 8000, 16000, 24000 or 48000.")] = 16_000,
    encoding: Annotated[str, typer.Option(help="linear16 or mulaw.")] = "linear16",
    out: Annotated[Path | None, typer.Option(help="Save the call as a stereo WAV.")] = None,
    barge_in: Annotated[
        list[str] | None,
        typer.Option(help="FILE.wav@SECONDS: say it SECONDS into a reply; repeatable."),
    ] = None,
    wait: Annotated[float, typer.Option(min=1, help="Seconds to wait for answers.")] = 60.0,
) -> None:
    """Call a running engine with a recording, typed text or your microphone."""
    if mic == (file is not None or text is not None):
        raise Usage("give a FILE.wav, --text, or --mic: parley talk question.wav")
    options = _options(agent, sample_rate, encoding, token)
    wanted = [BargeInOption.parse(one) for one in barge_in or []]
    script = Script(
        speech=None if file is None else read(file, sample_rate),
        text=text,
        barge_ins=[BargeIn(read(one.file, sample_rate), one.seconds) for one in wanted],
        wait_seconds=wait,
    )
    asyncio.run(run_talk(url, options, None if mic else script, out, console))


def _options(agent: str, sample_rate: int, encoding: str, token: str | None) -> Options:
    if sample_rate not in SAMPLE_RATES:
        raise Usage(f"--sample-rate is one of {', '.join(map(str, SAMPLE_RATES))}")
    match encoding:
        case "linear16" | "mulaw":
            return Options(agent, sample_rate, encoding, token)
        case _:
            raise Usage(f"--encoding is linear16 or mulaw, not {encoding!r}")


@app.command(name="doctor")
def run_doctor(
    url: Annotated[
        str | None, typer.Option(help="A gateway that must be up: http://HOST:8080.")
    ] = None,
    providers: Annotated[
        bool, typer.Option("--providers", help="Try each provider's key with a real request.")
    ] = False,
) -> None:
    """Look for whatever would keep the engine from working, and say how to mend it."""
    tried = trials.providers(default_agents()) if providers else ()
    raise typer.Exit(doctor.show(chain(checks.everything(url), tried), console))


@app.command(name="nats-keys")
def make_nats_keys(
    folder: Annotated[Path, typer.Argument(help="Where the keys are kept.")],
    renew: Annotated[
        list[str] | None, typer.Option(help="Whose key is replaced by a new one; repeatable.")
    ] = None,
) -> None:
    """Make the keys by which the services log in to NATS; those that are there stay."""
    made = nats_keys.write(folder, renew or ())
    console.print(f"new keys: {', '.join(made) or 'none'}", soft_wrap=True)


@app.command(name="nats-exporter")
def run_nats_exporter(
    url: Annotated[
        str, typer.Option(envvar="PARLEY_NATS_MONITOR_URL", help="NATS's monitoring port.")
    ] = "http://127.0.0.1:8222",
    port: Annotated[
        int, typer.Option(min=0, max=65535, envvar="PARLEY_PORT", help="Where to serve /metrics.")
    ] = 7777,
    host: Host = None,
) -> None:
    """Tell Prometheus what a NATS server says of itself."""
    raise typer.Exit(nats_exporter.run(url, host, port))


@app.command()
def demo(
    out: Annotated[Path, typer.Option(help="Where the call is saved.")] = Path("out/demo.wav"),
    agents: Agents = None,
) -> None:
    """Start the engine, let a recorded person call it, print and save the call."""
    asyncio.run(run_demo(out, agents, console))


def main() -> int:
    """Run the command. The exit code: 0, 1 for a failure, 2 for bad usage."""
    try:
        app()
    except Failure as failure:
        Console(stderr=True).print(f"parley: {failure}", markup=False, soft_wrap=True)
        return failure.exit_code
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
