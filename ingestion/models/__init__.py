from .agreement import Agreement, AgreementClearing, AgreementEvent, ClearingHold
from .batch import Batch, Confirmed, FeedIssue, FeedStanding, Landing, Quarantine, Touch
from .camera import Camera, CameraFrame, CameraViewing
from .exchange import AgencyKey, Carried, Delivery, DeliveryFile, SourceMark
from .health import BatchMeasure
from .manual import ErrorReceipt, HeaderAlias, ImportFile, ManualImport
from .mirror import MirrorMark
from .telemetry import TelemetryContact, TelemetryDevice, TelemetryFrames, TelemetryLimit, TelemetrySource
from .ticket import DataTicket, TicketEvent
from .water import River, RiverPlace

__all__ = [
    "AgencyKey",
    "Agreement",
    "AgreementClearing",
    "AgreementEvent",
    "Batch",
    "BatchMeasure",
    "Camera",
    "CameraFrame",
    "CameraViewing",
    "Carried",
    "ClearingHold",
    "Confirmed",
    "DataTicket",
    "Delivery",
    "DeliveryFile",
    "ErrorReceipt",
    "FeedIssue",
    "FeedStanding",
    "HeaderAlias",
    "ImportFile",
    "Landing",
    "ManualImport",
    "MirrorMark",
    "Quarantine",
    "River",
    "RiverPlace",
    "SourceMark",
    "TelemetryContact",
    "TelemetryDevice",
    "TelemetryFrames",
    "TelemetryLimit",
    "TelemetrySource",
    "TicketEvent",
    "Touch",
]
