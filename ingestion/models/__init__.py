from .agreement import Agreement
from .batch import Batch, FeedIssue, Landing, Quarantine, Touch
from .manual import ErrorReceipt, HeaderAlias, ImportFile, ManualImport
from .telemetry import TelemetryContact, TelemetryDevice, TelemetryFrames, TelemetryLimit, TelemetrySource

__all__ = [
    "Agreement",
    "Batch",
    "ErrorReceipt",
    "FeedIssue",
    "HeaderAlias",
    "ImportFile",
    "Landing",
    "ManualImport",
    "Quarantine",
    "TelemetryContact",
    "TelemetryDevice",
    "TelemetryFrames",
    "TelemetryLimit",
    "TelemetrySource",
    "Touch",
]
