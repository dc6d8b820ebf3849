"""Reads ``sign_in.yaml``: every limit of signing in is a number with a source, not a constant."""

from __future__ import annotations

from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict, Field


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Sourced(_Strict):
    value: int = Field(ge=0)
    source: str = Field(min_length=1)


class PasswordPolicy(_Strict):
    min_length: Sourced
    classes: Sourced
    remembered: Sourced
    max_age_days: Sourced


class AccountPolicy(_Strict):
    dormant_days: Sourced


class LockPolicy(_Strict):
    window_minutes: Sourced
    first_minutes: Sourced
    cap_minutes: Sourced
    limits: dict[str, Sourced]


class SessionPolicy(_Strict):
    idle_minutes: Sourced
    absolute_hours: Sourced
    pending_minutes: Sourced


class SecondFactorPolicy(_Strict):
    step_seconds: Sourced
    window_steps: Sourced
    recovery_codes: Sourced


class AgreementPolicy(_Strict):
    warn_days: Sourced


class DutyPostPolicy(_Strict):
    pairing_minutes: Sourced


class GatewayPolicy(_Strict):
    skew_seconds: Sourced


class SignInPolicy(_Strict):
    password: PasswordPolicy
    account: AccountPolicy
    lock: LockPolicy
    session: SessionPolicy
    second_factor: SecondFactorPolicy
    agreement: AgreementPolicy
    duty_post: DutyPostPolicy
    gateway: GatewayPolicy


def _load() -> SignInPolicy:
    document = yaml.safe_load(Path(__file__).with_name("sign_in.yaml").read_text(encoding="utf-8"))
    return SignInPolicy.model_validate(document)


POLICY = _load()
