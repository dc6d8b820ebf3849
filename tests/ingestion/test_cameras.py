"""Playing by ticket: bound, once, within seconds; every viewing from when to when; frames with their digests."""

from __future__ import annotations

import hashlib
import io
import json
import struct
import zlib
from collections.abc import Iterator
from datetime import timedelta
from itertools import pairwise

import pytest
from django.core.management import CommandError, call_command
from django.db import ProgrammingError, connections, transaction

from chuxiong.accounts.models import Person
from chuxiong.accounts.scope import person_scope
from ingestion.cameras import demo_stream, providers, selectors, viewing
from ingestion.cameras.policy import policy
from ingestion.cameras.registering import register
from ingestion.cameras.viewing import ViewingRefused
from ingestion.models import Camera, CameraFrame, CameraViewing
from ingestion.water.spec import RegisterRefused
from tests.conftest import acting_as, empty_tables
from tests.prefecture import NOW, agreements

ONE, TWO = "53230100001310000001", "53230200001310000002"
GOOD = f"""
cameras:
  - {{code: "{ONE}", zh: 示例机位, county: "532301", owner: 示例局, agreement: T-vd_enforcement_video, provider: demo, source: 测试}}
  - {{code: "{TWO}", zh: 邻县机位, county: "532302", owner: 示例局, agreement: T-vd_enforcement_video, provider: demo, source: 测试}}
"""


def png(width: int = 4, height: int = 3) -> bytes:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    rows = b"".join(b"\0" + b"\x40\x80\xc0" * width for _ in range(height))
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )


PEOPLE = (
    ("zhou", "532300", "prosecutor"),
    ("wu", "532300", "prosecutor"),
    ("lin", "532301", "prosecutor"),
    ("he", "532302", "prosecutor"),
    ("analyst", "532300", "analyst"),
)


@pytest.fixture(scope="module")
def house() -> Iterator[dict[str, Person]]:
    """Agreements and people, made once: the tests below only write what they write."""
    empty_tables()
    agreements()
    with acting_as("owner"):
        made = {
            name: Person.objects.create(
                username=name, name=f"{name}演示", password="!nobody", office_id=office, roles=[role]
            )
            for name, office, role in PEOPLE
        }
    yield {name: Person.objects.get(pk=person.pk) for name, person in made.items()}
    empty_tables()


@pytest.fixture
def bare(house):
    with connections["owner"].cursor() as cursor:
        cursor.execute(
            "truncate ingestion_cameraframe, ingestion_cameraviewing, ingestion_camera, audit_auditevent cascade"
        )
    return house


@pytest.fixture
def camera(bare):
    register(GOOD, name="cameras.yaml")
    return bare


def _ask(who, at=NOW, *, code: str = ONE, stay: str = "stay-1"):
    return viewing.ask(code=code, purpose="patrol", by=who, stay=stay, at=at)


def _open(ticket, who, at=NOW, *, stay: str = "stay-1"):
    return viewing.open_(ticket.token, by=who, stay=stay, at=at)


def _live(ticket, who, at, *, stay: str = "stay-1"):
    return viewing.playlist(ticket.token, by=who, stay=stay, at=at)


def _audited(action: str) -> list[tuple[str, str, dict]]:
    with connections["owner"].cursor() as cursor:
        cursor.execute(
            "select actor, object_ref, detail from audit_auditevent where action = %s order by id", [action]
        )
        return [(a, r, json.loads(d) if isinstance(d, str) else d) for a, r, d in cursor.fetchall()]


# ---- the stream ----------------------------------------------------------------------------------


def test_the_demo_stream_slides_with_the_clock_and_its_decoding_time_never_goes_back():
    at = demo_stream.EPOCH + 1_000_003.0
    clip = demo_stream.clip()
    first = demo_stream.playlist(at)
    numbers = [int(line[:-4]) for line in first.splitlines() if line.endswith(".m4s")]
    assert numbers == list(range(numbers[0], numbers[0] + demo_stream.LISTED))
    later = demo_stream.playlist(at + 2 * demo_stream.SEGMENT)
    assert f"#EXT-X-MEDIA-SEQUENCE:{numbers[0] + 2}" in later
    times = []
    for number in range(numbers[0], numbers[0] + 3 * len(clip.segments)):
        body = demo_stream.segment(number)
        times.append(struct.unpack_from(">Q", body, body.index(b"tfdt") + 8)[0])
    assert {b - a for a, b in pairwise(times)} == {demo_stream.SEGMENT * clip.timescale}
    assert times[0] == numbers[0] * demo_stream.SEGMENT * clip.timescale
    # What lies before or beyond the window is not there.
    assert demo_stream.piece(f"{demo_stream.newest(at) + 1}.m4s", at) is None
    assert demo_stream.piece(f"{demo_stream.newest(at) - demo_stream.KEPT}.m4s", at) is None
    assert demo_stream.piece("../0.m4s", at) is None and demo_stream.piece("init.mp4", at) == clip.init


