// The one pool (knex over pg), the hot path through it, and transactions.
// `run` takes a connection from knex's own pool, so a named statement also works, and sees its writes, inside a transaction.
// `acquireConnection` is a semi-public method of knex: it is used in this file alone (test/db/pool.test.ts holds it).

import knexModule, { type Knex } from 'knex';
import { Overdue } from '../lib/overdue.ts';
import { createTurnstile, type Turnstile } from '../lib/turnstile.ts';
import type { Statement } from './statement.ts';

const { knex: createKnex } = knexModule;

export type Row = Record<string, unknown>;

export type Queryable = {
  /** Runs a named statement and returns its rows. */
  run<R extends Row = Row>(statement: Statement, values: readonly unknown[]): Promise<R[]>;
  /** The knex query builder, bound to the pool or to the transaction. */
  readonly builder: Knex;
};

/**
 * What is told of changes that make untrue what some node may have in memory (db/lease.ts).
 * begin: one is under way; settle: it is committed, and who made it gets its result when this is done; settleAll: the same for
 * all that was committed lately, by whomever; note: a key became untrue for which nobody waits.
 */
export type ChangeHook = {
  begin?(): void;
  settle(xid: string): Promise<void>;
  settleAll(): Promise<void>;
  note?(key: string): void;
};

export type Database = Queryable & {
  /** Runs `work` in one transaction; up to 3 tries when PostgreSQL reports a deadlock or a serialisation failure. */
  transaction<T>(work: (q: Queryable) => Promise<T>): Promise<T>;
  /**
   * Waits until no node answers from memory what was made untrue before this call, by whomever: for who is asked to end
   * something, finds that it is over, and is about to say so (reliability R-20).
   */
  settled(): Promise<void>;
  /** Connections in use and idle. */
  pool(): { used: number; free: number; waiting: number };
  close(): Promise<void>;
};

/** The database did not answer in time or at all; the request is answered 503 and may be sent again. */
export class DatabaseUnavailable extends Error {}

/**
 * Time limits set on every connection, in milliseconds. `statement_timeout` alone does not end a wait for a frozen server,
 * so the client keeps its own, longer, `query_timeout` (reliability ).
 */
export const TIMEOUTS = {
  statement_timeout: 5000,
  lock_timeout: 2000,
  idle_in_transaction_session_timeout: 10_000,
  query_timeout: 6000,
  connectionTimeoutMillis: 2000,
} as const;
const { query_timeout: QUERY_TIMEOUT_MS, ...SET_ON_CONNECTIONS } = TIMEOUTS;
const ACQUIRE_TIMEOUT_MS = 2000;
const RETRY_PAUSE_MS = 25;
/**
 * What writes may take of the pool, transactions among it: while commits hang (a standby is gone, the disk stalls), each holds
 * its connection until its time limit, and the others stay free for reading (reliability ).
 */
const SHARE_OF_WRITES = 2 / 3;

export function databaseKnexConfig(options: {
  url: string;
  poolSize: number;
  applicationName: string;
  changes?: ChangeHook;
}): Knex.Config {
  return {
    client: 'pg',
    connection: {
      connectionString: options.url,
      application_name: options.applicationName,
      keepAlive: true,
      ...SET_ON_CONNECTIONS,
    } as Knex.PgConnectionConfig,
    pool: {
      min: 0,
      max: options.poolSize,
      idleTimeoutMillis: 30_000,
      propagateCreateError: false,
      afterCreate: (connection: Connection, done: (error: unknown, connection: Connection) => void) => {
        watchConnection(connection, options.changes);
        done(null, connection);
      },
    },
    acquireConnectionTimeout: ACQUIRE_TIMEOUT_MS,
    // knex prints refused connections by itself, stack and all; ours are logged where they are answered.
    log: { warn: () => undefined, error: () => undefined },
    migrations: { directory: new URL('../../migrations', import.meta.url).pathname, loadExtensions: ['.ts'] },
  };
}

