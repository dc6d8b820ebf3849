"""Signed bundles: lost, repeated, reordered, altered, from the wrong agency, under an expired key."""

from __future__ import annotations

import io
import json
import random
import secrets
import zipfile
from datetime import timedelta
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from chuxiong.audit import signing
from ingestion.exchange import receipts, selectors, signatures
from ingestion.exchange.bundles import receive_bundle
from ingestion.exchange.deliveries import Next, advance, missing, skip, store_path
from ingestion.exchange.manifest import ManifestFault, parse
from ingestion.models import AgencyKey, Batch, Delivery, DeliveryFile
from tests.ingestion.exchange.ways import bundle, new_key, payments, rewritten, work
from tests.prefecture import NOW, TODAY, agreements, person

HR, CA = "hr_bureau", "ca_bureau"
PAY, FUNERAL, ARREARS = "hr_pension_payment", "ca_funeral", "hr_wage_arrears"


@pytest.fixture
def key(database):  # type: ignore[no-untyped-def]
    agreements()
    return new_key(HR)


def take(path: Path):  # type: ignore[no-untyped-def]
    return receive_bundle(path, by="test", at=NOW)


def problem_of(path: Path) -> str:
    """The refusal of a bundle; nothing of it may have been kept."""
    delivery = take(path).delivery
    assert delivery.state == Delivery.State.REFUSED, delivery.state
    assert not delivery.files.using("intake").exists() and not laid_down()
    assert all(delivery.problem[k] for k in ("place", "what", "cure"))
    return f"{delivery.problem['place']}：{delivery.problem['what']}"


def laid_down() -> list[str]:
    return [p.name for p in store_path("x").parent.glob("*")] if store_path("x").parent.is_dir() else []


def ended() -> None:
    """Intake ends with every batch, as the room next door tests in earnest."""
    Batch.objects.using("owner").filter(state__in=["received", "reading"]).update(state="landed")


def applied() -> list[str]:
    return list(Batch.objects.using("intake").order_by("pk").values_list("file_name", flat=True))


# ---- the whole way ------------------------------------------------------------------------------


@pytest.mark.parametrize("alg", ["Ed25519", "ECDSA-P256"])
def test_a_bundle_lands_and_its_receipt_adds_up(database, tmp_path, alg):
    agreements()
    mine = new_key(HR, alg=alg)
    good = payments(1, 2, 3).decode("gb18030").replace("正常", "正常", 1)
    broken = good + good.splitlines()[1].replace("100.00", "不详") + "\r\n"
    path, digest = bundle(tmp_path, mine, agency=HR, sequence=1, covers_until=TODAY,
                          files={"养老金 9月.csv": (PAY, broken.encode("gb18030"))})  # fmt: skip
    taken = take(path)
    assert taken.first and taken.delivery.state == Delivery.State.WAITING
    work(HR)
    delivery = Delivery.objects.using("intake").get(pk=taken.delivery.pk)
    assert (delivery.state, delivery.digest) == (Delivery.State.DONE, digest)
    raw = receipts.signed(receipts.document(delivery, at=NOW, using="intake"))
    trusted = signing.trusted(Path(_signing_key()))
    receipt = receipts.verified(raw, trusted)
    assert receipt["final"] and receipt["missing"] == []
    (file,) = receipt["files"]
    counts = file["counts"]
    assert (
        counts["received"]
        == 4
        == counts["loaded"] + counts["unchanged"] + counts["duplicate"] + counts["quarantined"]
    )
    assert counts["quarantined"] == 1 and file["quarantine"][0]["rows"] == 1 and file["outcome"] == "landed"
    batch = Batch.objects.using("intake").get()
    assert batch.received_by == f"数据包 {delivery.number}" and batch.covers_until == TODAY
    assert laid_down() == [], "sealed bytes go when intake has them"
    with pytest.raises(ValueError):
        receipts.verified(raw.replace(b"landed", b"Landed", 1), trusted)
    other = signing.create(tmp_path / "other.pem")
    with pytest.raises(ValueError):
        receipts.verified(raw, signing.TrustedKeys([other.private.public_key()]))


