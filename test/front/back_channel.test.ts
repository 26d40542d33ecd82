// Token endpoint and introspection in front of the general way: the same answers as there, and nothing answered there that needs a
// closer look. What is odd about a request as such is in forms.test.ts. One test after the other: they count who went which way.

import test, { type ExecutionContext } from 'ava';
import { DatabaseUnavailable } from '../../server/db/database.ts';
import type { Answer } from '../support/browser.ts';
import { until } from '../support/raw.ts';
import {
  basicOf,
  createRelyingParty,
  makePkce,
  type Parameters,
  putClients,
  REDIRECT,
  type RelyingParty,
  SECRET,
  signedInReader,
} from '../support/relying_party.ts';
import { startTestServer } from '../support/server.ts';

const server = await startTestServer({ env: { CAUSEWAY_PROXIES: '127.0.0.1' } });
const plain = { require_pkce: false, consent: 'implied', scopes: ['openid', 'profile', 'email', 'offline_access'] };
await putClients(server, [
  { id: 'rp', ...plain },
  { id: 'poster', ...plain, token_endpoint_auth_method: 'client_secret_post', id_token_signed_response_alg: 'ES256' },
  { id: 'page', ...plain, require_pkce: true, token_endpoint_auth_method: 'none' },
  { id: 'machine', ...plain, grant_types: ['client_credentials'], scopes: ['reports'] },
  { id: 'bound', ...plain, dpop_bound_access_tokens: true, grant_types: ['client_credentials'], scopes: ['reports'] },
]);
test.after.always(() => server.close());
const [basic, poster] = [createRelyingParty(server, 'rp'), createRelyingParty(server, 'poster', { method: 'post' })];
const [TOKEN, INTROSPECT] = ['/oauth/token', '/oauth/introspect'];
/** A header that the general way alone judges, and that changes nothing of the answer. */
const CLOSER = { 'X-Purpose': 'none' };

// The general way, and only that, asks in this manner where a request arrived.
let general = 0;
const { realms, clients, grants, db } = server.services;
const { findSite } = realms;
realms.findSite = (host) => {
  general++;
  return findSite(host);
};

async function watched(ask: () => Promise<Answer>): Promise<Answer & { isInFront: boolean }> {
  const before = general;
  const answer = await ask();
  return { ...answer, isInFront: general === before };
}

/** Until it is answered in front: realms and clients are forgotten after some seconds, and a busy node may be without its lease. */
const inFront = (ask: () => Promise<Answer>): Promise<Answer> => usedInFront(async () => '', ask);

/** The same of something that is used up by asking. */
async function usedInFront(make: () => Promise<string>, use: (made: string) => Promise<Answer>): Promise<Answer> {
  let answer: Answer | undefined;
  await until(async () => {
    const made = await make();
    const got = await watched(() => use(made));
    answer = got;
    return got.isInFront;
  });
  return answer as Answer;
}

/** An answer without what chance and time put into it. */
function comparable({ status, headers, text }: Answer) {
  const { date: _date, 'x-request-id': id, ...rest } = headers;
  const blurred = text
    .replaceAll(/cw([ar])_[\w-]{49}/g, 'cw$1_*')
    .replaceAll(/"[\w-]+\.[\w-]+\.[\w-]{86,}"/g, '"*.*.*"')
    .replaceAll(/(?<="(?:iat|exp)":)\d+/g, '*');
  return { status, headers: rest, text: blurred, hasId: /^[\w-]{12}$/.test(String(id)) };
}

async function codeOf(party: RelyingParty, changes: Parameters = {}): Promise<string> {
  const { browser } = await signedInReader(server, [server.port]);
  return (await party.authorize(browser, { scope: 'openid profile email', ...changes })).answer?.get('code') ?? '';
}

async function tokensOf(party: RelyingParty, changes: Parameters = {}, more: Parameters = {}) {
  return (await party.redeem(await codeOf(party, changes), more)).json() as {
    access_token: string;
    refresh_token: string;
  };
}

