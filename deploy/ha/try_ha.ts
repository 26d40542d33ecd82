// Tries the configuration files of this folder for real, on one machine: three etcd, three PostgreSQL under Patroni with
// synchronous replication, HAProxy and two nodes of Causeway on loopback addresses, readers on them, and then what goes wrong
// in a data centre. Prints a transcript and fails when anything acknowledged was lost or a session that was ended came back.
// `npm run test:ha`; it installs nothing. Logs and data stay behind when it fails, or with `--keep`.

import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { applicationUrl, createCluster, findPrograms, MACHINES, SUPERUSER_URL, until } from './cluster.ts';
import { type Load, REALM, startLoad } from './load.ts';
import { addAndRemoveNodes, cutPower, freezePatroni, freezeStandbys, killPostgres, readReplica } from './mishaps.ts';

const WORKERS = 6;
const QUIET_SECONDS = 10;
/** Signals that end the trial, and the exit codes by which a shell knows them. */
const ENDINGS = [
  ['SIGHUP', 129],
  ['SIGINT', 130],
  ['SIGTERM', 143],
] as const;
const begun = performance.now();

/** One line of the transcript, with the seconds since the start. */
function say(text: string) {
  console.log(`${((performance.now() - begun) / 1000).toFixed(1).padStart(6)} s  ${text}`);
}

async function main(): Promise<number> {
  const { versions, missing } = findPrograms();
  if (missing.length > 0) {
    console.log(`Not installed: ${missing.join(', ')} (Debian: apt-get install ${missing.join(' ')}).`);
    return 1;
  }
  for (const version of versions) console.log(version);
  console.log(`Node ${process.version}\n`);
  const cluster = createCluster();
  for (const [signal, code] of ENDINGS)
    process.once(signal, () => void cluster.close({ keeps: false }).then(() => process.exit(code)));
  let load: Load | null = null;
  let keeps = true;
  try {
    for (const machine of MACHINES) cluster.startEtcd(machine);
    for (const machine of MACHINES) cluster.startPatroni(machine);
    cluster.startHaproxy();
    await cluster.untilWhole();
    say(`as ${cluster.user}, primary ${await cluster.primary()}: ${describe(await cluster.members())}`);
    await until('the primary in HAProxy', () => withClient(SUPERUSER_URL, async () => true).catch(() => false));
    const url = await makeDatabase();
    cluster.startNode('node1', url);
    await until('node1', () => cluster.isReady('node1'));
    cluster.startNode('node2', url);
    await until('node2', () => cluster.isReady('node2'));
    cluster.applyRealm(url, REALM);
    await until('both nodes in HAProxy', async () =>
      (await Promise.all((['node1', 'node2'] as const).map(cluster.nodeState))).every(({ status }) => status === 'UP'),
    );
    say('two nodes serve');

    load = startLoad(WORKERS);
    await new Promise((resolve) => setTimeout(resolve, QUIET_SECONDS * 1000));
    say(
      `quiet, ${QUIET_SECONDS} s: ${Object.entries(load.acknowledged)
        .map(([act, count]) => `${act} ${count}`)
        .join(', ')}`,
    );
    let faults = await verify(load, url);
    for (const mishap of [readReplica, killPostgres, cutPower, freezePatroni, freezeStandbys, addAndRemoveNodes]) {
      console.log('');
      faults += await mishap({ cluster, load, say, databaseUrl: url });
      faults += await verify(load, url);
    }
    await load.stop();
    console.log('');
    say(
      `all in all: ${Object.entries(load.acknowledged)
        .map(([act, count]) => `${act} ${count}`)
        .join(', ')}`,
    );
    faults += await verify(load, url);
    say(faults === 0 ? 'nothing acknowledged was lost, nothing ended came back' : `${faults} FAULTS`);
    keeps = faults > 0 || process.argv.includes('--keep');
    return faults === 0 ? 0 : 1;
  } finally {
    // With the nodes gone whoever still asks gets an end, too.
    const stopped = load?.stop();
    await cluster.close({ keeps });
    await stopped;
    if (keeps) console.log(`logs: ${cluster.folder}`);
  }
}

async function makeDatabase(): Promise<string> {
  const password = randomBytes(18).toString('base64url');
  await withClient(SUPERUSER_URL, async (client) => {
    await client.query(`create role causeway login password '${password}'`);
    await client.query('create database causeway owner causeway');
  });
  return applicationUrl(password);
}

async function withClient<T>(url: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

/** @returns how many acknowledged facts do not hold */
async function verify(load: Load, url: string): Promise<number> {
  const verdict = await load.verify((emails) =>
    withClient(url, async (client) => {
      const { rows } = await client.query('select email from accounts where email = any($1)', [emails]);
      return new Set(rows.map(({ email }: { email: string }) => email));
    }),
  );
  say(
    `ledger: ${verdict.signUps} accounts, ${verdict.signedIn} signed in, ${verdict.signedOut} signed out (${verdict.unsure} sign-outs without an answer)` +
      ` → acknowledged operations lost ${verdict.lost.length}, sessions resurrected ${verdict.resurrected.length}`,
  );
  const faults = [...verdict.lost, ...verdict.resurrected, ...verdict.wrong];
  for (const fault of faults.slice(0, 5)) say(`  ${fault}`);
  return faults.length;
}

const describe = (members: readonly { name: string; role: string; timeline?: number }[]) =>
  members.map(({ name, role, timeline }) => `${name} ${role} (timeline ${timeline})`).join(', ');

process.exitCode = await main();
