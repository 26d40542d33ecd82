// One running server: migrated database → features → app → listeners; `close` goes the same way back.

import { createApp } from './app.ts';
import type { Config } from './config.ts';
import { migrate } from './db/migrate.ts';
import { createFront } from './front/front.ts';
import { type Listener, listen } from './http/server.ts';
import type { Log } from './lib/log.ts';
import { MOST_LABELS, warnOfUnserved } from './mfa/mfa.ts';
import { listenOps, type Ops } from './ops/ops.ts';
import { faultOfVerification, settingsSchema } from './realms/realms.ts';
import { createServices, type Services } from './services.ts';

export type RunningServer = { port: number; opsPort: number | null; services: Services; close(): Promise<void> };

/**
 * Starts a server.
 * @param options secrets: key material, newest first; prepare: runs after the features are made and before the first request;
 *   settle: runs last before it, when everything is made
 * @throws when the port is taken, the database cannot be reached, or the stored realms contradict the configuration
 */
export async function startServer(options: {
  config: Config;
  databaseUrl: string;
  secrets: readonly string[];
  log: Log;
  prepare?: (services: Services) => Promise<void>;
  settle?: () => void;
}): Promise<RunningServer> {
  const { config, databaseUrl, log } = options;
  await migrate(databaseUrl);
  const services = await createServices(options);
  const listeners: { public?: Listener; ops?: Ops } = {};

  async function close() {
    listeners.ops?.setDraining();
    services.streams.close();
    await listeners.public?.close(config.drainSeconds);
    await listeners.ops?.close();
    await services.close();
  }

  try {
    await options.prepare?.(services);
    await refuseContradictions(services);
    if (!services.messages.canReach('email'))
      log.warn(
        'SMTP_URL is not set: no e-mail is sent, and what needs it (verification, password reset, codes) is switched off.',
      );
    await warnOfDomains(services);
    if (config.opsPort !== null) {
      listeners.ops = await listenOps({
        port: config.opsPort,
        host: config.host,
        db: services.db,
        metrics: services.metrics,
      });
    }
    const answers = { answerInFront: createFront(services), answerGenerally: createApp(services).callback() };
    options.settle?.();
    listeners.public = await listen({ ...answers, port: config.port, host: config.host });
  } catch (error) {
    await close();
    throw error;
  }
  return { port: listeners.public.port, opsPort: listeners.ops?.port ?? null, services, close };
}

/**
 * Browsers let one auth domain serve so many names and no more. Of a realm with fewer sites only those without a name can be left
 * out; whoever applied it was told, and here the list of names need not be loaded.
 */
async function warnOfDomains({ realms, clients, log, db }: Services) {
  for (const { id, slug } of await realms.listStored(db)) {
    const origins = (await clients.listSites(id)).map(({ origin }) => origin);
    const warning = origins.length > MOST_LABELS ? warnOfUnserved(slug, origins) : null;
    if (warning) log.warn(warning);
  }
}

/** What the stored realms ask for and this installation cannot do, and loopback relaxations beside a public auth domain. */
async function refuseContradictions({ config, realms, messages, db, log }: Services) {
  const reaches = { email: messages.canReach('email'), phone: messages.canReach('phone') };
  const faults = (await realms.listStored(db)).flatMap(({ slug, settings }) => {
    const fault = faultOfVerification(settingsSchema.parse(settings), reaches);
    return fault === null ? [] : [`Realm ${slug}, settings.verification: ${fault} (npx causeway apply).`];
  });
  if (faults.length > 0) throw new Error(faults.join('\n'));
  if (!config.allowLoopback) return;
  const exposed = await realms.listPublicAuthDomains();
  if (exposed.length > 0) {
    throw new Error(
      `CAUSEWAY_DANGEROUSLY_ALLOW_LOOPBACK is on, but these auth domains are public: ${exposed.join(', ')}. Switch it off (and set DATABASE_URL).`,
    );
  }
  if (!config.isTrial)
    log.warn(
      'CAUSEWAY_DANGEROUSLY_ALLOW_LOOPBACK is on: http and outgoing calls are permitted on loopback names. Never use this for a public site.',
    );
}