def _signing_key() -> str:
    from django.conf import settings

    return str(settings.EXCHANGE_SIGNING_KEY)


def test_what_waits_lies_sealed_and_opens_to_the_inner_side_alone(key, tmp_path):
    data = payments(1)
    path, _ = bundle(tmp_path, key, agency=HR, sequence=2, previous="0" * 64, files={"a.csv": (PAY, data)})
    take(path)
    (name,) = laid_down()
    held = store_path(name.removesuffix(".enc")).read_bytes()
    assert len(held) > len(data) and not any(data[i : i + 12] in held for i in range(0, len(data) - 12, 7))
    # Altered on the disk: nothing of it is taken in, and the file says so.
    store_path(name.removesuffix(".enc")).write_bytes(held[:-1] + bytes([held[-1] ^ 1]))
    skip(HR, through=1, by="test", reason="示例", at=NOW)
    advance(HR, at=NOW)
    assert applied() == [] and laid_down() == []
    (file,) = DeliveryFile.objects.using("intake").all()
    assert "已被改动" in file.problem["what"]


# ---- lost, repeated, reordered ------------------------------------------------------------------


def test_later_bundles_wait_for_the_lost_one_and_go_in_order(key, tmp_path):
    first, d1 = bundle(tmp_path, key, agency=HR, sequence=1, files={"1.csv": (PAY, payments(1))})
    second, d2 = bundle(
        tmp_path, key, agency=HR, sequence=2, previous=d1, files={"2.csv": (PAY, payments(2))}
    )
    third, _ = bundle(tmp_path, key, agency=HR, sequence=3, previous=d2, files={"3.csv": (PAY, payments(3))})
    late = take(third).delivery
    assert advance(HR, at=NOW) == Next.BUNDLE and applied() == []
    assert missing(HR, using="intake") == [1, 2]
    assert "缺号：1–2" in "\n".join(receipts.lines(receipts.document(late, at=NOW, using="intake")))
    take(first)
    assert advance(HR, at=NOW) == Next.BUNDLE and applied() == ["1.csv"]
    take(second)
    assert advance(HR, at=NOW) == Next.INTAKE and applied() == ["1.csv"], "the batch before is under way"
    ended()
    assert advance(HR, at=NOW) == Next.INTAKE and applied() == ["1.csv", "2.csv"]
    # A held batch needs a person; nothing behind it overtakes.
    Batch.objects.using("owner").filter(file_name="2.csv").update(state="held")
    assert advance(HR, at=NOW) == Next.PERSON and applied() == ["1.csv", "2.csv"]
    Batch.objects.using("owner").update(state="landed")
    advance(HR, at=NOW)
    assert applied() == ["1.csv", "2.csv", "3.csv"] and missing(HR, using="intake") == []


def test_the_list_of_deliveries_asks_the_same_questions_however_many_there_are(key, tmp_path):
    desk = person("desk", roles=("custodian",))
    assert desk.office_codes, "read once a sign-in"

    def asked() -> tuple[int, list[int]]:
        with CaptureQueriesContext(connection) as queries:
            rows = selectors.rows(desk, at=NOW)
        assert [r.receipt for r in rows] == [
            receipts.document(r.delivery, at=NOW, using="intake") for r in rows
        ]
        return len(queries), [len(r.receipt["files"]) for r in rows]

    first, digest = bundle(tmp_path, key, agency=HR, sequence=1, files={"1.csv": (PAY, payments(1))})
    take(first)
    asked()  # what is read once a process
    few, _ = asked()
    for n in (2, 3):
        files = {f"{n}.csv": (PAY, payments(n)), f"{n}b.csv": (PAY, payments(n + 10))}
        path, digest = bundle(tmp_path, key, agency=HR, sequence=n, previous=digest, files=files)
        take(path)
    advance(HR, at=NOW)
    assert asked() == (few, [2, 2, 1])


