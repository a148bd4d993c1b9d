// An order is followed through a restart of the server by clients that are not ours: npm's graphql-ws, graphql-sse and
// eventsource, each as its own documentation says.
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { createClient as createSse } from 'graphql-sse';
import { createClient as createWs } from 'graphql-ws';
import { EventSource } from 'eventsource';
import WebSocket from 'ws';

const [program, folder] = process.argv.slice(2);
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const patience = setTimeout(() => { console.error('live: nothing more came'); process.exit(1); }, 180_000);

async function start(port) {
  const child = spawn(program, ['serve', '--demo', '--sandbox', '--listen', `127.0.0.1:${port}`, '--data', `${folder}/live`], { cwd: folder, stdio: ['ignore', 'pipe', 'ignore'] });
  process.on('exit', () => child.kill('SIGTERM'));
  const found = {};
  for await (const line of createInterface({ input: child.stdout })) {
    const [, name, address] = line.match(/^(sandbox|listening) on (http:\/\/\S+)/) ?? [];
    if (name) found[name] = address;
    if (found.listening) break;
  }
  child.stdout.resume();
  if (!found.listening) throw new Error('the shop did not start');
  return { child, shop: found.listening, sandbox: found.sandbox };
}

let { child, shop, sandbox } = await start(0);

async function ask(query, variables) {
  const answer = await fetch(`${shop}/graphql`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ query, variables }) });
  const body = await answer.json();
  if (body.errors) throw new Error(JSON.stringify(body.errors));
  return body.data;
}

const { product } = await ask('{ product(by: { slug: "stargazer-pro" }) { variants { id } } }');
const lines = [{ key: '1', variantId: product.variants[0].id, quantity: 1 }];
const { quote } = await ask('query ($in: QuoteInput!) { quote(input: $in) { token total { amount } paymentMethods { id gateway available } } }', { in: { lines, currency: 'USD' } });
const method = quote.paymentMethods.find((m) => m.gateway === 'generic' && m.available);
const input = {
  lines, currency: 'USD', email: 'ada@buyer.example', quoteToken: quote.token, expectedTotal: quote.total.amount,
  idempotencyKey: `interop-live-${Date.now()}-${Math.random()}`, start: { methodId: method.id, accepts: ['REDIRECT'] },
};
const { orderPlace } = await ask(`mutation ($in: OrderPlaceInput!) { orderPlace(input: $in) { accessToken order { number live { watchTicket } }
  payment { action { ... on RedirectAction { url } } } userErrors { message } paymentErrors { message } } }`, { in: input });
if (!orderPlace.payment?.action?.url) throw new Error(JSON.stringify(orderPlace));
const { accessToken, order, payment } = orderPlace;

const query = 'subscription ($n: String!, $t: String, $after: String) { orderChanged(number: $n, accessToken: $t, after: $after) { cursor order { stage } } }';

/** What a client saw, and when it was over. */
function follower(name) {
  const seen = [];
  let end;
  const over = new Promise((resolve, reject) => { end = { resolve, reject }; });
  return { name, seen, over, end };
}

/** A sink of graphql-ws and graphql-sse, which go on from the last cursor when they come again. */
function sink(into, payload) {
  return {
    next: ({ data, errors }) => {
      if (errors) return into.end.reject(new Error(JSON.stringify(errors)));
      payload.variables.after = data.orderChanged.cursor;
      into.seen.push([data.orderChanged.order.stage, data.orderChanged.cursor]);
    },
    error: (error) => into.end.reject(error instanceof Error ? error : new Error(JSON.stringify(error))),
    complete: () => into.end.resolve(),
  };
}

const payload = () => ({ query, variables: { n: order.number, t: accessToken } });
const again = { retryAttempts: 200, retryWait: () => pause(100), retry: () => pause(100) };

const bySocket = follower('graphql-ws');
const socket = createWs({ url: `${shop.replace('http', 'ws')}/graphql/ws`, webSocketImpl: WebSocket, shouldRetry: () => true, keepAlive: 1_000, ...again });
const overSocket = payload();
socket.subscribe(overSocket, sink(bySocket, overSocket));

const byEvents = follower('graphql-sse');
const events = createSse({ url: `${shop}/graphql`, ...again });
const overEvents = payload();
events.subscribe(overEvents, sink(byEvents, overEvents));

const byTicket = follower('EventSource');
const address = new URL(`${shop}/graphql`);
address.searchParams.set('query', 'subscription ($t: String!) { orderStatusChanged(ticket: $t) { cursor status { stage } } }');
address.searchParams.set('variables', JSON.stringify({ t: order.live.watchTicket }));
const source = new EventSource(address);
source.addEventListener('next', ({ data }) => {
  const { data: result, errors } = JSON.parse(data);
  if (errors) return byTicket.end.reject(new Error(JSON.stringify(errors)));
  byTicket.seen.push([result.orderStatusChanged.status.stage, result.orderStatusChanged.cursor]);
});
source.addEventListener('complete', () => { source.close(); byTicket.end.resolve(); });

const all = [bySocket, byEvents, byTicket];
all.forEach(({ name, over }) => over.catch((error) => { console.error(`live: ${name}: ${error.message}`); process.exit(1); }));
while (!all.every(({ seen }) => seen.length > 0)) await pause(20);

// The server ends and comes again at the same place; the order is paid after that.
const ended = new Promise((resolve) => child.once('exit', resolve));
child.kill('SIGTERM');
if (await ended !== 0) throw new Error('the shop did not end well');
({ child, shop, sandbox } = await start(new URL(shop).port));
const id = new URL(payment.action.url).pathname.split('/').pop();
const paid = await fetch(`${sandbox}/sandbox/payments/${id}/pay`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{}' });
if (!paid.ok) throw new Error(`the sandbox did not pay: ${paid.status} ${await paid.text()}`);

await Promise.all(all.map(({ over }) => over));
let failed = 0;
for (const { name, seen } of all) {
  // No cursor twice: whoever comes again with one is not shown what it knows.
  const cursors = seen.map(([, cursor]) => Number(cursor));
  const right = seen[0][0] === 'AWAITING_PAYMENT' && seen.at(-1)[0] === 'DELIVERED' && cursors.every((cursor, at) => at === 0 || cursor > cursors[at - 1]);
  failed += !right;
  console.log(`  ${right ? 'ok  ' : 'FAIL'} ${name}: ${seen.map((one) => one.join(' ')).join(', ')}`);
}
const done = new Promise((resolve) => child.once('exit', resolve));
socket.dispose();
child.kill('SIGTERM');
await done;
clearTimeout(patience);
console.log(failed === 0 ? 'live: an order followed through a restart by three clients' : `live: ${failed} differ`);
process.exit(failed === 0 ? 0 : 1);
