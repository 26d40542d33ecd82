// What every handler may ask about where a request arrived, and how a page of that site is rendered.

import type { Brand, Pages } from '../http/page.ts';
import type { Context } from '../http/route.ts';
import { brandOf, type Site } from './realms.ts';

const FALLBACK_BRAND: Brand = { name: 'Causeway', logo: null, accent: '#1f4e79', accentDark: null };
const LONGEST_UI_LOCALES = 200;

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

/** The language that a reader prefers, for letters; the nearest that there is is taken when one is written. */
export function languageOf(ctx: Context): string {
  const [first = '*'] = ctx.get('Accept-Language').length > 1000 ? [] : ctx.acceptsLanguages();
  return first === '*' ? (findSiteOf(ctx)?.realm.settings.locale ?? 'en') : first;
}

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
  /** Answers with a page; sets its own content security policy. @param formTargets origins a form may end up on */
  function render(
    ctx: Context,
    page: {
      view: string;
      data: object;
      formTargets?: readonly string[];
      uiLocales?: string | null;
      hasScript?: boolean;
    },
  ): void {
    const realm = findSiteOf(ctx)?.realm ?? null;
    const uiLocales = page.uiLocales?.slice(0, LONGEST_UI_LOCALES);
    const locale = options.pages.negotiate({
      ...(uiLocales ? { uiLocales } : {}),
      accepted: ctx.get('Accept-Language').length > 1000 ? [] : ctx.acceptsLanguages(),
      fallback: realm?.settings.locale ?? 'en',
    });
    const rendered = options.pages.render({
      view: page.view,
      locale,
      brand: realm ? brandOf(realm) : FALLBACK_BRAND,
      data: page.data,
      ...(page.formTargets ? { formTargets: page.formTargets } : {}),
      ...(page.hasScript ? { hasScript: true } : {}),
    });
    ctx.set('Content-Security-Policy', rendered.contentSecurityPolicy);
    ctx.set('Content-Language', locale);
    ctx.type = 'text/html; charset=utf-8';
    ctx.body = rendered.html;
  }

  return { render, locales: options.pages.locales };
}
