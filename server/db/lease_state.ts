// What one node knows of its lease, pure: the rules of lease.ts without a database, on a plain value, so that the model check
// explores the very code that runs. Times are milliseconds of the node's own clock.

/** The key of everything. */
export const ALL = '*';
/** Sequence number of what is told and not listed: nobody waits for it, and it may be missed. */
export const UNNUMBERED = '0';
/** Invalidations that are remembered for reads under way; a read that saw more than these go by keeps nothing. */
const REMEMBERED = 4096;

export type LeaseState = {
  /** End of the lease; in the past when there is none. */
  validUntil: number;
  /** Counts what was invalidated; the last REMEMBERED keys are in the ring. */
  epoch: number;
  ring: string[];
  /** Sequence numbers that were applied and may still come again, by notification or with a renewal. */
  applied: Set<string>;
};

export type Invalidation = { readonly seq: string; readonly key: string };

/** Taken before a read is sent; says later whether what it found may be kept. */
export type ReadMark = { readonly epoch: number };

export function createLeaseState(): LeaseState {
  return { validUntil: Number.NEGATIVE_INFINITY, epoch: 0, ring: [], applied: new Set() };
}

/** An invalidation was announced. @returns whether it is news; the caller drops the key from memory in the same turn */
export function noteInvalidation(state: LeaseState, { seq, key }: Invalidation): boolean {
  if (state.applied.has(seq)) return false;
  if (seq !== UNNUMBERED) state.applied.add(seq);
  remember(state, key);
  return true;
}

/**
 * A renewal was answered. The caller drops the returned keys from memory in the same turn.
 * @param renewal sentAt: when it was sent; lastsMs: for how long it is a lease from then on, null when it is none; rows: every
 *   invalidation that was committed since the last one
 */
export function noteRenewal(
  state: LeaseState,
  renewal: { sentAt: number; lastsMs: number | null; rows: readonly Invalidation[] },
): Invalidation[] {
  const news = renewal.rows.filter(({ seq }) => !state.applied.has(seq));
  for (const { key } of news) remember(state, key);
  state.applied = new Set(renewal.rows.map(({ seq }) => seq));
  if (renewal.lastsMs !== null) state.validUntil = Math.max(state.validUntil, renewal.sentAt + renewal.lastsMs);
  return news;
}

/** Nothing that is read at this moment may be kept: what was invalidated lately cannot be known. */
export function forgetAll(state: LeaseState): void {
  // A database that was set back gives numbers again.
  state.applied = new Set();
  remember(state, ALL);
}

/** Whether memory may answer at this moment. */
export function isLive(state: LeaseState, now: number): boolean {
  return now < state.validUntil;
}

/** Call it before the read is sent. */
export function markRead(state: LeaseState): ReadMark {
  return { epoch: state.epoch };
}

/** Whether what a read found is still true for all that this node has heard. @param keys all that it depends on */
export function mayKeep(state: LeaseState, mark: ReadMark, keys: readonly string[]): boolean {
  if (state.epoch - mark.epoch > REMEMBERED) return false;
  for (let index = mark.epoch; index < state.epoch; index++) {
    const key = state.ring[index % REMEMBERED];
    if (key === ALL || keys.some((one) => one === key)) return false;
  }
  return true;
}

function remember(state: LeaseState, key: string): void {
  state.ring[state.epoch % REMEMBERED] = key;
  state.epoch++;
}
