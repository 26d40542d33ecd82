// The authorization decision of the standard provider, pure, and the ordered list of its checks. `here` checks come first:
// until client and redirect URI are proven no answer may leave this host (RFC 6749 §4.1.2.1, RFC 9700 §4.11.2); what fails
// after that goes back to the client with `error`, `state` and `iss`.

import { type Client, matchRedirectUri } from '../clients/clients.ts';
import type { ErrorCode } from '../http/errors.ts';
import type { AccountId, RedirectUri } from '../lib/ids.ts';
import { checkChallenge } from './pkce.ts';
import { type AuthorizeParameters, parseClaims, parseMaxAge, parsePrompt } from './provider_request.ts';
import { effectiveScopes } from './scope.ts';

export type OAuthErrorCode =
  | 'invalid_request'
  | 'unauthorized_client'
  | 'access_denied'
  | 'unsupported_response_type'
  | 'invalid_scope'
  | 'server_error'
  | 'temporarily_unavailable'
  | 'login_required'
  | 'interaction_required'
  | 'consent_required'
  | 'account_selection_required'
  | 'request_not_supported'
  | 'request_uri_not_supported'
  | 'registration_not_supported'
  | 'unmet_authentication_requirements';

export type Provider = {
  client: Client | null;
  /** How the request came: pushed requests are exempt from nothing but tampering. */
  isPushed: boolean;
  signedIn: {
    accountId: AccountId;
    sub: string;
    ageSeconds: number /** Milliseconds since the epoch. */;
    authenticatedAt: number;
    acr: string;
  } | null;
  /** When this request arrived, by the database's clock, milliseconds since the epoch. A sign-in after it is a fresh one. */
  startedAt: number;
  /** Scopes that the account allowed this client before. */
  consented: readonly string[] | null;
  /** Whether the consent page of this very request was answered with yes. */
  hasJustConsented: boolean;
  /** What `id_token_hint` proves: the subject, or that it proves nothing. */
  hint: { kind: 'absent' } | { kind: 'invalid' } | { kind: 'sub'; sub: string };
};

export type ProviderDecision =
  | { kind: 'refuse-here'; code: ErrorCode; description: string; sent?: string }
  | { kind: 'refuse-there'; error: OAuthErrorCode; description: string; to: RedirectUri }
  | { kind: 'login'; why: 'not-signed-in' | 'prompt' | 'max-age' | 'other-account'; prompt: 'login' | 'create' }
  | { kind: 'consent'; scopes: string[] }
  | { kind: 'issue'; scopes: string[]; redirectUri: RedirectUri };

type Here = { at: 'here'; code: ErrorCode; description: string; sent?: string };
type There = { at: 'there'; error: OAuthErrorCode; description: string };
type Check = { name: string; spec: string; run(request: AuthorizeParameters, facts: Provider): Here | There | null };

const LONGEST = { state: 2048, nonce: 512, loginHint: 320 } as const;
const here = (code: ErrorCode, description: string, sent?: string): Here => ({
  at: 'here',
  code,
  description,
  ...(sent !== undefined && { sent }),
});
const there = (error: OAuthErrorCode, description: string): There => ({ at: 'there', error, description });

