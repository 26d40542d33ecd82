// A proxy between Causeway and PostgreSQL that reads along (PostgreSQL documentation, "Frontend/Backend Protocol") and counts
// what a node sends: round trips, statements, statements that write.

import { createConnection, createServer, type Socket } from 'node:net';

export type Traffic = { roundTrips: number; statements: number; writes: number };

const TYPE_AND_LENGTH = 5;
const WRITES = /^\s*(?:with\b[\s\S]*\b)?(?:insert|update|delete|merge)\b/i;
const CONTROLS = /^\s*(?:begin|commit|rollback|set|savepoint|release|listen|select pg_notify)\b/i;

/** Starts it in front of a database. @returns its own connection string and the counts so far */
export async function startCountingProxy(databaseUrl: string) {
  const target = new URL(databaseUrl);
  const traffic: Traffic = { roundTrips: 0, statements: 0, writes: 0 };
  const sockets = new Set<Socket>();
  const server = createServer((near) => {
    const far = createConnection({ host: target.hostname, port: Number(target.port), noDelay: true });
    const read = createReader(traffic);
    near.setNoDelay(true);
    for (const socket of [near, far]) {
      sockets.add(socket);
      socket.on('error', () => [near, far].map((one) => one.destroy()));
      socket.on('close', () => {
        sockets.delete(socket);
        for (const one of [near, far]) one.destroy();
      });
    }
    near.on('data', (chunk) => {
      read(chunk);
      far.write(chunk);
    });
    far.on('data', (chunk) => void near.write(chunk));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const url = new URL(databaseUrl);
  url.port = String(typeof address === 'object' ? address?.port : '');
  async function close() {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  }
  return { url: url.href, traffic, close };
}

/** Follows the messages of one connection, whatever the pieces in which they come. */
export function createReader(traffic: Traffic): (chunk: Buffer) => void {
  const prepared = new Map<string, string>();
  let rest = Buffer.alloc(0);
  let hasStarted = false;

  function count(text: string) {
    if (CONTROLS.test(text)) return;
    traffic.statements++;
    if (WRITES.test(text)) traffic.writes++;
  }

  function take(type: string, body: Buffer) {
    const texts = body.toString('utf8').split('\0', 2);
    // Parse: a name and a text. Bind: a portal and the name of what it runs. Query: a text. Sync ends a round trip.
    if (type === 'P') prepared.set(texts[0] ?? '', texts[1] ?? '');
    if (type === 'B') count(prepared.get(texts[1] ?? '') ?? '');
    if (type === 'Q') count(texts[0] ?? '');
    if (type === 'Q' || type === 'S') traffic.roundTrips++;
  }

  return (chunk) => {
    rest = Buffer.concat([rest, chunk]);
    for (;;) {
      // The first message has no type.
      const lead = hasStarted ? 1 : 0;
      if (rest.length < lead + 4) return;
      const end = lead + rest.readUInt32BE(lead);
      if (rest.length < end) return;
      if (hasStarted) take(String.fromCharCode(rest[0] ?? 0), rest.subarray(TYPE_AND_LENGTH, end));
      hasStarted = true;
      rest = rest.subarray(end);
    }
  };
}
