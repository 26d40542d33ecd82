// Client authentication at the back-channel endpoints (RFC 6749 §2.3, OpenID Connect Core §9): each client by the one method
// that it is registered for. Secrets are compared as hashes; two may be valid while one replaces the other.

import { createLocalJWKSet, createRemoteJWKSet, customFetch, decodeJwt, jwtVerify } from 'jose';
import type { Client, Clients } from '../clients/clients.ts';
import { isCleanText } from '../http/text.ts';
import type { RealmId } from '../lib/ids.ts';
import { hashToken, isSameHash } from '../lib/token.ts';
import { oauthError } from './oauth_error.ts';

const ASSERTION_TYPE = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer';
const ASSERTION_ALGS = ['RS256', 'PS256', 'ES256', 'EdDSA', 'RS512', 'ES384'];
/** RFC 8725 §3.12: a JWT of another declared type is no assertion; one that declares nothing, or just that it is a JWT, may be. */
const ASSERTION_TYPS: readonly unknown[] = [undefined, 'JWT', 'jwt', 'client-authentication+jwt'];
const LONGEST_ASSERTION_SECONDS = 300;
const SKEW_SECONDS = 60;

export type ClientCredentials = {
  /** Authorization header as received. */
  authorization: string;
  /** Form parameters. */
  clientId: string | undefined;
  clientSecret: string | undefined;
  assertionType: string | undefined;
  assertion: string | undefined;
};

export type ClientAuthentication = ReturnType<typeof createClientAuthentication>;

/** @param options takeOnce: takes an identifier that may be used once, for so many seconds, on all nodes; fetch: guarded against server-side request forgery */
export function createClientAuthentication(options: {
  clients: Clients;
  takeOnce(identifier: string, seconds: number): Promise<boolean>;
  fetch: typeof globalThis.fetch;
}) {
  const remoteKeys = new Map<string, ReturnType<typeof createRemoteJWKSet>>();

  /**
   * The client behind a request.
   * @param audience issuer of the realm: the only audience that an assertion may name
   * @throws OAuth error invalid_client, or invalid_request for more than one method
   */
  async function authenticate(realmId: RealmId, given: ClientCredentials, audience: string): Promise<Client> {
    const basic = parseBasic(given.authorization);
    const methods = [basic !== null, given.clientSecret !== undefined, given.assertion !== undefined].filter(Boolean);
    // RFC 6749 §2.3: the client MUST NOT use more than one authentication method in each request.
    if (methods.length > 1)
      throw oauthError('invalid_request', { description: 'Use one client authentication method.' });
    const failed = (reason: string) =>
      oauthError('invalid_client', {
        detail: { reason, client: given.clientId ?? null },
        headers: basicHeaders(given.authorization),
      });
    if (basic === 'malformed') throw failed('malformed Authorization header');
    const clientId = basic?.clientId ?? given.clientId ?? subjectOf(given.assertion);
    if (basic && given.clientId !== undefined && given.clientId !== basic.clientId) throw failed('two client ids');
    const client = clientId === null ? null : await options.clients.find(realmId, clientId);
    if (client?.kind !== 'third-party') throw failed('unknown client');
    const method = client.protocol.token_endpoint_auth_method;
    switch (method) {
      case 'client_secret_basic':
        if (basic && isSecretOf(client.secretHashes, basic.secret)) return client;
        throw failed('wrong secret or method');
      case 'client_secret_post':
        if (given.clientSecret !== undefined && isSecretOf(client.secretHashes, given.clientSecret)) return client;
        throw failed('wrong secret or method');
      case 'private_key_jwt':
        if (
          given.assertion !== undefined &&
          given.assertionType === ASSERTION_TYPE &&
          (await isAssertionOf(client, given.assertion, audience))
        )
          return client;
        throw failed('wrong assertion');
      case 'none':
        // A public client has no secret; one that sends any is misconfigured, and must learn it.
        if (methods.length === 0) return client;
        throw failed('public client with a secret');
      default:
        return method satisfies never;
    }
  }

  /** The client that one secret proves, if it is in memory; null tells nothing: `authenticate` judges, and refuses. */
  function peek(realmId: RealmId, given: ClientCredentials): Client | null {
    const basic = parseBasic(given.authorization);
    if (basic === 'malformed' || given.assertion !== undefined) return null;
    if (basic && (given.clientSecret !== undefined || (given.clientId ?? basic.clientId) !== basic.clientId))
      return null;
    const [clientId, secret] = basic ? [basic.clientId, basic.secret] : [given.clientId, given.clientSecret];
    const client = clientId === undefined ? null : options.clients.peek(realmId, clientId);
    if (client?.kind !== 'third-party' || secret === undefined) return null;
    const method = basic ? 'client_secret_basic' : 'client_secret_post';
    return client.protocol.token_endpoint_auth_method === method && isSecretOf(client.secretHashes, secret)
      ? client
      : null;
  }

  async function isAssertionOf(client: Client, assertion: string, audience: string): Promise<boolean> {
    if (assertion.length > 8192) return false;
    const { jwks, jwks_uri: uri } = client.protocol;
    try {
      const keys = jwks ? createLocalJWKSet(jwks) : uri ? keysAt(uri) : null;
      if (!keys) return false;
      const { payload, protectedHeader } = await jwtVerify(assertion, keys as Parameters<typeof jwtVerify>[1], {
        algorithms: ASSERTION_ALGS,
        issuer: client.clientId,
        subject: client.clientId,
        requiredClaims: ['exp', 'jti'],
        clockTolerance: SKEW_SECONDS,
      });
      if (!ASSERTION_TYPS.includes(protectedHeader.typ)) return false;
      // RFC 7523 §3: the audience MUST be the issuer alone, as a string; an array with others serves an attack.
      if (payload.aud !== audience) return false;
      if (payload.iat !== undefined && payload.iat > Date.now() / 1000 + SKEW_SECONDS) return false;
      const lasts = (payload.exp ?? 0) - Date.now() / 1000;
      if (lasts > LONGEST_ASSERTION_SECONDS + SKEW_SECONDS) return false;
      return await options.takeOnce(`assertion\n${client.id}\n${payload.jti}`, Math.ceil(Math.max(lasts, 0)) + 120);
    } catch {
      return false;
    }
  }

  function keysAt(uri: string) {
    const known = remoteKeys.get(uri);
    if (known) return known;
    const keys = createRemoteJWKSet(new URL(uri), {
      timeoutDuration: 5000,
      cooldownDuration: 30_000,
      [customFetch]: options.fetch,
    });
    remoteKeys.set(uri, keys);
    return keys;
  }

  return { authenticate, peek };
}

