#!/usr/bin/env python3
"""Sample client of the agencies' interface (Python 3.9 or later, standard library alone).

    export AGENCY_URL=https://front.example AGENCY_KEY=… AGENCY_SECRET=…      (key and secret as they were given, secret in hex)
    python3 agency.py list [updated_since]
    python3 agency.py read NUMBER
    python3 agency.py records NUMBER FILE
    python3 agency.py acknowledge NUMBER
    python3 agency.py answer NUMBER CODE TEXT [FILE …]
    python3 agency.py feeds
    python3 agency.py push FEED FILE
    python3 agency.py delivery ID
    python3 agency.py subscribe URL | unsubscribe | subscription
    python3 agency.py listen PORT [ADDRESS]           (a receiver: checks the signature and prints what changed)

Free to copy into an agency's own system. Exit code 0 only when it was done.
"""

import hashlib
import hmac
import http.server
import json
import os
import secrets
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

URL = os.environ["AGENCY_URL"].rstrip("/")
KEY, SECRET = os.environ["AGENCY_KEY"], bytes.fromhex(os.environ["AGENCY_SECRET"])
#: HMAC-SM3 where this machine's OpenSSL has SM3, else HMAC-SHA256
ALGORITHM, DIGEST = (
    ("HMAC-SM3", "sm3") if "sm3" in hashlib.algorithms_available else ("HMAC-SHA256", "sha256")
)


def ask(method, path, body=b"", headers=None):
    """(headers, body) of the answer; raises ``HTTPError`` with the problem to read."""
    stamp, nonce = str(int(time.time() * 1000)), secrets.token_hex(12)
    digest = hashlib.sha256(body).hexdigest()
    text = "\n".join([method, path, digest, stamp, nonce]).encode()
    signed = {
        "X-App-Key": KEY,
        "X-Timestamp": stamp,
        "X-Nonce": nonce,
        "X-Content-SHA256": digest,
        "X-Signature-Alg": ALGORITHM,
        "X-Signature": hmac.new(SECRET, text, DIGEST).hexdigest(),
    }
    request = urllib.request.Request(
        URL + path, body if method != "GET" else None, {**signed, **(headers or {})}, method=method
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        return answer.headers, answer.read()


def post_once(path, body, headers, method="POST"):
    """A request that may be tried again: under one key it is done once, whatever is lost on the way."""
    key = secrets.token_hex(16)
    said = {"Idempotency-Key": key, **headers}
    for attempt in range(4):
        try:
            return ask(method, path, body, said)
        except urllib.error.HTTPError as error:
            if error.code not in (429, 503):
                raise
            time.sleep(int(error.headers.get("Retry-After", 5)))
        except urllib.error.URLError:
            time.sleep(2**attempt)
    return ask(method, path, body, said)


def place(number, verb=""):
    return "/api/v1/received/" + urllib.parse.quote(number, safe="") + (f"/{verb}" if verb else "")


def read(number):
    headers, body = ask("GET", place(number))
    return headers["ETag"], json.loads(body)


def every(updated_since=None):
    """Everything received, or what has changed since; page by page."""
    query = {"updated_since": updated_since} if updated_since else {}
    while True:
        page = json.loads(
            ask("GET", "/api/v1/received" + (f"?{urllib.parse.urlencode(query)}" if query else ""))[1]
        )
        yield from page["items"]
        if page["next_cursor"] is None:
            return
        query["cursor"] = page["next_cursor"]


def hand_in(path, file):
    headers = {"Content-Type": "application/octet-stream", "X-File-Name": urllib.parse.quote(file.name)}
    return json.loads(post_once(path, file.read_bytes(), headers)[1])


class Receiver(http.server.BaseHTTPRequestHandler):
    """Takes calls: first the signature and the time, then one line on stdout; what changed is read at its path."""

    seen = set()

    def do_POST(self):
        body = self.rfile.read(min(int(self.headers.get("Content-Length", 0)), 65536))
        head = self.headers.get
        digest = hashlib.sha256(body).hexdigest()
        text = "\n".join(["POST", self.path, digest, head("X-Timestamp", ""), head("X-Nonce", "")]).encode()
        kind = {"HMAC-SM3": "sm3", "HMAC-SHA256": "sha256"}.get(head("X-Signature-Alg"), DIGEST)
        fits = hmac.compare_digest(hmac.new(SECRET, text, kind).hexdigest(), head("X-Signature", ""))
        stamp = head("X-Timestamp", "")
        fresh = stamp.isdigit() and abs(time.time() - int(stamp) / 1000) < 300
        self.send_response(204 if fits and fresh else 401)
        self.end_headers()
        if fits and fresh and head("X-Webhook-Id") not in self.seen:
            self.seen.add(head("X-Webhook-Id"))
            said = json.loads(body)
            print(said["event"], said["kind"], said["number"], said["state"], flush=True)

    def log_message(self, *_):
        pass


def main(verb, *words):
    if verb == "list":
        for one in every(*words):
            print(one["number"], one["kind"], one["state"], one["due_on"], one["subject"])
    elif verb == "read":
        print(json.dumps(read(*words)[1], ensure_ascii=False, indent=1))
    elif verb == "records":
        Path(words[1]).write_bytes(ask("GET", place(words[0], "records"))[1])
    elif verb == "acknowledge":
        tag, _ = read(words[0])
        json_in = {"Content-Type": "application/json", "If-Match": tag}
        print(json.loads(post_once(place(words[0], "acknowledge"), b"{}", json_in)[1])["state"])
    elif verb == "answer":
        number, code, text, *files = words
        held = [hand_in(place(number, "files"), Path(file))["id"] for file in files]
        tag, _ = read(number)
        json_in = {"Content-Type": "application/json", "If-Match": tag}
        body = json.dumps({"answer": code, "text": text, "files": held}).encode()
        done = json.loads(post_once(place(number, "answer"), body, json_in)[1])
        print(done["state"], *[file["name"] for file in done["answer_files"]])
    elif verb == "feeds":
        for one in json.loads(ask("GET", "/api/v1/feeds")[1])["items"]:
            print(one["code"], one["state"], one["covers_until"], one["expected_by"])
    elif verb == "push":
        print(json.dumps(hand_in(f"/api/v1/feeds/{words[0]}/files", Path(words[1])), ensure_ascii=False))
    elif verb == "delivery":
        print(ask("GET", f"/api/v1/deliveries/{words[0]}")[1].decode())
    elif verb == "subscription":
        print(ask("GET", "/api/v1/webhook")[1].decode())
    elif verb in ("subscribe", "unsubscribe"):
        wanted = {"url": words[0], "algorithm": ALGORITHM} if verb == "subscribe" else {}
        method, json_in = "PUT" if wanted else "DELETE", {"Content-Type": "application/json"}
        print(
            json.loads(post_once("/api/v1/webhook", json.dumps(wanted).encode(), json_in, method)[1])["state"]
        )
    elif verb == "listen":
        http.server.HTTPServer(
            (words[1] if words[1:] else "127.0.0.1", int(words[0])), Receiver
        ).serve_forever()
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    try:
        main(*sys.argv[1:])
    except urllib.error.HTTPError as error:
        sys.exit(f"{error.code} {error.read().decode(errors='replace')}")
    except urllib.error.URLError as error:
        sys.exit(f"连接不上 / cannot connect: {error.reason}")
