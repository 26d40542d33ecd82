// The factors of an account: added with a first code, tried, removed; and the recovery codes that stand in for them.

import { z } from 'zod';
import type { Account, Accounts } from '../accounts/accounts.ts';
import type { Audit } from '../audit/audit.ts';
import type { Database, Queryable } from '../db/database.ts';
import type { AccountId } from '../lib/ids.ts';
import { createVault } from '../lib/seal.ts';
import type { Messages } from '../messages/messages.ts';
import type { Realm } from '../realms/realms.ts';
import type { Factor, From, Proven, SetUp, SetUpRefused, SignedInReader } from './mfa.ts';
import { deletePasskeysOf } from './passkey_store.ts';
import { createRecoveryCodes, hashRecoveryCode } from './recovery_codes.ts';
import * as store from './store.ts';
import { createSecret, type Enrolment, presentEnrolment, stepOfCode } from './totp.ts';
import { sessionTakes, type Tries } from './tries.ts';

/** As the letter to the owner says it. */
const CHANGES = { 'factor.added': 'added', 'factor.removed': 'removed', 'recovery-codes.renewed': 'changed' } as const;
/** How long a page of the account waits for the first code. */
const ENROLMENT_SECONDS = 600;

/** A key as it is encrypted: with its account, and with an end where a page carries it. */
const keptSchema = z.object({ account: z.string(), secret: z.string(), until: z.number().optional() });
type Kept = z.infer<typeof keptSchema>;

export type Factors = ReturnType<typeof createFactors>;