def test_a_bundle_once_more_is_answered_with_the_first(key, tmp_path):
    path, _ = bundle(tmp_path, key, agency=HR, sequence=1, files={"1.csv": (PAY, payments(1))})
    first = take(path)
    again = take(path)
    assert first.first and not again.first and again.delivery.pk == first.delivery.pk
    work(HR)
    assert not take(path).first
    work(HR)
    assert len(applied()) == 1 and Delivery.objects.using("intake").count() == 1 and laid_down() == []
    other, _ = bundle(tmp_path, key, agency=HR, sequence=1, files={"1.csv": (PAY, payments(9))})
    assert "第 1 号已接收过另一个包" in problem_of(other)


def test_the_same_file_in_another_bundle_is_not_applied_again(key, tmp_path):
    data = payments(1)
    first, d1 = bundle(tmp_path, key, agency=HR, sequence=1, files={"1.csv": (PAY, data)})
    second, _ = bundle(tmp_path, key, agency=HR, sequence=2, previous=d1, files={"again.csv": (PAY, data)})
    take(first), take(second)
    for _ in range(3):
        advance(HR, at=NOW)
        ended()
    assert applied() == ["1.csv"]
    receipt = receipts.document(Delivery.objects.using("intake").get(sequence=2), at=NOW, using="intake")
    assert receipt["files"][0]["outcome"] == "repeated" and receipt["totals"]["received"] == 0


def test_a_number_declared_lost_lets_the_rest_go_on_and_is_not_taken_later(key, tmp_path):
    first, d1 = bundle(tmp_path, key, agency=HR, sequence=1, files={"1.csv": (PAY, payments(1))})
    third, _ = bundle(
        tmp_path, key, agency=HR, sequence=3, previous="a" * 64, files={"3.csv": (PAY, payments(3))}
    )
    take(first), take(third)
    advance(HR, at=NOW)
    ended()
    assert advance(HR, at=NOW) == Next.BUNDLE
    assert skip(HR, through=2, by="test", reason="光盘损坏，单位确认不再报送", at=NOW) == [2]
    advance(HR, at=NOW)
    assert applied() == ["1.csv", "3.csv"]
    second, _ = bundle(tmp_path, key, agency=HR, sequence=2, previous=d1, files={"2.csv": (PAY, payments(2))})
    assert "已于 2026-11-20 声明缺号" in problem_of(second)


def test_a_chain_that_does_not_fit_is_refused_and_its_number_stays_free(key, tmp_path):
    first, d1 = bundle(tmp_path, key, agency=HR, sequence=1, files={"1.csv": (PAY, payments(1))})
    wrong, _ = bundle(
        tmp_path, key, agency=HR, sequence=2, previous="b" * 64, files={"x.csv": (PAY, payments(2))}
    )
    right, _ = bundle(tmp_path, key, agency=HR, sequence=2, previous=d1, files={"2.csv": (PAY, payments(2))})
    take(first), take(wrong)
    advance(HR, at=NOW)
    ended()
    advance(HR, at=NOW)
    refused = Delivery.objects.using("intake").get(state="refused")
    assert "前一包摘要" in refused.problem["what"] and applied() == ["1.csv"] and laid_down() == []
    take(right)
    advance(HR, at=NOW)
    assert applied() == ["1.csv", "2.csv"]


# ---- altered, strangers, dates ------------------------------------------------------------------


