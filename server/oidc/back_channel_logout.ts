// OpenID Connect Back-Channel Logout 1.0: when a session ends, whatever the reason, every client that got tokens in it, and every
// domain of it that asks, is told. Receipt and job are written by the transaction that ends the session; the outbox delivers,
// again and again over hours, until the client acknowledges or refuses. The reader never waits for that.

import type { Audit } from '../audit/audit.ts';
import type { Clients } from '../clients/clients.ts';
import type { Database, Queryable } from '../db/database.ts';
import type { Job } from '../db/jobs.ts';
import type { Notifications } from '../db/notify.ts';
import { addJobs, OUTBOX_SCHEMA, type OutboxTask } from '../db/outbox.ts';
import type { GuardedFetch } from '../http/outgoing.ts';
import type { Keys } from '../keys/keys.ts';
import type { AccountId, ClientRowId, RealmId, SessionId } from '../lib/ids.ts';
import type { Log } from '../lib/log.ts';
import type { EndSession, RevokedSession } from '../sessions/sessions.ts';
import * as endStore from './end_store.ts';
import { LOGOUT_TOKEN_TYP, logoutClaims } from './logout_token.ts';
import * as store from './store.ts';

const TASK = { name: 'oidc.deliver_logout', mostTries: 11 } as const;
const KEY_PREFIX = 'logout:';
const KEEP_DAYS = 30;
/** How long the reader is kept for the client that sent them to sign out. */
export const INITIATOR_WAIT_MS = 1500;
const MOST_LISTED = 500;

export type BackChannelLogout = ReturnType<typeof createBackChannelLogout>;

/** Writes receipts and jobs for the end of a session, in the transaction that ends it. */
export async function recordEnd(q: Queryable, ended: RevokedSession): Promise<void> {
  const receipts = await store.insertReceipts(q, ended);
  await addJobs(
    q,
    TASK,
    receipts.map(({ id, clientRowId }) => ({
      payload: { receipt: id },
      key: `${KEY_PREFIX}${id}`,
      target: `client:${clientRowId}`,
    })),
  );
}

/** Ends one session and writes all that: in the caller's transaction, or in one of its own. False when it had ended already. */
export const endSession: EndSession = (q, session, why) =>
  endStore.endSession(q, session, why, { ...TASK, keyPrefix: KEY_PREFIX });

/** Receipts of a realm, for an operator: of a session, of an account, or the latest. */
export const listReceipts = (
  q: Queryable,
  realmId: RealmId,
  of: { sessionId?: string; accountId?: AccountId },
): Promise<store.Receipt[]> => store.listReceipts(q, realmId, { ...of, limit: MOST_LISTED });

