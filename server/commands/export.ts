// `causeway export`: writes the realm file of what the database has, so that applying it there again changes nothing.
// Of secrets only hashes are stored, so they are left out and a comment says so. Settings at their default are left out too.

import { Document, isMap, isSeq, type YAMLMap } from 'yaml';
import type { StoredClient } from '../clients/clients.ts';
import type { Host } from '../lib/ids.ts';
import { parseOrigin } from '../lib/url.ts';
import { brandSchema, type StoredUpstream, settingsSchema } from '../realms/realms.ts';
import { upstreamNameOf } from '../upstream/upstream.ts';
import { readStored } from './apply.ts';
import type { CommandContext } from './context.ts';
import type { StoredState } from './realm_checks.ts';
import { escapeVariables } from './yaml_text.ts';

const HEAD = ' Written by: npx causeway export';
const ENCRYPTED = 'is stored encrypted and is not shown: leave it out to keep it';
const HIDDEN = 'is stored as a hash and cannot be shown: leave it out to keep it';

/** Prints the realm file of all realms, or of one. @throws CommandFailed when there is no such realm */
export async function exportRealms(context: CommandContext, slug: string | null): Promise<void> {
  if (slug !== null) await context.getRealm(slug);
  const stored = await context.db.transaction((q) => readStored(q, context));
  process.stdout.write(presentRealmFile(stored.filter(({ realm }) => slug === null || realm.slug === slug)));
}

/** The realm file of these realms. */
export function presentRealmFile(states: readonly StoredState[]): string {
  const document = new Document({ realms: states.map(presentRealm) });
  document.commentBefore = HEAD;
  for (const [realm, state] of states.entries()) {
    for (const [index, client] of sortClients(state).entries())
      addComment(document.getIn(['realms', realm, 'clients', index]), client);
  }
  // Nothing is folded: a long line stays one that can be compared and searched.
  return document.toString({ lineWidth: 0, flowCollectionPadding: true });
}

function presentRealm(state: StoredState): Record<string, unknown> {
  const { realm, domains } = state;
  const auth = domains.find(({ role }) => role === 'auth');
  return compact({
    slug: realm.slug,
    auth_domain: auth && presentPlace(auth),
    authentication_url: realm.authenticationUrl ? escapeVariables(realm.authenticationUrl) : undefined,
    settings: unlessEmpty(withoutDefaults(realm.settings, settingsSchema.parse({}))),
    brand: unlessEmpty(withoutDefaults(realm.brand, brandSchema.parse({}))),
    upstream: unlessEmpty(realm.upstreams.map(presentUpstream)),
    clients: unlessEmpty(sortClients(state).map((client) => presentClient(client, state))),
  });
}

function presentClient(client: StoredClient, { domains }: StoredState): Record<string, unknown> {
  const domain = domains.find(({ host }) => host === client.domain);
  return compact({
    id: escapeVariables(client.clientId),
    kind: client.kind,
    name: client.name === client.clientId ? undefined : escapeVariables(client.name),
    domain: domain && presentPlace(domain),
    redirect_uris: client.kind === 'third-party' ? client.redirectUris.map(escapeVariables) : undefined,
    backend_redirect_uris:
      client.kind === 'first-party' ? unlessEmpty(client.redirectUris.slice(1).map(escapeVariables)) : undefined,
    ...(escapeDeep(client.protocol) as Record<string, unknown>),
    integration_secret: client.integrationSecret?.variable ? `\${${client.integrationSecret.variable}}` : undefined,
    brand: unlessEmpty(escapeDeep(client.brand) as Record<string, unknown>),
    disabled: client.isDisabled || undefined,
  });
}

/** Of a secret its variable, if it came from one; otherwise it is left out, and stays when the file is applied again. */
function presentUpstream({ id, provider, name, settings, secrets }: StoredUpstream): Record<string, unknown> {
  const entry = { provider, ...(id === provider ? {} : { id }) };
  const variables = Object.entries(secrets).flatMap(([key, { variable }]) =>
    variable ? [[key, `\${${variable}}`]] : [],
  );
  return {
    ...entry,
    ...(name === upstreamNameOf(entry) ? {} : { name: escapeVariables(name) }),
    ...(escapeDeep(settings) as Record<string, unknown>),
    ...Object.fromEntries(variables),
  };
}

function sortClients({ clients }: StoredState): StoredClient[] {
  // Clients that registered themselves belong to no file; `apply --prune` leaves them alone too.
  return clients
    .filter(({ protocol }) => protocol['is_dynamic'] !== true)
    .sort((a, b) => a.kind.localeCompare(b.kind) || (a.clientId < b.clientId ? -1 : 1));
}

/** The host alone where that means the same origin. */
function presentPlace({ host, origin }: { host: Host; origin: string }): string {
  return parseOrigin(host)?.origin === origin ? host : origin;
}

function addComment(node: unknown, client: StoredClient): void {
  if (!isMap(node)) return;
  const hidden = [
    ...(client.secretHashes.length > 0 ? ['secret'] : []),
    ...(client.proxySecretHash ? ['proxy_secret'] : []),
  ];
  const lines = hidden.map((name) => ` ${name}: ${HIDDEN}`);
  if (client.integrationSecret && !client.integrationSecret.variable) lines.push(` integration_secret: ${ENCRYPTED}`);
  if (client.hasApiKey) lines.push(' has an API key, made by: npx causeway clients api-key');
  if (lines.length > 0) node.comment = lines.join('\n');
  for (const { value } of (node as YAMLMap).items) if (isSeq(value)) value.flow = value.items.length < 2;
}

function withoutDefaults(values: Record<string, unknown>, defaults: Record<string, unknown>): Record<string, unknown> {
  return escapeDeep(
    Object.fromEntries(Object.entries(values).filter(([key, value]) => value !== defaults[key])),
  ) as Record<string, unknown>;
}

function compact(values: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined));
}

function unlessEmpty<T extends object>(value: T): T | undefined {
  return Object.keys(value).length > 0 ? value : undefined;
}

function escapeDeep(value: unknown): unknown {
  if (typeof value === 'string') return escapeVariables(value);
  if (Array.isArray(value)) return value.map(escapeDeep);
  if (typeof value === 'object' && value !== null)
    return Object.fromEntries(Object.entries(value).map(([key, inside]) => [key, escapeDeep(inside)]));
  return value;
}
