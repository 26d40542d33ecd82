// The side of whoever changes something that nodes keep in memory: after the commit it waits until no node can answer with
// what was true before. The protocol and its proof are in lease.ts.

import type { Log } from '../lib/log.ts';
import { inOneTurn } from '../lib/one_turn.ts';
import type { Queryable, Row } from './database.ts';
import { ALL, type Invalidation, UNNUMBERED } from './lease_state.ts';
import type { Notifications } from './notify.ts';
import { readStatement } from './statement.ts';

/** How long a lease lasts by the database's clock. */
export const LEASE_MS = 2000;
export const WORDS_CHANNEL = 'causeway_lease_words';
/** Words of other nodes that came before somebody waited for them. */
const MOST_WORDS = 20_000;

// `for share` waits for a renewal under way and then sees what it wrote; of every row, because one whose lease has run out may be
// just being renewed. Rows of a life of the server that has just begun are not believed: a standby that was promoted may lack some.
const holdersAnd = (made: string) => `
  with holders as materialized (
    select id::text, extract(epoch from expires_at - clock_timestamp())::float8 * 1000 as left_ms from lease_nodes for share)
  select (select json_agg(json_build_object('seq', seq::text, 'key', key)) from invalidations where ${made}) as made,
         exists (select from lease_incarnations where name = causeway_incarnation()
                   and seen_at < clock_timestamp() - make_interval(secs => $2)) as is_settled, id, left_ms
    from (select) one left join holders on left_ms > 0`;
const FIND_HOLDERS = readStatement('lease.find_holders', holdersAnd('xid = $1::text::xid8'));
const FIND_HOLDERS_SINCE = readStatement(
  'lease.find_holders_since',
  holdersAnd(
    'xid >= pg_snapshot_xmin($1::text::pg_snapshot) and not pg_visible_in_snapshot(xid, $1::text::pg_snapshot)',
  ),
);

export type Settlement = ReturnType<typeof createSettlement>;

/** The node of the process that settles, if it is one. */
export type Self = {
  id: string;
  /** Told without a message. */
  hear(invalidation: Invalidation): void;
  /** What was committed when, a whole lease ago or more; null when that is not known. */
  snapshotBefore(): string | null;
};

/**
 * @param options run: reads on a connection of its own; self: the node of this process
 */
export function createSettlement(options: {
  run: Queryable['run'];
  notifications: Notifications;
  log: Log;
  self?: Self;
}) {
  const { run, notifications, log, self } = options;
  // Whoever waits for others may count too slowly, never too fast: not by a clock that follows the wall clock.
  const now = () => performance.now();
  const words = createWords();
  notifications.listen(WORDS_CHANNEL, {
    onMessage(payload) {
      const [from = '', ...seqs] = payload.split(' ');
      for (const seq of seqs) words.add(from, seq);
    },
    // A word that was missed costs waiting until the lease is over, and nothing else.
    onGap: () => undefined,
  });
  const findSince = inOneTurn(async (asked: readonly unknown[]) => {
    const since = self?.snapshotBefore() ?? null;
    const rows = await run(FIND_HOLDERS_SINCE, [since, LEASE_MS / 1000]);
    return asked.map(() => ({ since, rows }));
  });

  /**
   * Waits until no node answers from memory what a committed transaction has made untrue.
   * @param xid of the transaction, as the message of causeway_invalidate() told it
   */
  async function settle(xid: string): Promise<void> {
    const whole = now() + LEASE_MS;
    let rows: Row[];
    try {
      rows = await run(FIND_HOLDERS, [xid, LEASE_MS / 1000]);
    } catch (error) {
      return sleepUnknowing(error, whole);
    }
    const made = (rows[0]?.['made'] ?? []) as Invalidation[];
    // Rolled back, or so long ago that it was swept.
    if (made.length > 0) await waitForWords(rows, made, whole);
  }

  /**
   * Waits until no node answers from memory what anybody's transaction, committed before this call, has made untrue: for who is
   * asked to end something, finds that it is over, and says so. Whoever ended it may be waiting still, or be gone.
   */
  async function settleAll(): Promise<void> {
    const whole = now() + LEASE_MS;
    let found: { since: string | null; rows: Row[] };
    try {
      found = await findSince(null);
    } catch (error) {
      return sleepUnknowing(error, whole);
    }
    const { since, rows } = found;
    const isSettled = rows[0]?.['is_settled'] === true;
    if (since !== null && isSettled) {
      const made = (rows[0]?.['made'] ?? []) as Invalidation[];
      return made.length > 0 ? waitForWords(rows, made, whole) : undefined;
    }
    // What was changed lately is not known, or a snapshot from another life of the server does not tell: it may be everything, and
    // every lease lasts to its end.
    self?.hear({ seq: UNNUMBERED, key: ALL });
    if (!isSettled) return words.sleep(whole - now());
    const left = othersIn(rows).map(leftOf);
    if (left.length > 0) await words.sleep(Math.max(...left));
  }

  async function waitForWords(rows: readonly Row[], made: readonly Invalidation[], whole: number): Promise<void> {
    const readAt = now();
    for (const invalidation of made) self?.hear(invalidation);
    if (rows[0]?.['is_settled'] !== true) return words.sleep(whole - now());
    await Promise.all(
      othersIn(rows).flatMap((row) =>
        made.map(({ seq }) => words.wait(String(row['id']), seq, readAt + leftOf(row) - now())),
      ),
    );
  }

  function sleepUnknowing(error: unknown, whole: number): Promise<void> {
    log.warn({ err: error }, 'lease: holders unknown, waiting until every lease has run out');
    return words.sleep(whole - now());
  }

  const othersIn = (rows: readonly Row[]) => rows.filter((row) => row['id'] !== null && row['id'] !== self?.id);

  return { settle, settleAll };
}

/** A lease that another server's clock has written may seem to last for longer than any does. */
const leftOf = (row: Row): number => Math.min(Number(row['left_ms']), LEASE_MS);

/** The words of other nodes: who said which sequence number, kept for those who wait and for those who are about to. */
function createWords() {
  const said = new Map<string, Set<string>>();
  const waiting = new Map<string, Set<() => void>>();

  function add(node: string, seq: string) {
    const nodes = said.get(seq) ?? new Set();
    said.set(seq, nodes.add(node));
    if (said.size > MOST_WORDS) said.delete(said.keys().next().value ?? '');
    for (const wake of waiting.get(`${node} ${seq}`) ?? []) wake();
  }

  /** Until the node says it, or the time is over. */
  function wait(node: string, seq: string, most: number): Promise<void> {
    if (said.get(seq)?.has(node)) return Promise.resolve();
    const name = `${node} ${seq}`;
    return new Promise((resolve) => {
      const group = waiting.get(name) ?? new Set();
      const wake = () => {
        clearTimeout(timer);
        group.delete(wake);
        if (group.size === 0) waiting.delete(name);
        resolve();
      };
      const timer = setTimeout(wake, Math.max(0, most) + 1);
      waiting.set(name, group.add(wake));
    });
  }

  return { add, wait, sleep: (most: number) => wait('', '', most) };
}
