"""The side that emits. Every call returns in microseconds and never raises because Redis or the network is away.

import producers

with producers.job("batch_scoring", stream=1) as job:
    with job.client("client-a") as run:
        run.count(leads_processed=1, profile_scoring_tokens=812)
"""

from producers.exclusive import exclusive
from producers.publisher import Publisher
from producers.runs import ClientRun, Job
from producers.runs.current import current_job, current_run
from producers.service import (
    complete_client_metrics,
    complete_job_metrics,
    convert_to_standard_format,
    create_client_run_record,
    create_job_tracking_record,
    flush,
    generate_run_id,
    is_valid_run_id,
    job,
    update_client_metrics,
    update_job_aggregate_metrics,
    update_job_tracking_record,
)
from producers.tracked import tracked

__all__ = [
    "ClientRun",
    "Job",
    "Publisher",
    "complete_client_metrics",
    "complete_job_metrics",
    "convert_to_standard_format",
    "create_client_run_record",
    "create_job_tracking_record",
    "current_job",
    "current_run",
    "exclusive",
    "flush",
    "generate_run_id",
    "is_valid_run_id",
    "job",
    "tracked",
    "update_client_metrics",
    "update_job_aggregate_metrics",
    "update_job_tracking_record",
]
