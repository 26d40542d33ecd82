// What becomes of an authorization code that arrives at a client domain, pure. A code becomes a session only in the browser
// that started the flow (login CSRF and session swapping, RFC 9700 §4.7); elsewhere it is burnt and the flow starts again
// there, once, so that a rightful reader still arrives, as himself.

export type CodeFacts = {
  /** fresh: this request consumed it; expired: never used, too old; used: consumed by an earlier request. */
  state: 'fresh' | 'expired' | 'used';
  /** It was issued for a domain session, to the client of this very host. */
  isForThisHost: boolean;
  /** A flow cookie of this browser matches the one that the flow was started with. */
  isFlowOfThisBrowser: boolean;
  /** Its first use made a session (and did not burn it). */
  hasMadeSession: boolean;
  /** The browser holds the session that this code has made. */
  holdsItsSession: boolean;
  /** It was first used at most a minute ago. */
  isJustUsed: boolean;
  isRestart: boolean;
  isSilent: boolean;
};

export type RedeemDecision =
  /** Make the domain session and go to the callback. */
  | 'create'
  /** The same browser came again (reload, double click, back): go to the callback, nothing new. */
  | 'again'
  /** Start the flow again from this host. */
  | 'restart'
  /** Started again already and still without the cookie: the browser refuses cookies. */
  | 'cookies-refused'
  /** The same, but silent: back to the page, which stays anonymous. */
  | 'back-anonymous'
  /** Somebody else used it before: end what it made. */
  | 'replayed'
  | 'refuse';

/** Decides on a code that exists. */
export function decideRedeem(code: CodeFacts): RedeemDecision {
  // RFC 6749 §4.1.3: the code must have been issued to this client; trying it elsewhere has burnt it.
  if (!code.isForThisHost) return 'refuse';
  if (code.state === 'fresh') return code.isFlowOfThisBrowser ? 'create' : restart(code);
  // Nobody has gained anything from it yet: a slow network, or a stranger who burnt it.
  if (code.state === 'expired' || !code.hasMadeSession) return restart(code);
  if (code.isJustUsed && code.holdsItsSession) return 'again';
  // The answer with the cookies was lost on the way.
  if (code.isJustUsed && code.isFlowOfThisBrowser) return restart(code);
  // RFC 6749 §4.1.2: used more than once, it MUST be denied, and what it made SHOULD be revoked.
  return 'replayed';
}

function restart(code: CodeFacts): RedeemDecision {
  if (!code.isRestart) return 'restart';
  return code.isSilent ? 'back-anonymous' : 'cookies-refused';
}