/** The last line that was logged of a request at a route, without what chance and time put into it. */
function lineOf(route: string) {
  const line = server.lines.findLast((one) => one.includes(`"route":"${route}"`)) ?? '{}';
  const { time: _time, request: _request, milliseconds, ...rest } = JSON.parse(line);
  return { ...rest, hasTime: typeof milliseconds === 'number' };
}

for (const party of [basic, poster])
  test.serial(
    `RFC 6749 §5.1: in front, codes, refresh tokens and introspection are answered as on the general way, by ${party.method}`,
    async (t) => {
      const byWay: Record<string, unknown>[] = [];
      for (const headers of [{}, CLOSER]) {
        const wayOf = async (route: string, use: (made: string) => Promise<Answer>, make = async () => '') => {
          const answer = headers === CLOSER ? await use(await make()) : await usedInFront(make, use);
          return { answer, kept: { ...comparable(answer), line: lineOf(route) } };
        };
        const { verifier, request } = makePkce();
        const coded = await wayOf(
          'oauth.token',
          (code) => party.redeem(code, { code_verifier: verifier }, headers),
          () => codeOf(party, request),
        );
        let held = String(coded.answer.json().refresh_token);
        const refreshed = await wayOf('oauth.token', async () => {
          const answer = await party.refresh(held, { scope: 'openid email' }, headers);
          held = answer.json().refresh_token;
          return answer;
        });
        const { access_token: token } = refreshed.answer.json();
        const told = await wayOf('oauth.introspect', () =>
          party.post(INTROSPECT, { token, token_type_hint: 'access_token' }, headers),
        );
        t.deepEqual(
          [coded, refreshed, told].map(({ answer }) => answer.status),
          [200, 200, 200],
        );
        t.true(told.answer.json().active);
        byWay.push({ coded: coded.kept, refreshed: refreshed.kept, told: blurSub(told.kept) });
      }
      t.deepEqual(byWay[0], byWay[1]);
    },
  );

