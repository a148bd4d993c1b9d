// A storefront in one page: products, buying, the order turning paid, the key, the downloads.

import * as api from './shop.js';
import * as memory from './memory.js';
import { money, words } from './words.js';

const main = document.querySelector('#main');
const trouble = document.querySelector('#trouble');

let language = memory.choice('language', navigator.language.startsWith('zh') ? 'zh' : 'en');
let currency = memory.choice('currency', null);
let shop = null;
let visit = 0; // grows with every page, so that an old page's answers are not shown on a new one

const t = () => words(language);

/** `node('p', {class: 'x'}, 'text', other)`; names with `on` are listeners. Text is never HTML. */
function node(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith('on')) made.addEventListener(name.slice(2), value);
    else if (value === true) made.setAttribute(name, '');
    else if (value !== false && value != null) made.setAttribute(name, value);
  }
  made.append(...children.flat().filter((child) => child != null));
  return made;
}

function complain(error) {
  trouble.textContent = error instanceof api.Refused ? error.message : t().wrong;
  trouble.hidden = false;
}

const calm = () => { trouble.hidden = true; };

async function ask(query, variables, options = {}) {
  return api.ask(query, variables, { ...options, language, token: await accessToken() });
}

/** The access token of somebody signed in, refreshed shortly before it ends. */
async function accessToken() {
  const session = memory.session();
  if (!session) return undefined;
  if (Date.parse(session.accessExpiresAt) - Date.now() > 30_000) return session.accessToken;
  try {
    const { sessionRefresh } = await api.ask(api.REFRESH, { in: { refreshToken: session.refreshToken } }, { field: 'sessionRefresh' });
    memory.keepSession({ ...session, ...sessionRefresh.tokens });
    return sessionRefresh.tokens.accessToken;
  } catch (error) {
    if (!(error instanceof api.Refused)) throw error;
    memory.keepSession(null);
    return undefined;
  }
}

/** A button that is off while its work runs. */
function action(label, work, attributes = {}) {
  return node('button', {
    type: 'button',
    ...attributes,
    onclick: async ({ currentTarget: button }) => {
      button.disabled = true;
      calm();
      try {
        await work();
      } catch (error) {
        complain(error);
      } finally {
        button.disabled = false;
      }
    },
  }, label);
}

const price = (unit) => (Number(unit.amount) === 0 ? t().free : money(language, unit));

async function productsPage(show) {
  const { products } = await ask(api.PRODUCTS, { cur: currency });
  const card = (product) => {
    const [variant] = product.variants;
    const canBuy = product.availability.canBuy && variant?.price;
    return node('article', { class: 'card', 'data-slug': product.slug },
      node('h2', {}, product.name),
      node('p', {}, product.summary ?? ''),
      node('p', { class: 'small' }, product.availability.text),
      node('div', { class: 'row' },
        node('span', { class: 'price' }, variant?.price ? price(variant.price.unit) : ''),
        canBuy ? node('a', { class: 'button', href: `#/buy/${variant.id}` }, t().buy) : node('span', { class: 'small' }, t().soldOut)));
  };
  show(node('h1', {}, t().products), node('div', { class: 'shelf' }, products.nodes.map(card)));
}

