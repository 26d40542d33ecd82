// The machines of a cluster as processes on loopback addresses: three with etcd, Patroni and PostgreSQL, HAProxy on both sides of
// the nodes, and nodes of Causeway. The configuration files of this folder are used as they stand but for addresses, folders,
// passwords, and what only root may do.

import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chownSync, existsSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ROOT, startArguments } from '../../test/support/process.ts';

export const MACHINES = ['db1', 'db2', 'db3'] as const;
export type Machine = (typeof MACHINES)[number];
export const NODES = ['node1', 'node2', 'node3'] as const;
export type Node = (typeof NODES)[number];
export type Member = { name: Machine; role: string; state: string; timeline?: number };

const ADDRESSES: Record<Machine | Node, string> = {
  db1: '127.87.0.11',
  db2: '127.87.0.12',
  db3: '127.87.0.13',
  node1: '127.87.0.21',
  node2: '127.87.0.22',
  node3: '127.87.0.23',
};
const BIN = '/usr/lib/postgresql/15/bin';
const PROGRAMS = [
  ['etcd', 'etcd-server'],
  ['patroni', 'patroni'],
  ['haproxy', 'haproxy'],
  [`${BIN}/postgres`, 'postgresql-15'],
] as const;
const SECRET = randomBytes(32).toString('base64url');
const FRONT = { readers: 18_080, primary: 15_000, replica: 15_001 } as const;
/** In the samples: the address of the machine that a file is for. */
const OWN_ADDRESS = '10.0.0.11';
const SIDES = ['database', 'readers'] as const;
type Side = (typeof SIDES)[number];
const PASSWORDS = {
  'a long random password of the superuser': randomBytes(18).toString('base64url'),
  'a long random password of the standbys': randomBytes(18).toString('base64url'),
  'a long random password of pg_rewind': randomBytes(18).toString('base64url'),
} as const;
const ENVIRONMENT = {
  PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
  TZ: 'UTC',
  LANG: 'C.UTF-8',
};

/** Where readers are served, as a port of 127.0.0.1. */
export const READERS_PORT = FRONT.readers;
const superuser = (address: string, port: number) =>
  `postgres://postgres:${PASSWORDS['a long random password of the superuser']}@${address}:${port}/postgres`;
/** The primary, through HAProxy. */
export const SUPERUSER_URL = superuser('127.0.0.1', FRONT.primary);
/** A standby, through HAProxy. */
export const REPLICA_URL = superuser('127.0.0.1', FRONT.replica);
/** PostgreSQL of one machine, whatever it takes itself for. */
export const directUrl = (machine: Machine) => superuser(ADDRESSES[machine], 5432);

/** The first line of each program's version, and what has to be installed first. */
export function findPrograms(): { versions: string[]; missing: string[] } {
  const found = PROGRAMS.map(([program, name]) => ({
    name,
    ...spawnSync(program, [program === 'haproxy' ? '-v' : '--version'], { encoding: 'utf8', env: ENVIRONMENT }),
  }));
  return {
    versions: found.filter(({ error }) => !error).map(({ stdout }) => stdout.trim().split('\n')[0] ?? ''),
    missing: found.filter(({ error }) => error).map(({ name }) => name),
  };
}

