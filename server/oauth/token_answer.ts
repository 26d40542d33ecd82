// What the token endpoint is asked, and the form of its answer (RFC 6749 §5.1): the same whichever way a grant is served.

import type { Client } from '../clients/clients.ts';
import type { Realm } from '../realms/realms.ts';
import { ACCESS_TOKEN_SECONDS } from './tokens.ts';

export type TokenAnswer = {
  access_token: string;
  token_type: 'Bearer' | 'DPoP';
  expires_in: number;
  scope: string;
  refresh_token?: string;
  id_token?: string;
};

export type Asking = { realm: Realm; client: Client; dpopJkt: string | null; address: string | null };
export type CodeGiven = { code: string | undefined; redirectUri: string | undefined; verifier: string | undefined };
export type RefreshGiven = { refreshToken: string | undefined; scope: string | undefined };

/** The answer with an access token; the other tokens are added to it. */
export function presentTokens(accessToken: string, scopes: readonly string[], dpopJkt: string | null): TokenAnswer {
  return {
    access_token: accessToken,
    token_type: dpopJkt ? 'DPoP' : 'Bearer',
    expires_in: ACCESS_TOKEN_SECONDS,
    scope: scopes.join(' '),
  };
}

export function mayRefresh(client: Client): boolean {
  return client.protocol.grant_types.includes('refresh_token');
}

/** RFC 9449 §5: refresh tokens of public clients are bound to the key; a confidential client is bound by its own secret. */
export function boundKey({ client, dpopJkt }: Asking): string | null {
  return client.protocol.token_endpoint_auth_method === 'none' ? dpopJkt : null;
}
