// The way to a provider: its addresses (discovered or written down), our client there, and one fetch for all calls, which goes
// only where it may, ends in time, asks nothing of a provider that is down, and fetches a key set at most once a minute.

import { AsyncLocalStorage } from 'node:async_hooks';
import { importPKCS8, SignJWT } from 'jose';
import { LRUCache } from 'lru-cache';
import type * as openid from 'openid-client';
import type { GuardedFetch } from '../http/outgoing.ts';
import { createBreaker } from '../lib/breaker.ts';
import { hashToken } from '../lib/token.ts';
import type { Realm, Realms, StoredUpstream } from '../realms/realms.ts';
import { type Endpoints, isProviderKey, PROVIDERS, type Provider } from './providers.ts';
import type { UpstreamSettings } from './settings.ts';

/** All calls of one sign-in together; the reader is answered within 5 s (reliability R-84). */
const PATIENCE_MS = 4000;
const DISCOVERY_MS = 3_600_000;
/** Just under the minute after which openid-client asks again for a key that it does not know. */
const KEY_SET_MS = 59_000;
const APPLE_SECRET_SECONDS = 300;

export type Connection = {
  realm: Realm;
  upstream: StoredUpstream;
  provider: Provider;
  settings: UpstreamSettings;
  /** Who vouches; part of the key of an identity. */
  issuer: string;
  endpoints: Endpoints;
  /** Loaded with the first connection: most nodes at rest have none. */
  library: typeof openid;
  client: openid.Configuration;
  fetch: openid.CustomFetch;
  /** The client secret in the clear, where the provider has one. */
  secret: string | null;
  /** Whether the provider has failed to answer during the present sign-in. */
  isDown(): boolean;
};

type Call = { signal: AbortSignal; isDown: boolean };

export type Connections = ReturnType<typeof createConnections>;

/** @param options fetch: guarded against server-side request forgery */
export function createConnections(options: { realms: Realms; fetch: GuardedFetch }) {
  const breaker = createBreaker();
  const calls = new AsyncLocalStorage<Call>();
  const memory = new LRUCache<string, Connection, { realm: Realm; upstream: StoredUpstream }>({
    max: 1000,
    ttl: DISCOVERY_MS,
    ignoreFetchAbort: true,
    fetchMethod: (_key, stale, { context }) =>
      connect(context).catch((error: unknown) => {
        // Known addresses are better than none while the provider is down.
        if (stale) return stale;
        throw error;
      }),
  });

  /**
   * Does something with a provider, in time.
   * @returns `unavailable` when the provider did not answer, or not as one that is well
   * @throws what `work` throws for any other reason
   */
  async function attempt<T>(
    of: { realm: Realm; upstream: StoredUpstream },
    work: (connection: Connection) => Promise<T>,
  ): Promise<{ ok: true; value: T } | { ok: false; reason: 'unavailable'; retryAfterSeconds: number }> {
    const call: Call = { signal: AbortSignal.timeout(PATIENCE_MS), isDown: false };
    try {
      return { ok: true, value: await calls.run(call, async () => work(await open(of))) };
    } catch (error) {
      if (!call.isDown) throw error;
      return { ok: false, reason: 'unavailable', retryAfterSeconds: breaker.retryAfterSeconds };
    }
  }

  const isDown = () => calls.getStore()?.isDown === true;

  async function open(of: { realm: Realm; upstream: StoredUpstream }): Promise<Connection> {
    const key = hashToken(JSON.stringify([of.realm.id, of.upstream])).toString('base64url');
    const connection = await memory.fetch(key, { context: of });
    if (!connection) throw new Error('no connection');
    return { ...connection, realm: of.realm };
  }

  async function connect({ realm, upstream }: { realm: Realm; upstream: StoredUpstream }): Promise<Connection> {
    if (!isProviderKey(upstream.provider)) throw new Error(`the provider ${upstream.provider} is none of this version`);
    const library = await import('openid-client');
    const provider: Provider = PROVIDERS[upstream.provider];
    const settings = upstream.settings as UpstreamSettings;
    const written = settings.endpoints ?? (settings.issuer ? null : provider.endpoints);
    const issuer = settings.issuer ?? issuerOf(provider, settings, written);
    const secret = upstream.secrets['client_secret']
      ? await options.realms.revealSecret(upstream, 'client_secret')
      : null;
    const authentication =
      provider.authMethod === 'apple'
        ? appleAuthentication(settings, await options.realms.revealSecret(upstream, 'private_key'), issuer)
        : secretAuthentication(library, settings.token_endpoint_auth_method ?? provider.authMethod, secret);
    let keySetUrl: string | undefined;
    const fetch = fetchFor(`${realm.id}:${upstream.id}`, (url) => url === keySetUrl);
    const isInsecure = [issuer, written?.token].some((url) => url?.startsWith('http:'));
    const client = written
      ? new library.Configuration(metadataOf(issuer, written), settings.client_id, {}, authentication)
      : await library.discovery(new URL(issuer), settings.client_id, {}, authentication, {
          [library.customFetch]: fetch,
          // Only a loopback issuer can have passed the realm file with http.
          execute: isInsecure ? [library.allowInsecureRequests] : [],
        });
    client[library.customFetch] = fetch;
    if (isInsecure) library.allowInsecureRequests(client);
    // OpenID Connect Core §3.1.3.7 lets TLS stand for the signature; it is checked all the same (security 160).
    library.enableNonRepudiationChecks(client);
    const found = client.serverMetadata();
    keySetUrl = found.jwks_uri;
    const endpoints = written ?? {
      authorization: found.authorization_endpoint ?? '',
      token: found.token_endpoint ?? '',
      ...(found.userinfo_endpoint && { userinfo: found.userinfo_endpoint }),
      ...(found.jwks_uri && { jwks: found.jwks_uri }),
    };
    return {
      realm,
      upstream,
      provider,
      settings,
      issuer: found.issuer,
      endpoints,
      library,
      client,
      fetch,
      secret,
      isDown,
    };
  }

  function fetchFor(key: string, isKeySet: (url: string) => boolean): openid.CustomFetch {
    let keySet: { at: number; answer: Promise<Response> } | null = null;
    const fetchOnce: openid.CustomFetch = async (url, init) => {
      const call = calls.getStore();
      const fail = (error: unknown) => {
        if (call) call.isDown = true;
        return error;
      };
      if (!breaker.admit(key)) throw fail(new Error(`the provider ${key} is not asked for a while`));
      try {
        const signals = [call?.signal, init.signal].filter((signal) => signal !== undefined);
        const { method, headers, body } = init;
        const answer = await options.fetch(url, {
          method,
          headers,
          signal: AbortSignal.any(signals),
          ...(body != null && { body: body as string | URLSearchParams }),
        });
        if (!(await isSound(answer))) throw new Error(`the provider ${key} answered ${answer.status}, or no JSON`);
        breaker.note(key, true);
        return answer;
      } catch (error) {
        breaker.note(key, false);
        throw fail(error);
      }
    };
    return async (url, init) => {
      if (!isKeySet(url)) return fetchOnce(url, init);
      if (!keySet || performance.now() - keySet.at > KEY_SET_MS) {
        const fetched = { at: performance.now(), answer: fetchOnce(url, init) };
        keySet = fetched;
        fetched.answer.catch(() => {
          if (keySet === fetched) keySet = null;
        });
      }
      return (await keySet.answer).clone();
    };
  }

  return { attempt };
}