/** Waits until something is so; says what it waited for when it never is. */
export async function until(what: string, isSo: () => Promise<boolean> | boolean, seconds = 90): Promise<void> {
  const end = performance.now() + seconds * 1000;
  while (!(await isSo())) {
    if (performance.now() > end) throw new Error(`waited ${seconds} s for: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** A folder and its processes; nothing is started yet. */
export function createCluster() {
  const user = findUser();
  const folder = mkdtempSync(join(tmpdir(), 'causeway-ha-'));
  if (user) chownSync(folder, user.uid, user.gid);
  const processes = new Map<string, ChildProcess>();
  let isClosing = false;

  function run(
    name: string,
    program: string,
    values: readonly string[],
    more: { env?: Record<string, string>; cwd?: string } = {},
  ) {
    if (isClosing) throw new Error('the cluster is being stopped');
    const log = openSync(join(folder, `${name}.log`), 'a');
    const child = spawn(program, values, {
      // Causeway reads the checkout, which may be readable by its owner alone; all others run without privileges.
      ...(name.startsWith('node') ? {} : user),
      cwd: more.cwd ?? folder,
      // Ctrl-C must reach this script alone, which then stops them in order.
      detached: true,
      stdio: ['ignore', log, log],
      env: { ...ENVIRONMENT, ...more.env },
    });
    processes.set(name, child);
  }

  /** A file of this folder with the names of the sample replaced by what there is here. */
  function place(sample: string, machine: Machine, replacements: Record<string, string>): string {
    let text = readFileSync(join(import.meta.dirname, sample), 'utf8').replaceAll(/^name: db1$/gm, `name: ${machine}`);
    // What a machine says of itself stands on lines of its own; lists name all three.
    text = text
      .split('\n')
      .map((line) => ((line.match(/\.internal/g) ?? []).length === 1 ? line.replace('db1.', `${machine}.`) : line))
      .join('\n');
    return fill(text, `${machine}-${sample}`, { ...replacements, [OWN_ADDRESS]: ADDRESSES[machine] });
  }

  function fill(text: string, name: string, replacements: Record<string, string>): string {
    const all = { ...replacements, ...PASSWORDS };
    for (const [from, to] of Object.entries(all)) text = text.replaceAll(from, to);
    const named = (line: string) =>
      Object.entries(ADDRESSES).reduce((now, [host, address]) => now.replaceAll(`${host}.internal`, address), line);
    // etcd takes no names for what it listens on, here as on real machines.
    text = text
      .split('\n')
      .map((line) => (line.startsWith('listen-') ? line : named(line)))
      .join('\n');
    const path = join(folder, name);
    writeFileSync(path, text, { mode: 0o600 });
    if (user) chownSync(path, user.uid, user.gid);
    return path;
  }

  function startEtcd(machine: Machine) {
    const data = join(folder, `etcd-${machine}`);
    run(`etcd-${machine}`, 'etcd', ['--config-file', place('etcd.yml', machine, { '/var/lib/etcd/causeway': data })]);
  }

  function startPatroni(machine: Machine) {
    const sockets = join(folder, machine);
    mkdirSync(sockets, { recursive: true });
    if (user) chownSync(sockets, user.uid, user.gid);
    const file = place('patroni.yml', machine, {
      '/var/lib/postgresql/15/causeway': join(sockets, 'data'),
      '/var/lib/postgresql/.pgpass-patroni': join(sockets, 'pgpass'),
      '/var/run/postgresql': sockets,
    });
    run(`patroni-${machine}`, 'patroni', [file]);
  }

  /** Without its own user and log and all the connections, which need root and a syslog. */
  function startHaproxy() {
    for (const side of SIDES) {
      const name = `haproxy-${side}.cfg`;
      const sample = readFileSync(join(import.meta.dirname, name), 'utf8')
        .replaceAll(/^ +(user|group|log) .*\n/gm, '')
        .replace(/maxconn \d+/, 'maxconn 2000')
        .replace('bind :8080', `bind 127.0.0.1:${FRONT.readers}`)
        .replace('bind 127.0.0.1:5000', `bind 127.0.0.1:${FRONT.primary}`)
        .replace('bind 127.0.0.1:5001', `bind 127.0.0.1:${FRONT.replica}`);
      const file = fill(sample, name, { '/run/haproxy/admin.sock': adminSocket(side) });
      run(`haproxy-${side}`, 'haproxy', ['-db', '-f', file]);
    }
  }

  const adminSocket = (side: Side) => join(folder, `haproxy-${side}.sock`);

  /** What an operator types into the socket of the HAProxy in front of the nodes, and its answer. */
  function askHaproxy(command: string): Promise<string> {
    return new Promise((resolve, reject) => {
      let text = '';
      const socket = connect(adminSocket('readers'), () => socket.end(`${command}\n`));
      socket.on('data', (chunk) => {
        text += chunk;
      });
      socket.on('error', reject);
      socket.on('close', () => resolve(text.trim()));
    });
  }

  /** State of the nodes as HAProxy sees them: `UP`, `DOWN`, `DRAIN`, and the requests that they work on. */
  async function nodeState(node: Node): Promise<{ status: string; current: number; total: number }> {
    const lines = (await askHaproxy('show stat')).split('\n');
    const names = (lines[0] ?? '').replace('# ', '').split(',');
    const row = lines.find((line) => line.startsWith(`nodes,${node},`))?.split(',') ?? [];
    const value = (name: string) => row[names.indexOf(name)] ?? '';
    return { status: value('status'), current: Number(value('scur')), total: Number(value('stot')) };
  }

  const nodeEnvironment = (databaseUrl: string) => ({
    DATABASE_URL: databaseUrl,
    CAUSEWAY_SECRET: SECRET,
    CAUSEWAY_PROXIES: '127.0.0.0/8',
    CAUSEWAY_DANGEROUSLY_ALLOW_LOOPBACK: '1',
  });

  /** As `npm start` starts it. @param databaseUrl the application's own role, through HAProxy */
  function startNode(node: Node, databaseUrl: string) {
    const env = {
      ...nodeEnvironment(databaseUrl),
      PORT: '8080',
      CAUSEWAY_HOST: ADDRESSES[node],
      CAUSEWAY_OPS_PORT: '9090',
      CAUSEWAY_LOG_LEVEL: 'error',
      CAUSEWAY_HASHING_CONCURRENCY: '1',
    };
    run(node, process.execPath, startArguments(), { env, cwd: ROOT });
  }

  function applyRealm(databaseUrl: string, yaml: string) {
    const command = join(ROOT, 'server/commands/causeway.ts');
    const file = join(folder, 'realm.yaml');
    writeFileSync(file, yaml);
    const done = spawnSync(process.execPath, [command, 'apply', file], {
      encoding: 'utf8',
      env: { ...ENVIRONMENT, ...nodeEnvironment(databaseUrl) },
    });
    if (done.status !== 0) throw new Error(`causeway apply: ${done.stdout}${done.stderr}`);
  }

  /** Everybody in the cluster, as any Patroni that answers tells it. */
  async function members(): Promise<Member[]> {
    for (const machine of MACHINES) {
      const answer = await fetch(`http://${ADDRESSES[machine]}:8008/cluster`, {
        signal: AbortSignal.timeout(1000),
      }).catch(() => null);
      const told = (await answer?.json().catch(() => null)) as { members: Member[] } | null;
      if (told) return told.members;
    }
    return [];
  }

  const primary = async () => (await members()).find(({ role }) => role === 'leader')?.name ?? null;

  /** Waits for one primary, two standbys that follow it, one of them synchronous. @param not who must not be primary */
  async function untilWhole(not: Machine | null = null) {
    await until('a primary, a synchronous standby and one more', async () => {
      const all = await members();
      const leader = all.find(({ role }) => role === 'leader');
      const following = all.filter((one) => one !== leader && one.timeline === leader?.timeline);
      return (
        leader !== undefined &&
        leader.name !== not &&
        following.filter(({ state }) => state === 'streaming' || state === 'running').length === 2 &&
        all.some(({ role }) => role === 'sync_standby')
      );
    });
  }

  const pidOf = (name: string) => processes.get(name)?.pid ?? 0;

  /** The postmaster of a machine and all its children. */
  function postgresPids(machine: Machine): number[] {
    const file = join(folder, machine, 'data', 'postmaster.pid');
    if (!existsSync(file)) return [];
    const postmaster = Number(readFileSync(file, 'utf8').split('\n')[0]);
    const children = spawnSync('ps', ['-o', 'pid=', '--ppid', String(postmaster)], { encoding: 'utf8' }).stdout;
    return [postmaster, ...children.split('\n').map(Number).filter(Boolean)].filter(isAlive);
  }

  function signal(pids: readonly number[], name: NodeJS.Signals) {
    for (const pid of pids) if (pid > 0 && isAlive(pid)) process.kill(pid, name);
  }

  /** Ends one process in order and waits for it. */
  async function stop(name: string, how: NodeJS.Signals = 'SIGTERM', seconds = 30) {
    const child = processes.get(name);
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    child.kill(how);
    await until(`the end of ${name}`, () => child.exitCode !== null || child.signalCode !== null, seconds);
  }

  /** Stops what runs, HAProxy last but etcd, and removes the folder. @param keeps leaves logs and data where they are */
  async function close({ keeps }: { keeps: boolean }) {
    isClosing = true;
    const order = ['node', 'patroni', 'haproxy', 'etcd'];
    for (const kind of order) {
      const names = [...processes.keys()].filter((name) => name.startsWith(kind));
      for (const name of names) processes.get(name)?.kill('SIGCONT');
      await Promise.all(names.map((name) => stop(name).catch(() => stop(name, 'SIGKILL'))));
    }
    for (const machine of MACHINES) signal(postgresPids(machine), 'SIGKILL');
    if (!keeps) rmSync(folder, { recursive: true, force: true });
  }

  const isReady = async (node: Node) =>
    (await fetch(`http://${ADDRESSES[node]}:9090/readyz`).catch(() => null))?.status === 200;

  return {
    folder,
    user: user?.name ?? process.env['USER'] ?? 'you',
    startEtcd,
    startPatroni,
    startHaproxy,
    startNode,
    applyRealm,
    askHaproxy,
    nodeState,
    isReady,
    members,
    primary,
    untilWhole,
    pidOf,
    postgresPids,
    signal,
    stop,
    close,
  };
}

export type Cluster = ReturnType<typeof createCluster>;

/** The connection string of the application's role, which is made here. */
export function applicationUrl(password: string): string {
  return `postgres://causeway:${password}@127.0.0.1:${FRONT.primary}/causeway`;
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

/** PostgreSQL refuses to run as root: its own user then, which Debian's package made. */
function findUser(): { uid: number; gid: number; name: string } | null {
  if (process.getuid?.() !== 0) return null;
  const [uid, gid] = ['-u', '-g'].map((kind) =>
    Number(spawnSync('id', [kind, 'postgres'], { encoding: 'utf8' }).stdout),
  );
  if (!uid || !gid) throw new Error('Start it as an ordinary user: there is no user "postgres" to change to.');
  return { uid, gid, name: 'postgres' };
}
