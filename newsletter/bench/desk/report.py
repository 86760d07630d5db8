"""The figures of the desk benchmark as text."""

from typing import Any

from newsletter.bench.desk.measures import MAX_SCRIPT_BYTES

KB = 1000


def desk_report(figures: dict[str, Any]) -> str:
    """Return the figures as text, one line a page."""
    options, machine, pages = figures["given"], figures["machine"], figures["pages"]
    cpus = f"{machine['cpus']} x {machine['processor']}, {machine['memory_gb']} GB, Python {machine['python']}"
    amounts = ", ".join(f"{options[name]:,} {name}" for name in ("subscribers", "deliveries", "issues", "articles"))
    scripts = sum(figures["script_bytes"].values())
    width = max(len(page["path"]) for page in pages)
    lines = [
        f"{cpus}, PostgreSQL {figures['postgresql']}, load before {machine['load']}",
        f"{amounts}; {options['requests']} requests for each page, one after the other",
        f"scripts: {scripts / KB:.1f} kB compressed (limit {MAX_SCRIPT_BYTES / KB:.0f} kB)",
        "",
        f"{'page':<{width}} {'median ms':>10} {'p99 ms':>8} {'statements':>11} {'kB':>7}",
    ]
    for page in pages:
        status = "" if page["status"] == 200 else f"answered {page['status']}"
        remarks = "; ".join([*([status] if status else []), *page["exceeded"]])
        lines.append(
            f"{page['path']:<{width}} {page['median_ms']:>10.1f} {page['p99_ms']:>8.1f} {page['statements']:>11} "
            f"{page['bytes'] / KB:>7.1f}  {remarks}".rstrip()
        )
    lines += [f"not measured, no example: {route}" for route in figures["not_measured"]]
    return "\n".join([*lines, "", f"{figures['exceeded']} of {len(pages)} pages exceed a limit"])
