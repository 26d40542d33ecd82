// The realm file: from a YAML text to what an operator wants, or to every fault in it at once, each with its place and with
// what to write instead. Reading it asks neither the database nor the network, only the logo files that it names.

import { readFileSync } from 'node:fs';
import { extname, resolve } from 'node:path';
import { z } from 'zod';
import { checkBrand } from '../http/brand.ts';
import { parseOrigin } from '../lib/url.ts';
import { brandSchema } from '../realms/realms.ts';
import { createRealmSchemas, describeIssue, findNearest, type RealmSchemas } from './realm_schema.ts';
import {
  asList,
  asRaw,
  kindOf,
  type Raw,
  type RealmOutline,
  toOutline,
  toWanted,
  type WantedRealm,
} from './wanted_realm.ts';
import { type Environment, type Path, readYaml, type YamlText } from './yaml_text.ts';

export type RealmFile = {
  yaml: YamlText;
  outlines: RealmOutline[] /** Only to be used if `yaml` has no faults. */;
  wanted: WantedRealm[];
};

const LOGO_TYPES: Record<string, string> = { '.svg': 'image/svg+xml', '.png': 'image/png', '.webp': 'image/webp' };

/**
 * Reads a realm file.
 * @param options fileName: as shown in faults; folder: where relative logo files lie; environment: for `${NAME}`
 */
export function readRealmFile(
  text: string,
  options: { fileName: string; folder: string; environment: Environment; allowLoopback: boolean },
): RealmFile {
  const yaml = readYaml(text, options);
  if (!yaml.isReadable) return { yaml, outlines: [], wanted: [] };
  const schemas = createRealmSchemas(options);
  check(yaml, schemas.file, yaml.data, []);
  const realms = asList(asRaw(yaml.data)?.['realms']).map((value, index) => ({
    raw: asRaw(value) ?? {},
    value,
    path: ['realms', index],
  }));
  for (const { raw, value, path } of realms) {
    inlineLogo(yaml, raw, { path, folder: options.folder });
    for (const [index, client] of asList(raw['clients']).entries())
      inlineLogo(yaml, asRaw(client) ?? {}, { path: [...path, 'clients', index], folder: options.folder });
    check(yaml, schemas.realm, value, path);
    checkColours(yaml, raw['brand'], [...path, 'brand']);
    for (const [index, client] of asList(raw['clients']).entries())
      checkClient(yaml, schemas, client, [...path, 'clients', index]);
    for (const [index, provider] of asList(raw['upstream']).entries())
      checkUpstream(yaml, schemas, provider, [...path, 'upstream', index]);
  }
  return {
    yaml,
    outlines: realms.map(toOutline),
    wanted:
      yaml.faults().length > 0
        ? []
        : realms.map(({ raw, path }) => toWanted(raw, (inside) => yaml.variableOf([...path, ...inside]))),
  };
}

function check(yaml: YamlText, schema: z.ZodObject, value: unknown, path: Path): void {
  const result = schema.safeParse(value, { error: describeIssue });
  for (const issue of result.error?.issues ?? []) {
    const at = [...path, ...issue.path];
    if (issue.code === 'unrecognized_keys') {
      for (const key of issue.keys)
        yaml.fault([...at, key], `${spell([...at, key])}: ${describeUnknown(key, shapeAt(schema, issue.path))}`, 'key');
      continue;
    }
    const present = valueAt(value, issue.path);
    yaml.fault(
      at,
      `${spell(at)}${present === undefined ? ' is missing' : present === null ? ' is empty' : ''}: ${issue.message}`,
    );
  }
}

