// What can be wrong with a realm file although each line of it is right: two things that claim the same name, host or
// secret, in the file or together with what the database has. Notes faults; changes nothing.

import type { StoredClient } from '../clients/clients.ts';
import type { Config } from '../config.ts';
import { hashToken } from '../lib/token.ts';
import { isLoopbackHost } from '../lib/url.ts';
import { warnOfUnserved } from '../mfa/mfa.ts';
import { type Domain, faultOfVerification, type StoredRealm, settingsSchema } from '../realms/realms.ts';
import { type RealmFile, spell } from './realm_file.ts';
import type { RealmOutline } from './wanted_realm.ts';
import type { Path } from './yaml_text.ts';

/** A realm with everything in it, as the database has it. */
export type StoredState = { realm: StoredRealm; domains: readonly Domain[]; clients: readonly StoredClient[] };

/** What the configuration has to say about realms. */
export type CheckedConfig = Pick<Config, 'allowLoopback' | 'isTrial' | 'smtpUrl' | 'smsWebhook'>;

type Checked = {
  file: RealmFile;
  stored: readonly StoredState[];
  isPrune: boolean;
  config: CheckedConfig;
};
type Claim = { host: string; path: Path; slug: string | null; says: string };
type Kept = { domain: Domain; slug: string; client: string | null };

/** Notes every contradiction within a file, and between it and the database, as a fault of the file. */
export function checkTogether(checked: Checked): void {
  const { file } = checked;
  const kept = checked.stored.flatMap((state) => listKeptDomains(state, checked));
  checkNames(file);
  checkHosts(file, kept);
  for (const outline of file.outlines) {
    const state = checked.stored.find(({ realm }) => realm.slug === outline.slug) ?? null;
    checkSignInPage(outline, state, { ...checked, kept });
    checkSecrets(file, outline, state);
    checkUpstreams(file, outline, state);
    checkVerification(outline, state, checked);
  }
  checkProxySecrets(checked);
  checkLoopback(checked, kept);
}

/** What an operator should know about a file that may well be applied: sites on which passkeys will not work. */
export function warnTogether(checked: Checked): string[] {
  const kept = checked.stored.flatMap((state) => listKeptDomains(state, checked));
  return checked.file.outlines.flatMap(({ slug, clients }) => {
    const own = clients.flatMap(({ place }) => (place ? [place.origin] : []));
    const others = kept.filter((one) => one.slug === slug && one.domain.role === 'client');
    return slug === null ? [] : (warnOfUnserved(slug, [...own, ...others.map(({ domain }) => domain.origin)]) ?? []);
  });
}

/** The domains that a realm will still have although the file does not speak of them. */
function listKeptDomains({ realm, domains, clients }: StoredState, { file, isPrune }: Checked): Kept[] {
  const outline = file.outlines.find(({ slug }) => slug === realm.slug);
  const mentioned = new Set(outline?.clients.map(({ id }) => id));
  return domains.flatMap((domain) => {
    const client = clients.find((candidate) => candidate.domain === domain.host)?.clientId ?? null;
    const isKept = !outline || (domain.role === 'client' && !isPrune && !mentioned.has(client));
    return isKept ? [{ domain, slug: realm.slug, client }] : [];
  });
}

function checkNames({ yaml, outlines }: RealmFile): void {
  const check = (entries: { name: string | null; path: Path }[], what: string) => {
    for (const [index, { name, path }] of entries.entries()) {
      const first = entries.findIndex((entry) => entry.name === name);
      if (name === null || first === index) continue;
      yaml.fault(
        path,
        `${spell(path)}: ${what} ${name} stands on line ${yaml.lineOf(entries[first]?.path ?? [])} already; write each once`,
      );
    }
  };
  check(
    outlines.map(({ slug, path }) => ({ name: slug, path: [...path, 'slug'] })),
    'realm',
  );
  for (const { clients } of outlines)
    check(
      clients.map(({ id, path }) => ({ name: id, path: [...path, 'id'] })),
      'client',
    );
}

function checkHosts({ yaml, outlines }: RealmFile, kept: readonly Kept[]): void {
  const claims: Claim[] = [];
  for (const { path, slug, auth, clients } of outlines) {
    if (auth)
      claims.push({ host: auth.host, path: [...path, 'auth_domain'], slug, says: `the auth domain of realm ${slug}` });
    for (const client of clients) {
      if (client.place)
        claims.push({
          host: client.place.host,
          path: [...client.path, 'domain'],
          slug,
          says: `the domain of client ${client.id}`,
        });
    }
  }
  for (const claim of claims) {
    const first = claims.find((other) => other.host === claim.host);
    const at = spell(claim.path);
    if (first && first !== claim) {
      yaml.fault(
        claim.path,
        `${at}: ${claim.host} is ${first.says} already (line ${yaml.lineOf(first.path)}); write a host that nothing else has`,
      );
    }
    const holder = kept.find(
      ({ domain, slug, client }) => domain.host === claim.host && (slug !== claim.slug || client !== null),
    );
    if (!holder) continue;
    const remedy =
      holder.slug === claim.slug
        ? `is the domain of client ${holder.client}, which this file does not mention; name that client too, or remove it with --prune`
        : `belongs to realm ${holder.slug} already, and a host belongs to one realm; write another host, or take it from that realm first`;
    yaml.fault(claim.path, `${at}: ${claim.host} ${remedy}`);
  }
}

