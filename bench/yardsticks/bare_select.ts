// Yardstick: the least that a session look-up in PostgreSQL costs. SHA-256 of the cookie, one prepared select by primary key,
// all requests of one event-loop turn in one statement.

import { createHash } from 'node:crypto';
import { createServer } from 'node:http';
import { connectAll, createBatch } from './batches.ts';

const find = createBatch<Buffer, string | undefined>(await connectAll(2), async (connection, hashes) => {
  const { rows } = await connection.query({
    name: 'find',
    text: 'select token_hash, body from bare_sessions where token_hash = any($1)',
    values: [hashes],
  });
  const found = new Map(rows.map((row) => [row.token_hash.toString('latin1'), row.body as string]));
  return hashes.map((hash) => found.get(hash.toString('latin1')));
});

const server = createServer(async (request, response) => {
  const token = /qt-auth=([^;]*)/.exec(request.headers.cookie ?? '')?.[1] ?? '';
  const body = await find(createHash('sha256').update(token).digest());
  response.writeHead(body === undefined ? 401 : 200, {
    'Content-Type': 'application/json',
    'Content-Length': Buffer.byteLength(body ?? ''),
  });
  response.end(body);
});
server.listen(0, '127.0.0.1', () => {
  const address = server.address();
  process.stdout.write(`listening ${typeof address === 'object' ? address?.port : ''}\n`);
});
