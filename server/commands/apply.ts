// `causeway apply FILE`: brings realms, domains and clients to what a realm file says, in one transaction, or reports every
// fault and changes nothing. The demo starts through the same function.

import { readFileSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { text as readAll } from 'node:stream/consumers';
import type { Audit } from '../audit/audit.ts';
import type { ClientDraft, Clients, StoredClient } from '../clients/clients.ts';
import { processEnvironment } from '../config.ts';
import type { Database, Queryable } from '../db/database.ts';
import type { RealmId } from '../lib/ids.ts';
import type { Realms } from '../realms/realms.ts';
import type { Sessions } from '../sessions/sessions.ts';
import { type CommandContext, CommandFailed } from './context.ts';
import { compareRealm, type RealmDifference } from './difference.ts';
import { type CheckedConfig, checkTogether, type StoredState, warnTogether } from './realm_checks.ts';
import { readRealmFile } from './realm_file.ts';
import type { Environment } from './yaml_text.ts';

export type Applied =
  | {
      ok: true;
      /** A line for each change, beginning with the realm's slug. */
      changes: string[];
      /** What works less than it might, and what to do. */
      warnings: string[];
    }
  | { ok: false; faults: string[] };
type Services = { realms: Realms; clients: Clients; sessions: Sessions; audit: Audit };

/**
 * Applies a realm file.
 * @param input text of the file; fileName: its path, `-` for standard input, from whose folder relative logo files are
 *   found; isDryRun: only tells what would change; isPrune: what the named realms have and the file lacks is removed
 * @returns the changes made (or, in a dry run, missing), or every fault with its place; with faults nothing is changed
 */
export async function applyRealmFile(
  input: {
    text: string;
    fileName: string;
    environment: Environment;
    config: CheckedConfig;
    db: Database;
    isDryRun: boolean;
    isPrune: boolean;
  } & Services,
): Promise<Applied> {
  const isStandardInput = input.fileName === '-';
  const file = readRealmFile(input.text, {
    fileName: isStandardInput ? 'standard input' : basename(input.fileName),
    folder: isStandardInput ? process.cwd() : dirname(input.fileName),
    environment: input.environment,
    allowLoopback: input.config.allowLoopback,
  });
  if (!file.yaml.isReadable) return { ok: false, faults: file.yaml.faults() };
  return input.db.transaction(async (q) => {
    await input.realms.lock(q);
    const stored = await readStored(q, input);
    const checked = { file, stored, isPrune: input.isPrune, config: input.config };
    checkTogether(checked);
    const faults = file.yaml.faults();
    if (faults.length > 0) return { ok: false, faults };
    const differences = file.wanted.map((wanted) => {
      const state = stored.find(({ realm }) => realm.slug === wanted.slug) ?? null;
      return compareRealm(state, wanted, { isPrune: input.isPrune });
    });
    const changed = differences.filter(({ lines }) => lines.length > 0);
    if (!input.isDryRun && changed.length > 0) await execute(q, changed, input);
    const changes = changed.flatMap(({ slug, lines }) => lines.map((line) => `${slug}: ${line}`));
    return { ok: true, changes, warnings: warnTogether(checked) };
  });
}

/** Every realm with its domains and clients, as seen by a transaction. */
export async function readStored(q: Queryable, services: Pick<Services, 'realms' | 'clients'>): Promise<StoredState[]> {
  const states: StoredState[] = [];
  for (const realm of await services.realms.listStored(q)) {
    states.push({
      realm,
      domains: await services.realms.listDomains(realm.id, q),
      clients: await services.clients.listStored(q, realm.id),
    });
  }
  return states;
}

/** Does the acts of all realms, removals first: a host may go from one client, role or realm to another in one file. */
async function execute(q: Queryable, differences: readonly RealmDifference[], services: Services): Promise<void> {
  const { realms, clients, sessions, audit } = services;
  for (const { stored, removeClients, vacate, removeHosts } of differences) {
    if (!stored) continue;
    for (const client of removeClients) await clients.remove(q, stored.realm.id, client.clientId);
    for (const client of vacate) await clients.put(q, stored.realm.id, withoutDomain(client));
    for (const host of removeHosts) await realms.removeDomain(q, host);
  }
  for (const difference of differences) {
    const realmId = await putRealm(q, difference, realms);
    for (const domain of difference.putDomains) await realms.putDomain(q, realmId, domain);
    for (const client of difference.putClients) await clients.put(q, realmId, client);
    for (const host of difference.endSessionsOn) await sessions.removeAllOnHost(q, host);
    await audit.record(q, { type: 'configuration.applied', realmId, detail: { changes: difference.lines } });
  }
  await realms.announce(q);
}

async function putRealm(
  q: Queryable,
  { putRealm: draft, stored, slug }: RealmDifference,
  realms: Realms,
): Promise<RealmId> {
  if (draft) return realms.put(q, draft);
  if (!stored) throw new Error(`realm ${slug} is neither stored nor to be made`);
  return stored.realm.id;
}

/** A client as it is while its host goes to another: a first-party client cannot be without one. */
function withoutDomain(client: StoredClient): ClientDraft {
  return { ...client, kind: 'third-party', domain: null, secret: null, proxySecret: null, integrationSecret: null };
}

/** The command itself, for a text that was read before the database was opened. @throws CommandFailed listing every fault */
export async function apply(
  context: CommandContext,
  file: { fileName: string; text: string },
  options: { isDryRun: boolean; isPrune: boolean },
): Promise<void> {
  const applied = await applyRealmFile({ ...file, environment: processEnvironment(), ...context, ...options });
  if (!applied.ok) {
    const count = applied.faults.length === 1 ? 'one fault' : `${applied.faults.length} faults`;
    const list = applied.faults.map((fault) => `  ${fault}`).join('\n');
    throw new CommandFailed(`Nothing was changed; the file has ${count}:\n${list}`);
  }
  for (const change of applied.changes) context.print(change);
  for (const warning of applied.warnings) context.print(`warning: ${warning}`);
  context.print(applied.changes.length === 1 ? '1 change' : `${applied.changes.length} changes`);
}

/** The text of a file, or of standard input up to its end. @throws CommandFailed */
export async function readText(fileName: string): Promise<string> {
  if (fileName === '-') return readAll(process.stdin);
  try {
    return readFileSync(fileName, 'utf8');
  } catch (error) {
    throw new CommandFailed(
      `The file ${fileName} cannot be read: ${(error as { code?: string }).code === 'ENOENT' ? 'there is none.' : String(error)}`,
    );
  }
}
