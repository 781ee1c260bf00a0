"""`boldly report`."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from boldly.cli.locations import require_training
from boldly.cli.status import newest_run


def report(
    runs: Annotated[
        list[Path] | None, Parameter(help="directories of runs; the newest in runs/ if none is given")
    ] = None,
    *,
    output: Annotated[
        Path | None, Parameter(alias="-o", help="the page; report.html in the run, or comparison.html here for several")
    ] = None,
    target: Annotated[
        float | None, Parameter(help="reward to count labels to; 80% of the best gain if not given")
    ] = None,
) -> int:
    from boldly.report import write_report

    chosen = runs or [newest_run(Path("runs"))]
    for run in chosen:
        require_training(run, "report")
    page = output or (chosen[0] / "report.html" if len(chosen) == 1 else Path("comparison.html"))
    write_report(chosen, page, target=target)
    print(page)
    return 0