/** The checks, in order. */
export const PROVIDER_CHECKS: readonly Check[] = [
  {
    name: 'client is known',
    spec: 'RFC 6749 §4.1.2.1',
    run: ({ client_id }, { client }) =>
      client_id === undefined
        ? here('invalid_request', 'Send client_id.')
        : client
          ? null
          : here('unknown_client', 'The client_id is not a client of this realm.', client_id),
  },
  {
    name: 'redirect URI is registered',
    spec: 'RFC 9700 §4.1.3',
    run: ({ redirect_uri }, { client }) =>
      client && matchRedirectUri(client, redirect_uri)
        ? null
        : here(
            'redirect_uri_mismatch',
            'The redirect_uri must equal a registered one, byte for byte.',
            redirect_uri ?? '',
          ),
  },
  {
    // Codes of a site's own flow are for its landing page alone; a first-party client has no business here.
    name: 'client may use this endpoint',
    spec: 'RFC 6749 §4.1.2.1',
    run: (_, { client }) =>
      client?.kind === 'third-party' && client.protocol.grant_types.includes('authorization_code')
        ? null
        : there('unauthorized_client', 'This client may not use the authorization code grant here.'),
  },
  {
    name: 'request was pushed, if it must be',
    spec: 'RFC 9126 §5',
    run: (_, { client, isPushed }) =>
      client?.protocol.require_pushed_authorization_requests && !isPushed
        ? there('invalid_request', 'This client must push its authorization requests.')
        : null,
  },
  {
    name: 'no request object',
    spec: 'OpenID Connect Core §3.1.2.6',
    run: ({ request, request_uri, registration }) => {
      if (request !== undefined) return there('request_not_supported', 'Request objects are not supported.');
      if (request_uri !== undefined)
        return there('request_uri_not_supported', 'Only request URIs from the pushed request endpoint are supported.');
      return registration === undefined
        ? null
        : there('registration_not_supported', 'The registration parameter is not supported.');
    },
  },
  {
    name: 'response type is code',
    spec: 'RFC 6749 §3.1.1',
    run: ({ response_type }) =>
      response_type === undefined
        ? there('invalid_request', 'Send response_type=code.')
        : response_type === 'code'
          ? null
          : there('unsupported_response_type', 'The only response_type is code.'),
  },
  {
    name: 'response mode is offered',
    spec: 'OAuth 2.0 Multiple Response Type Encoding Practices §2.1',
    run: ({ response_mode }, { client }) =>
      response_mode === undefined || client?.protocol.response_modes.some((mode) => mode === response_mode)
        ? null
        : there('invalid_request', 'Send response_mode query or form_post.'),
  },
  {
    name: 'PKCE',
    spec: 'RFC 7636 §4.4.1',
    run: ({ code_challenge, code_challenge_method }, { client }) => {
      const fault = checkChallenge(code_challenge, code_challenge_method);
      if (fault) return there('invalid_request', fault);
      // RFC 9700 §2.1.1: public clients MUST use PKCE; others unless their registration waives it.
      const isRequired = client?.protocol.require_pkce || client?.protocol.token_endpoint_auth_method === 'none';
      return isRequired && code_challenge === undefined
        ? there('invalid_request', 'Send code_challenge and code_challenge_method=S256.')
        : null;
    },
  },
  {
    name: 'lengths',
    spec: 'RFC 6749 §4.1.1',
    run: ({ state = '', nonce = '', login_hint = '' }) =>
      state.length > LONGEST.state || nonce.length > LONGEST.nonce || login_hint.length > LONGEST.loginHint
        ? there('invalid_request', 'A parameter is too long: state 2048, nonce 512, login_hint 320 characters.')
        : null,
  },
  {
    name: 'prompt, max_age and claims are well-formed',
    spec: 'OpenID Connect Core §3.1.2.1',
    run: ({ prompt, max_age, claims }) => {
      if (parsePrompt(prompt) === null)
        return there('invalid_request', 'The prompt has an unknown value, or none together with another.');
      if (parseMaxAge(max_age) === null)
        return there('invalid_request', 'The max_age must be a whole number of seconds.');
      return parseClaims(claims) === null
        ? there('invalid_request', 'The claims parameter must be a JSON object.')
        : null;
    },
  },
  {
    name: 'hint is ours',
    spec: 'OpenID Connect Core §3.1.2.2',
    run: (_, { hint }) =>
      hint.kind === 'invalid' ? there('invalid_request', 'The id_token_hint is not an ID token of this issuer.') : null,
  },
];

