// Signing keys of each realm's issuer: made when first needed, encrypted at rest, rotated by schedule or by command,
// published as a JWK set (RFC 7517 §5), used to sign and verify what the issuer itself made.

import { createPrivateKey, type KeyObject } from 'node:crypto';
import {
  type CryptoKey,
  calculateJwkThumbprint,
  exportJWK,
  generateKeyPair,
  importJWK,
  type JWK,
  type JWTPayload,
  jwtVerify,
} from 'jose';
import type { Database, Queryable } from '../db/database.ts';
import type { Job } from '../db/jobs.ts';
import type { Notifications } from '../db/notify.ts';
import { signCompact } from '../lib/compact.ts';
import type { RealmId } from '../lib/ids.ts';
import { createVault } from '../lib/seal.ts';
import { createShortMemory } from '../lib/short_memory.ts';
import {
  ALGS,
  type Alg,
  activeKey,
  type KeyState,
  planRotation,
  type RotationPolicy,
  signingKey,
  stateOf,
} from './rotation.ts';
import * as store from './store.ts';

export { ALGS, type Alg } from './rotation.ts';

export type KeySummary = { kid: string; alg: Alg; state: KeyState; createdAt: Date; activatesAt: Date };
type LoadedKey = store.StoredKey & { publicKey: CryptoKey; privateKey: () => Promise<KeyObject> };
type KeySet = { keys: readonly LoadedKey[] /** Database time minus ours, milliseconds. */; skew: number };

const KEYS_CHANNEL = 'causeway_keys';

export type Keys = ReturnType<typeof createKeys>;
/** Signs claims; typ is that of the token (RFC 8725 §3.11). */
export type Signer = (alg: Alg, payload: JWTPayload, header: { typ: string }) => Promise<string>;

