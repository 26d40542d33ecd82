// Standard claims (OpenID Connect Core §5.1) of an account, by scope (§5.4) or one by one (§5.5).

import type { Account } from '../accounts/accounts.ts';

export const SCOPE_CLAIMS = {
  profile: ['name', 'given_name', 'family_name', 'preferred_username', 'picture', 'updated_at'],
  email: ['email', 'email_verified'],
  address: ['address'],
  phone: ['phone_number', 'phone_number_verified'],
} as const satisfies Record<string, readonly string[]>;

export const CLAIMS: readonly string[] = ['sub', ...Object.values(SCOPE_CLAIMS).flat()];

/** The claims that scopes and names allow; `sub` always, absent values left out (§5.3.2: never null). */
export function claimsFor(
  account: Account,
  scopes: readonly string[],
  names: readonly string[],
): Record<string, unknown> {
  const all = allClaims(account);
  const allowed = new Set<string>(['sub', ...names]);
  for (const [scope, claims] of Object.entries(SCOPE_CLAIMS))
    if (scopes.includes(scope)) for (const claim of claims) allowed.add(claim);
  return Object.fromEntries(Object.entries(all).filter(([name, value]) => allowed.has(name) && value != null));
}

function allClaims(account: Account): Record<string, unknown> {
  const fullName = [account.firstName, account.lastName].filter(Boolean).join(' ') || null;
  const phone = account.loginPhoneNumber ?? account.phoneNumber;
  const address = account.metadata?.['address'];
  return {
    sub: account.sub,
    name: account.name ?? fullName,
    given_name: account.firstName,
    family_name: account.lastName,
    preferred_username: account.username,
    picture: account.avatarUrl,
    updated_at: Math.floor(account.updatedAt.getTime() / 1000),
    email: account.email,
    email_verified: account.email === null ? null : account.verificationStatus === 'email',
    phone_number: phone,
    phone_number_verified:
      phone === null ? null : account.verificationStatus === 'phone' && account.loginPhoneNumber !== null,
    address: typeof address === 'string' ? { formatted: address } : isObject(address) ? address : null,
  };
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
