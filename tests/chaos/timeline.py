"""The page of a run: faults as bands, jobs as bars, promises as a table; one file, no requests."""

import html
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from tests.chaos.plan import AGENTS, CONTROL, NETWORK, PAYMENTS, FaultKind
from tests.chaos.verdict import Evidence
from wharfage.domain.job import AttemptRecord, Job

_WIDTH, _LEFT, _RIGHT = 1200, 90, 10
_LANE, _BAR, _TOP = 22, 3, 24
_LANES = (CONTROL, *AGENTS, PAYMENTS, NETWORK)
_STYLE = """
:root { color-scheme: light dark; --ink: #1d2430; --paper: #fbfbf9; --faint: #d9dce1;
  --good: #2f8f5b; --bad: #c0392b; --user: #c98a1b; --lost: #8e44ad; --wait: #c3cbd6;
  --control: #c0392b; --own: #2e6fb7; --second: #16877e; --third: #8a6d1d;
  --payments: #7a4fb5; --network: #6b7280; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e8ec; --paper: #14171c; --faint: #333a45;
  --good: #4fc387; --bad: #ff7263; --user: #e8b04a; --lost: #c58af0; --wait: #454f5e;
  --control: #ff7263; --own: #6cabf2; --second: #45c7bc; --third: #d6b44f;
  --payments: #b591f0; --network: #9aa3b2; } }
body { margin: 2rem auto; max-width: 1240px; padding: 0 1rem; background: var(--paper);
  color: var(--ink); font: 15px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.4rem; margin: 0 0 .3rem; } h2 { font-size: 1.05rem; margin: 1.8rem 0 .4rem; }
table { border-collapse: collapse; } td { padding: .15rem 1.2rem .15rem 0; vertical-align: top; }
.holds { color: var(--good); } .broken { color: var(--bad); } .chart { overflow-x: auto; }
svg { display: block; min-width: 900px; width: 100%; } text { fill: var(--ink); font-size: 11px; }
.tick { stroke: var(--faint); } .key span { display: inline-block; margin-right: 1.2rem; }
.key i { display: inline-block; width: .9em; height: .9em; margin-right: .35em;
  vertical-align: -.1em; }
"""
_COLOURS = {
    "succeeded": "good", "failed": "user", "timed_out": "user", "cancelled": "network",
    "lost": "lost", "rejected": "lost", "expired": "bad",
}  # fmt: skip
_KEY = {
    "good": "succeeded", "user": "failed or timed out by itself", "network": "cancelled",
    "lost": "tried again, free", "wait": "waiting", "bad": "expired",
}  # fmt: skip


def page(seen: Evidence, verdict: dict[str, Any]) -> str:
    """Write the page."""
    said = "Every promise held" if verdict["clean"] else "A promise was broken"
    counts = verdict["counts"]
    injected = sum(verdict["faults"]["carried_out"].values())
    title = f"Chaos, seed {seen.seed}"
    about = (
        f"{counts['jobs']} jobs in {counts['attempts']} attempts, {injected} faults, "
        f"{verdict['seconds']:.0f} s in all"
    )
    key = "".join(
        f'<span><i style="background:var(--{colour})"></i>{text}</span>'
        for colour, text in _KEY.items()
    )
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title>'
        '<meta name="viewport" content="width=device-width">'
        f"<style>{_STYLE}</style><h1>{title}: {said.lower()}</h1><p>{about}</p>"
        f"<h2>Promises</h2><table>{''.join(_promises(verdict))}</table>"
        f"<h2>Figures</h2><table>{''.join(_figures(verdict))}</table>"
        f'<h2>Faults and jobs</h2><p class="key">{key}</p>'
        f'<div class="chart">{_chart(seen)}</div></html>\n'
    )


def _promises(verdict: dict[str, Any]) -> Iterator[str]:
    for name, judged in verdict["invariants"].items():
        word = "holds" if judged["holds"] else "broken"
        broken = "<br>".join(html.escape(each) for each in judged["broken"][:5])
        yield f'<tr><td class="{word}">{word}</td><td>{name}</td><td>{broken}</td></tr>'