def test_every_byte_turned_over_is_found_and_located(key, tmp_path):
    """Bits in manifest, signature and data; what comes out is refused or (never) the same bundle."""
    seed = secrets.randbits(32)
    print("seed", seed)
    draw = random.Random(seed)
    files = {"一.csv": (PAY, payments(1, 2)), "二.csv": (ARREARS, b"x" * 400)}
    path, _ = bundle(tmp_path, key, agency=HR, sequence=1, files=files)
    for member, located in (
        ("manifest.json", ("manifest", "data/")),
        ("manifest.sig", ("manifest.sig",)),
        ("data/一.csv", ("data/一.csv",)),
        ("data/二.csv", ("data/二.csv",)),
    ):
        for _ in range(4):

            def flip(members: dict[str, bytes], member: str = member) -> dict[str, bytes]:
                data = bytearray(members[member])
                at = (
                    data.index(b'"signature": "') + 14 + draw.randrange(60)
                    if member.endswith("sig")
                    else draw.randrange(len(data))
                )
                data[at] ^= 1 << draw.randrange(7)
                return members | {member: bytes(data)}

            said = problem_of(rewritten(path, flip))
            assert any(words in said for words in located), (member, said)
    cut = tmp_path / "cut.zip"
    cut.write_bytes(path.read_bytes()[: draw.randrange(10, path.stat().st_size - 30)])
    assert "不是完整的数据包" in problem_of(cut)
    assert applied() == []
    assert take(path).first, "the true one still goes in"


def test_the_raw_file_altered_anywhere_never_brings_in_other_bytes(key, tmp_path):
    seed = secrets.randbits(32)
    print("seed", seed)
    draw = random.Random(seed)
    data = payments(*range(20))
    path, _ = bundle(tmp_path, key, agency=HR, sequence=1, files={"1.csv": (PAY, data)})
    whole = path.read_bytes()
    bent = tmp_path / "bent.zip"
    for _ in range(40):
        altered = bytearray(whole)
        altered[draw.randrange(len(whole))] ^= 1 << draw.randrange(8)
        bent.write_bytes(altered)
        delivery = take(bent).delivery
        if delivery.state != Delivery.State.REFUSED:
            # A bit that no reader looks at (a time stamp of the archive): the files are the true ones.
            (file,) = delivery.files.using("intake").all()
            import hashlib

            assert file.digest == hashlib.sha256(data).hexdigest()


def test_only_the_agency_itself_with_a_key_in_force(key, tmp_path):
    files = {"1.csv": (PAY, payments(1))}
    foreign = new_key(CA)
    assert "属于 ca_bureau" in problem_of(bundle(tmp_path, foreign, agency=HR, sequence=1, files=files)[0])
    assert "由 hr_bureau 报送" in problem_of(bundle(tmp_path, foreign, agency=CA, sequence=1, files=files)[0])
    stranger = signatures.private_key(_fresh_pem())
    assert "未登记" in problem_of(bundle(tmp_path, stranger, agency=HR, sequence=1, files=files)[0])
    expired = new_key(HR, end=TODAY - timedelta(days=1))
    assert "到期" in problem_of(bundle(tmp_path, expired, agency=HR, sequence=1, files=files)[0])
    early = new_key(HR, start=TODAY + timedelta(days=1))
    assert "才生效" in problem_of(bundle(tmp_path, early, agency=HR, sequence=1, files=files)[0])
    # Made before the key was in force, or with a clock far ahead.
    past = bundle(tmp_path, key, agency=HR, sequence=1, files=files, at=NOW - timedelta(days=60))[0]
    assert "才生效" in problem_of(past)
    ahead = bundle(tmp_path, key, agency=HR, sequence=1, files=files, at=NOW + timedelta(days=3))[0]
    assert "校准时钟" in Delivery.objects.using("intake").get(pk=take(ahead).delivery.pk).problem["cure"]
    AgencyKey.objects.using("owner").filter(agency=HR).update(revoked_on=TODAY)
    assert "吊销" in problem_of(bundle(tmp_path, key, agency=HR, sequence=1, files=files)[0])
    assert applied() == []