/** Decides on a request. */
export function decideProvider(request: AuthorizeParameters, facts: Provider): ProviderDecision {
  const { client } = facts;
  const redirectUri = client ? matchRedirectUri(client, request.redirect_uri) : null;
  for (const check of PROVIDER_CHECKS) {
    const refusal = check.run(request, facts);
    if (!refusal) continue;
    if (refusal.at === 'here')
      return {
        kind: 'refuse-here',
        code: refusal.code,
        description: refusal.description,
        ...(refusal.sent !== undefined && { sent: refusal.sent }),
      };
    return refuseThere(redirectUri, refusal);
  }
  if (!client || !redirectUri) throw new Error('a request passed the checks that must have stopped it');
  const prompts = parsePrompt(request.prompt) ?? [];
  const isSilent = prompts.includes('none');

  const need = loginNeed(request, facts);
  // Signed in anew, and still somebody else than the hint names: asking again would go round in circles.
  if (need === 'other-account' && isFresh(facts))
    return refuseThere(redirectUri, there('login_required', 'Another reader signed in than the id_token_hint names.'));
  if (need)
    return isSilent
      ? refuseThere(redirectUri, there('login_required', 'The reader has to sign in.'))
      : { kind: 'login', why: need, prompt: prompts.includes('create') ? 'create' : 'login' };
  const essential = parseClaims(request.claims)?.essentialAcr;
  if (essential && facts.signedIn && !essential.includes(facts.signedIn.acr)) {
    // OpenID Connect Core §5.5.1.1: an essential acr that cannot be met is a failed authentication.
    return refuseThere(
      redirectUri,
      there('unmet_authentication_requirements', 'The requested authentication context is not available.'),
    );
  }
  const scopes = effectiveScopes(request.scope, client.protocol);
  if (needsConsent(client, scopes, prompts, facts)) {
    return isSilent
      ? refuseThere(redirectUri, there('consent_required', 'The reader has to allow this.'))
      : { kind: 'consent', scopes };
  }
  // OpenID Connect Core §11: offline access without a consent given for it is ignored.
  const isOfflineAllowed =
    facts.hasJustConsented ||
    (facts.consented ?? []).includes('offline_access') ||
    client.protocol.consent === 'implied';
  return {
    kind: 'issue',
    scopes: scopes.filter((scope) => scope !== 'offline_access' || isOfflineAllowed),
    redirectUri,
  };
}

type LoginNeed = Extract<ProviderDecision, { kind: 'login' }>['why'];

function isFresh({ signedIn, startedAt }: Provider): boolean {
  return signedIn !== null && signedIn.authenticatedAt > startedAt;
}

function loginNeed(request: AuthorizeParameters, facts: Provider): LoginNeed | null {
  const { signedIn, hint } = facts;
  if (!signedIn) return 'not-signed-in';
  const prompts = parsePrompt(request.prompt) ?? [];
  if (
    !isFresh(facts) &&
    (prompts.includes('login') || prompts.includes('select_account') || prompts.includes('create'))
  )
    return 'prompt';
  const maxAge = parseMaxAge(request.max_age);
  // OpenID Connect Core §3.1.2.1: older than max_age, the reader MUST be actively re-authenticated.
  if (typeof maxAge === 'number' && signedIn.ageSeconds > maxAge && !isFresh(facts)) return 'max-age';
  return hint.kind === 'sub' && hint.sub !== signedIn.sub ? 'other-account' : null;
}

function needsConsent(
  client: Client,
  scopes: readonly string[],
  prompts: readonly string[],
  { consented, hasJustConsented }: Provider,
): boolean {
  if (hasJustConsented) return false;
  if (prompts.includes('consent')) return true;
  if (client.protocol.consent === 'implied') return false;
  if (consented === null) return true;
  return scopes.some((scope) => scope !== 'offline_access' && !consented.includes(scope));
}

function refuseThere(to: RedirectUri | null, refusal: There): ProviderDecision {
  if (!to) throw new Error('a refusal was to leave before its target was proven');
  return { kind: 'refuse-there', error: refusal.error, description: refusal.description, to };
}