function checkSignInPage(
  outline: RealmOutline,
  state: StoredState | null,
  { file, kept, isPrune }: Checked & { kept: readonly Kept[] },
): void {
  const left = isPrune ? null : (state?.realm.authenticationUrl ?? null);
  const page = outline.authenticationUrl === undefined ? left : outline.authenticationUrl;
  const isHostUnclear = !outline.auth || outline.clients.some(({ kind, place }) => kind === 'first-party' && !place);
  if (page === null || isHostUnclear || !URL.canParse(page)) return;
  const own = [outline.auth, ...outline.clients.map(({ place }) => place)].map((place) => place?.origin);
  const others = kept.filter(({ slug }) => slug === outline.slug).map(({ domain }) => domain.origin);
  if ([...own, ...others].includes(new URL(page).origin)) return;
  const path = [...outline.path, 'authentication_url'];
  const known = outline.authenticationUrl === undefined ? ` (${page}, as stored)` : '';
  file.yaml.fault(
    path,
    `${spell(path)}${known}: ${new URL(page).host} is no domain of this realm; write a page on its auth domain or on the domain of one of its clients`,
  );
}

function checkSecrets({ yaml }: RealmFile, outline: RealmOutline, state: StoredState | null): void {
  for (const client of outline.clients) {
    if (client.kind !== 'third-party' || client.hasSecret || !client.needsSecret) continue;
    const has = state?.clients.find(({ clientId }) => clientId === client.id)?.secretHashes.length ?? 0;
    const path = [...client.path, 'secret'];
    if (has > 0) continue;
    yaml.fault(
      path,
      `${spell(path)} is missing: a new client needs one, such as \${NAME} from the environment, or token_endpoint_auth_method: none`,
    );
  }
}

function checkUpstreams({ yaml }: RealmFile, { upstreams }: RealmOutline, state: StoredState | null): void {
  for (const [index, { id, path, secretKey, hasSecret }] of upstreams.entries()) {
    const first = upstreams.findIndex((other) => other.id === id);
    if (first !== index)
      yaml.fault(
        path,
        `${spell(path)}: the provider ${id} stands on line ${yaml.lineOf(upstreams[first]?.path ?? [])} already; write each once`,
      );
    const stored = state?.realm.upstreams.find((one) => one.id === id)?.secrets[secretKey];
    const at = [...path, secretKey];
    if (!hasSecret && !stored)
      yaml.fault(at, `${spell(at)} is missing: a new provider needs it, such as \${NAME} from the environment`);
  }
}

/** Without DATABASE_URL the demo catches what is sent, so everybody can be reached. */
function checkVerification(outline: RealmOutline, state: StoredState | null, { file, config, isPrune }: Checked): void {
  const left = isPrune ? {} : state?.realm.settings;
  const settings = settingsSchema.safeParse({ ...left, ...outline.settings }).data;
  if (!settings || config.isTrial) return;
  const fault = faultOfVerification(settings, { email: config.smtpUrl !== null, phone: config.smsWebhook !== null });
  const path = [...outline.path, 'settings', ...('verification' in outline.settings ? ['verification'] : [])];
  if (fault !== null) file.yaml.fault(path, `${spell(path)}: ${fault}`);
}

function checkProxySecrets({ file, stored }: Checked): void {
  const holders = new Map<string, string>();
  const outlineOf = (slug: string, id: string) =>
    file.outlines.find((realm) => realm.slug === slug)?.clients.find((client) => client.id === id);
  for (const { realm, clients } of stored) {
    for (const { clientId, proxySecretHash } of clients) {
      const isReplaced = outlineOf(realm.slug, clientId)?.proxySecret != null;
      if (proxySecretHash && !isReplaced) holders.set(proxySecretHash.toString('hex'), `${realm.slug}/${clientId}`);
    }
  }
  for (const { slug, clients } of file.outlines) {
    for (const { id, path, proxySecret } of clients) {
      if (proxySecret === null) continue;
      const hash = hashToken(proxySecret).toString('hex');
      const at = [...path, 'proxy_secret'];
      if (holders.has(hash))
        file.yaml.fault(
          at,
          `${spell(at)}: another client has the same (${holders.get(hash)}); write one of its own, it is what tells proxies apart`,
        );
      holders.set(hash, `${slug}/${id}`);
    }
  }
}

/** Security 198: plain http on loopback and a public auth domain never meet in one installation. */
function checkLoopback({ file, config }: Checked, kept: readonly Kept[]): void {
  if (!config.allowLoopback) return;
  const keptPublic = kept.find(({ domain }) => domain.role === 'auth' && !isLoopbackHost(domain.host));
  for (const { path, auth } of file.outlines) {
    const at = [...path, 'auth_domain'];
    if (!auth) continue;
    if (!isLoopbackHost(auth.host)) {
      const remedy = config.isTrial
        ? 'set DATABASE_URL: the embedded database is for trying things on names such as auth.localhost:8080'
        : 'unset CAUSEWAY_DANGEROUSLY_ALLOW_LOOPBACK';
      file.yaml.fault(
        at,
        `${spell(at)}: ${auth.host} is public, which is refused while http on loopback names is allowed; ${remedy}`,
      );
    } else if (keptPublic) {
      file.yaml.fault(
        at,
        `${spell(at)}: ${auth.host} is a loopback name, but realm ${keptPublic.slug} has the public auth domain ${keptPublic.domain.host}; write a public host`,
      );
    }
  }
}
