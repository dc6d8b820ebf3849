from .agreement import Agreement
from .batch import Batch, FeedIssue, Landing, Quarantine, Touch
from .exchange import AgencyKey, Delivery, DeliveryFile, SourceMark
from .telemetry import TelemetryContact, TelemetryDevice, TelemetryFrames, TelemetryLimit, TelemetrySource

__all__ = [
    "AgencyKey",
    "Agreement",
    "Batch",
    "Delivery",
    "DeliveryFile",
    "FeedIssue",
    "Landing",
    "Quarantine",
    "SourceMark",
    "TelemetryContact",
    "TelemetryDevice",
    "TelemetryFrames",
    "TelemetryLimit",
    "TelemetrySource",
    "Touch",
]