/** The keys of this server. @param options secrets: newest first; policy: lengths of a key's life */
export function createKeys(options: {
  db: Database;
  notifications: Notifications | null;
  secrets: readonly string[];
  policy: RotationPolicy;
}) {
  const { db, policy } = options;
  const vault = createVault({ secrets: options.secrets, purpose: 'signing-keys' });
  const memory = createShortMemory<RealmId, KeySet>({ most: 1000, read: load });
  options.notifications?.listen(KEYS_CHANNEL, { onMessage: () => memory.clear(), onGap: () => memory.clear() });

  async function load(realmId: RealmId): Promise<KeySet> {
    let { keys, now } = await store.listKeys(db, realmId);
    if (ALGS.some((alg) => activeKey(keys, alg, now) === null)) {
      await rotate(realmId);
      ({ keys, now } = await store.listKeys(db, realmId));
    }
    const loaded = await Promise.all(
      keys.map(async (key) => ({
        ...key,
        publicKey: (await importJWK(key.publicJwk, key.alg)) as CryptoKey,
        privateKey: once(() => unwrap(key)),
      })),
    );
    return { keys: loaded, skew: now.getTime() - Date.now() };
  }

  async function keySet(realmId: RealmId): Promise<KeySet> {
    const set = memory.get(realmId) ?? (await memory.fetch(realmId));
    if (!set) throw new Error('no signing keys');
    return set;
  }

  /** The published set: public parts of upcoming, active and retiring keys (OpenID Connect Core §10.1.1). */
  async function publish(realmId: RealmId): Promise<{ keys: JWK[] }> {
    return {
      keys: (await keySet(realmId)).keys.map((key) => ({ ...key.publicJwk, kid: key.kid, alg: key.alg, use: 'sig' })),
    };
  }

  /** Signs claims with the active key. @param header typ of the token (RFC 8725 §3.11) */
  async function sign(realmId: RealmId, alg: Alg, payload: JWTPayload, header: { typ: string }): Promise<string> {
    return (await signer(realmId))(alg, payload, header);
  }

  /**
   * What signs for a realm, ready to be used inside a transaction: it asks the database for nothing more. (Reading keys there
   * would take a second connection while one is held; enough of that at once, and everybody waits for everybody.)
   * @param ready whose key is opened now: one that does not open is found out before anything is written
   */
  async function signer(realmId: RealmId, ready?: Alg): Promise<Signer> {
    const { keys, skew } = await keySet(realmId);
    const keyOf = (alg: Alg) => {
      const key = signingKey(keys, alg, new Date(Date.now() + skew));
      if (!key) throw new Error(`no ${alg} key`);
      return key;
    };
    const readyKey = ready ? keyOf(ready) : null;
    await readyKey?.privateKey();
    return async (alg, payload, header) => {
      const key = readyKey?.alg === alg ? readyKey : keyOf(alg);
      return signCompact({ alg, kid: key.kid, typ: header.typ }, payload, await key.privateKey());
    };
  }

  /**
   * The claims of a token that this issuer signed; null for any other. Expiry is not judged here unless asked.
   * RFC 8725 §3.1, §3.10: algorithm and key are ours to choose, by our own kid; nothing in the header is followed.
   */
  async function verify(
    realmId: RealmId,
    token: string,
    expected: { issuer: string; typ: string; audience?: string; mayBeExpired?: boolean },
  ): Promise<JWTPayload | null> {
    if (token.length > 16_384) return null;
    const { keys } = await keySet(realmId);
    try {
      const { payload } = await jwtVerify(
        token,
        (header) => {
          const key = keys.find(({ kid, alg }) => kid === header.kid && alg === header.alg);
          if (!key) throw new Error('unknown key');
          return key.publicKey;
        },
        {
          algorithms: [...ALGS],
          issuer: expected.issuer,
          typ: expected.typ,
          ...(expected.audience !== undefined && { audience: expected.audience }),
          ...(expected.mayBeExpired ? { currentDate: new Date(0) } : { clockTolerance: 60 }),
        },
      );
      return payload;
    } catch {
      return null;
    }
  }

  /** Applies what the schedule asks for; any number of nodes may call it at once. True when something changed. */
  async function rotate(realmId: RealmId): Promise<boolean> {
    return db.transaction(async (q) => {
      await store.lockKeys(q, realmId);
      const { keys, now } = await store.listKeys(q, realmId);
      const actions = planRotation(keys, now, policy);
      for (const action of actions) {
        if (action.kind === 'create')
          await store.insertKey(q, realmId, { ...(await make(action.alg)), activatesAt: action.activatesAt });
        else if (action.kind === 'supersede') await store.supersedeKey(q, action.kid, action.at);
        else await store.deleteKey(q, action.kid);
      }
      if (actions.length > 0) await store.notifyKeys(q, KEYS_CHANNEL, realmId);
      return actions.length > 0;
    });
  }

  /** Starts the replacement of a realm's keys ahead of schedule: new ones are published now and sign after the lead time. */
  async function rotateEarly(q: Queryable, realmId: RealmId): Promise<string[]> {
    await store.lockKeys(q, realmId);
    const { keys, now } = await store.listKeys(q, realmId);
    const made: string[] = [];
    for (const alg of ALGS) {
      if (keys.some((key) => key.alg === alg && key.activatesAt > now)) continue;
      const hasKey = keys.some((key) => key.alg === alg);
      const key = await make(alg);
      await store.insertKey(q, realmId, {
        ...key,
        activatesAt: hasKey ? new Date(now.getTime() + 2 * policy.publishSeconds * 1000) : now,
      });
      made.push(key.kid);
    }
    await store.notifyKeys(q, KEYS_CHANNEL, realmId);
    return made;
  }

  /** Emergency: a key is gone at once, with every token signed by it; a new one takes its place. False: no such key. */
  async function revoke(q: Queryable, realmId: RealmId, kid: string): Promise<boolean> {
    await store.lockKeys(q, realmId);
    if ((await store.deleteKey(q, kid)) === 0) return false;
    const { keys, now } = await store.listKeys(q, realmId);
    for (const alg of ALGS) {
      if (!activeKey(keys, alg, now)) await store.insertKey(q, realmId, { ...(await make(alg)), activatesAt: now });
    }
    await store.notifyKeys(q, KEYS_CHANNEL, realmId);
    return true;
  }

  /** The keys of a realm with their states, for an operator. */
  async function list(q: Queryable, realmId: RealmId): Promise<KeySummary[]> {
    const { keys, now } = await store.listKeys(q, realmId);
    return keys.map((key) => ({
      kid: key.kid,
      alg: key.alg,
      state: stateOf(key, now),
      createdAt: key.createdAt,
      activatesAt: key.activatesAt,
    }));
  }

  async function make(alg: Alg) {
    const { publicKey, privateKey } = await generateKeyPair(alg, { extractable: true, modulusLength: 2048 });
    const publicJwk = await exportJWK(publicKey);
    // Begins with a letter, so that no command line takes it for an option.
    const kid = `${alg.toLowerCase()}-${await calculateJwkThumbprint(publicJwk)}`;
    const privateJwe = vault.lock(JSON.stringify(await exportJWK(privateKey)));
    return { kid, alg, publicJwk, privateJwe };
  }

  async function unwrap(key: store.StoredKey): Promise<KeyObject> {
    const jwk = await vault.unlock(key.privateJwe);
    if (jwk !== null) return createPrivateKey({ key: JSON.parse(jwk), format: 'jwk' });
    throw new Error(
      'CAUSEWAY_SECRET does not open the stored signing keys. Add the secret that they were made with: CAUSEWAY_SECRET=new,old',
    );
  }

  const jobs = (listRealmIds: () => Promise<readonly RealmId[]>): readonly Job[] => [
    {
      name: 'keys.rotate',
      everySeconds: Math.max(1, Math.min(60, Math.floor(policy.publishSeconds / 2))),
      run: async () => {
        for (const realmId of await listRealmIds()) await rotate(realmId);
        return false;
      },
    },
  ];

  return {
    publish,
    sign,
    signer,
    verify,
    rotate,
    rotateEarly,
    revoke,
    list,
    jobs,
    maxAgeSeconds: policy.publishSeconds,
  };
}

function once<T>(work: () => Promise<T>): () => Promise<T> {
  let result: Promise<T> | undefined;
  return () => {
    result ??= work();
    return result;
  };
}
