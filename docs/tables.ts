// Reference pages from the tables that the server itself runs on. Each function returns one page's body.

import { readdirSync, readFileSync } from 'node:fs';
import { listRoutes } from '../server/app.ts';
import { EVENTS } from '../server/audit/audit.ts';
import { realmBrandTable, realmSettingsTable } from '../server/commands/realm_reference.ts';
import { SETTINGS } from '../server/config.ts';
import { ERRORS } from '../server/http/errors.ts';
import type { Route } from '../server/http/route.ts';
import { valuesOf } from '../server/http/view_checks.ts';
import { createMetrics } from '../server/lib/metrics.ts';
import { AUTHORIZATION_CHECKS, type Check, type Face } from '../server/oauth/oauth.ts';
import { POLICIES } from '../server/ratelimit/ratelimit.ts';
import type { Services } from '../server/services.ts';
import { callbackPath, GENERIC, PROVIDERS, type Provider } from '../server/upstream/upstream.ts';

/** A Markdown table; cells may hold any text. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|').replace(/\s*\n\s*/g, ' ')).join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}

const code = (text: string) => `\`${text}\``;

export function configurationPage(): string {
  const rows = Object.values(SETTINGS).map(({ variable, shown, says, ...more }) => [
    code(variable),
    shown,
    'secret' in more ? 'yes' : '',
    says,
  ]);
  return [
    'Settings are environment variables, read once at the start. An unknown variable that begins with `CAUSEWAY_` and every',
    'faulty value is refused, all in one message. Durations are written `30s`, `5m`, `12h` or `30d`. Secrets are never logged.',
    '',
    table(['Variable', 'Default', 'Secret', 'What it does'], rows),
  ].join('\n');
}

/**
 * The routes without a server: factories of routes only close over what they are given, so anything will do that can be
 * taken apart and called. Handlers of these routes are never called.
 */
export function routesForReading(): readonly Route[] {
  const nothing: unknown = new Proxy(() => nothing, {
    get: (_, name) =>
      name === 'secrets' ? ['only for reading the table of routes'] : name === 'then' ? undefined : nothing,
  });
  return listRoutes(nothing as Services);
}

export function routesPage(): string {
  const hosts = { auth: 'auth domain', client: 'client domains', any: 'both' };
  const rows = routesForReading().map((route) => [
    code(`${route.method} ${route.path}`),
    code(route.name),
    hosts[route.on],
    route.answers,
    route.effect,
    route.csrf,
    route.cors === undefined ? '' : 'public clients',
    route.limit,
  ]);
  return [
    'Every route of the public server. *Answers*: what a refusal looks like, JSON always or a page for a browser that',
    'navigates. *Acts*: refused for HEAD and for browsers that fetch ahead. *Other sites*: how a request that another site',
    'makes a browser send is kept out (`json`: content type and origin; `form`: origin and a token; `origin`: origin alone).',
    '*Read from*: pages on the origins of the redirect URIs of public clients may read the answers (CORS), without cookies.',
    '*Limit*: a policy of [limits](limits.md), or why none is needed. Health and metrics are on a private port (CAUSEWAY_OPS_PORT).',
    '',
    table(['Route', 'Name', 'Served on', 'Answers', 'Effect', 'Other sites', 'Read from', 'Limit'], rows),
  ].join('\n');
}

export function errorsPage(): string {
  const rows = Object.entries(ERRORS).map(([name, { status, text, page }]) => [code(name), String(status), text, page]);
  return [
    'Codes are for programs and do not change; texts are for developers and may. A browser that navigates gets the page.',
    '',
    table(['Code', 'Status', 'Text', 'Page'], rows),
  ].join('\n');
}

export function eventsPage(): string {
  return [
    'Events are written in the transaction of what they record, to the table `audit_events`, which is only added to.',
    '',
    table(
      ['Event', 'Meaning'],
      Object.entries(EVENTS).map(([name, says]) => [code(name), says]),
    ),
  ].join('\n');
}

export function limitsPage(): string {
  return [
    'Tries are counted in PostgreSQL and shared by all nodes. The numbers are [settings of the realm](realm-settings.md).',
    '',
    table(
      ['Policy', 'What is counted'],
      Object.entries(POLICIES).map(([name, says]) => [code(name), says]),
    ),
  ].join('\n');
}

export function realmSettingsPage(): string {
  return [
    'What may stand under `settings` and `brand` of a realm in the file that `npx causeway apply` reads.',
    '',
    '## settings',
    '',
    realmSettingsTable(),
    '',
    '## brand',
    '',
    realmBrandTable(),
  ].join('\n');
}

