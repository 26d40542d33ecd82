// THE WIRING: every feature made once, bottom-up, in the order that also fixes who may import whom.

import {
  createAccounts,
  createCodeAccounts,
  createEmailChange,
  createErasure,
  createLetters,
  createOneTimeCodes,
  createOwnership,
  createPasswordChange,
  createPasswordReset,
  createSignedInMemory,
  createVerification,
} from './accounts/accounts.ts';
import { createReader } from './accounts/middleware.ts';
import { createAudit } from './audit/audit.ts';
import { createChallenges } from './challenges/challenges.ts';
import { createClients } from './clients/clients.ts';
import type { Config } from './config.ts';
import { openDatabase } from './db/database.ts';
import { startJobs } from './db/jobs.ts';
import { openLease } from './db/lease.ts';
import { openNotifications } from './db/notify.ts';
import { createOutbox } from './db/outbox.ts';
import { createGuardedFetch } from './http/outgoing.ts';
import { createPages } from './http/page.ts';
import { createPageScripts } from './http/page_scripts.ts';
import { createKeys } from './keys/keys.ts';
import type { Log } from './lib/log.ts';
import { createMetrics } from './lib/metrics.ts';
import { createLogin } from './login/login.ts';
import { createMessages, createSmtp, createTextWebhook } from './messages/messages.ts';
import { createMfa } from './mfa/mfa.ts';
import {
  createClientAuthentication,
  createGrants,
  createHostTokens,
  createIntegrationTokens,
  createOAuth,
  createProvider,
  createRegistration,
  createTokenMemory,
  createTokens,
  endTokens,
} from './oauth/oauth.ts';
import { createBackChannelLogout, endSession, recordEnd } from './oidc/oidc.ts';
import { createBreachedPasswords, createPasswords } from './passwords/passwords.ts';
import { createProducts } from './products/products.ts';
import { createRateLimits } from './ratelimit/ratelimit.ts';
import { createSitePages } from './realms/middleware.ts';
import { brandOf, createRealms } from './realms/realms.ts';
import { createSessions, createStreams } from './sessions/sessions.ts';
import { createUpstream, forgetIdentities, hasIdentity } from './upstream/upstream.ts';

export type Services = Awaited<ReturnType<typeof createServices>>;

/**
 * Makes every feature over one database.
 * @param options databaseUrl: a migrated database; secrets: key material, newest first
 */
