// What is asked most, answered in front of everything else: `users/me` on every page view of every site (session_check.ts), the hop
// that signs a reader in on the next site (hop.ts), and what products ask of the standard provider: userinfo (userinfo.ts), tokens and
// what they are worth (back_channel.ts). Answered here only in the usual case; all the rest, and whatever is unusual about a request,
// goes the general way (app.ts), whose answer is the same letter by letter (test/sessions, test/front).

import type { IncomingMessage } from 'node:http';
import type { Accounts, SignedIn, SignedInMemory } from '../accounts/accounts.ts';
import { AUTHORIZE } from '../bridgekeeper/bridgekeeper.ts';
import type { Clients } from '../clients/clients.ts';
import type { Config } from '../config.ts';
import { createAccessLines, ID_BYTES } from '../http/access_log.ts';
import { parseNetworks } from '../http/address.ts';
import { logRefusal } from '../http/errors.ts';
import type { AnswerInFront, Peer } from '../http/exchange.ts';
import { noteFailure } from '../http/failures.ts';
import { createJsonSender } from '../http/json_answer.ts';
import { LONGEST_TARGET } from '../http/protocol_fault.ts';
import type { Log } from '../lib/log.ts';
import type { Metrics } from '../lib/metrics.ts';
import { createRandomNames } from '../lib/random.ts';
import {
  type ClientAuthentication,
  createUsualBackChannel,
  type Grants,
  type OAuth,
  type Provider,
} from '../oauth/oauth.ts';
import type { Realms } from '../realms/realms.ts';
import { createBackChannel, INTROSPECT_PATH, TOKEN_PATH } from './back_channel.ts';
import { createHop } from './hop.ts';
import { type Asked, createPlaces, type Place, readAsked } from './request.ts';
import { createSessionCheck, ME_PATH } from './session_check.ts';
import { createUserinfo, USERINFO_PATH } from './userinfo.ts';

/** A request in front of the general way, and what that way is told about it if it has to judge. */
export type FrontRequest = {
  readonly url: string;
  readonly rawHeaders: readonly string[];
  readonly peer: Peer;
  readonly asked: Asked;
  readonly place: Place;
  /** Whom the credential has turned out to be of: they are not looked for again. */
  found?: SignedIn | null;
  /** A write has been begun: one whose fate is not known is not begun again. */
  isWriting?: boolean;
  /** What it has failed of for good: the general way only tells of it. */
  failure?: { error: unknown };
};

const LANDING = '/api/auth/v1/oauth/token';

/** What answers a request in front of the general way, whatever it asks for. */
export function createFront(services: {
  config: Pick<Config, 'proxies'>;
  realms: Pick<Realms, 'peekSite'>;
  clients: Pick<Clients, 'peekForHost' | 'peekHostOfProxySecret' | 'peekByRowId' | 'peek' | 'find'>;
  accounts: Pick<Accounts, 'findSignedIn'>;
  reader: { noteFound(request: IncomingMessage, signedIn: SignedIn | null): void };
  signedInMemory: Pick<SignedInMemory, 'peek'>;
  provider: Pick<Provider, 'peekActive'>;
  oauth: Pick<OAuth, 'issueCode' | 'redeemFresh'>;
  clientAuthentication: Pick<ClientAuthentication, 'peek'>;
  grants: Pick<Grants, 'byForm'>;
  log: Log;
  metrics: Pick<Metrics, 'observeRequest' | 'countSessionCheck'>;
}): AnswerInFront {
  const { config, realms, clients, accounts, reader, signedInMemory, provider, oauth, log, metrics } = services;
  const places = createPlaces({ realms, clients, trusted: parseNetworks(config.proxies) });
  const nextId = createRandomNames(ID_BYTES);
  const senderOf = (status: number) => createJsonSender({ status, nextId });
  function general({ peer, place, found, failure }: FrontRequest): void {
    const isLeft = peer.leave((request) => {
      if (found !== undefined) reader.noteFound(request, found);
      if (failure) noteFailure(request, failure.error);
    });
    // Whoever asked is gone; the operator is told all the same.
    if (!isLeft && failure) logRefusal(log, failure.error, { host: place.site.domain.host });
  }
  const lines = createAccessLines({ log, observe: metrics.observeRequest });
  const search = { accounts, general };
  const checkSession = createSessionCheck({
    ...search,
    memory: signedInMemory,
    senderOf,
    log,
    count: metrics.countSessionCheck,
  });
  const tellUserinfo = createUserinfo({
    provider,
    clients,
    send: senderOf(200),
    lines,
    general,
    addressOf: places.addressOf,
  });
  const { grant, introspect } = createBackChannel({
    usual: createUsualBackChannel(services),
    send: senderOf(200),
    lines,
    general,
    addressOf: places.addressOf,
  });
  const hop = createHop({
    ...search,
    memory: signedInMemory,
    clients,
    oauth,
    nextId,
    lines,
    addressOf: places.addressOf,
  });

  return function answerInFront({ method, url, rawHeaders, peer }) {
    const answer = answererOf(method, url);
    const asked = answer && readAsked(rawHeaders);
    const place = asked && places.find(asked);
    if (!answer || !place) return false;
    answer({ url, rawHeaders, peer, asked, place });
    return true;
  };

  function answererOf(method: string, url: string): ((front: FrontRequest) => unknown) | null {
    if (method === 'POST') return url === TOKEN_PATH ? grant : url === INTROSPECT_PATH ? introspect : null;
    if (method !== 'GET') return null;
    if (url === ME_PATH) return checkSession;
    if (url === USERINFO_PATH) return tellUserinfo;
    if (url.length > LONGEST_TARGET) return null;
    if (url.startsWith(AUTHORIZE) && url[AUTHORIZE.length] === '?') return hop.authorize;
    if (url.startsWith(LANDING) && url[LANDING.length] === '?') return hop.land;
    return null;
  }
}
