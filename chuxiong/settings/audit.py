"""Where the audit chain's key and its marks lie: both outside the database."""

from pathlib import Path

from . import env
from .base import VAR_DIR

AUDIT_KEY = Path(env.optional("CHUXIONG_AUDIT_KEY", str(VAR_DIR / "keys" / "audit.pem")))
#: another disk, a write-once share; ``var/anchor`` may also be a mount point or a link
AUDIT_ANCHOR = Path(env.optional("CHUXIONG_AUDIT_ANCHOR", str(VAR_DIR / "anchor")))
