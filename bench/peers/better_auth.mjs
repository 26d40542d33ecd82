// Peer: better-auth over PostgreSQL, e-mail and password, with its cookie cache or without (COOKIE_CACHE=1), its rate limit off.
// The cache is believed for an hour: the default of five minutes might end between two rounds.

import { randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import { betterAuth } from 'better-auth';
import { getMigrations } from 'better-auth/db/migration';
import { toNodeHandler } from 'better-auth/node';
import pg from 'pg';

const options = {
  database: new pg.Pool({ connectionString: process.env.DATABASE_URL, max: 10 }),
  secret: randomBytes(32).toString('base64'),
  baseURL: 'http://bench.example',
  trustedOrigins: ['http://bench.example'],
  emailAndPassword: { enabled: true },
  rateLimit: { enabled: false },
  telemetry: { enabled: false },
  logger: { disabled: true },
  session: { cookieCache: { enabled: process.env.COOKIE_CACHE === '1', maxAge: 3600 } },
};
const { runMigrations } = await getMigrations(options);
await runMigrations();
const server = createServer(toNodeHandler(betterAuth(options)));
server.listen(0, '127.0.0.1', () => console.log(`listening ${server.address().port}`));
process.on('SIGTERM', () => process.exit(0));