def test_the_demo_clip_is_small():
    clip = demo_stream.clip()
    assert len(clip.init) + sum(map(len, clip.segments)) < 500_000


# ---- tickets -------------------------------------------------------------------------------------


def test_a_ticket_plays_for_its_person_and_leaves_from_and_to(camera):
    who = camera["zhou"]
    ticket = _ask(who)
    variants = _open(ticket, who)
    assert "live.m3u8" in variants and 'CODECS="avc1.' in variants
    for seconds in range(2, 12, 2):
        assert _live(ticket, who, NOW + timedelta(seconds=seconds)).startswith("#EXTM3U")
    viewing.close(ticket.token, by=who, stay="stay-1", at=NOW + timedelta(seconds=11))
    row = CameraViewing.objects.using("owner").get()
    assert (row.person, row.camera.code, row.opened_at, row.ended_at) == (
        "zhou",
        ONE,
        NOW,
        NOW + timedelta(seconds=11),
    )
    assert (row.end, row.purpose) == ("closed", "patrol")
    place = f"{ONE[:10]}-{ONE[10:]}"
    assert [(a, r) for a, r, _ in _audited("camera.view")] == [("zhou", place)]
    ((actor, ref, detail),) = _audited("camera.view_end")
    assert (actor, ref, detail["since"], detail["until"]) == (
        "zhou",
        place,
        NOW.isoformat(),
        (NOW + timedelta(seconds=11)).isoformat(),
    )
    (listed,) = selectors.viewings(who, ONE, at=NOW + timedelta(minutes=5))
    assert listed.until == NOW + timedelta(seconds=11)


def _refusal(call) -> int:
    with pytest.raises(ViewingRefused) as refused:
        call()
    assert refused.value.zh and refused.value.en
    return refused.value.status


def test_a_ticket_works_once(camera):
    who = camera["zhou"]
    ticket = _ask(who)
    _open(ticket, who)
    assert _refusal(lambda: _open(ticket, who, NOW + timedelta(seconds=1))) == 403
    assert len(_audited("camera.view")) == 1


def test_a_ticket_that_was_not_used_in_time_is_void(camera):
    who = camera["zhou"]
    ticket = _ask(who)
    assert _refusal(lambda: _open(ticket, who, ticket.until + timedelta(seconds=1))) == 403
    assert _refusal(lambda: _live(ticket, who, NOW + timedelta(seconds=1))) == 403


def test_a_ticket_is_worth_nothing_to_another_person_or_another_sign_in(camera):
    who, other = camera["zhou"], camera["wu"]
    ticket = _ask(who)
    assert _refusal(lambda: _open(ticket, other)) == 403
    assert _refusal(lambda: _open(ticket, who, stay="stay-2")) == 403
    _open(ticket, who)
    later = NOW + timedelta(seconds=2)
    assert _refusal(lambda: _live(ticket, other, later)) == 403
    assert _refusal(lambda: _live(ticket, who, later, stay="stay-2")) == 403
    assert _refusal(lambda: viewing.piece(ticket.token, "init.mp4", by=other, stay="stay-1", at=later)) == 403
    assert _refusal(lambda: viewing.close(ticket.token, by=other, stay="stay-1", at=later)) == 403
    assert _live(ticket, who, later)


def test_an_altered_ticket_is_refused_whatever_was_altered(camera):
    who = camera["zhou"]
    ticket = _ask(who)
    pk, _, rest = ticket.token.partition(".")
    altered = [
        f"{int(pk) + 1}.{rest}",
        ticket.token[:-1] + ("A" if ticket.token[-1] != "A" else "B"),
        ticket.token.partition("~")[0],
        f"{pk}.{'A' * 32}~{rest.partition('~')[2]}",
        "",
        "~",
        "1.x~y",
    ]
    for token in altered:
        assert _refusal(lambda token=token: viewing.open_(token, by=who, stay="stay-1", at=NOW)) == 403, token
    assert _open(ticket, who)