const blurSub = (kept: object) => JSON.parse(JSON.stringify(kept).replace(/\\"sub\\":\\"[^"]+\\"/, 'sub'));

test.serial(
  'RFC 6749 §4.4: in front, a client gets a token for itself, and one that must show a key gets none',
  async (t) => {
    const machine = createRelyingParty(server, 'machine');
    const ask = (headers = {}) => machine.token({ grant_type: 'client_credentials' }, headers);
    t.deepEqual(comparable(await inFront(ask)), comparable(await ask(CLOSER)));
    const bound = createRelyingParty(server, 'bound');
    for (let time = 0; time < 2; time++) {
      const refused = await watched(() => bound.token({ grant_type: 'client_credentials' }));
      t.deepEqual([refused.status, refused.json().error, refused.isInFront], [400, 'invalid_dpop_proof', false]);
    }
  },
);

test.serial(
  'RFC 6749 §5.2: what is refused, or needs a closer look, is answered by the general way as if it had come there at once',
  async (t) => {
    const live = await tokensOf(basic);
    const pages = createRelyingParty(server, 'page', { method: 'none' });
    const { verifier, request } = makePkce();
    const foreign = await tokensOf(pages, request, { code_verifier: verifier });
    const redeem = { grant_type: 'authorization_code', code: 'x'.repeat(43), redirect_uri: REDIRECT };
    const refresh = { grant_type: 'refresh_token', refresh_token: live.refresh_token };
    const wrong = { Authorization: basicOf('rp', `${SECRET.slice(0, -1)}S`) };
    const none = { Authorization: '' };
    type Case = [
      what: string,
      path: string,
      form: Parameters,
      headers: Record<string, string>,
      expected: [number, string?],
    ];
    const cases: Case[] = [
      ['a wrong secret', INTROSPECT, { token: live.access_token }, wrong, [401, 'invalid_client']],
      ['a wrong secret', TOKEN, refresh, wrong, [401, 'invalid_client']],
      ['an unknown client', TOKEN, refresh, { Authorization: basicOf('nobody', SECRET) }, [401, 'invalid_client']],
      ['nobody', INTROSPECT, { token: live.access_token }, none, [401, 'invalid_client']],
      ['a broken header', TOKEN, refresh, { Authorization: 'Basic &' }, [401, 'invalid_client']],
      ['another scheme', TOKEN, refresh, { Authorization: 'Bearer x' }, [401, 'invalid_client']],
      ['two methods', TOKEN, { ...refresh, client_secret: SECRET }, {}, [400, 'invalid_request']],
      ['two clients', TOKEN, { ...refresh, client_id: 'poster' }, {}, [401, 'invalid_client']],
      [
        'basic where post is registered',
        TOKEN,
        refresh,
        { Authorization: basicOf('poster', SECRET) },
        [401, 'invalid_client'],
      ],
      [
        'post where basic is registered',
        TOKEN,
        { ...refresh, client_id: 'rp', client_secret: SECRET },
        none,
        [401, 'invalid_client'],
      ],
      ['a public client', TOKEN, { ...refresh, client_id: 'page' }, none, [400, 'invalid_grant']],
      ['a public client', INTROSPECT, { token: live.access_token, client_id: 'page' }, none, [401, 'invalid_client']],
      ['an assertion', TOKEN, { ...refresh, client_assertion: 'a.b.c' }, {}, [400, 'invalid_request']],
      ['no grant', TOKEN, {}, {}, [400, 'invalid_request']],
      ['an unknown grant', TOKEN, { grant_type: 'password' }, {}, [400, 'unsupported_grant_type']],
      ['a grant of others', TOKEN, { grant_type: 'client_credentials' }, {}, [400, 'unauthorized_client']],
      ['no code', TOKEN, { ...redeem, code: '' }, {}, [400, 'invalid_request']],
      ['an unknown code', TOKEN, redeem, {}, [400, 'invalid_grant']],
      ['a code of an odd form', TOKEN, { ...redeem, code: 'ä' }, {}, [400, 'invalid_grant']],
      ['no refresh token', TOKEN, { grant_type: 'refresh_token' }, {}, [400, 'invalid_request']],
      [
        'a refresh token of others',
        TOKEN,
        { ...refresh, refresh_token: foreign.refresh_token },
        {},
        [400, 'invalid_grant'],
      ],
      ['too much scope', TOKEN, { ...refresh, scope: 'openid address' }, {}, [400, 'invalid_scope']],
      ['no token', INTROSPECT, {}, {}, [400, 'invalid_request']],
      ['an unknown token', INTROSPECT, { token: 'x' }, {}, [200]],
      ['a refresh token', INTROSPECT, { token: live.refresh_token }, {}, [200]],
      ['a token of others', INTROSPECT, { token: foreign.access_token }, {}, [200]],
      ['a page of another origin', INTROSPECT, { token: live.access_token }, { Origin: 'https://evil.example' }, [200]],
      ['a proof where none is', TOKEN, refresh, { DPoP: 'x' }, [400, 'invalid_dpop_proof']],
      ['a browser that fetches ahead', TOKEN, refresh, { 'Sec-Purpose': 'prefetch' }, [403, 'access_denied']],
    ];
    // So that nothing goes the general way because it is not in memory.
    await inFront(() => basic.post(INTROSPECT, { token: live.access_token }));
    for (const [what, path, form, headers, [status, error]] of cases) {
      const answer = await watched(() => basic.post(path, form, headers));
      const line = lineOf(path.replaceAll('/', '.').slice(1));
      const careful = await basic.post(path, form, { ...CLOSER, ...headers });
      t.deepEqual([answer.status, answer.json().error, answer.isInFront], [status, error, false], `${what} at ${path}`);
      t.deepEqual(comparable(answer), comparable(careful), `${what} at ${path}`);
      t.deepEqual(line, lineOf(path.replaceAll('/', '.').slice(1)), `${what} at ${path}`);
    }
    t.is((await basic.refresh(live.refresh_token)).status, 200, 'none of this has used it');
  },
);

test.serial(
  'security 102, 109: in front, too, a code that is used twice and a refresh token that comes late end what was made of them',
  async (t) => {
    const code = await codeOf(basic);
    const first = (
      await usedInFront(
        () => codeOf(basic),
        (made) => basic.redeem(made),
      )
    ).json();
    const given = (await basic.redeem(code)).json();
    const replayed = await watched(() => basic.redeem(code));
    t.deepEqual([replayed.status, replayed.json().error], [400, 'invalid_grant']);
    t.is((await basic.post(INTROSPECT, { token: given.access_token })).text, '{"active":false}');
    const next = (await basic.refresh(first.refresh_token)).json();
    await basic.refresh(next.refresh_token);
    t.is((await watched(() => basic.refresh(first.refresh_token))).json().error, 'invalid_grant');
    t.is((await basic.post(INTROSPECT, { token: next.access_token })).text, '{"active":false}');
  },
);

test.serial('in front, introspection tells of the audience that a client is registered for now', async (t) => {
  const { access_token: token } = await tokensOf(poster);
  const ask = () => poster.post(INTROSPECT, { token });
  const before = (await inFront(ask)).json();
  const audience = 'https://api.example';
  const opaque = { format: 'opaque', claims: [], audience };
  await putClients(server, [
    {
      id: 'poster',
      ...plain,
      token_endpoint_auth_method: 'client_secret_post',
      id_token_signed_response_alg: 'ES256',
      access_token: opaque,
    },
  ]);
  await until(async () => (await ask()).json().aud === audience);
  t.deepEqual((await inFront(ask)).json(), { ...before, aud: audience });
});

test.serial(
  'security 115: in front, a token is worth nothing once it is revoked, its reader disabled or its client switched off',
  async (t) => {
    const endings: [
      what: string,
      end: (token: string, sub: string) => Promise<unknown>,
      expected: [number, string?],
    ][] = [
      ['revoked', (token) => basic.post('/oauth/revoke', { token }), [200]],
      [
        'disabled',
        (_token, sub) =>
          db.transaction((q) => q.builder('accounts').where({ sub }).update({ disabled_at: new Date() })),
        [200],
      ],
      [
        'switched off',
        () =>
          db.transaction(async (q) => {
            await clients.setDisabled(q, (await server.realm()).id, 'rp', true);
            await realms.announce(q);
          }),
        [401, 'invalid_client'],
      ],
    ];
    for (const [what, end, [status, error]] of endings) {
      const { access_token: token } = await tokensOf(basic);
      const ask = () => basic.post(INTROSPECT, { token });
      const { sub } = (await inFront(ask)).json();
      await end(token, sub);
      // A client's change is announced to the nodes; all else holds from the moment it is acknowledged.
      if (what === 'switched off') await until(async () => (await ask()).status !== 200);
      const answer = await watched(ask);
      t.deepEqual([answer.status, answer.json().error, answer.isInFront], [status, error, false], what);
      if (status === 200) t.is(answer.text, '{"active":false}', what);
    }
  },
);

test.serial(
  'a grant that fails in front because PostgreSQL is away is told as everywhere, and not begun again',
  async (t) => {
    const { refresh_token: token } = await tokensOf(poster);
    const { byForm } = grants;
    let begun = 0;
    const failing = () => {
      begun++;
      return Promise.reject(new DatabaseUnavailable('away'));
    };
    const outcomes: unknown[] = [];
    for (const headers of [{}, CLOSER]) {
      grants.byForm = failing;
      const answer = await poster.refresh(token, {}, headers);
      grants.byForm = byForm;
      outcomes.push(comparable(answer));
      t.is(answer.status, 503);
      t.is(answer.headers['retry-after'], '2');
    }
    t.is(begun, 2);
    t.deepEqual(outcomes[0], outcomes[1]);
    t.is((await poster.refresh(token)).status, 200);
  },
);

test.serial(
  'security 106: wrong secrets are counted in front as everywhere, and keep nobody out who has the right one',
  async (t: ExecutionContext) => {
    const from = { 'X-Forwarded-For': '198.51.100.7' };
    const ask = (secret: string) => poster.post(INTROSPECT, { token: 'x', client_secret: secret }, from);
    const statuses: number[] = [];
    for (let tries = 0; tries < 302; tries++) statuses.push((await ask('wrong')).status);
    t.deepEqual([...new Set(statuses)], [401, 429]);
    t.is(statuses.filter((status) => status === 401).length, 300);
    t.is((await ask(SECRET)).status, 200);
  },
);
