// THE KNOBS: every setting of the server, in one table; the only file that reads the environment.
// `loadConfig` is pure: it takes an environment, reports all faults at once, and returns a frozen value grouped by feature.
// docs/configuration.md is generated from the table.

import { availableParallelism } from 'node:os';
import ipaddr from 'ipaddr.js';
import { parseDuration } from './lib/duration.ts';
import { parseEmail } from './lib/email.ts';

/** A value that prints as `[secret]` wherever it ends up by accident. */
export class Secret {
  readonly #value: string;
  constructor(value: string) {
    this.#value = value;
  }
  /** The value itself; call it only where it is used. */
  reveal(): string {
    return this.#value;
  }
  toString() {
    return '[secret]';
  }
  toJSON() {
    return '[secret]';
  }
  [Symbol.for('nodejs.util.inspect.custom')]() {
    return '[secret]';
  }
}

type Setting<T> = {
  variable: string;
  parse(text: string): T | { fault: string };
  fallback: () => T;
  shown: string;
  secret?: true;
  says: string;
};

const fault = (text: string) => ({ fault: text });
const whole = (least: number, most: number) => (text: string) => {
  const value = Number(text);
  return Number.isInteger(value) && value >= least && value <= most
    ? value
    : fault(`must be a whole number from ${least} to ${most}`);
};
const oneOf =
  <T extends string>(...choices: T[]) =>
  (text: string) =>
    choices.find((choice) => choice === text) ?? fault(`must be one of ${choices.join(', ')}`);
const seconds = (text: string) => parseDuration(text) ?? fault('must be a duration such as 30s, 5m or 12h');
const flag = (text: string) => (text === '1' ? true : text === '0' ? false : fault('must be 1 or 0'));

const set = <T>(setting: Setting<T>) => setting;