def test_an_address_is_dead_after_the_viewing_ended_fell_silent_or_its_time_was_up(camera):
    who, silent = camera["zhou"], timedelta(seconds=policy().silent_seconds.value + 1)
    ticket = _ask(who)
    _open(ticket, who)
    viewing.close(ticket.token, by=who, stay="stay-1", at=NOW + timedelta(seconds=4))
    assert _refusal(lambda: _live(ticket, who, NOW + timedelta(seconds=5))) == 403
    quiet = _ask(who)
    _open(quiet, who)
    assert _refusal(lambda: _live(quiet, who, NOW + silent)) == 403
    # The end is that of the last sign of life, and it was written though the request was refused.
    row = CameraViewing.objects.using("owner").get(pk=quiet.viewing)
    assert (row.end, row.ended_at) == ("silent", NOW)
    long = _ask(who)
    _open(long, who)
    at = NOW
    while at + timedelta(seconds=10) < long.expires_at:
        at += timedelta(seconds=10)
        CameraViewing.objects.using("owner").filter(pk=long.viewing).update(last_at=at)
    assert _live(long, who, at)
    assert _refusal(lambda: _live(long, who, long.expires_at)) == 403
    assert CameraViewing.objects.using("owner").get(pk=long.viewing).end == "expired"


def test_viewings_left_behind_end_when_the_person_looks_again(camera):
    who = camera["zhou"]
    first = _ask(who)
    _open(first, who)
    _ask(who, NOW + timedelta(minutes=3))
    row = CameraViewing.objects.using("owner").get(pk=first.viewing)
    assert (row.ended_at, row.end) == (NOW, "silent") and len(_audited("camera.view_end")) == 1


def test_who_may_not_look(camera):
    lin = camera["lin"]
    assert _refusal(lambda: _ask(lin, code=TWO)) == 404
    assert _ask(lin, code=ONE)
    assert _refusal(lambda: _ask(camera["analyst"])) == 403
    assert _refusal(lambda: viewing.ask(code=ONE, purpose="fun", by=lin, stay="s", at=NOW)) == 400
    assert [row.camera.code for row in selectors.cameras(lin, at=NOW)] == [ONE]


def test_no_agreement_no_picture(camera):
    who = camera["zhou"]
    assert _refusal(lambda: _ask(who, NOW + timedelta(days=1001))) == 409
    Camera.objects.using("owner").filter(code=ONE).update(status="suspended")
    assert _refusal(lambda: _ask(who)) == 409
    assert {r.camera.code: bool(r.stopped) for r in selectors.cameras(who, at=NOW)} == {ONE: True, TWO: False}


def test_who_looked_cannot_be_written_anew(camera):
    who = camera["zhou"]
    ticket = _ask(who)
    for change in ({"person": "wu"}, {"asked_at": NOW}, {"camera_id": 1}):
        with pytest.raises(ProgrammingError), person_scope(who), transaction.atomic():
            CameraViewing.objects.filter(pk=ticket.viewing).update(**change)
    with pytest.raises(ProgrammingError), person_scope(who), transaction.atomic():
        CameraFrame.objects.filter(pk=1).update(note="x")


# ---- frames --------------------------------------------------------------------------------------


def _keep(ticket, who, at, *, image: bytes | None = None, segment: str = "", stay: str = "stay-1"):
    named = segment or f"{demo_stream.newest(at.timestamp()) - 2}.m4s"
    return viewing.keep_frame(
        ticket.token, image=png() if image is None else image, segment=named, stream_at=at, note="示例", by=who, stay=stay, at=at
    )  # fmt: skip


def test_a_frame_is_kept_sealed_with_its_digest_and_the_piece_it_is_from(camera):
    who = camera["zhou"]
    ticket = _ask(who)
    _open(ticket, who)
    at = NOW + timedelta(seconds=3)
    frame = _keep(ticket, who, at)
    assert frame.digest == hashlib.sha256(png()).hexdigest()
    number = int(frame.segment[:-4])
    assert frame.segment_digest == hashlib.sha256(demo_stream.segment(number)).hexdigest()
    assert (frame.width, frame.height, frame.media_type, frame.person) == (4, 3, "image/png", "zhou")
    stored = CameraFrame.objects.using("owner").get()
    assert png()[:8] not in bytes(stored.sealed) and viewing.segment_of(stored) == demo_stream.segment(number)
    kind, body = selectors.frame_image(who, frame.number, at=at)
    assert (kind, body) == ("image/png", png())
    assert (
        [r for _, r, _ in _audited("camera.frame")]
        == [r for _, r, _ in _audited("camera.frame_read")]
        == [frame.number]
    )
    # Another county knows nothing of it.
    stranger = camera["he"]
    assert selectors.frame(stranger, frame.number) is None and selectors.frames(stranger) == []


def test_what_is_no_picture_is_not_kept(camera):
    who = camera["zhou"]
    ticket = _ask(who)
    _open(ticket, who)
    for image in (
        b"",
        b"GIF89a",
        b"<svg/>",
        b"\x89PNG\r\n\x1a\n" + b"0" * 40,
        b"\xff\xd8\xff\xe0",
        png()[:30],
    ):
        assert _refusal(lambda image=image: _keep(ticket, who, NOW, image=image)) == 400, image
    assert not CameraFrame.objects.using("owner").exists()


