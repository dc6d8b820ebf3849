from .alarm import Alarm
from .checklist import Checklist, ChecklistReturn, ChecklistRow
from .clue import Clue, ClueEvent, Counter, Interference, Letter, Unmasking
from .disclosure import Disclosure, DisclosureClue
from .exchange import AgencyClient
from .rule import Hit, RuleState
from .run import Run
from .tally import Tally
from .track import ClueTrack, TrackClock, TrackStep

__all__ = [
    "AgencyClient",
    "Alarm",
    "Checklist",
    "ChecklistReturn",
    "ChecklistRow",
    "Clue",
    "ClueEvent",
    "ClueTrack",
    "Counter",
    "Disclosure",
    "DisclosureClue",
    "Hit",
    "Interference",
    "Letter",
    "RuleState",
    "Run",
    "Tally",
    "TrackClock",
    "TrackStep",
    "Unmasking",
]
