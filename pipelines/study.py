"""What every published system needs: its options, its store, its report."""

from __future__ import annotations

import argparse
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd

from sarcfeat import FeatureStore, plots
from sarcfeat.datasets import Cohort, load_folder
from sarcfeat.exceptions import InvalidInput
from sarcfeat.metrics import calibration_groups
from sarcfeat.plots.canvas import new_axes
from sarcfeat.report import (
    Figure,
    Section,
    Table,
    build_results,
    versions,
    write_html,
    write_json,
)
from sarcfeat.store import add_tables

__all__ = ["Options", "Study", "choose_cohort", "fill", "parse"]

STAINS = ("macenko", "reinhard")
PAINTERS = 2  # processes that draw
DOTS = 100  # an inch of a figure: enough for the width of the page


@dataclass(frozen=True)
class Options:
    """What was asked for on the command line.

    Attributes
    ----------
    name : str
        The system.
    cohort : str
        ``simulated``, or a folder of the layout in the README.
    quick : bool
        Smaller sizes, the same path through the code.
    trials : int
        Trials of a search for hyper-parameters among the training patients; 0: none.
    seed : int
    out, store : Path
        Where the report goes, and where the feature store is.
    weights : str or None
        A file of the net's weights.
    in_sample : bool
        Score the training patients by the models that have seen them, as published.
    stain : str or None
        Stain normalisation of slides, fitted on training slides.
    """

    name: str
    cohort: str = "simulated"
    quick: bool = False
    trials: int = 0
    seed: int = 0
    out: Path = Path("reports")
    store: Path = Path("store/systems")
    weights: str | None = None
    in_sample: bool = False
    stain: str | None = None


def parse(name: str, arguments: Sequence[str]) -> Options:
    """Read a system's options."""
    parser = argparse.ArgumentParser(prog=f"python -m pipelines {name}")
    add = parser.add_argument
    add("--cohort", default="simulated", help="simulated, or a folder")
    add("--quick", action="store_true", help="small sizes; within two minutes")
    add("--trials", type=int, default=0, help="search hyper-parameters so often")
    add("--seed", type=int, default=0)
    add("--out", type=Path, help="folder of the report; reports/NAME by default")
    add("--store", type=Path, default=Path("store/systems"), help="folder of stores")
    add("--weights", help="file of the net's weights; SARCFEAT_WEIGHTS by default")
    add(
        "--in-sample",
        action="store_true",
        help="score training patients by models that have seen them, as published",
    )
    add(
        "--stain", choices=STAINS, help="normalise stains, as training slides have them"
    )
    found = vars(parser.parse_args(list(arguments)))
    found["out"] = found["out"] or Path("reports") / name
    return Options(name=name, **found)


def choose_cohort(options: Options, simulate: Callable[[Path], Cohort]) -> Cohort:
    """Load the folder that was named, or simulate patients under the store."""
    if options.cohort == "simulated":
        return simulate(options.store / "cohorts")
    if Path(options.cohort).is_dir():
        return load_folder(options.cohort)
    raise InvalidInput(
        f"No cohort {options.cohort!r} for {options.name}: expected 'simulated' or a "
        "folder of the layout in the README."
    )


def fill(store: FeatureStore, cohort: Cohort, *, needs: str) -> None:
    """Bring a cohort into its store; what is there is skipped.

    A cohort without what the system needs (``"slides"``, ``"images"``) is refused.
    """
    if not len(getattr(cohort, needs)):
        raise InvalidInput(
            f"Cohort {cohort.name!r} has no {needs}, which this system needs; see the "
            "layout of a cohort folder in the README."
        )
    add_tables(store, cohort)
    if needs == "slides":
        store.add_slides(cohort.slides)
        store.add_annotations(cohort.annotations)
    else:
        store.add_images(cohort.images)
        store.add_masks(cohort.masks)
    store.add_cohort(cohort.name, patients=list(cohort.patients.index))


def _aligned(table: pd.DataFrame) -> str:
    """Write a table with its text to the left, as it is read.

    Examples
    --------
    >>> print(_aligned(pd.DataFrame({"who": ["P1", "P10"], "n": [3, 12]})))
    who   n
    P1    3
    P10  12
    """
    numbers = set(table.select_dtypes("number"))
    columns = []
    for name in table:
        cells = ["" if pd.isna(v) else str(v) for v in table[name]]
        width = max(map(len, [str(name), *cells]))
        side = ">" if name in numbers else "<"
        columns.append([f"{cell:{side}{width}}" for cell in (str(name), *cells)])
    rows = zip(*columns, strict=True)
    return "\n".join("  ".join(row).rstrip() for row in rows)


def _drawn(path: Path, draw: Callable[..., Any], args: tuple[Any, ...]) -> None:
    """Draw one picture and save it."""
    figure = np.ravel(draw(*args))[0].figure
    figure.savefig(path, dpi=DOTS)
    plots.close(figure)


