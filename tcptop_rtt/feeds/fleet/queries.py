"""The queries in PromQL: one expression for a whole table, and one for its sparklines."""

from __future__ import annotations

from collections.abc import Container

from tcptop_rtt.model.question import LABELS, Question

MOST_ROWS = 2_000
"""The largest number of values that the server sends for a column: the highest values."""

_OF_LISTENERS = {"instance", "process", "service"}
"""The labels of listeners."""


HOST_P99 = "instance:tcptop_rtt_seconds:p99_5m"
SERVICE_BUCKETS = "service:tcptop_rtt_seconds_bucket:rate5m"
"""Recorded by contrib/prometheus/rules.yml; without it the server adds up all buckets of all hosts."""
SERVICE_ANSWERS = "service:tcptop_answer_seconds_count:rate5m"
"""If it is recorded, so are all sums and counts for means; earlier versions of the rules have none."""
_RULES_S = 300
_OF_SERVICES = {"instance", "process", "service", "direction"}
"""The labels of the metrics that the rules record of services."""
_RECORDED_RATES = {
    "tcptop_rtt_seconds_bucket",
    "tcptop_opened_connections_total",
    "tcptop_retransmitted_segments_total",
    "tcptop_received_bytes_total",
    "tcptop_sent_bytes_total",
}
_RECORDED_PARTS = {f"tcptop_{of}_seconds_{part}" for of in ("rtt", "answer") for part in ("sum", "count")}
"""The sums and counts for means."""


PRESENCE_S = 300
"""A host that was not scraped for so long counts as gone."""


def presence() -> str:
    """The query for the most scrapes of any host in PRESENCE_S, and for the metrics of the rules."""
    scrapes = _named(f"topk(1, count_over_time(tcptop_build_info[{PRESENCE_S}s]))", "scrapes")
    hosts = _named(f"group({HOST_P99})", HOST_P99)
    services = _named(f'group({SERVICE_BUCKETS}{{le="+Inf"}})', SERVICE_BUCKETS)
    answers = _named(f"group({SERVICE_ANSWERS})", SERVICE_ANSWERS)
    return f"{scrapes} or {hosts} or {services} or {answers}"


def table(question: Question, recorded: Container[str] = ()) -> str:
    """The query for all columns of a table: the label ``field`` names the column of each value.

    :param recorded: the metrics that the server has from the rules
    """
    by = LABELS[question.table]
    chosen, span = _chosen(question), f"[{question.range_s}s]"

    def total(metric: str, *more: str) -> str:
        return f"sum by ({', '.join((*by, *more))}) ({metric}{chosen})"

    labels = {*by, *(name for name, _ in question.within)}
    has_rules = SERVICE_BUCKETS in recorded and question.range_s == _RULES_S and labels <= _OF_SERVICES

    recorded_rates = _RECORDED_RATES if has_rules else set[str]()
    if has_rules and SERVICE_ANSWERS in recorded:
        recorded_rates = recorded_rates | _RECORDED_PARTS

    def rate(metric: str, *more: str) -> str:
        if metric in recorded_rates:
            return total(f"service:{metric.removesuffix('_total')}:rate5m", *more)
        return f"sum by ({', '.join((*by, *more))}) (rate({metric}{chosen}{span}))"

    def quantile(share: float, percent: int) -> str:
        if has_rules and HOST_P99 in recorded and labels == {"instance"}:
            return f"1e6 * instance:tcptop_rtt_seconds:p{percent}_5m{chosen}"
        return f"1e6 * histogram_quantile({share}, {rate('tcptop_rtt_seconds_bucket', 'le')})"

    columns = {
        "connections": total("tcptop_connections"),
        "stalled": f"{total('tcptop_stalled_connections')} > 0",
        "p50_us": quantile(0.5, 50),
        "p99_us": quantile(0.99, 99),
        "mean_us": f"1e6 * {rate('tcptop_rtt_seconds_sum')} / {rate('tcptop_rtt_seconds_count')}",
        "answer_us": f"1e6 * {rate('tcptop_answer_seconds_sum')} / {rate('tcptop_answer_seconds_count')}",
        "opened_per_s": rate("tcptop_opened_connections_total"),
        "failed_per_s": f"{rate('tcptop_failed_connects_total', 'reason')} > 0",
        "retrans_per_s": rate("tcptop_retransmitted_segments_total"),
        "in_bps": f"8 * {rate('tcptop_received_bytes_total')}",
        "out_bps": f"8 * {rate('tcptop_sent_bytes_total')}",
        "held_up": f"{total('tcptop_held_up_connections', 'why')} > 0",
    }
    if labels <= _OF_LISTENERS:
        columns["full_queues"] = f"{total('tcptop_full_listeners')} > 0"
    hosts = f"count(group by (instance) (tcptop_connections{chosen}))"
    parts = [*(_named(f"topk({MOST_ROWS}, {each})", name) for name, each in columns.items())]
    return " or ".join([*parts, _named(hosts, "hosts")])


def history(question: Question, window_s: int) -> str:
    """The query for the mean RTT of each row, which costs the server a tenth of what a percentile costs.

    :param window_s: the time over which each value is the mean
    """
    by, chosen = ", ".join(LABELS[question.table]), _chosen(question)
    total, count = (
        f"sum by ({by}) (rate(tcptop_rtt_seconds_{part}{chosen}[{window_s}s]))" for part in ("sum", "count")
    )
    # At each step, the rows with the most samples.
    return f"1e6 * {total} / topk({MOST_ROWS}, {count} > 0)"


def _named(expression: str, name: str) -> str:
    return f'label_replace({expression}, "field", "{name}", "", "")'


def _chosen(question: Question) -> str:
    if not question.within:
        return ""
    return "{" + ",".join(f"{label}={_quoted(value)}" for label, value in question.within) + "}"


def _quoted(value: str) -> str:
    """A PromQL string literal; backslashes, quotes and line ends are escaped."""
    escaped = value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n").replace("\r", r"\r")
    return f'"{escaped}"'
