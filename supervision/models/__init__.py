from .alarm import Alarm
from .checklist import Checklist, ChecklistReturn, ChecklistRow
from .clue import (
    Clue,
    ClueEvent,
    Counter,
    Inquiry,
    Interference,
    Letter,
    LetterAnswer,
    LetterExtension,
    LetterFile,
    Unmasking,
)
from .disclosure import Disclosure, DisclosureClue
from .document import Document, DocumentFinal, LedgerChoice, SavedView
from .draft import DraftSample, RuleDraft, RuleExclusion
from .exchange import AgencyCertificate, AgencyClient, Webhook, WebhookCall
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
from .pack import ModelPack, PublisherKey
from .profile import PoolQuery
from .rank import Calibration, ClueRank, RankCell
from .relation import Relation
from .rule import Hit, RuleState
from .run import Run
from .tally import Tally
from .track import ClueTrack, TrackClock, TrackStep

__all__ = [
    "AgencyCertificate",
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
    "DocumentFinal",
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
    "LetterExtension",
    "LetterFile",
    "Matter",
    "Mention",
    "ModelPack",
    "Naming",
    "Order",
    "OrderCall",
    "PoolQuery",
    "PublisherKey",
    "RankCell",
    "Relation",
    "RuleDraft",
    "RuleExclusion",
    "RuleState",
    "Run",
    "SavedView",
    "Subject",
    "SubjectEvent",
    "Tally",
    "TrackClock",
    "TrackStep",
    "Unmasking",
    "Webhook",
    "WebhookCall",
]
