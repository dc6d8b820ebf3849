from .agreement import Agreement
from .batch import Batch, FeedIssue, Landing, Quarantine, Touch
from .telemetry import TelemetryContact, TelemetryDevice, TelemetryFrames, TelemetryLimit, TelemetrySource

__all__ = [
    "Agreement",
    "Batch",
    "FeedIssue",
    "Landing",
    "Quarantine",
    "TelemetryContact",
    "TelemetryDevice",
    "TelemetryFrames",
    "TelemetryLimit",
    "TelemetrySource",
    "Touch",
]
