// Notices signed by other people's libraries, held against the shop's checks. Nobody's order is named, so a genuine
// notice is taken for one to be repeated later, and a forged one is refused as such: the counters tell them apart.
import { readFileSync } from 'node:fs';
import { Webhook } from 'standardwebhooks';
import Stripe from 'stripe';
import { execFileSync } from 'node:child_process';

const [shop, operators, data, python] = process.argv.slice(2);
const kept = JSON.parse(readFileSync(`${data}/sandbox.json`, 'utf8'));
let failed = 0;

async function send(name, account, headers, body, genuine) {
  const answer = await fetch(`${shop}/webhooks/${account}`, { method: 'POST', headers: { 'content-type': 'application/json', ...headers }, body });
  const text = await answer.text();
  const metrics = await (await fetch(`${operators}/metrics`)).text();
  const refused = [...metrics.matchAll(/^dispense_notices_refused_total\{[^}]*\} (\d+)/gm)].reduce((sum, m) => sum + Number(m[1]), 0);
  const grew = refused > send.refused;
  send.refused = refused;
  const right = genuine ? !grew : grew && answer.status >= 400;
  failed += !right;
  console.log(`  ${right ? 'ok  ' : 'FAIL'} ${name}: ${answer.status} ${text.slice(0, 60)}`);
}
send.refused = 0;

const stamp = new Date();
const generic = JSON.stringify({ type: 'payment.succeeded', timestamp: stamp.toISOString(), data: { order_no: 'DNOBODY1', trade_no: 'T1', amount_minor: 100, currency: 'USD', status: 'paid' } });
const standard = (id, secret) => ({ 'webhook-id': id, 'webhook-timestamp': String(Math.floor(stamp / 1000)), 'webhook-signature': new Webhook(secret).sign(id, stamp, generic) });
await send('npm standardwebhooks', 'sandbox-generic', standard('msg_npm', kept.generic_secret), generic, true);
await send('npm standardwebhooks, other secret', 'sandbox-generic', standard('msg_bad', `whsec_${Buffer.alloc(32, 1).toString('base64')}`), generic, false);

const event = JSON.stringify({ id: 'evt_npm', object: 'event', api_version: '2025-03-31.basil', created: Math.floor(stamp / 1000), livemode: false, type: 'checkout.session.completed',
  data: { object: { id: 'cs_test_npm', object: 'checkout.session', mode: 'payment', status: 'complete', client_reference_id: 'DNOBODY1', amount_total: 100, currency: 'usd', payment_status: 'paid', payment_intent: 'pi_npm', livemode: false, metadata: {} } } });
const stripe = new Stripe('sk_test_unused');
const signed = (secret) => ({ 'stripe-signature': stripe.webhooks.generateTestHeaderString({ payload: event, secret }) });
await send('npm stripe', 'sandbox-stripe', signed(kept.stripe_secret), event, true);
await send('npm stripe, other secret', 'sandbox-stripe', signed('whsec_other_other_other_other_1'), event, false);

const program = 'import sys,datetime\nfrom standardwebhooks import Webhook\nt=datetime.datetime.fromtimestamp(int(sys.argv[2]),tz=datetime.timezone.utc)\nprint(Webhook(sys.argv[1]).sign("msg_pypi",t,sys.stdin.read()))';
const signature = execFileSync(python, ['-c', program, kept.generic_secret, String(Math.floor(stamp / 1000))], { input: generic }).toString().trim();
await send('PyPI standardwebhooks', 'sandbox-generic', { ...standard('msg_pypi', kept.generic_secret), 'webhook-signature': signature }, generic, true);
console.log(failed === 0 ? 'notices: all as they should be' : `notices: ${failed} differ`);
process.exit(failed === 0 ? 0 : 1);
