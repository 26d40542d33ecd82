// A realm that wants a proof before a session, where nothing can be sent that would ask for it.

import test from 'ava';
import { createDatabase } from '../support/database.ts';
import { startTestServer } from '../support/server.ts';
import { type Setup, setUp } from './setup.ts';

const realmWith = (settings: string) => `realms:
  - slug: daily
    auth_domain: auth.daily.localhost
    settings: ${settings}
    clients: [{ id: news, kind: first-party, domain: news.daily.localhost }]
`;
const STRICT = realmWith('{ verification: before-session }');
const BY_CODE = realmWith('{ verification: before-session, sign_in_methods: [code] }');
const NEEDS_MAIL =
  'before-session needs a way to send the proof, or nobody new could sign in; set SMTP_URL, or write none';

async function withSetup(run: (setup: Pick<Setup, 'change' | 'refuse' | 'readState'>) => Promise<void>) {
  const setup = await setUp();
  try {
    await run({
      readState: setup.readState,
      change: (text, options) => setup.change(text, { allowLoopback: true, ...options }),
      refuse: (text, options) => setup.refuse(text, { allowLoopback: true, ...options }),
    });
  } finally {
    await setup.close();
  }
}

test.serial('verification before a session is refused where no mail can be sent, in the file and beside it', (t) =>
  withSetup(async ({ refuse, change, readState }) => {
    t.deepEqual(await refuse(STRICT), [`4:31: realms[0].settings.verification: ${NEEDS_MAIL}`]);
    t.deepEqual(await refuse(STRICT, { canText: true }), [`4:31: realms[0].settings.verification: ${NEEDS_MAIL}`]);
    t.deepEqual(await readState(), []);
    t.true((await change(STRICT, { canMail: true })).includes('daily: + realm daily'));
    // What is stored counts where the file does not speak of it.
    const [fault] = await refuse(realmWith('{ signup: closed }'));
    t.regex(String(fault), /^4:15: realms\[0\]\.settings: before-session needs/);
    t.deepEqual(await change(realmWith('{ verification: none }')), [
      'daily: ~ settings.verification: before-session → none',
    ]);
  }),
);

test.serial('a text message is enough where readers sign in by code alone; the embedded mode catches everything', (t) =>
  withSetup(async ({ refuse, change }) => {
    const [fault] = await refuse(BY_CODE);
    t.regex(String(fault), /set SMTP_URL or CAUSEWAY_SMS_WEBHOOK, or write none$/);
    t.true((await change(BY_CODE, { canText: true, isDryRun: true })).length > 0);
    t.true((await change(STRICT, { isTrial: true, isDryRun: true })).length > 0);
  }),
);

test.serial('a server without SMTP_URL refuses to start over such a realm and says what to change', async (t) => {
  const database = await createDatabase();
  const env = { SMTP_URL: 'smtp://127.0.0.1:9' };
  const first = await startTestServer({ database, env });
  await first.apply(STRICT);
  await first.close();
  const error = await t.throwsAsync(startTestServer({ database }));
  t.is(error?.message, `Realm daily, settings.verification: ${NEEDS_MAIL} (npx causeway apply).`);
  const again = await startTestServer({ database, env });
  await again.close();
  await database.drop();
});
