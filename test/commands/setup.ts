// A database of one's own with the services that commands use, and the command line itself as a process.

import { spawn } from 'node:child_process';
import { join } from 'node:path';
import PQueue from 'p-queue';
import { createAccounts } from '../../server/accounts/accounts.ts';
import { createAudit } from '../../server/audit/audit.ts';
import { createClients } from '../../server/clients/clients.ts';
import { applyRealmFile, readStored } from '../../server/commands/apply.ts';
import { presentRealmFile } from '../../server/commands/export.ts';
import { Secret } from '../../server/config.ts';
import { openChanger } from '../../server/db/changer.ts';
import { asHost } from '../../server/lib/ids.ts';
import { createLog } from '../../server/lib/log.ts';
import { endSession, recordEnd } from '../../server/oidc/oidc.ts';
import { createPasswords } from '../../server/passwords/passwords.ts';
import { createRealms } from '../../server/realms/realms.ts';
import { createSessions } from '../../server/sessions/sessions.ts';
import { createDatabase } from '../support/database.ts';

export type Setup = Awaited<ReturnType<typeof setUp>>;
type Options = {
  environment?: Record<string, string>;
  allowLoopback?: boolean;
  isTrial?: boolean;
  canMail?: boolean;
  canText?: boolean;
  isDryRun?: boolean;
  isPrune?: boolean;
  fileName?: string;
};

export const SECRET = 'a secret of a test that has more than 32 signs';

/** Opens a fresh migrated database. */
export async function setUp() {
  const { url, drop } = await createDatabase();
  const { db, close: closeDatabase } = openChanger({
    url,
    poolSize: 4,
    applicationName: 'test',
    namedStatements: true,
    log: createLog({ level: 'silent' }),
  });
  const audit = createAudit();
  const realms = createRealms({ db, notifications: null, secrets: () => [SECRET] });
  const clients = createClients({ db, notifications: null, secrets: () => [SECRET] });
  const sessions = createSessions({ db, audit, endSession, onRevoked: recordEnd });
  const accounts = createAccounts({ db, audit, realms, sessions, passwords: createPasswords({ concurrency: 1 }) });

  const apply = (text: string, options: Options = {}) =>
    applyRealmFile({
      text,
      fileName: options.fileName ?? 'realm.yaml',
      environment: options.environment ?? {},
      config: {
        allowLoopback: options.allowLoopback ?? false,
        isTrial: options.isTrial ?? false,
        smtpUrl: options.canMail ? new Secret('smtp://127.0.0.1:25') : null,
        smsWebhook: options.canText ? 'https://texts.example/' : null,
      },
      db,
      realms,
      clients,
      sessions,
      audit,
      isDryRun: options.isDryRun ?? false,
      isPrune: options.isPrune ?? false,
    });

  /** Applies a file that must be right, and returns what it changed. */
  async function change(text: string, options: Options = {}): Promise<string[]> {
    const applied = await apply(text, options);
    if (!applied.ok) throw new Error(applied.faults.join('\n'));
    return applied.changes;
  }

  /** Applies a file that must be wrong, and returns its faults without the file's name. */
  async function refuse(text: string, options: Options = {}): Promise<string[]> {
    const applied = await apply(text, options);
    if (applied.ok) throw new Error(`was applied: ${applied.changes.join('\n')}`);
    return applied.faults.map((fault) => fault.replace(/^[\w.]+:/, ''));
  }

  const readState = () => db.transaction((q) => readStored(q, { realms, clients }));
  const exported = async () => presentRealmFile(await readState());

  /** An account with a session that was begun on a host. */
  async function signIn(slug: string, host: string, email = 'reader@example.com') {
    const realm = await realms.findBySlug(slug);
    if (!realm) throw new Error(`no realm ${slug}`);
    const found = await accounts.findByEmail(db, realm.id, email);
    const made = found
      ? null
      : await accounts.register(realm, { email, password: 'a good long password' }, { address: null });
    const accountId = found?.id ?? (made?.ok ? made.account.id : null);
    if (accountId === null) throw new Error('no account');
    const facts = { host: asHost(host), amr: ['pwd'], userAgent: null, address: null };
    const { sessionId, credential } = await db.transaction((q) => sessions.create(q, realm, accountId, facts));
    const isSignedIn = async (on = host) =>
      (await accounts.findSignedIn({ kind: 'cookie', ...credential }, asHost(on))) !== null;
    return { sessionId, accountId, isSignedIn };
  }

  async function close() {
    await closeDatabase();
    await drop();
  }

  return { url, db, realms, clients, sessions, accounts, apply, change, refuse, readState, exported, signIn, close };
}

type Ran = { code: number | null; stdout: string; stderr: string };
type RunOptions = { stdin?: string; env?: Record<string, string> };

// More processes than that at once only wait for each other.
const processes = new PQueue({ concurrency: 2 });

/** Runs `causeway …` as its own process on a database. */
export function runCauseway(url: string, args: string[], options: RunOptions = {}): Promise<Ran> {
  return processes.add(() => startCauseway(url, args, options));
}

function startCauseway(url: string, args: string[], options: RunOptions) {
  const command = join(import.meta.dirname, '../../server/commands/causeway.ts');
  const child = spawn(process.execPath, [command, ...args], {
    env: {
      PATH: process.env['PATH'],
      NODE_COMPILE_CACHE: process.env['NODE_COMPILE_CACHE'],
      DATABASE_URL: url,
      CAUSEWAY_SECRET: 'only for tests: 0123456789 abcdefghijklmnop',
      ...options.env,
    },
  });
  const out: string[] = [];
  const err: string[] = [];
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => out.push(chunk));
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => err.push(chunk));
  child.stdin.on('error', () => undefined);
  child.stdin.end(options.stdin ?? '');
  return new Promise<Ran>((resolve) => {
    child.on('close', (code) => resolve({ code, stdout: out.join(''), stderr: err.join('') }));
  });
}