def _calibrated(panels: Mapping[str, Any]) -> Any:
    """Draw one model, a cohort a panel."""
    axes = new_axes((5.2 * len(panels), 5.2), ncols=len(panels), squeeze=False)[0]
    for ax, (title, told) in zip(axes, panels.items(), strict=True):
        if told is None:
            ax.text(0.5, 0.5, "no calibration", ha="center")
            ax.set_axis_off()
        else:
            predicted, result, groups = told
            plots.calibration(predicted, result, groups=groups, ax=ax)
        ax.set_title(title)
    return axes


@dataclass
class Study:
    """A report that grows: sections, figures and what must be read first.

    Examples
    --------
    ``Study(options).table("Table 1", "Patients", table)`` prints a table and keeps it
    for ``report.html``.
    """

    options: Options
    say: Callable[[str], Any] = print
    sections: dict[str, Section] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    summary: list[str] = field(default_factory=list)
    pictures: list[tuple[Path, Any, tuple[Any, ...]]] = field(default_factory=list)
    started: float = field(default_factory=time.perf_counter)

    def table(
        self, section: str, caption: str, found: Any, *, notes: Sequence[str] = ()
    ) -> None:
        """Print a table and put it into a section."""
        printed = found.formatted() if hasattr(found, "formatted") else found
        said = [*notes, *getattr(found, "notes", [])]
        self.say(f"\n{section}: {caption}\n{_aligned(printed)}")
        for note in said:
            self.say(f"* {note}")
        old = self._section(section)
        tables = [*old.tables, Table(printed, caption, notes=said)]
        self.sections[section] = Section(section, old.text, tables, old.figures)

    def warn(self, told: str) -> None:
        """Print what must be read first, and put it on top of the report."""
        if told not in self.warnings:
            self.warnings.append(told)
            self.say(f"! {told}")

    def figure(
        self,
        section: str,
        name: str,
        caption: str,
        draw: Callable[..., Any],
        *args: Any,
    ) -> None:
        """Put a picture into a section; :meth:`write` draws it: ``draw(*args)``.

        `draw` is a function of a module that returns axes: another process calls it.
        """
        # A cohort may be called as no file can be.
        path = self.options.out / "figures" / (re.sub(r"[^\w-]+", "_", name) + ".png")
        self.pictures.append((path, draw, args))
        old = self._section(section)
        picture = Figure(path, caption, caption)
        self.sections[section] = Section(
            section, old.text, old.tables, [*old.figures, picture]
        )

    def calibrations(
        self, section: str, found: Any, y: Any, where: pd.Series[Any], at: float
    ) -> None:
        """Draw each model, a cohort a panel: predicted and observed survival."""
        for model in found.fitted:
            panels = {}
            for cohort in dict.fromkeys(found.table["cohort"]):
                mine = (where == cohort).to_numpy()
                result = found.calibrations.get((model, cohort))
                panels[f"{model}, {cohort}"] = None
                if result is not None:
                    predicted = found.survival.loc[mine, model].to_numpy()
                    told = y["event"][mine], y["time"][mine], predicted
                    groups = calibration_groups(*told, at, groups=4)
                    panels[f"{model}, {cohort}"] = (predicted, result, groups)
            caption = f"{model}: predicted and observed survival at {at:g} days"
            self.figure(section, f"calibration_{model}", caption, _calibrated, panels)

    def _section(self, title: str) -> Section:
        return self.sections.get(title, Section(title))

    def write(
        self,
        title: str,
        *,
        cohort: Mapping[str, Any],
        endpoint: str,
        models: pd.DataFrame,
        differences: pd.DataFrame,
        units: Mapping[str, int],
        matrix_id: str,
        **more: Any,
    ) -> dict[str, Any]:
        """Write ``report.html`` and ``results.json``; return the latter."""
        seconds = time.perf_counter() - self.started
        results = build_results(
            name=self.options.name,
            cohort=cohort,
            endpoint=endpoint,
            models=models,
            differences=differences,
            units=units,
            matrix_id=matrix_id,
            seed=self.options.seed,
            seconds=seconds,
            **more,
        )
        write_json(results, self.options.out / "results.json")
        (self.options.out / "figures").mkdir(exist_ok=True)
        joblib.Parallel(n_jobs=PAINTERS)(
            joblib.delayed(_drawn)(*picture) for picture in self.pictures
        )
        told = ", ".join(f"{name} {number}" for name, number in versions().items())
        write_html(
            self.options.out / "report.html",
            title=title,
            summary=self.summary,
            sections=list(self.sections.values()),
            warnings=self.warnings,
            footer=f"Seed {self.options.seed}; matrix {matrix_id}; {told}.",
        )
        self.say(f"\n{seconds:.0f} s; {self.options.out / 'report.html'}")
        return results