/** Opens the pool; connects only when first asked. */
export function openDatabase(options: {
  url: string;
  poolSize: number;
  applicationName: string;
  namedStatements: boolean;
  changes: ChangeHook;
}): Database {
  const knex = createKnex(databaseKnexConfig(options));
  const { changes } = options;
  const places = Math.max(1, Math.floor(options.poolSize * SHARE_OF_WRITES));
  const writers = createTurnstile({ places, patienceMs: ACQUIRE_TIMEOUT_MS });
  const { namedStatements: isNamed } = options;
  const run = runner(knex, { isNamed, changes, writers });

  async function transaction<T>(work: (q: Queryable) => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await once(work);
      } catch (error) {
        if (attempt < 3 && isRetryable(error)) {
          await new Promise((resolve) => setTimeout(resolve, attempt * 10 + Math.random() * 20));
          continue;
        }
        throw translate(error);
      }
    }
  }

  async function once<T>(work: (q: Queryable) => Promise<T>): Promise<T> {
    const made = new Change();
    const result = await writers.pass(() =>
      knex.transaction(async (trx) => {
        const connection = await (trx.client as KnexClient).acquireConnection();
        connection.change = made;
        try {
          return await work({ run: runner(trx, { isNamed, changes }), builder: trx });
        } finally {
          connection.change = null;
        }
      }),
    );
    await made.settle(changes);
    return result;
  }

  function pool() {
    const tarn = knex.client.pool as { numUsed(): number; numFree(): number; numPendingAcquires(): number };
    return { used: tarn.numUsed(), free: tarn.numFree(), waiting: tarn.numPendingAcquires() + writers.waiting() };
  }

  return { run, builder: knex, transaction, settled: changes.settleAll, pool, close: () => knex.destroy() };
}

/** SQLSTATE of the messages by which triggers tell what a transaction makes untrue: its xid, or a key that nobody waits for. */
const CHANGED = 'CW001';
const TOLD = 'CW002';

/** What one transaction made untrue, told to the hook once it is committed. */
class Change {
  #xid: string | null = null;
  readonly #keys = new Set<string>();

  take({ code, message = '' }: { code?: string; message?: string }) {
    if (code === CHANGED) this.#xid = message;
    if (code === TOLD) this.#keys.add(message);
  }

  async settle(changes: ChangeHook): Promise<void> {
    for (const key of this.#keys) changes.note?.(key);
    if (this.#xid !== null) await changes.settle(this.#xid);
  }
}

/**
 * Marks a connection that broke or timed out, whoever used it: it still waits for its answer, so the pool must drop it
 * instead of handing it on (reliability R-36). And notes what transaction changed something that others have in memory.
 */
function watchConnection(connection: Connection, changes: ChangeHook | undefined) {
  const query = connection.query.bind(connection) as (...given: unknown[]) => unknown;
  const note = (error: unknown) => {
    if (isConnectionLoss(error)) connection.__knex__disposed = error;
  };
  let alone: Change | null = null;
  connection.on('notice', (notice) => {
    if (notice.code !== CHANGED && notice.code !== TOLD) return;
    if (notice.code === CHANGED) changes?.begin?.();
    if (!connection.change) alone ??= new Change();
    (connection.change ?? alone)?.take(notice);
  });
  connection.query = ((...given: unknown[]) => {
    const callback = given.at(-1);
    if (typeof callback !== 'function')
      return new Promise((resolve, reject) => {
        ask(given, (error, result) => (error ? reject(error) : resolve(result)));
      });
    return ask(given.slice(0, -1), callback as Callback);
  }) as Connection['query'];

  // pg could do both, promise and time limit, but writes a function into the query for each (client.js). V8 puts such functions
  // straight among the old, and with them what they reach, every row among it, waits for a full collection (DECISIONS 92).
  function ask(given: readonly unknown[], callback: Callback): unknown {
    let isOver = false;
    const end: Callback = (error, result) => {
      if (isOver) return;
      isOver = true;
      clearTimeout(timer);
      note(error);
      // A statement of the builder on its own is its own transaction.
      const made = alone;
      alone = null;
      if (error || !made || !changes) return callback(error, result);
      made.settle(changes).then(() => callback(null, result), callback as (error: unknown) => void);
    };
    const timer = setTimeout(endLate, QUERY_TIMEOUT_MS, end);
    return query(...given, end);
  }
}

type Callback = (error: unknown, result?: unknown) => void;

/** An error for each statement that might come late would cost more than to send it. */
const endLate = (end: Callback): void => end(new Error('Query read timeout'));

type Connection = {
  query(
    query: { name?: string; text: string; values: unknown[] },
    callback: (error: unknown, result: { rows: Row[] }) => void,
  ): void;
  on(event: 'notice', listener: (notice: { code?: string; message?: string }) => void): void;
  __knex__disposed?: unknown;
  /** What the transaction under way changes, where `run` or `transaction` settles it after giving the connection back. */
  change?: Change | null;
};

type KnexClient = {
  acquireConnection(): Promise<Connection>;
  releaseConnection(connection: Connection): Promise<void>;
};

/** @param options writers: where writes wait for their turn; none in a transaction, which has waited for its own */
function runner(knex: Knex, options: { isNamed: boolean; changes: ChangeHook; writers?: Turnstile }): Queryable['run'] {
  const { isNamed, changes, writers } = options;
  const client = knex.client as KnexClient;
  const isTransaction = 'isTransaction' in knex && knex.isTransaction === true;

  async function once(statement: Statement, values: readonly unknown[]): Promise<Row[]> {
    const made = new Change();
    const isWaiting = writers !== undefined && statement.kind === 'write';
    const rows = await (isWaiting ? writers.pass(() => send(statement, values, made)) : send(statement, values, made));
    await made.settle(changes);
    return rows;
  }

  async function send(statement: Statement, values: readonly unknown[], made: Change): Promise<Row[]> {
    const connection = await client.acquireConnection();
    if (!isTransaction) connection.change = made;
    try {
      const query = { text: statement.text, values: [...values], ...(isNamed && { name: statement.name }) };
      return await new Promise<Row[]>((resolve, reject) => {
        connection.query(query, (error, result) => (error ? reject(error) : resolve(result.rows)));
      });
    } finally {
      if (!isTransaction) connection.change = null;
      await client.releaseConnection(connection);
    }
  }

  return async <R extends Row>(statement: Statement, values: readonly unknown[]) => {
    try {
      return (await once(statement, values)) as R[];
    } catch (error) {
      const mayRepeat = statement.kind === 'read' && !isTransaction;
      if (!mayRepeat || !isConnectionLoss(error) || isTimeout(error)) throw translate(error);
    }
    // A broken connection is found out by using it; one more try, on another one, hides a restart of PostgreSQL. The pause
    // lets the pool notice the others that broke with it.
    await new Promise((resolve) => setTimeout(resolve, RETRY_PAUSE_MS));
    return (await once(statement, values).catch((error) => Promise.reject(translate(error)))) as R[];
  };
}

const CONNECTION_STATES = new Set(['57P01', '57P02', '57P03', '08000', '08003', '08006', '08001', '08004']);
// 53300 too many clients, 53100 disk full, 25006 read-only (a standby before its promotion), 55P03 and 57014 timeouts,
// 40001 and 40P01 once their tries are used up.
const UNAVAILABLE_STATES = new Set(['53300', '53100', '53200', '25006', '55P03', '57014', '40001', '40P01']);
const CONNECTION_CODES = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'ENOENT',
  'EHOSTUNREACH',
  'ENOTFOUND',
]);

