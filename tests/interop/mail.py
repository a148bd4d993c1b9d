"""The shop's mails by software that is not ours. PyPI's aiosmtpd takes the mail of a purchase, Python's email package reads
both of its parts, and PyPI's dkimpy verifies its signature, of RSA and of Ed25519; then Debian's smtp-sink takes one.

mail.py PROGRAM FOLDER"""

import base64
import email
import email.policy
import html.parser
import json
import pathlib
import secrets
import socket
import subprocess
import sys
import time
import urllib.request

import dkim
from aiosmtpd.controller import Controller
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa

program, folder = sys.argv[1], pathlib.Path(sys.argv[2])
failed = 0


def told(good, text):
    global failed
    failed |= not good
    print(f"  {'ok  ' if good else 'FAIL'} {text}")


class Inbox:
    """Keeps what aiosmtpd is given."""

    def __init__(self):
        self.mails = []

    async def handle_DATA(self, server, session, envelope):
        self.mails.append((envelope.rcpt_tos, envelope.original_content))
        return "250 kept"


class Words(html.parser.HTMLParser):
    """What a page says, and the tags that say it."""

    def __init__(self):
        super().__init__()
        self.words, self.tags = [], []

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)

    def handle_data(self, data):
        self.words.append(data)


class Shop:
    """A demo shop whose mails go to a server at `port`."""

    def __init__(self, name, port, settings):
        data = folder / name
        data.mkdir()
        (data / "dispense.toml").write_text(
            f'[mail]\nurl = "smtp://127.0.0.1:{port}?tls=none"\nfrom = "Stargazer <shop@shop.example>"\n{settings}')
        command = [program, "serve", "--demo", "--sandbox", "--listen", "127.0.0.1:0", "--data", str(data / "data"),
                   "--config", str(data / "dispense.toml")]
        self.process = subprocess.Popen(command, cwd=data, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.address = self.sandbox = None
        for line in self.process.stdout:
            if line.startswith("sandbox on "):
                self.sandbox = line.removeprefix("sandbox on ").strip()
            if line.startswith("listening on "):
                self.address = line.removeprefix("listening on ").strip()
                break
        if not self.address:
            raise SystemExit(f"mail: the shop {name} did not start")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(60)

    def ask(self, query, variables=None):
        body = json.dumps({"query": query, "variables": variables or {}}).encode()
        request = urllib.request.Request(f"{self.address}/graphql", body, {"content-type": "application/json"})
        with urllib.request.urlopen(request, timeout=30) as answer:
            answer = json.load(answer)
        if answer.get("errors"):
            raise SystemExit(f"mail: {answer['errors']}")
        return answer["data"]

    def buy(self, address):
        """Buys a key and pays at the simulator; the key as the order page shows it."""
        product = self.ask('{ product(by: { slug: "stargazer-pro" }) { variants { id } } }')["product"]
        lines = [{"key": "1", "variantId": product["variants"][0]["id"], "quantity": 1}]
        quote = self.ask("query ($in: QuoteInput!) { quote(input: $in) { token total { amount } "
                         "paymentMethods { id gateway available } } }", {"in": {"lines": lines, "currency": "USD"}})["quote"]
        method = next(m for m in quote["paymentMethods"] if m["gateway"] == "generic" and m["available"])
        placed = self.ask(
            "mutation ($in: OrderPlaceInput!) { orderPlace(input: $in) { accessToken order { number lines { id } } "
            "payment { action { ... on RedirectAction { url } } } userErrors { message } paymentErrors { message } } }",
            {"in": {"lines": lines, "currency": "USD", "email": address, "quoteToken": quote["token"],
                    "expectedTotal": quote["total"]["amount"], "idempotencyKey": f"interop-mail-{secrets.token_hex(12)}",
                    "start": {"methodId": method["id"], "accepts": ["REDIRECT"]}}})["orderPlace"]
        payment = placed["payment"]["action"]["url"].split("?")[0].rsplit("/", 1)[1]
        pay = urllib.request.Request(
            f"{self.sandbox}/sandbox/payments/{payment}/pay", b"{}", {"content-type": "application/json"})
        with urllib.request.urlopen(pay, timeout=30):
            pass
        reveal = ("mutation ($line: ID!, $t: String) { deliveryReveal(input: { target: { lineId: $line }, accessToken: $t }) "
                  "{ secrets { text } userErrors { code } } }")
        for _ in range(150):
            shown = self.ask(reveal, {"line": placed["order"]["lines"][0]["id"], "t": placed["accessToken"]})
            if shown["deliveryReveal"]["secrets"]:
                return shown["deliveryReveal"]["secrets"][0]["text"]
            time.sleep(0.2)
        raise SystemExit("mail: paid and not delivered")


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def wait(for_what):
    for _ in range(300):
        found = for_what()
        if found:
            return found
        time.sleep(0.2)
    return None


def read(raw, key, address):
    """Both parts, as Python's email package reads them."""
    mail = email.message_from_bytes(raw, policy=email.policy.default)
    told(mail.get_content_type() == "multipart/alternative" and not mail.defects, "a mail of two parts, without defects")
    told(mail["To"] == address and mail["Auto-Submitted"] == "auto-generated", "its recipient, and that nobody typed it")
    told(bool(mail["Message-ID"]) and bool(mail["Date"]), f"its Message-ID {mail['Message-ID']}")
    plain, page = mail.get_body(("plain",)).get_content(), mail.get_body(("html",)).get_content()
    words = Words()
    words.feed(page)
    told(f"  Key: {key}\n" in plain.replace("\r\n", "\n"), "the key in the plain text")
    told(key in "".join(words.words), "the key on the page")
    told("script" not in words.tags and "img" not in words.tags, "nothing on the page that runs or is loaded")


def signed(name, key, public):
    """A purchase whose mail is signed by this key."""
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    inbox = Inbox()
    port = free_port()
    server = Controller(inbox, hostname="127.0.0.1", port=port)
    server.start()
    settings = f'dkim_domain = "shop.example"\ndkim_selector = "s1"\ndkim_key = """\n{pem.decode()}"""\n'
    try:
        with Shop(name, port, settings) as shop:
            bought = shop.buy("ada@buyer.example")
            found = wait(lambda: [raw for to, raw in inbox.mails if to == ["ada@buyer.example"]])
            told(bool(found), f"{name}: aiosmtpd has the mail")
            if not found:
                return
            raw = found[-1]
            read(raw, bought, "ada@buyer.example")
            record = f"v=DKIM1; k={name}; p={public}".encode()
            asked = []

            def dns(query, timeout=5):
                asked.append(query)
                return record

            told(dkim.verify(raw, dnsfunc=dns) and asked == [b"s1._domainkey.shop.example."], "dkimpy believes its signature")
            told(not dkim.verify(raw.replace(b"Subject: ", b"Subject: x", 1), dnsfunc=dns), "and none of a changed subject")
    finally:
        server.stop()


def sink():
    """Debian's smtp-sink takes the mail and writes it into a file."""
    port = free_port()
    place = folder / "sink"
    place.mkdir()
    place.chmod(0o777)
    process = subprocess.Popen(["smtp-sink", "-u", "nobody", "-R", str(place), "-d", "mail-%M", f"127.0.0.1:{port}", "10"])
    try:
        with Shop("plain", port, "") as shop:
            key = shop.buy("ada@buyer.example")
            found = wait(lambda: [p for p in place.iterdir() if b"ada@buyer.example" in p.read_bytes()])
            told(bool(found), "smtp-sink has the mail")
            if found:
                raw = found[0].read_bytes()
                # smtp-sink writes lines of its own before the mail.
                read(raw[raw.index(b"From: "):], key, "ada@buyer.example")
    finally:
        process.terminate()
        process.wait(30)


rsa_key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
rsa_public = rsa_key.public_key().public_bytes(
    serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
signed("rsa", rsa_key, base64.b64encode(rsa_public).decode())
small_key = ed25519.Ed25519PrivateKey.generate()
small_public = small_key.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
signed("ed25519", small_key, base64.b64encode(small_public).decode())
sink()
sys.exit(failed)
