/*
 * Leases: when a node may answer from memory although another node can make the answer untrue at any moment, and a change
 * that was acknowledged must hold for every request that starts after (reliability R-20).
 *
 * The protocol
 *   A node renews its lease every 500 ms: one call that first writes the node's row (and so locks it) and then, with a later
 *   snapshot, returns every invalidation that was committed since the snapshot of the last one. The node drops these from memory,
 *   and only then counts the lease as lasting for 2 s less a margin from the moment at which it SENT the renewal, by a clock that
 *   never runs slow. A renewal that finds no row makes it and is no lease; the next one follows at once.
 *   Who makes something untrue writes an invalidation in the same transaction (triggers do). After the commit it reads the rows of
 *   all nodes with a share lock, and answers once each that holds a lease has said that it dropped the key or its lease, as read,
 *   has run out (settlement.ts). Notifications only make that quick.
 *   Who is asked to end something and finds that it is over answers the same way, for everything that was committed since a
 *   snapshot that is as old as a lease: whoever ended it may still be waiting, or may have died.
 *   A node keeps what it read only if nothing that the row depends on was invalidated since before the read was sent.
 *
 * Why no answer from memory is ever older than an acknowledged change. Let the change commit at c, be acknowledged at a by whoever
 * made it or found it made, and let a request start after a and be answered from memory at t > a under a lease that renewal R gave.
 *   1. R's last snapshot is after c: R returned the invalidation, and the node dropped the entry before it used the lease.
 *      What it kept later was read after the drop (a read sent before it is not kept), so the read saw the change.
 *   2. R's last snapshot is before c: then R held the lock on its row before c, a row that an earlier renewal had made and
 *      committed. The read with the share lock came after c, so it found the row, whatever it said, waited for R and saw what R
 *      wrote. So a is after the node's word, which it gives once the key is dropped (as in 1), or after the end of R's lease by
 *      the database's clock. The node counts from before the database does and for less, so its lease was over at a, against
 *      t > a. Who found the change made reads the same rows; it leaves the change out only if an old snapshot saw it, that is if
 *      c is a lease or more ago, and R's lease with it.
 * A node that was frozen finds its clock past the end. A node that is deaf to notifications says its word with its next renewal,
 * after 500 ms at most; one that is cut off from the database as a whole is waited for until its lease is over. A node that
 * joins during a change is case 1 or 2 like any other. If the changer cannot read the nodes, it waits for as long as any lease
 * can last. If the commit's own answer is lost, nobody is told that the change holds, until somebody asks again.
 * A restarted or promoted server is another life of it ("incarnation"): rows may be missing that the last one had. Whoever
 * changes something waits for the whole lease while a life is younger than that, and a node that meets a new one forgets
 * everything. What is taken for granted: no clock is corrected faster than the margin allows for, and the database's wall clock
 * is not set forward while it serves. test/db/lease_model.test.ts explores every interleaving of these steps, with each
 * safeguard removed in turn.
 */

import { randomUUID } from 'node:crypto';
import type { Log } from '../lib/log.ts';
import { createSteadyClock } from '../lib/steady_clock.ts';
import type { Database } from './database.ts';
import type { Job } from './jobs.ts';
import * as rules from './lease_state.ts';
import type { Notifications } from './notify.ts';
import { createSettlement, LEASE_MS, WORDS_CHANNEL } from './settlement.ts';
import { readStatement, writeStatement } from './statement.ts';

const RENEW_EVERY_MS = 500;
/** By how much less the node counts than the database: more than two clocks drift apart in one lease, both being corrected as fast as chrony does it. */
const MARGIN_MS = 400;
const INVALIDATIONS_CHANNEL = 'causeway_invalidations';
/** How long invalidations are kept for nodes that missed them. */
const KEEP_SECONDS = 300;
/** Sequence numbers in one notification, which carries at most 8000 bytes. */
const MOST_IN_WORD = 300;

