// What the shop sends to a hook endpoint, held against other people's libraries: npm's standardwebhooks, and PyPI's, verify
// it, with either secret while one is changed and with no other.
import { createServer } from 'node:http';
import { execFileSync, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { Webhook } from 'standardwebhooks';

const [program, folder, python] = process.argv.slice(2);
const patience = setTimeout(() => { console.error('hooks: nothing more came'); process.exit(1); }, 120_000);
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

const came = [];
const receiver = createServer((request, response) => {
  const parts = [];
  request.on('data', (part) => parts.push(part));
  request.on('end', () => { came.push({ headers: request.headers, text: Buffer.concat(parts).toString() }); response.writeHead(204).end(); });
});
await new Promise((resolve) => receiver.listen(0, '127.0.0.1', resolve));
const { port } = receiver.address();

const data = `${folder}/hooks`;
const environment = { ...process.env, DISPENSE_OUTBOUND__PLAIN_HTTP: 'true', DISPENSE_OUTBOUND__PRIVATE_NETWORKS: '127.0.0.0/8', DISPENSE_OUTBOUND__PORTS: String(port) };
const password = 'correct horse battery staple';
execFileSync(program, ['admin', 'create', 'boss@shop.example', '--password-stdin', '--data', data], { cwd: folder, env: environment, input: `${password}\n`, stdio: ['pipe', 'ignore', 'ignore'] });
const child = spawn(program, ['serve', '--demo', '--sandbox', '--listen', '127.0.0.1:0', '--data', data], { cwd: folder, env: environment, stdio: ['ignore', 'pipe', 'ignore'] });
process.on('exit', () => child.kill('SIGTERM'));
let shop;
for await (const line of createInterface({ input: child.stdout })) {
  shop = line.match(/^listening on (http:\/\/\S+)/)?.[1];
  if (shop) break;
}
child.stdout.resume();
if (!shop) throw new Error('the shop did not start');

let token;
async function ask(query, variables) {
  const headers = { 'content-type': 'application/json', ...(token ? { authorization: `Bearer ${token}` } : {}) };
  const answer = await fetch(`${shop}/graphql`, { method: 'POST', headers, body: JSON.stringify({ query, variables }) });
  const body = await answer.json();
  if (body.errors) throw new Error(JSON.stringify(body.errors));
  return body.data;
}

const { sessionCreate } = await ask('mutation ($in: SessionCreateInput!) { sessionCreate(input: $in) { tokens { accessToken } userErrors { message } } }', { in: { email: 'boss@shop.example', password } });
token = sessionCreate.tokens.accessToken;
const { hookEndpointCreate } = await ask('mutation ($in: HookEndpointCreateInput!) { hookEndpointCreate(input: $in) { endpoint { id } signingSecret userErrors { message } } }',
  { in: { url: `http://127.0.0.1:${port}/`, eventTypes: ['hook.secret_rotated', 'hook.updated'] } });
const first = hookEndpointCreate.signingSecret;
const id = hookEndpointCreate.endpoint.id;
await ask('mutation ($id: ID!) { hookEndpointUpdate(input: { endpointId: $id, description: "Interop" }) { userErrors { message } } }', { id });
while (came.length < 1) await pause(50);
const { hookSecretRotate } = await ask('mutation ($id: ID!) { hookSecretRotate(input: { endpointId: $id }) { signingSecret userErrors { message } } }', { id });
const second = hookSecretRotate.signingSecret;
while (came.length < 2) await pause(50);

const code = 'import sys,json\nfrom standardwebhooks import Webhook, WebhookVerificationError\nm=json.load(sys.stdin)\ntry:\n  Webhook(sys.argv[1]).verify(m["text"], m["headers"])\n  print("yes")\nexcept WebhookVerificationError:\n  print("no")';
const libraries = {
  'npm standardwebhooks': (secret, message) => { try { new Webhook(secret).verify(message.text, message.headers); return true; } catch { return false; } },
  'PyPI standardwebhooks': (secret, message) => execFileSync(python, ['-c', code, secret], { input: JSON.stringify(message) }).toString().trim() === 'yes',
};
const stranger = `whsec_${Buffer.alloc(32, 1).toString('base64')}`;
const spoiled = { ...came[0], text: came[0].text.replace('hook.updated', 'hook.uqdated') };
let failed = 0;
for (const [name, verifies] of Object.entries(libraries)) {
  for (const [what, secret, message, wanted] of [
    ['a message', first, came[0], true], ['another secret', stranger, came[0], false], ['a spoiled message', first, spoiled, false],
    ['the old secret while both count', first, came[1], true], ['the new one', second, came[1], true], ['neither', stranger, came[1], false],
  ]) {
    const right = verifies(secret, message) === wanted;
    failed += !right;
    console.log(`  ${right ? 'ok  ' : 'FAIL'} ${name}: ${what}`);
  }
}
clearTimeout(patience);
receiver.close();
console.log(failed === 0 ? 'hooks: all as they should be' : `hooks: ${failed} differ`);
process.exit(failed === 0 ? 0 : 1);
