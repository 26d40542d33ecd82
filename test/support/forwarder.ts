// A TCP forwarder between server and PostgreSQL, so that a test can take the database away, bring it back on the same port,
// and lose single replies. It reads just enough of the frontend protocol to see a COMMIT go by.

import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

export type Forwarder = Awaited<ReturnType<typeof startForwarder>>;

/** Forwards to a PostgreSQL; `url` is the same connection string with the forwarder's port. */
export async function startForwarder(databaseUrl: string) {
  let target = new URL(databaseUrl);
  const pairs = new Set<readonly [Socket, Socket]>();
  let isOpen = true;
  let losing: RegExp | null = null;
  let lost = 0;
  let silenced: { in: boolean; out: boolean } = { in: false, out: false };

  const server = createServer((client) => {
    client.on('error', () => undefined);
    if (!isOpen) return void client.resetAndDestroy();
    const database = connect(Number(target.port), target.hostname);
    const pair = [client, database] as const;
    pairs.add(pair);
    let isLosing = false;
    let isListening = false;
    const drop = () => {
      pairs.delete(pair);
      client.destroy();
      database.destroy();
    };
    client.on('data', (chunk) => {
      if (losing?.test(chunk.toString('latin1'))) {
        losing = null;
        isLosing = true;
      }
      if (/\blisten "/i.test(chunk.toString('latin1'))) isListening = true;
      if (!(silenced.out && isListening)) database.write(chunk);
    });
    database.on('data', (chunk) => {
      if (silenced.in && isListening) return;
      if (!isLosing) return void client.write(chunk);
      // PostgreSQL has committed: its reply is here, and goes no further.
      lost++;
      drop();
    });
    for (const side of pair) {
      side.on('close', drop);
      side.on('error', drop);
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = new URL(databaseUrl);
  url.hostname = '127.0.0.1';
  url.port = String((server.address() as AddressInfo).port);

  /** Cuts every connection and refuses new ones. */
  function cut() {
    isOpen = false;
    for (const [client, database] of pairs) {
      client.resetAndDestroy();
      database.destroy();
    }
  }

  /** Lets connections through again, to another PostgreSQL if one is given. */
  function restore(nextUrl?: string) {
    if (nextUrl) target = new URL(nextUrl);
    isOpen = true;
  }

  /** Swallows the reply to the next COMMIT, or to the statement of that name, which commits by itself, and cuts its connection. */
  function loseNextCommit(statement?: string) {
    // Sent by knex as a simple query: the text stands in the message as it is. A name ends with a zero byte.
    losing = statement === undefined ? /COMMIT;?\0/i : new RegExp(`${statement.replace('.', '\\.')}\\0`);
  }

  /** Lets nothing through any more, and tells nobody, on connections that listen for notifications; false lets new ones through. */
  const deafen = (isDeaf: boolean) => {
    silenced = { in: isDeaf, out: isDeaf };
  };

  /** The same for what the server says alone: it goes on hearing notifications, and PostgreSQL hears nothing of it. */
  const silence = () => {
    silenced = { in: false, out: true };
  };

  async function close() {
    cut();
    await new Promise<void>((resolve) => server.close(() => resolve()));
  }

  return { url: url.href, cut, restore, loseNextCommit, deafen, silence, lostCommits: () => lost, close };
}
