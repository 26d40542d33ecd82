// The real server on a free port, over a database of its own: one realm with an auth domain and the client domains news,
// sports and shop. Requests go to the port with the Host header of the site, as a publisher's proxy would send them.

import { randomBytes } from 'node:crypto';
import type { ExecutionContext } from 'ava';
import type { Account } from '../../server/accounts/accounts.ts';
import { applyRealmFile } from '../../server/commands/apply.ts';
import { type Config, loadConfig } from '../../server/config.ts';
import { asAccountId } from '../../server/lib/ids.ts';
import { createLog } from '../../server/lib/log.ts';
import { CONFIGURATION_CHANNEL } from '../../server/realms/realms.ts';
import { type RunningServer, startServer } from '../../server/start.ts';
import { createBrowser } from './browser.ts';
import { createDatabase, type TestDatabase } from './database.ts';
import { startForwarder } from './forwarder.ts';
import type { Mailbox } from './mailbox.ts';

export const PASSWORD = 'a long enough password';
export const HOSTS = {
  auth: 'auth.test.localhost',
  news: 'news.test.localhost',
  sports: 'sports.test.localhost',
  shop: 'shop.test.localhost',
} as const;
export type SiteName = keyof typeof HOSTS;

/** http origin of a site, as registered. */
export const originOf = (site: SiteName) => `http://${HOSTS[site]}`;
export const landingOf = (site: SiteName) => `${originOf(site)}/api/auth/v1/oauth/token`;

export const REALM_YAML = `
realms:
  - slug: test
    auth_domain: ${HOSTS.auth}
    settings: { signup: open }
    brand: { name: Test Group }
    clients:
      - { id: news, kind: first-party, name: The News, domain: ${HOSTS.news} }
      - { id: sports, kind: first-party, name: The Sports, domain: ${HOSTS.sports} }
      - { id: shop, kind: first-party, name: The Shop, domain: ${HOSTS.shop} }
`;

export type TestServer = Awaited<ReturnType<typeof startTestServer>>;

/**
 * Starts a server for a test file.
 * @param options yaml: the realm file (the realm above if absent); database: share one, for a second node; env: settings;
 *   mailbox: where its e-mails go (test/support/mailbox.ts); without one it sends none
 */
export async function startTestServer(
  options: { yaml?: string; database?: TestDatabase; env?: Record<string, string>; mailbox?: Mailbox } = {},
) {
  const database = options.database ?? (await createDatabase());
  const lines: string[] = [];
  const secret = options.env?.['CAUSEWAY_SECRET'] ?? 'test-secret-0123456789-abcdefghijklmnopqrstuvwxyz';
  const config: Config = loadConfig({
    DATABASE_URL: database.url,
    CAUSEWAY_SECRET: secret,
    PORT: '0',
    CAUSEWAY_DANGEROUSLY_ALLOW_LOOPBACK: '1',
    CAUSEWAY_DRAIN: '1s',
    CAUSEWAY_DATABASE_CONNECTIONS: '12',
    ...(options.mailbox && { SMTP_URL: options.mailbox.url }),
    ...options.env,
  });
  const log = createLog({ level: 'info', destination: { write: (line) => void lines.push(line) } });
  const secrets = config.secrets.map((one) => one.reveal());
  const running: RunningServer = await startServer({ config, databaseUrl: database.url, secrets, log });
  const { services } = running;

  /** Applies a realm file; fails the test on any fault. */
  async function apply(text: string, environment: Record<string, string> = {}, more: { isPrune?: boolean } = {}) {
    const { db, realms, clients, sessions, audit } = services;
    const applied = await applyRealmFile({
      text,
      fileName: '-',
      environment,
      config,
      db,
      realms,
      clients,
      sessions,
      audit,
      isDryRun: false,
      isPrune: more.isPrune ?? false,
    });
    if (!applied.ok) throw new Error(applied.faults.join('\n'));
    await hearConfiguration();
    return applied.changes;
  }

  // What a command changed is announced on a connection of its own (reliability R-22): a request that follows the command at
  // once may come before it. Announcements arrive in the order of their commits, so one of our own tells that the rest is heard.
  const awaited = new Map<string, () => void>();
  const hearAll = () => {
    for (const hear of awaited.values()) hear();
  };
  services.notifications.listen(CONFIGURATION_CHANNEL, {
    onMessage: (message) => awaited.get(message)?.(),
    onGap: hearAll,
  });
  async function hearConfiguration(): Promise<void> {
    const message = randomBytes(8).toString('hex');
    const heard = new Promise<void>((resolve) => awaited.set(message, resolve));
    await services.db.builder.raw('select pg_notify(?, ?)', [CONFIGURATION_CHANNEL, message]);
    await heard;
    awaited.delete(message);
  }
  if (!options.database) await apply(options.yaml ?? REALM_YAML);

  async function realm(slug = 'test') {
    const found = await services.realms.findBySlug(slug);
    if (!found) throw new Error(`no realm ${slug}`);
    return found;
  }

  /** A new account with PASSWORD; nothing that tests share is ever changed. */
  async function makeAccount(
    more: { email?: string; username?: string; name?: string; password?: string; realm?: string } = {},
  ): Promise<Account & { email: string }> {
    const email = more.email ?? `reader-${randomBytes(6).toString('hex')}@example.com`;
    const registered = await services.accounts.register(
      await realm(more.realm),
      { email, password: more.password ?? PASSWORD, username: more.username ?? null, name: more.name ?? 'Test Reader' },
      { address: null },
    );
    if (!registered.ok) throw new Error(JSON.stringify(registered.faults));
    return { ...registered.account, email };
  }

  /** A new account that never signs in by itself: for sessions that are made directly, in numbers. */
  async function makeAccountWithoutPassword(): Promise<Account> {
    const { id } = await realm();
    const email = `reader-${randomBytes(6).toString('hex')}@example.com`;
    const [row] = await services.db
      .builder('accounts')
      .insert({
        realm_id: id,
        sub: randomBytes(16).toString('hex'),
        email,
        email_canonical: email,
        name: 'Test Reader',
      })
      .returning('id');
    const account = await services.accounts.findById(services.db, asAccountId(String(row?.['id'])));
    if (!account) throw new Error('no account');
    return account;
  }

  /** A browser with cookies of its own, talking to this server. */
  const browser = (ports: readonly number[] = [running.port]) => createBrowser({ ports });

  async function close() {
    await running.close();
    if (!options.database) await database.drop();
  }

  return {
    port: running.port,
    opsPort: running.opsPort,
    services,
    database,
    lines,
    apply,
    realm,
    makeAccount,
    makeAccountWithoutPassword,
    browser,
    close,
  };
}

/** Another node beside a server, which can be kept from hearing its database; both end with the test. */
export async function startBehindForwarder(t: ExecutionContext, { database }: TestServer) {
  const forwarder = await startForwarder(database.url);
  t.teardown(forwarder.close);
  const node = await startTestServer({ database: { ...database, url: forwarder.url } });
  t.teardown(node.close);
  return { node, forwarder };
}
