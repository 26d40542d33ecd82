// What goes wrong in a data centre, done to the cluster while readers are on it. Each tells what clients saw of it and returns
// the number of promises that it broke.

import pg from 'pg';
import {
  type Cluster,
  directUrl,
  MACHINES,
  type Machine,
  type Node,
  REPLICA_URL,
  SUPERUSER_URL,
  until,
} from './cluster.ts';
import type { Load } from './load.ts';

type Scene = { cluster: Cluster; load: Load; say(text: string): void; databaseUrl: string };

/** Longer than `max_standby_streaming_delay`, after which a standby ends what stands in the way of the primary's clean-up. */
const REPORT_SECONDS = 40;

const seconds = (ms: number) => `${(ms / 1000).toFixed(1)} s`;
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

async function primaryOf(cluster: Cluster): Promise<Machine> {
  const primary = await cluster.primary();
  if (!primary) throw new Error('there is no primary');
  return primary;
}

/** Waits for a write that was asked for after `since` and tells how long readers went without one since the mishap. */
async function tellRecovery({ load, say, cluster }: Scene, mishap: number, since = mishap) {
  await until('the first write', () => load.firstWriteAfter(since) !== null);
  const { length } = load.refusalsSince(mishap);
  const first =
    since === mishap ? `first write ${seconds((load.firstWriteAfter(since) ?? 0) - mishap)} after it; ` : '';
  say(
    `${first}longest pause between writes ${seconds(load.longestGapSince(mishap))}; answered 503 or broken meanwhile: ${length}; primary ${await cluster.primary()}`,
  );
}

/** Waits until the old primary follows the new one, too. */
async function tellWhole({ say, cluster }: Scene, moment: number, not: Machine | null) {
  await cluster.untilWhole(not);
  say(`whole again after ${seconds(performance.now() - moment)}`);
}

/** No mishap yet: a report reads what is written elsewhere, on a standby, and takes its time over it. */
export async function readReplica({ load, say, databaseUrl }: Scene): Promise<number> {
  const session = await load.signUp();
  if (!session) throw new Error('nobody signed up');
  const written = performance.now();
  const inOurs = (url: string) =>
    new pg.Client({ connectionString: url.replace(/postgres$/, new URL(databaseUrl).pathname.slice(1)) });
  const [replica, primary] = [inOurs(REPLICA_URL), inOurs(SUPERUSER_URL)];
  replica.on('error', () => undefined);
  await Promise.all([replica.connect(), primary.connect()]);
  try {
    const ask = async (text: string, values: unknown[] = []) => (await replica.query(text, values)).rows[0];
    const count =
      'select count(*)::integer as lines from audit_events e join accounts a on a.id = e.account_id where a.email = $1';
    await until('the line of the audit log on a standby', async () => (await ask(count, [session.email])).lines > 0);
    const lag = performance.now() - written;
    const { is_standby: isStandby } = await ask('select pg_is_in_recovery() as is_standby');
    const report = ask(
      `select count(*)::integer as lines, pg_sleep(${REPORT_SECONDS}) from (select id from audit_events offset 0) every_line`,
    ).catch((error: Error) => error);
    // What was signed out meanwhile would be cleaned away under it.
    await pause(2000);
    await primary.query('vacuum sessions');
    const found = await report;
    const isCancelled = found instanceof Error;
    const end = isCancelled ? `CANCELLED: ${found.message}` : `over ${found.lines} lines, not cancelled`;
    say(
      `replica, port 5001: ${isStandby ? 'a standby' : 'NO STANDBY'}; it has what was just written after ${Math.round(lag)} ms; a report of ${REPORT_SECONDS} s beside clean-up on the primary: ${end}`,
    );
    return Number(!isStandby) + Number(isCancelled);
  } finally {
    await Promise.all([replica.end(), primary.end()]);
  }
}

/** What a connection to the new primary can tell of how old its promises may be. */
async function findMarks() {
  const client = new pg.Client({ connectionString: SUPERUSER_URL });
  await client.connect();
  await client.query('create unlogged table if not exists incarnation (made_at timestamptz not null)');
  const { rows } = await client.query(
    `select pg_postmaster_start_time() as started, substr(pg_walfile_name(pg_current_wal_insert_lsn()), 1, 8) as timeline,
       (select timeline_id from pg_control_checkpoint()) as checkpoint_timeline, (select count(*) from incarnation) as unlogged_rows`,
  );
  await client.query('delete from incarnation');
  await client.query('insert into incarnation values (clock_timestamp())');
  await client.end();
  return rows[0] as { started: Date; timeline: string; checkpoint_timeline: number; unlogged_rows: string };
}

/** The primary's PostgreSQL dies; its machine lives. An unlogged row must be gone on the new primary. */
export async function killPostgres(scene: Scene): Promise<number> {
  const { cluster, say } = scene;
  await findMarks();
  const primary = await primaryOf(cluster);
  const moment = performance.now();
  const happened = new Date();
  cluster.signal(cluster.postgresPids(primary), 'SIGKILL');
  say(`SIGKILL: every PostgreSQL process of the primary, ${primary}`);
  await tellRecovery(scene, moment);
  const marks = await findMarks();
  say(
    `on the new primary: postmaster started ${marks.started < happened ? 'BEFORE' : 'after'} the promotion; timeline ${marks.timeline}, in the last checkpoint ${marks.checkpoint_timeline}; ${marks.unlogged_rows} rows in the unlogged table`,
  );
  await tellWhole(scene, moment, null);
  // What waits for old leases after a promotion relies on it (docs/high-availability.md).
  return Number(marks.unlogged_rows) === 0 ? 0 : 1;
}

