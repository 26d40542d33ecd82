// The life of a signing key, pure: upcoming (published, not yet used) → active (signs) → retiring (published until the last
// token signed with it has expired) → gone. Times in, actions out; jobs.ts applies them.

export type Alg = 'RS256' | 'ES256' | 'EdDSA';
export const ALGS: readonly Alg[] = ['RS256', 'ES256', 'EdDSA'];

export type KeyTimes = { kid: string; alg: Alg; createdAt: Date; activatesAt: Date; supersededAt: Date | null };

export type RotationPolicy = {
  /** Age at which an active key is replaced, seconds. */
  rotateSeconds: number;
  /** How long a verifier may keep the published set, seconds; a new key is published that long, twice over, before use. */
  publishSeconds: number;
  /** Longest life of anything signed, seconds. */
  tokenSeconds: number;
};

export type RotationAction =
  | { kind: 'create'; alg: Alg; activatesAt: Date }
  /** A newer key of the same algorithm signs from that time on. */
  | { kind: 'supersede'; kid: string; at: Date }
  | { kind: 'remove'; kid: string };

export type KeyState = 'upcoming' | 'active' | 'retiring';

/** The state of a key among all keys of its algorithm. */
export function stateOf(key: KeyTimes, now: Date): KeyState {
  if (key.activatesAt > now) return 'upcoming';
  return key.supersededAt !== null && key.supersededAt <= now ? 'retiring' : 'active';
}

/** The key that signs now: the one activated last. Null when there is none yet. */
export function activeKey<Key extends KeyTimes>(keys: readonly Key[], alg: Alg, now: Date): Key | null {
  const usable = keys.filter((key) => key.alg === alg && key.activatesAt <= now);
  return (
    usable.sort((a, b) => b.activatesAt.getTime() - a.activatesAt.getTime() || (a.kid < b.kid ? 1 : -1))[0] ?? null
  );
}

/**
 * The key to sign with. When the database's clock was set back before the first key became active, that one signs all the same:
 * it has been published since it was made.
 */
export function signingKey<Key extends KeyTimes>(keys: readonly Key[], alg: Alg, now: Date): Key | null {
  const active = activeKey(keys, alg, now);
  if (active) return active;
  const earliest = keys
    .filter((key) => key.alg === alg)
    .sort((a, b) => a.activatesAt.getTime() - b.activatesAt.getTime());
  return earliest[0] ?? null;
}

/** What has to happen now. The first key of an algorithm is active at once: nobody can have cached a set without it. */
export function planRotation(keys: readonly KeyTimes[], now: Date, policy: RotationPolicy): RotationAction[] {
  return ALGS.flatMap((alg) =>
    planOne(
      keys.filter((key) => key.alg === alg),
      alg,
      now,
      policy,
    ),
  );
}

function planOne(keys: readonly KeyTimes[], alg: Alg, now: Date, policy: RotationPolicy): RotationAction[] {
  if (keys.length === 0) return [{ kind: 'create', alg, activatesAt: now }];
  const actions: RotationAction[] = [];
  const active = activeKey(keys, alg, now);
  const hasUpcoming = keys.some((key) => key.activatesAt > now);
  const lead = 2 * policy.publishSeconds * 1000;
  if (active && !hasUpcoming && now.getTime() >= active.activatesAt.getTime() + policy.rotateSeconds * 1000 - lead) {
    actions.push({ kind: 'create', alg, activatesAt: new Date(now.getTime() + lead) });
  }
  if (!active && !hasUpcoming) actions.push({ kind: 'create', alg, activatesAt: now });
  for (const key of keys) {
    if (!active || key.kid === active.kid || key.activatesAt > now) continue;
    // OpenID Connect Core §10.1.1: an old key stays published until nothing signed with it is valid any more.
    if (key.supersededAt === null) actions.push({ kind: 'supersede', kid: key.kid, at: active.activatesAt });
    const keepUntil = (key.supersededAt ?? now).getTime() + (policy.tokenSeconds + policy.publishSeconds) * 1000;
    if (key.supersededAt !== null && now.getTime() >= keepUntil) actions.push({ kind: 'remove', kid: key.kid });
  }
  return actions;
}
