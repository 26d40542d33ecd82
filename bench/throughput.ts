// How many a second: session checks, hops and the endpoints of the provider, beside yardsticks of our own and beside peers.

import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import * as says from './conversations.ts';
import { CORES, canPin, type Measured, startMeasured } from './processes.ts';
import { type Effort, type Measurement, measure, mergeInto, type Subject, tell } from './rounds.ts';
import type { Stage } from './stage.ts';

export type Runner = { stage: Stage; effort: Effort; say(line: string): void };

/** Something to measure, and how its server is started: of those with the same function, once. */
type Part = Omit<Subject, 'server'> & { start(): Promise<Measured> };

// What is held against each other stands side by side: on a shared machine the speed of a second says little of the next.

export async function measureUsersMe({ stage, effort, say }: Runner): Promise<Measurement[]> {
  const me = says.usersMe(stage);
  const causeway = () => stage.startCauseway();
  const withoutMemory = () => stage.startCauseway({ env: { CAUSEWAY_SESSION_MEMORY: '0' } });
  return measureParts(
    () => [
      part(
        oidcProvider(stage, 'memory'),
        'oidc-userinfo',
        'node-oidc-provider userinfo, memory',
        providerSays.userinfo,
      ),
      part(yardstick(stage, 'bare_http'), 'bare', 'bare `node:http`', says.bareHttp),
      part(causeway, 'me', 'Causeway `GET /users/me`, signed in', me),
      part(betterAuth(stage, '0'), 'better', 'better-auth get-session, PostgreSQL', says.getSession()),
      part(betterAuth(stage, '1'), 'better-cached', 'better-auth get-session, cookie cache', says.getSession()),
      part(causeway, 'me-401', 'Causeway `GET /users/me`, 401', says.usersMeAnonymous),
      part(withoutMemory, 'me-database', 'Causeway `GET /users/me`, without session memory', me),
      part(yardstick(stage, 'bare_select'), 'bare-select', 'bare, one batched select', says.bareSelect),
    ],
    effort,
    say,
  );
}

export async function measureHop({ stage, effort, say }: Runner): Promise<Measurement[]> {
  const causeway = () => stage.startCauseway();
  return measureParts(
    () => [
      part(yardstick(stage, 'bare_flow'), 'bare-flow', 'bare code flow, batched', says.bareFlow),
      part(causeway, 'hop', 'Causeway hop', says.hop(stage)),
      part(oidcProvider(stage, 'postgres'), 'oidc-flow', 'node-oidc-provider code flow, PostgreSQL', providerSays.flow),
      part(causeway, 'hop-site', 'Causeway hop from a site (3 requests)', says.hopFromSite(stage)),
      part(
        oidcProvider(stage, 'memory'),
        'oidc-flow-memory',
        'node-oidc-provider code flow, memory',
        providerSays.flow,
      ),
    ],
    effort,
    say,
  );
}

export async function measureProvider({ stage, effort, say }: Runner): Promise<Measurement[]> {
  const ours = { start: () => stage.startCauseway(), says: sayingsOf(says.causewayProvider(stage)) };
  const theirs = { start: oidcProvider(stage, 'postgres'), says: providerSays };
  const partsOf = (name: 'flow' | 'refresh' | 'userinfo' | 'introspection', title: string) => [
    part(ours.start, `provider-${name}`, `Causeway ${title}`, ours.says[name]),
    part(theirs.start, `oidc-pg-${name}`, `node-oidc-provider ${title}`, theirs.says[name]),
  ];
  return measureParts(
    () => [
      ...partsOf('flow', 'code flow'),
      ...partsOf('refresh', 'refresh'),
      ...partsOf('userinfo', 'userinfo'),
      ...partsOf('introspection', 'introspection'),
    ],
    effort,
    say,
  );
}

/** One process on one core against two on two. */
export async function measureProcesses({ stage, effort, say }: Runner): Promise<Measurement[]> {
  const [one, two] = [
    () => stage.startCauseway({ env: { CAUSEWAY_PROCESSES: '1' } }),
    () => stage.startCauseway({ env: { CAUSEWAY_PROCESSES: '2' }, cores: CORES.both }),
  ];
  const me = says.usersMe(stage);
  return measureParts(
    () => [
      part(one, 'me-one', '`GET /users/me`, one process', me),
      part(two, 'me-two', '`GET /users/me`, two processes', me),
    ],
    effort,
    say,
  );
}

