"""PayPal and Epay by software that is not ours. Notices are held against `dispense gateway test`: paypalrestsdk forms the
message of an event (the RSA signature is OpenSSL's, the certificates are made here), epay-sdk signs callbacks. The other
way round epay-sdk verifies what the demo shop signs when it starts a payment.

paypal_and_epay.py PROGRAM [ADDRESS DATA]"""

import base64
import datetime
import json
import secrets
import subprocess
import sys
import tempfile
import urllib.error
import urllib.parse
import urllib.request

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.oid import NameOID
from epay_sdk import EPayClient, EPayConfig
from paypalrestsdk import WebhookEvent

NOW = 1_800_000_000
program = sys.argv[1]


def certificate(name, key, issuer, issuer_key, ca):
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    today = datetime.datetime.fromtimestamp(NOW, datetime.timezone.utc)
    built = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer or subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(today - datetime.timedelta(days=1))
        .not_valid_after(today + datetime.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
    )
    made = built.sign(issuer_key, hashes.SHA256())
    return made, made.public_bytes(serialization.Encoding.PEM).decode()


def paypal():
    root_key, key = (rsa.generate_private_key(public_exponent=65537, key_size=2048) for _ in range(2))
    root, root_pem = certificate("interop root", root_key, None, root_key, True)
    _, pem = certificate("messageverificationcerts.paypal.com", key, root.subject, root_key, False)
    webhook, url, time = "8PT597110X687430L", "https://api.paypal.com/v1/notifications/certs/CERT-interop", "2027-01-15T07:59:57Z"
    resource = {
        "id": "CAP1", "status": "COMPLETED", "amount": {"currency_code": "USD", "value": "9.90"}, "custom_id": "D1",
        "payee": {"merchant_id": "M1"}, "note_to_payer": "充值卡 🎮",
    }
    order = {"order_no": "D1", "amount_minor": 990, "currency": "USD"}

    def case(name, expect, signed_for=webhook, change=lambda body: body):
        event = {"id": "WH-" + name, "event_type": "PAYMENT.CAPTURE.COMPLETED", "create_time": time, "resource": resource}
        body = json.dumps(event, ensure_ascii=False)
        message = WebhookEvent._get_expected_sig("T-" + name, time, signed_for, body)
        signature = base64.b64encode(key.sign(message.encode(), padding.PKCS1v15(), hashes.SHA256())).decode()
        headers = {
            "PAYPAL-TRANSMISSION-ID": "T-" + name, "PAYPAL-TRANSMISSION-TIME": time, "PAYPAL-TRANSMISSION-SIG": signature,
            "PAYPAL-CERT-URL": url, "PAYPAL-AUTH-ALGO": "SHA256withRSA",
        }
        return {"name": name, "headers": headers, "body": change(body), "now": NOW, "expect": expect, "order": order, "meaning": None}

    config = {"webhook_id": webhook, "payee_merchant_id": "M1", "trust_root_pem": root_pem, "certs_by_url": {url: pem}}
    cases = [
        case("genuine", "accept"),
        case("for_another_webhook", "reject", signed_for="SOMEBODY"),
        case("of_the_simulator", "reject", signed_for="WEBHOOK_ID"),
        case("changed", "reject", change=lambda body: body.replace("9.90", "0.01")),
    ]
    return {"gateway": "paypal", "config": config, "cases": cases}


def epay():
    key = "k9XvT2mQ7wLs4RbN8cJf5HdG1pZaYe3U"
    ours, theirs = (EPayClient(EPayConfig(pid="1001", key=k, base_url="https://pay.example/")) for k in (key, key[::-1]))

    def case(name, expect, client=ours, change=lambda fields: fields, **more):
        fields = {
            "pid": "1001", "trade_no": "T1", "out_trade_no": "D1", "type": "alipay", "name": "充值卡 A+B & 100%",
            "money": "9.9", "trade_status": "TRADE_SUCCESS", "param": "", **more,
        }
        fields = change({**fields, "sign": client.sign(fields), "sign_type": "MD5"})
        return {
            "name": name, "method": "GET", "query": urllib.parse.urlencode(fields), "headers": {}, "body": "", "now": NOW,
            "expect": expect, "order": {"order_no": "D1", "amount_minor": 990, "currency": "CNY"}, "meaning": None,
        }

    cases = [
        case("genuine", "accept"),
        case("with_more_fields", "accept", addtime="2027-01-15 15:58:00", buyer="0"),
        case("by_another_key", "reject", client=theirs),
        case("changed", "reject", change=lambda fields: {**fields, "money": "9.8"}),
    ]
    return {"gateway": "epay_v1", "config": {"pid": "1001", "key": key}, "cases": cases}


