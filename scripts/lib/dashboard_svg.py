"""Draws panels of a Grafana dashboard as SVG, each with what Prometheus answers to its own query.

    dashboard_svg.py PROMETHEUS_URL DASHBOARD_JSON > picture.svg

Titles, queries, places and thresholds are those of the dashboard; panels that a host of a few seconds has nothing to show
for (graphs over a day) are left out.
"""

import html
import json
import sys
import time
import urllib.parse
import urllib.request

COLOURS = {"green": "#56a64b", "yellow": "#e0b400", "orange": "#ff780a", "red": "#e02f44"}
STATUS = {"ok": "green", "static": "green", "expiring": "yellow", "expired": "red", "missing": "red"}
WIDTH, UNIT, ROW, GAP = 1080, 45, 30, 4


def query(base, expression):
    for name, value in (("$instance", ".*"), ("$agent", ".*"), ("$__rate_interval", "1m")):
        expression = expression.replace(name, value)
    address = base + "/api/v1/query?" + urllib.parse.urlencode({"query": expression})
    with urllib.request.urlopen(address, timeout=10) as answer:
        return json.load(answer)["data"]["result"]


def span(seconds):
    sign, seconds = ("-", -seconds) if seconds < 0 else ("", seconds)
    for size, word in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{sign}{seconds / size:.1f} {word}"
    return f"{sign}{seconds:.0f} s"


def colour(panel, value):
    chosen = "green"
    for step in panel["fieldConfig"]["defaults"]["thresholds"]["steps"]:
        if step["value"] is None or value >= step["value"]:
            chosen = step["color"]
    return COLOURS[chosen]


def shown(panel, value):
    return span(value) if panel["fieldConfig"]["defaults"].get("unit") == "s" else f"{value:g}"


def text(x, y, words, size=14, fill="#ccccdc", anchor="start", weight="normal"):
    return (
        f'<text x="{x:.0f}" y="{y:.0f}" font-size="{size}" fill="{fill}" text-anchor="{anchor}" '
        f'font-weight="{weight}">{html.escape(words)}</text>'
    )


def box(x, y, width, height, fill):
    return f'<rect x="{x:.0f}" y="{y:.0f}" width="{max(width, 1):.0f}" height="{height:.0f}" rx="3" fill="{fill}"/>'


def stat(panel, result, x, y, width, height):
    value = float(result[0]["value"][1]) if result else 0.0
    yield box(x + 8, y + 30, width - 16, height - 38, colour(panel, value))
    yield text(x + width / 2, y + height / 2 + 24, shown(panel, value), 30, "#ffffff", "middle", "bold")


def bars(panel, result, x, y, width, height):
    largest = max([abs(float(row["value"][1])) for row in result] + [1.0])
    for place, row in enumerate(result):
        value, top = float(row["value"][1]), y + 44 + place * 46
        labels = row["metric"]
        yield text(x + 12, top + 12, f'{labels["profile"]} · {labels["agent"]}', 13)
        share = max(value, 0) / largest
        yield box(x + 12, top + 18, width - 130, 14, "#22252b")
        yield box(x + 12, top + 18, (width - 130) * share, 14, colour(panel, value))
        yield text(x + width - 14, top + 30, shown(panel, value), 14, colour(panel, value), "end", "bold")


def states(panel, result, x, y, width, height):
    for place, row in enumerate(sorted(result, key=lambda row: row["metric"]["profile"])):
        top, status = y + 44 + place * 46, row["metric"]["status"]
        yield text(x + 12, top + 22, row["metric"]["profile"], 13)
        yield box(x + 220, top, width - 232, 34, COLOURS[STATUS[status]])
        yield text(x + 220 + (width - 232) / 2, top + 22, status, 13, "#ffffff", "middle", "bold")


def table(panel, result, x, y, width, height):
    for place, row in enumerate(result):
        top, labels = y + 52 + place * 26, row["metric"]
        until = time.strftime("%H:%M UTC", time.gmtime(float(row["value"][1]) / 1000))
        yield text(x + 12, top, labels["profile"], 13)
        yield text(x + 200, top, labels["reason"], 13, COLOURS["orange"])
        yield text(x + width - 14, top, until, 13, "#ccccdc", "end")


def alerts(base, x, y, width, height):
    names = sorted({(row["metric"]["alertname"], row["metric"]["severity"], row["metric"].get("profile") or row["metric"].get("provider", ""), row["metric"]["alertstate"]) for row in query(base, 'ALERTS{alertname!="OpenclawDeadMan"}')})
    for place, (name, severity, subject, state) in enumerate(names):
        top = y + 52 + place * 26
        yield box(x + 12, top - 11, 10, 12, COLOURS["red" if severity == "critical" else "orange"])
        yield text(x + 32, top, name, 13)
        yield text(x + 300, top, subject, 13)
        yield text(x + width - 14, top, state, 13, "#8e8e9a", "end")


def frame(x, y, width, height, title):
    yield f'<rect x="{x:.0f}" y="{y:.0f}" width="{width:.0f}" height="{height:.0f}" rx="4" fill="#181b1f" stroke="#2c3036"/>'
    yield text(x + 12, y + 20, title, 13, "#ccccdc", "start", "bold")


def main():
    base, dashboard = sys.argv[1].rstrip("/"), json.load(open(sys.argv[2], encoding="utf-8"))
    give_up = time.monotonic() + 40
    while True:
        try:
            # Alerts are pending as soon as the second evaluation has seen them.
            if query(base, 'ALERTS{alertname="OpenclawCredentialExpired"}') and query(base, 'ALERTS{alertname="OpenclawProviderUnusable"}'):
                break
        except OSError:
            pass
        if time.monotonic() > give_up:
            sys.exit("prometheus has no alerts to show")
        time.sleep(0.2)
    drawers = {"stat": stat, "bargauge": bars, "state-timeline": states}
    parts, bottom = [], 0
    for panel in dashboard["panels"]:
        draw = drawers.get(panel["type"])
        if draw is None:
            continue
        grid = panel["gridPos"]
        x, y = grid["x"] * UNIT + GAP, grid["y"] * ROW + 44
        width, height = grid["w"] * UNIT - 2 * GAP, grid["h"] * ROW - 2 * GAP
        parts += frame(x, y, width, height, panel["title"])
        parts += draw(panel, query(base, panel["targets"][0]["expr"]), x, y, width, height)
        bottom = max(bottom, y + height)
    low = [panel for panel in dashboard["panels"] if panel["type"] == "table"][0]
    y, half = bottom + 2 * GAP, WIDTH / 2
    parts += frame(GAP, y, half - 2 * GAP, 170, "Alerts")
    parts += alerts(base, GAP, y, half - 2 * GAP, 170)
    parts += frame(half + GAP, y, half - 2 * GAP, 170, low["title"])
    parts += table(low, query(base, low["targets"][0]["expr"]), half + GAP, y, half - 2 * GAP, 170)
    total = y + 170 + GAP
    print(
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {total:.0f}" width="{WIDTH}" height="{total:.0f}" '
        f'font-family="Inter, Helvetica, Arial, sans-serif" role="img">'
    )
    print(f'<title>{html.escape(dashboard["title"])}</title>')
    print(f'<rect width="{WIDTH}" height="{total:.0f}" fill="#111217"/>')
    print(text(12, 28, dashboard["title"], 18, "#ffffff", "start", "bold"))
    print("\n".join(parts))
    print("</svg>")


main()
