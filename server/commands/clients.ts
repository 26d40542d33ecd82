// `causeway clients …`: registers clients (by a product's template or by plain options, through the same checks as a realm
// file), shows them, replaces secrets with two valid for a while, and switches clients off and on. Secrets are printed once.

import { stringify } from 'yaml';
import type { StoredClient } from '../clients/clients.ts';
import type { Queryable } from '../db/database.ts';
import { createTaggedToken } from '../lib/token.ts';
import { mappingInput, presentUserinfo } from '../oidc/oidc.ts';
import type { Realm } from '../realms/realms.ts';
import { applyRealmFile } from './apply.ts';
import {
  type FilledTemplate,
  fillClientTemplate,
  findMissing,
  type TemplateAnswers,
  type TemplateName,
} from './client_templates.ts';
import { type CommandContext, CommandFailed, UsageFault } from './context.ts';
import type { Raw } from './wanted_realm.ts';
import { escapeVariables } from './yaml_text.ts';

/** A client to be made: by a template, or as a realm file writes it. */
export type NewClient = { id: string; disabled?: boolean } & (
  | { template: TemplateName; answers: TemplateAnswers; name?: string }
  | { raw: Raw }
);

/** Makes a client and prints what to type into the product's form. @throws CommandFailed listing every fault */
export async function addClient(context: CommandContext, slug: string, wanted: NewClient): Promise<void> {
  const realm = await context.getRealm(slug);
  const filled = 'template' in wanted ? fillTemplateOf(wanted.template, wanted.answers) : null;
  const raw =
    filled && 'template' in wanted
      ? { kind: 'third-party', ...filled.client, ...(wanted.name !== undefined && { name: wanted.name }) }
      : 'raw' in wanted
        ? wanted.raw
        : {};
  const needsSecret = filled
    ? filled.hasSecret
    : raw['kind'] === 'third-party' && raw['token_endpoint_auth_method'] !== 'none';
  const secret = needsSecret ? newSecret() : null;
  await refuseKnown(context, realm, wanted.id);
  await put(context, realm, { id: wanted.id, ...raw, ...(secret !== null && { secret }) });
  context.print(
    `client ${wanted.id} made in realm ${realm.slug} (${String(raw['kind'])}${filled ? `, ${filled.product}` : ''})`,
  );
  if (filled) return printForm(context, realm, filled, { id: wanted.id, secret: secret ?? '' });
  if (secret === null) return;
  context.print(`secret ${secret}`);
  context.print(SHOWN_ONCE);
}

/** What is printed after a new secret. */
export const SHOWN_ONCE = 'The secret is shown this once; only its hash is stored.';

function fillTemplateOf(name: TemplateName, answers: TemplateAnswers): FilledTemplate {
  const missing = findMissing(name, answers);
  if (missing !== null) throw new UsageFault(`clients add --template ${name} needs ${missing}`);
  return fillClientTemplate(name, answers);
}

function printForm(
  context: CommandContext,
  realm: Realm,
  filled: FilledTemplate,
  of: { id: string; secret: string },
): void {
  const form = filled.form({ ...of, origin: realm.authOrigin });
  const width = Math.max(...form.map(([field]) => field.length));
  context.print('');
  context.print(`Type into ${filled.product}:`);
  for (const [field, value] of form) context.print(`  ${field.padEnd(width)}  ${value}`);
  context.print('');
  for (const note of [...(filled.hasSecret ? [SHOWN_ONCE] : []), ...filled.notes]) context.print(note);
}

async function refuseKnown({ db, clients }: CommandContext, realm: Realm, id: string): Promise<void> {
  const isKnown = (await clients.listStored(db, realm.id)).some(({ clientId }) => clientId === id);
  if (isKnown)
    throw new CommandFailed(
      `Realm ${realm.slug} has a client ${id} already; see: npx causeway clients show ${id} --realm ${realm.slug}`,
    );
}

/** Through a realm file that says nothing but this client, so that one set of checks holds everywhere. */
async function put(context: CommandContext, realm: Realm, client: Raw): Promise<void> {
  const text = escapeVariables(
    stringify({ realms: [{ slug: realm.slug, auth_domain: realm.authOrigin, clients: [client] }] }, { lineWidth: 0 }),
  );
  const applied = await applyRealmFile({
    ...context,
    text,
    fileName: '-',
    environment: {},
    isDryRun: false,
    isPrune: false,
  });
  if (applied.ok) return;
  const faults = applied.faults.map(
    (fault) => `  ${fault.replace(/^standard input:\d+:\d+: (realms\[0\]\.clients\[0\]\.)?/, '')}`,
  );
  throw new CommandFailed(`No client was made:\n${faults.join('\n')}`);
}

/** Prints a line for each client of a realm. */
export async function listClients(context: CommandContext, slug: string): Promise<void> {
  const realm = await context.getRealm(slug);
  const clients = await context.clients.listStored(context.db, realm.id);
  const width = Math.max(0, ...clients.map(({ clientId }) => clientId.length));
  for (const client of clients) {
    const where = client.domain ?? hostsOf(client);
    context.print(
      `${client.clientId.padEnd(width)}  ${client.kind}  ${client.name}${where ? `  ${where}` : ''}${client.isDisabled ? '  disabled' : ''}`,
    );
  }
}

