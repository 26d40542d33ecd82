// The answer of userinfo (OpenID Connect Core §5.3.2): standard claims, or for a client with a `userinfo_mapping` whatever its
// JMESPath expression makes of `{user, realm, client, roles}`. docs/products/quiq.md lists the fields of that input.

import type { Account } from '../accounts/accounts.ts';
import type { Client } from '../clients/clients.ts';
import { AppError } from '../http/errors.ts';
import { applyMapping, presentObject } from '../lib/mapping.ts';
import { claimsFor } from '../oauth/oauth.ts';
import type { Realm } from '../realms/realms.ts';

const EVERY_SCOPE = ['openid', 'profile', 'email', 'address', 'phone'];

/** Whose data, for whom. `scopes` as granted; `claims` asked for one by one. */
export type Asked = {
  realm: Realm;
  client: Client;
  account: Account;
  scopes: readonly string[];
  claims?: readonly string[];
};

/** What userinfo answers. @throws AppError server_error when the mapping fails on this account; the reason is in the log */
export function presentUserinfo(asked: Asked): Record<string, unknown> {
  const { userinfo_mapping: mapping } = asked.client.protocol;
  if (mapping === undefined) return claimsFor(asked.account, asked.scopes, asked.claims ?? []);
  const mapped = applyMapping(mapping, mappingInput(asked));
  const answer = mapped.ok ? presentObject(mapped.value) : null;
  if (answer) return answer;
  throw new AppError('server_error', {
    detail: { client: asked.client.clientId, reason: mapped.ok ? 'the mapping makes no object' : mapped.fault },
  });
}

/**
 * What a mapping sees. Security 113: of the account only what the granted scopes cover, as the reader was told; a client whose
 * registration knows no `openid` works with scopes of its own, and its operator's mapping alone decides.
 */
export function mappingInput({ realm, client, account, scopes, claims = [] }: Asked): Record<string, unknown> {
  const isGoverned = client.protocol.scopes.includes('openid');
  const found = claimsFor(account, isGoverned ? scopes : EVERY_SCOPE, claims);
  const user = {
    ...found,
    id: Number(account.id),
    username: found['preferred_username'],
    first_name: found['given_name'],
    last_name: found['family_name'],
    avatar_url: found['picture'],
  };
  // No feature gives accounts roles yet; expressions that name them work all the same.
  return {
    user,
    realm: { slug: realm.slug, issuer: realm.authOrigin },
    client: { id: client.clientId, name: client.name },
    roles: [],
  };
}

/** An input with every field, on which a new expression is tried: a function that gets the wrong type shows here. */
export const SAMPLE_INPUT = {
  user: {
    sub: 'f3Zk',
    id: 17,
    username: 'billy.bob',
    preferred_username: 'billy.bob',
    name: 'Billy Bob',
    first_name: 'Billy',
    given_name: 'Billy',
    last_name: 'Bob',
    family_name: 'Bob',
    email: 'billy.bob@example.com',
    email_verified: true,
    phone_number: '+491234567',
    phone_number_verified: false,
    picture: 'https://example.com/p.png',
    avatar_url: 'https://example.com/p.png',
    updated_at: 1_700_000_000,
    address: { formatted: 'Harbour 1' },
  },
  realm: { slug: 'daily', issuer: 'https://auth.daily.example' },
  client: { id: 'chat', name: 'Chat' },
  roles: [],
};
