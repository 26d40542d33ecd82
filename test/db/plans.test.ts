import test from 'ava';
import { listStatements } from '../../server/db/statement.ts';
import { startTestServer } from '../support/server.ts';

const server = await startTestServer();
test.after.always(() => server.close());

const REFRESH_VALUES = [
  "'{}'::bytea[]",
  "'{}'::bigint[]",
  "'{}'::text[]",
  "'{}'::text[]",
  "'{}'::bytea[]",
  "'{}'::text[]",
  "'{}'::bytea[]",
  '1::integer',
  '1::integer',
  '1::integer',
];
/** Hot statements, with values of the right types. */
const HOT: Record<string, string[]> = {
  'accounts.find_signed_in': ["'{}'::bytea[]", "'{}'::text[]"],
  'oauth.insert_codes': [
    "'{}'::bytea[]",
    "'{}'::text[]",
    "'{}'::uuid[]",
    "'{}'::bigint[]",
    "'{}'::text[]",
    "'{}'::text[]",
    "'{}'::bytea[]",
    "'{}'::boolean[]",
    "'{}'::boolean[]",
    "'{}'::integer[]",
  ],
  'oauth.redeem_fresh': [
    "'{}'::bytea[]",
    "'{}'::text[]",
    "'{}'::bigint[]",
    "'{}'::text[]",
    "'{}'::text[]",
    "'{}'::uuid[]",
    "'{}'::text[]",
    "'{}'::bytea[]",
    "'{}'::bytea[]",
    "'{}'::bigint[]",
    "'{}'::text[]",
    "'{}'::inet[]",
  ],
  'oauth.insert_provider_codes': [
    "'{}'::bytea[]",
    "'{}'::uuid[]",
    "'{}'::bigint[]",
    "'{}'::text[]",
    "'{}'::text[]",
    "'{}'::integer[]",
  ],
  'oauth.grant_by_code': [
    "'{}'::bytea[]",
    "'{}'::bigint[]",
    "'{}'::bigint[]",
    "'{}'::text[]",
    "'{}'::text[]",
    "'{}'::text[]",
    "'{}'::uuid[]",
    "'{}'::bytea[]",
    "'{}'::bytea[]",
    "'{}'::text[]",
    '1::integer',
    '1::integer',
    '1::integer',
  ],
  'oauth.grant_by_refresh_token': REFRESH_VALUES,
  'oauth.grant_again_by_refresh_token': REFRESH_VALUES,
  'oauth.find_active_tokens': ["'{}'::bytea[]"],
  'oauth.find_consents': ["'{}'::bigint[]", "'{}'::bigint[]"],
  'accounts.find_for_sign_in': ['1::bigint', "'a@b.example'::text"],
  'oauth.consume_code': ["'\\x00'::bytea"],
  'oauth.find_code': ["'\\x00'::bytea"],
  'login.begin_try': [
    '1::bigint',
    "'a@b.example'::text",
    "'hash'::text",
    "'{}'::bigint[]",
    "'{}'::text[]",
    "'{}'::integer[]",
    "'{}'::integer[]",
    "'{}'::text[]",
    "'{}'::integer[]",
    "'{}'::integer[]",
  ],
  'login.begin_session': [
    '1::bigint',
    "'hash'::text",
    "'f'::boolean",
    "'f'::boolean",
    "'f'::boolean",
    "'f'::boolean",
    "'0190b6b2-0000-7000-8000-000000000000'::uuid",
    '1::bigint',
    "'{pwd}'::text[]",
    "'news.example'::text",
    '1::integer',
    '1::integer',
    "'agent'::text",
    "'127.0.0.1'::inet",
    "'0190b6b2-0000-7000-8000-000000000001'::uuid",
    "'\\x00'::bytea",
    "'\\x00'::bytea",
  ],
  'oidc.end_session': [
    "'0190b6b2-0000-7000-8000-000000000000'::uuid",
    '1::bigint',
    '1::bigint',
    "'127.0.0.1'::inet",
    "'signed-out'::text",
    "'task'::text",
    '11::integer',
    "'logout:'::text",
  ],
  'sessions.delete_of_account': ['1::bigint', 'null::uuid'],
  'sessions.touch': ["'{}'::uuid[]", "'{}'::text[]"],
  'realms.find_site': ["'news.example'::text"],
};

for (const [name, values] of Object.entries(HOT)) {
  test(`reliability R-46: ${name} finds its rows through indexes and never reads a whole table`, async (t) => {
    const statement = listStatements().find((one) => one.name === name);
    if (!statement) return t.fail('no such statement');
    await server.services.db.transaction(async (q) => {
      await q.builder.raw('set local enable_seqscan = off');
      // A generic plan: what a prepared statement ends up with, whatever the values are.
      await q.builder.raw("set local plan_cache_mode = 'force_generic_plan'");
      const types = values.map((value) => value.slice(value.indexOf('::') + 2));
      await q.builder.raw(`prepare hot (${types.join(', ')}) as ${statement.text.replaceAll('?', '\\?')}`);
      const { rows } = await q.builder.raw(`explain execute hot (${values.join(', ')})`);
      await q.builder.raw('deallocate hot');
      const plan = rows.map((row: Record<string, string>) => row['QUERY PLAN']).join('\n');
      t.regex(plan, /Index (Only )?Scan/, plan);
      t.notRegex(plan, /Seq Scan/, plan);
    });
  });
}
