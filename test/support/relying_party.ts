// A client of the standard provider as tests drive it: it makes authorization requests, walks a browser through the pages
// until the answer leaves the auth domain, and calls the back-channel endpoints. It follows the specifications alone and
// shares no code with the server.

import { createHash, type KeyObject, randomBytes, sign } from 'node:crypto';
import type { Account } from '../../server/accounts/accounts.ts';
import { toWanted } from '../../server/commands/wanted_realm.ts';
import type { Answer, Browser } from './browser.ts';
import { HOSTS, originOf, PASSWORD, type TestServer } from './server.ts';
import { beginSession, keepIn } from './signed_in.ts';

export const ISSUER = originOf('auth');
export const SECRET = 'a-secret-of-more-than-thirty-two-characters';
export const REDIRECT = 'https://rp.example/cb';

/** A client as a realm file writes it; a third-party one with the secret and redirect URI above unless it says otherwise. */
export type ClientFixture = Record<string, unknown> & { id: string };
export type Parameters = Record<string, string | undefined>;
export type PageKind = 'login' | 'sign-up' | 'consent' | 'end-session' | 'other';
/** Where a walk through the pages ended: with an answer to the client, or on a page of the provider. */
export type Outcome = {
  /** The parameters that the client got; null when the browser stays with the provider. */
  answer: URLSearchParams | null;
  via: 'query' | 'form_post' | null;
  to: string | null;
  /** Pages that were shown on the way, the last one included. */
  pages: PageKind[];
  last: Answer;
};

/** Registers clients on a running server. */
export async function putClients(server: TestServer, fixtures: readonly ClientFixture[]): Promise<void> {
  const { db, clients, realms } = server.services;
  const full = fixtures.map((fixture) => ({
    kind: 'third-party',
    redirect_uris: [REDIRECT],
    ...(fixture['token_endpoint_auth_method'] !== 'none' && { secret: SECRET }),
    ...fixture,
  }));
  const realm = await server.realm();
  const wanted = toWanted({ slug: 'test', auth_domain: HOSTS.auth, clients: full });
  await db.transaction(async (q) => {
    for (const { draft } of wanted.clients) await clients.put(q, realm.id, draft);
    await realms.announce(q);
  });
}

/** Walks a browser from an authorization request to its end. */
export async function walk(
  browser: Browser,
  url: string,
  as: { account?: { email: string } | null; consent?: 'allow' | 'deny'; isStoppedBy?: PageKind; issuer?: string } = {},
): Promise<Outcome> {
  const pages: PageKind[] = [];
  let last = await browser.navigate(url, { from: 'https://rp.example/' });
  for (let step = 0; step < 15; step++) {
    if (last.location !== null) {
      const next = new URL(last.location, last.url).href;
      if (!next.startsWith(`${as.issuer ?? ISSUER}/`))
        return { answer: new URL(next).searchParams, via: 'query', to: next, pages, last };
      last = await browser.navigate(next, { from: last.url });
      continue;
    }
    const posted = readFormPost(last.text);
    if (posted) return { answer: posted.fields, via: 'form_post', to: posted.action, pages, last };
    const page = pageOf(last.text);
    pages.push(page);
    const isOver = page === as.isStoppedBy || (page === 'login' && !as.account) || !['login', 'consent'].includes(page);
    if (isOver) return { answer: null, via: null, to: null, pages, last };
    last =
      page === 'login'
        ? await browser.submit(last, { identifier: as.account?.email ?? '', password: PASSWORD })
        : await browser.submit(last, { answer: as.consent ?? 'allow' });
  }
  throw new Error(`the walk does not end: ${pages.join(' ')}`);
}

/** The form of an answer by form post; null on any other page. It has a button, for a browser without JavaScript. */
export function readFormPost(html: string): { action: string; fields: URLSearchParams } | null {
  const form = /<form method="post" action="(https?:[^"]*)"[^>]*>([\s\S]*?)<\/form>/.exec(html);
  if (!form || !/<button[^>]*type="submit"/.test(form[2] as string)) return null;
  const fields = new URLSearchParams();
  for (const [, name, value] of (form[2] as string).matchAll(/<input type="hidden" name="([^"]*)" value="([^"]*)"/g))
    fields.append(decodeHtml(name as string), decodeHtml(value as string));
  return { action: decodeHtml(form[1] as string), fields };
}

function pageOf(html: string): PageKind {
  const action = /<form[^>]*action="([^"?]*)/.exec(html)?.[1];
  const known: Record<string, PageKind> = {
    '/login': 'login',
    '/signup': 'sign-up',
    '/oauth/consent': 'consent',
    '/oauth/end_session/confirm': 'end-session',
  };
  return known[action ?? ''] ?? 'other';
}

export function decodeHtml(text: string): string {
  return text
    .replace(/&#(x[0-9a-f]+|\d+);/gi, (_, number: string) =>
      String.fromCodePoint(number.startsWith('x') ? Number.parseInt(number.slice(1), 16) : Number(number)),
    )
    .replaceAll('&quot;', '"')
    .replaceAll('&lt;', '<')
    .replaceAll('&gt;', '>')
    .replaceAll('&amp;', '&');
}

export type RelyingParty = ReturnType<typeof createRelyingParty>;

