"""What screens and other rooms may read of rules and clues. Every read is under a person's scope."""

from supervision.models import Run as RunEntry
from supervision.river import alarm_on_river as alarm_on_river
from supervision.river import river_page as river_page
from supervision.runs import BACKTEST_STEPS as BACKTEST_STEPS
from supervision.runs import RunFilters as RunFilters
from supervision.runs import ask as ask_backtest
from supervision.runs import budget as run_budget
from supervision.runs import cancel as cancel_run
from supervision.runs import rules_that_ran as rules_that_ran
from supervision.runs import run_detail as run_detail
from supervision.runs import runs as runs
from supervision.selectors.agencies import letters_of, open_clues_of
from supervision.selectors.alarm_list import AlarmFilters, AlarmPage, alarm_count, alarm_page
from supervision.selectors.clue import (
    REASON_HOLDS,
    Basis,
    ClueDetail,
    Condition,
    Event,
    clue_detail,
    knows_names,
    may_open,
    open_numbers,
    opened_numbers,
)
from supervision.selectors.display import settled_for_display
from supervision.selectors.evidence import (
    ALL_SOURCES,
    MAX_SOURCES,
    Cell,
    EvidenceSource,
    Fact,
    mentions_opened,
)
from supervision.selectors.library import (
    DOMAINS,
    Effect,
    LibraryFilters,
    ModelRow,
    MonthOfModel,
    model_effect,
    model_named,
    model_row,
    model_rows,
)
from supervision.selectors.queue import (
    COUNTED,
    PAGE,
    ClueFilters,
    CluePage,
    clue_counts,
    clue_numbers,
    clue_page,
    clue_rows,
    clue_standing,
    sees,
)
from supervision.selectors.rows import ClueRow, Possible, source_titles, titles_of
from supervision.selectors.rules import (
    alarms,
    alarms_reading,
    live_rules,
    reach,
    reasons,
    rulebook,
    rules_by_feed,
    rules_by_field,
    rules_following_subjects,
    rules_reading,
    rules_that_lapse,
    rules_that_stop,
    shipped_rules,
)
from supervision.selectors.today import Pick, todays_few

__all__ = [
    "ALL_SOURCES",
    "BACKTEST_STEPS",
    "COUNTED",
    "DOMAINS",
    "MAX_SOURCES",
    "PAGE",
    "REASON_HOLDS",
    "AlarmFilters",
    "AlarmPage",
    "Basis",
    "Cell",
    "ClueDetail",
    "ClueFilters",
    "CluePage",
    "ClueRow",
    "Condition",
    "Effect",
    "Event",
    "EvidenceSource",
    "Fact",
    "LibraryFilters",
    "ModelRow",
    "MonthOfModel",
    "Pick",
    "Possible",
    "RunEntry",
    "RunFilters",
    "alarm_count",
    "alarm_on_river",
    "alarm_page",
    "alarms",
    "alarms_reading",
    "ask_backtest",
    "cancel_run",
    "clue_counts",
    "clue_detail",
    "clue_numbers",
    "clue_page",
    "clue_rows",
    "clue_standing",
    "knows_names",
    "letters_of",
    "live_rules",
    "may_open",
    "mentions_opened",
    "model_effect",
    "model_named",
    "model_row",
    "model_rows",
    "open_clues_of",
    "open_numbers",
    "opened_numbers",
    "reach",
    "reasons",
    "river_page",
    "rulebook",
    "rules_by_feed",
    "rules_by_field",
    "rules_following_subjects",
    "rules_reading",
    "rules_that_lapse",
    "rules_that_ran",
    "rules_that_stop",
    "run_budget",
    "run_detail",
    "runs",
    "sees",
    "settled_for_display",
    "shipped_rules",
    "source_titles",
    "titles_of",
    "todays_few",
]