export async function measureLogin({ stage, effort: usual, say }: Runner): Promise<Measurement[]> {
  // A hash takes some 25 ms: in less time there would be too few.
  const effort = { ...usual, rounds: 1, seconds: 2 * usual.seconds };
  const bare = ['@node-rs/argon2', 'argon2'].map((library) => ({ library, found: emptyMeasurement(library) }));
  const login: Measurement[] = [];
  for (let start = 0; start < usual.starts; start++) {
    const server = await stage.startCauseway({ env: { CAUSEWAY_HASHING_CONCURRENCY: '1' } });
    const subject = {
      ...{ name: 'login', title: 'Causeway `POST /login`', server, connections: 16 },
      conversation: says.login(stage),
    };
    try {
      for (let round = 0; round < usual.rounds; round++) {
        for (const { library, found } of bare) addBareArgon2id(found, library, effort.seconds);
        const warmUp = round === 0 ? effort.warmUp : 0;
        mergeInto(login, await measure([subject], { ...effort, warmUp }, () => undefined));
      }
    } finally {
      await server.stop();
    }
  }
  const all = [...bare.map(({ found }) => found), ...login];
  tell(all, say);
  return all;
}

const emptyMeasurement = (library: string): Measurement => ({
  name: `argon2id ${library}`,
  title: `bare argon2id by \`${library}\``,
  ...{ perSecond: [], perCoreSecond: [], p50: [], p99: [] },
});

function addBareArgon2id(to: Measurement, library: string, seconds: number): void {
  const { operations, seconds: took, cpu } = runBareArgon2id(library, seconds);
  to.perSecond.push(operations / took);
  to.perCoreSecond.push(operations / cpu);
  to.p50.push((1000 * took) / operations);
  to.p99.push((1000 * took) / operations);
}

function runBareArgon2id(library: string, seconds: number): { operations: number; seconds: number; cpu: number } {
  const program = join(import.meta.dirname, 'yardsticks/bare_argon2id.ts');
  const pinned = canPin ? ['taskset', '-c', CORES.server] : [];
  const [command = '', ...args] = [...pinned, process.execPath, program, library, String(seconds)];
  const ran = spawnSync(command, args, { encoding: 'utf8', timeout: 120_000 });
  if (ran.status !== 0) throw new Error(`bare argon2id failed: ${ran.stderr}`);
  return JSON.parse(ran.stdout) as { operations: number; seconds: number; cpu: number };
}

/** Measures parts with servers that are started for it, again and again, each once a time; they are stopped whatever happens. */
async function measureParts(
  partsOf: () => readonly Part[],
  effort: Effort,
  say: Runner['say'],
): Promise<Measurement[]> {
  const found: Measurement[] = [];
  for (let start = 0; start < effort.starts; start++) {
    const running = new Map<Part['start'], Measured>();
    try {
      const subjects: Subject[] = [];
      for (const { start: startServer, ...more } of partsOf()) {
        const server = running.get(startServer) ?? (await startServer());
        running.set(startServer, server);
        subjects.push({ ...more, server });
      }
      mergeInto(found, await measure(subjects, effort, () => undefined));
    } finally {
      for (const server of running.values()) await server.stop();
    }
  }
  tell(found, say);
  return found;
}

const part = (start: Part['start'], name: string, title: string, conversation: Part['conversation']): Part => ({
  start,
  ...{ name, title, conversation },
});

const yardstick = (stage: Stage, name: string) => () =>
  startMeasured({
    name,
    args: [`bench/yardsticks/${name}.ts`],
    env: { DATABASE_URL: stage.urlOf('bench_bare') },
    folder: stage.folder,
  });

const oidcProvider = (stage: Stage, store: 'memory' | 'postgres') => () =>
  startMeasured({
    name: `oidc-provider-${store}`,
    args: ['bench/peers/oidc_provider.mjs'],
    env: store === 'postgres' ? { DATABASE_URL: stage.urlOf('bench_peers') } : {},
    folder: stage.folder,
  });

const betterAuth = (stage: Stage, cache: '0' | '1') => () =>
  startMeasured({
    name: 'better-auth',
    args: ['bench/peers/better_auth.mjs'],
    env: { DATABASE_URL: stage.urlOf('bench_peers'), COOKIE_CACHE: cache },
    folder: stage.folder,
  });

const sayingsOf = (provider: says.Provider) => ({
  flow: says.codeFlow(provider),
  refresh: says.refresh(provider),
  userinfo: says.userinfo(provider),
  introspection: says.introspection(provider),
});
const providerSays = sayingsOf(says.oidcProvider);
