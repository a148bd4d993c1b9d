// Chromium buys a key in the storefront, as a guest, through the sandbox; and looks at the query page.
import { mkdirSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium } from 'playwright-core';

const [shop] = process.argv.slice(2);
const images = new URL('../../docs/images/', import.meta.url).pathname;
mkdirSync(images, { recursive: true });
const browser = await chromium.launchPersistentContext(mkdtempSync(join(tmpdir(), 'dispense-chromium-')), {
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  headless: true,
  viewport: { width: 1100, height: 720 },
  locale: 'en',
  args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
});
const page = await browser.newPage();
const complaints = [];
page.on('pageerror', (error) => complaints.push(error.message));
page.on('console', (message) => {
  // Browsers ask every host for its icon; neither the shop nor the gateway has one.
  const icon = message.location().url.endsWith('/favicon.ico');
  if (message.type() === 'error' && !icon) complaints.push(message.text());
});
page.setDefaultTimeout(20_000);
try {
  await page.goto(`${shop}/`);
  await page.locator('article[data-slug=stargazer-pro] a.button').click();
  await page.locator('#email').fill('ada@buyer.example');
  const generic = await page.locator('#method option').evaluateAll((options) => options.find((o) => o.textContent.includes('payment'))?.value);
  if (generic) await page.locator('#method').selectOption(generic);
  await page.locator('#pay').click();
  await page.locator('button#pay.pay').click(); // the gateway's page
  await page.locator('#stage[data-stage=DELIVERED]').waitFor();
  await page.locator('button.reveal').click();
  const key = await page.locator('.key').textContent();
  if (!/^[0-9A-Z-]{12,}$/.test(key)) throw new Error(`this is no key: ${key}`);
  await page.screenshot({ path: `${images}storefront.png` });
  await page.goto(`${shop}/storefront/#/downloads`);
  await page.locator('article.card').first().waitFor();
  await page.locator('#language').click();
  await page.getByText('我的下载').first().waitFor();
  if (complaints.length) throw new Error(complaints.join('; '));
  console.log('Chromium: a guest bought a key, saw it, found it again, in two languages');

  await page.goto(`${shop}/graphql`);
  await page.waitForTimeout(500);
  await page.screenshot({ path: `${images}graphiql.png` });
} finally {
  await browser.close();
}
