#!/usr/bin/env python3
"""How to call Suanpan with nothing but Python's standard library.

Sign a request, verify its answer, verify a notification:

    export SUANPAN_URL=http://127.0.0.1:8080 SUANPAN_KEY_ID=mall-1 SUANPAN_SECRET_FILE=keys/mall-1.secret
    python3 suanpan.py call POST /v1/platforms/9001/orders '{"order_no": "A-1", ...}'
    python3 suanpan.py notification ID TIMESTAMP SIGNATURE < body

The scheme (HMAC-SHA256 here; a private key signs the same bytes):

    request       METHOD \\n path?query \\n timestamp \\n nonce \\n body \\n
    answer        status \\n timestamp \\n nonce of the request \\n body \\n
    notification  id . timestamp . body
"""

import base64
import hashlib
import hmac
import os
import secrets
import sys
import time
import urllib.error
import urllib.request

WINDOW_S = 300


class NotBelieved(Exception):
    """An answer or a notification that nobody known has signed."""


class Suanpan:
    """Calls the engine with a secret that both sides hold."""

    def __init__(self, url: str, key_id: str, secret: str):
        self.url = url.rstrip("/")
        self.key_id = key_id
        self.secret = secret.strip().encode()

    def signature(self, message: bytes) -> str:
        return base64.b64encode(hmac.new(self.secret, message, hashlib.sha256).digest()).decode()

    def call(self, method: str, target: str, body: bytes = b"") -> tuple[int, bytes]:
        """Sends a request; status and body of the verified answer."""
        timestamp, nonce = str(int(time.time())), secrets.token_hex(16)
        head = f"{method}\n{target}\n{timestamp}\n{nonce}\n".encode()
        headers = {
            "Suanpan-Key-Id": self.key_id,
            "Suanpan-Timestamp": timestamp,
            "Suanpan-Nonce": nonce,
            "Suanpan-Signature": self.signature(head + body + b"\n"),
        }
        if body:
            headers["Content-Type"] = "application/json"
        request = urllib.request.Request(self.url + target, data=body or None, headers=headers, method=method)
        try:
            answer = urllib.request.urlopen(request, timeout=30)
        except urllib.error.HTTPError as refusal:
            answer = refusal
        with answer:
            content = answer.read()
            self.verify_answer(answer.status, answer.headers, nonce, content)
            return answer.status, content

    def verify_answer(self, status: int, headers, nonce: str, body: bytes) -> None:
        """Believes an answer only if it was signed with the same secret, lately, and for this request."""
        if headers.get("Suanpan-Key-Id") != self.key_id:
            raise NotBelieved(f"the answer ({status}) is not signed with {self.key_id}")
        if headers.get("Suanpan-Nonce") != nonce:
            raise NotBelieved("the answer is to another request")
        timestamp = headers.get("Suanpan-Timestamp", "")
        self.verify_time(timestamp)
        message = f"{status}\n{timestamp}\n{nonce}\n".encode() + body + b"\n"
        if not hmac.compare_digest(self.signature(message), headers.get("Suanpan-Signature", "")):
            raise NotBelieved("the answer's signature does not fit")

    def verify_notification(self, notification_id: str, timestamp: str, signature: str, body: bytes) -> None:
        """Believes a notification only if it was signed with the same secret, lately. `body` is as it came."""
        self.verify_time(timestamp)
        if "." in notification_id or "\n" in notification_id:
            raise NotBelieved("the notification's id has another form")
        message = f"{notification_id}.{timestamp}.".encode() + body
        if not hmac.compare_digest(self.signature(message), signature):
            raise NotBelieved("the notification's signature does not fit")

    @staticmethod
    def verify_time(timestamp: str) -> None:
        if not timestamp.isdigit() or abs(time.time() - int(timestamp)) > WINDOW_S:
            raise NotBelieved("it was signed at another time")


def main(arguments: list[str]) -> int:
    with open(os.environ["SUANPAN_SECRET_FILE"], encoding="ascii") as file:
        secret = file.read()
    suanpan = Suanpan(os.environ.get("SUANPAN_URL", ""), os.environ["SUANPAN_KEY_ID"], secret)
    try:
        match arguments:
            case ["call", method, target, *body]:
                status, content = suanpan.call(method, target, "".join(body).encode())
                print(content.decode())
                return 22 if status >= 400 else 0
            case ["notification", notification_id, timestamp, signature]:
                suanpan.verify_notification(notification_id, timestamp, signature, sys.stdin.buffer.read())
                print("verified")
                return 0
            case _:
                print(__doc__, file=sys.stderr)
                return 2
    except NotBelieved as fault:
        print(fault, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
