// `npm start` without DATABASE_URL: the embedded PostgreSQL, the demo realm with one reader, three publisher sites, and a
// word on where to click. Its data survives a restart. Demo values exist only here.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { applyRealmFile } from '../server/commands/apply.ts';
import { type Config, Secret } from '../server/config.ts';
import { embeddedSecret, openEmbedded } from '../server/db/embedded.ts';
import { createLog } from '../server/lib/log.ts';
import type { Services } from '../server/services.ts';
import { startServer } from '../server/start.ts';
import { startMailCatcher } from './mail_catcher.ts';
import { MAIL_HOSTNAME } from './mail_site.ts';
import { startDemoSites } from './sites.ts';

export const DEMO_READER = {
  email: 'reader@example.com',
  password: 'correct horse battery staple',
  name: 'Robin Reader',
};
const LOOPBACK = ['127.0.0.1', '::1'];

/** Starts the demo; pushes what must be closed, in order of making. `PORT` is the auth domain's port, the sites use the next. */
export async function startDemo(options: { config: Config; closers: (() => Promise<void>)[] }): Promise<void> {
  const started = performance.now();
  const say = (line: string) => process.stdout.write(`${line}\n`);
  const ports = { auth: options.config.port || 8080, sites: (options.config.port || 8080) + 1 };
  // The sites' proxies run on this machine; the log goes quiet, so that the lines below stay on the screen.
  const catcher = await startMailCatcher();
  options.closers.push(catcher.close);
  const mailOrigin = `http://${MAIL_HOSTNAME}:${ports.sites}`;
  const config: Config = {
    ...options.config,
    port: ports.auth,
    proxies: [...options.config.proxies, ...LOOPBACK],
    smtpUrl: options.config.smtpUrl ?? new Secret(catcher.smtpUrl),
    ...(options.config.smsWebhook === null && {
      smsWebhook: `${mailOrigin}/texts`,
      smsWebhookSecret: new Secret(catcher.webhookSecret),
    }),
  };
  const log = createLog({ level: config.logLevel === 'info' ? 'warn' : config.logLevel });

  const embedded = await openEmbedded({ folder: config.dataFolder, mayAdopt: true });
  options.closers.push(embedded.stop);
  const secrets =
    config.secrets.length > 0 ? config.secrets.map((secret) => secret.reveal()) : [embeddedSecret(embedded.folder)];
  const prepare = (services: Services) => prepareRealm(services, ports);
  const server = await startServer({ config, databaseUrl: embedded.url, secrets, log, prepare });
  options.closers.push(server.close);
  const authOrigin = `http://auth.localhost:${ports.auth}`;
  const sites = await startDemoSites({
    port: ports.sites,
    host: config.host,
    causeway: `http://${config.host}:${ports.auth}`,
    authOrigin,
    log: (line) => log.warn(line),
    catcher,
  });
  options.closers.push(sites.close);

  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  say('');
  say(`Causeway is running (${seconds} s). One login, three sites:`);
  say('');
  for (const origin of sites.origins) say(`  ${origin}`);
  say('');
  say(`  Sign in as   ${DEMO_READER.email}`);
  say(`  Password     ${DEMO_READER.password}`);
  say(`  Auth domain  ${authOrigin}`);
  say(`  Data         ${embedded.folder}`);
  say('');
  say(`  Mail that the server sends: ${mailOrigin}`);
  say('');
  say('Sign in on the first site, then open the second: you are signed in. Sign out on the third: all are signed out.');
  say('http is allowed on loopback names because this is a trial without DATABASE_URL. Stop with Ctrl-C.');
}

async function prepareRealm(
  { db, realms, clients, sessions, audit, accounts, config }: Services,
  ports: { auth: number; sites: number },
) {
  const fileName = join(import.meta.dirname, 'realm.yaml');
  const text = readFileSync(fileName, 'utf8')
    .replaceAll(':8080', `:${ports.auth}`)
    .replaceAll(':8081', `:${ports.sites}`);
  const applied = await applyRealmFile({
    text,
    fileName,
    environment: {},
    config,
    db,
    realms,
    clients,
    sessions,
    audit,
    isDryRun: false,
    isPrune: false,
  });
  if (!applied.ok) throw new Error(`The demo realm could not be made:\n${applied.faults.join('\n')}`);
  const realm = await realms.findBySlug('demo');
  if (!realm || (await accounts.findByEmail(db, realm.id, DEMO_READER.email))) return;
  const registered = await accounts.register(realm, DEMO_READER, { address: null });
  if (!registered.ok) throw new Error('The demo reader could not be made.');
}
