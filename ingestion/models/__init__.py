from .agreement import Agreement
from .batch import Batch, FeedIssue, Landing, Quarantine, Touch

__all__ = ["Agreement", "Batch", "FeedIssue", "Landing", "Quarantine", "Touch"]
