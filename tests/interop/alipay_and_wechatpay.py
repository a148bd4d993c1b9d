"""Alipay and WeChat Pay by their official and well-known Python software. A gateway of a few lines takes a shop's calls:
alipay-sdk-python and wechatpayv3 verify what the shop signed, and sign what it is answered and notified of. What was
captured goes to a file, for alipay_and_wechatpay.mjs to verify once more with the npm packages.

alipay_and_wechatpay.py PROGRAM FOLDER"""

import base64
import http.server
import json
import pathlib
import secrets
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.parse

import urllib.request

from alipay.aop.api.util.SignatureUtils import get_sign_content, sign_with_rsa2, verify_with_rsa
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from wechatpayv3 import WeChatPay, WeChatPayType
from wechatpayv3.utils import build_authorization, rsa_sign, rsa_verify

program, folder = sys.argv[1], pathlib.Path(sys.argv[2])
APP, SELLER, MCHID, APPID = "2021000118601234", "2088621955701234", "1900009191", "wxd678efh567hg6787"
KEY_ID, API_KEY = "PUB_KEY_ID_0119000091912026010100000000000001", secrets.token_hex(16)
failed = 0


def told(good, text):
    global failed
    failed |= not good
    print(f"  {'ok  ' if good else 'FAIL'} {text}")


class Key:
    def __init__(self):
        self.key = rsa.generate_private_key(public_exponent=65537, key_size=2048)

    def _bare(self, pem):
        return "".join(line for line in pem.decode().splitlines() if not line.startswith("---"))

    def private(self, form=serialization.PrivateFormat.PKCS8):
        return self.key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())

    def pkcs1(self):
        return self._bare(self.private(serialization.PrivateFormat.TraditionalOpenSSL))

    def public(self):
        return self.key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)

    def bare(self):
        return self._bare(self.public())


ours, alipay, wechat = Key(), Key(), Key()
captured = {"alipay": [], "wechatpay": [], "public": ours.public().decode(), "mchid": MCHID}


def alipay_verifies(fields):
    signed = {name: value for name, value in fields.items() if name != "sign"}
    try:
        return verify_with_rsa(ours.bare(), get_sign_content(signed).encode(), fields["sign"])
    except Exception:
        return False


def wechat_signed(body):
    """The headers of an answer or a notice."""
    at, nonce = str(int(time.time())), secrets.token_hex(16)
    return {
        "Wechatpay-Timestamp": at, "Wechatpay-Nonce": nonce, "Wechatpay-Serial": KEY_ID,
        "Wechatpay-Signature": rsa_sign(wechat.key, f"{at}\n{nonce}\n{body}\n"),
        "Wechatpay-Signature-Type": "WECHATPAY2-SHA256-RSA2048", "Content-Type": "application/json",
    }


class Gateway(http.server.BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def answer(self, status, headers, body):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body.encode())))
        self.end_headers()
        self.wfile.write(body.encode())

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("content-length") or 0)).decode()
        if self.path.startswith("/gateway.do?"):
            query = self.path.partition("?")[2]
            fields = dict(urllib.parse.parse_qsl(f"{query}&{body}", keep_blank_values=True, strict_parsing=True))
            captured["alipay"].append(fields)
            told(alipay_verifies(fields), f"alipay-sdk-python verifies our call {fields['method']}")
            number = json.loads(fields["biz_content"])["out_trade_no"]
            inner = json.dumps({
                "code": "10000", "msg": "Success", "out_trade_no": number,
                "qr_code": "https://qr.alipay.com/中文",
            }, ensure_ascii=False).replace("/", "\\/")
            name = fields["method"].replace(".", "_") + "_response"
            sign = sign_with_rsa2(alipay.pkcs1(), inner, "utf-8")
            return self.answer(200, {}, f'{{"{name}":{inner},"sign":"{sign}"}}')
        self.take("POST", body)

    def do_GET(self):
        self.take("GET", "")

    def take(self, method, body):
        header = self.headers["authorization"]
        captured["wechatpay"].append({"method": method, "path": self.path, "body": body, "authorization": header})
        value = lambda name: header.split(f'{name}="')[1].split('"')[0]
        at, nonce, signature = value("timestamp"), value("nonce_str"), value("signature")
        # A request has two lines more than the message this function knows, in front.
        good = rsa_verify(f"{method}\n{self.path}\n{at}", nonce, body, signature, ours.key.public_key())
        told(good, f"wechatpayv3 verifies our call {method} {self.path}")
        built = build_authorization(self.path, method, MCHID, "0A1B2C3D", ours.key, body, nonce)
        told(built.split(" ")[0] == header.split(" ")[0] and built.count('="') == header.count('="'),
             "the header has the form that wechatpayv3 builds")
        text = json.dumps({"code_url": "weixin://wxpay/bizpayurl?pr=interop"})
        self.answer(200, wechat_signed(text), text)


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Gateway)
threading.Thread(target=server.serve_forever, daemon=True).start()
base = f"http://127.0.0.1:{server.server_port}"

