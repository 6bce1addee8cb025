"""``ocean-migration config``."""

from __future__ import annotations

import click

from ocean_migration_pulumi.api.settings import NOT_SET
from ocean_migration_pulumi.cli.context import CliContext
from ocean_migration_pulumi.cli.context_options import context_options, kubernetes_options
from ocean_migration_pulumi.cli.options import OPTIONS
from ocean_migration_pulumi.cli.output import Output, Table, examples, output_options
from ocean_migration_pulumi.migration.planning.text.gaps_text import describe_gap

_HIDDEN = "[set]"


@click.command("config", epilog=examples("ocean-migration config --profile production"))
@output_options()
@kubernetes_options
@context_options
def command(context: CliContext, output: Output) -> None:
    """Show the settings and the source of each. The token itself is never shown.

    A Pulumi program reads the config of its stack first. This command does not read a stack.
    """
    settings = context.settings
    sources = context.sources()
    rows = [
        ("base URL", settings.base_url, settings.sources["base_url"]),
        ("token", _HIDDEN if settings.token else None, settings.sources["token"]),
        *(("token (fallback)", _HIDDEN, other.name) for other in settings.alternatives),
        ("account", settings.account_id, settings.sources["account"]),
        ("poll interval", f"{settings.poll_interval:g} s", settings.sources["poll_interval"]),
        ("record", str(settings.record) if settings.record else None, settings.sources["record"]),
        (
            "Kubernetes",
            "access" if sources.kubernetes else None,
            sources.name or describe_gap(sources.absent, OPTIONS).line,
        ),
        ("EKS cluster", sources.eks_cluster, sources.name if sources.eks_cluster else NOT_SET),
        ("AWS", "access" if sources.aws else None, "boto3" if sources.aws else NOT_SET),
    ]
    table = Table(title="Settings", columns=("setting", "value", "from"), rows=tuple(rows))
    output.show(table, [{"setting": name, "value": value, "from": source} for name, value, source in rows])
