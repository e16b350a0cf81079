"""hub statistics: the open tier of personal datasets."""

from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml

from catalog.aggregate_errors import AggregateWrong
from catalog.aggregate_store import AggregateRelease, Form
from hub.acts import aggregates as acts
from hub.identity.people import caller_of_login
from hub.terminal import ActingAs, AsJson, say, show_json, show_rows, transaction

statistics = typer.Typer(
    help="Pre-declared tables of counts of persons: defined, computed, reviewed, published, recalled.",
    no_args_is_help=True,
)

DatasetArgument = Annotated[str, typer.Argument(metavar="DATASET", help="Dataset id, as in 420000.resident.")]
ReleaseArgument = Annotated[str, typer.Argument(metavar="RELEASE", help="Id of a release, as compute printed it.")]
CertificateOption = Annotated[str, typer.Option(help="The certificate of what was looked at, as show prints it.")]
FormOption = Annotated[Form, typer.Option("--form", help="The bytes to print.")]


@statistics.command("define")
def define(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="The definition: YAML or JSON.")],
    acting_as: ActingAs,
    as_json: AsJson = False,
) -> None:
    """Declare an aggregate, as a steward of the dataset's organization; the same again does nothing."""
    try:
        given = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError):
        raise AggregateWrong(where=file.name, rule_zh="应为 YAML 或 JSON", rule_en="it must be YAML or JSON") from None
    with transaction() as conn:
        now = datetime.now(UTC)
        made = acts.define(conn, caller_of_login(conn, acting_as, now), given, now)
    if as_json:
        show_json({"dataset": made.dataset, "aggregate": made.name, "version": made.version, "sm3": made.sm3})
        return
    say(
        f"统计 {made.dataset}/{made.name} 第 {made.version} 版已定义。",
        f"aggregate {made.dataset}/{made.name} is defined in version {made.version}.",
    )


@statistics.command("compute")
def compute(
    dataset: DatasetArgument,
    aggregate: Annotated[str, typer.Argument(metavar="AGGREGATE", help="Name of the aggregate.")],
    acting_as: ActingAs,
    at: Annotated[
        datetime | None,
        typer.Option(help="Instant of the counts, in UTC where it names no zone; the last settled one by default."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Count and decide what may be stated, as a steward. Prints the certificate for review; publishes nothing."""
    instant = at if at is None or at.tzinfo is not None else at.replace(tzinfo=UTC)
    with transaction() as conn:
        now = datetime.now(UTC)
        made = acts.compute(conn, caller_of_login(conn, acting_as, now), dataset, aggregate, now, instant)
    if as_json:
        show_json(_shown(made))
        return
    say(
        f"已计算 {made.aggregate}:发布编号 {made.id},证书 {made.certificate};请他人以 hub statistics review 审核。",
        f"{made.aggregate} is computed: release {made.id}, certificate {made.certificate}; another person reviews it"
        " with hub statistics review.",
    )


@statistics.command("review")
def review(release: ReleaseArgument, certificate: CertificateOption, acting_as: ActingAs) -> None:
    """Approve exactly the bytes and the report of a certificate, as a reviewer who neither defined nor computed."""
    with transaction() as conn:
        now = datetime.now(UTC)
        acts.review(conn, caller_of_login(conn, acting_as, now), release, certificate, now)
    say(f"发布 {release} 已审核通过。", f"release {release} is reviewed.")


@statistics.command("publish")
def publish(release: ReleaseArgument, certificate: CertificateOption, acting_as: ActingAs) -> None:
    """Put a reviewed release in force, as a steward or administrator who did not review it."""
    with transaction() as conn:
        now = datetime.now(UTC)
        made = acts.publish(conn, caller_of_login(conn, acting_as, now), release, certificate, now)
    href = f"/v1/statistics/{made.aggregate}"
    say(f"已发布:GET {href}", f"published: GET {href}")


@statistics.command("recall")
def recall(
    release: ReleaseArgument,
    acting_as: ActingAs,
    reason: Annotated[str, typer.Option(help="Why; kept with the ledger as a commitment.")],
) -> None:
    """Revoke the certificate of a published release; it is gone from the next request on."""
    with transaction() as conn:
        now = datetime.now(UTC)
        acts.recall(conn, caller_of_login(conn, acting_as, now), release, reason, now)
    say(f"发布 {release} 已撤回。", f"release {release} is recalled.")


@statistics.command("list")
def list_(
    acting_as: ActingAs,
    dataset: Annotated[str | None, typer.Option(help="Of one dataset.")] = None,
    as_json: AsJson = False,
) -> None:
    """List releases in all states, the newest first."""
    with transaction() as conn:
        found = acts.list_all(conn, caller_of_login(conn, acting_as, datetime.now(UTC)), dataset)
    rows = [_shown(one) for one in found]
    wanted = ("id", "aggregate", "version", "state", "instant", "certificate")
    show_rows(rows if as_json else [{name: row[name] for name in wanted} for row in rows], as_json=as_json)


@statistics.command("show")
def show(release: ReleaseArgument, acting_as: ActingAs, form: FormOption = "report", as_json: AsJson = False) -> None:
    """Print the exact bytes of a release: what a reviewer looks at."""
    with transaction() as conn:
        found, forms = acts.read_release(conn, caller_of_login(conn, acting_as, datetime.now(UTC)), release)
    if as_json:
        show_json({**_shown(found), form: forms[form].decode()})
        return
    say(
        f"{found.aggregate},状态 {found.state},证书 {found.certificate}",
        f"{found.aggregate}, {found.state}, certificate {found.certificate}",
    )
    typer.echo(forms[form].decode())


def _shown(release: AggregateRelease) -> dict[str, Any]:
    return {**asdict(release), "aggregate": release.aggregate}
