// The checks of an authorization request, in order, for both faces; docs/authorization-checks.md is generated from the list.
// Client and redirect URI come first, because until both are proven no answer may leave this host (RFC 6749 §4.1.2.1, RFC
// 9700 §4.11.2); the reader comes last (reader_checks.ts).

import { type Client, callbackOrigins } from '../clients/clients.ts';
import { checkCallback } from '../lib/url.ts';
import { type Asked, type Check, type Face, type Fault, prove } from './authorization.ts';
import { checkChallenge } from './pkce.ts';
import { parseClaims, parseMaxAge, parsePrompt } from './provider_request.ts';
import { READER_CHECKS } from './reader_checks.ts';

const LONGEST = { state: 2048, nonce: 512, login_hint: 320 } as const;
const ONLY_CODE = 'The only response_type is code.';
const CALLBACK_TEXTS = {
  malformed: 'it is not an absolute URL in plain, percent-encoded form.',
  'foreign-host': 'it is on another host than the client.',
  'reserved-path': 'it points into the sign-in API.',
  'too-long': 'it is longer than 2048 characters.',
} as const;

const fault = <const Code extends string>(code: Code, description: string, sent?: string): Fault<Code> => ({
  code,
  description,
  ...(sent !== undefined && { sent }),
});
/** One rule for both faces. */
const both = <Rule>(rule: Rule): Record<Face, Rule> => ({ session: rule, oidc: rule });

