// What has to be done so that the providers of a realm become what a file says. Secrets never appear in a line.

import { isDeepStrictEqual } from 'node:util';
import { isSameSecret, type StoredUpstream, type UpstreamDraft } from '../realms/realms.ts';
import { present } from './present_value.ts';
import type { WantedRealm } from './wanted_realm.ts';

type Wanted = WantedRealm['upstreams'][number];

/** Providers in the order of the file; those that it does not mention come after, or go with `isPrune`. */
export function compareUpstreams(
  before: readonly StoredUpstream[],
  wanted: readonly Wanted[],
  options: { isPrune: boolean },
): { drafts: UpstreamDraft[]; lines: string[] } {
  const left = before.filter(({ id }) => !wanted.some((one) => one.id === id));
  const pairs = wanted.map((one) => ({ one, was: before.find(({ id }) => id === one.id) ?? null }));
  const drafts = pairs.map(({ one, was }) => ({ ...one, secrets: { ...was?.secrets, ...one.secrets } }));
  const kept = options.isPrune ? [] : left;
  const order = [...drafts, ...kept].map(({ id }) => id);
  const isMoved =
    drafts.length > 0 &&
    !isDeepStrictEqual(
      before.map(({ id }) => id).filter((id) => order.includes(id)),
      order.filter((id) => before.some((one) => one.id === id)),
    );
  return {
    drafts: [...drafts, ...kept],
    lines: [
      ...(options.isPrune ? left.map(({ id }) => `- provider ${id}`) : []),
      ...pairs.flatMap(({ one, was }) => compareUpstream(was, one)),
      ...(isMoved ? [`~ order of providers: ${order.join(', ')}`] : []),
    ],
  };
}

function compareUpstream(was: StoredUpstream | null, one: Wanted): string[] {
  if (!was) return [`+ provider ${one.id}`];
  const keys = [...new Set([...Object.keys(was.settings), ...Object.keys(one.settings)])];
  const fields: [name: string, before: unknown, after: unknown][] = [
    ['provider', was.provider, one.provider],
    ['name', was.name, one.name],
    ...keys.map((key) => [key, was.settings[key], one.settings[key]] as [string, unknown, unknown]),
  ];
  const changes = fields
    .filter(([, before, after]) => !isDeepStrictEqual(before, after))
    .map(([name, before, after]) => `${name}: ${present(before)} → ${present(after)}`);
  for (const [key, secret] of Object.entries(one.secrets)) {
    if (!isSameSecret(was.secrets[key], secret)) changes.push(`${key}: replaced`);
    else if (was.secrets[key]?.variable !== secret.variable)
      changes.push(`${key}: from ${secret.variable ? `the variable ${secret.variable}` : 'the file itself'}`);
  }
  return changes.map((change) => `~ provider ${one.id}: ${change}`);
}
