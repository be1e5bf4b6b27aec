"""The benchmark's arithmetic, as far as it goes without wrk, a data set and the packages that only it installs.

A whole round isn't run here: making even the smallest data set takes longer than the rest of the suite may wait for.
`make bench` itself refuses to measure when the systems it compares answer differently.
"""

import pytest

from tests.benchmarks.endpoints import BY_NAME
from tests.benchmarks.load import Figures
from tests.benchmarks.measured import Comparison, Round, Summary
from tests.benchmarks.pgbench import parse, script
from tests.benchmarks.report import as_markdown, between_marks, comparison_lines

LOG = """\
2026-11-24 06:50:18.001 UTC [71] LOG:  statement: BEGIN
2026-11-24 06:50:18.002 UTC [71] LOG:  statement: SELECT 1
\tFROM patients_patient
2026-11-24 06:50:18.003 UTC [71] LOG:  execute <unnamed>: SELECT $1, $10
2026-11-24 06:50:18.003 UTC [71] DETAIL:  Parameters: $1 = 'it''s', $10 = NULL
2026-11-24 06:50:18.004 UTC [70] LOG:  checkpoint starting: time
2026-11-24 06:50:18.005 UTC [71] LOG:  statement: COMMIT
"""
OLD, FRESH = "01a20c4a-1e78-74b8-a805-30aaaaaaaaaa", "01a20c4a-1e79-74b8-a805-30bbbbbbbbbb"
SENT_AT = int("01a20c4a1e79", 16)


def comparison(*, ours: float, peer: float, pgbench: float = 1000.0) -> Comparison:
    rates = {"ours": ours, "peer": peer, "pgbench": pgbench}
    rounds = {
        name: [Round(Figures(int(rate * factor), 1.0, 8.0, 16.0), 1000 / rate) for factor in (0.5, 1.0, 2.0)]
        for name, rate in rates.items()
    }
    return Comparison(BY_NAME["list"], {name: Summary.of(found) for name, found in rounds.items()})


def test_statements_are_read_from_the_log_with_their_parameters() -> None:
    assert parse(LOG.splitlines()) == ["BEGIN", "SELECT 1\nFROM patients_patient", "SELECT 'it''s', NULL", "COMMIT"]


def test_replayed_reads_commit_with_fresh_ids_only_replaced() -> None:
    statement = f"SELECT '{OLD}', '{FRESH}', '{FRESH.replace('-', '')}'"
    text = script(["BEGIN", statement, "COMMIT"], SENT_AT, rollback=False)
    assert text == (
        "\\set a0 random(100000000000, 999999999999)\n\\set b0 random(100, 999)\nBEGIN;\n"
        f"SELECT '{OLD}', '01a20c4a-1e79-74b8-a:b0-:a0', '01a20c4a1e7974b8a:b0:a0';\nCOMMIT;\n"
    )


def test_replayed_writes_are_rolled_back() -> None:
    assert script(["BEGIN", "SELECT 1", "COMMIT"], SENT_AT, rollback=True) == "BEGIN;\nSELECT 1;\nROLLBACK;\n"
    assert (
        script(["BEGIN;SELECT 1", "SELECT 2;COMMIT"], SENT_AT, rollback=True) == "BEGIN;SELECT 1;\nSELECT 2;ROLLBACK;\n"
    )


def test_medians_and_ratios() -> None:
    found = comparison(ours=400, peer=200)
    assert (found.systems["ours"].per_second, found.ratio("peer"), found.cpu_ratio()) == (400, 2.0, 2.0)
    assert found.verdicts() == [(">= 2.0x peer", True), (">= 35% of pgbench", True), ("p99 <= peer's", True)]


def test_missed_target_is_said() -> None:
    lines = comparison_lines([comparison(ours=300, peer=200)])
    assert lines[0][-1] == ">= 2.0x peer MISSED, >= 35% of pgbench MISSED, p99 <= peer's met"
    assert [line[:2] for line in lines] == [("list of 50 patients", "ours"), ("", "peer"), ("", "pgbench")]


def test_round_with_a_refusal_counts_for_nothing_and_is_said() -> None:
    good, refused = Round(Figures(100, 1.0, 1.0, 2.0), 1.0), Round(Figures(900, 1.0, 0.1, 0.2, refused=1), 0.1)
    summary = Summary.of([good, refused])
    assert (summary.per_second, summary.invalid) == (100, 1)
    [line] = comparison_lines([Comparison(BY_NAME["login"], {"ours": summary})])
    assert line[-1] == "1 INVALID ROUNDS"


def test_table_is_put_between_its_marks() -> None:
    table = as_markdown(("a", "b"), [("1", "2")])
    assert table == "| a | b |\n| --- | --- |\n| 1 | 2 |\n"
    document = "before\n<!-- flat -->\nold\n<!-- /flat -->\nafter\n"
    assert between_marks(document, "flat", table) == f"before\n<!-- flat -->\n\n{table}\n<!-- /flat -->\nafter\n"
    with pytest.raises(SystemExit, match="no place for memory"):
        between_marks(document, "memory", table)