/** The client with that id. @param options method: how it authenticates; key: of private_key_jwt; ports: nodes, in turns */
export function createRelyingParty(
  server: TestServer,
  id: string,
  options: {
    method?: 'basic' | 'post' | 'jwt' | 'none';
    key?: { kid: string; privateKey: KeyObject };
    redirectUri?: string;
    secret?: string;
    ports?: readonly number[];
  } = {},
) {
  const { method = 'basic', redirectUri = REDIRECT, secret = SECRET } = options;
  const machine = server.browser(options.ports);

  /** The parameters of an ordinary request, changed as said; `undefined` leaves one out. */
  const request = (changes: Parameters = {}): Parameters => ({
    client_id: id,
    redirect_uri: redirectUri,
    scope: 'openid',
    response_type: 'code',
    state: random(),
    nonce: random(),
    ...changes,
  });
  const urlOf = (parameters: Parameters) => `${ISSUER}/oauth/authorize?${encode(parameters)}`;
  /** Sends a browser off with a request. */
  const authorize = (
    browser: Browser,
    changes: Parameters = {},
    as: { account?: { email: string } | null; consent?: 'allow' | 'deny'; isStoppedBy?: PageKind } = {},
  ) => walk(browser, urlOf(request(changes)), as);

  /** A form post of this client to one of the endpoints. */
  function post(path: string, form: Parameters, headers: Record<string, string> = {}): Promise<Answer> {
    const authentication: Parameters =
      method === 'post'
        ? { client_id: id, client_secret: secret }
        : method === 'none'
          ? { client_id: id }
          : method === 'jwt'
            ? {
                client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
                client_assertion: assertion(),
              }
            : {};
    const basic = method === 'basic' ? { Authorization: basicOf(id, secret) } : {};
    return machine.ask(`${ISSUER}${path}`, {
      method: 'POST',
      cookies: null,
      headers: { 'Content-Type': 'application/x-www-form-urlencoded', ...basic, ...headers } as Record<string, string>,
      body: encode({ ...authentication, ...form }),
    });
  }

  /** A signed assertion of this client (RFC 7523); claims and header changed as said. */
  function assertion(claims: Record<string, unknown> = {}, header: Record<string, unknown> = {}): string {
    const now = Math.floor(Date.now() / 1000);
    if (!options.key) throw new Error('this client has no key');
    return signJws(
      { alg: 'ES256', kid: options.key.kid, ...header },
      { iss: id, sub: id, aud: ISSUER, iat: now, exp: now + 60, jti: random(), ...claims },
      options.key.privateKey,
    );
  }

  const token = (form: Parameters, headers?: Record<string, string>) => post('/oauth/token', form, headers);
  const redeem = (code: string | null | undefined, more: Parameters = {}, headers?: Record<string, string>) =>
    token({ grant_type: 'authorization_code', code: code ?? undefined, redirect_uri: redirectUri, ...more }, headers);
  const refresh = (refreshToken: string, more: Parameters = {}, headers?: Record<string, string>) =>
    token({ grant_type: 'refresh_token', refresh_token: refreshToken, ...more }, headers);
  const userinfo = (accessToken: string, more: { method?: string; headers?: Record<string, string> } = {}) =>
    machine.ask(`${ISSUER}/oauth/userinfo`, {
      method: more.method ?? 'GET',
      cookies: null,
      headers: { Authorization: `Bearer ${accessToken}`, ...more.headers },
    });
  const get = (path: string) => machine.ask(`${ISSUER}${path}`, { cookies: null });

  /** Tokens for a reader, the shortest way: through the pages that the request needs. */
  async function signIn(browser: Browser, changes: Parameters = {}, more: Parameters = {}) {
    const outcome = await authorize(browser, changes);
    const answer = await redeem(outcome.answer?.get('code'), more);
    if (answer.status !== 200) throw new Error(`no tokens: ${answer.status} ${answer.text} ${outcome.to}`);
    return answer.json();
  }

  return {
    id,
    method,
    redirectUri,
    machine,
    request,
    urlOf,
    authorize,
    post,
    assertion,
    token,
    redeem,
    refresh,
    userinfo,
    get,
    signIn,
  };
}

/** A reader who is signed in on the auth domain, in a browser of their own. */
export async function signedInReader(
  server: TestServer,
  ports?: readonly number[],
): Promise<{ account: Account & { email: string }; browser: Browser }> {
  const account = await server.makeAccount();
  const browser = server.browser(ports);
  keepIn(browser, await beginSession(server, account, ['auth']));
  return { account, browser };
}

/** RFC 6749 §2.3.1: both parts are form-encoded first. */
export const basicOf = (id: string, secret: string): string =>
  `Basic ${Buffer.from(`${formEncode(id)}:${formEncode(secret)}`).toString('base64')}`;
const formEncode = (text: string) => new URLSearchParams({ v: text }).toString().slice(2);
export const encode = (parameters: Parameters): string =>
  new URLSearchParams(
    Object.entries(parameters).filter((pair): pair is [string, string] => pair[1] !== undefined),
  ).toString();
export const random = (): string => randomBytes(24).toString('base64url');

/** A PKCE pair (RFC 7636 §4). */
export function makePkce(verifier = randomBytes(32).toString('base64url')) {
  return {
    verifier,
    request: {
      code_challenge: createHash('sha256').update(verifier).digest('base64url'),
      code_challenge_method: 'S256',
    },
  };
}

/** Signs a compact JWS by node:crypto; the algorithm of the header decides how. */
export function signJws(header: Record<string, unknown>, payload: unknown, key: KeyObject): string {
  const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const data = `${part(header)}.${part(payload)}`;
  const isElliptic = key.asymmetricKeyType === 'ec';
  const signature = sign(
    key.asymmetricKeyType === 'ed25519' ? null : 'sha256',
    Buffer.from(data),
    isElliptic ? { key, dsaEncoding: 'ieee-p1363' } : key,
  );
  return `${data}.${signature.toString('base64url')}`;
}
