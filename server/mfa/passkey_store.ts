// Tables passkeys, passkey_users and passkey_ceremonies. A ceremony is used up, and a counter moved on, by one statement.

import type { AuthenticatorTransport } from '@simplewebauthn/server';
import type { Queryable, Row } from '../db/database.ts';
import { readStatement, writeStatement } from '../db/statement.ts';
import { type AccountId, asAccountId, asSessionId, type Host, type RealmId, type TokenHash } from '../lib/ids.ts';
import type { Ceremony, Passkey, Purpose } from './passkeys.ts';

/** A passkey with what its signatures are checked by. */
export type StoredPasskey = Passkey & {
  accountId: AccountId;
  credentialId: string;
  publicKey: Buffer;
  userHandle: string;
};
export type PasskeyDraft = {
  accountId: AccountId;
  credentialId: string;
  publicKey: Uint8Array;
  signCount: number;
  transports: readonly AuthenticatorTransport[];
  isBackupEligible: boolean;
  isBackedUp: boolean;
  aaguid: string;
  name: string;
};

// ------------------------------------------------------------------------------------------------ ceremonies

// Before anything of the response is looked at, so that of parallel answers on any nodes one is looked at, once. What another
// browser, host or purpose sends finds nothing, and takes nothing from whoever began it.
const CONSUME_CEREMONY = writeStatement(
  'mfa.consume_passkey_ceremony',
  `delete from passkey_ceremonies
    where id_hash = $1 and browser_hash = $2 and host = $3 and purpose = $4 and expires_at > causeway_now()
    returning challenge, account_id, session_id`,
);

export async function insertCeremony(
  q: Queryable,
  draft: {
    idHash: TokenHash;
    browserHash: TokenHash;
    host: Host;
    purpose: Purpose;
    challenge: Buffer;
    ttlSeconds: number;
  } & Pick<Ceremony, 'accountId' | 'sessionId'>,
): Promise<void> {
  await q.builder('passkey_ceremonies').insert({
    id_hash: draft.idHash,
    browser_hash: draft.browserHash,
    host: draft.host,
    purpose: draft.purpose,
    challenge: draft.challenge,
    account_id: draft.accountId,
    session_id: draft.sessionId,
    expires_at: q.builder.raw('causeway_now() + make_interval(secs => ?::integer)', [draft.ttlSeconds]),
  });
}

/** Uses a ceremony up; null when this browser has none of that id and purpose on that host, or no longer. */
export async function consumeCeremony(
  q: Queryable,
  of: { idHash: TokenHash; browserHash: TokenHash; host: Host; purpose: Purpose },
): Promise<Ceremony | null> {
  const [row] = await q.run(CONSUME_CEREMONY, [of.idHash, of.browserHash, of.host, of.purpose]);
  return row
    ? {
        challenge: (row['challenge'] as Buffer).toString('base64url'),
        accountId: row['account_id'] === null ? null : asAccountId(String(row['account_id'])),
        sessionId: row['session_id'] === null ? null : asSessionId(String(row['session_id'])),
      }
    : null;
}

/** One batch of ceremonies that nobody finished. True when more may be waiting. */
export async function deleteExpiredCeremonies(q: Queryable): Promise<boolean> {
  const { rowCount } = await q.builder.raw(
    `delete from passkey_ceremonies where id_hash in (
       select id_hash from passkey_ceremonies where expires_at <= causeway_now() limit 1000 for update skip locked)`,
  );
  return rowCount === 1000;
}

// ------------------------------------------------------------------------------------------------ passkeys

const COLUMNS = [
  'p.id',
  'p.account_id',
  'p.credential_id',
  'p.public_key',
  'p.transports',
  'p.is_backup_eligible',
  'p.name',
  'p.created_at',
  'p.last_used_at',
  'u.user_handle',
] as const;
const FIND_PASSKEY = readStatement(
  'mfa.find_passkey',
  `select ${COLUMNS.join(', ')}
     from passkeys p join passkey_users u using (account_id) join accounts a on a.id = p.account_id
    where p.credential_id = $1 and a.realm_id = $2 and a.disabled_at is null`,
);
// WebAuthn L3 §6.1.1: a counter that does not grow, where it was ever used, tells of a second copy of the key.
const USE_PASSKEY = writeStatement(
  'mfa.use_passkey',
  `update passkeys set sign_count = $2, is_backed_up = $3, last_used_at = causeway_now()
    where id = $1 and ($2::bigint > sign_count or ($2::bigint = 0 and sign_count = 0)) returning id`,
);

