from .agreement import Agreement, AgreementClearing, AgreementEvent, ClearingHold
from .batch import Batch, FeedIssue, Landing, Quarantine, Touch
from .health import BatchMeasure
from .manual import ErrorReceipt, HeaderAlias, ImportFile, ManualImport
from .telemetry import TelemetryContact, TelemetryDevice, TelemetryFrames, TelemetryLimit, TelemetrySource
from .ticket import DataTicket, TicketEvent

__all__ = [
    "Agreement",
    "AgreementClearing",
    "AgreementEvent",
    "Batch",
    "BatchMeasure",
    "ClearingHold",
    "DataTicket",
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
    "TicketEvent",
    "Touch",
]
