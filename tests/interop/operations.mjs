// The operations of real screens against the printed schema, by the reference implementation.
import { readFileSync, readdirSync } from 'node:fs';
import { buildSchema, parse, validate } from 'graphql';

const root = new URL('../../', import.meta.url);
const schema = buildSchema(readFileSync(new URL('schema.graphql', root), 'utf8'));
const folder = new URL('tests/operations/', root);
let wrong = 0;
const names = readdirSync(folder).filter((name) => name.endsWith('.graphql'));
for (const name of names) {
  const errors = validate(schema, parse(readFileSync(new URL(name, folder), 'utf8')));
  for (const error of errors) console.log(`  ${name}: ${error.message}`);
  wrong += errors.length > 0;
}
console.log(`graphql: ${names.length - wrong} of ${names.length} operations validate`);
process.exit(wrong === 0 && names.length > 0 ? 0 : 1);
