// Clients are changed here for everybody, so the tests run one after the other, each on a client of its own.

import { randomBytes } from 'node:crypto';
import test from 'ava';
import { authorizeUrl } from '../support/browser.ts';
import { PASSWORD, startTestServer } from '../support/server.ts';

const AUTH_HOST = 'auth.change.localhost';
const hostOf = (id: string) => `${id}.change.localhost`;
const IDS = ['stays', 'disabled', 'removed', 'moved', 'codes', 'unheard'] as const;

/** The realm file with some of its clients written otherwise, or left out. */
function yaml(changes: Partial<Record<(typeof IDS)[number], string | null>> = {}): string {
  const clients = IDS.flatMap((id) => {
    const written = changes[id] === undefined ? `domain: ${hostOf(id)}` : changes[id];
    return written === null ? [] : [`      - { id: ${id}, kind: first-party, name: ${id}, ${written} }`];
  });
  return `realms:\n  - slug: test\n    auth_domain: ${AUTH_HOST}\n    clients:\n${clients.join('\n')}\n`;
}

const server = await startTestServer({ yaml: yaml() });
const second = await startTestServer({ database: server.database });
test.after.always(async () => {
  await second.close();
  await server.close();
});
const siteOf = (id: string) => `http://${hostOf(id)}`;
const API = '/api/auth/v1';

/** A reader who is signed in on the auth domain and on two sites. */
async function reader(id: string) {
  const account = await server.makeAccount();
  const browser = server.browser([server.port, second.port]);
  await browser.signInThrough(siteOf('stays'), account, PASSWORD, 'stays');
  await browser.follow(authorizeUrl(siteOf(id), id, `${siteOf(id)}/`), { from: `${siteOf(id)}/` });
  for (const site of ['stays', id])
    for (let turn = 0; turn < 2; turn++)
      if ((await browser.me(siteOf(site))).status !== 200) throw new Error(`not signed in on ${site}`);
  return { account, browser };
}

/** Resolves when both nodes have heard of what was committed before: notifications of one database arrive in order. */
async function told(): Promise<void> {
  const channel = `test_${randomBytes(6).toString('hex')}`;
  const waiting = new Set([server, second]);
  for (const node of waiting)
    node.services.notifications.listen(channel, { onMessage: () => void waiting.delete(node), onGap: () => undefined });
  // Sent again until both listen to the new channel.
  while (waiting.size > 0) await server.services.db.builder.raw('select pg_notify(?, ?)', [channel, '']);
}

test.serial(
  'security 40, reliability R-22: disabling a client ends its sessions at once and starts no new flow, on both nodes',
  async (t) => {
    const { account, browser } = await reader('disabled');
    const old = browser.cookieHeader(hostOf('disabled'));
    await server.apply(yaml({ disabled: `domain: ${hostOf('disabled')}, disabled: true` }));
    await told();
    const started = () =>
      browser.navigate(authorizeUrl(siteOf('disabled'), 'disabled', `${siteOf('disabled')}/`), {
        from: `${siteOf('disabled')}/`,
      });
    const asked = () =>
      browser.navigate(
        authorizeUrl(`http://${AUTH_HOST}`, 'disabled', `${siteOf('disabled')}/`, {
          redirect_uri: `${siteOf('disabled')}${API}/oauth/token`,
        }),
        { from: siteOf('disabled') },
      );
    for (let node = 0; node < 2; node++) {
      t.is((await browser.me(siteOf('disabled'), { cookies: old })).status, 401);
      t.is((await browser.me(siteOf('stays'))).status, 200);
      for (const answer of [await started(), await asked()]) {
        t.is(answer.status, 400);
        t.is(answer.location, null);
      }
      const silent = await browser.navigate(
        authorizeUrl(siteOf('disabled'), 'disabled', `${siteOf('disabled')}/`, {}, `${API}/oauth/auto-sso/authorize`),
        { from: siteOf('disabled') },
      );
      t.is(silent.status, 400);
      const landing = await browser.navigate(`${siteOf('disabled')}${API}/oauth/token?code=${'A'.repeat(43)}`, {
        from: `http://${AUTH_HOST}`,
      });
      t.is(landing.status, 400);
      // A password on the disabled site makes no session either.
      const signIn = await browser.post(
        `${siteOf('disabled')}${API}/login`,
        { email: account.email, password: PASSWORD },
        { cookies: null },
      );
      t.is(signIn.status, 400);
      t.is((await browser.me(siteOf('disabled'))).status, 401);
      const signUp = await browser.post(
        `${siteOf('disabled')}${API}/signup`,
        { email: `new-${node}-${account.email}`, password: PASSWORD, name: 'New' },
        { cookies: null },
      );
      t.is(signUp.status, 400);
      t.is((await browser.me(siteOf('disabled'))).status, 401);
    }
    t.false((await browser.navigate(`http://${AUTH_HOST}/`)).text.includes(siteOf('disabled')));
    // Enabled again, it works again; what was ended stays ended.
    await server.apply(yaml());
    await told();
    t.is((await browser.me(siteOf('disabled'), { cookies: old })).status, 401);
    const again = await browser.follow(authorizeUrl(siteOf('disabled'), 'disabled', `${siteOf('disabled')}/`), {
      from: `${siteOf('disabled')}/`,
    });
    t.is(again.hops.at(-1), `${siteOf('disabled')}/`);
  },
);