function checkClient(yaml: YamlText, schemas: RealmSchemas, value: unknown, path: Path): void {
  const raw = asRaw(value);
  if (!raw) {
    yaml.fault(path, `${spell(path)}: write a client: id, kind, and domain or redirect_uris`);
    return;
  }
  const kind = kindOf(raw);
  if (raw['kind'] !== kind) {
    const problem = raw['kind'] === undefined ? ' is missing' : '';
    yaml.fault(
      [...path, 'kind'],
      `${spell([...path, 'kind'])}${problem}: write first-party (one of your sites) or third-party (a product)`,
    );
  }
  const [own, other] = kind === 'first-party' ? ([kind, 'third-party'] as const) : ([kind, 'first-party'] as const);
  const isForeign = (key: string) => !(key in schemas.client[own].shape) && key in schemas.client[other].shape;
  for (const key of Object.keys(raw).filter(isForeign)) {
    const reason = key === 'redirect_uris' ? '; the redirect URI of a site follows from its domain' : '';
    yaml.fault(
      [...path, key],
      `${spell([...path, key])}: is for ${other} clients, this one is ${own}; remove it${reason}`,
      'key',
    );
  }
  const rest = Object.fromEntries(Object.entries(raw).filter(([key]) => !isForeign(key)));
  check(yaml, schemas.client[own], { ...rest, kind }, path);
  checkColours(yaml, raw['brand'], [...path, 'brand']);
  if (own === 'third-party') checkThirdParty(yaml, raw, path);
  else checkBackend(yaml, raw, path);
}

function checkUpstream(yaml: YamlText, schemas: RealmSchemas, value: unknown, path: Path): void {
  const provider = asRaw(value)?.['provider'];
  const schema = Object.entries(schemas.upstream).find(([key]) => key === provider)?.[1];
  if (schema) check(yaml, schema, value, path);
  else {
    const at = [...path, 'provider'];
    const problem = provider === undefined ? ' is missing' : '';
    yaml.fault(at, `${spell(at)}${problem}: write ${Object.keys(schemas.upstream).join(', ')}`);
  }
}

/** What a code of a site becomes is a session of its host, so no other host gets its codes. */
function checkBackend(yaml: YamlText, raw: Raw, path: Path): void {
  const place = parseOrigin(String(raw['domain']));
  for (const [index, uri] of asList(raw['backend_redirect_uris']).entries()) {
    if (!place || typeof uri !== 'string' || !URL.canParse(uri)) continue;
    const { origin, pathname } = new URL(uri);
    const at = [...path, 'backend_redirect_uris', index];
    if (origin !== place.origin)
      yaml.fault(at, `${spell(at)}: write a page on ${place.origin}, the site of this client`);
    else if (/^\/+api\/+auth(\/|$)/i.test(pathname))
      yaml.fault(at, `${spell(at)}: write a page of your own; /api/auth is Causeway's`);
  }
}

function checkThirdParty(yaml: YamlText, raw: Raw, path: Path): void {
  const isPublic = raw['token_endpoint_auth_method'] === 'none';
  // RFC 9700 §2.1.1: a client that cannot keep a secret must use PKCE.
  if (isPublic && raw['require_pkce'] === false) {
    yaml.fault(
      [...path, 'require_pkce'],
      `${spell([...path, 'require_pkce'])}: a client without authentication must use PKCE; remove the line or write true`,
    );
  }
  if (isPublic && raw['secret'] !== undefined) {
    yaml.fault(
      [...path, 'secret'],
      `${spell([...path, 'secret'])}: token_endpoint_auth_method none takes no secret; remove one of the two lines`,
      'key',
    );
  }
  checkPushback(yaml, asRaw(raw['pushback']), [...path, 'pushback']);
  // OpenID Connect Registration §2: jwks_uri and jwks MUST NOT be used together.
  const keySets = ['jwks', 'jwks_uri'].filter((key) => raw[key] !== undefined);
  const needsKeys = raw['token_endpoint_auth_method'] === 'private_key_jwt';
  if (keySets.length > 1 || (needsKeys && keySets.length === 0)) {
    const at = [...path, 'jwks_uri'];
    yaml.fault(
      at,
      `${spell(at)}: ${keySets.length > 1 ? 'write jwks_uri or jwks, not both' : 'private_key_jwt needs the keys of the client: write jwks_uri or jwks'}`,
    );
  }
  const uris = asList(raw['redirect_uris']);
  if (
    uris.length === 0 &&
    Array.isArray(raw['redirect_uris']) &&
    !asRaw(raw['verification']) &&
    !raw['integration_secret']
  )
    yaml.fault([...path, 'redirect_uris'], `${spell([...path, 'redirect_uris'])}: write at least one URL`);
  for (const [index, uri] of uris.entries()) {
    const at = [...path, 'redirect_uris', index];
    if (typeof uri === 'string' && uris.indexOf(uri) < index)
      yaml.fault(at, `${spell(at)}: stands in this list already; remove it`);
  }
}