/** Whether a secret is one of those that are stored as hashes. */
export function isSecretOf(hashes: readonly Buffer[], secret: string): boolean {
  const hash = hashToken(secret);
  // Every stored hash is compared, so that the time does not tell which one matched.
  return hashes.map((stored) => isSameHash(stored, hash)).includes(true);
}

/** RFC 6749 §5.2: who tried the Authorization header MUST be answered with the scheme that it takes. */
export function basicHeaders(authorization: string): Record<string, string> {
  return authorization ? { 'WWW-Authenticate': 'Basic realm="oauth", charset="UTF-8"' } : {};
}

/** What of a request proves its client. @param authorization header as received; form: its fields */
export const credentialsIn = (authorization: string, form: ReadonlyMap<string, string>): ClientCredentials => ({
  authorization,
  clientId: form.get('client_id'),
  clientSecret: form.get('client_secret'),
  assertionType: form.get('client_assertion_type'),
  assertion: form.get('client_assertion'),
});

/**
 * RFC 6749 §2.3.1: id and secret are form-encoded before they are joined and base64-encoded. RFC 7617 §2: neither holds a control
 * character (security 181).
 */
export function parseBasic(header: string): { clientId: string; secret: string } | 'malformed' | null {
  if (!/^basic(\s|$)/i.test(header)) return header === '' ? null : 'malformed';
  const encoded = header.slice(5).trim();
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(encoded)) return 'malformed';
  const text = Buffer.from(encoded, 'base64').toString('utf8');
  const colon = text.indexOf(':');
  if (colon < 1) return 'malformed';
  try {
    const decode = (part: string) => (/[%+]/.test(part) ? decodeURIComponent(part.replaceAll('+', ' ')) : part);
    const [clientId, secret] = [decode(text.slice(0, colon)), decode(text.slice(colon + 1))];
    return isCleanText(clientId) && isCleanText(secret) ? { clientId, secret } : 'malformed';
  } catch {
    return 'malformed';
  }
}

function subjectOf(assertion: string | undefined): string | null {
  if (assertion === undefined || assertion.length > 8192) return null;
  try {
    // Nobody has proved anything yet: what is no text is named by nobody (RFC 7519 §4.1.2).
    const { sub } = decodeJwt(assertion);
    return typeof sub === 'string' ? sub : null;
  } catch {
    return null;
  }
}