/** The SQLSTATE of an error that PostgreSQL sent, or null. */
export function sqlState(error: unknown): string | null {
  const code = error instanceof Error && 'code' in error ? error.code : null;
  return typeof code === 'string' && /^[0-9A-Z]{5}$/.test(code) ? code : null;
}

/** Whether an error is the violation of a unique index (23505), optionally of that one. */
export function isUniqueViolation(error: unknown, index?: string): boolean {
  return (
    sqlState(error) === '23505' && (index === undefined || (error as { constraint?: string }).constraint === index)
  );
}

function isTimeout(error: unknown): boolean {
  return error instanceof Error && /timeout/i.test(`${error.name} ${error.message}`);
}

function isConnectionLoss(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const code = (error as { code?: unknown }).code;
  if (typeof code === 'string' && (CONNECTION_STATES.has(code) || CONNECTION_CODES.has(code))) return true;
  return /Query read timeout|Connection terminated|not queryable|Client has encountered a connection error/i.test(
    error.message,
  );
}

/** Whether an error is a deadlock or a serialisation failure: the same again may succeed. */
export function isRetryable(error: unknown): boolean {
  const state = stateWithin(error);
  return state === '40001' || state === '40P01';
}

/** Whether a statement met rows of others: a deadlock, or a lock that was not given up in time (55P03). Nothing of it was done. */
export const isInTheWay = (error: unknown): boolean => isRetryable(error) || stateWithin(error) === '55P03';

/** Whether what a row refers to is gone (23503). */
export const isForeignKeyViolation = (error: unknown): boolean => sqlState(error) === '23503';

/** A statement's own error arrives translated, with PostgreSQL's inside. */
const stateWithin = (error: unknown) => sqlState(error instanceof DatabaseUnavailable ? error.cause : error);

/** Whether an error means that PostgreSQL cannot serve us now (away, full, overloaded), not that we asked wrongly. */
export function isUnavailable(error: unknown): boolean {
  const state = sqlState(error);
  if (isConnectionLoss(error) || (state !== null && UNAVAILABLE_STATES.has(state))) return true;
  return error instanceof Overdue || (error instanceof Error && error.name === 'KnexTimeoutError');
}

function translate(error: unknown): unknown {
  return isUnavailable(error) ? new DatabaseUnavailable('PostgreSQL is not available', { cause: error }) : error;
}