def _fresh_pem() -> bytes:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    return Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def test_bombs_paths_and_strays_are_refused_before_anything_is_read(key, tmp_path):
    path, _ = bundle(tmp_path, key, agency=HR, sequence=1, files={"1.csv": (PAY, payments(1))})

    def said(change) -> str:  # type: ignore[no-untyped-def]
        return problem_of(rewritten(path, change))

    assert "清单中没有" in said(lambda m: m | {"../../etc/cron.d/x": b"x"})
    assert "清单中没有" in said(lambda m: m | {"data/2.csv": b"x"})
    assert "不在包内" in said(lambda m: {k: v for k, v in m.items() if k != "data/1.csv"})
    assert "manifest.sig" in said(lambda m: {k: v for k, v in m.items() if k != "manifest.sig"})
    assert "压缩比" in said(lambda m: m | {"data/1.csv": b"\0" * 30_000_000})
    assert "超过上限" in said(lambda m: m | {f"data/{i}": b"" for i in range(70)})
    manifest = json.loads(zipfile.ZipFile(path).read("manifest.json"))
    for name in ("../1.csv", "/1.csv", "a/b.csv", ".hidden", "a\\b", "c:x", ""):
        manifest["files"][0]["name"] = name
        with pytest.raises(ManifestFault):
            parse(json.dumps(manifest).encode())
    link = tmp_path / "link.zip"
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(link, "w") as new:
        for member in old.infolist():
            info = zipfile.ZipInfo(member.filename)
            info.external_attr = (0o120777 if member.filename == "data/1.csv" else 0o100600) << 16
            new.writestr(info, old.read(member))
    assert "不是普通文件" in problem_of(link)


@pytest.mark.parametrize(
    "raw", [b"[]", b"{", b"\xff", b'{"a":1,"a":2}', b'{"format":"chuxiong-bundle/1"}', b"[" * 200_000]
)
def test_a_manifest_that_is_none_names_the_place(raw):
    with pytest.raises(ManifestFault) as fault:
        parse(raw)
    assert fault.value.place and fault.value.what


# ---- against an oracle --------------------------------------------------------------------------


@pytest.mark.parametrize("round_no", range(3))
def test_random_sequences_against_an_oracle(key, tmp_path, round_no):
    """Bundles of two agencies arrive shuffled, twice, cut and bent, workers step in anywhere: each is applied once,
    in order, as far as there is no gap."""
    seed = secrets.randbits(32)
    print("seed", seed)
    draw = random.Random(seed)
    own = {HR: key, CA: new_key(CA)}
    feeds = {HR: [PAY, ARREARS], CA: [FUNERAL]}
    bundles: list[tuple[str, int, Path]] = []
    for agency, mine in own.items():
        previous = ""
        for n in range(1, 6):
            files = {
                f"{agency}-{n}-{i}.csv": (draw.choice(feeds[agency]), f"{agency} {n} {i}".encode())
                for i in range(draw.randint(1, 2))
            }
            path, previous = bundle(tmp_path, mine, agency=agency, sequence=n, previous=previous, files=files)
            bundles.append((agency, n, path))
    arrivals = [(a, n, p, "true") for a, n, p in bundles if draw.random() > 0.12]
    arrivals += [(a, n, p, "again") for a, n, p, _ in arrivals if draw.random() < 0.4]
    arrivals += [(a, n, p, "bent") for a, n, p in bundles if draw.random() < 0.3]
    draw.shuffle(arrivals)
    arrived: dict[str, set[int]] = {HR: set(), CA: set()}
    for agency, n, path, how in arrivals:
        if how == "bent":
            last = list(zipfile.ZipFile(path).namelist())[-1]
            delivery = take(rewritten(path, lambda m, last=last: m | {last: m[last] + b"!"})).delivery
            known = n in arrived[agency]
            # The manifest is the true one: known already, it is answered with the first and not looked into.
            assert (delivery.state != Delivery.State.REFUSED) == known
        else:
            taken = take(path)
            assert taken.first == (n not in arrived[agency])
            arrived[agency].add(n)
        if draw.random() < 0.5:
            advance(draw.choice([HR, CA]), at=NOW)
        if draw.random() < 0.3:
            ended()
    for _ in range(14):
        for agency in own:
            advance(agency, at=NOW)
        ended()
    for agency in own:
        reach = 0
        while reach + 1 in arrived[agency]:
            reach += 1
        expected = [
            name
            for a, n, path in bundles
            if a == agency and n <= reach
            for name in zipfile.ZipFile(path).namelist()[2:]
        ]
        got = [name for name in applied() if name.startswith(agency)]
        assert sorted(got) == sorted(f.removeprefix("data/") for f in expected)
        numbers = [int(name.split("-")[1]) for name in got]
        assert numbers == sorted(numbers), "in order"
        assert missing(agency, using="intake") == [
            n for n in range(1, max(arrived[agency], default=0)) if n not in arrived[agency]
        ]
    left = DeliveryFile.objects.using("intake").exclude(store="").count()
    assert left == len(laid_down())