/** The primary's machine dies, its Patroni and etcd with it, and comes back later. */
export async function cutPower(scene: Scene): Promise<number> {
  const { cluster, say } = scene;
  const primary = await primaryOf(cluster);
  const names = [`patroni-${primary}`, `etcd-${primary}`];
  const moment = performance.now();
  cluster.signal([...names.map(cluster.pidOf), ...cluster.postgresPids(primary)], 'SIGKILL');
  say(`SIGKILL: everything on ${primary}: PostgreSQL, Patroni, etcd`);
  await tellRecovery(scene, moment);
  const back = performance.now();
  cluster.startEtcd(primary);
  cluster.startPatroni(primary);
  say(`${primary} is switched on again`);
  await tellWhole(scene, back, primary);
  return 0;
}

/** Patroni of the primary stands still, its PostgreSQL does not: a primary that does not know that it was replaced. */
export async function freezePatroni(scene: Scene): Promise<number> {
  const { cluster, say } = scene;
  const primary = await primaryOf(cluster);
  const moment = performance.now();
  cluster.signal([cluster.pidOf(`patroni-${primary}`)], 'SIGSTOP');
  say(`SIGSTOP: Patroni of ${primary}; its PostgreSQL goes on as primary`);
  await until('another primary', async () => ![null, primary].includes(await primaryElsewhere(cluster, primary)), 60);
  say(`another primary after ${seconds(performance.now() - moment)}: ${await primaryElsewhere(cluster, primary)}`);
  await tellRecovery(scene, moment, performance.now());
  const [acknowledged, text] = await writeTo(primary);
  say(`a write sent straight to ${primary}, which still takes itself for primary: ${text}`);
  cluster.signal([cluster.pidOf(`patroni-${primary}`)], 'SIGCONT');
  await tellWhole(scene, moment, primary);
  return acknowledged ? 1 : 0;
}

/** Both standbys stand still: nothing can be replicated, so nothing may be acknowledged. */
export async function freezeStandbys(scene: Scene): Promise<number> {
  const { cluster, load, say } = scene;
  const primary = await primaryOf(cluster);
  const session = await load.signUp();
  if (!session) throw new Error('no session to sign out');
  const standbys = MACHINES.filter((machine) => machine !== primary).flatMap(cluster.postgresPids);
  const moment = performance.now();
  cluster.signal(standbys, 'SIGSTOP');
  say('SIGSTOP: PostgreSQL of both standbys');
  const isAcknowledged = await load.signOut(session);
  say(
    `a sign-out meanwhile: ${isAcknowledged ? 'ACKNOWLEDGED' : 'not acknowledged'} (answered after ${seconds(performance.now() - moment)})`,
  );
  cluster.signal(standbys, 'SIGCONT');
  await tellRecovery(scene, moment, performance.now());
  await tellWhole(scene, moment, null);
  return isAcknowledged ? 1 : 0;
}

/** A third node comes, the first leaves, in order and without. */
export async function addAndRemoveNodes(scene: Scene): Promise<number> {
  const { cluster, load, say, databaseUrl } = scene;
  const moment = performance.now();
  cluster.startNode('node3', databaseUrl);
  await until('node3', async () => (await cluster.nodeState('node3')).total > 50);
  say('node3 added; it serves');
  await cluster.askHaproxy('set server nodes/node1 state drain');
  await until('node1 idle', async () => (await cluster.nodeState('node1')).current === 0);
  await cluster.stop('node1');
  say('node1 drained in HAProxy, then SIGTERM: gone');
  await pause(2000);
  await cluster.stop('node2');
  say('node2 SIGTERM without a word to HAProxy: gone');
  await pause(2000);
  await cluster.askHaproxy('set server nodes/node1 state ready');
  for (const node of ['node1', 'node2'] as const satisfies Node[]) {
    cluster.startNode(node, databaseUrl);
    await until(node, async () => (await cluster.nodeState(node)).status === 'UP');
  }
  await pause(2000);
  const errors = load.refusalsSince(moment);
  say(`node1 and node2 are back; errors seen by clients: ${errors.length}`);
  for (const error of errors.slice(0, 5)) say(`  ${error}`);
  return errors.length;
}

/** Who is primary in the eyes of the others. */
async function primaryElsewhere(cluster: Cluster, not: Machine): Promise<Machine | null> {
  const leaders = (await cluster.members()).filter(({ role, name }) => role === 'leader' && name !== not);
  return leaders[0]?.name ?? null;
}

/** @returns whether a commit was acknowledged within 4 s, and what happened */
async function writeTo(machine: Machine): Promise<[boolean, string]> {
  const client = new pg.Client({
    connectionString: directUrl(machine),
    query_timeout: 4000,
    connectionTimeoutMillis: 4000,
  });
  client.on('error', () => undefined);
  try {
    await client.connect();
    await client.query('create table written_apart (at timestamptz)');
    return [true, 'ACKNOWLEDGED'];
  } catch (error) {
    return [false, `not acknowledged (${error instanceof Error ? error.message : error})`];
  } finally {
    // A connection that waits for a standby does not end in order.
    (client as unknown as { connection: { stream: { destroy(): void } } }).connection.stream.destroy();
  }
}
