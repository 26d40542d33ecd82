// What the connections of the load generator say, for each target. Every answer is checked: status, and a piece of what it must hold.

import { generatedCookies } from './generation.ts';
import { type Answer, type Conversation, cookiesIn, expect, headerOf, request } from './load.ts';
import { CLIENT, HOSTS, PASSWORD, type Stage } from './stage.ts';

const API = '/api/auth/v1';
const JSON_POST = ['Content-Type: application/json', `Origin: https://${HOSTS.news}`];
const FORM = 'Content-Type: application/x-www-form-urlencoded';
const BASIC = `Authorization: Basic ${Buffer.from(`${CLIENT.id}:${CLIENT.secret}`).toString('base64')}`;
const NAVIGATION = [
  'Accept: text/html',
  'Sec-Fetch-Mode: navigate',
  'Sec-Fetch-Dest: document',
  'Sec-Fetch-Site: cross-site',
];
/** The site's authorize. */
const SET_OUT = request(
  `GET ${API}/oauth/authorize?${new URLSearchParams({
    client_id: 'news',
    redirect_uri: `https://${HOSTS.news}${API}/oauth/token`,
    callback_uri: `https://${HOSTS.news}/page`,
    response_type: 'code',
  })}`,
  HOSTS.news,
  NAVIGATION,
);

/** One request again and again. */
export function repeating(bytes: (index: number) => Buffer, check: (answer: Answer) => void): Conversation {
  return function* (index, done) {
    const asked = bytes(index);
    for (;;) {
      check(yield asked);
      done();
    }
  };
}

export const bareHttp = repeating(
  () => request('GET /', 'bench.example'),
  (answer) => expect(answer, 200, '"user"'),
);

export const bareSelect = repeating(
  (index) => request('GET /', 'bench.example', [`Cookie: qt-auth=bare-${index}`]),
  (answer) => expect(answer, 200, 'xxx'),
);

export const bareFlow: Conversation = function* (index, done) {
  const asked = request('GET /authorize', 'bench.example', [`Cookie: qt-auth=bare-${index}`]);
  for (;;) {
    const issued = yield asked;
    expect(issued, 302, '/token?code=');
    expect(yield request(`GET ${headerOf(issued, 'location')}`, 'bench.example'), 303, 'qt-auth=');
    done();
  }
};

export const expectMe = (answer: Answer) => expect(answer, 200, '"Bench Reader"');

/** `GET /users/me` of a reader who is signed in; every connection is another reader. */
export const usersMe = (stage: Stage): Conversation =>
  repeating(
    (index) => request(`GET ${API}/users/me`, HOSTS.news, [`Cookie: ${reader(stage, index).cookies.news}`]),
    (answer) => expect(answer, 200, '"Bench Reader"'),
  );

/** The same of another generated session at every request. */
export const usersMeOf = (next: () => number): Conversation =>
  function* (_index, done) {
    for (;;) {
      expectMe(yield usersMeRequest(next()));
      done();
    }
  };

/** `GET /users/me` of a generated session. */
export const usersMeRequest = (number: number): Buffer =>
  request(`GET ${API}/users/me`, HOSTS.news, [`Cookie: ${generatedCookies('news', number)}`]);

/** The same of a visitor without a cookie. */
export const usersMeAnonymous = repeating(
  () => request(`GET ${API}/users/me`, HOSTS.news),
  (answer) => expect(answer, 401),
);

/**
 * A hop of a reader who is signed in: the auth domain's authorize (code), the site's token (code used up, domain session,
 * cookie). The flow was begun once, by the site's authorize, and its cookie is kept.
 */
export const hop = (stage: Stage): Conversation => hopping((index) => reader(stage, index).cookies.auth);

/** The same of another generated session every time. */
export const hopOf = (next: () => number): Conversation => hopping(() => generatedCookies('auth', next()));

const hopping = (cookiesOf: (index: number) => string): Conversation =>
  function* (index, done) {
    const begun = yield SET_OUT;
    expect(begun, 303, HOSTS.auth);
    for (;;) {
      yield* comeBack(cookiesOf(index), begun);
      done();
    }
  };

/** The same as a browser makes it that comes from a site, three requests: the site's authorize (flow cookie) before. */
export const hopFromSite = (stage: Stage): Conversation =>
  function* (index, done) {
    for (;;) {
      const begun = yield SET_OUT;
      expect(begun, 303, HOSTS.auth);
      yield* comeBack(reader(stage, index).cookies.auth, begun);
      done();
    }
  };

function* comeBack(cookies: string, begun: Answer): Talk<void> {
  const issued = yield request(`GET ${pathIn(begun)}`, HOSTS.auth, [...NAVIGATION, `Cookie: ${cookies}`]);
  expect(issued, 303, 'code=');
  const flow = [...NAVIGATION, `Cookie: ${cookiesIn(begun)}`];
  expect(yield request(`GET ${pathIn(issued)}`, HOSTS.news, flow), 303, 'qt-auth=');
}

/** `POST /login` with the right password. */
export const login = (stage: Stage): Conversation =>
  repeating((index) => loginRequest(reader(stage, index).email), expectMe);

/** The same of another account every time. */
export const loginOf = (next: () => string): Conversation =>
  function* (_index, done) {
    for (;;) {
      expectMe(yield loginRequest(next()));
      done();
    }
  };

const loginRequest = (email: string) =>
  request(`POST ${API}/login`, HOSTS.news, JSON_POST, JSON.stringify({ email, password: PASSWORD }));

/** Sign in, then sign out with what was given; only the sign-out is an operation. */
export const logout = (stage: Stage): Conversation =>
  function* (index, done) {
    const asked = loginRequest(reader(stage, index).email);
    for (;;) {
      const entered = yield asked;
      expect(entered, 200);
      expect(yield request(`GET ${API}/logout`, HOSTS.news, [`Cookie: ${cookiesIn(entered)}`]), 204);
      done();
    }
  };

/** Where a provider is and how a reader becomes known to it. */
export type Provider = {
  host: string;
  paths: { authorize: string; token: string; userinfo: string; introspect: string };
  cookies(index: number): string | null;
};

export const causewayProvider = (stage: Stage): Provider => ({
  host: HOSTS.auth,
  paths: {
    authorize: '/oauth/authorize',
    token: '/oauth/token',
    userinfo: '/oauth/userinfo',
    introspect: '/oauth/introspect',
  },
  cookies: (index) => reader(stage, index).cookies.auth,
});

/** Its sessions come to be by its own interaction, walked once by every connection. */
export const oidcProvider: Provider = {
  host: '127.0.0.1',
  paths: { authorize: '/auth', token: '/token', userinfo: '/me', introspect: '/token/introspection' },
  cookies: () => null,
};

type Tokens = { access_token: string; refresh_token: string };

/** Authorization request and token request of a confidential client, with an ID token signed with ES256. */
export const codeFlow = (provider: Provider): Conversation =>
  function* (index, done) {
    const cookies = yield* enter(provider, index);
    for (;;) {
      yield* redeem(provider, cookies);
      done();
    }
  };

/** Every connection uses up one refresh token after another. */
export const refresh = (provider: Provider): Conversation =>
  function* (index, done) {
    let tokens = yield* redeem(provider, yield* enter(provider, index));
    for (;;) {
      tokens = yield* askToken(provider, { grant_type: 'refresh_token', refresh_token: tokens.refresh_token });
      done();
    }
  };

export const userinfo = (provider: Provider): Conversation =>
  function* (index, done) {
    const tokens = yield* redeem(provider, yield* enter(provider, index));
    const asked = request(`GET ${provider.paths.userinfo}`, provider.host, [
      `Authorization: Bearer ${tokens.access_token}`,
    ]);
    for (;;) {
      expect(yield asked, 200, '"sub"');
      done();
    }
  };

export const introspection = (provider: Provider): Conversation =>
  function* (index, done) {
    const tokens = yield* redeem(provider, yield* enter(provider, index));
    const body = new URLSearchParams({ token: tokens.access_token }).toString();
    const asked = request(`POST ${provider.paths.introspect}`, provider.host, [FORM, BASIC], body);
    for (;;) {
      expect(yield asked, 200, '"active":true');
      done();
    }
  };

type Talk<T> = Generator<Buffer, T, Answer>;

/** The cookies of a signed-in reader; where there are none yet, through the provider's interaction. */
function* enter(provider: Provider, index: number): Talk<string> {
  const known = provider.cookies(index);
  if (known !== null) return known;
  const jar = new Map<string, string>();
  const keep = (answer: Answer) => {
    for (const pair of cookiesIn(answer).split('; ').filter(Boolean))
      jar.set(pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1));
  };
  const header = () => [...jar].map(([name, value]) => `${name}=${value}`).join('; ');
  let path = authorizePath(provider);
  for (let step = 0; step < 6; step++) {
    const answer = yield request(`GET ${path}`, provider.host, [`Cookie: ${header()}`]);
    expect(answer, 303);
    keep(answer);
    const next = headerOf(answer, 'location') ?? '';
    if (next.startsWith(CLIENT.redirect)) return header();
    path = next.replace(/^https?:\/\/[^/]+/, '');
  }
  throw new Error('the interaction does not end');
}

const authorizePath = (provider: Provider) =>
  `${provider.paths.authorize}?${new URLSearchParams({
    client_id: CLIENT.id,
    redirect_uri: CLIENT.redirect,
    response_type: 'code',
    scope: 'openid profile email',
    state: 'a-state-of-some-length',
    nonce: 'a-nonce-of-some-length',
  })}`;

function* redeem(provider: Provider, cookies: string): Talk<Tokens> {
  const issued = yield request(`GET ${authorizePath(provider)}`, provider.host, [...NAVIGATION, `Cookie: ${cookies}`]);
  expect(issued, 303, 'code=');
  const code = new URL(headerOf(issued, 'location') ?? '').searchParams.get('code') ?? '';
  return yield* askToken(provider, { grant_type: 'authorization_code', code, redirect_uri: CLIENT.redirect });
}

function* askToken(provider: Provider, form: Record<string, string>): Talk<Tokens> {
  const body = new URLSearchParams(form).toString();
  const answer = yield request(`POST ${provider.paths.token}`, provider.host, [FORM, BASIC], body);
  expect(answer, 200, '"id_token"');
  expect(answer, 200, '"refresh_token"');
  return JSON.parse(answer.body) as Tokens;
}

/**
 * better-auth's session, of an account that each connection makes for itself, at its first conversation alone: hashing 64
 * passwords before every round would take longer than the rounds.
 */
export function getSession(): Conversation {
  const cookies = new Map<number, string>();
  return function* (index, done) {
    const known = cookies.get(index) ?? (yield* signUp(index));
    cookies.set(index, known);
    const asked = request('GET /api/auth/get-session', 'bench.example', [`Cookie: ${known}`]);
    for (;;) {
      expect(yield asked, 200, '"Bench Reader"');
      done();
    }
  };
}

function* signUp(index: number): Talk<string> {
  const body = JSON.stringify({
    email: `r${index}-${Date.now()}-${process.pid}@example.com`,
    password: PASSWORD,
    name: 'Bench Reader',
  });
  const lines = ['Content-Type: application/json', 'Origin: http://bench.example'];
  const signedUp = yield request('POST /api/auth/sign-up/email', 'bench.example', lines, body);
  expect(signedUp, 200, '"Bench Reader"');
  return cookiesIn(signedUp);
}

function reader(stage: Stage, index: number) {
  const found = stage.readers[index % stage.readers.length];
  if (!found) throw new Error('nobody is signed in');
  return found;
}

/** The path and query of a redirect. */
function pathIn(answer: Answer): string {
  return (headerOf(answer, 'location') ?? '').replace(/^https?:\/\/[^/]+/, '');
}
