// What alipay_and_wechatpay.py captured of the shop's calls, verified by npm's alipay-sdk (official) and wechatpay-axios-plugin; and
// WeChat notices that the latter signs and seals, held against `dispense gateway test`.
//
// alipay_and_wechatpay.mjs PROGRAM FILE
import { execFileSync } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { AlipaySdk } from 'alipay-sdk';
import wechatpay from 'wechatpay-axios-plugin';

const { Aes, Formatter, Rsa } = wechatpay;
const [program, file] = process.argv.slice(2);
const captured = JSON.parse(readFileSync(file, 'utf8'));
let failed = 0;

function told(good, text) {
  failed += !good;
  console.log(`  ${good ? 'ok  ' : 'FAIL'} ${text}`);
}

const bare = (pem) => pem.split('\n').filter((line) => !line.startsWith('---')).join('');
const { privateKey: unused } = generateKeyPairSync('rsa', { modulusLength: 2048, privateKeyEncoding: { type: 'pkcs1', format: 'pem' }, publicKeyEncoding: { type: 'spki', format: 'pem' } });
// Its check of a signed form tries with `sign_type` first, which is how requests are signed.
const alipay = new AlipaySdk({ appId: '2021000118601234', privateKey: unused, alipayPublicKey: bare(captured.public) });
for (const fields of captured.alipay) {
  const changed = { ...fields, timestamp: '2000-01-01 00:00:00' };
  told(alipay.checkNotifySignV2(fields) && !alipay.checkNotifySignV2(changed), `npm alipay-sdk verifies our ${fields.method}`);
}
for (const { method, path, body, authorization } of captured.wechatpay) {
  const value = (name) => authorization.match(new RegExp(`${name}="([^"]*)"`))[1];
  const text = Formatter.request(method, path, value('timestamp'), value('nonce_str'), body);
  told(Rsa.verify(text, value('signature'), captured.public), `npm wechatpay-axios-plugin verifies our ${method} ${path}`);
  const built = Formatter.authorization(captured.mchid, value('nonce_str'), value('signature'), value('timestamp'), value('serial_no'));
  const parts = (header) => header.replace(/^\S+ /, '').split(',').sort().join();
  told(parts(built) === parts(authorization), 'the header holds what wechatpay-axios-plugin would write');
}

const platform = generateKeyPairSync('rsa', { modulusLength: 2048, privateKeyEncoding: { type: 'pkcs8', format: 'pem' }, publicKeyEncoding: { type: 'spki', format: 'pem' } });
const [key, id, now] = ['0123456789abcdefghijklmnopqrstuv', 'PUB_KEY_ID_1', 1_800_000_000];
function notice(name, expect, { total = 990, change = (body) => body, seal = key } = {}) {
  const inner = JSON.stringify({
    mchid: '1900009191', appid: 'wx1', out_trade_no: 'D1', transaction_id: 'T1', trade_state: 'SUCCESS', attach: '充值卡 🎮',
    amount: { total, payer_total: 1, currency: 'CNY' },
  });
  const ciphertext = Aes.AesGcm.encrypt(inner, seal, 'twelve bytes', 'transaction');
  const body = JSON.stringify({
    id: name, event_type: 'TRANSACTION.SUCCESS', resource_type: 'encrypt-resource', summary: '支付成功',
    resource: { algorithm: 'AEAD_AES_256_GCM', nonce: 'twelve bytes', associated_data: 'transaction', ciphertext },
  });
  const headers = {
    'Wechatpay-Timestamp': String(now), 'Wechatpay-Nonce': 'n', 'Wechatpay-Serial': id,
    'Wechatpay-Signature': Rsa.sign(Formatter.response(now, 'n', body), platform.privateKey),
  };
  const order = { order_no: 'D1', amount_minor: 990, currency: 'CNY' };
  return { name, headers, body: change(body), now, expect, order, meaning: null };
}
const vectors = {
  gateway: 'wechatpay',
  config: { mchid: '1900009191', appid: 'wx1', api_v3_key: key, platform_public_keys: { [id]: platform.publicKey } },
  cases: [
    notice('genuine', 'accept'),
    notice('changed', 'reject', { change: (body) => body.replace('TRANSACTION', 'TRANSACTI0N') }),
    notice('too_little', 'reject', { total: 989 }),
    notice('sealed_for_another', 'reject', { seal: key.toUpperCase() }),
  ],
};
const written = `${file}.vectors`;
writeFileSync(written, JSON.stringify(vectors));
try {
  told(true, execFileSync(program, ['gateway', 'test', written]).toString().trim().split('\n').at(-1));
} catch (error) {
  told(false, `${error.stdout}`);
}
process.exit(failed === 0 ? 0 : 1);
