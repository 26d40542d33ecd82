// How many a second: session checks, hops and the endpoints of the provider, beside yardsticks of our own and beside peers.

import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import * as says from './conversations.ts';
import { CORES, canPin, type Measured, startMeasured } from './processes.ts';
import { type Effort, type Measurement, measure, presentMeasurement, type Subject } from './rounds.ts';
import type { Stage } from './stage.ts';

export type Runner = { stage: Stage; effort: Effort; say(line: string): void };

type Parts = { name: string; title: string; conversation: Subject['conversation'] };
type Group = { start(): Promise<Measured>; parts: readonly Parts[] };

export async function measureUsersMe({ stage, effort, say }: Runner): Promise<Measurement[]> {
  const me = says.usersMe(stage);
  return measureGroups(
    [
      one(yardstick(stage, 'bare_http'), 'bare', 'bare `node:http`', says.bareHttp),
      one(yardstick(stage, 'bare_select'), 'bare-select', 'bare, one batched select', says.bareSelect),
      {
        start: () => stage.startCauseway(),
        parts: [
          { name: 'me', title: 'Causeway `GET /users/me`, signed in', conversation: me },
          { name: 'me-401', title: 'Causeway `GET /users/me`, 401', conversation: says.usersMeAnonymous },
        ],
      },
      one(
        () => stage.startCauseway({ env: { CAUSEWAY_SESSION_MEMORY: '0' } }),
        'me-database',
        'Causeway `GET /users/me`, without session memory',
        me,
      ),
      one(oidcProvider(stage, 'memory'), 'oidc-userinfo', 'node-oidc-provider userinfo, memory', providerSays.userinfo),
      one(betterAuth(stage, '0'), 'better', 'better-auth get-session, PostgreSQL', says.getSession()),
      one(betterAuth(stage, '1'), 'better-cached', 'better-auth get-session, cookie cache', says.getSession()),
    ],
    effort,
    say,
  );
}

export async function measureHop({ stage, effort, say }: Runner): Promise<Measurement[]> {
  return measureGroups(
    [
      one(yardstick(stage, 'bare_flow'), 'bare-flow', 'bare code flow, batched', says.bareFlow),
      {
        start: () => stage.startCauseway(),
        parts: [
          { name: 'hop', title: 'Causeway hop', conversation: says.hop(stage) },
          { name: 'hop-site', title: 'Causeway hop from a site (3 requests)', conversation: says.hopFromSite(stage) },
        ],
      },
      one(oidcProvider(stage, 'memory'), 'oidc-flow-memory', 'node-oidc-provider code flow, memory', providerSays.flow),
      one(oidcProvider(stage, 'postgres'), 'oidc-flow', 'node-oidc-provider code flow, PostgreSQL', providerSays.flow),
    ],
    effort,
    say,
  );
}

export async function measureProvider({ stage, effort, say }: Runner): Promise<Measurement[]> {
  const ours = sayingsOf(says.causewayProvider(stage));
  const parts = (prefix: string, title: string, sayings: typeof ours): Parts[] => [
    { name: `${prefix}-flow`, title: `${title} code flow`, conversation: sayings.flow },
    { name: `${prefix}-refresh`, title: `${title} refresh`, conversation: sayings.refresh },
    { name: `${prefix}-userinfo`, title: `${title} userinfo`, conversation: sayings.userinfo },
    { name: `${prefix}-introspection`, title: `${title} introspection`, conversation: sayings.introspection },
  ];
  return measureGroups(
    [
      { start: () => stage.startCauseway(), parts: parts('provider', 'Causeway', ours) },
      { start: oidcProvider(stage, 'postgres'), parts: parts('oidc-pg', 'node-oidc-provider', providerSays) },
    ],
    effort,
    say,
  );
}

export async function measureLogin({ stage, effort, say }: Runner): Promise<Measurement[]> {
  const login = await stage.startCauseway({ env: { CAUSEWAY_HASHING_CONCURRENCY: '1' } });
  const bare = ['@node-rs/argon2', 'argon2'].map((library) => ({ library, found: emptyMeasurement(library) }));
  const found: Measurement[] = [];
  try {
    for (let round = 0; round < effort.rounds; round++) {
      for (const { library, found: bareOne } of bare) {
        const { operations, seconds, cpu } = runBareArgon2id(library, effort.seconds);
        bareOne.perSecond.push(operations / seconds);
        bareOne.perCoreSecond.push(operations / cpu);
        bareOne.p50.push((1000 * seconds) / operations);
        bareOne.p99.push((1000 * seconds) / operations);
      }
      const subject = {
        name: 'login',
        title: 'Causeway `POST /login`',
        server: login,
        conversation: says.login(stage),
      };
      const once = { ...effort, rounds: 1, warmUp: round === 0 ? effort.warmUp : 0 };
      const [more] = await measure([{ ...subject, connections: 16 }], once, () => undefined);
      if (more) mergeInto(found, more);
    }
  } finally {
    await login.stop();
  }
  const all = [...bare.map(({ found: bareOne }) => bareOne), ...found];
  for (const each of all) say(presentMeasurement(each));
  return all;
}

function mergeInto(found: Measurement[], more: Measurement) {
  const known = found.find(({ name }) => name === more.name);
  if (!known) found.push(more);
  else for (const key of ['perSecond', 'perCoreSecond', 'p50', 'p99'] as const) known[key].push(...more[key]);
}

const emptyMeasurement = (library: string): Measurement => ({
  name: `argon2id ${library}`,
  title: `bare argon2id by \`${library}\``,
  ...{ perSecond: [], perCoreSecond: [], p50: [], p99: [] },
});

function runBareArgon2id(library: string, seconds: number): { operations: number; seconds: number; cpu: number } {
  const program = join(import.meta.dirname, 'yardsticks/bare_argon2id.ts');
  const pinned = canPin ? ['taskset', '-c', CORES.server] : [];
  const [command = '', ...args] = [...pinned, process.execPath, program, library, String(seconds)];
  const ran = spawnSync(command, args, { encoding: 'utf8', timeout: 120_000 });
  if (ran.status !== 0) throw new Error(`bare argon2id failed: ${ran.stderr}`);
  return JSON.parse(ran.stdout) as { operations: number; seconds: number; cpu: number };
}

/** Starts what is measured, each process once, and stops it whatever happens. */
async function measureGroups(groups: readonly Group[], effort: Effort, say: Runner['say']): Promise<Measurement[]> {
  const running: Measured[] = [];
  try {
    const subjects: Subject[] = [];
    for (const { start, parts } of groups) {
      const server = await start();
      running.push(server);
      subjects.push(...parts.map((part) => ({ ...part, server })));
    }
    return await measure(subjects, effort, say);
  } finally {
    for (const server of running) await server.stop();
  }
}

const one = (
  start: () => Promise<Measured>,
  name: string,
  title: string,
  conversation: Subject['conversation'],
): Group => ({ start, parts: [{ name, title, conversation }] });

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