/** The passkey with that credential id, of an enabled account of the realm. */
export async function findPasskey(q: Queryable, realmId: RealmId, credentialId: string): Promise<StoredPasskey | null> {
  const [row] = await q.run(FIND_PASSKEY, [Buffer.from(credentialId, 'base64url'), realmId]);
  return row ? toPasskey(row) : null;
}

/** The passkeys of an account, oldest first. */
export async function listPasskeys(q: Queryable, accountId: AccountId): Promise<StoredPasskey[]> {
  const rows = await q
    .builder('passkeys as p')
    .join('passkey_users as u', 'u.account_id', 'p.account_id')
    .select(COLUMNS)
    .where('p.account_id', accountId)
    .orderBy('p.id');
  return rows.map(toPasskey);
}

/** Notes a use with its counter; false when the counter does not go on from the one before. */
export async function usePasskey(
  q: Queryable,
  use: { id: string; signCount: number; isBackedUp: boolean },
): Promise<boolean> {
  return (await q.run(USE_PASSKEY, [use.id, use.signCount, use.isBackedUp])).length === 1;
}

/** Adds a passkey; null when its credential id is known already, with whomever. */
export async function insertPasskey(q: Queryable, draft: PasskeyDraft): Promise<string | null> {
  const [row] = await q
    .builder('passkeys')
    .insert({
      account_id: draft.accountId,
      credential_id: Buffer.from(draft.credentialId, 'base64url'),
      public_key: Buffer.from(draft.publicKey),
      sign_count: draft.signCount,
      transports: [...draft.transports],
      is_backup_eligible: draft.isBackupEligible,
      is_backed_up: draft.isBackedUp,
      aaguid: draft.aaguid,
      name: draft.name,
    })
    .onConflict('credential_id')
    .ignore()
    .returning('id');
  return row ? String(row.id) : null;
}

export async function renamePasskey(q: Queryable, accountId: AccountId, of: { id: string; name: string }) {
  return (await q.builder('passkeys').where({ account_id: accountId, id: of.id }).update({ name: of.name })) === 1;
}

export async function deletePasskey(q: Queryable, accountId: AccountId, id: string): Promise<boolean> {
  return (await q.builder('passkeys').where({ account_id: accountId, id }).delete()) === 1;
}

export async function deletePasskeysOf(q: Queryable, accountId: AccountId): Promise<void> {
  await q.builder('passkeys').where({ account_id: accountId }).delete();
}

/** The account's row, kept from changing until the end of the transaction: two requests may not take away the last two ways in. */
export async function lockAccount(q: Queryable, accountId: AccountId): Promise<void> {
  await q.builder('accounts').where({ id: accountId }).forUpdate().select('id');
}

/** The user handle of an account, `candidate` if it has none yet. */
export async function keepUserHandle(q: Queryable, accountId: AccountId, candidate: Buffer): Promise<Buffer> {
  const insert = { account_id: accountId, user_handle: candidate };
  await q.builder('passkey_users').insert(insert).onConflict('account_id').ignore();
  const row = await q.builder('passkey_users').where({ account_id: accountId }).first('user_handle');
  if (!row) throw new Error('the account was deleted meanwhile');
  return row.user_handle;
}

function toPasskey(row: Row): StoredPasskey {
  return {
    id: String(row['id']),
    accountId: asAccountId(String(row['account_id'])),
    credentialId: (row['credential_id'] as Buffer).toString('base64url'),
    publicKey: row['public_key'] as Buffer,
    transports: row['transports'] as AuthenticatorTransport[],
    isBackupEligible: row['is_backup_eligible'] as boolean,
    name: String(row['name']),
    createdAt: row['created_at'] as Date,
    lastUsedAt: row['last_used_at'] as Date | null,
    userHandle: (row['user_handle'] as Buffer).toString('base64url'),
  };
}
