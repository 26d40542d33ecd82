import test from 'ava';
import type { SignedIn } from '../../server/accounts/accounts.ts';
import { packReader, unpackReader } from '../../server/accounts/packed_reader.ts';
import { asAccountId, asDomainSessionId, asRealmId, asSessionId } from '../../server/lib/ids.ts';

const READER: SignedIn = {
  account: {
    id: asAccountId('12'),
    realmId: asRealmId('1'),
    sub: 'a-sub',
    email: 'ann@example.com',
    username: null,
    name: 'Ann "Änn" 🦊',
    firstName: null,
    lastName: '',
    slug: null,
    avatarUrl: null,
    avatarS3Key: null,
    communicationEmail: null,
    phoneNumber: null,
    loginPhoneNumber: null,
    metadata: { nested: [1, { deep: null }], text: 'x' },
    verificationStatus: 'email',
    isTfaEnabled: true,
    createdAt: new Date('2026-01-02T03:04:05.678Z'),
    updatedAt: new Date(0),
  },
  session: {
    id: asSessionId('01a1b173-7794-757b-abcc-99cdfd7e8f45'),
    realmId: asRealmId('1'),
    accountId: asAccountId('12'),
    domainSessionId: asDomainSessionId('01a21872-a703-70dc-beab-7416f1b83975'),
    authenticatedAt: new Date('2026-05-06T07:08:09.010Z'),
    amr: ['pwd', 'otp'],
    ageSeconds: 12.345678,
    isSeenStale: false,
    trueForSeconds: 47.25,
    activeCount: 3,
  },
};

test('a reader is unpacked as they were packed', (t) => {
  t.deepEqual(unpackReader(packReader(READER)), READER);
  const bare = { ...READER, account: { ...READER.account, email: null, metadata: null, name: null } };
  t.deepEqual(unpackReader(packReader(bare)), bare);
});
