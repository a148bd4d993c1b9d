// Chromium pays by Alipay in the sandbox: the shop's page draws the QR code, what it says leads to the simulator's page,
// a button pays, and the shop delivers. The picture of that page is the one of docs/SANDBOX.md.
import { mkdirSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium } from 'playwright-core';

const [shop] = process.argv.slice(2);
const images = new URL('../../docs/images/', import.meta.url).pathname;
mkdirSync(images, { recursive: true });

async function ask(query, variables) {
  const answer = await fetch(`${shop}/graphql`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ query, variables }) });
  const body = await answer.json();
  if (body.errors) throw new Error(JSON.stringify(body.errors));
  return body.data;
}

const { product } = await ask('{ product(by: { slug: "stargazer-pro" }) { variants { id } } }');
const lines = [{ key: '1', variantId: product.variants[0].id, quantity: 1 }];
const { quote } = await ask('query ($in: QuoteInput!) { quote(input: $in) { token total { amount } paymentMethods { id gateway available } } }', { in: { lines, currency: 'CNY' } });
const method = quote.paymentMethods.find((m) => m.gateway === 'alipay' && m.available);
if (!method) throw new Error('the shop offers no Alipay');
const input = {
  lines, currency: 'CNY', email: 'ada@buyer.example', quoteToken: quote.token, expectedTotal: quote.total.amount,
  idempotencyKey: `interop-sandbox-${Date.now()}-${Math.random()}`, start: { methodId: method.id, accepts: ['QR_CODE'] },
};
const { orderPlace } = await ask(`mutation ($in: OrderPlaceInput!) { orderPlace(input: $in) { accessToken order { number }
  payment { action { kind hostedUrl } } userErrors { message } paymentErrors { message } } }`, { in: input });
const { order, payment, accessToken } = orderPlace;
if (payment?.action?.kind !== 'QR_CODE') throw new Error(`no QR code: ${JSON.stringify(orderPlace)}`);

const browser = await chromium.launchPersistentContext(mkdtempSync(join(tmpdir(), 'dispense-chromium-')), {
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  headless: true,
  viewport: { width: 900, height: 760 },
  locale: 'en',
  args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
});
const page = await browser.newPage();
page.setDefaultTimeout(20_000);
try {
  await page.goto(payment.action.hostedUrl);
  const box = await page.locator('svg#qr').boundingBox();
  if (!box || box.width < 200) throw new Error('the QR code is not drawn');
  await page.locator('a.button').click();
  await page.locator('#state').waitFor();
  await page.locator('button#pay').click();
  await page.locator('#state', { hasText: 'paid' }).waitFor();
  const status = 'query ($n: String!, $t: String) { order(number: $n, accessToken: $t) { stage } }';
  for (let turn = 0; ; turn++) {
    const seen = await ask(status, { n: order.number, t: accessToken });
    if (seen.order.stage === 'DELIVERED') break;
    if (turn > 100) throw new Error(`paid and not delivered: ${seen.order.stage}`);
    await page.waitForTimeout(100);
  }
  await page.locator('button#forge-notice').click();
  await page.locator('button#refund-part').click();
  await page.locator('td', { hasText: 'given back' }).waitFor();
  await page.waitForTimeout(1_000);
  await page.reload();
  await page.screenshot({ path: `${images}sandbox.png` });
  console.log('Chromium: an Alipay payment by its QR code, paid and delivered');
} finally {
  await browser.close();
}
