from .alarm import Alarm
from .checklist import Checklist, ChecklistReturn, ChecklistRow
from .clue import Clue, ClueEvent, Counter, Interference, Letter, Unmasking
from .disclosure import Disclosure, DisclosureClue
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
from .relation import Relation
from .rule import Hit, RuleState
from .tally import Tally
from .track import ClueTrack, TrackClock, TrackStep

__all__ = [
    "AgencyClient",
    "Alarm",
    "Appearance",
    "Checklist",
    "ChecklistReturn",
    "ChecklistRow",
    "Clue",
    "ClueEvent",
    "ClueTrack",
    "Counter",
    "Derivation",
    "Disclosure",
    "DisclosureClue",
    "Hit",
    "IdentityJudgement",
    "IdentityPair",
    "IdentityState",
    "Interference",
    "Letter",
    "Matter",
    "Mention",
    "Naming",
    "Order",
    "OrderCall",
    "Relation",
    "RuleState",
    "Subject",
    "SubjectEvent",
    "Tally",
    "TrackClock",
    "TrackStep",
    "Unmasking",
]
