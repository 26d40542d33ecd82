// A reader who is signed in as one short text: session memory holds very many of them, and an object with its dates and texts
// takes several times the room and has to be walked by every collection of garbage.

import type { LiveSession } from '../sessions/sessions.ts';
import type { Account, SignedIn } from './accounts.ts';

/** Every field, in the order in which values are packed; JSON knows no dates. */
const ACCOUNT: Readonly<Record<keyof Account, 'plain' | 'date'>> = {
  id: 'plain',
  realmId: 'plain',
  sub: 'plain',
  email: 'plain',
  username: 'plain',
  name: 'plain',
  firstName: 'plain',
  lastName: 'plain',
  slug: 'plain',
  avatarUrl: 'plain',
  avatarS3Key: 'plain',
  communicationEmail: 'plain',
  phoneNumber: 'plain',
  loginPhoneNumber: 'plain',
  metadata: 'plain',
  verificationStatus: 'plain',
  isTfaEnabled: 'plain',
  createdAt: 'date',
  updatedAt: 'date',
};
const SESSION: Readonly<Record<keyof LiveSession, 'plain' | 'date'>> = {
  id: 'plain',
  realmId: 'plain',
  accountId: 'plain',
  domainSessionId: 'plain',
  authenticatedAt: 'date',
  amr: 'plain',
  ageSeconds: 'plain',
  isSeenStale: 'plain',
  trueForSeconds: 'plain',
  activeCount: 'plain',
};

export const packReader = ({ account, session }: SignedIn): string =>
  JSON.stringify([
    ...Object.keys(ACCOUNT).map((field) => account[field as keyof Account]),
    ...Object.keys(SESSION).map((field) => session[field as keyof LiveSession]),
  ]);

export function unpackReader(packed: string): SignedIn {
  const values = (JSON.parse(packed) as unknown[]).values();
  const take = (fields: Readonly<Record<string, 'plain' | 'date'>>) => {
    const object: Record<string, unknown> = {};
    for (const field of Object.keys(fields)) {
      const { value } = values.next();
      object[field] = fields[field] === 'date' ? new Date(value as string) : value;
    }
    return object;
  };
  return { account: take(ACCOUNT) as Account, session: take(SESSION) as LiveSession };
}
