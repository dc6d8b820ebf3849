from .agreement import Agreement
from .batch import Batch, FeedIssue, Landing, Quarantine, Touch
from .camera import Camera, CameraFrame, CameraViewing
from .telemetry import TelemetryContact, TelemetryDevice, TelemetryFrames, TelemetryLimit, TelemetrySource
from .water import River, RiverPlace

__all__ = [
    "Agreement",
    "Batch",
    "Camera",
    "CameraFrame",
    "CameraViewing",
    "FeedIssue",
    "Landing",
    "Quarantine",
    "River",
    "RiverPlace",
    "TelemetryContact",
    "TelemetryDevice",
    "TelemetryFrames",
    "TelemetryLimit",
    "TelemetrySource",
    "Touch",
]
