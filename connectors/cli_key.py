"""connector key: the key a department signs its batches with."""

from pathlib import Path
from typing import Annotated

import typer

from connectors.terminal import tell

key = typer.Typer(help="The key a department signs its batches with (SM2).", no_args_is_help=True)


@key.command("new")
def new_key(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Where the private key is written.", show_default=False)],
) -> None:
    """Make a pair of keys: the private one into FILE, which only you can read; the public one is printed."""
    from connectors.signing import make_signing_key

    public = make_signing_key(file)
    typer.echo(public.to_pem(), nl=False)
    tell(
        f"私钥已写入 {file},请妥善保管,勿交给任何人。请将上面的公钥交枢纽登记,并另行核对指纹(SM3):{public.fingerprint}",
        f"the private key is in {file}; keep it, and give it to nobody. Give the public key above to the hub, and "
        f"compare its fingerprint (SM3) by another way: {public.fingerprint}",
    )
