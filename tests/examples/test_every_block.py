"""Each block of README.md and docs is run by a test, or says here why it cannot be."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.examples.page_blocks import Block, all_blocks, blocks_of

TESTS = Path(__file__).parents[1]

RUNNERS = {
    "README.md": {
        "import producers": "examples/test_readme.py::test_the_code_runs_and_is_counted",
        "$ pip install .": "examples/test_docs_commands.py::test_the_readmes_way_to_use_it",
    },
    "docs/airtable.md": {
        "[airtable]": "examples/test_docs_run.py::test_other_names_in_the_base",
        "import flush": "examples/test_docs_run.py::test_a_flush_from_code",
    },
    "docs/benchmarks.md": {"make bench ": "examples/test_docs_commands.py::test_the_words_of_the_measurements"},
    "docs/dead-letters.md": {"runtally dead list": "examples/test_docs_commands.py::test_dead_letters_at_the_shell"},
    "docs/gateway.md": {"$ runtally token create": "examples/test_docs_commands.py::test_the_gateways_tokens"},
    "docs/jobs-api.md": {
        "curl -i $URL": "examples/test_docs.py::test_the_requests_of_the_jobs_page",
        "RUNTALLY_HANDLERS=my_jobs": "examples/test_docs_run.py::test_handlers_can_be_registered_as_shown",
    },
    "docs/languages.md": {
        "--retry-all-errors": "examples/test_languages.py::test_an_example",
        "ce-specversion": "examples/test_languages.py::test_an_example",
        "async function emit": "examples/test_languages.py::test_an_example",
        "run=250930-141524": "examples/test_languages.py::test_an_example",
    },
    "docs/locks.md": {
        "import producers": "examples/test_docs_run.py::test_a_lock",
        "runtally locks": "examples/test_docs_commands.py::test_locks_at_the_shell",
    },
    "docs/metrics.md": {"[metrics.": "unit/test_metrics_file.py::test_the_file_on_the_page_of_metrics_can_be_read"},
    "docs/openlineage.md": {
        "transport:": "examples/test_openlineage_page.py::test_the_page_works_as_printed",
        "[totals]": "examples/test_openlineage_page.py::test_the_page_works_as_printed",
        "[metrics.": "examples/test_openlineage_page.py::test_the_page_works_as_printed",
    },
    "docs/producers.md": {
        "BatchScorer(": "examples/test_docs_run.py::test_the_batch_scorer_and_its_continuation",
        "scorer.run(clients, run_id=": "examples/test_docs_run.py::test_the_batch_scorer_and_its_continuation",
        "single_scorer.lead": "examples/test_docs_run.py::test_a_lead_as_a_decorated_function",
        "post_scorer.posts": "examples/test_docs_run.py::test_posts",
        "post_harvester.harvest": "examples/test_docs_run.py::test_a_harvest",
        "async with": "examples/test_docs_run.py::test_async_blocks",
        "producers.tracked": "examples/test_docs_run.py::test_a_tracked_function",
        "*/15 * * * *": "examples/test_docs_commands.py::test_the_line_of_cron",
        "import_leads.py": "examples/test_docs_run.py::test_a_script_that_counts_into_the_run_of_runtally_exec",
        "track_tasks(app)": "examples/test_docs_run.py::test_tracked_celery_tasks",
        "recording()": "examples/test_docs_run.py::test_a_test_of_ones_own_code",
        "runtally emit job.started": "examples/test_docs_commands.py::test_events_from_the_shell",
        "score-leads |": "examples/test_docs_commands.py::test_events_from_the_shell",
    },
    "docs/reliability.md": {"make faults ": "examples/test_docs_commands.py::test_the_words_of_the_faults"},
    "docs/run-ids.md": {"run_id.parse": "examples/test_docs_run.py::test_run_ids"},
    "docs/sandbox.md": {"import Limits, Sandbox": "examples/test_docs_run.py::test_the_sandbox"},
    "docs/simulation.md": {"python -m simulation": "examples/test_docs_commands.py::test_schedules_at_the_shell"},
    "docs/verify.md": {"runtally verify": "examples/test_docs_commands.py::test_verify_at_the_shell"},
    "docs/webhooks.md": {
        "RUNTALLY_WEBHOOK_SECRETS=": "examples/test_docs_commands.py::test_a_webhook_by_curl",
        "$ curl": "examples/test_docs_commands.py::test_a_webhook_by_curl",
        "on_leads": "examples/test_docs_run.py::test_handlers_can_be_registered_as_shown",
        "{{eventType}}": "examples/test_webhook_example.py::test_the_documents_templates_are_what_is_read",
        "> mended.json": "examples/test_docs_commands.py::test_a_mended_webhook_is_sent_again",
    },
}
"""Page -> a text that stands in one block of it -> the test that runs the block, or what can be run of it."""

NOT_RUN = {
    "README.md": {
        "120/120 leads": "what the demo prints, not what is typed",
        "$ make run": "it stays up until Ctrl-C; what it starts, `runtally up --demo`, is run by server/test_up.py",
        "$ make test": "this is `make test`",
        "scorer ──emit()──▶": "a picture",
    },
    "docs/deploy.md": {
        "[Unit]": "a unit for systemd, which a test cannot start",
        "docker compose up": "needs Docker, and images from a registry",
    },
}
"""Page -> a text that stands in one block of it -> why no test runs the block."""

BLOCKS = [pytest.param(block, id=f"{block.page}-{block.line}") for block in all_blocks()]
ENTRIES = [(page, mark) for table in (RUNNERS, NOT_RUN) for page, marks in table.items() for mark in marks]
TO_DO = """
{block.page}, line {block.line}: no test runs this block. Write one (examples/test_docs_run.py for Python, examples/test_docs_commands.py
for commands) and name it in RUNNERS of {here}, or say in NOT_RUN why there can be none.

{block.code}"""


def entries_of(block: Block) -> list[str]:
    """The marks in the tables that fit the block."""
    return [mark for page, mark in ENTRIES if page == block.page and mark in block.code]


@pytest.mark.parametrize("block", BLOCKS)
def test_a_block_has_one_entry(block: Block) -> None:
    assert entries_of(block), TO_DO.format(block=block, here=Path(__file__).name)
    assert len(entries_of(block)) == 1, "its marks fit several entries: make them longer"


@pytest.mark.parametrize(("page", "mark"), ENTRIES)
def test_an_entry_has_one_block(page: str, mark: str) -> None:
    assert len([block for block in all_blocks() if block.page == page and mark in block.code]) == 1


@pytest.mark.parametrize("runner", sorted({runner for marks in RUNNERS.values() for runner in marks.values()}))
def test_a_runner_is_there_and_reads_the_page(runner: str) -> None:
    module, _, name = runner.partition("::")
    text = (TESTS / module).read_text("utf-8")
    assert name in {node.name for node in ast.walk(ast.parse(text)) if isinstance(node, ast.FunctionDef)}
    for page in [page for page, marks in RUNNERS.items() if runner in marks.values()]:
        assert Path(page).name in text, f"{module} never reads {page}"


def test_a_new_block_is_noticed_however_it_is_fenced() -> None:
    page = "docs/locks.md"
    for text in ("```sh\nls\n```\n", "- a\n\n  ```\n  ls\n  ```\n", "~~~ sh\nls\n~~~\n", "````\n```\nls\n````\n", "> ```\n> ls\n> ```\n"):
        (found,) = blocks_of(page, f"words\n\n{text}\nwords\n")
        assert "ls" in found.code
        assert entries_of(found) == []
