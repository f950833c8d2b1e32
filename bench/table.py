# SPDX-FileCopyrightText: The Reeve authors
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What bench/points has measured, as text and as a picture."""
import statistics

GREY, BLUE, ORANGE, INK = "#9aa0a6", "#1a73e8", "#e8710a", "#202124"
FLOOR = "floor, 64 x 4"
# name in the picture: figure, colour
BARS = {
    "bare epoll server": (FLOOR, GREY),
    "libreeve, inline": ("inline, 64 x 4", BLUE),
    "libreeve, priority": ("priority, 64 x 4", BLUE),
    "libreeve, normal": ("normal, 64 x 4", BLUE),
    "reeved": ("reeved, version, 64 x 4", BLUE),
    "sd-bus": ("sd-bus, 64 in flight", ORANGE),
    "gRPC": ("gRPC, 64 x 4", ORANGE),
    "GDBus": ("GDBus, 64 in flight", ORANGE),
    "libvirtd": ("libvirtd, version, 64 x 4", ORANGE),
}
IDLE = {0: "", 10000: ", 10 000 idle", 18000: ", 18 000 idle"}


def median(figure, key):
    return statistics.median(sample[key] for sample in figure["samples"])


def is_measured(figure):
    return figure is not None and "samples" in figure


# ------------------------------------------------------------------ text ---

def format_number(value):
    return "" if value is None else f"{value:.2f}" if value < 1000 else f"{value:.0f}"


def get_row_name(figure):
    if "io_threads" not in figure:
        return figure["name"]
    return figure["name"].replace("loops", f"{figure['io_threads']} loops")


def format_figure(figure):
    us = median(figure, "us")
    steal = statistics.mean(sample["steal"] for sample in figure["samples"])
    return (f"{get_row_name(figure):<32} "
            f"{us:10.2f} {1e6 / us:10.0f} {median(figure, 'cpu_us'):10.2f} "
            f"{median(figure, 'switches'):9.2f} {format_number(figure.get('system_calls')):>9} "
            f"{100 * steal:8.1f}")


def format_figures(figures):
    """Those that were asked for."""
    lines = [f"{'':<32} {'us':>10} {'a second':>10} {'CPU us':>10} {'switches':>9} {'syscalls':>9}"
             f" {'steal %':>8}"]
    for figure in figures:
        if is_measured(figure):
            lines.append(format_figure(figure))
        elif figure["why_not"] != "not asked for":
            lines.append(f"{figure['name']:<32} not measured: {figure['why_not']}")
    return lines


def is_paced(figure):
    return is_measured(figure) and "from_due" in figure["samples"][0]


def format_times(figure, key, text):
    """How long calls of one kind took, where any sample has it."""
    times = [sample[key] for sample in figure["samples"] if sample[key]]
    if not times:
        return f"  {text:<44} too few"
    cells = (f"{statistics.median(each[name] for each in times):9.1f}"
             for name in ("p50_us", "p99_us", "p999_us"))
    return f"  {text:<44} {' '.join(cells)}"


def format_paced(figures):
    lines = [f"{'Paced calls':<46} {'p50 us':>9} {'p99':>9} {'p99.9':>9}"]
    for figure in filter(is_paced, figures):
        rest = 100 - 100 * statistics.mean(sample["disturbed"] for sample in figure["samples"])
        lines += [f"{figure['name']}, {median(figure, 'calls'):.0f} calls a round",
                  format_times(figure, "from_due", "since they were due"),
                  format_times(figure, "from_sent", "less what the caller was late"),
                  format_times(figure, "undisturbed", f"the same, undisturbed, {rest:.0f} % of all"),
                  format_times(figure, "late", "the caller was late")]
    return lines + [""] if len(lines) > 1 else []


def format_point(point):
    head = f"  {point['text']:<44} "
    if "value" not in point:
        return f"{head}not measured: {point['why_not']}"
    head += f"{point['value']:8.2f} {format_number(point.get('by_cpu')):>8}"
    if "wanted" not in point:
        return head
    sign = ">=" if point["at_least"] else "<="
    return f"{head}  {sign} {point['wanted']:6.2f}  {'holds' if point['holds'] else 'DOES NOT HOLD'}"


def format_points(points):
    lines = [f"  {'':<44} {'median':>8} {'by CPU':>8} {'wanted':>10}"]
    group = None
    for point in points:
        if "value" not in point and point["why_not"].endswith("not asked for"):
            continue
        if point["group"] != group:
            group = point["group"]
            lines.append(group)
        lines.append(format_point(point))
    return lines


def format_text(table):
    wanted = [point for point in table["points"] if "holds" in point]
    n_held = sum(point["holds"] for point in wanted)
    return "\n".join(
        [f"{table['machine']}; medians of {table['rounds']} rounds", ""] +
        format_figures(table["figures"]) + [""] + format_paced(table["figures"]) +
        format_points(table["points"]) +
        ["", f"{n_held} of {len(wanted)} points hold."])


# --------------------------------------------------------------- picture ---

def draw_text(x, y, text, anchor="start", size=12):
    return (f'<text x="{x:.0f}" y="{y:.0f}" font-size="{size}" text-anchor="{anchor}" '
            f'fill="{INK}">{text}</text>')


def draw_bars(figures):
    """Null calls of each server, in shares of the floor's."""
    parts = [draw_text(20, 30, "Null calls a second, in shares of a bare epoll server", size=14)]
    y = 50
    for name, (figure, colour) in BARS.items():
        if not is_measured(figures.get(figure)):
            continue
        share = statistics.median(
            floor["us"] / sample["us"]
            for floor, sample in zip(figures[FLOOR]["samples"], figures[figure]["samples"]))
        parts += [draw_text(150, y + 14, name, "end"),
                  f'<rect x="160" y="{y}" width="{max(share * 240, 1):.1f}" height="18" '
                  f'fill="{colour}"/>',
                  draw_text(166 + share * 240, y + 14, f"{share:.2f}" if share >= 0.1
                            else f"{share:.3f}")]
        y += 26
    return parts