config = folder / "played.toml"
config.write_text(f'''
[[accounts]]
id = "ali"
gateway = "alipay"
currencies = ["CNY"]
secrets = ["{alipay.bare()}"]
api_key = """{ours.private().decode()}"""
settings = {{ app_id = "{APP}", seller_id = "{SELLER}" }}
api_url = "{base}"
sandbox = true

[[accounts]]
id = "wx"
gateway = "wechatpay"
currencies = ["CNY"]
secrets = ["""{KEY_ID}:{wechat.public().decode()}"""]
api_key = """{ours.private().decode()}"""
decryption_key = "{API_KEY}"
settings = {{ mchid = "{MCHID}", appid = "{APPID}", serial_no = "0A1B2C3D" }}
api_url = "{base}"
sandbox = true
''')
log = open(folder / "played.log", "w")
shop = subprocess.Popen(
    [program, "serve", "--demo", "--config", str(config), "--listen", "127.0.0.1:0", "--data", str(folder / "played")],
    stdout=subprocess.PIPE, stderr=log, text=True, cwd=folder)


def ask(query, variables):
    body = json.dumps({"query": query, "variables": variables}).encode()
    request = urllib.request.Request(f"{address}/graphql", body, {"content-type": "application/json"})
    answer = json.load(urllib.request.urlopen(request))
    if answer.get("errors"):
        raise SystemExit(f"interop: {answer['errors']}")
    return answer["data"]


def place(gateway, accepts):
    product = ask('query { product(by: {slug: "stargazer-pro"}) { variants { id } } }', {})["product"]
    lines = [{"key": "1", "variantId": product["variants"][0]["id"], "quantity": 1}]
    quote = ask("query($in: QuoteInput!) { quote(input: $in) { token total { amount } paymentMethods { id gateway } } }",
                {"in": {"lines": lines, "currency": "CNY"}})["quote"]
    chosen = next(offered["id"] for offered in quote["paymentMethods"] if offered["gateway"] == gateway)
    placed = ask(
        """mutation($in: OrderPlaceInput!) { orderPlace(input: $in) { accessToken order { number }
           payment { action { kind hostedUrl ... on QrCodeAction { qrText } ... on RedirectAction { url } } } userErrors { code message } } }""",
        {"in": {
            "idempotencyKey": secrets.token_hex(16), "lines": lines, "email": "ada@buyer.example", "currency": "CNY",
            "expectedTotal": quote["total"]["amount"], "quoteToken": quote["token"],
            "start": {"methodId": chosen, "accepts": accepts},
        }})["orderPlace"]
    if placed["userErrors"]:
        raise SystemExit(f"interop: {placed['userErrors']}")
    return placed, quote["total"]["amount"]


def notify(account, body, headers):
    request = urllib.request.Request(f"{address}/webhooks/{account}", body.encode(), headers)
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def state(placed):
    return ask("query($n: String!, $t: String!) { order(number: $n, accessToken: $t) { state } }",
               {"n": placed["order"]["number"], "t": placed["accessToken"]})["order"]["state"]