const RENEW = writeStatement(
  'lease.renew',
  'select incarnation, is_counted, horizon::text, seq::text, key from causeway_renew_lease($1, $2::text::pg_snapshot, $3)',
);
const FIND_HORIZON = readStatement(
  'lease.horizon',
  'select causeway_incarnation() as incarnation, pg_current_snapshot()::text as horizon',
);
const SAY = writeStatement('lease.say', `select pg_notify('${WORDS_CHANNEL}', $1)`);
const LEAVE = writeStatement('lease.leave', 'delete from lease_nodes where id = $1');

/** Whoever keeps things in memory under the lease. */
export type Holder = {
  /** Drop what depends on the key, in this turn. */
  drop(key: string): void;
  /** Drop everything. */
  clear(): void;
};

export type Lease = ReturnType<typeof openLease>;

/**
 * The lease of this node.
 * @param options now: milliseconds on a clock that never runs slow, for tests
 */
export function openLease(options: { db: Database; notifications: Notifications; log: Log; now?: () => number }) {
  const { db, notifications, log } = options;
  const now = options.now ?? createSteadyClock();
  const node = randomUUID();
  const state = rules.createLeaseState();
  const holders: Holder[] = [];
  const settlement = createSettlement({
    run: db.run,
    notifications,
    log,
    self: { id: node, hear: apply, snapshotBefore },
  });
  /** What renewals saw, with the time by which they had seen it: the latest that is as old as a lease, and all after it. */
  let seen: { horizon: string; at: number }[] = [];
  let known: { incarnation: string; horizon: string; at: number } | null = null;
  let isClosed = false;
  let timer: NodeJS.Timeout | undefined;
  let renewing: Promise<void> | null = null;
  let unsaid: string[] = [];

  notifications.listen(INVALIDATIONS_CHANNEL, {
    onMessage(payload) {
      const space = payload.indexOf(' ');
      const invalidation = { seq: payload.slice(0, space), key: payload.slice(space + 1) };
      apply(invalidation);
      if (invalidation.seq !== rules.UNNUMBERED) say(invalidation.seq);
    },
    // Whatever was missed comes with the next renewal.
    onGap: () => undefined,
  });

  function apply(invalidation: rules.Invalidation) {
    if (rules.noteInvalidation(state, invalidation)) drop(invalidation.key);
  }

  function drop(key: string) {
    for (const holder of holders) {
      if (key === rules.ALL) holder.clear();
      else holder.drop(key);
    }
  }

  /** Says that keys were dropped, all of one turn in one message. A word that is lost costs time and nothing else. */
  function say(seq: string) {
    if (unsaid.push(seq) > 1) return;
    setImmediate(() => {
      const seqs = unsaid;
      unsaid = [];
      for (let at = 0; at < seqs.length; at += MOST_IN_WORD)
        notifications
          .run(SAY, [[node, ...seqs.slice(at, at + MOST_IN_WORD)].join(' ')])
          .catch((error: unknown) => log.debug({ err: error }, 'lease: word not sent'));
    });
  }

  /** By a clock that may stand still and never runs ahead: what it calls old enough is. */
  function snapshotBefore(): string | null {
    const old = seen.filter(({ at }) => at <= performance.now() - LEASE_MS);
    return old.at(-1)?.horizon ?? null;
  }

  function noteSeen(horizon: string) {
    const at = performance.now();
    const needed = seen.findLastIndex((one) => one.at <= at - LEASE_MS);
    seen = [...seen.slice(Math.max(0, needed)), { horizon, at }];
  }

  /** @returns false when the renewal only made the node's row, and another one is needed */
  async function renew(): Promise<boolean> {
    // Away for so long that what was missed may be swept: nothing that is in memory or under way can be trusted.
    if (known && now() - known.at > (KEEP_SECONDS * 1000) / 2) known = null;
    if (!known) {
      const at = now();
      const [first] = await notifications.run(FIND_HORIZON, []);
      known = { incarnation: String(first?.['incarnation']), horizon: String(first?.['horizon']), at };
      seen = [];
      rules.forgetAll(state);
      drop(rules.ALL);
    }
    const sentAt = now();
    const rows = await notifications.run(RENEW, [node, known.horizon, LEASE_MS / 1000]);
    if (rows[0]?.['incarnation'] !== known.incarnation) {
      known = null;
      throw new Error('the database is another one, or in another life, than at the last renewal');
    }
    const listed = rows.flatMap((row) =>
      row['seq'] === null ? [] : [{ seq: String(row['seq']), key: String(row['key']) }],
    );
    const isCounted = rows[0]['is_counted'] === true;
    const lastsMs = isCounted ? LEASE_MS - MARGIN_MS : null;
    for (const { seq, key } of rules.noteRenewal(state, { sentAt, lastsMs, rows: listed })) {
      drop(key);
      say(seq);
    }
    known = { ...known, horizon: String(rows[0]['horizon']), at: sentAt };
    noteSeen(known.horizon);
    return isCounted;
  }

  function tick() {
    renewing = renew()
      .then(async (isCounted) => void (isCounted || (await renew())))
      .catch((error: unknown) => log.debug({ err: error }, 'lease: not renewed'))
      .finally(() => {
        renewing = null;
        if (!isClosed) timer = setTimeout(tick, RENEW_EVERY_MS).unref();
      });
    return renewing;
  }

  /** Begins to hold the lease; resolves after the first try. */
  const start = (): Promise<void> => tick();

  /** Gives the lease back, so that nobody waits for a node that is gone. */
  async function close(): Promise<void> {
    isClosed = true;
    clearTimeout(timer);
    await renewing;
    state.validUntil = Number.NEGATIVE_INFINITY;
    await db.run(LEAVE, [node]).catch((error: unknown) => log.debug({ err: error }, 'lease: not given back'));
  }

  const jobs: readonly Job[] = [{ name: 'lease.sweep', everySeconds: 60, run: createSweep() }];

  return {
    settle: settlement.settle,
    settleAll: settlement.settleAll,
    /** Something became untrue here for which nobody waits. */
    note: (key: string) => apply({ seq: rules.UNNUMBERED, key }),
    start,
    close,
    jobs,
    now,
    /** Keeps a memory true from now on. */
    hold: (holder: Holder) => void holders.push(holder),
    /** Whether memory may answer at this moment. @param at what `now` has just told */
    isLive: (at: number = now()) => rules.isLive(state, at),
    /** Call it before a read is sent. */
    markRead: () => rules.markRead(state),
    /** Whether what the read found may be kept. @param keys all that it depends on */
    mayKeep: (mark: rules.ReadMark, keys: readonly string[]) => rules.mayKeep(state, mark, keys),
  };
}

/**
 * Deletes what no node can need any more: one batch of invalidations, and nodes and lives of the server that are long gone. By what a
 * snapshot of minutes ago saw, not by the time of a row, whose transaction may have been open for long.
 * @param elapsed milliseconds on a clock that never runs ahead, for tests
 */
export function createSweep(elapsed: () => number = () => performance.now()): Job['run'] {
  let seen: { horizon: string; at: number } | null = null;

  return async function sweep(q) {
    await q.builder.raw("delete from lease_nodes where expires_at < clock_timestamp() - interval '1 hour'");
    await q.builder.raw(
      "delete from lease_incarnations where name <> causeway_incarnation() and seen_at < clock_timestamp() - interval '1 day'",
    );
    const at = elapsed();
    if (seen && at - seen.at < KEEP_SECONDS * 1000) return false;
    if (seen) {
      const { rowCount } = await q.builder.raw(
        'delete from invalidations where seq in (select seq from invalidations where pg_visible_in_snapshot(xid, ?::pg_snapshot) order by seq limit 1000)',
        [seen.horizon],
      );
      if (rowCount === 1000) return true;
    }
    const [now] = await q.run(FIND_HORIZON, []);
    seen = { horizon: String(now?.['horizon']), at };
    return false;
  };
}
