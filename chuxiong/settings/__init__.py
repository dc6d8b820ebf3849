"""Settings: one file per third party, ``env`` the only reader of the environment."""

from .audit import *  # noqa: F403
from .base import *  # noqa: F403
from .celery import *  # noqa: F403
from .channels import *  # noqa: F403
from .csp import *  # noqa: F403
from .drf import *  # noqa: F403
from .exchange import *  # noqa: F403
from .logging import *  # noqa: F403
from .sign_in import *  # noqa: F403
