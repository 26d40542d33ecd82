// Token endpoint and introspection in the usual case: a client that proves itself by its secret, and asks for what it may ask for.
// Everything else, every refusal of a client included, is the general way's (token_routes.ts).

import type { Client } from '../clients/clients.ts';
import { type ReadyJson, readyJson } from '../http/json_answer.ts';
import type { Realm } from '../realms/realms.ts';
import { type ClientAuthentication, credentialsIn } from './client_authentication.ts';
import { type Grants, isGrantType } from './grants.ts';
import { type Provider, presentActive } from './provider.ts';
import type { ActiveToken } from './token_store.ts';

/** authorization: header as received; form: its fields; address: of who asks */
export type BackChannelAsked = {
  authorization: string;
  form: ReadonlyMap<string, string>;
  address: string | null;
};

export type UsualBackChannel = ReturnType<typeof createUsualBackChannel>;

export function createUsualBackChannel(options: {
  clientAuthentication: Pick<ClientAuthentication, 'peek'>;
  grants: Pick<Grants, 'byForm'>;
  provider: Pick<Provider, 'peekActive'>;
}) {
  const { clientAuthentication, grants, provider } = options;
  /** What a token's answer is, for as long as the token is remembered and its client is registered for the same. */
  const answers = new WeakMap<ActiveToken, { audience: string | undefined; issuer: string; answer: ReadyJson }>();

  const clientOf = (realm: Realm, { authorization, form }: BackChannelAsked): Client | null =>
    clientAuthentication.peek(realm.id, credentialsIn(authorization, form));

  /** Tokens for a grant; null when that is not the usual case, and nothing was done. Throws what a grant is refused with. */
  async function grant(realm: Realm, asked: BackChannelAsked): Promise<ReadyJson | null> {
    const client = clientOf(realm, asked);
    const type = asked.form.get('grant_type');
    if (!client || type === undefined || !isGrantType(type) || !client.protocol.grant_types.includes(type)) return null;
    // Without a proof it is refused.
    if (client.protocol.dpop_bound_access_tokens) return null;
    return readyJson(await grants.byForm(type, { realm, client, dpopJkt: null, address: asked.address }, asked.form));
  }

  /** What an access token in memory is worth, for the client that it was made for; null when that is not the case. */
  function introspect(realm: Realm, asked: BackChannelAsked): ReadyJson | null {
    const token = asked.form.get('token');
    const client = token === undefined ? null : clientOf(realm, asked);
    const active = client && token !== undefined ? provider.peekActive(realm, token) : null;
    if (!client || active?.family.clientRowId !== client.id) return null;
    const known = answers.get(active);
    const { audience } = client.protocol.access_token;
    if (known?.issuer === realm.authOrigin && known.audience === audience) return known.answer;
    const answer = readyJson(presentActive(realm, client, active));
    answers.set(active, { audience, issuer: realm.authOrigin, answer });
    return answer;
  }

  return { grant, introspect };
}
