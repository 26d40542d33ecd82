// Where the time of one operation goes: the server under V8's sampling profiler, while the load generator asks for it. What
// comes out is a table of the functions that took most by themselves, and a flame graph.

import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import * as says from './conversations.ts';
import { drawFlameGraph, type Frame, foldProfile } from './flame_graph.ts';
import { type Conversation, drive } from './load.ts';
import type { Bench } from './run.ts';
import { type Stage, setStage } from './stage.ts';

/** Seconds of processor time until the code is compiled; what is before that is in the profile and small beside the rest. */
const WARM_UP = 4;
const ROOT = join(import.meta.dirname, '..');

const provider = says.causewayProvider;
export const PROFILED = {
  'users-me': says.usersMe,
  'users-me-401': () => says.usersMeAnonymous,
  hop: says.hop,
  'hop-site': says.hopFromSite,
  login: says.login,
  'code-flow': (stage) => says.codeFlow(provider(stage)),
  refresh: (stage) => says.refresh(provider(stage)),
  userinfo: (stage) => says.userinfo(provider(stage)),
  introspection: (stage) => says.introspection(provider(stage)),
} as const satisfies Record<string, (stage: Stage) => Conversation>;
export type Profiled = keyof typeof PROFILED;

/** The report `profile`: every operation's hottest functions and its flame graph, in docs/profile.md. */
export async function reportProfile(bench: Bench): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'causeway-measured-'));
  const sections: string[] = [];
  try {
    const stage = await setStage({ databaseUrl: bench.databaseUrl, folder, readers: bench.isQuick ? 8 : 64 });
    for (const name of Object.keys(PROFILED) as Profiled[]) {
      const { root, perCoreSecond } = await profileOperation(stage, name, { seconds: bench.isQuick ? 0.5 : 5 });
      const rate = `${Math.round(perCoreSecond)} per core-second under the profiler`;
      const hottest = listHottest(root, 12);
      bench.say(`${name}: ${rate}`);
      for (const line of hottest) bench.say(line);
      sections.push(
        `## ${name}\n\n${rate}. Most by themselves:\n\n\`\`\`\n${hottest.join('\n')}\n\`\`\`\n\n${picturesOf(name)}`,
      );
      if (bench.isQuick) continue;
      const subtitle = `Processor time of the server while it answers, its start included. ${bench.machine}.`;
      const svg = drawFlameGraph(`Where the time goes: ${name}`, subtitle, root);
      writeFileSync(join(DOCS, `flame-${name}.svg`), svg);
    }
    if (!bench.isQuick) writeFileSync(join(DOCS, 'profile.md'), `${HEAD}\n${sections.join('\n\n')}\n`);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const DOCS = join(ROOT, 'docs');
const HEAD = `<!-- Written by \`npm run bench -- profile\`. Do not edit. -->

# Where the time goes

The server under V8's profiler while it is asked for one thing at a time, by 64 connections. Rates are lower than without a
profiler; docs/performance.md has those. System calls count as the function that makes them.
`;

/** The flame graph of an operation, and the one from before the work on speed, where there is one. */
function picturesOf(name: Profiled): string {
  const before = `flame-${name}-before.svg`;
  const picture = `![flame graph of ${name}](flame-${name}.svg)`;
  return existsSync(join(DOCS, before)) ? `${picture}\n\nBefore:\n\n![the same before](${before})` : picture;
}

/** Profiles one operation. @returns the tree of its frames and how many operations a core-second yielded meanwhile */
export async function profileOperation(
  stage: Stage,
  name: Profiled,
  options: { seconds: number; env?: Record<string, string> },
): Promise<{ root: Frame; perCoreSecond: number }> {
  const folder = mkdtempSync(join(tmpdir(), 'causeway-profile-'));
  try {
    const server = await stage.startCauseway({
      nodeArgs: ['--cpu-prof', `--cpu-prof-dir=${folder}`, '--cpu-prof-interval=250'],
      ...(options.env && { env: options.env }),
    });
    const conversation = PROFILED[name](stage);
    const sample = await drive({ ...server, conversation }, { warmUp: WARM_UP, seconds: options.seconds, most: 30 });
    await server.stop();
    const [file = ''] = readdirSync(folder);
    const root = foldProfile(JSON.parse(readFileSync(join(folder, file), 'utf8')), shortName);
    return { root, perCoreSecond: sample.operations / sample.cpu };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** A file as one of this project, of a package, or of Node. */
function shortName(url: string): string {
  if (!url.startsWith('file:')) return url;
  const path = relative(ROOT, new URL(url).pathname);
  const at = path.lastIndexOf('node_modules/');
  return at < 0 ? path : path.slice(at + 'node_modules/'.length);
}

/** The functions that took most by themselves, as lines. */
export function listHottest(root: Frame, most: number): string[] {
  const byName = new Map<string, number>();
  const visit = (frame: Frame) => {
    byName.set(frame.name, (byName.get(frame.name) ?? 0) + frame.self);
    for (const child of frame.children) visit(child);
  };
  visit(root);
  const hottest = [...byName].sort(([, a], [, b]) => b - a).slice(0, most);
  return hottest.map(([name, self]) => `  ${((100 * self) / root.total).toFixed(1).padStart(5)} %  ${name}`);
}
