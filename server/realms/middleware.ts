// What every handler may ask about where a request arrived, and how a page of that site is rendered.

import type { Brand } from '../http/brand.ts';
import { browserStateOf } from '../http/browser_state.ts';
import type { LanguageLink, Pages } from '../http/page.ts';
import type { Context } from '../http/route.ts';
import type { ClientRowId } from '../lib/ids.ts';
import { brandOf, type PartialBrand, type Realm, type Site } from './realms.ts';

const FALLBACK_BRAND: Brand = { name: 'Causeway', logo: null, accent: '#1f4e79', accentDark: null };
const LONGEST_UI_LOCALES = 200;
/** BCP 47 as far as Intl takes it without complaint: language, script, region. */
const LANGUAGE_TAG = /^[a-z]{2,3}(-[a-z]{4})?(-([a-z]{2}|\d{3}))?$/i;

/** A client, as far as its looks go. */
type BrandedClient = { id: ClientRowId; brand: PartialBrand };

/** The site of a request; routes are reached only after it was found. */
export function siteOf(ctx: Context): Site {
  const site = ctx.state['site'] as Site | undefined;
  if (!site) throw new Error('this route is not behind the site middleware');
  return site;
}

/** The site of a request, if its host is one of ours. */
export function findSiteOf(ctx: Context): Site | null {
  return (ctx.state['site'] as Site | undefined) ?? null;
}

/** The client's address as far as it is known and believed. */
export function addressOf(ctx: Context): string | null {
  // Empty when the connection was gone before it was looked at.
  return (ctx.state['address'] as string | undefined) || null;
}

/** The language of a reader, for letters: as a page of the same request would be, as far as the realm offers it. */
export function languageOf(ctx: Context): string {
  const { locale: fallback = 'en', locales: offered = [] } = findSiteOf(ctx)?.realm.settings ?? {};
  const wanted = [readChosen(ctx), ...acceptedBy(ctx)].filter((tag) => tag !== null && LANGUAGE_TAG.test(tag));
  const base = (tag: string) => tag.toLowerCase().split('-')[0];
  const isOffered = (tag: string) => offered.length === 0 || offered.some((one) => base(one) === base(tag));
  return wanted.find((tag) => tag !== null && isOffered(tag)) ?? fallback;
}

const acceptedBy = (ctx: Context): string[] => (ctx.get('Accept-Language').length > 1000 ? [] : ctx.acceptsLanguages());

/** The language that pages were last asked for in this browser, by a site or by its reader. */
function readChosen(ctx: Context): string | null {
  const chosen = browserStateOf(ctx)['locale'];
  return typeof chosen === 'string' ? chosen : null;
}

/** Notes for which client a reader is here: pages and letters take its brand. */
export function noteBrandOf(ctx: Context, client: BrandedClient | null): void {
  if (client) ctx.state['brandedClient'] = client;
}

/** The row of the client whose brand letters take; null for the realm's own. */
export const brandedClientOf = (ctx: Context): ClientRowId | null =>
  (ctx.state['brandedClient'] as BrandedClient | undefined)?.id ?? null;

const clientBrandOf = (ctx: Context): PartialBrand =>
  (ctx.state['brandedClient'] as BrandedClient | undefined)?.brand ?? {};

/** Whether readers may be signed in here: on an auth domain always, on a client domain while its client is enabled. */
export function isSiteOpen(ctx: Context): boolean {
  return ctx.state['isSiteOpen'] === true;
}

/** Notes what later handlers ask for; called once per request. */
export function noteSite(ctx: Context, noted: { site: Site; address: string; isSiteOpen: boolean }): void {
  Object.assign(ctx.state, noted);
}

export type SitePages = ReturnType<typeof createSitePages>;

/** Rendering in the brand and language of the request's site. */
export function createSitePages(options: { pages: Pages }) {
  const { pages } = options;

  /**
   * Answers with a page; sets its own content security policy.
   * @param formTargets origins a form may end up on; here: address that shows this page again, where that is not the one it was asked for by GET; null for none
   */
  function render(
    ctx: Context,
    page: {
      view: string;
      data: object;
      formTargets?: readonly string[];
      uiLocales?: string | null;
      here?: string | null;
    },
  ): void {
    const realm = findSiteOf(ctx)?.realm ?? null;
    const locale = chooseLocale(ctx, page.uiLocales ?? null);
    const here = page.here === undefined && ctx.method === 'GET' ? ctx.url : (page.here ?? null);
    const rendered = pages.render({
      view: page.view,
      locale,
      brand: realm ? brandOf(realm, clientBrandOf(ctx)) : FALLBACK_BRAND,
      data: page.data,
      languages: here === null ? [] : listLanguages(ctx, here),
      ...(realm ? { realm: realm.slug } : {}),
      ...(page.formTargets ? { formTargets: page.formTargets } : {}),
    });
    ctx.set('Content-Security-Policy', rendered.contentSecurityPolicy);
    ctx.set('Content-Language', locale);
    ctx.type = 'text/html; charset=utf-8';
    ctx.body = rendered.html;
  }

  /**
   * OpenID Connect Core §3.1.2.1: `ui_locales` first; then what this browser was last asked for, its Accept-Language, the
   * realm's own. What was asked for is remembered, so that the pages after this one stay in that language.
   */
  function chooseLocale(ctx: Context, given: string | null): string {
    const realm = findSiteOf(ctx)?.realm;
    const { locale: fallback = 'en', locales: offered = [] } = realm?.settings ?? {};
    const query = ctx.query['ui_locales'];
    const uiLocales = (given ?? (typeof query === 'string' ? query : '')).slice(0, LONGEST_UI_LOCALES);
    const asked = pages.findAsked(uiLocales, offered, realm?.slug);
    const chosen = readChosen(ctx);
    if (asked === null) return pages.negotiate({ chosen, accepted: acceptedBy(ctx), fallback, offered }, realm?.slug);
    if (chosen !== asked) browserStateOf(ctx)['locale'] = asked;
    return asked;
  }

  /** The same page in each language that the realm offers. */
  function listLanguages(ctx: Context, here: string): LanguageLink[] {
    const realm = findSiteOf(ctx)?.realm;
    const url = new URL(here, 'http://this-host.invalid');
    return pages.listOffered(realm?.settings.locales ?? [], realm?.slug).map((locale) => {
      url.searchParams.set('ui_locales', locale);
      return { locale, name: nameOf(locale), url: `${url.pathname}${url.search}` };
    });
  }

  /** The languages that a realm offers, for discovery. */
  const offeredBy = (realm: Realm) => pages.listOffered(realm.settings.locales, realm.slug);

  return { render, offeredBy };
}

/** The name of a language in that language, as its readers look for it. */
function nameOf(locale: string): string {
  const name = new Intl.DisplayNames([locale], { type: 'language' }).of(locale) ?? locale;
  return name.charAt(0).toLocaleUpperCase(locale) + name.slice(1);
}
