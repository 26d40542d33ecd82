// A hop in front of everything else: a site sends its reader to the auth domain, the auth domain sends one who is signed in back
// with a code, and the site turns the code into its cookie. The decision is the one of everywhere (oauth/oauth.ts). Only these
// three outcomes are answered here; a sign-in page, a refusal, a flow that begins again and all else go the general way.

import { type Accounts, type SignedInMemory, sessionIdIn } from '../accounts/accounts.ts';
import {
  beginFlow,
  codeAddress,
  endedFlows,
  endedQuiet,
  flowsIn,
  nextHopAddress,
  PARAMETERS,
} from '../bridgekeeper/bridgekeeper.ts';
import type { Clients } from '../clients/clients.ts';
import type { AccessLines } from '../http/access_log.ts';
import { cookieText, type NewCookie, parseCookies } from '../http/cookies.ts';
import { hasWaited } from '../http/failures.ts';
import { createHead } from '../http/headers.ts';
import { parseQuery } from '../http/query.ts';
import type { Target } from '../http/redirect.ts';
import { parseToken } from '../lib/token.ts';
import { type Decision, decideAuthorization, type OAuth } from '../oauth/oauth.ts';
import { credentialCookies, type LiveSession } from '../sessions/sessions.ts';
import type { FrontRequest } from './front.ts';
import { type Asked, hasCredential, readPresented, type SinglePresented } from './request.ts';

/** RFC 9110 §15.4.4. */
const STATUS = 303;
const NOTHING = { text: '', isAscii: true } as const;

type Sent = { route: string; to: Target; cookies: readonly NewCookie[] };

export type Hop = ReturnType<typeof createHop>;

export function createHop(options: {
  accounts: Pick<Accounts, 'findSignedIn'>;
  memory: Pick<SignedInMemory, 'peek'>;
  clients: Pick<Clients, 'peek' | 'find'>;
  oauth: Pick<OAuth, 'issueCode' | 'redeemFresh'>;
  general(front: FrontRequest): void;
  nextId(): string;
  lines: AccessLines;
  addressOf(front: FrontRequest): string | null;
}) {
  const { accounts, memory, clients, oauth, general, nextId, lines, addressOf } = options;
  const head = createHead({
    status: STATUS,
    constant: ['Content-Type', 'text/plain; charset=utf-8', 'Content-Length', '0'],
    names: ['X-Request-Id', 'Location'],
  });

  const authorize = answering(({ place: { site } }) => (site.domain.role === 'auth' ? issue : setOut));
  const land = answering(() => redeem);

  /** Answers what a step yields; the general way takes what yields nothing, or fails. */
  function answering(stepOf: (front: FrontRequest) => (front: FrontRequest) => Promise<Sent | null>) {
    return async function answer(front: FrontRequest): Promise<void> {
      const startedAt = performance.now();
      let sent: Sent | null = null;
      try {
        if (isOrdinary(front.asked)) sent = await stepOf(front)(front);
      } catch (error) {
        // Whatever is wrong is wrong there too, and is told as everywhere. A write is not begun again there, only told of.
        if (front.isWriting || hasWaited(error, startedAt)) front.failure = { error };
      }
      if (sent) send(front, sent, startedAt);
      else general(front);
    };
  }

  /** On a client domain: on to the auth domain, with a flow cookie that proves on return which browser set out. */
  async function setOut(front: FrontRequest): Promise<Sent | null> {
    const { site } = front.place;
    // A session of the former system may be adopted first.
    if (site.realm.settings.old_session) return null;
    const decision = await decide(front, { isSignedIn: false });
    if (decision?.kind !== 'next-hop') return null;
    const flows = flowsIn(parseCookies(front.asked.cookie ?? ''));
    const { cookies, flow } = beginFlow(flows, { isRestart: decision.draft.isRestart });
    const to = nextHopAddress(site.realm.authOrigin, decision.draft, flow);
    return { route: 'bridgekeeper.authorize', to, cookies };
  }

  /** On the auth domain: back to the site of a reader who is signed in, with a code. */
  async function issue(front: FrontRequest): Promise<Sent | null> {
    const presented = readPresented(front.asked);
    if (!presented) return null;
    const known = memory.peek(presented, front.place.site.domain.host);
    const session = known ? { id: sessionIdIn(known.packed) } : await find(front, presented);
    // Their cookie has to be cleared.
    if (!session) return null;
    const decision = await decide(front, { isSignedIn: true });
    if (decision?.kind !== 'issue') return null;
    front.isWriting = true;
    const code = await oauth.issueCode(session, decision.draft);
    return code && { route: 'bridgekeeper.authorize', to: codeAddress(decision.draft, code), cookies: [] };
  }

  async function find(front: FrontRequest, presented: SinglePresented): Promise<Pick<LiveSession, 'id'> | null> {
    const found = await accounts.findSignedIn(presented, front.place.site.domain.host);
    front.found = found;
    return found ? found.session : null;
  }

  async function decide(
    { url, place: { site, client: hostClient } }: FrontRequest,
    { isSignedIn }: { isSignedIn: boolean },
  ): Promise<Decision<'session'> | null> {
    const sent = parseQuery(queryOf(url), PARAMETERS);
    const { allow_ajax: script, request_handle: handle, client_id: clientId } = sent;
    if (script !== undefined || handle !== undefined || clientId === undefined) return null;
    const { role } = site.domain;
    const client = clients.peek(site.realm.id, clientId) ?? (await clients.find(site.realm.id, clientId));
    return decideAuthorization(
      {
        face: 'session',
        // On a client domain the flow begins here, whatever the address says.
        parameters: role === 'auth' ? sent : { ...sent, flow: undefined },
        isRestart: sent.restart === '1',
        isSilent: false,
      },
      { role, client, hostClient, isSignedIn },
    );
  }

  /** On a client domain, in a browser that held no session there: the code becomes one. */
  async function redeem(front: FrontRequest): Promise<Sent | null> {
    const { url, asked, place } = front;
    const { client, site } = place;
    if (!client || hasCredential(asked)) return null;
    const cookies = parseCookies(asked.cookie ?? '');
    const flows = flowsIn(cookies);
    const code = parseToken(parseQuery(queryOf(url), ['code', 'callback_uri']).code);
    if (!code || flows.length === 0) return null;
    const redemption = {
      kind: 'session',
      code,
      host: site.domain.host,
      client,
      flowHashes: flows.map(({ hash }) => hash),
      current: null,
      address: addressOf(front),
    } as const;
    front.isWriting = true;
    const made = await oauth.redeemFresh(redemption);
    if (made?.kind !== 'created') return null;
    const kept = credentialCookies(made.credential, made.remainingSeconds);
    return {
      route: 'bridgekeeper.token',
      to: made.callback,
      cookies: [...endedFlows(flows), ...endedQuiet(cookies), ...kept],
    };
  }

  function send(front: FrontRequest, { route, to, cookies }: Sent, startedAt: number) {
    const id = nextId();
    front.peer.send(head, [id, to], cookies.map(cookieText), NOTHING);
    const { host } = front.place.site.domain;
    const address = addressOf(front);
    lines({ request: id, method: 'GET', route, host, address, status: STATUS, startedAt });
  }

  return { authorize, land };
}

/** Opened as a page, by somebody who wants to see it now. Anything else is judged by the general way. */
const isOrdinary = ({ mode, ahead }: Asked): boolean =>
  (mode === undefined || mode === 'navigate') && ahead === undefined;

function queryOf(url: string): string {
  return url.slice(url.indexOf('?') + 1);
}