test.serial(
  'security 40, reliability R-22: a removed client takes its host, sessions and codes with it, on both nodes',
  async (t) => {
    const { browser } = await reader('removed');
    const old = browser.cookieHeader(hostOf('removed'));
    await server.apply(yaml({ removed: null }), {}, { isPrune: true });
    await told();
    for (let node = 0; node < 2; node++) {
      t.is((await browser.me(siteOf('removed'), { cookies: old })).status, 421);
      t.is((await browser.me(siteOf('stays'))).status, 200);
      t.is(
        (
          await browser.navigate(
            authorizeUrl(`http://${AUTH_HOST}`, 'removed', `${siteOf('removed')}/`, {
              redirect_uri: `${siteOf('removed')}${API}/oauth/token`,
            }),
          )
        ).status,
        400,
      );
    }
    t.is(
      Number(
        (
          await server.services.db
            .builder('domain_sessions')
            .where({ host: hostOf('removed') })
            .count('* as count')
        )[0]?.['count'],
      ),
      0,
    );
  },
);

test.serial('security 40: a host that goes to another client keeps no session of the former', async (t) => {
  const { browser } = await reader('moved');
  const old = browser.cookieHeader(hostOf('moved'));
  await server.apply(yaml({ moved: 'domain: elsewhere.change.localhost', removed: `domain: ${hostOf('moved')}` }));
  await told();
  for (let node = 0; node < 2; node++) t.is((await browser.me(siteOf('moved'), { cookies: old })).status, 401);
  // The former client's redirect URI is no longer the new host's.
  t.is((await browser.navigate(authorizeUrl(siteOf('moved'), 'moved', `${siteOf('moved')}/`))).status, 400);
});

test.serial('security 40: a code that was issued before its client was disabled makes no session after', async (t) => {
  const { browser } = await reader('stays');
  const started = await browser.navigate(authorizeUrl(siteOf('codes'), 'codes', `${siteOf('codes')}/`), {
    from: `${siteOf('codes')}/`,
  });
  const coded = await browser.navigate(String(started.location), { from: siteOf('codes') });
  t.true(coded.location?.includes('code='));
  await server.apply(yaml({ codes: `domain: ${hostOf('codes')}, disabled: true`, removed: null, moved: null }));
  await told();
  t.is((await browser.navigate(String(coded.location), { from: `http://${AUTH_HOST}` })).status, 400);
  t.is((await browser.me(siteOf('codes'))).status, 401);
});

test.serial(
  'reliability R-22: what no notification told a node of is seen after the five seconds that its memory lasts',
  async (t) => {
    const browser = server.browser([second.port]);
    const start = () =>
      browser.navigate(authorizeUrl(siteOf('unheard'), 'unheard', `${siteOf('unheard')}/`), {
        from: `${siteOf('unheard')}/`,
      });
    t.is((await start()).status, 303);
    // Written past the server: nobody is told.
    await server.services.db.builder('clients').where({ client_id: 'unheard' }).update({ disabled_at: new Date() });
    const deadline = performance.now() + 5500;
    let answer = await start();
    while (answer.status === 303 && performance.now() < deadline) answer = await start();
    t.is(answer.status, 400);
  },
);
