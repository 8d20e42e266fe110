"""`simclr data_service`: machines that make batches for those that train."""

from __future__ import annotations

from absl import flags

from simclr_tf.cli.command import Work
from simclr_tf.distribution.data_service import ROLES, serve


def _define(values: flags.FlagValues) -> None:
    flags.DEFINE_enum(
        "role",
        "both",
        ROLES,
        "dispatcher, of which a cluster has one; worker, which makes batches; or both, "
        "a cluster of this one machine",
        flag_values=values,
    )
    flags.DEFINE_integer(
        "port",
        5050,
        "port to listen on; with both, the dispatcher's",
        flag_values=values,
    )
    flags.DEFINE_list(
        "workers",
        [],
        "of a dispatcher: HOST:PORT of every worker, with commas between",
        flag_values=values,
    )
    flags.DEFINE_string(
        "dispatcher",
        None,
        "of a worker: HOST:PORT of the dispatcher",
        flag_values=values,
    )
    flags.DEFINE_string(
        "address",
        None,
        "of a worker: HOST:PORT that others reach it by, as the dispatcher's --workers "
        "has it; this host's name and --port by default",
        flag_values=values,
    )


def _run(values: flags.FlagValues) -> None:
    serve(
        values.role,
        port=values.port,
        workers=values.workers,
        dispatcher=values.dispatcher,
        address=values.address,
    )


WORK = Work(
    define=_define,
    run=_run,
    example="simclr data_service --role=dispatcher --port=5050 "
    "--workers=host1:5051,host2:5051",
)
