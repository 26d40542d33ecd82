import test from 'ava';
import type { SignedIn } from '../../server/accounts/accounts.ts';
import { packReader, sessionIdIn, unpackReader } from '../../server/accounts/packed_reader.ts';
import { asAccountId, asDomainSessionId, asHost, asRealmId, asSessionId } from '../../server/lib/ids.ts';
import { HOSTS, startTestServer } from '../support/server.ts';
import { beginSession } from '../support/signed_in.ts';

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
  t.is(sessionIdIn(packReader(READER)), READER.session.id);
  const bare = { ...READER, account: { ...READER.account, email: null, metadata: null, name: null } };
  t.deepEqual(unpackReader(packReader(bare)), bare);
});

test('PostgreSQL packs a reader as it tells their account and session column by column', async (t) => {
  const server = await startTestServer({ env: { CAUSEWAY_SESSION_MEMORY: '0' } });
  const { db, accounts } = server.services;
  const account = await server.makeAccountWithoutPassword();
  const { id } = account;
  await db
    .builder('accounts')
    .where({ id })
    .update({
      username: 'ann',
      name: 'Ann "Änn" 🦊',
      first_name: 'Ann',
      last_name: 'O\\Hara',
      slug: 'ann-1',
      avatar_url: 'https://img.example/ann.png',
      avatar_s3_key: 'ann.png',
      communication_email: 'news@example.com',
      phone_number: '+4930123456',
      login_phone_number: '+4930123457',
      metadata: JSON.stringify(READER.account.metadata),
      verification_status: 'email',
      is_tfa_enabled: true,
      created_at: '2026-01-02T03:04:05.678999Z',
      updated_at: '2026-01-02T03:04:06Z',
    });
  const begun = await beginSession(server, account, ['news']);
  const credential = begun.credentials['news'];
  if (!credential) return t.fail();
  const found = await accounts.findSignedIn({ kind: 'cookie', ...credential }, asHost(HOSTS.news));
  t.deepEqual(found?.account, (await accounts.findById(db, id)) ?? undefined);
  const { rows } = await db.builder.raw(
    `select s.id, s.realm_id, s.account_id, d.id as domain_session_id, s.authenticated_at, s.amr
       from sessions s join domain_sessions d on d.session_id = s.id where s.account_id = ?`,
    [id],
  );
  t.like(found?.session, {
    id: rows[0].id,
    realmId: rows[0].realm_id,
    accountId: rows[0].account_id,
    domainSessionId: rows[0].domain_session_id,
    authenticatedAt: rows[0].authenticated_at,
    amr: rows[0].amr,
    isSeenStale: false,
    activeCount: 1,
  });
  t.true(found !== null && found.session.ageSeconds >= 0 && found.session.ageSeconds < 60);
  t.true(found !== null && found.session.trueForSeconds > 0 && found.session.trueForSeconds <= 60);
  await server.close();
});
