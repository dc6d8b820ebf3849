from .alarm import Alarm
from .clue import Clue, ClueEvent, Counter, Interference, Letter, Unmasking
from .disclosure import Disclosure, DisclosureClue
from .exchange import AgencyClient
from .rule import Hit, RuleState
from .tally import Tally

__all__ = [
    "AgencyClient",
    "Alarm",
    "Clue",
    "ClueEvent",
    "Counter",
    "Disclosure",
    "DisclosureClue",
    "Hit",
    "Interference",
    "Letter",
    "RuleState",
    "Tally",
    "Unmasking",
]
