"""R as a peer: a script over CSV files, timed inside R; absent where R is absent."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np

__all__ = ["run_r"]


def run_r(
    package: str, script: str, **inputs: np.ndarray
) -> tuple[float, Mapping[str, np.ndarray]] | None:
    """Run an R script and return its seconds and its results; None without the package.

    Parameters
    ----------
    package : str
        What the script needs.
    script : str
        It finds each input as a matrix of that name, puts what is to be timed into a
        function ``work``, whose value is a named list of numbers.
    **inputs : ndarray
    """
    if shutil.which("Rscript") is None:
        return None
    asked = f"quit(status = !requireNamespace('{package}', quietly = TRUE))"
    if subprocess.run(["Rscript", "-e", asked], check=False).returncode:
        return None
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        lines = [f"suppressMessages(library({package}))"]
        for name, values in inputs.items():
            np.savetxt(folder / f"{name}.csv", np.atleast_2d(values), delimiter=",")
            lines.append(
                f"{name} <- as.matrix(read.csv('{name}.csv', header = FALSE)); "
                f"dimnames({name}) <- NULL"
            )
        lines += [
            script,
            "taken <- system.time(found <- work())[['elapsed']]",
            "write(taken, 'seconds.txt')",
            "for (name in names(found)) write.table(format(found[[name]], digits = 17),"
            " paste0('out_', name, '.csv'), row.names = FALSE, col.names = FALSE,"
            " quote = FALSE, sep = ',')",
        ]
        (folder / "script.R").write_text("\n".join(lines), encoding="utf-8")
        subprocess.run(
            ["Rscript", "script.R"], cwd=folder, check=True, capture_output=True
        )
        seconds = float((folder / "seconds.txt").read_text(encoding="utf-8"))
        found = {
            path.stem.removeprefix("out_"): np.loadtxt(path, delimiter=",", ndmin=2)
            for path in folder.glob("out_*.csv")
        }
    return seconds, found
