// The words of an authorization decision: what is asked on each face, what is known, what may come of it, and the form of a
// check. The faces meet in one pipeline (authorization_decision.ts) and part by type: what one asks can give no code of the
// other, because a decision carries the draft of its own face alone.

import { type Client, matchRedirectUri } from '../clients/clients.ts';
import type { ErrorCode } from '../http/errors.ts';
import type { CallbackUri, RedirectUri } from '../lib/ids.ts';
import type { checkCallback } from '../lib/url.ts';
import type { AuthorizeParameters, ClaimsRequest } from './provider_request.ts';

/** session: the session-sharing flow; oidc: the standard provider. The kind of the codes that come of it. */
export type Face = 'session' | 'oidc';

export type SessionRequest = {
  face: 'session';
  parameters: {
    client_id?: string | undefined;
    redirect_uri?: string | undefined;
    callback_uri?: string | undefined;
    response_type?: string | undefined;
    state?: string | undefined;
    /** Hash of the flow cookie's secret, as the client host handed it on. */
    flow?: string | undefined;
  };
  /** Whether this flow was started again because its code arrived in another browser. */
  isRestart: boolean;
  /** Automatic sign-in: no page may be shown. */
  isSilent: boolean;
};
export type OidcRequest = { face: 'oidc'; parameters: AuthorizeParameters };

export type SessionFacts = {
  /** The client that `client_id` names in this realm. */
  client: Client | null;
  /** The role of the host that was asked. */
  role: 'auth' | 'client';
  /** The client of the host, on a client domain. */
  hostClient: Client | null;
  isSignedIn: boolean;
};
export type OidcFacts = {
  client: Client | null;
  /** How the request came: pushed requests are exempt from nothing but tampering. */
  isPushed: boolean;
  /** `authenticatedAt` in milliseconds since the epoch. */
  signedIn: {
    sub: string;
    ageSeconds: number;
    authenticatedAt: number;
    acr: string;
    /** Whether this session can be raised by a second factor: at once, after a new sign-in, or not in this realm. */
    stepUp: 'possible' | 'after-sign-in' | 'impossible';
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

/** Client and redirect URI of a request, proven. Nothing leaves this host for anywhere else (RFC 6749 §4.1.2.1). */
export type Proven = { client: Client; redirectUri: RedirectUri };

/** What a code of the session-sharing flow is issued for. */
export type SessionDraft = Proven & {
  kind: 'session';
  callbackUri: CallbackUri;
  state: string | null;
  flowHash: Buffer | null;
  isRestart: boolean;
  isSilent: boolean;
};
/** What a code of the standard provider is issued for. */
export type OidcDraft = Proven & {
  kind: 'oidc';
  scopes: readonly string[];
  nonce: string | null;
  codeChallenge: string | null;
  dpopJkt: string | null;
  claims: ClaimsRequest;
};

/** The error codes that go back to a client (RFC 6749 §4.1.2.1, OpenID Connect Core §3.1.2.6). */
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

/** Client or redirect URI unproven, or a request that is refused on a page here; never a redirect. */
export type RefuseHere = { kind: 'refuse-here'; code: ErrorCode; description: string; sent?: string; client?: Client };
/** Told to the client, at its proven redirect URI. The session-sharing flow tells people alone, so it has none. */
export type RefuseThere = { kind: 'refuse-there'; error: OAuthErrorCode; description: string; to: RedirectUri };

type SessionOutcome =
  /** On a client domain: on to the auth domain. */
  | { kind: 'next-hop'; draft: SessionDraft }
  /** On the auth domain, nobody signed in: to the sign-in page. */
  | { kind: 'login'; draft: SessionDraft }
  /** Silent, and nobody signed in: back to where the reader was, with `logged_in=false`. */
  | { kind: 'back-anonymous'; callback: CallbackUri };
type OidcOutcome =
  | RefuseThere
  | { kind: 'login'; why: 'not-signed-in' | 'prompt' | 'max-age' | 'other-account' | 'acr'; prompt: 'login' | 'create' }
  /** To the page of the second factor alone. */
  | { kind: 'step-up' }
  | { kind: 'consent'; scopes: string[] };

/** What differs from face to face. */
type Faces = {
  session: {
    request: SessionRequest;
    facts: SessionFacts;
    refusal: ErrorCode;
    outcome: SessionOutcome;
    draft: SessionDraft;
  };
  oidc: { request: OidcRequest; facts: OidcFacts; refusal: OAuthErrorCode; outcome: OidcOutcome; draft: OidcDraft };
};
export type Request<F extends Face> = Faces[F]['request'];
export type Facts<F extends Face> = Faces[F]['facts'];
export type Asked<F extends Face> = {
  request: Request<F>;
  facts: Facts<F>;
  /** What a check has worked out, for the draft that is made after it. */
  seen: { callback?: ReturnType<typeof checkCallback> };
};
export type Draft<F extends Face> = Faces[F]['draft'];
export type Outcome<F extends Face> = RefuseHere | Faces[F]['outcome'];
export type Decision<F extends Face = Face> = Outcome<F> | { kind: 'issue'; draft: Draft<F> };

/** Why a request is refused; `sent` is what was wrong, for the page. */
export type Fault<Code> = { code: Code; description: string; sent?: string };
export type FaultOf<F extends Face> = Fault<Faces[F]['refusal']>;
type Rules<Of extends { [F in Face]: unknown }> = { [F in Face]: Of[F] | null };

/**
 * One check. `rules` has what it does on each face, null where it does not apply. The stage says what is known when it runs,
 * and so where its answer may go: `proof` comes first and answers here; `request` looks at the rest of a request whose client
 * and redirect URI are proven; `reader` asks whether the reader may have a code at once.
 */
export type Check = {
  name: string;
  spec: string;
  /** What a face does of its own, for docs/authorization-checks.md. */
  notes?: { [F in Face]?: string };
} & (
  | { stage: 'proof'; rules: Rules<{ [F in Face]: (asked: Asked<F>) => Fault<ErrorCode> | null }> }
  | {
      stage: 'request';
      rules: Rules<{ [F in Face]: (asked: Asked<F>, proven: Proven) => FaultOf<F> | null }>;
    }
  | { stage: 'reader'; rules: Rules<{ [F in Face]: (asked: Asked<F>, draft: Draft<F>) => Outcome<F> | null }> }
);

/** Proves client and redirect URI; null while either is not what is registered. */
export function prove({ request, facts: { client } }: Asked<Face>): Proven | null {
  const redirectUri = client && matchRedirectUri(client, request.parameters.redirect_uri);
  return client && redirectUri ? { client, redirectUri } : null;
}

export function refuseHere(fault: Fault<ErrorCode>, client: Client | null): RefuseHere {
  return { kind: 'refuse-here', ...fault, ...(client && { client }) };
}

/** The only maker of an answer that leaves this host with an error. */
export function refuseThere(proven: Proven, error: OAuthErrorCode, description: string): RefuseThere {
  return { kind: 'refuse-there', error, description, to: proven.redirectUri };
}