/** The checks, in order; the first that has something to say decides. */
export const AUTHORIZATION_CHECKS: readonly Check[] = [
  {
    name: 'client is known',
    spec: 'RFC 6749 §4.1.2.1',
    stage: 'proof',
    rules: both(({ request: { parameters }, facts }: Asked<Face>) =>
      parameters.client_id === undefined
        ? fault('invalid_request', 'Send client_id.')
        : facts.client
          ? null
          : fault('unknown_client', 'The client_id is not a client of this realm.', parameters.client_id),
    ),
  },
  {
    // A session on one domain must never mint codes for another (one script hole there would open every site).
    name: 'client is the client of this host',
    spec: 'security 15',
    stage: 'proof',
    notes: { session: 'on the auth domain, any client with a domain' },
    rules: {
      session: ({ request, facts: { role, client, hostClient } }) => {
        if (role === 'auth')
          return client?.domain
            ? null
            : fault('unknown_client', 'This client has no domain; it uses /oauth/authorize.');
        return client && hostClient?.id === client.id
          ? null
          : fault(
              'unknown_client',
              'The client_id is not the client of this host.',
              request.parameters.client_id ?? '',
            );
      },
      oidc: null,
    },
  },
  {
    name: 'redirect URI is registered, byte for byte',
    spec: 'RFC 9700 §4.1.3',
    stage: 'proof',
    rules: both((asked: Asked<Face>) =>
      prove(asked)
        ? null
        : fault(
            'redirect_uri_mismatch',
            'The redirect_uri must equal a registered one, byte for byte.',
            asked.request.parameters.redirect_uri ?? '',
          ),
    ),
  },
  {
    // Codes of a site's own flow are for its landing page alone; a first-party client has no business here.
    name: 'client may use this endpoint',
    spec: 'RFC 6749 §4.1.2.1',
    stage: 'request',
    rules: {
      session: null,
      oidc: (_, { client }) =>
        client.kind === 'third-party' && client.protocol.grant_types.includes('authorization_code')
          ? null
          : fault('unauthorized_client', 'This client may not use the authorization code grant here.'),
    },
  },
  {
    name: 'request was pushed, if it must be',
    spec: 'RFC 9126 §5',
    stage: 'request',
    rules: {
      session: null,
      oidc: ({ facts }, { client }) =>
        client.protocol.require_pushed_authorization_requests && !facts.isPushed
          ? fault('invalid_request', 'This client must push its authorization requests.')
          : null,
    },
  },
  {
    name: 'no request object',
    spec: 'OpenID Connect Core §3.1.2.6',
    stage: 'request',
    rules: {
      session: null,
      oidc: ({ request: { parameters } }) => {
        if (parameters.request !== undefined)
          return fault('request_not_supported', 'Request objects are not supported.');
        if (parameters.request_uri !== undefined)
          return fault(
            'request_uri_not_supported',
            'Only request URIs from the pushed request endpoint are supported.',
          );
        return parameters.registration === undefined
          ? null
          : fault('registration_not_supported', 'The registration parameter is not supported.');
      },
    },
  },
  {
    // In the session-sharing flow a `#` that a client forgot to encode cuts the query off after the callback.
    name: 'response type is code',
    spec: 'RFC 6749 §3.1.1',
    stage: 'request',
    notes: { session: 'a missing one counts as code (security 207)', oidc: 'it must be sent' },
    rules: {
      session: ({ request: { parameters } }) =>
        (parameters.response_type ?? 'code') === 'code' ? null : fault('invalid_request', ONLY_CODE),
      oidc: ({ request: { parameters } }) => {
        if (parameters.response_type === undefined) return fault('invalid_request', 'Send response_type=code.');
        return parameters.response_type === 'code' ? null : fault('unsupported_response_type', ONLY_CODE);
      },
    },
  },
  {
    name: 'response mode is offered',
    spec: 'OAuth 2.0 Multiple Response Type Encoding Practices §2.1',
    stage: 'request',
    rules: {
      session: null,
      oidc: ({ request: { parameters } }, { client }) =>
        parameters.response_mode === undefined ||
        client.protocol.response_modes.some((mode) => mode === parameters.response_mode)
          ? null
          : fault('invalid_request', 'Send response_mode query or form_post.'),
    },
  },
  {
    name: 'PKCE',
    spec: 'RFC 7636 §4.4.1',
    stage: 'request',
    notes: { oidc: 'must be used unless the registration of a confidential client waives it' },
    rules: {
      session: null,
      oidc: ({ request: { parameters } }, { client: { protocol } }) => {
        const wrong = checkChallenge(parameters.code_challenge, parameters.code_challenge_method);
        if (wrong) return fault('invalid_request', wrong);
        // RFC 9700 §2.1.1: public clients MUST use PKCE; others unless their registration waives it.
        const isRequired = protocol.require_pkce || protocol.token_endpoint_auth_method === 'none';
        return isRequired && parameters.code_challenge === undefined
          ? fault('invalid_request', 'Send code_challenge and code_challenge_method=S256.')
          : null;
      },
    },
  },
  {
    name: 'callback is a page of the client',
    spec: 'RFC 9700 §4.11',
    stage: 'request',
    rules: {
      session: (asked, { client }) => {
        const { request } = asked;
        const checked = checkCallbackOf(asked, client);
        return checked.ok
          ? null
          : fault(
              'callback_not_allowed',
              `The callback_uri is refused: ${CALLBACK_TEXTS[checked.reason]}`,
              request.parameters.callback_uri ?? '',
            );
      },
      oidc: null,
    },
  },
  {
    name: 'state and other free texts fit',
    spec: 'RFC 6749 §4.1.1',
    stage: 'request',
    notes: { session: 'state', oidc: 'state, nonce, login_hint' },
    rules: both(({ request }: Asked<Face>) =>
      isFitting(request.parameters)
        ? null
        : fault(
            'invalid_request',
            request.face === 'session'
              ? `Send a state of at most ${LONGEST.state} characters.`
              : `A parameter is too long: state ${LONGEST.state}, nonce ${LONGEST.nonce}, login_hint ${LONGEST.login_hint} characters.`,
          ),
    ),
  },
  {
    name: 'prompt, max_age and claims are well-formed',
    spec: 'OpenID Connect Core §3.1.2.1',
    stage: 'request',
    rules: {
      session: null,
      oidc: ({ request: { parameters } }) => {
        if (parsePrompt(parameters.prompt) === null)
          return fault('invalid_request', 'The prompt has an unknown value, or none together with another.');
        if (parseMaxAge(parameters.max_age) === null)
          return fault('invalid_request', 'The max_age must be a whole number of seconds.');
        return parseClaims(parameters.claims) === null
          ? fault('invalid_request', 'The claims parameter must be a JSON object.')
          : null;
      },
    },
  },
  {
    name: 'hint is ours',
    spec: 'OpenID Connect Core §3.1.2.2',
    stage: 'request',
    rules: {
      session: null,
      oidc: ({ facts: { hint } }) =>
        hint.kind === 'invalid'
          ? fault('invalid_request', 'The id_token_hint is not an ID token of this issuer.')
          : null,
    },
  },
  ...READER_CHECKS,
];

/** Checks where the reader was; it is the front page of the site when nobody says. */
export function checkCallbackOf({ request: { parameters }, seen }: Asked<'session'>, client: Client) {
  seen.callback ??= checkCallback(
    parameters.callback_uri ?? `${client.domain?.origin ?? ''}/`,
    callbackOrigins(client),
  );
  return seen.callback;
}

function isFitting(parameters: { [Name in keyof typeof LONGEST]?: string | undefined }): boolean {
  const { state = '', nonce = '', login_hint: hint = '' } = parameters;
  return state.length <= LONGEST.state && nonce.length <= LONGEST.nonce && hint.length <= LONGEST.login_hint;
}
