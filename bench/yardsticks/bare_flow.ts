// Yardstick: the least that a durable code flow in PostgreSQL costs. `/authorize` finds the session of the cookie and stores a
// code as a hash; `/token` uses the code up and stores a domain session. All requests of one event-loop turn share one
// statement and one commit. Opaque tokens, no other check.

import { createHash, randomBytes } from 'node:crypto';
import { createServer, type ServerResponse } from 'node:http';
import { connectAll, createBatch } from './batches.ts';

const sha256 = (text: string) => createHash('sha256').update(text).digest();
const newToken = () => randomBytes(32).toString('base64url');
const connections = await connectAll(2);

type Issue = { session: Buffer; code: Buffer };
const issue = createBatch<Issue, boolean>(connections.slice(0, 1), async (connection, items) => {
  const { rows } = await connection.query({
    name: 'issue',
    text: `insert into bare_codes (code_hash, session_hash)
           select asked.code, s.token_hash from unnest($1::bytea[], $2::bytea[]) as asked(code, session)
             join bare_sessions s on s.token_hash = asked.session returning code_hash`,
    values: [items.map(({ code }) => code), items.map(({ session }) => session)],
  });
  const made = new Set(rows.map((row) => row.code_hash.toString('latin1')));
  return items.map(({ code }) => made.has(code.toString('latin1')));
});

type Redeem = { code: Buffer; token: Buffer };
const redeem = createBatch<Redeem, boolean>(connections.slice(1), async (connection, items) => {
  const { rows } = await connection.query({
    name: 'redeem',
    text: `with used as (delete from bare_codes where code_hash = any($1) returning code_hash, session_hash)
           insert into bare_domain_sessions (token_hash, session_hash)
           select asked.token, used.session_hash from used
             join unnest($1::bytea[], $2::bytea[]) as asked(code, token) on asked.code = used.code_hash returning token_hash`,
    values: [items.map(({ code }) => code), items.map(({ token }) => token)],
  });
  const made = new Set(rows.map((row) => row.token_hash.toString('latin1')));
  return items.map(({ token }) => made.has(token.toString('latin1')));
});

const server = createServer(async (request, response) => {
  const url = request.url ?? '';
  if (url.startsWith('/authorize')) {
    const cookie = /qt-auth=([^;]*)/.exec(request.headers.cookie ?? '')?.[1] ?? '';
    const code = newToken();
    if (!(await issue({ session: sha256(cookie), code: sha256(code) }))) return refuse(response);
    response.writeHead(302, { Location: `/token?code=${code}`, 'Content-Length': 0 });
    return response.end();
  }
  const token = newToken();
  const code = url.slice('/token?code='.length);
  if (!(await redeem({ code: sha256(code), token: sha256(token) }))) return refuse(response);
  response.writeHead(303, {
    Location: '/',
    'Set-Cookie': `qt-auth=${token}; HttpOnly; Secure; Path=/`,
    'Content-Length': 0,
  });
  return response.end();
});

function refuse(response: ServerResponse) {
  response.writeHead(400, { 'Content-Length': 0 });
  response.end();
}

server.listen(0, '127.0.0.1', () => {
  const address = server.address();
  process.stdout.write(`listening ${typeof address === 'object' ? address?.port : ''}\n`);
});
