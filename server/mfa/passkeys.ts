// Passkeys (WebAuthn L3): a way to sign in without a password, and a second factor beside one. Every ceremony is a row that
// one answer of one browser uses up before the answer is looked at; whatever is wrong with an answer, outside it is refused alike.

import { randomBytes } from 'node:crypto';
import type {
  AuthenticatorTransport,
  PublicKeyCredentialCreationOptionsJSON,
  PublicKeyCredentialRequestOptionsJSON,
} from '@simplewebauthn/server';
import type { Account, Accounts } from '../accounts/accounts.ts';
import type { Audit } from '../audit/audit.ts';
import type { Database, Queryable } from '../db/database.ts';
import type { AccountId, PlainToken, SessionId } from '../lib/ids.ts';
import { createToken, hashToken, parseToken } from '../lib/token.ts';
import type { Messages } from '../messages/messages.ts';
import type { RateLimits } from '../ratelimit/ratelimit.ts';
import { brandOf, type Domain, type Realm } from '../realms/realms.ts';
import type { Challenges } from './challenges.ts';
import { type Factors, namesOf } from './factors.ts';
import type { Challenge, CodeRefused, SignedInReader, Throttled } from './mfa.ts';
import { ALGORITHMS, type Asserted, checkAssertion, checkAttestation, parseAssertion } from './passkey_check.ts';
import { createPasskeyList, tidyName } from './passkey_list.ts';
import * as store from './passkey_store.ts';
import { rpIdOf } from './related_origins.ts';
import type { Tries } from './tries.ts';

/** A ceremony lives as long as a browser may wait for a finger (security 168: 5 minutes at most). */
export const CEREMONY_SECONDS = 300;
const CHALLENGE_BYTES = 32;
const USER_HANDLE_BYTES = 32;
/** More than anybody has devices; a list that a browser has to be told must end somewhere. */
const MOST_PASSKEYS = 20;

export type Purpose = 'register' | 'sign-in' | 'second-factor' | 're-authenticate';
export type Ceremony = { challenge: string; accountId: AccountId | null; sessionId: SessionId | null };
export type Passkey = {
  id: string;
  name: string;
  createdAt: Date;
  lastUsedAt: Date | null;
  /** Whether it may be on several devices of its owner, kept by a password manager. */
  isBackupEligible: boolean;
  transports: readonly AuthenticatorTransport[];
};
/** Where a ceremony takes place: the page's host, and the browser by the cookie that it holds for ceremonies; locale: of its reader. */
export type Place = {
  realm: Realm;
  domain: Domain;
  address: string | null;
  locale: string;
  browser: PlainToken | null;
};
/** What a browser sends back: the ceremony's id, and the authenticator's answer as it came. */
export type Given = { ceremony: string; response: unknown };
export type Begun<Options> = { ok: true; ceremony: PlainToken; options: Options };
export type RequestBegun = Begun<PublicKeyCredentialRequestOptionsJSON>;
export type CreationBegun = Begun<PublicKeyCredentialCreationOptionsJSON>;
export type PasskeyRefused = { ok: false; reason: 'wrong' };
export type PasskeyProven = { ok: true; accountId: AccountId; amr: readonly string[] };
export type PasskeyAdded = {
  ok: true;
  /** Of making it, which proves it. */
  amr: readonly string[];
  id: string /** Where this is the first factor. */;
  recoveryCodes: readonly string[] | null;
};

type Found = { passkey: store.StoredPasskey; asserted: Asserted };

