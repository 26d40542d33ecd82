// Another provider on loopback, of which every answer can be spoilt: OpenID Connect by jose, and beside it the shapes in which
// Google, Facebook, GitHub and LinkedIn tell of a person. What the server sends is checked as the specifications ask.

import { createHash, createHmac, randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { type CryptoKey, exportJWK, generateKeyPair, type JWK, SignJWT } from 'jose';

export const CLIENT_ID = 'causeway-at-idp';
export const CLIENT_SECRET = 'secret of the client at the other provider';

type Claims = Record<string, unknown>;
type Key = { kid: string; privateKey: CryptoKey; publicJwk: JWK };
/** What goes wrong, and where. */
export type Tampering = {
  /** Changes the claims of an ID token; undefined values leave one out. */
  claims?: (claims: Claims) => Claims;
  signing?: 'none' | 'HS256' | 'unpublished-key';
  /** Changes what the browser carries back. */
  answer?: (parameters: URLSearchParams) => void;
  /** Of each path: how long it waits, what it answers. */
  at?: Record<string, { delayMs?: number; status?: number; text?: string }>;
};
type Issued = { scope: string; nonce: string | null; challenge: string | null; redirectUri: string; person: Claims };

export type FakeProvider = Awaited<ReturnType<typeof startFakeProvider>>;

/** Starts one. @param options name: of its host, `auth.<name>.localhost`; issParameter: whether answers carry RFC 9207's `iss` */
export async function startFakeProvider(options: { name?: string; issParameter?: boolean } = {}) {
  let keys = [await makeKey()];
  const codes = new Map<string, Issued>();
  const tokens = new Map<string, { person: Claims; clientId: string }>();
  const asked: { path: string; authorization: string | null; body: URLSearchParams; query: URLSearchParams }[] = [];
  const state = { person: newPerson(), tampering: {} as Tampering };
  const server = createServer((request, response) => {
    handle(request, response).catch((error: unknown) => {
      response.statusCode = 500;
      response.end(String(error));
    });
  });
  server.listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as { port: number };
  const issuer = `http://auth.${options.name ?? 'idp'}.localhost:${port}`;

  async function handle(request: IncomingMessage, response: ServerResponse) {
    const url = new URL(request.url ?? '/', issuer);
    const text = await readBody(request);
    const isJson = request.headers['content-type']?.includes('json');
    const body = new URLSearchParams(isJson ? Object.entries(JSON.parse(text) as Record<string, string>) : text);
    const authorization = request.headers.authorization ?? null;
    asked.push({ path: url.pathname, authorization, body, query: url.searchParams });
    const spoilt = state.tampering.at?.[url.pathname];
    if (spoilt?.delayMs) await new Promise((resolve) => setTimeout(resolve, spoilt.delayMs).unref());
    if (spoilt?.status || spoilt?.text)
      return void response.writeHead(spoilt.status ?? 200, JSON_TYPE).end(spoilt.text ?? '');
    const send = (value: unknown, status = 200) => response.writeHead(status, JSON_TYPE).end(JSON.stringify(value));
    switch (url.pathname) {
      case '/.well-known/openid-configuration':
        return send(discovery());
      case '/jwks':
        return send({ keys: keys.map(({ publicJwk, kid }) => ({ ...publicJwk, kid, alg: 'RS256', use: 'sig' })) });
      case '/authorize':
        return void response.writeHead(303, { Location: authorize(url.searchParams) }).end();
      case '/token':
        return send(...(await exchange(body, authorization)));
      default:
        return send(...answerAboutToken(url, authorization, body));
    }
  }

  const discovery = () => ({
    issuer,
    authorization_endpoint: `${issuer}/authorize`,
    token_endpoint: `${issuer}/token`,
    userinfo_endpoint: `${issuer}/userinfo`,
    jwks_uri: `${issuer}/jwks`,
    response_types_supported: ['code'],
    subject_types_supported: ['public'],
    id_token_signing_alg_values_supported: ['RS256'],
    code_challenge_methods_supported: ['S256'],
    ...(options.issParameter && { authorization_response_iss_parameter_supported: true }),
  });

  /** Whoever comes is the present person, and agrees. @returns where the browser goes on */
  function authorize(asking: URLSearchParams): string {
    const code = randomBytes(16).toString('hex');
    const redirectUri = asking.get('redirect_uri') ?? '';
    codes.set(code, {
      scope: asking.get('scope') ?? '',
      nonce: asking.get('nonce'),
      challenge: asking.get('code_challenge'),
      redirectUri,
      person: state.person,
    });
    const answer = new URLSearchParams({ code, state: asking.get('state') ?? '' });
    if (options.issParameter) answer.set('iss', issuer);
    state.tampering.answer?.(answer);
    return `${redirectUri}?${answer}`;
  }

  async function exchange(body: URLSearchParams, authorization: string | null): Promise<[unknown, number]> {
    const issued = codes.get(body.get('code') ?? '');
    codes.delete(body.get('code') ?? '');
    const isClient =
      decodeBasic(authorization) === `${CLIENT_ID}:${CLIENT_SECRET}` ||
      (body.get('client_id') === CLIENT_ID && body.get('client_secret') === CLIENT_SECRET);
    const verifier = createHash('sha256')
      .update(body.get('code_verifier') ?? '')
      .digest('base64url');
    const isAssertion = body.get('client_secret')?.split('.').length === 3;
    if (!isClient && !isAssertion) return [{ error: 'invalid_client' }, 401];
    if (
      !issued ||
      issued.redirectUri !== body.get('redirect_uri') ||
      (issued.challenge && issued.challenge !== verifier)
    )
      return [{ error: 'invalid_grant' }, 400];
    const accessToken = makeAccessToken(issued.person);
    const answer = { access_token: accessToken, token_type: 'Bearer', expires_in: 3600 };
    if (!issued.scope.split(' ').includes('openid')) return [answer, 200];
    const claims = { ...issued.person, ...(issued.nonce && { nonce: issued.nonce }) };
    return [{ ...answer, id_token: await makeIdToken(claims) }, 200];
  }

  /** An access token about somebody, made for one client. */
  function makeAccessToken(person: Claims, clientId = CLIENT_ID): string {
    const token = randomBytes(16).toString('hex');
    tokens.set(token, { person, clientId });
    return token;
  }

  /** An ID token, spoilt as `tampering` says. */
  async function makeIdToken(person: Claims): Promise<string> {
    const now = Math.floor(Date.now() / 1000);
    const plain = { iss: issuer, aud: CLIENT_ID, iat: now, exp: now + 300, ...person };
    const claims = state.tampering.claims?.(plain) ?? plain;
    const [key] = keys as [Key];
    if (state.tampering.signing === 'none') return `${encode({ alg: 'none' })}.${encode(claims)}.`;
    if (state.tampering.signing === 'HS256') {
      const signed = `${encode({ alg: 'HS256' })}.${encode(claims)}`;
      return `${signed}.${createHmac('sha256', CLIENT_SECRET).update(signed).digest('base64url')}`;
    }
    const other = state.tampering.signing === 'unpublished-key' ? await makeKey() : key;
    return new SignJWT(claims).setProtectedHeader({ alg: 'RS256', kid: other.kid }).sign(other.privateKey);
  }

  /** The endpoints that tell of a token or its person, each in the words of its provider. */
  function answerAboutToken(url: URL, authorization: string | null, body: URLSearchParams): [unknown, number] {
    const { searchParams: query } = url;
    const bearer = authorization?.replace(/^Bearer /, '') ?? '';
    const given =
      query.get('input_token') ?? query.get('access_token') ?? body.get('access_token') ?? body.get('token') ?? bearer;
    const known = tokens.get(given);
    const { person = {}, clientId = '' } = known ?? {};
    const isSecret = body.get('client_secret') === CLIENT_SECRET;
    switch (url.pathname) {
      case '/debug_token': {
        const isOurs = query.get('access_token') === `${CLIENT_ID}|${CLIENT_SECRET}`;
        const data = known ? { app_id: clientId, is_valid: true, user_id: person['sub'] } : { is_valid: false };
        return isOurs ? [{ data }, 200] : [{ error: { message: 'no app' } }, 400];
      }
      case '/introspect':
        return isSecret ? [{ active: known !== undefined, client_id: clientId, status: 'active' }, 200] : [{}, 401];
      case `/applications/${CLIENT_ID}/token`: {
        const isApp = decodeBasic(authorization) === `${CLIENT_ID}:${CLIENT_SECRET}`;
        const isOurs = isApp && known !== undefined && clientId === CLIENT_ID;
        return isOurs ? [{ app: { client_id: clientId }, user: { id: Number(person['sub']) } }, 200] : [{}, 404];
      }
      case '/me': {
        const proof = createHmac('sha256', CLIENT_SECRET).update(given).digest('hex');
        if (!known || query.get('appsecret_proof') !== proof) return [{ error: { code: 100 } }, 400];
        const { sub: id, email, name } = person;
        return [{ id, email, name, picture: { data: { url: 'https://images.example/me.jpg' } } }, 200];
      }
      default:
    }
    if (!known) return [{ error: 'invalid_token' }, 401];
    switch (url.pathname) {
      case '/tokeninfo':
        return [{ aud: clientId, sub: person['sub'], email_verified: 'true' }, 200];
      case '/userinfo':
        return [person, 200];
      case '/user':
        return [{ id: Number(person['sub']), login: 'octo', name: person['name'], email: null }, 200];
      case '/user/emails':
        return [
          [
            { email: 'other@example.com', primary: false, verified: true },
            { email: person['email'], primary: true, verified: person['email_verified'] },
          ],
          200,
        ];
      default:
        return [{ error: 'not_found' }, 404];
    }
  }

  return {
    issuer,
    port,
    state,
    asked,
    /** How often a path was asked for. */
    count: (path: string) => asked.filter((one) => one.path === path).length,
    makeIdToken,
    makeAccessToken,
    rotateKeys: async () => {
      keys = [await makeKey()];
    },
    /** Back to a provider that is well, with a new person. */
    reset(person: Claims = {}) {
      Object.assign(state, { person: newPerson(person), tampering: {} });
      return state.person as Claims & { sub: string; email: string };
    },
    close: () => new Promise((resolve) => server.close(resolve).closeAllConnections()),
  };
}

const JSON_TYPE = { 'Content-Type': 'application/json' };
const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');

/** Somebody whom nobody knows yet. */
export function newPerson(more: Claims = {}): Claims {
  const sub = String(randomBytes(6).readUIntBE(0, 6));
  return { sub, email: `person-${sub}@trusted.example`, email_verified: true, name: 'Grace Example', ...more };
}

async function makeKey(): Promise<Key> {
  const { publicKey, privateKey } = await generateKeyPair('RS256', { extractable: true });
  return { kid: randomBytes(8).toString('hex'), privateKey, publicJwk: await exportJWK(publicKey) };
}

async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('utf8');
}

/** RFC 6749 §2.3.1: both parts are form-encoded inside. */
function decodeBasic(authorization: string | null): string | null {
  const plain = Buffer.from(authorization?.replace(/^Basic /, '') ?? '', 'base64').toString('utf8');
  return authorization?.startsWith('Basic ') ? decodeURIComponent(plain.replaceAll('+', ' ')) : null;
}