/** @param options fetch: guarded against server-side request forgery */
export function createBackChannelLogout(options: {
  db: Database;
  audit: Audit;
  clients: Clients;
  keys: Keys;
  notifications: Notifications;
  log: Log;
  fetch: GuardedFetch;
}) {
  const { db, audit, clients, keys, log } = options;
  const waiters = new Map<string, Set<() => void>>();
  const wake = (group: Iterable<() => void> = []) => {
    for (const done of group) done();
  };
  options.notifications.listen(store.RECEIPTS_CHANNEL, {
    onMessage: (key) => wake(waiters.get(key)),
    // What was missed in a gap is not worth a search: waiting ends by itself.
    onGap: () => undefined,
  });

  /** Notes that a client got tokens in a session; it is told when that ends. */
  async function noteClient(
    q: Queryable,
    family: { sid: string | null; clientRowId: ClientRowId; realmId: RealmId },
    sub: string,
  ): Promise<void> {
    if (family.sid !== null)
      await store.noteClient(q, {
        sessionId: family.sid,
        clientRowId: family.clientRowId,
        realmId: family.realmId,
        sub,
      });
  }

  /** One try. Throws to be called again. */
  async function deliver(payload: unknown, attempt: { isLast: boolean; signal: AbortSignal }): Promise<void> {
    const delivery = await store.findDelivery(db, String((payload as { receipt?: unknown }).receipt));
    if (!delivery) return;
    const client = await clients.find(delivery.realmId, delivery.clientId);
    const uri = client?.protocol.backchannel_logout_uri;
    if (!client || uri === undefined)
      return note(delivery, {
        state: 'gave-up',
        status: null,
        error: 'the client is disabled or has no endpoint any more',
      });
    const claims = logoutClaims({
      issuer: delivery.issuer,
      audience: client.clientId,
      sub: delivery.sub,
      sid: delivery.sessionId,
      now: Math.floor(Date.now() / 1000),
    });
    const token = await keys.sign(delivery.realmId, client.protocol.id_token_signed_response_alg, claims, {
      typ: LOGOUT_TOKEN_TYP,
    });
    const outcome = await post(uri, token, attempt.signal);
    // The node is going: what the broken-off call would have brought is for another try to find out.
    if (attempt.signal.aborted) throw new Error(`${client.clientId}: broken off`);
    const isUndecided = outcome.state === 'retrying';
    await note(delivery, isUndecided && attempt.isLast ? { ...outcome, state: 'gave-up' } : outcome);
    if (isUndecided && !attempt.isLast) throw new Error(`${client.clientId}: ${outcome.error ?? outcome.status}`);
  }

  /** §2.5: a form with the one parameter. §2.8: 200 is an acknowledgement, 204 is taken for one, 400 is a refusal. */
  async function post(uri: string, token: string, signal: AbortSignal): Promise<store.Attempt> {
    try {
      const { status } = await options.fetch(uri, {
        method: 'POST',
        body: new URLSearchParams({ logout_token: token }),
        signal,
      });
      return {
        state: status === 200 || status === 204 ? 'acknowledged' : status === 400 ? 'refused' : 'retrying',
        status,
        error: null,
      };
    } catch (error) {
      return { state: 'retrying', status: null, error: describe(error) };
    }
  }

  async function note(delivery: store.Delivery, attempt: store.Attempt): Promise<void> {
    const { realmId, sessionId, clientId } = delivery;
    await db.transaction(async (q) => {
      await store.noteAttempt(q, delivery.id, attempt);
      if (attempt.state !== 'refused' && attempt.state !== 'gave-up') return;
      await audit.record(q, {
        type: 'logout.undelivered',
        realmId,
        sessionId,
        clientId,
        detail: { state: attempt.state, status: attempt.status ?? 0 },
      });
    });
    const level = attempt.state === 'acknowledged' ? 'debug' : 'warn';
    log[level](
      { client: clientId, session: sessionId, state: attempt.state, status: attempt.status, reason: attempt.error },
      'back-channel logout',
    );
  }

  /** Resolves once a client was called for the first time about the end of a session, or after INITIATOR_WAIT_MS. Never throws. */
  async function waitFor(sessionId: SessionId, clientRowId: ClientRowId): Promise<void> {
    const key = `${sessionId}:${clientRowId}`;
    const called = Promise.withResolvers<void>();
    const group = waiters.get(key) ?? new Set();
    waiters.set(key, group.add(called.resolve));
    const timer = setTimeout(called.resolve, INITIATOR_WAIT_MS);
    try {
      // Asked after listening began, so that nothing falls between.
      if (await store.isUntried(db, sessionId, clientRowId)) await called.promise;
    } catch (error) {
      log.warn({ err: error }, 'back-channel logout: not waited for');
    } finally {
      clearTimeout(timer);
      group.delete(called.resolve);
      if (group.size === 0) waiters.delete(key);
    }
  }

  /** What the sites of an ended session were told, for the reader who ended it. */
  const listOfSession = (realmId: RealmId, sessionId: SessionId): Promise<store.Receipt[]> =>
    store.listReceipts(db, realmId, { sessionId, limit: MOST_LISTED });

  const tasks: readonly OutboxTask[] = [{ ...TASK, run: deliver }];
  const jobs: readonly Job[] = [
    {
      name: 'oidc.sweep_logout',
      everySeconds: 300,
      run: async (q) => {
        await store.giveUpOrphans(q, `${OUTBOX_SCHEMA}.jobs`, KEY_PREFIX);
        return store.deleteOld(q, KEEP_DAYS);
      },
    },
  ];

  return { noteClient, waitFor, listOfSession, tasks, jobs };
}

/** What went wrong, short and without the URL's query. */
function describe(error: unknown): string {
  if (!(error instanceof Error)) return 'failed';
  if (error.name === 'TimeoutError') return 'no answer in time';
  const code = 'code' in error && typeof error.code === 'string' ? error.code : null;
  return (code ?? error.message).slice(0, 200);
}
