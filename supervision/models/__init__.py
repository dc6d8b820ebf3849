from .alarm import Alarm
from .clue import Clue, ClueEvent, Counter, Interference, Letter, Unmasking
from .disclosure import Disclosure, DisclosureClue
from .exchange import AgencyClient
from .naming import Derivation, Naming
from .relation import Relation
from .rule import Hit, RuleState
from .tally import Tally

__all__ = [
    "AgencyClient",
    "Alarm",
    "Clue",
    "ClueEvent",
    "Counter",
    "Derivation",
    "Disclosure",
    "DisclosureClue",
    "Hit",
    "Interference",
    "Letter",
    "Naming",
    "Relation",
    "RuleState",
    "Tally",
    "Unmasking",
]
