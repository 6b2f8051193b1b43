"""The verbs that bring something into a store."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from os import PathLike
from typing import Self, cast

from sarcfeat._validation import pick
from sarcfeat.store import cohorts, encoding, outcomes, patients, slide_encoding
from sarcfeat.store.any_files import Ways, add_any
from sarcfeat.store.encoding import EncodeReport
from sarcfeat.store.files import Report
from sarcfeat.store.handle import Handle, Table
from sarcfeat.store.sources import Source
from sarcfeat.store.units import Encoder, SlideEncoder

__all__ = ["Inward"]

HOUR = 3600.0


class Inward(Handle):
    """Add patients, outcomes, images, masks and cohorts; encode them."""

    def add_patients(
        self,
        data: Table,
        *,
        index_time: str | None = None,
        roles: Mapping[str, str] | None = None,
        units: Mapping[str, str] | None = None,
        known_at: Mapping[str, str] | None = None,
        site: str = "site",
    ) -> Self:
        """Add patients and what is known of them, one row a patient.

        Adding the same table again changes nothing; a changed value is appended and
        the latest counts.

        Parameters
        ----------
        data : DataFrame or path of a CSV
            Indexed by patient id, kept as text (007 stays 007); in a CSV the column
            ``patient`` (or the first one) is the id.
        index_time : str, optional
            Column with the date at which a prediction is made. A value without a date
            of its own counts as known by then.
        roles : dict of column to role, optional
            ``predictor`` (default), ``treatment``, ``postoperative``, ``description``,
            ``identifier``, ``date`` or ``outcome``.
        units : dict of column to unit, optional
            Such as ``{"size": "mm"}``.
        known_at : dict of column to date column, optional
            When a value became known, such as ``{"margin": "report_date"}``.
        site : str
            Column with the hospital or scanner, as text.

        Raises
        ------
        InvalidInput
            A patient id that is missing or there twice (the rows are named), two
            columns of one name, a cell that is not a date.
        UnknownName
            A role, or a column that is not in the table.
        """
        patients.add_patients(
            self._writing,
            data,
            index_time=index_time,
            roles=roles,
            units=units,
            known_at=known_at,
            site=site,
        )
        return self

    def add_outcome(
        self,
        name: str,
        *,
        time: str,
        event: str,
        competing: str | None = None,
        data: Table | None = None,
        origin: str | None = None,
    ) -> Self:
        """Add an endpoint, such as metastasis-free survival.

        Parameters
        ----------
        name : str
            Short name, such as ``"mfs"``.
        time : str
            Column with the time to the event or to the end of follow-up, in days.
        event : str
            Column with 1 where the event was observed, 0 where not (2 for a competing
            event, when `competing` is not given).
        competing : str, optional
            Column with 1 where a competing event, such as death, came first.
        data : DataFrame or path of a CSV, optional
            Table with these columns; by default the patients' table given earlier.
        origin : str, optional
            What the time counts from, such as ``"surgery"``.
        """
        outcomes.add_outcome(
            self._writing,
            name,
            time=time,
            event=event,
            competing=competing,
            data=data,
            origin=origin,
        )
        return self

    def add_images(
        self,
        source: Table,
        *,
        pattern: str | None = None,
        kind: str | None = None,
        salt: str | PathLike[str] | None = None,
        progress: bool = True,
        rehash: bool = False,
    ) -> Report:
        """Add the images of a folder or a manifest; a bad file stops no other.

        Files that have not changed since (size and time) are not read again. Each is
        read in a worker process, which may hang or die. A folder of DICOM slices that
        fits the pattern, or that a manifest names, is one image: it becomes a
        de-identified volume inside the store (see :meth:`add_dicom`), under the
        patient's id that pattern or manifest give.

        Parameters
        ----------
        source : folder, DataFrame or path of a CSV
            A manifest has the columns patient, sequence, path and, if known, kind and
            acquired_at.
        pattern : str, optional
            How the files of a folder are named, such as
            ``"{patient}/{sequence}_image.nii.gz"``, ``"{patient}_{phase}.nrrd"``, or
            ``"{patient}/{sequence}"`` for folders of DICOM slices.
        kind : str, optional
            CT, MR or PET; a column of the manifest wins. By default what the sequence
            is called: ``PET…``, ``CT…`` and the phases of contrast (arterial, venous,
            delayed), else MR.
        salt : str or path, optional
            For DICOM: file with the study's secret, outside the store; by default the
            one that ``SARCFEAT_SALT`` names.
        progress : bool
            Show a bar on a terminal.
        rehash : bool
            Compare the bytes of every file, also of those whose size and time are as
            before: for a disk that does not keep times, or files written in place.

        Returns
        -------
        Report
        """
        told = Source("image", kind=kind)
        ways = Ways(self.path, salt)
        return add_any(
            self._writing, source, told, pattern, ways, progress=progress, rehash=rehash
        )

    def add_masks(
        self,
        source: Table,
        *,
        reader: str = "A",
        session: int = 1,
        pattern: str | None = None,
        label: int = 1,
        roi: str | None = None,
        gaps: str = "refuse",
        resample: bool = False,
        propagate_to: Sequence[str] = (),
        salt: str | PathLike[str] | None = None,
        progress: bool = True,
        rehash: bool = False,
    ) -> Report:
        """Add a reader's masks; each must lie on its image's voxel grid.

        DICOM RTSTRUCT and SEG files are marked on the voxels of their image, and the
        mask is written inside the store.

        Parameters
        ----------
        source : folder, DataFrame or path of a CSV
            A manifest has the columns patient, sequence, path and, if known, reader,
            session, label and lesion.
        reader, session : str, int
            Who drew, and the how-many-eth time; columns of the manifest win.
        pattern : str, optional
            How the files of a folder are named; ``{reader}`` and ``{session}`` may be
            part of it.
        label : int
            Voxel value of the lesion.
        roi : str, optional
            Regular expression of the region's name, in RTSTRUCT and SEG files that have
            several; ``sarcfeat.io.region_names`` lists them.
        gaps : {"refuse", "fill", "keep"}
            What to do with a slice without a contour between others, in RTSTRUCT.
        resample : bool
            Bring masks that lie on another grid onto their image's, by nearest
            neighbour, with a note, instead of refusing them.
        propagate_to : sequence of str
            Other sequences of the same patient that the mask is brought to by geometry
            (contours are marked on their voxels, voxels take the nearest neighbour),
            with a note each. A mask that was drawn there stays. The images must have
            been taken in one session, with the patient lying still.
        salt : str or path, optional
            File with the study's secret, where images came from DICOM: a mask of
            another frame of reference is refused by it.
        progress : bool
            Show a bar on a terminal.
        rehash : bool
            Compare the bytes of every file, whatever its size and time.

        Returns
        -------
        Report
        """
        told = Source("mask", reader=reader, session=session, label=label)
        if isinstance(propagate_to, str):
            propagate_to = [propagate_to]
        to = tuple(propagate_to)
        ways = Ways(self.path, salt, roi, gaps, resample, to)
        return add_any(
            self._writing, source, told, pattern, ways, progress=progress, rehash=rehash
        )

    def add_cohort(
        self,
        name: str,
        *,
        query: str | None = None,
        patients: Iterable[str] | None = None,
        required: Sequence[str] = (),
    ) -> Self:
        """Freeze a list of patients under a name; another list is a new version.

        Parameters
        ----------
        name : str
            Such as ``"training"``.
        query : str, optional
            SQL condition over the patients' columns: ``"site = 'Bordeaux'"``.
        patients : iterable of str, optional
            Ids; by default all patients that fit the query.
        required : sequence of str
            Sequences that each patient should have; who lacks one is a failure.
        """
        cohorts.add_cohort(
            self._writing, name, query=query, patients=patients, required=required
        )
        return self

    def encode(
        self,
        encoder: Encoder | SlideEncoder,
        *,
        cohort: str | None = None,
        sequences: Sequence[str] | None = None,
        n_jobs: int = 1,
        retry: str | None = None,
        required: Sequence[str] = (),
        progress: bool = True,
        timeout: float | str | None = "auto",
    ) -> EncodeReport:
        """Compute the features that are missing or whose files have changed.

        Parameters
        ----------
        encoder : Encoder
            Such as ``Radiomics("mri.yaml", name="radiomics")`` of images, or
            ``SlideTiles("resnet50.safetensors")`` of slides: then each slide gives a
            bag of tiles, and a slide whose outlines change is encoded again.
        cohort : str, optional
            Only its patients.
        sequences : sequence of str, optional
            Only these.
        n_jobs : int
            Worker processes; several have one thread each (and, of slides, a network
            each). Even a single one is a process of its own: a crash in a library
            costs its unit, not the run.
        retry : {None, "failed", "all"}
            By default a known failure is listed and not tried again until its file
            changes; ``"failed"`` tries it; ``"all"`` computes everything again and
            reports units that give other numbers.
        required : sequence of str
            Sequences that each patient should have, beside the cohort's own.
        progress : bool
            Show a bar on a terminal.
        timeout : float, optional
            Seconds for one unit, after which it is a failure; None waits for ever. By
            default an hour, and for a slide a day.

        Returns
        -------
        EncodeReport
        """
        chosen = cohorts.members(self._writing, cohort)
        slides = getattr(encoder, "kind", None) == "slide"
        if isinstance(timeout, str):
            pick(timeout, ("auto",), "timeout in words")
            timeout = 24 * HOUR if slides else HOUR
        if slides:
            return slide_encoding.encode_slides(
                self._writing,
                cast(SlideEncoder, encoder),
                store=self.path,
                members=chosen,
                n_jobs=n_jobs,
                retry=retry,
                progress=progress,
                timeout=timeout,
            )
        return encoding.encode(
            self._writing,
            cast(Encoder, encoder),
            inbox=self.path / "inbox",
            members=chosen,
            sequences=sequences,
            n_jobs=n_jobs,
            retry=retry,
            required=[*chosen.required, *required],
            progress=progress,
            timeout=timeout,
        )
