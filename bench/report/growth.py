"""What things take of memory, and how costs grow with size and number."""

from report import tables
from report.measured import (Cell, Row, conclude, measure, rows_of, same_names,
                             show, show_dropped, target)

PROGRAMS = ["footprint", "growth"]
TARGETS = ["//bench/growth:" + name for name in PROGRAMS]

IDLE_LIMIT_BYTES = 16 * 1024
KINDS = ("data", "meta", "heap", "stack", "files")

THINGS = same_names("region_meta_bytes", "region_data_bytes",
                    "group_meta_bytes", "member_meta_bytes", "member_files",
                    "message_data_bytes", "message_meta_bytes")
IDLE = same_names("idle_own_bytes", "idle_proportional_bytes",
                  "idle_resident_bytes", "idle_page_table_bytes")
IDLE_OWN = same_names(*(f"idle_own_{kind}_bytes" for kind in KINDS))
IDLE_RESIDENT = same_names(*(f"idle_resident_{kind}_bytes" for kind in KINDS))
COSTS = same_names("attach_p50_us", "join_p50_us", "leave_p50_us",
                   "alloc_free_p50_ns", "alloc_free_1mib_p50_ns",
                   "send_p50_ns", "receive_p50_ns")


def footprints(quick):
    for members in (4,) if quick else (16, 64):
        yield Cell("growth/footprint", (f"--members={members}",),
                   tuple(Row(question, "zcb", {"members": members}, figures)
                         for question, figures in
                         (("footprint", THINGS), ("idle_member", IDLE),
                          ("idle_member_own", IDLE_OWN),
                          ("idle_member_resident", IDLE_RESIDENT))))


def growths(quick):
    samples = f"--samples={10 if quick else 100}"
    for region_mib in (64,) if quick else (64, 1024, 16 * 1024, 64 * 1024):
        yield Cell("growth/growth", (f"--region-mib={region_mib}", samples),
                   (Row("growth", "zcb",
                        {"region_mib": region_mib, "members": 1}, COSTS),))
    for members in (16,) if quick else (16, 64, 256):
        yield Cell("growth/growth", (f"--members={members}", samples),
                   (Row("growth", "zcb",
                        {"region_mib": 1024, "members": members}, COSTS),))


def targets(cells):
    return [target(f"an idle member among {row.parameters['members']}, pages "
                   "of its own",
                   f"< {tables.size_text(IDLE_LIMIT_BYTES)}",
                   row.values("idle_own_bytes"),
                   lambda values: f"{tables.median(values) / 1024:.0f} KiB",
                   lambda middle: middle < IDLE_LIMIT_BYTES)
            for row in rows_of(cells) if row.question == "idle_member"]


def run(programs, options):
    cells = [*footprints(options.quick), *growths(options.quick)]
    measure(programs, cells, options.rounds or (1 if options.quick else 5),
            options.cpus)
    show_dropped(cells)
    show(cells, "footprint", "bytes of the region's files: a fresh one, and "
         "for each group, member\n  and unread message of 64 B more")
    show(cells, "idle_member", "resident because of initialize and join, in an "
         "idle process")
    show(cells, "idle_member_own", "of its own pages")
    show(cells, "idle_member_resident", "of all its pages")
    show(cells, "growth", "cost of a call against the size of the region and "
         "the number of members")
    return conclude(cells, targets(cells))
