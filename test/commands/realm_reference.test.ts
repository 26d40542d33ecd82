// The guide docs/realm-file.md is written by hand; here it is held to the schemas.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { readRealmFile } from '../../server/commands/realm_file.ts';
import { realmBrandTable, realmSettingsTable } from '../../server/commands/realm_reference.ts';
import { createRealmSchemas } from '../../server/commands/realm_schema.ts';
import { brandSchema, settingsSchema } from '../../server/realms/realms.ts';

const guide = readFileSync(join(import.meta.dirname, '../../docs/realm-file.md'), 'utf8');

test('the tables hold every key with its default', (t) => {
  for (const key of Object.keys(settingsSchema.shape)) {
    t.regex(realmSettingsTable(), new RegExp(`^\\| \`${key}\` \\| .+ \\| \`.+\` \\| .+ \\|$`, 'm'));
  }
  for (const key of Object.keys(brandSchema.shape)) t.regex(realmBrandTable(), new RegExp(`^\\| \`${key}\` \\|`, 'm'));
  t.regex(realmSettingsTable(), /\| `signup` \| `open` or `closed` \| `open` \|/);
  t.regex(realmSettingsTable(), /\| `password_min_length` \| whole number, 8 to 64 \| `8` \|/);
});

test('the guide has a row for every key of the file', (t) => {
  const schemas = createRealmSchemas({ allowLoopback: false });
  const keys = [schemas.realm, brandSchema, ...Object.values(schemas.client)].flatMap((schema) =>
    Object.keys(schema.shape),
  );
  for (const key of new Set(keys)) t.regex(guide, new RegExp(`^\\| \`${key}\` \\|`, 'm'));
});

test('the example of the guide has no fault', (t) => {
  const example = /```yaml\n([\s\S]*?)```/.exec(guide)?.[1] ?? '';
  const folder = mkdtempSync(join(tmpdir(), 'causeway-guide-'));
  writeFileSync(join(folder, 'daily.svg'), '<svg xmlns="http://www.w3.org/2000/svg"/>');
  const environment = { QUALIFIO_SECRET: 'q'.repeat(32) };
  const { yaml, wanted } = readRealmFile(example, {
    fileName: 'realm.yaml',
    folder,
    environment,
    allowLoopback: false,
  });
  rmSync(folder, { recursive: true });
  t.deepEqual(yaml.faults(), []);
  t.is(wanted[0]?.clients.length, 3);
});
