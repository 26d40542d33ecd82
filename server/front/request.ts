// A request as it stands in front of the general way: what of its headers counts, read once over the raw lines, and the place
// that it asks. Whatever is unusual about it is not judged here: it goes the general way (app.ts).

import type { Client, Clients } from '../clients/clients.ts';
import { clientAddress, type Networks } from '../http/address.ts';
import { isHostField } from '../http/protocol_fault.ts';
import type { Host, PlainToken } from '../lib/ids.ts';
import { parseToken } from '../lib/token.ts';
import { parseHost } from '../lib/url.ts';
import type { Realms, Site } from '../realms/realms.ts';
import { COMPANION, COOKIE, type Presented } from '../sessions/sessions.ts';
import type { FrontRequest } from './front.ts';

/** What of a request counts here. Undefined is what was not sent. */
export type Asked = {
  host: string | undefined;
  cookie: string | undefined;
  header: string | undefined;
  proxySecret: string | undefined;
  forwardedHost: string | undefined;
  forwardedFor: string | undefined;
  mode: string | undefined;
  origin: string | undefined;
  authorization: string | undefined;
  dpop: string | undefined;
  /** A browser fetches ahead of a click that may never come. */
  ahead: string | undefined;
};
/** Where it was asked: a host of ours on which readers may be signed in. `client` is the one of a client domain. */
export type Place = { site: Site; client: Client | null; isProven: boolean };
export type SinglePresented = Extract<Presented, { kind: 'cookie' | 'header' }>;

const FIELD_OF = {
  host: 'host',
  cookie: 'cookie',
  'x-qt-auth': 'header',
  'x-causeway-proxy-secret': 'proxySecret',
  'x-forwarded-host': 'forwardedHost',
  'x-forwarded-for': 'forwardedFor',
  'sec-fetch-mode': 'mode',
  'sec-fetch-dest': 'destination',
  origin: 'origin',
  authorization: 'authorization',
  dpop: 'dpop',
  'sec-purpose': 'ahead',
  purpose: 'ahead',
  'x-moz': 'ahead',
  'x-purpose': 'ahead',
} as const;
type Field = (typeof FIELD_OF)[keyof typeof FIELD_OF];

/** The headers that count, by the length of their names: most others differ in that already. */
const FIELDS = Object.entries(FIELD_OF).reduce<{ name: string; field: Field }[][]>((table, [name, field]) => {
  table[name.length] = [...(table[name.length] ?? []), { name, field }];
  return table;
}, []);

// Compared one by one: as the key of a table, each name would first be looked up among all texts that the engine knows.
function fieldOf(name: string): Field | undefined {
  const alike = FIELDS[name.length];
  if (!alike) return undefined;
  const lower = name.toLowerCase();
  for (const { name: known, field } of alike) if (lower === known) return field;
  return undefined;
}

/** Null when the request has something about it that the general way must judge. */
export function readAsked(raw: readonly string[]): Asked | null {
  const asked: Asked = {
    host: undefined,
    cookie: undefined,
    header: undefined,
    proxySecret: undefined,
    forwardedHost: undefined,
    forwardedFor: undefined,
    mode: undefined,
    origin: undefined,
    authorization: undefined,
    dpop: undefined,
    ahead: undefined,
  };
  for (let index = 0; index < raw.length; index += 2) {
    const field = fieldOf(raw[index] ?? '');
    if (field === undefined) continue;
    const value = raw[index + 1] ?? '';
    if (field === 'destination') {
      // Loaded as a part of a page; see guardRoute.
      if (value !== 'empty' && value !== 'document') return null;
    } else if (asked[field] !== undefined) return null;
    else asked[field] = value;
  }
  return asked;
}

const TOKEN = '([A-Za-z0-9_-]{43})';
const TOKEN_COOKIE = new RegExp(`(?:^|; ?)${COOKIE}=${TOKEN}(?:;|$)`);
const COMPANION_COOKIE = new RegExp(`(?:^|; ?)${COMPANION}=${TOKEN}(?:;|$)`);

/** Whether a request brings anything that could be a credential. */
export const hasCredential = ({ cookie, header }: Asked): boolean =>
  header !== undefined || cookie?.includes(COOKIE) === true;

/** The credential of a request, where it is one beyond doubt; anything else is looked at more closely. */
export function readPresented({ cookie, header }: Asked): SinglePresented | null {
  if (header !== undefined) {
    const token = parseToken(header);
    return token && !cookie?.includes(COOKIE) ? { kind: 'header', token } : null;
  }
  // Twice the name in all, once in each form: more may be a tossed cookie.
  const first = cookie?.indexOf(COOKIE) ?? -1;
  const second = cookie?.indexOf(COOKIE, first + 1) ?? -1;
  if (!cookie || second < 0 || cookie.includes(COOKIE, second + 1)) return null;
  const token = TOKEN_COOKIE.exec(cookie)?.[1] as PlainToken | undefined;
  const companion = COMPANION_COOKIE.exec(cookie)?.[1] as PlainToken | undefined;
  return token && companion ? { kind: 'cookie', token, companion } : null;
}

/** Finds places by what is in memory of realms and clients. */
export function createPlaces(options: {
  realms: Pick<Realms, 'peekSite'>;
  clients: Pick<Clients, 'peekForHost' | 'peekHostOfProxySecret'>;
  /** Our own proxies, as everywhere. */
  trusted: Networks;
}) {
  const { realms, clients, trusted } = options;

  /** The place that was asked, if its realm and client are in memory and readers may be signed in there. */
  function find(asked: Asked): Place | null {
    const site = asked.proxySecret === undefined ? siteNamed(asked.host) : siteProven(asked, asked.proxySecret);
    if (!site) return null;
    const client = site.domain.role === 'client' ? clients.peekForHost(site.domain.host) : null;
    if (site.domain.role === 'client' && !client) return null;
    return { site, client, isProven: asked.proxySecret !== undefined };
  }

  function siteNamed(name: string | undefined): Site | null {
    if (name === undefined) return null;
    // Mostly it is spelled as it is registered.
    const site = realms.peekSite(name as Host);
    if (site) return site;
    const host = parseHost(name);
    return host && host !== name ? realms.peekSite(host) : null;
  }

  function siteProven({ host: named, forwardedHost }: Asked, secret: string): Site | null {
    if (named === undefined || !isHostField(named)) return null;
    const host = clients.peekHostOfProxySecret(secret);
    return host && parseHost(forwardedHost || named) === host ? realms.peekSite(host) : null;
  }

  /** The address of the person behind a request; null when the connection is gone. */
  function addressOf({ peer, asked: { forwardedFor }, place: { isProven } }: FrontRequest): string | null {
    const address = clientAddress({
      connection: peer.address() ?? '',
      forwarded: forwardedFor ?? '',
      trusted,
      extraHops: isProven ? 1 : 0,
    });
    return address || null;
  }

  return { find, addressOf };
}
