"""A System → the page on which a person reads how it is. No script, and no file but itself."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from html import escape

from luggage.run.life.states import State
from luggage.run.operate.system import System

LONG = 2_000  # characters of a line that are shown
EVERY = 10  # seconds, where the reader asks for it
# A terminal's commands, and what turns the order of letters around.
_HIDDEN = re.compile("[\x00-\x08\x0a-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")

STYLE = """
:root { color-scheme: light dark; --ink: #1b1f24; --faint: #57606a; --paper: #fff;
  --card: #f3f5f7; --line: #c9d1d9; --good: #116329; --bad: #b3161f; --wait: #7d4e00;
  --link: #0550ae; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6edf3; --faint: #9da7b3;
  --paper: #0d1117; --card: #161b22; --line: #3d444d; --good: #56d364; --bad: #ff8f87;
  --wait: #e3b341; --link: #79b8ff; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 76rem; padding: 1rem; background: var(--paper);
  color: var(--ink); font: 1rem/1.5 system-ui, sans-serif; }
h1 { font-size: 1.5rem; line-height: 1.25; margin: .25rem 0; overflow-wrap: anywhere; }
h2 { font-size: 1.15rem; margin: 2rem 0 .5rem; }
a { color: var(--link); }
a:focus-visible, summary:focus-visible { outline: .2rem solid var(--link);
  outline-offset: .15rem; }
p { margin: .25rem 0; }
.faint { color: var(--faint); overflow-wrap: anywhere; }
.good { color: var(--good); font-weight: 600; }
.bad { color: var(--bad); font-weight: 600; }
.wait { color: var(--wait); font-weight: 600; }
table { border-collapse: collapse; width: 100%; }
th, td { border-bottom: 1px solid var(--line); padding: .5rem .75rem .5rem 0; text-align: left;
  vertical-align: top; overflow-wrap: anywhere; }
thead th { color: var(--faint); font-weight: 500; overflow-wrap: normal; }
td:empty::before { content: "–"; color: var(--faint); }
details { background: var(--card); border: 1px solid var(--line); border-radius: .4rem;
  margin: .5rem 0; }
summary { cursor: pointer; padding: .6rem .75rem; overflow-wrap: anywhere; }
pre { font: .85rem/1.45 ui-monospace, monospace; margin: 0; overflow-wrap: anywhere;
  padding: 0 .75rem .75rem; tab-size: 4; white-space: pre-wrap; }
@media (max-width: 44rem) {
  table, tbody, tr, th, td { display: block; }
  thead { clip-path: inset(50%); height: 1px; overflow: hidden; position: absolute;
    white-space: nowrap; width: 1px; }
  tbody tr { background: var(--card); border: 1px solid var(--line); border-radius: .4rem;
    margin: .5rem 0; padding: .5rem .75rem; }
  tbody th { border: 0; font-size: 1.1rem; padding: .1rem 0 .3rem; }
  tbody td { border: 0; display: grid; grid-template-columns: 7rem 1fr; padding: .15rem 0; }
  tbody td::before { color: var(--faint); content: attr(data-label); }
  td:empty { display: none; }
}
"""
_HASH = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
# The icon is empty, so that no browser asks for one.
POLICY = (
    f"default-src 'none'; style-src 'sha256-{_HASH}'; img-src data:; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'"
)
_COLOURS = {"running": "good", "scheduled": "good", "waiting": "bad", "stopped": "wait"}


def render(system: System, *, now: float, refresh: int = 0) -> str:
    """The page at the time `now`; it tells that it comes anew every `refresh` seconds, if it does.

    Everything that is not written here is escaped: names and lines are others'.
    """
    fit, told = system.ready()
    well, why = system.healthy()
    states = system.states()
    version = system.version
    name = _text(version.get("project") or "deployment")
    known = [
        f"{_text(key)} {_text(value)}"
        for key, value in version.items()
        if value not in (None, "") and key != "project"
    ]
    verdict = "stopping" if system.stopping else ("ready" if fit else "not ready")
    colour = "wait" if system.stopping else ("good" if fit else "bad")
    health = "" if well else f'<p class="bad">not healthy: {_text(why)}</p>'
    ill = ' class="bad"' if not fit or any(it.crash_loop for it in states) else ""
    more = f"<p{ill}>{_text(told)}</p>" if told not in ("ready", verdict) else ""
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{name}: {verdict}</title>
<link rel="icon" href="data:,">
<style>{STYLE}</style>
</head>
<body>
<header>
<h1>{name}: <span class="{colour}">{verdict}</span></h1>
{more}{health}
<p class="faint">{" · ".join(known)}</p>
<p>{_time(now)} · log level {_text(system.level)} · {_again(refresh)}</p>
</header>
<main>
<h2 id="processes">Processes</h2>
{_table(states, now)}
<h2>Last lines</h2>
{"".join(_lines(system, it) for it in states)}
</main>
</body>
</html>
"""