# ---- the command --------------------------------------------------------------------------------


def _run(*words: str) -> dict:  # type: ignore[type-arg]
    out = io.StringIO()
    call_command(*words, "--json", stdout=out)
    return json.loads(out.getvalue())


def test_the_command_from_key_to_receipt(database, tmp_path, monkeypatch):
    agreements()
    monkeypatch.setenv("KEY_WORD", "correct horse")
    key, out = tmp_path / "hr.pem", tmp_path / "b1.zip"
    made = _run("bundle", "key", str(key), "--password-env", "KEY_WORD")
    assert key.stat().st_mode & 0o777 == 0o600 and b"ENCRYPTED" in key.read_bytes()
    with pytest.raises(CommandError, match="已存在"):
        _run("bundle", "key", str(key))
    end = str(TODAY + timedelta(days=900))
    start = str(TODAY - timedelta(days=900))
    with pytest.raises(CommandError, match="没有报送单位"):
        _run("bundle", "register-key", "nobody", made["public"], "--holder", "示例", "--to", end)
    with pytest.raises(CommandError, match="不是 PEM"):
        _run("bundle", "register-key", HR, __file__, "--holder", "示例", "--to", end)
    held = _run(
        "bundle", "register-key", HR, made["public"], "--holder", "示例", "--from", start, "--to", end
    )
    assert held["fingerprint"] == made["fingerprint"] == _run("bundle", "keys")[0]["fingerprint"]
    (tmp_path / "9.csv").write_bytes(payments(1, 2))
    words = [
        "--agency",
        HR,
        "--key",
        str(key),
        "--password-env",
        "KEY_WORD",
        "--file",
        f"{PAY}={tmp_path / '9.csv'}",
    ]
    _run("bundle", "pack", str(out), "--sequence", "1", *words)
    with pytest.raises(CommandError, match="应为 2"):
        _run("bundle", "pack", str(tmp_path / "b3.zip"), "--sequence", "3", "--after", str(out), *words)
    receipt_file = tmp_path / "receipt.json"
    taken = _run("bundle", "open", str(out))
    assert taken["first"] and not taken["final"]
    work(HR)
    again = _run("bundle", "receive", str(out), "--receipt", str(receipt_file))
    assert not again["first"] and again["final"] and again["totals"]["received"] == 2
    number = str(int(again["number"].removeprefix("交-")))
    _run("bundle", "receipt", number, "--out", str(tmp_path / "r2.json"))
    with pytest.raises(CommandError, match="没有第 99 号"):
        _run("bundle", "receipt", "99", "--out", str(tmp_path / "r3.json"))
    assert receipts.verified(receipt_file.read_bytes(), signing.trusted(Path(_signing_key())))["digest"]
    assert _run("bundle", "status", HR)["missing"] == {HR: []}
    _run("bundle", "revoke-key", made["fingerprint"], "--reason", "示例")
    assert "吊销" in _run("bundle", "keys")[0]["fault"]
    assert _run("bundle", "skip", HR, "--through", "2", "--reason", "示例")["declared"] == [2]
