from .alarm import Alarm
from .checklist import Checklist, ChecklistReturn, ChecklistRow
from .clue import Clue, ClueEvent, Counter, Inquiry, Interference, Letter, LetterAnswer, LetterFile, Unmasking
from .disclosure import Disclosure, DisclosureClue
from .document import Document, LedgerChoice
from .draft import DraftSample, RuleDraft, RuleExclusion
from .exchange import AgencyClient
from .identity import (
    Appearance,
    IdentityJudgement,
    IdentityPair,
    IdentityState,
    Mention,
    Subject,
    SubjectEvent,
)
from .naming import Derivation, Naming
from .order import Matter, Order, OrderCall
from .rank import Calibration, ClueRank, RankCell
from .relation import Relation
from .rule import Hit, RuleState
from .run import Run
from .tally import Tally
from .track import ClueTrack, TrackClock, TrackStep

__all__ = [
    "AgencyClient",
    "Alarm",
    "Appearance",
    "Calibration",
    "Checklist",
    "ChecklistReturn",
    "ChecklistRow",
    "Clue",
    "ClueEvent",
    "ClueRank",
    "ClueTrack",
    "Counter",
    "Derivation",
    "Disclosure",
    "DisclosureClue",
    "Document",
    "DraftSample",
    "Hit",
    "IdentityJudgement",
    "IdentityPair",
    "IdentityState",
    "Inquiry",
    "Interference",
    "LedgerChoice",
    "Letter",
    "LetterAnswer",
    "LetterFile",
    "Matter",
    "Mention",
    "Naming",
    "Order",
    "OrderCall",
    "RankCell",
    "Relation",
    "RuleDraft",
    "RuleExclusion",
    "RuleState",
    "Run",
    "Subject",
    "SubjectEvent",
    "Tally",
    "TrackClock",
    "TrackStep",
    "Unmasking",
]