def _again(refresh: int) -> str:
    if refresh:
        return f'comes anew every {refresh} s, <a href="?">stop that</a>'
    return f'<a href="?">reload</a>, or <a href="?refresh={EVERY}">every {EVERY} s</a>'


def _table(states: Sequence[State], now: float) -> str:
    heads = ("Process", "State", "Since", "Pid", "Starts", "Last exit", "Last beat")
    head = "".join(f'<th scope="col" role="columnheader">{text}</th>' for text in heads)
    rows = []
    for it in states:
        state = f'<span class="{_COLOURS.get(it.state, "wait")}">{_text(it.state)}</span>'
        if it.crash_loop:
            state += ', <span class="bad">crash-loops</span>'
        exit_at = f", {_ago(it.last_exit_at, now)}" if it.last_exit_at is not None else ""
        cells = (
            state,
            _ago(it.since, now),
            str(it.pid) if it.pid is not None else "",
            str(it.starts),
            f"{_text(it.last_exit)}{exit_at}" if it.last_exit else "",
            _ago(it.last_beat, now) if it.last_beat is not None else "",
        )
        # A table whose parts are shown as blocks is none to a screen reader, but for the roles. The
        # label stands in a cell's style, the content in one element: a grid has two columns.
        row = "".join(
            f'<td role="cell" data-label="{label}">{f"<span>{cell}</span>" if cell else ""}</td>'
            for label, cell in zip(heads[1:], cells, strict=True)
        )
        kind = f' <span class="faint">{_text(it.kind)}</span>'
        name = f'<a href="#{_anchor(it)}">{_text(it.name)}</a>{kind}'
        rows.append(f'<tr role="row"><th scope="row" role="rowheader">{name}</th>{row}</tr>\n')
    return (
        '<table role="table" aria-labelledby="processes">\n'
        f'<thead role="rowgroup"><tr role="row">{head}</tr></thead>\n'
        f'<tbody role="rowgroup">\n{"".join(rows)}</tbody>\n</table>'
    )


def _lines(system: System, it: State) -> str:
    # In the log, the name stands in front of each.
    mark = re.compile(rf"{re.escape(it.name)} *[|:] ")
    lines = [
        line[found.end() if (found := mark.match(line)) else 0 :] for line in system.lines(it.name)
    ]
    shown = "\n".join(_text(line) for line in lines) if lines else "(none so far)"
    is_open = " open" if it.crash_loop or it.state == "waiting" else ""
    many = f"{len(lines)} line{'' if len(lines) == 1 else 's'}"
    return (
        f'<details id="{_anchor(it)}"{is_open}><summary>{_text(it.name)}, {many}</summary>'
        f'<pre dir="ltr">{shown}</pre></details>\n'
    )


def _anchor(it: State) -> str:
    return escape("lines-" + re.sub(r"[^A-Za-z0-9._-]", "_", it.name))


def _text(value: object) -> str:
    """A text of others as one of HTML: every character that acts is shown instead."""
    text = str(value)
    if len(text) > LONG:
        text = text[:LONG] + " …"
    return escape(_HIDDEN.sub(lambda it: f"\\u{ord(it[0]):04x}", text))


def _ago(then: float, now: float) -> str:
    """A `time` with its distance in words: one can compare it without knowing where one is."""
    seconds = max(0, int(now - then))
    for size, name in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= size:
            return _time(then, f"{seconds // size} {name} ago")
    return _time(then, f"{seconds} s ago")


def _time(then: float, text: str = "") -> str:
    try:
        moment = datetime.fromtimestamp(then, UTC)
    except (ValueError, OverflowError, OSError):
        return "unknown"
    shown = text or moment.strftime("%Y-%m-%d %H:%M:%S UTC")
    return f'<time datetime="{moment.isoformat(timespec="seconds")}">{shown}</time>'