failed = 0
for title, file in (("paypalrestsdk", paypal()), ("epay-sdk", epay())):
    with tempfile.NamedTemporaryFile("w", suffix=".json") as written:
        json.dump(file, written)
        written.flush()
        ran = subprocess.run([program, "gateway", "test", written.name], capture_output=True, text=True)
    print(f"  {title}: {ran.stdout.strip().splitlines()[-1] if ran.stdout else ran.stderr.strip()}")
    if ran.returncode:
        failed = 1
        print(ran.stdout + ran.stderr)


def ask(address, query, variables):
    body = json.dumps({"query": query, "variables": variables}).encode()
    request = urllib.request.Request(f"{address}/graphql", body, {"content-type": "application/json"})
    answer = json.load(urllib.request.urlopen(request))
    if answer.get("errors"):
        raise SystemExit(f"interop: {answer['errors']}")
    return answer["data"]


class Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_):
        return None


def started(address, gateway):
    """The signed fields with which the shop sends a buyer to this gateway; none when the shop has no such account."""
    product = ask(address, 'query { product(by: {slug: "stargazer-pro"}) { variants { id } } }', {})["product"]
    lines = [{"key": "1", "variantId": product["variants"][0]["id"], "quantity": 1}]
    quote = ask(
        address,
        "query($in: QuoteInput!) { quote(input: $in) { token total { amount currency } paymentMethods { id gateway } } }",
        {"in": {"lines": lines, "currency": "CNY"}},
    )["quote"]
    method = next((m["id"] for m in quote["paymentMethods"] if m["gateway"] == gateway), None)
    if method is None:
        return None
    placed = ask(
        address,
        "mutation($in: OrderPlaceInput!) { orderPlace(input: $in) { payment { action { hostedUrl } } userErrors { message } } }",
        {"in": {
            "idempotencyKey": f"interop-{gateway}-{secrets.token_hex(12)}",
            "lines": lines, "email": "ada@buyer.example", "currency": "CNY", "expectedTotal": quote["total"]["amount"],
            "quoteToken": quote["token"], "start": {"methodId": method, "accepts": ["REDIRECT"]},
        }},
    )["orderPlace"]
    opener = urllib.request.build_opener(Stay)
    try:
        opener.open(placed["payment"]["action"]["hostedUrl"])
    except urllib.error.HTTPError as redirect:
        query = urllib.parse.urlparse(redirect.headers["location"]).query
        return dict(urllib.parse.parse_qsl(query, keep_blank_values=True, strict_parsing=True))
    raise SystemExit("interop: the shop sends nobody to the gateway")


def kept(folder, name):
    """A secret of the simulator, wherever in its file it stands."""
    def search(value):
        if isinstance(value, dict):
            return value.get(name) or next(filter(None, map(search, value.values())), None)
        return None

    with open(f"{folder}/sandbox.json") as file:
        return search(json.load(file))


if len(sys.argv) > 3:
    address, folder = sys.argv[2:4]
    fields = started(address, "epay_v1")
    if fields is not None:
        client = EPayClient(EPayConfig(pid=fields["pid"], key=kept(folder, "epay_v1_key"), base_url="https://pay.example/"))
        good = client.verify_sign(fields) and not client.verify_sign({**fields, "money": "0.01"})
        failed |= not good
        print(f"  {'ok  ' if good else 'FAIL'} epay-sdk verifies our request to submit.php: {fields['money']} CNY")
sys.exit(failed)
