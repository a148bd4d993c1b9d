// All audits of GraphQL over HTTP that npm graphql-http has, none left out.
import { auditServer } from 'graphql-http';

const [shop] = process.argv.slice(2);
const results = await auditServer({ url: `${shop}/graphql`, fetchFn: fetch });
const bad = results.filter((result) => result.status !== 'ok');
for (const result of bad) console.log(`  ${result.id} ${result.name}: ${result.status} ${result.reason ?? ''}`);
console.log(`graphql-http: ${results.length - bad.length} of ${results.length} audits pass`);
process.exit(bad.length === 0 && results.length >= 61 ? 0 : 1);
