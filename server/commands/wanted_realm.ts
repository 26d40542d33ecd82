// What a realm file wants, once it is known to be right; and, before that, as much of it as can be made out.

import { type ClientDraft, LANDING_PATH } from '../clients/clients.ts';
import type { Host } from '../lib/ids.ts';
import { hashToken } from '../lib/token.ts';
import { parseOrigin } from '../lib/url.ts';
import type { UpstreamDraft } from '../realms/realms.ts';
import { SECRET_KEYS, upstreamIdOf, upstreamNameOf } from '../upstream/upstream.ts';
import type { Path } from './yaml_text.ts';

export type Place = { host: Host; origin: string };
export type Kind = ClientDraft['kind'];

/** A realm as the file describes it; what is undefined or absent is not mentioned. */
export type WantedRealm = {
  slug: string;
  auth: Place;
  /** Null for the hosted page. */
  authenticationUrl: string | null | undefined;
  settings: Record<string, unknown>;
  brand: Record<string, unknown>;
  /** Secrets that the file gives; those that it leaves out stay. */
  upstreams: (Omit<UpstreamDraft, 'secrets'> & {
    secrets: Record<string, { plain: string; variable: string | null }>;
  })[];
  clients: { draft: ClientDraft; origin: string | null }[];
};

/** As much of a realm as can be made out even if it has faults; for the checks that compare one thing with another. */
export type RealmOutline = {
  path: Path;
  slug: string | null;
  auth: Place | null;
  authenticationUrl: string | null | undefined;
  settings: Raw;
  upstreams: { path: Path; id: string; secretKey: string; hasSecret: boolean }[];
  clients: {
    path: Path;
    id: string | null;
    kind: Kind;
    place: Place | null;
    hasSecret: boolean;
    proxySecret: string | null;
    /** Whether it authenticates with a secret. */
    needsSecret: boolean;
  }[];
};

export type Raw = Record<string, unknown>;

/** What can be made out of a realm, whatever it holds. */
export function toOutline({ raw, path }: { raw: Raw; path: Path }): RealmOutline {
  return {
    path,
    slug: asText(raw['slug']),
    auth: parseOrigin(asText(raw['auth_domain']) ?? ''),
    authenticationUrl: pageOf(raw),
    settings: asRaw(raw['settings']) ?? {},
    upstreams: asList(raw['upstream']).map((value, index) => {
      const entry = asRaw(value) ?? {};
      const secretKey = entry['provider'] === 'apple' ? 'private_key' : 'client_secret';
      return { path: [...path, 'upstream', index], id: upstreamIdOf(entry), secretKey, hasSecret: secretKey in entry };
    }),
    clients: asList(raw['clients']).map((value, index) => {
      const client = asRaw(value) ?? {};
      const kind = kindOf(client);
      return {
        path: [...path, 'clients', index],
        id: asText(client['id']),
        kind,
        place: kind === 'first-party' ? parseOrigin(asText(client['domain']) ?? '') : null,
        hasSecret: 'secret' in client,
        proxySecret: asText(client['proxy_secret']),
        needsSecret: !['none', 'private_key_jwt'].includes(String(client['token_endpoint_auth_method'])),
      };
    }),
  };
}

/** A realm without faults as what is wanted. */
export function toWanted(raw: Raw, variableOf: (path: Path) => string | null = () => null): WantedRealm {
  return {
    slug: String(raw['slug']),
    auth: placeOf(raw['auth_domain']),
    authenticationUrl: pageOf(raw),
    settings: asRaw(raw['settings']) ?? {},
    brand: asRaw(raw['brand']) ?? {},
    upstreams: asList(raw['upstream']).map((entry, index) =>
      toWantedUpstream(asRaw(entry) ?? {}, (key) => variableOf(['upstream', index, key])),
    ),
    clients: asList(raw['clients']).map((client, index) =>
      toWantedClient(asRaw(client) ?? {}, (key) => variableOf(['clients', index, key])),
    ),
  };
}

function toWantedUpstream(raw: Raw, variableOf: (key: string) => string | null): WantedRealm['upstreams'][number] {
  const { provider, id: _, name: __, ...rest } = raw;
  const isSecret = ([key]: [string, unknown]) => SECRET_KEYS.includes(key);
  const given = Object.entries(rest).filter((entry) => isSecret(entry));
  return {
    id: upstreamIdOf(raw),
    provider: String(provider),
    name: upstreamNameOf(raw),
    settings: Object.fromEntries(Object.entries(rest).filter((entry) => !isSecret(entry))),
    secrets: Object.fromEntries(
      given.map(([key, plain]) => [key, { plain: String(plain).trim(), variable: variableOf(key) }]),
    ),
  };
}

/** A client without faults as what is wanted. */
export function toWantedClient(
  raw: Raw,
  variableOf: (key: string) => string | null = () => null,
): WantedRealm['clients'][number] {
  const { id, kind: _, name, domain, proxy_secret, secret, redirect_uris, disabled, brand, ...others } = raw;
  const { integration_secret, backend_redirect_uris, ...protocol } = others;
  const integrationSecret = asText(integration_secret);
  const place = domain === undefined ? null : placeOf(domain);
  const draft = {
    clientId: String(id),
    kind: kindOf(raw),
    name: (asText(name) ?? String(id)).trim(),
    domain: place?.host ?? null,
    // The landing page stands first: a flow that starts again goes there.
    redirectUris: place
      ? [`${place.origin}${LANDING_PATH}`, ...asList(backend_redirect_uris).map(String)]
      : asList(redirect_uris).map(String),
    secret: asText(secret),
    proxySecret: asText(proxy_secret),
    integrationSecret:
      integrationSecret === null ? null : { plain: integrationSecret, variable: variableOf('integration_secret') },
    protocol: withHashedHook(protocol),
    brand: asRaw(brand) ?? {},
    isDisabled: disabled === true,
  };
  return { draft, origin: place?.origin ?? null };
}

/** The secret of a hook is kept as its hash. */
function withHashedHook(protocol: Raw): Raw {
  const { secret, ...pushback } = asRaw(protocol['pushback']) ?? {};
  return typeof secret === 'string'
    ? { ...protocol, pushback: { ...pushback, secret_sha256: hashToken(secret).toString('hex') } }
    : protocol;
}

const pageOf = (raw: Raw): string | null | undefined =>
  raw['authentication_url'] === undefined ? undefined : asText(raw['authentication_url']);

function placeOf(text: unknown): Place {
  const place = parseOrigin(String(text));
  if (!place) throw new Error(`not a host: ${text}`);
  return place;
}

/** The kind of a client; guessed from its other keys where it is not said, so that those are checked all the same. */
export function kindOf(raw: Raw): Kind {
  if (raw['kind'] === 'first-party' || raw['kind'] === 'third-party') return raw['kind'];
  return 'redirect_uris' in raw || 'secret' in raw ? 'third-party' : 'first-party';
}

export const asRaw = (value: unknown): Raw | null =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Raw) : null;
export const asList = (value: unknown): unknown[] => (Array.isArray(value) ? value : []);
const asText = (value: unknown): string | null => (typeof value === 'string' ? value : null);