/** Metrics of our own; those of the Node process are prom-client's and differ by platform. */
export async function metricsPage(): Promise<string> {
  const metrics = createMetrics();
  for (const [name, register] of Object.entries(metrics)) {
    if (/^observe(?!Request$)/.test(name)) (register as (read: () => number) => void)(() => 0);
  }
  const text = await metrics.text();
  const kinds = new Map([...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(([, name = '', kind = '']) => [name, kind]));
  const rows = [...text.matchAll(/^# HELP (\S+) (.+)$/gm)]
    .map(([, name = '', help = '']) => [code(name), kinds.get(name) ?? '', help])
    .filter(([name = '']) => !/^`causeway_(?:process|nodejs)_/.test(name))
    .sort(([a = ''], [b = '']) => (a < b ? -1 : 1));
  return [
    'Shown in Prometheus form at `/metrics` on the private port (CAUSEWAY_OPS_PORT). Besides these there are the usual figures',
    'of the Node process, `causeway_process_…` and `causeway_nodejs_…`.',
    '',
    table(['Metric', 'Kind', 'Meaning'], rows),
  ].join('\n');
}

export function authorizationChecksPage(): string {
  return [
    'One pipeline decides on every authorization request, of the session-sharing flow (`/api/auth/v1/oauth/authorize` and',
    '`…/auto-sso/authorize`) and of the standard provider (`/oauth/authorize`, `/oauth/par`). It goes through this list from',
    'the top; the first check that has something to say answers, and a request that passes them all gets a code of its own',
    'kind. *Here* is a page of the host that was asked, never a redirect; *the client* is told with `error`, `state` and `iss`',
    'at its proven redirect URI. A dash: the check does not apply.',
    '',
    table(
      ['', 'Check', 'Reference', 'Session-sharing flow', 'Standard provider'],
      AUTHORIZATION_CHECKS.map((check, index) => [
        String(index + 1),
        check.name,
        check.spec,
        showCheck(check, 'session'),
        showCheck(check, 'oidc'),
      ]),
    ),
  ].join('\n');
}

/** How an operator changes pages and messages, and what each template is given. */
export function templatesPage(): string {
  const views = new URL('../views', import.meta.url).pathname;
  const names = readdirSync(views, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.eta'))
    .map((file) => file.slice(0, -'.eta'.length))
    .sort();
  const texts = new Map(names.map((name) => [name, { ours: readFileSync(`${views}/${name}.eta`, 'utf8'), text: '' }]));
  const common = new Set(['t', 'has', 'href', 'host', 'brand', 'locale', 'dir', 'languages']);
  const rows = names.map((name) => [
    code(`${name}.eta`),
    valuesOf(name, texts)
      .filter((value) => !common.has(value))
      .sort()
      .map(code)
      .join(' '),
  ]);
  return [
    'Set `CAUSEWAY_VIEWS` to a folder of yours. What lies in it is laid over [views/](../views), file by file:',
    '',
    '- `locales/de.json`: only the words that you change, or add; a language that we do not have, with every key.',
    '- `login/sign_in.eta` and so on: a template instead of ours. Copy ours and change the copy; keep the fields of its forms.',
    '- `causeway.css`: rules after ours.',
    '- `realms/<slug>/…`: the same tree for one realm, over all of it.',
    '',
    'It is read and checked at start. A template that does not compile, names a word, partial or value that there is not, lost a',
    'field of its form, prints unescaped, or holds what the policy of our pages refuses (scripts, `style=`, addresses to load from)',
    'stops the start with file, line and what to change. After an upgrade a copy may lack a new field: the start says so too.',
    '',
    'Templates are [Eta](https://eta.js.org). Every page is given `it.t(key, values)`, `it.has(key)`, `it.href(url)`, `it.host(url)`,',
    '`it.brand`, `it.locale`, `it.dir` and `it.languages`, and besides:',
    '',
    table(['Template', 'Given as `it.…`'], rows),
    '',
    '## The language of a page',
    '',
    'The first of these that the realm offers (`locales` in its [settings](realm-settings.md)): the `ui_locales` of the request, which',
    'sites send and the links below each page carry; what this browser was asked for that way before; its `Accept-Language`; `locale` of',
    'the realm. Messages follow the same order. Arabic turns pages and messages around.',
  ].join('\n');
}

export function upstreamProvidersPage(): string {
  const rows = Object.entries(PROVIDERS as Record<string, Provider>).map(([key, provider]) => [
    code(key),
    provider.name,
    provider.kind === 'oidc' ? 'OpenID Connect' : 'OAuth 2.0',
    code(callbackPath({ id: GENERIC.some((one) => one === key) ? '<id>' : key, provider: key })),
    provider.scopes.map(code).join(' '),
    provider.emailRule,
    provider.inspection ? 'ID token or access token' : provider.kind === 'oidc' ? 'ID token' : 'none',
    provider.quirks,
  ]);
  return [
    'Providers that a realm may sign in with ([how to write them](realm-file.md#upstream)). Register the callback on the auth domain,',
    'as in `https://auth.daily.example/api/auth/v1/google/callback`, with the provider. *Address counts as proven*: then an account',
    'with the same verified address is connected by itself; otherwise its owner signs in first and connects it. *Tokens of apps*:',
    'what `POST /api/auth/v1/login/<provider>` takes, after its audience was checked.',
    '',
    table(
      [
        'provider',
        'Name',
        'Kind',
        'Callback',
        'Scopes',
        'Address counts as proven',
        'Tokens of apps',
        'Leaves the standard',
      ],
      rows,
    ),
  ].join('\n');
}

function showCheck(check: Check, face: Face): string {
  if (check.rules[face] === null) return '–';
  const refusal = check.stage === 'proof' || face === 'session' ? 'refused here' : 'the client is told';
  const note = check.notes?.[face];
  return [...(check.stage === 'reader' ? [] : [refusal]), ...(note === undefined ? [] : [note])].join('; ');
}
