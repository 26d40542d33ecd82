// LISTEN/NOTIFY: what one node committed, told to the others. One connection of its own beside the pool, because a
// connection that listens cannot be handed back. A silent network break is found by a heartbeat (reliability M7); whoever
// listens is told of every gap, and must then look for itself instead of trusting that nothing happened.

import pg from 'pg';
import type { Log } from '../lib/log.ts';
import type { Row } from './database.ts';
import type { Statement } from './statement.ts';

export type Notifications = ReturnType<typeof openNotifications>;

type Listener = { onMessage(payload: string): void; onGap(): void };

const HEARTBEAT_MS = 3000;
const HEARTBEAT_TIMEOUT_MS = 3000;
const RECONNECT_MS = { first: 100, most: 2000 };

/** Listens on PostgreSQL channels and reconnects for ever. */
export function openNotifications(options: { url: string; log: Log }) {
  const listeners = new Map<string, Set<Listener>>();
  let client: pg.Client | null = null;
  let isClosed = false;
  let timer: NodeJS.Timeout | undefined;
  let delay = RECONNECT_MS.first;

  async function connect(): Promise<void> {
    const next = new pg.Client({
      connectionString: options.url,
      application_name: 'causeway-notifications',
      keepAlive: true,
      connectionTimeoutMillis: HEARTBEAT_TIMEOUT_MS,
      query_timeout: HEARTBEAT_TIMEOUT_MS,
    });
    next.on('error', (error) => lose(next, error));
    next.on('end', () => lose(next, null));
    next.on('notification', ({ channel, payload }) => {
      for (const listener of listeners.get(channel) ?? []) listener.onMessage(payload ?? '');
    });
    try {
      await next.connect();
      for (const channel of listeners.keys()) await inTurn(next, { text: `listen ${pg.escapeIdentifier(channel)}` });
    } catch (error) {
      next.end().catch(() => undefined);
      return retry(error);
    }
    if (isClosed) return void next.end().catch(() => undefined);
    client = next;
    delay = RECONNECT_MS.first;
    // Whatever was sent while nobody listened is lost.
    for (const group of listeners.values()) for (const listener of group) listener.onGap();
    timer = setTimeout(() => beat(next), HEARTBEAT_MS);
  }

  function beat(current: pg.Client) {
    if (current !== client) return;
    inTurn(current, { text: 'select 1' })
      .then(() => {
        if (current === client) timer = setTimeout(() => beat(current), HEARTBEAT_MS);
      })
      .catch((error) => lose(current, error));
  }

  function lose(lost: pg.Client, error: Error | null) {
    if (lost !== client || isClosed) return;
    client = null;
    clearTimeout(timer);
    lost.end().catch(() => undefined);
    retry(error);
  }

  function retry(error: unknown) {
    if (isClosed) return;
    options.log.warn({ err: error }, 'notifications: connection lost, connecting again');
    timer = setTimeout(() => void connect(), delay);
    delay = Math.min(delay * 2, RECONNECT_MS.most);
  }

  /** Calls back for each message on a channel, and after each gap in which messages may have been missed. */
  function listen(channel: string, listener: Listener): void {
    const group = listeners.get(channel) ?? new Set();
    group.add(listener);
    listeners.set(channel, group);
    if (client)
      inTurn(client, { text: `listen ${pg.escapeIdentifier(channel)}` }).catch((error) =>
        options.log.warn({ err: error }, 'listen failed'),
      );
  }

  /** Runs a statement on the listening connection itself. @throws when there is none, or no answer within 3 s */
  async function run(statement: Statement, values: readonly unknown[]): Promise<Row[]> {
    const current = client;
    if (!current) throw new Error('not connected');
    try {
      const { rows } = await inTurn(current, { name: statement.name, text: statement.text, values: [...values] });
      return rows;
    } catch (error) {
      // Whatever waits behind it would run into the same limit, one after the other, the heartbeat last.
      if (isLate(error)) lose(current, error);
      throw error;
    }
  }

  /** Connects; resolves once it listens, or after the first failure, which is retried in the background. */
  const start = connect;

  /** Whether messages arrive at the moment. */
  const isConnected = () => client !== null;

  async function close() {
    isClosed = true;
    clearTimeout(timer);
    await client?.end().catch(() => undefined);
    client = null;
  }

  return { listen, run, start, isConnected, close };
}

/** pg's `query_timeout`; the connection still waits for the answer. */
const isLate = (error: unknown): error is Error => error instanceof Error && error.message === 'Query read timeout';

const turns = new WeakMap<pg.Client, Promise<unknown>>();

/** A connection does one thing at a time. */
function inTurn(client: pg.Client, query: pg.QueryConfig): Promise<pg.QueryResult<Row>> {
  const result = (turns.get(client) ?? Promise.resolve()).then(() => client.query<Row>(query));
  turns.set(
    client,
    result.catch(() => undefined),
  );
  return result;
}
