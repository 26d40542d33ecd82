// Userinfo in the usual case: a bearer token that is in memory, of a client without a mapping of its own. Everything else, every
// refusal included, is the general way's (routes.ts).

import type { Clients } from '../clients/clients.ts';
import { type ReadyJson, readyJson } from '../http/json_answer.ts';
import type { ActiveToken, Provider } from '../oauth/oauth.ts';
import type { Realm } from '../realms/realms.ts';
import { presentUserinfo } from './userinfo.ts';

/** RFC 6750 §2.1. */
const BEARER = /^bearer +([A-Za-z0-9._~+/-]+=*)$/i;

export type UsualUserinfo = ReturnType<typeof createUsualUserinfo>;

export function createUsualUserinfo(options: {
  provider: Pick<Provider, 'peekActive'>;
  clients: Pick<Clients, 'peekByRowId'>;
}) {
  const { provider, clients } = options;
  /** What a token's answer is, for as long as the token is remembered: it depends on nothing else. */
  const answers = new WeakMap<ActiveToken, ReadyJson>();

  /** The answer for an Authorization header at the auth domain of a realm; null when that is not the usual case. */
  return function find(realm: Realm, authorization: string): ReadyJson | null {
    const token = BEARER.exec(authorization)?.[1];
    const active = token === undefined ? null : provider.peekActive(realm, token);
    // RFC 9449 §7.1: a bound token needs a proof. RFC 6750 §3.1: without `openid` it has not the scope.
    if (!active?.account || active.dpopJkt !== null || !active.scopes.includes('openid')) return null;
    const client = clients.peekByRowId(active.family.clientRowId);
    if (!client || client.protocol.userinfo_mapping !== undefined) return null;
    const known = answers.get(active);
    if (known) return known;
    const { account, scopes } = active;
    const made = readyJson(
      presentUserinfo({ realm, client, account, scopes, claims: active.family.detail.userinfoClaims }),
    );
    answers.set(active, made);
    return made;
  };
}