/** A provider that is well answers with JSON, and has not too much to do. */
async function isSound(answer: Response): Promise<boolean> {
  if (answer.status >= 500 || answer.status === 429) return false;
  if (!answer.ok) return true;
  return answer
    .clone()
    .json()
    .then(
      (value: unknown) => typeof value === 'object' && value !== null,
      () => false,
    );
}

function issuerOf(provider: Provider, settings: UpstreamSettings, endpoints: Endpoints | null): string {
  if (provider.issuer) return provider.issuer.replace('{tenant}', settings.tenant ?? 'common');
  if (!endpoints) throw new Error('a provider without issuer and addresses');
  return new URL(endpoints.authorization).origin;
}

function metadataOf(issuer: string, endpoints: Endpoints): openid.ServerMetadata {
  return {
    issuer,
    authorization_endpoint: endpoints.authorization,
    token_endpoint: endpoints.token,
    ...(endpoints.userinfo && { userinfo_endpoint: endpoints.userinfo }),
    ...(endpoints.jwks && { jwks_uri: endpoints.jwks }),
  };
}

function secretAuthentication(library: typeof openid, method: string, secret: string | null): openid.ClientAuth {
  if (secret === null) return library.None();
  return method === 'client_secret_basic' ? library.ClientSecretBasic(secret) : library.ClientSecretPost(secret);
}

/** Apple takes a JWT, signed by the key of the developer, for a client secret. */
function appleAuthentication(settings: UpstreamSettings, privateKey: string, issuer: string): openid.ClientAuth {
  return async (_server, client, body) => {
    const key = await importPKCS8(privateKey.replaceAll('\\n', '\n'), 'ES256');
    const secret = await new SignJWT()
      .setProtectedHeader({ alg: 'ES256', kid: settings.key_id ?? '' })
      .setIssuer(settings.team_id ?? '')
      .setSubject(client.client_id)
      .setAudience(issuer)
      .setIssuedAt()
      .setExpirationTime(`${APPLE_SECRET_SECONDS} s`)
      .sign(key);
    body.set('client_id', client.client_id);
    body.set('client_secret', secret);
  };
}
