from .alarm import Alarm
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
from .rule import Hit, RuleState
from .tally import Tally

__all__ = [
    "AgencyClient",
    "Alarm",
    "Appearance",
    "Clue",
    "ClueEvent",
    "Counter",
    "Disclosure",
    "DisclosureClue",
    "Hit",
    "IdentityJudgement",
    "IdentityPair",
    "IdentityState",
    "Interference",
    "Letter",
    "Mention",
    "RuleState",
    "Subject",
    "SubjectEvent",
    "Tally",
    "Unmasking",
]