/** The factors of accounts. @param options secrets: key material, newest first */
export function createFactors(options: {
  db: Database;
  audit: Audit;
  accounts: Accounts;
  messages: Pick<Messages, 'send'>;
  tries: Tries;
  secrets: readonly string[];
}) {
  const { db, audit, accounts, messages, tries } = options;
  // Two purposes, so that what a page carries can never become what is stored, nor the other way round.
  const stored = createVault({ secrets: options.secrets, purpose: 'totp' });
  const carried = createVault({ secrets: options.secrets, purpose: 'totp-enrolment' });

  /** The second factors of an account. */
  const factorsOf = (q: Queryable, accountId: AccountId): Promise<Factor[]> => store.listFactors(q, accountId);

  /** Uses up a one-time or recovery code, in the caller's transaction; null when it is not a right one. */
  async function accept(q: Queryable, accountId: AccountId, code: string): Promise<Proven['how'] | null> {
    const plain = plainCode(code);
    const recoveryHash = hashRecoveryCode(plain);
    if (recoveryHash) return (await store.consumeRecoveryCode(q, accountId, recoveryHash)) ? 'recovery-code' : null;
    const totp = await store.findTotp(q, accountId);
    if (!totp) return null;
    const secret = await readSecret(accountId, totp.secretJwe);
    const step = secret === null ? null : stepOfCode(secret, plain, totp.nowSeconds);
    return step !== null && (await store.acceptStep(q, accountId, step)) ? 'totp' : null;
  }

  /** Begins an enrolment of a signed-in reader: what to show, and what the page carries until the first code comes. */
  async function beginEnrolment(realm: Realm, account: Account): Promise<Enrolment & { carried: string }> {
    const secret = createSecret();
    const sealed = carried.lock(
      JSON.stringify({ account: account.id, secret, until: Date.now() + ENROLMENT_SECONDS * 1000 } satisfies Kept),
    );
    return { ...(await presentEnrolment(secret, namesOf(realm, account))), carried: sealed };
  }

  /** The enrolment that a page carries; null when it is not this account's or has expired. */
  async function openEnrolment(realm: Realm, account: Account, sealed: string): Promise<Enrolment | null> {
    const secret = await readCarried(account.id, sealed);
    return secret === null ? null : presentEnrolment(secret, namesOf(realm, account));
  }

  /** Adds the factor that a page carries, with a first code from it. Needs a recent sign-in: the caller asks for it. */
  async function enrol(
    realm: Realm,
    reader: SignedInReader,
    given: { carried: string; code: string },
    from: From,
  ): Promise<SetUp | SetUpRefused> {
    const { accountId } = reader;
    const secret = await readCarried(accountId, given.carried);
    if (secret === null) return { ok: false, reason: 'over' };
    return tries.limited(sessionTakes(reader.sessionId), { realm, accountId, from }, () =>
      db.transaction(async (q): Promise<SetUp | SetUpRefused> => {
        const step = stepOfCode(secret, plainCode(given.code), await store.readNow(q));
        if (step === null) return tries.fail(q, { realm, accountId, from, how: 'set-up' });
        return addTotp(q, { realm, accountId, secret, step, from });
      }),
    );
  }

  async function addTotp(
    q: Queryable,
    draft: { realm: Realm; accountId: AccountId; secret: string; step: number; from: From },
  ): Promise<SetUp | SetUpRefused> {
    const { realm, accountId, from } = draft;
    const secretJwe = keepSecret(accountId, draft.secret);
    if (!(await store.insertTotp(q, { accountId, secretJwe, step: draft.step })))
      return { ok: false, reason: 'has-one' };
    const recoveryCodes = await renewRecoveryCodes(q, accountId);
    await noteChange(q, { realm, accountId, from, type: 'factor.added', kind: 'totp' });
    return { ok: true, recoveryCodes };
  }

  /** Removes the one-time-password factor, and with the last factor the recovery codes. False: there was none. */
  async function removeTotp(realm: Realm, accountId: AccountId, from: From): Promise<boolean> {
    return db.transaction(async (q) => {
      if (!(await store.deleteTotp(q, accountId))) return false;
      await noteChange(q, { realm, accountId, from, type: 'factor.removed', kind: 'totp' });
      return true;
    });
  }

  /** New recovery codes; the old ones are void. Null when the account has no second factor that they could stand in for. */
  async function regenerateRecoveryCodes(
    realm: Realm,
    accountId: AccountId,
    from: From,
  ): Promise<readonly string[] | null> {
    return db.transaction(async (q) => {
      if ((await factorsOf(q, accountId)).length === 0) return null;
      const codes = await renewRecoveryCodes(q, accountId);
      await noteChange(q, { realm, accountId, from, type: 'recovery-codes.renewed', kind: 'recovery-codes' });
      return codes;
    });
  }

  /** How many recovery codes are left. */
  const countRecoveryCodes = (q: Queryable, accountId: AccountId): Promise<number> =>
    store.countRecoveryCodes(q, accountId);

  /**
   * Takes every second factor off an account, and what waits for one, in the caller's transaction: an operator does, or the
   * proven owner reclaims the account. @returns their kinds
   */
  async function reset(q: Queryable, realm: Realm, account: { id: AccountId }): Promise<Factor['kind'][]> {
    const kinds = [...new Set((await factorsOf(q, account.id)).map(({ kind }) => kind))];
    await store.deleteTotp(q, account.id);
    await deletePasskeysOf(q, account.id);
    await store.deleteChallengesOf(q, account.id);
    const of = { realm, accountId: account.id, from: { address: null } };
    for (const kind of kinds) await noteChange(q, { ...of, type: 'factor.removed', kind });
    return kinds;
  }

  async function renewRecoveryCodes(q: Queryable, accountId: AccountId): Promise<string[]> {
    const codes = createRecoveryCodes();
    await store.replaceRecoveryCodes(
      q,
      accountId,
      codes.map(hashRecoveryCode).filter((hash) => hash !== null),
    );
    return codes;
  }

  /** After factors changed: the account says so, codes do not outlive what they stand in for, the log and the owner are told. */
  async function noteChange(
    q: Queryable,
    change: {
      realm: Realm;
      accountId: AccountId;
      from: From;
      type: keyof typeof CHANGES;
      kind: Factor['kind'] | 'recovery-codes';
    },
  ): Promise<void> {
    const hasFactor = (await factorsOf(q, change.accountId)).length > 0;
    if (!hasFactor) await store.replaceRecoveryCodes(q, change.accountId, []);
    await accounts.noteSecondFactor(q, change.accountId, hasFactor);
    await audit.record(q, {
      type: change.type,
      realmId: change.realm.id,
      accountId: change.accountId,
      sessionId: change.from.sessionId ?? null,
      address: change.from.address,
      detail: { kind: change.kind },
    });
    await tellOwner(q, change);
  }

  /** Security 169: the owner is told, in case it was somebody else. */
  async function tellOwner(
    q: Queryable,
    change: { realm: Realm; accountId: AccountId; from: From; type: keyof typeof CHANGES; kind: string },
  ): Promise<void> {
    const { realm, from } = change;
    const account = await accounts.findById(q, change.accountId);
    if (!account?.email) return;
    await messages.send(q, {
      realmId: realm.id,
      to: { kind: 'email', address: account.email },
      template: 'factor-changed',
      locale: from.locale ?? realm.settings.locale,
      values: {
        change: CHANGES[change.type],
        factor: change.kind.replace('-', '_'),
        link: `${realm.authOrigin}/account/${change.kind === 'passkey' ? 'passkeys' : 'two-step'}`,
        time: Date.now(),
        ...(from.address !== null && { address: from.address }),
      },
      expiresInSeconds: null,
    });
  }

  /** Encrypted together with its account: a row that is moved to another account opens nothing. */
  const keepSecret = (accountId: AccountId, secret: string): string =>
    stored.lock(JSON.stringify({ account: accountId, secret } satisfies Kept));

  async function readSecret(accountId: AccountId, jwe: string): Promise<string> {
    const kept = keptSchema.safeParse(JSON.parse((await stored.unlock(jwe)) ?? 'null')).data;
    if (kept?.account !== accountId)
      throw new Error(
        'CAUSEWAY_SECRET does not open the stored second factors. Add the secret that they were made with: CAUSEWAY_SECRET=new,old',
      );
    return kept.secret;
  }

  async function readCarried(accountId: AccountId, sealed: string): Promise<string | null> {
    const kept = keptSchema.safeParse(JSON.parse((await carried.unlock(sealed)) ?? 'null')).data;
    return kept?.account === accountId && (kept.until ?? 0) > Date.now() ? kept.secret : null;
  }

  const newSecret = (accountId: AccountId) => keepSecret(accountId, createSecret());

  return {
    accept,
    addTotp,
    renewRecoveryCodes,
    noteChange,
    newSecret,
    readSecret,
    /** What other folders may ask for. */
    ofAccount: {
      factorsOf,
      beginEnrolment,
      openEnrolment,
      enrol,
      removeTotp,
      regenerateRecoveryCodes,
      countRecoveryCodes,
      reset,
    },
  };
}

/** Apps show codes in groups, and people type them so. */
export const plainCode = (code: string): string => code.replace(/\s/g, '');

/** What an authenticator app lists the account under. */
export const namesOf = (realm: Realm, account: Account) => ({
  issuer: realm.brand.name ?? realm.slug,
  label: account.email ?? account.username ?? account.loginPhoneNumber ?? account.id,
});
