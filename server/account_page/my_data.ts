// The file with everything that is stored about an account, for its owner: no token, no hash, no key of a factor.

import type { Account } from '../accounts/accounts.ts';
import type { Audit } from '../audit/audit.ts';
import type { Factor } from '../mfa/mfa.ts';
import type { ConsentSummary } from '../oauth/oauth.ts';
import type { SessionSummary } from '../sessions/sessions.ts';
import type { Identity } from '../upstream/upstream.ts';

export type Stored = {
  account: Account;
  sessions: readonly SessionSummary[];
  consents: readonly ConsentSummary[];
  identities: readonly Identity[];
  factors: readonly Factor[];
  recoveryCodesLeft: number;
  events: Awaited<ReturnType<Audit['listOf']>>;
};

/** What the file holds, in the spelling of the rest of the API. */
export function presentMyData(stored: Stored) {
  const { account } = stored;
  return {
    profile: {
      sub: account.sub,
      email: account.email,
      email_verified: account.verificationStatus === 'email',
      username: account.username,
      name: account.name,
      first_name: account.firstName,
      last_name: account.lastName,
      avatar_url: account.avatarUrl,
      communication_email: account.communicationEmail,
      phone_number: account.phoneNumber,
      login_phone_number: account.loginPhoneNumber,
      metadata: account.metadata,
      created_at: account.createdAt,
      updated_at: account.updatedAt,
    },
    sessions: stored.sessions.map((session) => ({
      hosts: session.hosts,
      browser: session.userAgent,
      address: session.address,
      created_at: session.createdAt,
      last_seen_at: session.lastSeenAt,
    })),
    products_with_access: stored.consents.map(({ clientId, name, scopes, since }) => ({
      client_id: clientId,
      name,
      scopes,
      since,
    })),
    connected_sign_ins: stored.identities.map(({ upstreamId, email, createdAt, lastUsedAt }) => ({
      provider: upstreamId,
      email,
      created_at: createdAt,
      last_used_at: lastUsedAt,
    })),
    second_factors: stored.factors.map(({ kind, createdAt, lastUsedAt }) => ({
      kind,
      created_at: createdAt,
      last_used_at: lastUsedAt,
    })),
    recovery_codes_left: stored.recoveryCodesLeft,
    events: stored.events.map(({ at, type, client_id, address, detail }) => ({ at, type, client_id, address, detail })),
  };
}
