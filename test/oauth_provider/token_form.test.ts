// What was never a token of ours does not reach the database: its form is looked at first. Statements are counted at the
// server's own pool.

import { randomBytes } from 'node:crypto';
import test from 'ava';
import { createTaggedToken } from '../../server/lib/token.ts';
import { checkTokenError, completeFlow, startConformance } from '../support/conformance.ts';
import { signedInReader } from '../support/relying_party.ts';

const on = await startConformance();
test.after.always(() => on.server.close());

/** Statements about tokens that the server has sent: named ones, and those of the query builder but for its sweeps. */
const asked: string[] = [];
const { db } = on.server.services;
const { run } = db;
db.run = (statement, values) => {
  if (/_(access_token|refresh_token|active_tokens)$/.test(statement.name)) asked.push(statement.name);
  return run(statement, values);
};
db.builder.on('query', ({ sql }: { sql: string }) => {
  if (/(access|refresh)_tokens|token_families/.test(sql) && !/skip locked/.test(sql)) asked.push(sql);
});

const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
const random = (length: number) => randomBytes(length).toString('base64url').slice(0, length);
const madeUp = (): string[] => [
  'x',
  'garbage',
  random(43),
  `cwa_${random(43)}`,
  `cwr_${random(43)}`,
  `cwa_${random(49)}`,
  `cwr_${random(49)}`,
  `${createTaggedToken('cwa')}A`,
  createTaggedToken('cwa').toUpperCase(),
  createTaggedToken('cws'),
  createTaggedToken('cwi'),
  `${random(20)}.${random(40)}.${random(80)}`,
  `${part({ alg: 'none', typ: 'at+jwt' })}.${part({})}.AAAA`,
  `${part({ alg: 'RS256', typ: 'JWT' })}.${part({})}.${random(86)}`,
  'a.b.c',
  'x'.repeat(9000),
];

test.serial(
  'security 116: made-up tokens cost no look-up, and get one and the same answer at userinfo, introspection, revocation and refresh',
  async (t) => {
    asked.length = 0;
    const answers = new Set<string>();
    for (const token of madeUp()) {
      const info = await on.first.userinfo(token);
      answers.add(`${info.status} ${info.headers['www-authenticate']} ${info.text}`);
      t.is((await on.first.post('/oauth/introspect', { token })).text, '{"active":false}');
      t.is((await on.first.post('/oauth/revoke', { token })).status, 200);
      checkTokenError(await on.first.refresh(token), 'invalid_grant');
    }
    t.deepEqual(
      [...answers].map((answer) => answer.slice(0, 33)),
      ['401 Bearer error="invalid_token" '],
    );
    t.deepEqual(asked, []);
  },
);

test.serial(
  'security 116: tokens are handed out once, tagged for secret scanners, and stored as hashes; only theirs is a look-up',
  async (t) => {
    const { tokens } = await completeFlow(on.first, (await signedInReader(on.server)).browser);
    t.regex(tokens.access_token, /^cwa_/);
    t.regex(tokens.refresh_token ?? '', /^cwr_/);
    const { rows } = await db.builder.raw(
      'select access_tokens::text as row from access_tokens union all select refresh_tokens::text from refresh_tokens',
    );
    t.true(rows.length >= 2);
    for (const token of [tokens.access_token, tokens.refresh_token ?? ''])
      t.false(JSON.stringify(rows).includes(token.slice(4, 47)));
    // Not used yet: what is in use is in memory.
    const unused = await on.first.signIn((await signedInReader(on.server)).browser);
    asked.length = 0;
    t.is((await on.first.userinfo(unused.access_token)).status, 200);
    t.deepEqual(asked, ['oauth.find_active_tokens'], 'the count sees a look-up');
    const answer = await on.first.userinfo(createTaggedToken('cwa'));
    t.deepEqual([answer.status, asked.length], [401, 2]);
  },
);
