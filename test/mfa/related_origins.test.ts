// Which sites of a realm browsers will serve with passkeys, and what an operator is told.

import test from 'ava';
import { applyRealmFile } from '../../server/commands/apply.ts';
import { findUnserved, rpIdOf, warnOfUnserved } from '../../server/mfa/related_origins.ts';
import { REALM_YAML, startTestServer } from '../support/server.ts';

const https = (...hosts: string[]) => hosts.map((host) => `https://${host}`);
const CASES: [string, string[], number, string[]][] = [
  ['five names are served', https('a.example', 'b.example', 'c.example', 'd.example', 'e.example'), 5, []],
  [
    'the sixth name in alphabetical order is not',
    https('f.example', 'a.example', 'b.example', 'c.example', 'd.example', 'e.example'),
    5,
    https('f.example'),
  ],
  [
    'one name under many endings counts once',
    https('daily.de', 'daily.co.uk', 'news.daily.com.au', 'daily.example', 'shop.daily.fr', 'daily.it', 'daily.nl'),
    1,
    [],
  ],
  ['hosts below one domain count once', https(...Array.from({ length: 9 }, (_, n) => `s${n}.daily.example`)), 1, []],
  [
    'below a private suffix each customer is a name',
    https('a.github.io', 'b.github.io', 'c.github.io', 'd.github.io', 'e.github.io', 'f.github.io'),
    5,
    https('f.github.io'),
  ],
  ['names of loopback are names', ['http://news.localhost:1', 'http://sports.localhost:2'], 2, []],
  ['an address is no name', ['https://192.0.2.1', 'https://daily.example'], 1, ['https://192.0.2.1']],
];
for (const [title, origins, labels, unserved] of CASES)
  test(`WebAuthn L3 §5.11.1: ${title}`, (t) => {
    const found = findUnserved(origins);
    t.is(found.labels.length, labels);
    t.deepEqual(found.unserved, unserved);
    const warning = warnOfUnserved('daily', origins);
    t.is(warning !== null, unserved.length > 0);
    for (const origin of unserved) t.true(warning?.includes(origin));
  });

test('the id of the relying party has no port', (t) => {
  t.is(rpIdOf('http://auth.localhost:8080'), 'auth.localhost');
});

test('a realm of six names is applied with a warning, and the start warns too', async (t) => {
  const sites = ['one', 'two', 'three', 'four', 'five', 'six'];
  const clients = sites.map(
    (name) => `      - { id: ${name}, kind: first-party, name: ${name}, domain: www.${name}.localhost }`,
  );
  const yaml = `${REALM_YAML.slice(0, REALM_YAML.indexOf('    clients:'))}    clients:\n${clients.join('\n')}\n`;
  const server = await startTestServer({ yaml });
  t.teardown(() => server.close());
  const { config, db, realms, clients: stored, sessions, audit } = server.services;
  const more = { config, db, realms, clients: stored, sessions, audit, isDryRun: true, isPrune: false };
  const applied = await applyRealmFile({ text: yaml, fileName: '-', environment: {}, ...more });
  t.true(applied.ok);
  const [warning = ''] = applied.ok ? applied.warnings : [];
  t.true(warning.includes('http://www.two.localhost'), warning);
  t.false(warning.includes('http://www.one.localhost,'));
  const again = await startTestServer({ database: server.database });
  t.teardown(() => again.close());
  t.true(again.lines.some((line) => line.includes('passkeys will not work on the pages of http://www.two.localhost')));
});
