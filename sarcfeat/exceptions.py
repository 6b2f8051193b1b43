"""Every error and warning that sarcfeat raises by name.

One flat family: catch :class:`SarcfeatError` to catch them all. Errors about bad
values are also ``ValueError`` (unknown names also ``KeyError``), so code written
for scikit-learn keeps working. A message names the patient, file or column, shows
the value, states what was expected and offers the next step.
"""

__all__ = [
    "AmbiguousImage",
    "BurnedInAnnotation",
    "CohortError",
    "ConfoundedBatch",
    "DiskFull",
    "EmptyROI",
    "FewEvents",
    "GeometryMismatch",
    "IdentifiableFace",
    "InputCorrupt",
    "InputEmpty",
    "InputMissing",
    "InputRepaired",
    "InputTooLarge",
    "InvalidInput",
    "LabelMissing",
    "LeakageError",
    "MissingDependency",
    "NoComparablePairs",
    "NoEvents",
    "NoResolution",
    "NoTissue",
    "NonDeterministicExtraction",
    "NonFiniteTiles",
    "NonFiniteVoxels",
    "NotConverged",
    "NothingSelected",
    "OneBatch",
    "OtherVersion",
    "OutsideRange",
    "PastFollowUp",
    "ROITooSmall",
    "SarcfeatError",
    "SarcfeatWarning",
    "SharedFolder",
    "StoreBusy",
    "StoreDamaged",
    "StoreError",
    "StoreRepaired",
    "UnitMismatch",
    "UnknownName",
    "UnseenBatch",
    "UntrustedFile",
    "WorkerDied",
    "WorkerTimedOut",
]


class SarcfeatError(Exception):
    """Base of every error of this package."""


class InvalidInput(SarcfeatError, ValueError):
    """A value, table or parameter is not what the function can work with."""


class UnknownName(SarcfeatError, KeyError):
    """A name (cohort, feature, endpoint, column) is not known here."""

    def __str__(self) -> str:
        """Return the sentence itself; ``KeyError`` would quote it."""
        return str(self.args[0]) if self.args else ""


class MissingDependency(SarcfeatError, ImportError):
    """An optional library is not installed; the message says which extra has it."""


class AmbiguousImage(InvalidInput):
    """Two different images claim one place: which one speaks is not guessed."""


class BurnedInAnnotation(InvalidInput):
    """An image may show who the patient is as text within its pixels."""


class CohortError(InvalidInput):
    """A cohort folder or table does not follow the documented layout."""


class InputMissing(InvalidInput):
    """A file that a patient should have does not exist."""


class InputEmpty(InvalidInput):
    """A file exists and has no bytes."""


class InputCorrupt(InvalidInput):
    """A file exists and cannot be read as what its name says."""


class InputTooLarge(InvalidInput):
    """A file says it holds more voxels than it can, or than memory has room for."""


class GeometryMismatch(InvalidInput):
    """A mask does not lie on the voxel grid of its image."""


class EmptyROI(InvalidInput):
    """A mask holds no voxel of the label asked for."""


class LabelMissing(InvalidInput):
    """A mask holds other labels than the one asked for."""


class ROITooSmall(InvalidInput):
    """A region of interest has too few voxels for the features asked for."""


class NonFiniteTiles(InvalidInput):
    """The features of some tiles of a slide are NaN or infinite."""


class NonFiniteVoxels(InvalidInput):
    """An image holds NaN or infinite voxels inside the region of interest."""


class NoEvents(InvalidInput):
    """A survival model or metric was given no event to learn from."""


class NoResolution(InvalidInput):
    """A slide does not say how large its pixels are, or what it says cannot be."""


class UnseenBatch(InvalidInput):
    """A batch (site, scanner) at transform was not there at fit."""


class UntrustedFile(InvalidInput):
    """A file of a kind that can run code or that parsers trust blindly."""


class LeakageError(SarcfeatError, ValueError):
    """A column would tell a model something not known at the time of prediction."""


class StoreError(SarcfeatError):
    """The feature store cannot do what was asked."""


class StoreBusy(StoreError):
    """Another process has the store open for writing."""


class DiskFull(StoreError):
    """There is no space left to write; the message says how much is needed."""


class StoreDamaged(StoreError):
    """The catalogue of a store, or its log, cannot be read."""


class NonDeterministicExtraction(StoreError):
    """The same unit of work gave other numbers than before."""


class WorkerDied(SarcfeatError):
    """A worker process ended on a file: no memory left, or a crash in a library."""


class WorkerTimedOut(SarcfeatError):
    """A worker process gave no answer in the time allowed, and was ended."""


class SarcfeatWarning(UserWarning):
    """Base of every warning of this package."""


class NoTissue(SarcfeatWarning):
    """No tile of a slide has enough tissue to be encoded; its bag has no rows."""


class MostlyBlurred(SarcfeatWarning):
    """Most of a slide's tiles are left out as out of focus; the message says why."""


class FewEvents(SarcfeatWarning):
    """There are too few events for what was asked; the message says what is done."""


class NothingSelected(SarcfeatWarning):
    """A filter or a penalised model kept no column; predictions are constant."""


class NoComparablePairs(SarcfeatWarning):
    """No pair of patients can be compared; the c-index is NaN."""


class ConfoundedBatch(SarcfeatWarning):
    """Batch and outcome go together: harmonisation takes the outcome away as well."""


class OneBatch(SarcfeatWarning):
    """Harmonisation was asked for and there is one batch only."""


class OtherVersion(SarcfeatWarning):
    """A model was written by other versions of the libraries than those here."""


class UnitMismatch(SarcfeatWarning):
    """A feature lies a power of ten off between hospitals, as if in other units."""


class OutsideRange(SarcfeatWarning):
    """A value lies off the axis of a nomogram: the model saw no such patient."""


class IdentifiableFace(SarcfeatWarning):
    """An image of the head: a face can be rebuilt from its voxels."""


class InputRepaired(SarcfeatWarning):
    """A file was not quite as it should be and was read; the message says how."""


class SharedFolder(SarcfeatWarning):
    """A store lies on a network disk or in a synchronised folder."""


class PastFollowUp(SarcfeatWarning):
    """A time lies beyond the follow-up; the message says where it ends."""


class StoreRepaired(SarcfeatWarning):
    """A store was damaged and opens again; the message names what was lost."""


class NotConverged(SarcfeatWarning):
    """A fit stopped before converging; its numbers are not to be trusted."""