export const SETTINGS = {
  databaseUrl: set<Secret | null>({
    variable: 'DATABASE_URL',
    parse: (text) => (/^postgres(ql)?:\/\//.test(text) ? new Secret(text) : fault('must begin with postgres://')),
    fallback: () => null,
    shown: 'an embedded PostgreSQL with the demo',
    secret: true,
    says: 'PostgreSQL to use. When set, no demo data is ever made and CAUSEWAY_SECRET is required.',
  }),
  port: set<number>({
    variable: 'PORT',
    parse: whole(0, 65_535),
    fallback: () => 8080,
    shown: '8080',
    says: 'Port to listen on; 0 picks a free one.',
  }),
  host: set<string>({
    variable: 'CAUSEWAY_HOST',
    parse: (text) => (ipaddr.isValid(text) ? text : fault('must be an IP address to listen on')),
    fallback: () => '127.0.0.1',
    shown: '127.0.0.1',
    says: 'Address to listen on; 0.0.0.0 or :: for every interface, as in a container behind a proxy.',
  }),
  opsPort: set<number | null>({
    variable: 'CAUSEWAY_OPS_PORT',
    parse: whole(0, 65_535),
    fallback: () => null,
    shown: 'off',
    says: 'Private port for /healthz, /readyz and /metrics on the same address; never route the public to it.',
  }),
  processes: set<number>({
    variable: 'CAUSEWAY_PROCESSES',
    parse: whole(1, 256),
    fallback: () => 1,
    shown: '1',
    says: 'Processes that share the port, one for each core; each is a node of its own with that many database connections. The private ports are CAUSEWAY_OPS_PORT and the ones after it.',
  }),
  secrets: set<readonly Secret[]>({
    variable: 'CAUSEWAY_SECRET',
    parse: parseSecrets,
    fallback: () => [],
    shown: 'required with DATABASE_URL',
    secret: true,
    says: 'Key material, 32 characters or more, the same on every node. To replace it write `new,old`: the first signs, all verify. Losing it loses the signing keys of the standard provider and the sign-in pages that are open; no session.',
  }),
  proxies: set<readonly string[]>({
    variable: 'CAUSEWAY_PROXIES',
    parse: parseNetworks,
    fallback: () => [],
    shown: 'none',
    says: 'Addresses of your own proxies and load balancers, comma-separated, CIDR allowed. Only they are believed about `X-Forwarded-For`; everybody else is known by the address of the connection.',
  }),
  poolSize: set<number>({
    variable: 'CAUSEWAY_DATABASE_CONNECTIONS',
    parse: whole(2, 200),
    fallback: () => 10,
    shown: '10',
    says: 'Most connections to PostgreSQL that one node opens; one for notifications and three for the outbox come on top.',
  }),
  sessionMemory: set<number>({
    variable: 'CAUSEWAY_SESSION_MEMORY',
    parse: whole(0, 10_000_000),
    fallback: () => 10_000,
    shown: '10000',
    says: 'Most sessions that one node keeps in memory, and most access tokens, some 2 KB each; 0 asks PostgreSQL every time. Each is read anew after a minute at most, so as many are of use as readers come to the node in a minute. A sign-out counts everywhere at once either way.',
  }),
  namedStatements: set<boolean>({
    variable: 'CAUSEWAY_NAMED_STATEMENTS',
    parse: flag,
    fallback: () => true,
    shown: '1',
    says: '0 sends hot statements unprepared, for a pooler that cannot keep prepared statements.',
  }),
  hashingConcurrency: set<number>({
    variable: 'CAUSEWAY_HASHING_CONCURRENCY',
    parse: whole(1, 64),
    fallback: () => Math.max(1, availableParallelism() - 1),
    shown: 'cores − 1, at least 1, shared among CAUSEWAY_PROCESSES',
    says: 'Passwords hashed at the same time by each process. More than cores − 1 slows every other request during a sign-in storm.',
  }),
  keyRotationSeconds: set<number>({
    variable: 'CAUSEWAY_KEY_ROTATION',
    parse: seconds,
    fallback: () => 90 * 86_400,
    shown: '90d',
    says: 'Age at which a signing key is replaced by a new one; the old one stays published until nothing signed with it is valid.',
  }),
  keyPublishSeconds: set<number>({
    variable: 'CAUSEWAY_JWKS_MAX_AGE',
    parse: seconds,
    fallback: () => 300,
    shown: '5m',
    says: 'How long clients may keep the published keys. A new key is published for twice as long before it signs.',
  }),
  breachedPasswordsUrl: set<string | null>({
    variable: 'CAUSEWAY_BREACHED_PASSWORDS_URL',
    parse: parseHttpUrl,
    fallback: () => null,
    shown: 'off; new passwords are held against the list that comes with Causeway',
    says: 'Service that knows leaked passwords, in the range form of Pwned Passwords (`https://api.pwnedpasswords.com/range`, or a copy of your own). It is told five hex digits of a SHA-1, never a password. When it does not answer within 1 s the password is taken.',
  }),
  smtpUrl: set<Secret | null>({
    variable: 'SMTP_URL',
    parse: parseSmtpUrl,
    fallback: () => null,
    shown: 'no e-mail; with the demo, its own mail catcher',
    secret: true,
    says: 'Mail server that sends for us: `smtps://user:password@host:465`, or `smtp://…:587`, where STARTTLS is required unless the host is a loopback name or `?tls=optional` is added. Without it everything that needs e-mail is switched off.',
  }),
  mailFrom: set<string | null>({
    variable: 'CAUSEWAY_MAIL_FROM',
    parse: (text) => parseEmail(text)?.address ?? fault('must be an e-mail address such as no-reply@example.com'),
    fallback: () => null,
    shown: 'no-reply@ and the auth domain of the realm',
    says: 'Sender address of e-mails. Its domain should allow the mail server by SPF and DKIM; the name shown is the brand of the realm.',
  }),
  smsWebhook: set<string | null>({
    variable: 'CAUSEWAY_SMS_WEBHOOK',
    parse: parseHttpUrl,
    fallback: () => null,
    shown: 'no text messages; with the demo, its own catcher',
    says: 'Address that text messages are handed to: POST of `{ id, to, text, template, locale, realm }` as JSON, signed. It must answer 2xx; the same `id` twice is the same message.',
  }),
  smsWebhookSecret: set<Secret | null>({
    variable: 'CAUSEWAY_SMS_WEBHOOK_SECRET',
    parse: (text) => (text.length >= 24 ? new Secret(text) : fault('must be 24 characters or more')),
    fallback: () => null,
    shown: 'required with CAUSEWAY_SMS_WEBHOOK',
    secret: true,
    says: 'Key of the signature (`webhook-signature`, as in Standard Webhooks: HMAC-SHA256 of `id.timestamp.body`): `whsec_` and base64, or any text.',
  }),
  oldSessionSecret: set<Secret | null>({
    variable: 'CAUSEWAY_OLD_SESSION_SECRET',
    parse: (text) => (text.length >= 16 ? new Secret(text) : fault('must be 16 characters or more')),
    fallback: () => null,
    shown: 'none',
    secret: true,
    says: 'Secret with which the former system signs the JWT of its session cookie, for `old_session` with HS256 (old-sessions.md).',
  }),
  viewsFolder: set<string | null>({
    variable: 'CAUSEWAY_VIEWS',
    parse: (text) => (text.startsWith('/') ? text : fault('must be an absolute path')),
    fallback: () => null,
    shown: 'none',
    says: 'Folder with templates, words and styles of your own, laid over ours (templates.md). It is read and checked at start; faults stop it.',
  }),
  logLevel: set<'debug' | 'info' | 'warn' | 'error' | 'silent'>({
    variable: 'CAUSEWAY_LOG_LEVEL',
    parse: oneOf('debug', 'info', 'warn', 'error', 'silent'),
    fallback: () => 'info',
    shown: 'info',
    says: 'Least severity of the lines that are logged.',
  }),
  drainSeconds: set<number>({
    variable: 'CAUSEWAY_DRAIN',
    parse: seconds,
    fallback: () => 10,
    shown: '10s',
    says: 'How long running requests may take to finish after SIGTERM.',
  }),
  dataFolder: set<string | null>({
    variable: 'CAUSEWAY_DATA',
    parse: (text) => (text.startsWith('/') ? text : fault('must be an absolute path')),
    fallback: () => null,
    shown: '.causeway in the checkout; as root a folder under /var/lib/causeway',
    says: 'Folder of the embedded PostgreSQL (trial and tests only).',
  }),
  allowLoopback: set<boolean>({
    variable: 'CAUSEWAY_DANGEROUSLY_ALLOW_LOOPBACK',
    parse: flag,
    fallback: () => false,
    shown: '0',
    says: '1 permits http on loopback names (*.localhost) and outgoing calls to loopback. For trying things on one machine; refused as soon as any auth domain is not a loopback name.',
  }),
} as const;

type Table = typeof SETTINGS;
type Values = { [Key in keyof Table]: ReturnType<Table[Key]['fallback']> };
export type Config = Readonly<Values & { isTrial: boolean }>;

/** All faults of an environment in one error, a line each. */
export class ConfigError extends Error {}

/**
 * Reads the settings from an environment.
 * @returns the frozen configuration; `isTrial` is true without DATABASE_URL (embedded database, demo, loopback allowed).
 * @throws ConfigError listing every fault, unknown `CAUSEWAY_…` variables included
 */
export function loadConfig(env: Readonly<Record<string, string | undefined>>): Config {
  const faults: string[] = [];
  const entries = Object.entries(SETTINGS).map(([key, setting]) => {
    const text = env[setting.variable];
    if (text === undefined || text === '') return [key, setting.fallback()] as const;
    const value = setting.parse(text);
    if (isFault(value)) {
      faults.push(`${setting.variable} ${value.fault}`);
      return [key, setting.fallback()] as const;
    }
    return [key, value] as const;
  });
  const known = new Set<string>(Object.values(SETTINGS).map((setting) => setting.variable));
  for (const name of Object.keys(env)) {
    if (name.startsWith('CAUSEWAY_') && !known.has(name)) faults.push(`${name} is not a setting of Causeway`);
  }
  const values = Object.fromEntries(entries) as unknown as Values;
  const hashingConcurrency = env['CAUSEWAY_HASHING_CONCURRENCY']
    ? values.hashingConcurrency
    : Math.max(1, Math.floor(values.hashingConcurrency / values.processes));
  const isTrial = values.databaseUrl === null;
  if (!isTrial && values.secrets.length === 0 && !env['CAUSEWAY_SECRET']) {
    faults.push('CAUSEWAY_SECRET must be set when DATABASE_URL is; make one with: openssl rand -base64 48');
  }
  if (isTrial && values.processes > 1)
    faults.push('CAUSEWAY_PROCESSES needs DATABASE_URL: the trial is one process with its own PostgreSQL');
  if (values.smsWebhook?.startsWith('http:') && !values.allowLoopback && !isTrial)
    faults.push('CAUSEWAY_SMS_WEBHOOK must be an https URL');
  if (values.smsWebhook !== null && values.smsWebhookSecret === null && !env['CAUSEWAY_SMS_WEBHOOK_SECRET'])
    faults.push('CAUSEWAY_SMS_WEBHOOK_SECRET must be set when CAUSEWAY_SMS_WEBHOOK is');
  if (faults.length > 0)
    throw new ConfigError(`The configuration has faults:\n${faults.map((f) => `  - ${f}`).join('\n')}`);
  return Object.freeze({ ...values, hashingConcurrency, allowLoopback: values.allowLoopback || isTrial, isTrial });
}

/** The configuration of this process. */
export function processConfig(): Config {
  return loadConfig(process.env);
}

/** The variables of this process, for a realm file that names some of them as `${NAME}`. */
export function processEnvironment(): Readonly<Record<string, string | undefined>> {
  return { ...process.env };
}

function isFault(value: unknown): value is { fault: string } {
  return typeof value === 'object' && value !== null && 'fault' in value;
}

function parseSecrets(text: string) {
  const parts = text.split(',').map((part) => part.trim());
  if (parts.some((part) => part.length < 32)) return fault('must be 32 characters or more (each, if several)');
  if (parts.some((part) => new Set(part).size < 8)) return fault('must be random, not a repeated pattern');
  return parts.map((part) => new Secret(part));
}

function parseNetworks(text: string) {
  const parts = text.split(',').map((part) => part.trim());
  const bad = parts.filter((part) => !ipaddr.isValid(part) && !ipaddr.isValidCIDR(part));
  return bad.length > 0 ? fault(`has entries that are no address or network: ${bad.join(', ')}`) : parts;
}

function parseHttpUrl(text: string) {
  return /^https?:\/\/[^/@]+(\/|$|\?)/.test(text) && URL.canParse(text)
    ? text
    : fault('must be an https URL without a user name');
}

function parseSmtpUrl(text: string) {
  const url = /^smtps?:\/\//.test(text) && URL.canParse(text) ? new URL(text) : null;
  if (!url?.hostname) return fault('must look like smtps://user:password@host:465 or smtp://host:587');
  // A user name that is no valid encoding would only be found out by the first mail.
  try {
    decodeURIComponent(`${url.username}${url.password}`);
  } catch {
    return fault('has a user name or password with a % that must be written as %25');
  }
  const known = url.search === '' || url.search === '?tls=optional';
  return known && url.hash === '' ? new Secret(text) : fault('takes nothing after the host but ?tls=optional');
}
