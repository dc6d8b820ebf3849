"""The register of cameras from a YAML file: strict, all of it or nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

import yaml
from django.db import transaction
from django.utils import timezone
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from chuxiong.audit.record import record
from chuxiong.kit.problems import Problem
from ingestion.intake.receive import ALIAS
from ingestion.models import Camera, River
from ingestion.water.parameters import parameters
from ingestion.water.registering import county_at
from ingestion.water.spec import County, RegisterRefused, drawn, faults

#: GB/T 28181: eight digits of the centre, two of the industry, a type of camera, network, serial
Code = Annotated[str, Field(pattern=r"^\d{10}13[12]\d{7}$")]


class CameraSpec(BaseModel):
    """One channel. On a river, its mark is reckoned from the coordinate."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    code: Code
    zh: str
    en: str = ""
    place: str = ""
    lon: float | None = None
    lat: float | None = None
    river: str = ""
    county: County | None = None
    owner: str
    agreement: str
    public: bool = False
    approval: str = ""
    status: Literal["in_service", "suspended", "removed"] = "in_service"
    provider: Literal["demo", "gateway"]
    source: str

    @model_validator(mode="after")
    def _whole(self) -> CameraSpec:
        if self.public and not self.approval:
            raise ValueError("public 须写明 approval（谁、何时同意向参观者展示）")
        if self.river and (self.lon is None or self.lat is None):
            raise ValueError("在河上的摄像机须有 lon 和 lat")
        if not self.river and not self.county:
            raise ValueError("不在河上的摄像机须有 county")
        return self


class CameraRegister(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    cameras: tuple[CameraSpec, ...] = Field(min_length=1)


def register(text: str, *, name: str) -> int:
    """Write the cameras of one YAML file; returns how many. Raises ``RegisterRefused`` naming every problem."""
    try:
        document = CameraRegister.model_validate(yaml.safe_load(text))
    except yaml.YAMLError as error:
        raise RegisterRefused([Problem(name, f"不是 YAML：{error}", "改正后重新登记；本次未写入")]) from error
    except ValidationError as error:
        raise RegisterRefused(faults(error, name)) from error
    with transaction.atomic(using=ALIAS):
        return _write(document.cameras, name)


def _write(specs: Sequence[CameraSpec], name: str) -> int:
    rivers = {river.code: river for river in River.objects.using(ALIAS)}
    problems: list[Problem] = []
    for spec in specs:
        river, km, county = None, None, spec.county or ""
        if spec.river:
            river = rivers.get(spec.river)
            if river is None:
                problems.append(
                    Problem(
                        f"{name} → {spec.code}",
                        f"没有登记河流 {spec.river}",
                        "先登记河流（manage.py river register）",
                    )
                )
                continue
            where = drawn(river.line).project(spec.lon or 0.0, spec.lat or 0.0)
            most = parameters().most_off_line_m.value
            if where.off_m > most:
                problems.append(
                    Problem(
                        f"{name} → {spec.code}",
                        f"离河线 {where.off_m:,.0f} 米，最多 {most:,.0f} 米",
                        "核对经纬度（CGCS2000）和所在河流后重新登记",
                    )
                )
                continue
            km, county = where.km, county or county_at(river.stretches, where.km)
        Camera.objects.using(ALIAS).update_or_create(
            code=spec.code,
            defaults={
                "name_zh": spec.zh,
                "name_en": spec.en,
                "place": spec.place,
                "lon": spec.lon,
                "lat": spec.lat,
                "river": river,
                "km": km,
                "county": county,
                "owner": spec.owner,
                "agreement": spec.agreement,
                "public_approved": spec.public,
                "approval": spec.approval,
                "status": spec.status,
                "provider": spec.provider,
                "source": spec.source,
            },
        )
    if problems:
        raise RegisterRefused(problems)
    record(
        at=timezone.now(),
        actor="command",
        action="camera.register",
        object_kind="camera",
        object_ref=name,
        detail={"cameras": len(specs)},
        using=ALIAS,
    )
    return len(specs)