/** @param options hasIdentity: whether an account is connected with another provider, through which it could sign in */
export function createPasskeys(options: {
  db: Database;
  audit: Audit;
  rateLimits: RateLimits;
  accounts: Accounts;
  tries: Tries;
  factors: Factors;
  challenges: Challenges;
  messages: Pick<Messages, 'canReach'>;
  hasIdentity: (q: Queryable, id: AccountId) => Promise<boolean>;
}) {
  const { db, audit, rateLimits, tries, factors, challenges } = options;

  /** Begins a sign-in of whoever holds a passkey: the authenticator knows whose it is. */
  const beginSignIn = (place: Place): Promise<RequestBegun | Throttled> =>
    begin(place, { purpose: 'sign-in', accountId: null, sessionId: null }, (challenge) =>
      // The authenticator has to know its owner by itself: this is a whole sign-in (security 168).
      requestOptions(place.realm, { challenge, userVerification: 'required', passkeys: [] }),
    );

  /** Begins the proof of somebody who is known already: after a first factor, or of a reader who is signed in. */
  async function beginProof(
    place: Place,
    who: { accountId: AccountId; sessionId: SessionId | null },
  ): Promise<RequestBegun | Throttled> {
    const passkeys = await store.listPasskeys(db, who.accountId);
    return begin(place, { ...who, purpose: who.sessionId ? 're-authenticate' : 'second-factor' }, (challenge) =>
      requestOptions(place.realm, { challenge, userVerification: 'preferred', passkeys }),
    );
  }

  /** Begins adding a passkey. */
  async function beginRegistration(
    place: Place,
    reader: { account: Account; sessionId: SessionId },
  ): Promise<CreationBegun | Throttled> {
    const { account, sessionId } = reader;
    const passkeys = await store.listPasskeys(db, account.id);
    const userHandle = await store.keepUserHandle(db, account.id, randomBytes(USER_HANDLE_BYTES));
    return begin(place, { purpose: 'register', accountId: account.id, sessionId }, async (challenge) => {
      const { generateRegistrationOptions } = await import('@simplewebauthn/server');
      return generateRegistrationOptions({
        rpName: brandOf(place.realm).name,
        rpID: rpIdOf(place.realm.authOrigin),
        userName: namesOf(place.realm, account).label,
        userDisplayName: account.name ?? '',
        userID: new Uint8Array(userHandle),
        challenge: new Uint8Array(challenge),
        timeout: CEREMONY_SECONDS * 1000,
        attestationType: 'none',
        excludeCredentials: passkeys.map(describe),
        authenticatorSelection: { residentKey: 'preferred', userVerification: 'preferred' },
        supportedAlgorithmIDs: [...ALGORITHMS],
      });
    });
  }

  async function begin<Options>(
    place: Place,
    ceremony: { purpose: Purpose; accountId: AccountId | null; sessionId: SessionId | null },
    makeOptions: (challenge: Buffer) => Promise<Options>,
  ): Promise<Begun<Options> | Throttled> {
    const key = `${place.realm.id}:${place.address ?? 'unknown'}`;
    const taken = await rateLimits.take([{ policy: 'passkey-address', key, points: 600, seconds: 300 }]);
    if (!taken.isAllowed) return { ok: false, reason: 'throttled', retryAfterSeconds: taken.retryAfterSeconds };
    if (!place.browser) throw new Error('a ceremony is begun for a browser');
    const [id, challenge] = [createToken(), randomBytes(CHALLENGE_BYTES)];
    await store.insertCeremony(db, {
      ...ceremony,
      idHash: hashToken(id),
      browserHash: hashToken(place.browser),
      host: place.domain.host,
      challenge,
      ttlSeconds: CEREMONY_SECONDS,
    });
    return { ok: true, ceremony: id, options: await makeOptions(challenge) };
  }

  /** Who signs in with a passkey alone, which takes a verified person (PIN, finger, face). */
  async function proveSignIn(place: Place, given: Given): Promise<PasskeyProven | PasskeyRefused> {
    const found = await findAsserted(place, given, { purpose: 'sign-in' });
    return db.transaction(async (q) => {
      const amr = found && (await use(q, place, found));
      if (!amr) return refuseSignIn(q, place, found?.passkey.accountId ?? null);
      const { accountId } = found.passkey;
      await tries.noteUse(q, { realm: place.realm, accountId, how: 'passkey', from: place });
      return { ok: true, accountId, amr };
    });
  }

  /** Ends the challenge of a sign-in that waits for its second factor. */
  async function passChallenge(
    place: Place,
    challenge: Challenge,
    given: Given,
  ): Promise<{ ok: true; amr: readonly string[]; how: 'passkey' } | CodeRefused> {
    const { realm } = place;
    const { accountId } = challenge;
    return challenges.tryOnce(realm, challenge, place, async () => {
      const found = await findAsserted(place, given, { purpose: 'second-factor', who: { accountId, sessionId: null } });
      return db.transaction(async (q) => {
        const amr = found && (await use(q, place, found));
        if (!amr) return tries.fail(q, { realm, accountId, from: place, how: 'sign-in' });
        return challenges.settle(q, { realm, challenge, amr, how: 'passkey', from: place });
      });
    });
  }

  /** The proof of a reader who is signed in and confirms it. */
  async function reauthenticate(
    place: Place,
    reader: SignedInReader,
    given: Given,
  ): Promise<PasskeyProven | PasskeyRefused> {
    const { accountId, sessionId } = reader;
    const { realm, address } = place;
    const from = { address, sessionId };
    const found = await findAsserted(place, given, { purpose: 're-authenticate', who: reader });
    return db.transaction(async (q) => {
      const amr = found && (await use(q, place, found));
      if (!amr) return tries.fail(q, { realm, accountId, from, how: 'step-up' });
      await tries.noteUse(q, { realm, accountId, how: 'passkey', from });
      return { ok: true, accountId, amr };
    });
  }

  /** Uses the ceremony up, and only then looks at the answer; null when it is not one, or somebody else's. */
  async function findAsserted(
    place: Place,
    given: Given,
    of: { purpose: Purpose; who?: { accountId: AccountId; sessionId: SessionId | null } },
  ): Promise<Found | null> {
    const ceremony = await consume(place, given, of.purpose);
    const assertion = ceremony && parseAssertion(given.response);
    const passkey = assertion && (await store.findPasskey(db, place.realm.id, assertion.id));
    if (!ceremony || !assertion || !passkey) return null;
    const { userHandle } = assertion.response;
    // WebAuthn L3 §7.2 step 6: who was identified before has that passkey, and a user handle does not say otherwise; where
    // nobody was, the user handle has to be there and be the owner's.
    const isTheirs = of.who
      ? ceremony.accountId === of.who.accountId &&
        ceremony.sessionId === of.who.sessionId &&
        passkey.accountId === of.who.accountId &&
        (!userHandle || userHandle === passkey.userHandle)
      : userHandle === passkey.userHandle;
    const asserted = isTheirs
      ? await checkAssertion(assertion, passkey, expectedAt(place, ceremony, { isVerificationRequired: !of.who }))
      : null;
    return asserted && { passkey, asserted };
  }

  async function consume(place: Place, given: Given, purpose: Purpose): Promise<Ceremony | null> {
    const id = parseToken(given.ceremony);
    if (!id || !place.browser) return null;
    const of = { idHash: hashToken(id), browserHash: hashToken(place.browser), host: place.domain.host, purpose };
    return store.consumeCeremony(db, of);
  }

  /** Moves the counter of a passkey on. @returns the methods that were proven (RFC 8176 §2); null for a copied key */
  async function use(q: Queryable, place: Place, { passkey, asserted }: Found): Promise<readonly string[] | null> {
    if (!(await store.usePasskey(q, { id: passkey.id, ...asserted }))) {
      await audit.record(q, {
        type: 'passkey.suspected',
        realmId: place.realm.id,
        accountId: passkey.accountId,
        address: place.address,
        detail: { passkey: passkey.id },
      });
      return null;
    }
    return amrOf({ ...passkey, ...asserted });
  }

  async function refuseSignIn(q: Queryable, place: Place, accountId: AccountId | null): Promise<PasskeyRefused> {
    const { realm, address } = place;
    await audit.record(q, {
      type: 'sign-in.failed',
      realmId: realm.id,
      accountId,
      address,
      detail: { reason: 'passkey' },
    });
    return { ok: false, reason: 'wrong' };
  }

  /** Adds the passkey of a ceremony that this session began. Needs a recent sign-in: the caller asks for it. */
  async function register(
    place: Place,
    reader: SignedInReader,
    given: Given & { name: string },
  ): Promise<PasskeyAdded | PasskeyRefused> {
    const { accountId, sessionId } = reader;
    const { realm } = place;
    const from = { address: place.address, locale: place.locale, sessionId };
    const ceremony = await consume(place, given, 'register');
    const isTheirs = ceremony?.accountId === accountId && ceremony.sessionId === sessionId;
    const made = isTheirs
      ? await checkAttestation(given.response, expectedAt(place, ceremony, { isVerificationRequired: false }))
      : null;
    return db.transaction(async (q) => {
      await store.lockAccount(q, accountId);
      const hadNone = (await factors.ofAccount.factorsOf(q, accountId)).length === 0;
      const isRoom = (await store.listPasskeys(q, accountId)).length < MOST_PASSKEYS;
      // One credential id is one account's: known with anybody, it is refused like every other fault.
      const id =
        made && isRoom
          ? await store.insertPasskey(q, { ...made, accountId, name: tidyName(given.name) ?? 'Passkey' })
          : null;
      if (!made || id === null) return tries.fail(q, { realm, accountId, from, how: 'set-up' });
      const recoveryCodes = hadNone ? await factors.renewRecoveryCodes(q, accountId) : null;
      await factors.noteChange(q, { realm, accountId, from, type: 'factor.added', kind: 'passkey' });
      return { ok: true, id, recoveryCodes, amr: amrOf(made) };
    });
  }

  return {
    beginSignIn,
    beginProof,
    beginRegistration,
    proveSignIn,
    passChallenge,
    reauthenticate,
    register,
    ...createPasskeyList(options),
  };
}