async function buyPage(show, variantId) {
  const lines = [{ key: '1', variantId, quantity: 1 }];
  const { products } = await ask(api.PRODUCTS, { cur: currency });
  const product = products.nodes.find((p) => p.variants.some((v) => v.id === variantId));
  const { quote } = await ask(api.QUOTE, { in: { lines, currency } });
  const email = node('input', { type: 'email', required: true, id: 'email', autocomplete: 'email', value: memory.session()?.email ?? memory.choice('email', '') });
  const methods = quote.paymentMethods.filter((method) => method.available);
  const method = node('select', { id: 'method' }, methods.map((m) => node('option', { value: m.id }, m.title)));
  const free = Number(quote.total.amount) === 0;
  const problems = [...quote.problems, ...quote.lines.flatMap((line) => line.problems)];
  // Limited and free goods want an address that is proven; everything else that is wrong keeps the order back.
  const proves = problems.some((problem) => problem.code === 'EMAIL_CODE_REQUIRED');
  const blocked = problems.some((problem) => problem.code !== 'EMAIL_CODE_REQUIRED');
  const code = node('input', { id: 'code', required: true, autocomplete: 'one-time-code' });
  const mailCode = async () => {
    if (!email.reportValidity()) return;
    await ask(api.EMAIL_CODE, { in: { email: email.value } }, { field: 'emailCodeRequest' });
  };

  async function buy() {
    if (!email.reportValidity() || (proves && !code.reportValidity())) return;
    memory.choose('email', email.value);
    const input = {
      lines, currency, email: email.value, locale: language, quoteToken: quote.token, expectedTotal: quote.total.amount,
      idempotencyKey: memory.purchaseKey(JSON.stringify([variantId, currency, email.value, method.value])),
    };
    if (proves) input.emailCode = code.value;
    if (!free) {
      const returnUrl = location.href.split('#')[0];
      input.start = { methodId: method.value, accepts: ['REDIRECT'], platform: 'DESKTOP', returnUrl };
    }
    const { orderPlace } = await ask(api.BUY, { in: input }, { field: 'orderPlace' });
    const { order, payment, accessToken: token, paymentErrors } = orderPlace;
    memory.remember(order.number, token);
    memory.purchaseDone();
    if (paymentErrors.length) complain(new api.Refused(paymentErrors[0]));
    if (payment?.action) location.assign(payment.action.hostedUrl);
    else location.hash = `#/order/${order.number}`;
  }

  show(
    node('h1', {}, product?.name ?? ''),
    problems.map((problem) => node('p', { class: 'small' }, problem.message)),
    node('label', {}, t().email, email),
    proves ? node('label', {}, t().code, code, action(t().sendCode, mailCode, { id: 'send-code' })) : null,
    free ? null : node('label', {}, t().method, method),
    node('p', {}, `${t().total}: `, node('span', { class: 'price' }, price(quote.total))),
    action(t().pay, buy, { id: 'pay', disabled: blocked }));
}

function lineCard(line, token) {
  const card = node('article', { class: 'card', 'data-kind': line.kind },
    node('h2', {}, line.title), node('p', {}, line.variantTitle));
  if (line.whyNotDelivered) card.append(node('p', { class: 'small' }, line.whyNotDelivered.message));
  if (line.kind === 'key' && ['ASSIGNED', 'REVEALED'].includes(line.state)) {
    const keys = node('div');
    const reveal = async () => {
      const { deliveryReveal } = await ask(api.REVEAL, { line: line.id, t: token }, { field: 'deliveryReveal' });
      keys.replaceChildren(...deliveryReveal.secrets.map((secret) => node('p', { class: 'key' }, secret.text)));
    };
    const offer = node('div', { class: 'row' }, action(t().reveal, async () => { await reveal(); offer.remove(); }, { class: 'reveal' }));
    card.append(keys, offer);
  }
  for (const grant of line.grants) {
    const download = async () => {
      const { downloadLinkCreate } = await ask(api.LINK, { in: { grantId: grant.id, accessToken: token } }, { field: 'downloadLinkCreate' });
      location.assign(downloadLinkCreate.link.url);
    };
    card.append(
      node('p', { class: 'small' }, `${grant.file.name} · ${grant.file.size} B · ${grant.remaining == null ? t().unlimited : t().left(grant.remaining)}`),
      node('p', { class: 'small' }, `sha256 ${grant.file.sha256}`),
      node('div', { class: 'row' }, action(t().download, download, { class: 'download', disabled: !grant.canDownload })));
  }
  return card;
}

/** Follows an order as long as the shop says that something more can happen. */
async function orderPage(show, number, current, ticket) {
  const own = memory.tokenOf(number);
  const stage = node('span', { class: 'stage', id: 'stage' });
  const lines = node('div', { class: 'list' });
  const more = node('p');
  show(node('h1', {}, `${t().order} ${number} `, stage), more, lines);
  let shown = null;
  for (;;) {
    // Whoever comes back with a ticket alone sees how far the order is; its goods need the token or an account.
    const found = await ask(api.ORDER_PAGE, { n: number, t: own });
    const order = found.order ?? (ticket ? (await ask(api.ORDER_STATUS, { t: ticket })).orderStatus : null);
    if (!current()) return;
    if (!order) return show(node('p', {}, t().missing));
    order.lines ??= [];
    order.payments ??= [];
    // Redrawn only when something changed: a key that is being read stays where it is.
    const state = JSON.stringify([order.stage, order.lines.map((line) => line.grants)]);
    if (state !== shown) {
      shown = state;
      stage.textContent = t().stages[order.stage] ?? order.stage;
      stage.className = `stage ${{ DELIVERED: 'good', EXPIRED: 'bad', CANCELLED: 'bad', NEEDS_ATTENTION: 'bad' }[order.stage] ?? ''}`;
      stage.dataset.stage = order.stage;
      const open = order.canPay && order.payments.findLast((payment) => payment.action);
      more.replaceChildren(...[order.whyNotDelivered?.message, open && node('a', { class: 'button', href: open.action.hostedUrl }, t().goPay)].filter(Boolean));
      lines.replaceChildren(...order.lines.map((line) => lineCard(line, own)));
    }
    const seconds = order.live.pollAfterSeconds;
    if (seconds == null) return;
    await new Promise((done) => setTimeout(done, seconds * 1000));
    if (!current()) return;
  }
}

