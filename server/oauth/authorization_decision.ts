// The authorization decision, pure, one pipeline for both faces: a parsed request and what is known of client and reader go
// in, one decision comes out. What is asked on one face can only yield a draft of that face, by type: no lenient request of
// the session-sharing flow ever becomes a code of the standard provider (security 207).

import {
  type Asked,
  type Decision,
  type Draft,
  type Face,
  type Facts,
  type FaultOf,
  type Outcome,
  type Proven,
  prove,
  type Request,
  refuseHere,
  refuseThere,
} from './authorization.ts';
import { AUTHORIZATION_CHECKS, checkCallbackOf } from './authorization_checks.ts';
import { parseClaims } from './provider_request.ts';
import { grantedScopes } from './reader_checks.ts';

const FLOW_FORM = /^[A-Za-z0-9_-]{43}$/;
const UNSTOPPED = 'a request passed the checks that must have stopped it';

/** Where a faulty request is refused once client and redirect URI are proven. */
const REFUSALS: { [F in Face]: (fault: FaultOf<F>, proven: Proven) => Outcome<F> } = {
  session: (fault, { client }) => refuseHere(fault, client),
  oidc: ({ code, description }, proven) => refuseThere(proven, code, description),
};

const DRAFTS: { [F in Face]: (asked: Asked<F>, proven: Proven) => Draft<F> } = {
  session: (asked, proven) => {
    const { request } = asked;
    const checked = checkCallbackOf(asked, proven.client);
    if (!checked.ok) throw new Error(UNSTOPPED);
    const { flow, state } = request.parameters;
    return {
      kind: 'session',
      ...proven,
      callbackUri: checked.callback,
      state: state ?? null,
      flowHash: flow !== undefined && FLOW_FORM.test(flow) ? Buffer.from(flow, 'base64url') : null,
      isRestart: request.isRestart,
      isSilent: request.isSilent,
    };
  },
  oidc: (asked, proven) => {
    const { parameters } = asked.request;
    return {
      kind: 'oidc',
      ...proven,
      scopes: grantedScopes(asked, proven),
      nonce: parameters.nonce ?? null,
      codeChallenge: parameters.code_challenge ?? null,
      dpopJkt: parameters.dpop_jkt ?? null,
      claims: parseClaims(parameters.claims) ?? { userinfo: [], idToken: [], essentialAcr: null },
    };
  },
};

/** Decides on a request. */
export function decideAuthorization<F extends Face>(request: { face: F } & Request<F>, facts: Facts<F>): Decision<F> {
  return examine(request, facts).decision;
}

/** The decision, and the name of the check that made it: null when none had anything to say, and a code is issued. */
export function examine<F extends Face>(
  request: { face: F } & Request<F>,
  facts: Facts<F>,
): { decision: Decision<F>; check: string | null } {
  const { face } = request;
  const asked: Asked<F> = { request, facts, seen: {} };
  const proven = prove(asked);
  let draft: Draft<F> | null = null;
  for (const check of AUTHORIZATION_CHECKS) {
    let outcome: Outcome<F> | null = null;
    if (check.stage === 'proof') {
      const fault = check.rules[face]?.(asked);
      outcome = fault ? refuseHere(fault, facts.client) : null;
    } else if (!proven) {
      throw new Error(UNSTOPPED);
    } else if (check.stage === 'request') {
      const fault = check.rules[face]?.(asked, proven);
      outcome = fault ? REFUSALS[face](fault, proven) : null;
    } else {
      draft ??= DRAFTS[face](asked, proven);
      outcome = check.rules[face]?.(asked, draft) ?? null;
    }
    if (outcome) return { decision: outcome, check: check.name };
  }
  if (!draft) throw new Error(UNSTOPPED);
  return { decision: { kind: 'issue', draft }, check: null };
}