export async function createServices(options: {
  config: Config;
  databaseUrl: string;
  secrets: readonly string[];
  log: Log;
}) {
  const { config, databaseUrl, secrets, log } = options;
  const metrics = createMetrics();
  const db = openDatabase({
    url: databaseUrl,
    poolSize: config.poolSize,
    applicationName: 'causeway',
    namedStatements: config.namedStatements,
    changes: {
      settle: (xid) => lease.settle(xid),
      settleAll: () => lease.settleAll(),
      note: (key) => lease.note(key),
    },
  });
  const notifications = openNotifications({ url: databaseUrl, log });
  const lease = openLease({ db, notifications, log });

  const outgoing = createGuardedFetch({ allowLoopback: config.allowLoopback });

  const audit = createAudit();
  const rateLimits = createRateLimits({ db });
  const keys = createKeys({
    db,
    notifications,
    secrets,
    policy: { rotateSeconds: config.keyRotationSeconds, publishSeconds: config.keyPublishSeconds, tokenSeconds: 3600 },
  });
  const realms = createRealms({ db, notifications, secrets: () => secrets });
  const pageScripts = createPageScripts();
  const views = createPages({
    viewsFolder: new URL('../views', import.meta.url).pathname,
    overridesFolder: config.viewsFolder,
    scripts: pageScripts.urls,
  });
  const pages = createSitePages({ pages: views });
  const messages = createMessages({
    db,
    audit,
    rateLimits,
    views,
    secrets,
    log,
    count: metrics.countMessage,
    smtp: config.smtpUrl && createSmtp(config.smtpUrl.reveal()),
    from: config.mailFrom,
    texts:
      config.smsWebhook && config.smsWebhookSecret
        ? createTextWebhook({ url: config.smsWebhook, secret: config.smsWebhookSecret.reveal(), fetch: outgoing })
        : null,
    senderOf: async (realmId, clientRowId) => {
      const realm = await realms.findById(realmId);
      const client = clientRowId && (await clients.findByRowId(clientRowId));
      const { locale = 'en', locales = [] } = realm?.settings ?? {};
      return (
        realm && { slug: realm.slug, authHost: realm.authHost, brand: brandOf(realm, client?.brand), locale, locales }
      );
    },
  });
  const clients = createClients({ db, notifications, secrets: () => secrets });
  const sessions = createSessions({
    db,
    audit,
    endSession,
    onRevoked: recordEnd,
    onTouchFail: (err) =>
      log.warn({ err }, 'sessions in use could not be noted as seen; their readers are answered, and noted later'),
  });
  const streams = createStreams({ sessions, notifications, log });
  const challenges = createChallenges({ db, secrets });
  const passwords = createPasswords({
    concurrency: config.hashingConcurrency,
    isBreached: config.breachedPasswordsUrl
      ? createBreachedPasswords({
          url: config.breachedPasswordsUrl,
          fetch: outgoing,
          onDown: (err) => log.warn({ err }, 'leaked passwords could not be asked about; the new password was taken'),
        })
      : null,
  });
  const signedInMemory = createSignedInMemory({ lease, most: config.sessionMemory });
  const accounts = createAccounts({ db, audit, realms, passwords, sessions, memory: signedInMemory });
  const reader = createReader({ accounts });
  const mfa = createMfa({ db, audit, rateLimits, accounts, messages, secrets, hasIdentity });
  const ownership = createOwnership({
    audit,
    sessions,
    challenges,
    onSecured: [endTokens, (q, account) => mfa.endChallenges(q, account.id)],
    // What features add that hold more ways into an account: second factors, linked providers.
    onReclaimed: [
      forgetIdentities,
      async (q, account) => {
        const realm = await realms.findById(account.realmId);
        if (realm) await mfa.reset(q, realm, account);
      },
    ],
  });
  const letters = createLetters({ db, realms, rateLimits, challenges, messages });
  const verification = createVerification({ db, audit, realms, challenges, letters });
  const passwordReset = createPasswordReset({
    db,
    audit,
    rateLimits,
    realms,
    passwords,
    challenges,
    letters,
    messages,
    ownership,
    secrets,
  });
  const emailChange = createEmailChange({ db, audit, challenges, letters, messages, ownership });
  const passwordChange = createPasswordChange({ db, audit, realms, passwords, sessions, messages, ownership });
  const erasure = createErasure({ db, audit, sessions, messages });
  const oneTimeCodes = createOneTimeCodes({ db, audit, challenges, letters, ownership, emailChange });
  const codeAccounts = createCodeAccounts({ db, audit, challenges, ownership });
  const login = createLogin({
    db,
    audit,
    rateLimits,
    sessions,
    accounts,
    passwords,
    mfa,
    challenges,
    messages,
    letters,
    codeAccounts,
    secrets,
    fetch: outgoing,
    oldSessionSecret: config.oldSessionSecret?.reveal() ?? null,
  });
  const upstream = createUpstream({
    db,
    audit,
    rateLimits,
    realms,
    accounts,
    ownership,
    messages,
    mfa,
    login,
    fetch: outgoing,
  });
  const oauth = createOAuth({ db, audit, sessions });
  const tokenMemory = createTokenMemory({ lease, most: config.sessionMemory });
  const provider = createProvider({ db, audit, memory: tokenMemory });
  const registration = createRegistration({ db, audit, clients, allowLoopback: config.allowLoopback });
  const clientAuthentication = createClientAuthentication({ clients, takeOnce: provider.takeOnce, fetch: outgoing });
  const backChannelLogout = createBackChannelLogout({ db, audit, clients, keys, notifications, log, fetch: outgoing });
  const hostTokens = createHostTokens({ db, audit, clients, sessions });
  const integrationTokens = createIntegrationTokens({ db, audit, clients, keys });
  const grants = createGrants({
    db,
    audit,
    accounts,
    tokens: createTokens({ keys }),
    noteClient: backChannelLogout.noteClient,
  });
  const outbox = createOutbox({
    url: databaseUrl,
    log,
    isPrepared: config.namedStatements,
    tasks: [...backChannelLogout.tasks, ...messages.tasks, ...letters.tasks],
  });
  const products = createProducts({ db, audit, accounts, provider, login });

  await notifications.start();
  await lease.start();
  await outbox.start();
  const jobs = startJobs({
    db,
    log,
    jobs: [
      ...lease.jobs,
      ...rateLimits.jobs,
      ...sessions.jobs,
      ...mfa.jobs,
      ...upstream.jobs,
      ...challenges.jobs,
      ...oauth.jobs,
      ...provider.jobs,
      ...registration.jobs,
      ...products.jobs,
      ...keys.jobs(() => realms.listIds()),
      ...backChannelLogout.jobs,
      ...messages.jobs,
      ...outbox.jobs,
    ],
  });
  metrics.observeDatabase(() => db.pool());
  metrics.observeHashing(() => passwords.load());
  metrics.observeStreams(() => streams.count());

  /** Lets go of everything, last made first. */
  async function close() {
    await jobs.close();
    await outbox.close();
    messages.close();
    streams.close();
    await lease.close();
    await notifications.close();
    await db.close();
  }

  return {
    config,
    secrets,
    log,
    metrics,
    db,
    notifications,
    lease,
    audit,
    rateLimits,
    realms,
    pageScripts,
    pages,
    messages,
    clients,
    sessions,
    streams,
    passwords,
    challenges,
    accounts,
    signedInMemory,
    reader,
    ownership,
    letters,
    verification,
    passwordReset,
    emailChange,
    passwordChange,
    erasure,
    oneTimeCodes,
    mfa,
    login,
    upstream,
    oauth,
    keys,
    provider,
    registration,
    clientAuthentication,
    grants,
    hostTokens,
    integrationTokens,
    backChannelLogout,
    outbox,
    products,
    close,
  };
}
