// Whoever asks while PostgreSQL has no answer for anybody waits for it once, whichever way their request goes, and is told in the
// form that they read. One test after the other: all connections of the server are taken meanwhile.

import test, { type ExecutionContext } from 'ava';
import pg from 'pg';
import { asHost } from '../../server/lib/ids.ts';
import { createToken } from '../../server/lib/token.ts';
import { CONFIGURATION_CHANNEL } from '../../server/realms/realms.ts';
import { AUTH, NEWS, onAuth } from '../oauth/flow.ts';
import { type Ask, send } from '../support/browser.ts';
import { until } from '../support/raw.ts';
import { basicOf, putClients, SECRET } from '../support/relying_party.ts';
import { HOSTS, startTestServer } from '../support/server.ts';
import { cookiesOf } from '../support/signed_in.ts';

const CONNECTIONS = 3;
const server = await startTestServer({ env: { CAUSEWAY_DATABASE_CONNECTIONS: String(CONNECTIONS) } });
await putClients(server, [{ id: 'rp' }]);
const outside = new pg.Client({ connectionString: server.database.url });
await outside.connect();
test.after.always(async () => {
  await outside.end();
  await server.close();
});
const { db, realms } = server.services;
const ME = `${NEWS}/api/auth/v1/users/me`;
/** Who is in nobody's memory. */
const stranger = (): Ask => ({ headers: { Cookie: cookiesOf({ token: createToken(), companion: createToken() }) } });

/** Takes every connection, past the limit for writes, for as long as some work lasts; realm and clients are in memory when it begins. */
async function whileAway(work: () => Promise<void>) {
  for (const url of [ME, onAuth()]) await send(server.port, url, stranger());
  const { promise, resolve: free } = Promise.withResolvers<void>();
  const taken = Array.from({ length: CONNECTIONS }, () => db.builder.transaction(() => promise));
  await until(() => db.pool().used === CONNECTIONS);
  try {
    await work();
  } finally {
    free();
    await Promise.all(taken);
  }
}

async function forgetRealm() {
  await outside.query('select pg_notify($1, $2)', [CONFIGURATION_CHANNEL, 'changed']);
  await until(() => !realms.peekSite(asHost(HOSTS.news)) && !realms.peekSite(asHost(HOSTS.auth)));
}

async function askedInVain(t: ExecutionContext, url: string, ask: Ask) {
  const startedAt = performance.now();
  const answer = await send(server.port, url, ask);
  const took = performance.now() - startedAt;
  t.is(answer.status, 503, url);
  t.true(Number(answer.headers['retry-after']) >= 1);
  t.is(answer.headers['cache-control'], 'no-store');
  t.true(took > 1500 && took < 3900, `${url}: ${took} ms`);
  return answer;
}

test.serial('reliability R-32, R-38: who has waited in front for a connection does not wait for another one', (t) =>
  whileAway(async () => {
    await Promise.all([ME, `${ME}?general`, onAuth()].map((url) => askedInVain(t, url, stranger())));
  }),
);

test.serial('reliability R-32: nor for the realm, if that was forgotten meanwhile', (t) =>
  whileAway(async () => {
    const asked = [ME, onAuth()].map((url) => askedInVain(t, url, stranger()));
    await until(() => db.pool().waiting >= asked.length);
    await forgetRealm();
    const [me] = await Promise.all(asked);
    t.is(typeof me?.json().message, 'string');
  }),
);

test.serial(
  'RFC 6749 §5.2: a refusal has the form that its address promises, though nobody knows of which realm it is',
  (t) =>
    whileAway(async () => {
      await forgetRealm();
      const form = {
        method: 'POST',
        headers: { Authorization: basicOf('rp', SECRET), 'Content-Type': 'application/x-www-form-urlencoded' },
        body: 'grant_type=client_credentials&token=x',
      };
      const asked = ['/oauth/token', '/oauth/introspect', '/oauth/revoke', '/oauth/par'].map((path) =>
        askedInVain(t, `${AUTH}${path}`, form),
      );
      for (const answer of await Promise.all(asked)) {
        t.is(answer.json().error, 'temporarily_unavailable');
        t.is(typeof answer.json().error_description, 'string');
        t.is(answer.json().message, undefined);
      }
      const me = await askedInVain(t, ME, { headers: { Accept: 'text/html' } });
      t.is(typeof me.json().message, 'string', 'the session-sharing API is JSON at any status (contract §2)');
    }),
);
