// The authorization decision of the session-sharing flow, pure: a parsed request and what is known of client and reader go
// in, one decision comes out. The list of checks is the order in which they apply; client and redirect URI come first,
// because until both are proven no answer may leave this host (RFC 6749 §4.1.2.1, RFC 9700 §4.11.2).

import { type Client, callbackOrigins, matchRedirectUri } from '../clients/clients.ts';
import type { ErrorCode } from '../http/errors.ts';
import type { CallbackUri, RedirectUri } from '../lib/ids.ts';
import { checkCallback, hasParameter, withParameter } from '../lib/url.ts';

export type AuthorizeRequest = {
  clientId: string | undefined;
  redirectUri: string | undefined;
  callbackUri: string | undefined;
  responseType: string | undefined;
  state: string | undefined;
  /** Hash of the flow cookie's secret, as the client host handed it on. */
  flow: string | undefined;
  /** Whether this flow was started again because its code arrived in another browser. */
  isRestart: boolean;
  /** Automatic sign-in: no page may be shown. */
  isSilent: boolean;
};

export type AuthorizeFacts = {
  /** The role of the host that was asked. */
  role: 'auth' | 'client';
  /** The client that `client_id` names in this realm. */
  client: Client | null;
  /** The client of the host, on a client domain. */
  hostClient: Client | null;
  isSignedIn: boolean;
};

/** What a code is issued for. */
export type GrantDraft = {
  client: Client;
  redirectUri: RedirectUri;
  callbackUri: CallbackUri;
  state: string | null;
  flowHash: Buffer | null;
  isRestart: boolean;
  isSilent: boolean;
};

export type AuthorizeDecision =
  /** Client or redirect URI unproven, or the request malformed: an answer here, never a redirect. */
  | { kind: 'refuse-here'; code: ErrorCode; description: string; sent?: string; client?: Client }
  /** On a client domain: on to the auth domain. */
  | { kind: 'next-hop'; draft: GrantDraft }
  /** On the auth domain, nobody signed in: to the sign-in page. */
  | { kind: 'sign-in'; draft: GrantDraft }
  /** Silent, and nobody signed in: back to where the reader was, with `logged_in=false`. */
  | { kind: 'back-anonymous'; callback: CallbackUri }
  | { kind: 'issue'; draft: GrantDraft };

type Refusal = Extract<AuthorizeDecision, { kind: 'refuse-here' }>;
type Check = { name: string; spec: string; run(request: AuthorizeRequest, facts: AuthorizeFacts): Refusal | null };

const LONGEST_STATE = 2048;
const FLOW_FORM = /^[A-Za-z0-9_-]{43}$/;

const refuse = (code: ErrorCode, description: string, more: { sent?: string; client?: Client } = {}): Refusal => ({
  kind: 'refuse-here',
  code,
  description,
  ...more,
});

/** The checks, in order. */
export const AUTHORIZE_CHECKS: readonly Check[] = [
  {
    name: 'client is known',
    spec: 'RFC 6749 §4.1.2.1',
    run: ({ clientId }, { client }) =>
      clientId === undefined
        ? refuse('invalid_request', 'Send client_id.')
        : client
          ? null
          : refuse('unknown_client', 'The client_id is not a client of this realm.', { sent: clientId }),
  },
  {
    // A session on one domain must never mint codes for another (one script hole there would open every site).
    name: 'client is the client of this host',
    spec: 'security 15',
    run: ({ clientId }, { role, client, hostClient }) => {
      if (role === 'auth')
        return client?.domain ? null : refuse('unknown_client', 'This client has no domain; it uses /oauth/authorize.');
      return client && hostClient?.id === client.id
        ? null
        : refuse('unknown_client', 'The client_id is not the client of this host.', { sent: clientId ?? '' });
    },
  },
  {
    name: 'redirect URI is registered',
    spec: 'RFC 9700 §4.1.3',
    run: ({ redirectUri }, { client }) =>
      client && matchRedirectUri(client, redirectUri)
        ? null
        : refuse('redirect_uri_mismatch', 'The redirect_uri must equal a registered one, byte for byte.', {
            sent: redirectUri ?? '',
            ...(client && { client }),
          }),
  },
  {
    // A `#` that a client forgot to encode cuts the query off after the callback; a missing type is `code` here.
    name: 'response type is code',
    spec: 'RFC 6749 §3.1.1',
    run: ({ responseType }) =>
      responseType === undefined || responseType === 'code'
        ? null
        : refuse('invalid_request', 'The only response_type is code.'),
  },
  {
    name: 'callback is a page of the client',
    spec: 'RFC 9700 §4.11',
    run: (request, { client }) => {
      const checked = client && checkCallback(callbackOf(request, client), callbackOrigins(client));
      return !checked || checked.ok
        ? null
        : refuse('callback_not_allowed', `The callback_uri is refused: ${CALLBACK_TEXTS[checked.reason]}`, {
            sent: request.callbackUri ?? '',
            ...(client && { client }),
          });
    },
  },
  {
    name: 'state fits',
    spec: 'RFC 6749 §4.1.1',
    run: ({ state }) =>
      (state?.length ?? 0) <= LONGEST_STATE
        ? null
        : refuse('invalid_request', `Send a state of at most ${LONGEST_STATE} characters.`),
  },
];

const CALLBACK_TEXTS = {
  malformed: 'it is not an absolute URL in plain, percent-encoded form.',
  'foreign-host': 'it is on another host than the client.',
  'reserved-path': 'it points into the sign-in API.',
  'too-long': 'it is longer than 2048 characters.',
} as const;

/** Decides on a request. */
export function decideAuthorize(request: AuthorizeRequest, facts: AuthorizeFacts): AuthorizeDecision {
  for (const check of AUTHORIZE_CHECKS) {
    const refusal = check.run(request, facts);
    if (refusal) return refusal;
  }
  const draft = draftOf(request, facts.client as Client);
  // A reader who was just told `logged_in=false` is not asked again.
  if (request.isSilent && hasParameter(draft.callbackUri, 'logged_in'))
    return { kind: 'back-anonymous', callback: draft.callbackUri };
  if (facts.role === 'client') return { kind: 'next-hop', draft };
  if (facts.isSignedIn) return { kind: 'issue', draft };
  if (request.isSilent)
    return { kind: 'back-anonymous', callback: withParameter(draft.callbackUri, 'logged_in', 'false') };
  return { kind: 'sign-in', draft };
}

function draftOf(request: AuthorizeRequest, client: Client): GrantDraft {
  const checked = checkCallback(callbackOf(request, client), callbackOrigins(client));
  const redirectUri = matchRedirectUri(client, request.redirectUri);
  if (!checked.ok || !redirectUri) throw new Error('a request passed the checks that must have stopped it');
  const flow =
    request.flow !== undefined && FLOW_FORM.test(request.flow) ? Buffer.from(request.flow, 'base64url') : null;
  return {
    client,
    redirectUri,
    callbackUri: checked.callback,
    state: request.state ?? null,
    flowHash: flow,
    isRestart: request.isRestart,
    isSilent: request.isSilent,
  };
}

/** Where the reader was; the front page of the site when nobody says. */
function callbackOf(request: AuthorizeRequest, client: Client): string {
  return request.callbackUri ?? `${client.domain?.origin ?? ''}/`;
}