def draw_line(figures, kind, colour, top_us):
    points = [(idle, figures.get(f"{kind}, 64 x 4{words}")) for idle, words in IDLE.items()]
    rates = [(idle, 1 / median(figure, "us")) for idle, figure in points if is_measured(figure)]
    places = [(540 + idle / 18000 * 300, 240 - rate * top_us * 170) for idle, rate in rates]
    parts = ['<polyline fill="none" stroke-width="2" stroke="{}" points="{}"/>'.format(
        colour, " ".join(f"{x:.1f},{y:.1f}" for x, y in places))]
    parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="{colour}"/>' for x, y in places]
    parts += [draw_text(x, y - 8, f"{rate * 1e3:.0f} k", "middle", 11)
              for (x, y), (_, rate) in zip(places, rates)]
    return parts + [draw_text(places[-1][0] + 24, places[-1][1] + 4, kind)] if places else []


def draw_lines(figures):
    """Calls with idle clients beside."""
    floor_us = median(figures[FLOOR], "us")
    parts = [draw_text(520, 30, "Calls a second of 64 clients beside idle ones", size=14),
             f'<path d="M540 60V240H850" fill="none" stroke="{GREY}"/>']
    parts += [draw_text(540 + idle / 18000 * 300, 258, f"{idle:,}".replace(",", " "), "middle", 11)
              for idle in IDLE]
    return (parts + draw_line(figures, "inline", BLUE, floor_us) +
            draw_line(figures, "normal", ORANGE, floor_us))


def draw(table):
    """An SVG; the floor has to be measured."""
    figures = {figure["name"]: figure for figure in table["figures"]}
    parts = draw_bars(figures) + draw_lines(figures)
    parts.append(draw_text(20, 306, f"{table['machine']}; medians of {table['rounds']} rounds",
                           size=11))
    return ('<svg xmlns="http://www.w3.org/2000/svg" width="920" height="320" '
            'viewBox="0 0 920 320" font-family="sans-serif">\n'
            '<!-- SPDX-FileCopyrightText: The Reeve authors -->\n'
            '<!-- SPDX-License-Identifier: LGPL-2.1-or-later -->\n'
            '<rect width="920" height="320" fill="white"/>\n' + "\n".join(parts) + "\n</svg>\n")