def buy_by_alipay():
    placed, total = place("alipay", ["QR_CODE"])
    told(placed["payment"]["action"]["qrText"] == "https://qr.alipay.com/中文", "our program verifies an answer that alipay-sdk-python signed")
    page, _ = place("alipay", ["REDIRECT"])
    url = page["payment"]["action"]["url"]
    fields = dict(urllib.parse.parse_qsl(urllib.parse.urlparse(url).query, keep_blank_values=True, strict_parsing=True))
    captured["alipay"].append(fields)
    told(alipay_verifies(fields), f"alipay-sdk-python verifies our page {fields['method']}")
    now = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(time.time() + 8 * 3600))
    notice = {
        "notify_type": "trade_status_sync", "notify_id": secrets.token_hex(17), "notify_time": now, "charset": "utf-8",
        "version": "1.0", "app_id": APP, "auth_app_id": APP, "seller_id": SELLER, "trade_no": "2027" + secrets.token_hex(6),
        "out_trade_no": placed["order"]["number"].replace("-", "_"), "total_amount": total, "receipt_amount": "0.01",
        "subject": "充值卡 A+B & 100% ", "body": "", "trade_status": "TRADE_SUCCESS", "gmt_payment": now,
        "fund_bill_list": json.dumps([{"amount": total, "fundChannel": "PCREDIT"}]),
    }
    notice["sign"] = sign_with_rsa2(ours.pkcs1(), get_sign_content(notice), "utf-8")
    notice["sign_type"] = "RSA2"
    form = {"content-type": "application/x-www-form-urlencoded; charset=utf-8"}
    told(notify("ali", urllib.parse.urlencode(notice), form) == (400, "failure"), "a notice signed with the merchant's key is refused")
    unsigned = {name: value for name, value in notice.items() if not name.startswith("sign")}
    notice["sign"] = sign_with_rsa2(alipay.pkcs1(), get_sign_content(unsigned), "utf-8")
    told(notify("ali", urllib.parse.urlencode(notice), form) == (200, "success"), "a notice that alipay-sdk-python signed is taken")
    told(state(placed) == "PAID", "and pays the order")


def buy_by_wechat():
    placed, total = place("wechatpay", ["QR_CODE"])
    told(placed["payment"]["action"]["qrText"].startswith("weixin://"), "our program verifies an answer that wechatpayv3 signed")
    fen = int(total.replace(".", ""))
    inner = json.dumps({
        "mchid": MCHID, "appid": APPID, "out_trade_no": placed["order"]["number"], "transaction_id": "42" + secrets.token_hex(6),
        "trade_type": "NATIVE", "trade_state": "SUCCESS", "success_time": "2027-01-15T15:58:40+08:00", "attach": "🎮",
        "amount": {"total": fen, "payer_total": 1, "currency": "CNY", "payer_currency": "CNY"},
    }, ensure_ascii=False)
    nonce = secrets.token_hex(6)
    sealed = AESGCM(API_KEY.encode()).encrypt(nonce.encode(), inner.encode(), b"transaction")
    body = json.dumps({
        "id": secrets.token_hex(16), "create_time": "2027-01-15T15:59:52+08:00", "resource_type": "encrypt-resource",
        "event_type": "TRANSACTION.SUCCESS", "summary": "支付成功",
        "resource": {"algorithm": "AEAD_AES_256_GCM", "original_type": "transaction", "nonce": nonce,
                     "associated_data": "transaction", "ciphertext": base64.b64encode(sealed).decode()},
    }, ensure_ascii=False)
    headers = wechat_signed(body)
    theirs = WeChatPay(
        wechatpay_type=WeChatPayType.NATIVE, mchid=MCHID, private_key=ours.private().decode(), cert_serial_no="0A1B2C3D",
        apiv3_key=API_KEY, appid=APPID, public_key=wechat.public().decode(), public_key_id=KEY_ID)
    told((theirs.callback(headers, body) or {}).get("resource", {}).get("mchid") == MCHID, "wechatpayv3 believes the notice")
    told(notify("wx", body + " ", headers)[0] == 400, "and we refuse it with one space more")
    told(notify("wx", body, headers)[0] == 200, "we take it as it is")
    told(state(placed) == "PAID", "and it pays the order")


try:
    address = None
    for line in shop.stdout:
        if line.startswith("listening on "):
            address = line.removeprefix("listening on ").strip()
            break
    if address is None:
        raise SystemExit(f"interop: the shop did not start: {(folder / 'played.log').read_text()}")
    buy_by_alipay()
    buy_by_wechat()
finally:
    shop.terminate()
    shop.wait()
    server.shutdown()
(folder / "signed.json").write_text(json.dumps(captured, ensure_ascii=False))
print(f"Alipay and WeChat Pay: {'some differ' if failed else 'all as they should be'}")
sys.exit(failed)