/** Prints what a client is registered with; of its secrets only how many are valid. @throws CommandFailed */
export async function showClient(context: CommandContext, slug: string, id: string): Promise<void> {
  const client = await getClient(context, await context.getRealm(slug), id);
  const {
    clientId,
    kind,
    name,
    domain,
    redirectUris,
    protocol,
    secretHashes,
    hasApiKey,
    integrationSecret,
    isDisabled,
  } = client;
  const shown = {
    id: clientId,
    kind,
    name,
    ...(domain && { domain }),
    redirect_uris: redirectUris,
    ...protocol,
    secrets: secretHashes.length,
    ...(hasApiKey && { api_key: true }),
    ...(integrationSecret && { integration_secret: true }),
    disabled: isDisabled,
  };
  context.print(stringify(shown, { lineWidth: 0 }).trimEnd());
}

/** Adds a secret and prints it; the old one stays valid until `finishSecret`. @throws CommandFailed */
export async function rotateSecret(context: CommandContext, slug: string, id: string): Promise<void> {
  const realm = await context.getRealm(slug);
  const client = await getClient(context, realm, id);
  if (client.secretHashes.length === 0) throw new CommandFailed(`Client ${id} has no secret to replace.`);
  const secret = newSecret();
  const finish = `npx causeway clients rotate-secret ${id} --realm ${realm.slug} --finish`;
  const isAdded = await change(context, realm, id, { type: 'client.secret-rotated', detail: { what: 'added' } }, (q) =>
    context.clients.changeSecrets(q, realm.id, id, { add: secret }),
  );
  if (!isAdded)
    throw new CommandFailed(`Client ${id} has two valid secrets already. End the older one first: ${finish}`);
  context.print(`secret ${secret}`);
  context.print(SHOWN_ONCE);
  context.print(`The old secret stays valid until: ${finish}`);
}

/** Ends the older of two valid secrets. @throws CommandFailed when there is only one */
export async function finishSecret(context: CommandContext, slug: string, id: string): Promise<void> {
  const realm = await context.getRealm(slug);
  await getClient(context, realm, id);
  const isEnded = await change(
    context,
    realm,
    id,
    { type: 'client.secret-rotated', detail: { what: 'ended the older' } },
    (q) => context.clients.changeSecrets(q, realm.id, id, { finish: true }),
  );
  if (!isEnded) throw new CommandFailed(`Client ${id} has no older secret.`);
  context.print('1 secret ended');
}

/** Switches a client off (its tokens and, for a site, the sessions on its domain are worth nothing at once) or on. */
export async function switchClient(context: CommandContext, slug: string, id: string, to: 'off' | 'on'): Promise<void> {
  const realm = await context.getRealm(slug);
  const client = await getClient(context, realm, id);
  const isChanged = await change(context, realm, id, { type: 'client.switched', detail: { to } }, async (q) => {
    if (!(await context.clients.setDisabled(q, realm.id, id, to === 'off'))) return false;
    if (to === 'off' && client.domain) await context.sessions.removeAllOnHost(q, client.domain);
    return true;
  });
  context.print(
    `client ${id} ${isChanged ? 'is' : 'was'} ${to === 'off' ? 'disabled' : 'enabled'}${isChanged ? '' : ' already'}`,
  );
}

/** Prints what userinfo would answer a client about an account (by e-mail address), with every scope of the client granted. */
export async function previewUserinfo(context: CommandContext, slug: string, id: string, email: string): Promise<void> {
  const realm = await context.getRealm(slug);
  await getClient(context, realm, id);
  const client = await context.clients.find(realm.id, id);
  if (!client) throw new CommandFailed(`Client ${id} is disabled.`);
  const account = await context.openAccounts().findByEmail(context.db, realm.id, email);
  if (!account) throw new CommandFailed(`Realm ${realm.slug} has no account with the address ${email}.`);
  const asked = { realm, client, account, scopes: client.protocol.scopes };
  try {
    context.print(JSON.stringify(presentUserinfo(asked), null, 2));
  } catch (error) {
    const reason = (error as { refusal?: { detail?: { reason?: unknown } } }).refusal?.detail?.reason;
    throw new CommandFailed(
      `The mapping fails: ${String(reason ?? error)}\nIt is given: ${JSON.stringify(mappingInput(asked))}`,
    );
  }
}

/** A client of a realm as stored. @throws CommandFailed naming those that there are */
export async function getClient({ db, clients }: CommandContext, realm: Realm, id: string): Promise<StoredClient> {
  const all = await clients.listStored(db, realm.id);
  const found = all.find(({ clientId }) => clientId === id);
  if (found) return found;
  throw new CommandFailed(
    `Realm ${realm.slug} has no client ${id}. ${all.length > 0 ? `Known: ${all.map(({ clientId }) => clientId).join(', ')}.` : 'It has none at all.'}`,
  );
}

type Change = {
  type: 'client.secret-rotated' | 'client.switched' | 'client.api-key-changed';
  detail: Record<string, string>;
};

/** One change with its audit event, told to every node at commit. False when there was nothing to change. */
export function change(
  { db, realms, audit }: CommandContext,
  realm: Realm,
  clientId: string,
  { type, detail }: Change,
  act: (q: Queryable) => Promise<boolean>,
): Promise<boolean> {
  return db.transaction(async (q) => {
    await realms.lock(q);
    if (!(await act(q))) return false;
    await audit.record(q, { type, realmId: realm.id, clientId, detail });
    await realms.announce(q);
    return true;
  });
}

/** Prefixed, so that scanners of source code know it for a secret. */
const newSecret = (): string => createTaggedToken('cws');

function hostsOf({ redirectUris }: StoredClient): string {
  return [...new Set(redirectUris.map((uri) => new URL(uri).host))].join(', ');
}