/** RFC 8176 §2. A key that may be copied to other devices is a key in software, whatever keeps it. */
function amrOf(of: { isBackupEligible: boolean; isUserVerified: boolean }): readonly string[] {
  const key = of.isBackupEligible ? 'swk' : 'hwk';
  return of.isUserVerified ? [key, 'user', 'mfa'] : [key, 'user'];
}

const expectedAt = (
  { realm, domain }: Place,
  { challenge }: Ceremony,
  { isVerificationRequired }: { isVerificationRequired: boolean },
) => ({
  challenge,
  origin: domain.origin,
  rpId: rpIdOf(realm.authOrigin),
  isVerificationRequired,
});

async function requestOptions(
  realm: Realm,
  asked: { challenge: Buffer; userVerification: 'required' | 'preferred'; passkeys: readonly store.StoredPasskey[] },
): Promise<PublicKeyCredentialRequestOptionsJSON> {
  const { generateAuthenticationOptions } = await import('@simplewebauthn/server');
  return generateAuthenticationOptions({
    rpID: rpIdOf(realm.authOrigin),
    challenge: new Uint8Array(asked.challenge),
    timeout: CEREMONY_SECONDS * 1000,
    userVerification: asked.userVerification,
    allowCredentials: asked.passkeys.map(describe),
  });
}

const describe = ({ credentialId, transports }: store.StoredPasskey) => ({
  id: credentialId,
  transports: [...transports],
});
