/*
 * Hosted pages: Eta templates (escaped by default), words from ICU catalogues, one brand per request, one strict CSP per page.
 * Everything under the views folder, and what an operator lays over it, is read, compiled and cross-checked once at start
 * (views.ts); rendering touches no disk. Spec: CSP Level 3 (nonce, form-action).
 */
import { randomBytes } from 'node:crypto';
import { type Brand, presentBrandCss } from './brand.ts';
import type { PageScriptUrls } from './page_scripts.ts';
import { readViews, type ViewSet } from './views.ts';
import { findAsked, listOffered, negotiate, translate, type Wish, type Words } from './words.ts';

/** A language that a page can be read in instead: its own name, and the address that shows it. */
export type LanguageLink = { readonly locale: string; readonly name: string; readonly url: string };

export type PageRequest = {
  /** Template path without its ending, e.g. `login/sign_in`. */
  readonly view: string;
  /** One of `localesOf(realm)`. */
  readonly locale: string;
  readonly brand: Brand;
  readonly data: object;
  /** Slug of the realm, which may have views of its own. */
  readonly realm?: string;
  /** Origins that the redirect chain after a form post may reach (security.md 65). */
  readonly formTargets?: readonly string[];
  /** What the reader may switch to; none are shown for fewer than two. */
  readonly languages?: readonly LanguageLink[];
};

export type RenderedPage = { readonly html: string; readonly contentSecurityPolicy: string };
export type Pages = ReturnType<typeof createPages>;

/**
 * Reads, compiles and checks all templates (`**\/*.eta`), catalogues (`locales/*.json`) and `causeway.css`.
 * @param options overridesFolder: the same tree, of which every file is optional, laid over ours; `realms/<slug>/` in it over both;
 *   scripts: addresses of the scripts that the layout loads where a page has a use for them; absent: none
 * @throws Error one message with every fault: template that does not compile, word that some locale lacks, unknown partial, form
 *   without a field that it needs
 */
export function createPages(options: {
  readonly viewsFolder: string;
  readonly overridesFolder?: string | null;
  readonly scripts?: PageScriptUrls;
}) {
  const views = readViews(options.viewsFolder, options.overridesFolder ?? null);
  const setOf = (realm: string | undefined): ViewSet => views.realms.get(realm ?? '') ?? views.common;

  /** The words of a locale, as they are in that realm. @throws Error for a locale that there is not */
  function words(locale: string, realm?: string): Words {
    const catalogue = setOf(realm).catalogues.get(locale);
    if (catalogue === undefined) throw new Error(`No catalogue for the locale "${locale}"`);
    return {
      locale: catalogue.locale,
      dir: catalogue.direction,
      t: (key, values = {}) => translate(catalogue, key, values),
      has: (key) => catalogue.messages.has(key),
    };
  }

  /** Renders one page with a nonce of its own. @throws Error for an unknown view or locale, a brand or form target that is not what it should be */
  function render(request: PageRequest): RenderedPage {
    const { eta, css } = setOf(request.realm);
    const nonce = randomBytes(16).toString('base64url');
    const html = eta.render(`@${request.view}`, {
      ...request.data,
      ...words(request.locale, request.realm),
      brand: request.brand,
      languages: request.languages ?? [],
      nonce,
      scripts: options.scripts ?? null,
      css,
      brandCss: presentBrandCss(request.brand),
      href: safeHref,
      host: (url: string) => (URL.canParse(url) ? new URL(url).host : url),
    });
    const hasScript = html.includes(`<script nonce="${nonce}"`);
    // Its script fetches the options of a passkey.
    const asksThisHost = html.includes(' data-passkey=');
    return {
      html,
      contentSecurityPolicy: presentPolicy(nonce, request.formTargets ?? [], { hasScript, asksThisHost }),
    };
  }

  /** Renders a template that is no page: without sheet, nonce and policy. The values are escaped as everywhere. */
  const compose = (view: string, data: object, realm?: string): string => setOf(realm).eta.render(`@${view}`, data);

  const localesOf = (realm?: string): readonly string[] => [...setOf(realm).catalogues.keys()];

  return {
    render,
    compose,
    words,
    locales: localesOf(),
    localesOf,
    negotiate: (wish: Wish, realm?: string) => negotiate(localesOf(realm), wish),
    /** What of `ui_locales` a realm offers; null when it is nothing. */
    findAsked: (uiLocales: string, offered: readonly string[], realm?: string) =>
      findAsked(listOffered(localesOf(realm), offered), uiLocales),
    /** The languages of a realm in the order in which it offers them. */
    listOffered: (offered: readonly string[], realm?: string) => listOffered(localesOf(realm), offered),
  };
}

/** Only http(s) and paths of this host become links: escaping alone would let `javascript:` through. */
function safeHref(url: string): string {
  // Judged by the parser that browsers use: it drops tabs and line ends inside `java\nscript:`.
  const base = 'http://this-host.invalid';
  const parsed = URL.canParse(url, base) ? new URL(url, base) : null;
  return parsed !== null && /^https?:$/.test(parsed.protocol) ? url : '#';
}

/** A scheme of a policy; none that a browser would run or read from. */
const SCHEME = /^(?!javascript:|data:|vbscript:|blob:|filesystem:|file:|about:)[a-z][a-z0-9+.-]*:$/;

/** @throws TypeError for a form target that is neither origin nor scheme: it would otherwise be written into the header as it is */
function presentPolicy(
  nonce: string,
  formTargets: readonly string[],
  use: { hasScript: boolean; asksThisHost: boolean },
): string {
  for (const target of formTargets) {
    const isOrigin =
      URL.canParse(target) && /^https?:$/.test(new URL(target).protocol) && new URL(target).origin === target;
    if (!isOrigin && !SCHEME.test(target)) throw new TypeError(`Not an origin: ${JSON.stringify(target)}`);
  }
  const action = ["'self'", ...new Set(formTargets)].join(' ');
  const asked = use.asksThisHost ? " connect-src 'self';" : '';
  const script = use.hasScript ? ` script-src 'nonce-${nonce}';${asked}` : '';
  return `default-src 'none';${script} style-src 'nonce-${nonce}'; img-src data:; form-action ${action}; base-uri 'none'; frame-ancestors 'none'`;
}
