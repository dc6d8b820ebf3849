"""Every kind of tampering by somebody who owns the database: found, and at the right place."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from chuxiong.audit import sealer, signing
from chuxiong.audit.anchor import Anchor
from chuxiong.audit.canonical import Segment, encoded, hasher, pack_ids, unpack_ids

_COLUMNS = (
    "actor = actor || 'x'",
    "office = '532301'",
    "action = 'clue.write'",
    "object_kind = 'letter'",
    "object_ref = 'XS-2026-009999'",
    "reason = '改过'",
    "purpose = '改过'",
    "ip = '10.9.9.9'",
    "device = 'x'",
    "session = 'x'",
    """detail = '{"a":2}'""",
    "at = at + interval '1 microsecond'",
    "logged_at = logged_at - interval '1 microsecond'",
    "writer = 'cx_worker'",
)

#: a forged row beside a real one, as if written in the same transaction
_FORGE = (
    "insert into audit_auditevent (id, at, actor, office, action, object_kind, object_ref, reason, purpose, ip, device,"
    " session, detail, logged_at, writer, stamp) overriding system value select -7, at, 'forged', office, action, object_kind,"
    " object_ref, reason, purpose, ip, device, session, detail, logged_at, writer, stamp from audit_auditevent where id = {row}"
)


class Story:
    """A chain of several segments, with the order and place of every row."""

    def __init__(self, chain, monkeypatch, draw: random.Random) -> None:  # type: ignore[no-untyped-def]
        monkeypatch.setattr(sealer, "SEGMENT_ROWS", 8)
        self.chain, self.draw = chain, draw
        for _ in range(draw.randint(3, 6)):
            chain.write(draw.randint(4, 20), detail={"n": draw.randint(1, 99)})
            chain.seal()
        self.segments = [
            (n, unpack_ids(bytes(ids)))
            for n, ids in chain.ask("select number, ids from audit_auditseal order by number")
        ]
        self.rows = [(n, row) for n, ids in self.segments for row in ids]
        assert chain.verify().exit_code == 0

    @contextmanager
    def restored(self) -> Iterator[None]:
        """Both tables as they were, afterwards: the next trial starts from a sound chain."""
        tables = ("audit_auditevent", "audit_auditseal")
        self.chain.as_owner(*(f"create table kept_{table} as table {table}" for table in tables))
        try:
            yield
        finally:
            for table in tables:
                self.chain.as_owner(
                    f"delete from {table}",
                    f"insert into {table} overriding system value select * from kept_{table}",
                    f"drop table kept_{table}",
                )
        assert self.chain.verify().exit_code == 0

    def first(self) -> tuple[str, int | None, int | None]:
        report = self.chain.verify()
        assert report.exit_code == 1, report.document()
        found = report.findings[0]
        assert all(found.words)
        assert all(found.cure)
        return found.kind, found.segment, found.row


@pytest.fixture
def draw() -> random.Random:
    seed = random.SystemRandom().randrange(1 << 30)
    print("seed", seed)
    return random.Random(seed)


@pytest.fixture
def story(chain, monkeypatch, draw) -> Story:
    return Story(chain, monkeypatch, draw)


@pytest.mark.parametrize("column", _COLUMNS)
def test_an_edit_of_any_column_names_the_row(story, column):
    for segment, row in story.draw.sample(story.rows, 3):
        with story.restored():
            story.chain.as_owner(f"update audit_auditevent set {column} where id = {row}")
            assert story.first() == ("edited", segment, row)


def test_a_deleted_row_is_named(story):
    for segment, row in story.draw.sample(story.rows, 8):
        with story.restored():
            story.chain.as_owner(f"delete from audit_auditevent where id = {row}")
            assert story.first() == ("deleted", segment, row)


def test_the_first_of_many_deleted_rows_is_named(story):
    for _ in range(4):
        some = story.draw.sample(range(len(story.rows)), min(4, len(story.rows)))
        with story.restored():
            rows = ", ".join(str(story.rows[i][1]) for i in some)
            story.chain.as_owner(f"delete from audit_auditevent where id in ({rows})")
            assert story.first() == ("deleted", *story.rows[min(some)])


def test_a_row_put_in_later_is_named(story):
    """A forged row with a stamp of the past, before any row of the chain."""
    for at in story.draw.sample(range(len(story.rows)), 6):
        segment, row = story.rows[at]
        with story.restored():
            story.chain.as_owner(_FORGE.format(row=row))
            assert story.first() == ("inserted", segment, -7)


def test_two_rows_that_changed_places_are_named(story):
    inside = [
        (number, ids[i], ids[j])
        for number, ids in story.segments
        for i in range(len(ids))
        for j in range(i + 1, len(ids))
    ]
    for segment, one, other in story.draw.sample(inside, min(5, len(inside))):
        with story.restored():
            story.chain.as_owner(
                f"update audit_auditevent set id = -1 where id = {one}",
                f"update audit_auditevent set id = {one} where id = {other}",
                f"update audit_auditevent set id = {other} where id = -1",
            )
            assert story.first() == ("reordered", segment, one)


def test_contents_that_changed_places_are_named(story):
    for _ in range(4):
        i, j = sorted(story.draw.sample(range(len(story.rows)), 2))
        one, other = story.rows[i], story.rows[j]
        with story.restored():
            story.chain.as_owner(
                "update audit_auditevent a set at = b.at, detail = b.detail, logged_at = b.logged_at from audit_auditevent b"
                f" where (a.id, b.id) in (({one[1]}, {other[1]}), ({other[1]}, {one[1]}))"
            )
            assert story.first() == ("edited", *one)


def test_a_segment_taken_out_of_the_middle_is_named(story):
    for number, _ids in story.draw.sample(story.segments[:-1], min(3, len(story.segments) - 1)):
        with story.restored():
            story.chain.as_owner(f"delete from audit_auditseal where number = {number}")
            assert story.first() == ("segment_missing", number, None)


def test_segments_that_changed_places_are_named(story):
    i, j = sorted(story.draw.sample([n for n, _ in story.segments], 2))
    story.chain.as_owner(
        f"update audit_auditseal set number = -1 where number = {i}",
        f"update audit_auditseal set number = {i} where number = {j}",
        f"update audit_auditseal set number = {j} where number = -1",
    )
    kind, segment, _row = story.first()
    assert (kind, segment) == ("chain_broken", i)


@pytest.mark.parametrize(
    "change",
    [
        "total = total + 1",
        "until = until - interval '300 days'",
        "leaves = set_byte(leaves, 3, get_byte(leaves, 3) # 1)",
        "ids = set_byte(ids, 7, get_byte(ids, 7) # 1)",
        "digest = set_byte(digest, 0, get_byte(digest, 0) # 1)",
        "sealed_at = sealed_at + interval '1 second'",
    ],
)
def test_a_changed_header_names_the_segment(story, change):
    number = story.draw.choice(story.segments)[0]
    story.chain.as_owner(f"update audit_auditseal set {change} where number = {number}")
    assert story.first() == ("segment_changed", number, None)


def test_a_changed_signature_names_the_segment(story):
    number = story.draw.choice(story.segments)[0]
    story.chain.as_owner(
        f"update audit_auditseal set signature = set_byte(signature, 9, get_byte(signature, 9) # 1) where number = {number}"
    )
    assert story.first() == ("bad_signature", number, None)


def _cut(story: Story, gone: int) -> None:
    """Segments from ``gone`` on and their rows disappear."""
    ids = [row for n, row in story.rows if n >= gone]
    story.chain.as_owner(
        f"delete from audit_auditseal where number >= {gone}",
        f"delete from audit_auditevent where id in ({', '.join(map(str, ids))})",
    )


def test_a_cut_tail_is_known_by_the_anchor_alone(story):
    keep = story.draw.randint(0, len(story.segments) - 1)
    gone = story.segments[keep][0]
    _cut(story, gone)
    assert story.first() == ("tail_cut", gone, None)
    with pytest.raises(sealer.AnchorUnusable, match="audit verify"):
        story.chain.seal()


def test_a_database_put_back_to_an_older_state_is_known_by_the_anchor(story):
    """All of it goes back: rows, segments, numbers drawn. Nothing inside contradicts itself."""
    keep = story.draw.randint(1, len(story.segments) - 1)
    last = story.segments[keep - 1][1][-1]
    gone = story.segments[keep][0]
    _cut(story, gone)
    story.chain.as_owner(f"select setval(pg_get_serial_sequence('audit_auditevent', 'id'), {last})")
    assert story.first() == ("rolled_back", gone, None)
    # Nobody seals over it in silence; rows go on to be written.
    story.chain.write(2)
    with pytest.raises(sealer.AnchorUnusable):
        story.chain.seal()
    # A wanted restore is a signed decision that stays visible.
    sealer.restart(by="审计员甲", reason="按预案恢复昨日备份", using="worker")
    assert story.chain.seal().rows == 2
    report = story.chain.verify()
    assert report.exit_code == 0
    assert "按预案恢复昨日备份" in report.notes[0][0]


def _rewrite(story: Story, start: int, sign: Callable[[bytes], bytes] | None) -> None:
    """Somebody edits a row and builds all following segments anew so that every digest is right."""
    digest = hasher("sm3")
    previous = None
    statements = []
    for number, ids in story.segments:
        row = story.chain.ask(
            "select algorithm, rows, total, first_stamp, first_id, last_stamp, last_id,"
            " (extract(epoch from since) * 1000000)::bigint, (extract(epoch from until) * 1000000)::bigint,"
            " (extract(epoch from sealed_at) * 1000000)::bigint, key, previous, digest"
            f" from audit_auditseal where number = {number}"
        )[0]
        if number < start:
            previous = bytes(row[-1])
            continue
        leaves = b""
        for (*values,) in story.chain.ask(
            "select id, stamp, writer, actor, office, action, object_kind, object_ref, reason, purpose, ip, device, session,"
            " detail, (extract(epoch from at) * 1000000)::bigint, (extract(epoch from logged_at) * 1000000)::bigint"
            f" from audit_auditevent where id in ({', '.join(map(str, ids))}) order by stamp, id"
        ):
            leaves += digest(encoded(values))
        segment = Segment(number, *row[:11], pack_ids(ids), leaves, previous or bytes(row[-2]))
        previous = segment.digest()
        signature = f", signature = '\\x{sign(previous).hex()}'" if sign else ""
        statements.append(
            f"update audit_auditseal set leaves = '\\x{leaves.hex()}', previous = '\\x{segment.previous.hex()}',"
            f" digest = '\\x{previous.hex()}'{signature} where number = {number}"
        )
    story.chain.as_owner(*statements)


def test_a_rewritten_chain_without_the_key_is_named(story):
    start, row = story.draw.choice(story.rows)
    story.chain.as_owner(f"update audit_auditevent set actor = 'innocent' where id = {row}")
    _rewrite(story, start, None)
    assert story.first() == ("bad_signature", start, None)


def test_a_rewritten_chain_signed_with_another_key_is_named(story, tmp_path):
    start, row = story.draw.choice(story.rows)
    own = signing.create(tmp_path / "own" / "audit.pem")
    story.chain.as_owner(f"update audit_auditevent set actor = 'innocent' where id = {row}")
    _rewrite(story, start, lambda digest: own.sign(signing.SEAL, digest))
    assert story.first() == ("bad_signature", start, None)


def test_a_rewritten_chain_signed_with_the_stolen_key_differs_from_its_anchor(story):
    start, row = story.draw.choice(story.rows)
    stolen = signing.load(story.chain.key)
    story.chain.as_owner(f"update audit_auditevent set actor = 'innocent' where id = {row}")
    _rewrite(story, start, lambda digest: stolen.sign(signing.SEAL, digest))
    assert story.first() == ("anchor_differs", start, None)


@pytest.mark.parametrize("how", ["change", "remove", "swap"])
def test_a_changed_anchor_file_is_named(story, how):
    path = Anchor(story.chain.anchor).files()[-1]
    lines = path.read_bytes().splitlines(keepends=True)
    at = story.draw.randrange(1, len(lines) - 1)
    if how == "change":
        lines[at] = lines[at].replace(b'"kind":"seal"', b'"kind":"Seal"')
        named = at + 1
    elif how == "remove":
        del lines[at]
        named = at + 1
    else:
        lines[at], lines[at - 1] = lines[at - 1], lines[at]
        named = at
    path.write_bytes(b"".join(lines))
    report = story.chain.verify()
    assert report.exit_code == 1
    assert report.findings[0].kind == "anchor_changed"
    assert report.findings[0].place == f"{path.name}:{named}"


def test_everything_wiped_is_known_by_the_anchor(story):
    story.chain.as_owner("delete from audit_auditseal", "delete from audit_auditevent")
    kind, segment, _row = story.first()
    assert (kind, segment) == ("tail_cut", 1)


@pytest.mark.drill
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("seed", range(3))
def test_a_hundred_places_of_every_kind(chain, monkeypatch, seed):
    """Edit, delete, insert, cut, roll back, rewrite without and with the key: a hundred random places each."""
    draw = random.Random(seed)
    story = Story(chain, monkeypatch, draw)
    stolen = signing.load(chain.key)
    for _ in range(100):
        segment, row = draw.choice(story.rows)
        at = draw.randrange(len(story.segments))
        gone, last = story.segments[at][0], (story.segments[at - 1][1][-1] if at else 1)
        with story.restored():
            chain.as_owner(f"update audit_auditevent set {draw.choice(_COLUMNS)} where id = {row}")
            assert story.first() == ("edited", segment, row)
        with story.restored():
            chain.as_owner(f"delete from audit_auditevent where id = {row}")
            assert story.first() == ("deleted", segment, row)
        with story.restored():
            chain.as_owner(_FORGE.format(row=row))
            assert story.first() == ("inserted", segment, -7)
        with story.restored():
            _cut(story, gone)
            assert story.first() == ("tail_cut", gone, None)
            drawn = chain.ask("select last_value from audit_auditevent_id_seq")[0][0]
            chain.as_owner(f"select setval('audit_auditevent_id_seq', {last})")
            assert story.first() == ("rolled_back", gone, None)
            chain.as_owner(f"select setval('audit_auditevent_id_seq', {drawn})")
        with story.restored():
            chain.as_owner(f"update audit_auditevent set actor = 'innocent' where id = {row}")
            _rewrite(story, segment, None)
            assert story.first() == ("bad_signature", segment, None)
            _rewrite(story, segment, lambda digest: stolen.sign(signing.SEAL, digest))
            assert story.first() == ("anchor_differs", segment, None)
