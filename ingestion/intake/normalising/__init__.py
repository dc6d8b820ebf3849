"""From cells as sent to typed columns, vectorised; what fails goes aside with its reason.

``received = good + distinct failing rows``, rows that are blank or a sheet's footer counted apart.
"""

from ingestion.intake.normalising.headers import Mapping, map_headers
from ingestion.intake.normalising.reasons import Reason
from ingestion.intake.normalising.rows import Normalised, normalise
from ingestion.intake.normalising.types import NO

__all__ = ["NO", "Mapping", "Normalised", "Reason", "map_headers", "normalise"]
