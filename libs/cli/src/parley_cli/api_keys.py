"""`parley keys`: who may call the gateway. The file holds hashes only."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from parley import api_keys
from parley.api_keys import ApiKey, BadKeys
from parley_cli.errors import Failure

app = typer.Typer(help="API keys of the gateway: make one, look at them.", no_args_is_help=True)
console = Console()

File = Annotated[Path, typer.Option(envvar="PARLEY_KEYS", help="The file of keys.")]
DEFAULT = Path("keys.yaml")


@app.command()
def new(
    name: Annotated[str, typer.Argument(help="Whose key it is: a-z, 0-9, '-' and '_'.")],
    file: File = DEFAULT,
) -> None:
    """Make a key, print it, and write its hash into the file."""
    try:
        key = api_keys.add(file, name)
    except (OSError, BadKeys) as error:
        raise Failure(f"{file}: {error}") from None
    # The key alone goes to stdout: it can be sent on without being shown.
    typer.echo(key)
    typer.echo(f"this is shown once; its hash is in {file}: add its limits there", err=True)


@app.command(name="list")
def show(file: File = DEFAULT) -> None:
    """Say which keys there are, and what they may do."""
    try:
        keys = api_keys.read(file)
    except (OSError, BadKeys) as error:
        raise Failure(f"{file}: {error}") from None
    for name, key in keys.items():
        console.print(f"{name}: {_described(key)}", markup=False, highlight=False, soft_wrap=True)


def _described(key: ApiKey) -> str:
    fields = key.model_dump(exclude={"sha256"}, exclude_none=True)
    texts = [f"{name} {_text(value)}" for name, value in fields.items()]
    return "; ".join(texts) or "no limits"


def _text(value: tuple[str, ...] | float) -> str:
    return ", ".join(value) if isinstance(value, tuple) else f"{value:g}"