def test_a_frame_needs_a_viewing_that_goes_on_and_a_piece_that_is_there(camera):
    who = camera["zhou"]
    ticket = _ask(who)
    assert _refusal(lambda: _keep(ticket, who, NOW)) == 403
    _open(ticket, who)
    assert _refusal(lambda: _keep(ticket, who, NOW, segment="1.m4s")) == 404
    assert _refusal(lambda: _keep(ticket, who, NOW, segment="../../etc/passwd")) == 404
    assert _refusal(lambda: _keep(ticket, camera["wu"], NOW)) == 403
    large = png()[:16] + struct.pack(">II", 9000, 9000) + png()[24:]
    assert _refusal(lambda: _keep(ticket, who, NOW, image=large)) == 400


def test_an_altered_frame_does_not_open(camera):
    from cryptography.exceptions import InvalidTag

    who = camera["zhou"]
    ticket = _ask(who)
    _open(ticket, who)
    frame = _keep(ticket, who, NOW + timedelta(seconds=1))
    stored = CameraFrame.objects.using("owner").get()
    CameraFrame.objects.using("owner").update(sealed=bytes(stored.sealed)[:-1] + b"\0")
    with pytest.raises(InvalidTag):
        selectors.frame_image(who, frame.number, at=NOW)


# ---- providers -----------------------------------------------------------------------------------


class _Served:
    """What a gateway answers, by address."""

    def __init__(self, monkeypatch, answers: dict[str, bytes]) -> None:
        self.asked: list[str] = []

        def fetch(request, timeout):
            self.asked.append(request.full_url)
            if request.full_url not in answers:
                raise OSError("refused")
            return io.BytesIO(answers[request.full_url])

        monkeypatch.setattr(providers, "urlopen", fetch)


def test_a_gateway_is_passed_on_under_plain_names_and_cannot_lead_elsewhere(monkeypatch):
    base = f"http://gateway:8888/{ONE}"
    served = _Served(
        monkeypatch,
        {
            f"{base}/index.m3u8": b"#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nmain.m3u8?token=x\n",
            f"{base}/main.m3u8?token=x": b'#EXTM3U\n#EXT-X-PART-INF:PART-TARGET=1\n#EXT-X-MAP:URI="init.mp4?token=x"\n#EXTINF:2,\nseg7.m4s?token=x\n',
            f"{base}/seg7.m4s": b"MOVING",
        },
    )
    gateway = providers.Gateway("http://gateway:8888")
    assert gateway.playlist(ONE, 0) == '#EXTM3U\n#EXT-X-MAP:URI="init.mp4"\n#EXTINF:2,\nseg7.m4s\n'
    assert gateway.piece(ONE, "seg7.m4s", 0) == b"MOVING"
    assert all(address.startswith("http://gateway:8888/") for address in served.asked)
    for playlist in (
        b"<html>",
        b"#EXTM3U\n#EXT-X-STREAM-INF:B=1\nhttp://elsewhere/x.m3u8\n",
        b"#EXTM3U\n../secret\n",
    ):
        _Served(monkeypatch, {f"{base}/index.m3u8": playlist, "http://elsewhere/x.m3u8": b"#EXTM3U\n"})
        with pytest.raises(providers.NoSignal):
            gateway.playlist(ONE, 0)


def test_a_gateway_that_is_not_there_is_no_signal():
    with pytest.raises(providers.NoSignal):
        providers.Gateway("").playlist(ONE, 0)
    with pytest.raises(providers.NoSignal):
        providers.Gateway("http://127.0.0.1:9").playlist(ONE, 0)


# ---- the register --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ((ONE, "123"), "cameras.0.code"),
        (("provider: demo", "provider: youtube"), "cameras.0.provider"),
        (("owner: 示例局", "owner: 示例局, public: true"), "approval"),
        (('county: "532301", ', ""), "须有 county"),
        (('county: "532301"', "river: SL, lon: 101.0, lat: 25.0"), "没有登记河流 SL"),
    ],
)
def test_a_fault_of_the_register_names_its_place_and_nothing_is_written(bare, change, place):
    with pytest.raises(RegisterRefused) as refused:
        register(GOOD.replace(*change, 1), name="cameras.yaml")
    assert place in str(refused.value)
    assert not Camera.objects.using("owner").exists()


def test_the_command_registers_and_lists(bare, tmp_path, capsys):
    file = tmp_path / "cameras.yaml"
    file.write_text(GOOD, encoding="utf-8")
    call_command("camera", "register", str(file))
    call_command("camera", "list", "--json")
    out = capsys.readouterr().out
    assert "2 台" in out and ONE in out
    with pytest.raises(CommandError, match="不能读取"):
        call_command("camera", "register", str(tmp_path / "none.yaml"))