function checkPushback(yaml: YamlText, raw: Raw | null, path: Path): void {
  if (!raw || (raw['secret'] === undefined) !== (raw['secret_sha256'] === undefined)) return;
  const problem =
    raw['secret'] === undefined
      ? ` is missing: write a secret, such as \${NAME} from the environment`
      : ': write secret or secret_sha256, not both';
  yaml.fault([...path, 'secret'], `${spell([...path, 'secret'])}${problem}`);
}

function checkColours(yaml: YamlText, value: unknown, path: Path): void {
  const brand = brandSchema.safeParse(value ?? {}).data;
  if (!brand) return;
  const problems = checkBrand({
    name: brand.name ?? '',
    logo: brand.logo ?? null,
    accent: brand.accent,
    accentDark: brand.accent_dark ?? null,
  });
  for (const problem of problems) yaml.fault(path, `${spell(path)}: ${problem}`);
}

/** Puts a logo file into the file's place as a data: URI, so that pages ask no other server for it. */
function inlineLogo(yaml: YamlText, raw: Raw, of: { path: Path; folder: string }): void {
  const brand = asRaw(raw['brand']);
  const logo = brand?.['logo'];
  if (!brand || typeof logo !== 'string' || logo.startsWith('data:')) return;
  const path = [...of.path, 'brand', 'logo'];
  const type = LOGO_TYPES[extname(logo).toLowerCase()];
  delete brand['logo'];
  if (!type) {
    yaml.fault(path, `${spell(path)}: write the path of a .svg, .png or .webp file, or a data: URI`);
    return;
  }
  try {
    brand['logo'] = `data:${type};base64,${readFileSync(resolve(of.folder, logo)).toString('base64')}`;
  } catch {
    yaml.fault(
      path,
      `${spell(path)}: there is no file that can be read at ${logo}; the path counts from the folder of the realm file`,
    );
  }
}

function describeUnknown(key: string, known: readonly string[]): string {
  const nearest = findNearest(key, known);
  return nearest ? `unknown key; did you mean ${nearest}?` : `unknown key; remove it (known are ${known.join(', ')})`;
}

function shapeAt(schema: z.ZodObject, path: Path): string[] {
  let inside: unknown = schema;
  for (const step of path) {
    inside = inside instanceof z.ZodObject ? inside.shape[String(step)] : undefined;
    while (inside instanceof z.ZodOptional || inside instanceof z.ZodNullable || inside instanceof z.ZodDefault)
      inside = inside.unwrap();
  }
  return inside instanceof z.ZodObject ? Object.keys(inside.shape) : [];
}

/** A path as an operator reads it: `realms[0].clients[2].domain`. */
export function spell(path: Path): string {
  return (
    path
      .map((step, index) => (typeof step === 'number' ? `[${step}]` : `${index ? '.' : ''}${String(step)}`))
      .join('') || 'the file'
  );
}

function valueAt(value: unknown, path: Path): unknown {
  return path.reduce<unknown>(
    (inside, step) => (inside as Record<PropertyKey, unknown> | null | undefined)?.[step],
    value,
  );
}
