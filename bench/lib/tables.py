# SPDX-License-Identifier: MIT
"""tables.py - what reports and figures ask of the rows. Of several runs they show the median."""
import statistics


def middle(rows, link, peer, measure, field):
    """The median over the runs, or None."""
    values = [row[field] for row in rows
              if (row["link"], row["peer"], row["measure"]) == (link, peer, measure)
              and row.get(field) is not None]
    return statistics.median(values) if values else None


def names(rows, field):
    return list(dict.fromkeys(row[field] for row in rows))


def table(head, lines):
    out = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    out += ["| " + " | ".join(line) + " |" for line in lines]
    return "\n".join(out) + "\n"