async function downloadsPage(show, current) {
  const list = node('div', { class: 'list' });
  if (memory.session()) {
    const { myDownloads } = await ask(api.LIBRARY);
    list.append(...(myDownloads?.nodes ?? []).map((line) => lineCard(line)));
  } else {
    list.append(node('p', { class: 'small' }, t().guest));
    for (const { number, token } of memory.orders()) {
      const { order } = await ask(api.ORDER_PAGE, { n: number, t: token });
      if (!current()) return;
      if (!order) continue;
      list.append(
        node('p', {}, node('a', { href: `#/order/${number}` }, `${t().order} ${number}`), ' ', node('span', { class: 'stage' }, t().stages[order.stage] ?? order.stage)),
        ...(order.state === 'PAID' || order.state === 'CLOSED' ? order.lines.map((line) => lineCard(line, token)) : []));
    }
  }
  if (!list.querySelector('.card')) list.append(node('p', {}, t().nothing));
  show(node('h1', {}, t().downloads), list);
}

async function accountPage(show) {
  const session = memory.session();
  if (session) {
    const leave = () => { memory.keepSession(null); route(); };
    return show(node('h1', {}, t().signedIn), node('p', {}, session.email), action(t().signOut, leave));
  }
  const email = node('input', { type: 'email', autocomplete: 'email', required: true });
  const password = node('input', { type: 'password', autocomplete: 'current-password', required: true });
  const enter = async () => {
    if (!email.reportValidity() || !password.reportValidity()) return;
    const input = { email: email.value, password: password.value, device: 'storefront' };
    const { sessionCreate } = await ask(api.SIGN_IN, { in: input }, { field: 'sessionCreate' });
    memory.keepSession({ ...sessionCreate.tokens, email: sessionCreate.user.email });
    location.hash = '#/downloads';
  };
  show(node('h1', {}, t().account), node('label', {}, t().email, email), node('label', {}, t().password, password), action(t().account, enter));
}

async function route() {
  const mine = (visit += 1);
  const current = () => mine === visit;
  const show = (...content) => { if (current()) main.replaceChildren(...content.flat().filter((part) => part != null)); };
  calm();
  dress();
  // Back from the gateway: the order's number and a ticket stand in the address. They leave it before anything else.
  const back = new URLSearchParams(location.search);
  if (back.has('order')) {
    history.replaceState(null, '', `${location.pathname}#/order/${back.get('order')}?${back.get('ticket')}`);
  }
  const [path, ticket] = location.hash.slice(1).split('?');
  const [, page, argument] = path.split('/');
  try {
    if (page === 'buy') await buyPage(show, argument);
    else if (page === 'order') await orderPage(show, argument, current, ticket);
    else if (page === 'downloads') await downloadsPage(show, current);
    else if (page === 'account') await accountPage(show);
    else await productsPage(show);
  } catch (error) {
    if (current()) complain(error);
  }
}

/** The words, the language and the currency around the page. */
function dress() {
  document.documentElement.lang = language;
  document.querySelector('#name').textContent = shop.name;
  for (const link of document.querySelectorAll('[data-word]')) link.textContent = t()[link.dataset.word];
  if (memory.session()) document.querySelector('#account-link').textContent = t().signedIn;
  document.querySelector('#language').textContent = t().other;
  const select = document.querySelector('#currency');
  select.replaceChildren(...shop.currencies.map((code) => node('option', { value: code, selected: code === currency }, code)));
}

document.querySelector('#language').addEventListener('click', () => {
  language = language === 'zh' ? 'en' : 'zh';
  memory.choose('language', language);
  route();
});
document.querySelector('#currency').addEventListener('change', ({ target }) => {
  currency = target.value;
  memory.choose('currency', currency);
  route();
});

try {
  ({ shop } = await api.ask(api.SHOP));
  if (!shop.currencies.includes(currency)) currency = shop.defaultCurrency;
  addEventListener('hashchange', route);
  await route();
} catch (error) {
  complain(error);
}
