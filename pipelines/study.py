"""What every published system needs: its options, its cohort, its report."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from sarcfeat import FeatureStore, make_y, plots
from sarcfeat.datasets import Cohort, load_folder
from sarcfeat.exceptions import InvalidInput
from sarcfeat.metrics import calibration_groups
from sarcfeat.report import (
    Figure,
    Section,
    Table,
    build_results,
    versions,
    write_html,
    write_json,
)
from sarcfeat.splits import EventStratifiedKFold

__all__ = ["COHORTS", "Options", "Study", "choose_cohort", "fill", "parse", "split"]

COHORTS = ("training", "internal validation", "external validation")


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


def parse(name: str, arguments: Sequence[str]) -> Options:
    """Read a system's options."""
    parser = argparse.ArgumentParser(prog=f"python -m pipelines {name}")
    add = parser.add_argument
    add("--cohort", default="simulated", help="simulated, or a folder")
    add("--quick", action="store_true", help="small sizes; within three minutes")
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
    store.add_patients(
        cohort.patients,
        index_time=cohort.index_time,
        roles=cohort.roles,
        units=cohort.units,
    )
    for endpoint, table in cohort.outcomes.items():
        store.add_outcome(endpoint, time="time", event="event", data=table)
    if needs == "slides":
        store.add_slides(cohort.slides)
        store.add_annotations(cohort.annotations)
    else:
        store.add_images(cohort.images)
        store.add_masks(cohort.masks)
    store.add_cohort(cohort.name, patients=list(cohort.patients.index))


def split(patients: pd.DataFrame, event: pd.Series[Any], seed: int) -> pd.Series[Any]:
    """Return each patient's cohort: as given, or 70 % of the largest hospital to train.

    The rest of that hospital validates internally, the others externally.
    """
    if "cohort" in patients and set(patients["cohort"]) <= set(COHORTS):
        return pd.Series(pd.Categorical(patients["cohort"], COHORTS), patients.index)
    site = patients["site"]
    found = pd.Series(COHORTS[2], index=patients.index)
    mine = site.index[site == site.value_counts().index[0]]
    y = make_y(event.loc[mine] == 1, np.ones(len(mine)))
    folds = EventStratifiedKFold(10, random_state=seed).split(mine, y)
    found[mine] = COHORTS[0]
    for _, test in list(folds)[:3]:
        found[mine[test]] = COHORTS[1]
    return pd.Series(pd.Categorical(found, COHORTS), patients.index)


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
    started: float = field(default_factory=time.perf_counter)

    def table(
        self, section: str, caption: str, found: Any, *, notes: Sequence[str] = ()
    ) -> None:
        """Print a table and put it into a section."""
        printed = found.formatted() if hasattr(found, "formatted") else found
        said = [*notes, *getattr(found, "notes", [])]
        self.say(f"\n{section}: {caption}\n{printed.to_string(index=False)}")
        for note in said:
            self.say(f"* {note}")
        old = self._section(section)
        self.sections[section] = Section(
            section,
            [*old.text, *said],
            [*old.tables, Table(printed, caption)],
            old.figures,
        )

    def figure(self, section: str, name: str, axes: Any, caption: str) -> None:
        """Save a picture and put it into a section."""
        folder = self.options.out / "figures"
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{name}.png"
        figure = axes.figure
        figure.savefig(path, dpi=130)
        plots.close(figure)
        old = self._section(section)
        picture = Figure(path, caption, caption)
        self.sections[section] = Section(
            section, old.text, old.tables, [*old.figures, picture]
        )

    def calibrations(
        self, section: str, found: Any, y: Any, where: pd.Series[Any], at: float
    ) -> None:
        """Draw each model in each cohort: predicted and observed survival at a time."""
        for (model, cohort), result in found.calibrations.items():
            mine = (where == cohort).to_numpy()
            predicted = found.survival.loc[mine, model]
            groups = calibration_groups(
                y["event"][mine], y["time"][mine], predicted, at, groups=4
            )
            ax = plots.calibration(predicted, result, groups=groups)
            ax.set_title(f"{model}, {cohort}")
            name = f"calibration_{model}_{cohort}".replace(" ", "_")
            caption = f"{model}, {cohort}: predicted and observed survival"
            self.figure(section, name, ax, caption)

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
