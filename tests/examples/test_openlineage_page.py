"""docs/openlineage.md as it is printed: its transport reaches a gateway, its two files make the rows they say."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest
import yaml
from openlineage.client import OpenLineageClient
from openlineage.client.event_v2 import Job, OutputDataset, Run, RunEvent, RunState
from openlineage.client.facet_v2 import output_statistics_output_dataset, parent_run

from contract.settings import Settings
from tests.conftest import SettingsMaker
from tests.server.gateway.conftest import ServedGateway, folded, new_token, served, token

__all__ = ["folded", "new_token", "served", "token"]

PAGE = (Path(__file__).parents[2] / "docs" / "openlineage.md").read_text("utf-8")
BLOCKS = re.findall(r"^```(yaml|toml)\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
DAG = "0b6ba62c-1e41-4d27-9a0b-1d0a3f0f3a01"


@pytest.fixture
def settings(make_settings: SettingsMaker, redis_url: str, tmp_path: Path) -> Settings:
    lineage, metrics = (tmp_path / name for name in ("lineage.toml", "metrics.toml"))
    for path, text in zip((lineage, metrics), [code for language, code in BLOCKS if language == "toml"], strict=True):
        path.write_text(text)
    return make_settings(redis_url=redis_url, lineage_file=lineage, metrics_file=metrics)


def mapped(index: int, state: RunState, second: int, rows: int | None = None) -> RunEvent:
    """An event of a mapped task."""
    parent = parent_run.ParentRunFacet(run=parent_run.Run(runId=DAG), job=parent_run.Job(namespace="airflow", name="nightly"))
    statistics = output_statistics_output_dataset.OutputStatisticsOutputDatasetFacet(rowCount=rows)
    run = Run(f"0b6ba62c-1e41-4d27-9a0b-1d0a3f0f3b{index:02d}", {"parent": parent, "airflow": {"taskInstance": {"map_index": index}}})
    return RunEvent(
        eventType=state,
        eventTime=f"2025-09-30T14:15:{second:02d}Z",
        run=run,
        job=Job("airflow", "load"),
        outputs=[] if rows is None else [OutputDataset("db", "t", outputFacets={"outputStatistics": statistics})],
        producer="https://example.com/scheduler",
    )


def test_the_page_works_as_printed(served: ServedGateway, token: str, folded: Callable[[str], dict[str, Any] | None]) -> None:
    (transport,) = [code for language, code in BLOCKS if language == "yaml"]
    config = yaml.safe_load(transport.replace("https://runtally.example.com", served.url).replace("rt_…", token))
    client = OpenLineageClient(config=config)
    for index, rows in ((0, 5), (1, None)):
        client.emit(mapped(index, RunState.START, 1))
        client.emit(mapped(index, RunState.COMPLETE, 2, rows))
    client.close()

    folded("250930-141501")
    (listed,) = httpx.get(f"{served.url}/v1/jobs", headers={"Authorization": f"Bearer {token}"}).json()["jobs"]
    job = folded(listed["run_id"])
    assert job is not None
    assert [(row["client_id"], row["status"], row["metrics"]) for row in job["clients"]] == [
        ("load#0", "Completed", {"Leads Processed": 5, "Tasks Completed": 1}),
        ("load#1", "Completed", {"Tasks Completed": 1}),
    ]
