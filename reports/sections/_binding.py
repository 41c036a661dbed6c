"""What sets the time of the layers: compute, a memory port, the network or DRAM."""

from __future__ import annotations

from collections.abc import Iterable

from markupsafe import Markup

from reports.number_text import quantity, share, short_name
from reports.page import html
from reports.run import Breakdown

Binding = tuple[tuple[str, dict[str, float]], ...]
"""Time of every stage [s], by the resource that limits its layers."""


def binding_of(breakdown: Breakdown, design: str, stages: Iterable[str]) -> Binding:
    """The time of every stage of a design by what binds its layers; empty in older runs."""
    times: dict[str, dict[str, float]] = {}
    for (name, each, stage, component), value in breakdown.items():
        if name == "time_s" and each == design:
            times.setdefault(stage, {})[component] = value
    return tuple((stage, times[stage]) for stage in stages if stage in times)


def what_binds(binding: Binding, name: str) -> tuple[Markup, ...]:
    """What sets the time of the layers of the design called `name`, by stage; nothing where the run does not say."""
    if not binding:
        return ()
    total: dict[str, float] = {}
    for _, times in binding:
        for resource, seconds in times.items():
            total[resource] = total.get(resource, 0.0) + seconds
    order = sorted(total, key=lambda resource: -total[resource])
    most = share(total[order[0]] / (sum(total.values()) or 1.0), 0)
    lead = (
        "The time of a layer is that of the slowest of compute, memory ports, network and DRAM. "
        f"In {name} it is {order[0]} for {most} of the layers' time: change that first."
    )
    body = [
        (short_name(stage), *(quantity(times[each], "s") if each in times else "" for each in order))
        for stage, times in binding
    ]
    head = ("Stage", *order)
    return html.heading("What binds"), html.text(lead), html.table(head, body, numeric=range(1, len(head)))