def _figures(verdict: dict[str, Any]) -> Iterator[str]:
    for name, figure in verdict["aims"].items():
        if figure["samples"]:
            word = "holds" if figure["met"] else "broken"
            said = (
                f"median {figure['p50']} s, 99th percentile {figure['p99']} s of "
                f"{figure['samples']}, aim {figure['aim']:g} s"
            )
            yield f'<tr><td class="{word}">{name}</td><td>{said}</td></tr>'
    for kind, count in sorted(verdict["faults"]["carried_out"].items()):
        yield f"<tr><td>{kind.replace('_', ' ')}</td><td>{count}</td></tr>"


def _chart(seen: Evidence) -> str:
    jobs = sorted(seen.last.all(Job), key=lambda job: job.created_at)
    ends = [job.ended_at.timestamp() for job in jobs if job.ended_at is not None]
    last = max([seen.began + 1, *ends, *(each.ended for each in seen.injector.done)])
    scale = (_WIDTH - _LEFT - _RIGHT) / (last - seen.began)
    head = _TOP + _LANE * len(_LANES) + 12
    height = head + _BAR * len(jobs) + 10

    def x(moment: float) -> float:
        return round(_LEFT + (moment - seen.began) * scale, 1)

    parts = [f'<svg viewBox="0 0 {_WIDTH} {height}" role="img" aria-label="faults and jobs">']
    for second in range(0, int(last - seen.began) + 1, 30):
        at = x(seen.began + second)
        parts.append(f'<line class="tick" x1="{at}" x2="{at}" y1="{_TOP}" y2="{height}"/>')
        if second % 60 == 0:
            parts.append(f'<text x="{at}" y="14" text-anchor="middle">{second // 60} min</text>')
    parts += _bands(seen, x, height)
    parts += _bars(seen, jobs, x, head)
    return "".join([*parts, "</svg>"])


def _bands(seen: Evidence, x: Any, height: int) -> Iterator[str]:
    for place, lane in enumerate(_LANES):
        top = _TOP + _LANE * place
        yield f'<text x="0" y="{top + 14}">{lane}</text>'
        for each in seen.injector.done:
            if each.lane != lane:
                continue
            begins, width = x(each.began), max(1.5, x(each.ended) - x(each.began))
            said = html.escape(f"{each.kind} {each.note} ({each.ended - each.began:.1f} s)")
            fill = f'fill="var(--{lane})"'
            if each.lane == CONTROL or each.kind == FaultKind.SILENCE:
                yield f'<rect x="{begins}" width="{width:.1f}" y="{top}" height="{height - top}" '
                yield f'{fill} opacity=".09"/>'
            yield f'<rect x="{begins}" width="{width:.1f}" y="{top + 3}" height="{_LANE - 7}" '
            yield f'rx="2" {fill}><title>{said}</title></rect>'


def _bars(seen: Evidence, jobs: list[Job], x: Any, head: int) -> Iterator[str]:
    attempts: dict[str, list[AttemptRecord]] = defaultdict(list)
    for record in seen.last.all(AttemptRecord):
        attempts[record.job].append(record)
    agents = {host: name for name, host in seen.hosts.items()}
    for row, job in enumerate(jobs):
        y = head + _BAR * row
        for record in sorted(attempts[job.id], key=lambda each: each.attempt):
            queued, started = record.queued_at or job.created_at, record.started_at
            ends = x(record.ended_at.timestamp())
            begins = x(started.timestamp()) if started is not None else ends
            waits = x(queued.timestamp())
            colour = _COLOURS[record.state.value]
            where = agents.get(record.host or "", "no host")
            said = html.escape(f"{job.id}.{record.attempt} {record.state} on {where}")
            yield f'<rect x="{waits}" y="{y}" width="{max(0.0, begins - waits):.1f}" '
            yield 'height="2" fill="var(--wait)"/>'
            yield f'<rect x="{begins}" y="{y}" width="{max(1.0, ends - begins):.1f}" height="2" '
            yield f'fill="var(--{colour})"><title>{said}</title></rect>'
