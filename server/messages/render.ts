// A message as words: subject, plain text and HTML in the brand of the realm, or the one text of a text message. HTML is
// for mail programs: styles are inlined, a sheet only adds what dark mode and small screens need, the logo is an attachment
// (many programs show no data: URIs).

import { type Brand, schemesOf } from '../http/brand.ts';
import type { Pages } from '../http/page.ts';
import type { Words } from '../http/words.ts';
import { kindOf, type TemplateName } from './templates.ts';

export type Draft = {
  template: TemplateName;
  locale: string;
  brand: Brand;
  /** Host of the auth domain, named at the end of every message. */
  host: string;
  to: string;
  /** Its own views, the language that it falls back to, and those that it offers. */
  realm: { slug: string; locale: string; locales: readonly string[] };
  values: Readonly<Record<string, string | number>>;
};
export type Logo = { cid: string; contentType: string; filename: string; content: Buffer };
export type RenderedMail = { subject: string; text: string; html: string; logo: Logo | null };

const LOGO_CID = 'logo';
/** Values that are shown as rows below the words, with a label of their own. */
const ROWS = ['time', 'device', 'address'] as const;

/** @param options views: templates and words */
export function createRenderer(options: { views: Pages }) {
  const { views } = options;

  /** What every message is made of: the words of its template, its values ready to be shown. */
  function compose({ template, locale, brand, host, to, realm, values }: Draft) {
    const wish = { accepted: [locale], fallback: realm.locale, offered: realm.locales };
    const words = views.words(views.negotiate(wish, realm.slug), realm.slug);
    const shown = Object.fromEntries(
      Object.entries(values).map(([name, value]) => [name, present(words, kindOf(template, name), value)]),
    );
    const given = { ...shown, brand: oneLine(brand.name), host, to };
    const say = (key: string) => words.t(`message.${template}.${key}`, given);
    return { words, shown, given, say };
  }

  /** An e-mail. @throws TypeError for a link that is no http(s) address */
  function mail(draft: Draft): RenderedMail {
    const { words, shown, given, say } = compose(draft);
    const parts = {
      subject: oneLine(say('subject')),
      lead: say('lead'),
      link: draft.values['link'] === undefined ? null : { url: checkLink(draft.values['link']), label: say('action') },
      code: draft.values['code'] === undefined ? null : String(draft.values['code']),
      rows: ROWS.flatMap((name) =>
        shown[name] === undefined ? [] : [{ label: words.t(`message.details.${name}`), value: String(shown[name]) }],
      ),
      note: say('note'),
      footer: words.t('message.details.footer', given),
      copy: words.t('message.details.copy_link'),
      codeLabel: words.t('message.details.code'),
    };
    const logo = readLogo(draft.brand);
    const html = views.compose(
      'messages/message',
      {
        ...parts,
        locale: words.locale,
        dir: words.dir,
        brand: draft.brand,
        logo,
        scheme: schemesOf(draft.brand),
      },
      draft.realm.slug,
    );
    return { subject: parts.subject, text: plainText(parts, draft.brand), html, logo };
  }

  /** A text message. */
  const text = (draft: Draft): string => oneLine(compose(draft).say('text'));

  return { mail, text };
}

type Parts = {
  lead: string;
  link: { url: string; label: string } | null;
  code: string | null;
  rows: readonly { label: string; value: string }[];
  note: string;
  footer: string;
};

function plainText({ lead, link, code, rows, note, footer }: Parts, brand: Brand): string {
  const blocks = [
    oneLine(brand.name),
    lead,
    link && `${link.label}:\n${link.url}`,
    code,
    rows.map(({ label, value }) => `${label}: ${oneLine(value)}`).join('\n'),
    note,
    `-- \n${footer}`,
  ];
  return `${blocks.filter(Boolean).join('\n\n')}\n`;
}

function present(words: Words, kind: ReturnType<typeof kindOf>, value: string | number): string | number {
  if (kind !== 'time') return typeof value === 'string' ? oneLine(value) : value;
  const shown = new Intl.DateTimeFormat(words.locale, { dateStyle: 'long', timeStyle: 'short', timeZone: 'UTC' });
  return `${shown.format(Number(value))} UTC`;
}

/** Without line ends and control characters: a name must not become a header (security 156). */
function oneLine(text: string): string {
  return text.replace(/[\p{Cc}\u2028\u2029]+/gu, ' ').trim();
}

/** @throws TypeError: a link is made by us, so another scheme is a mistake of ours */
function checkLink(value: string | number): string {
  const url = String(value);
  if (!URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol))
    throw new TypeError('A link is no http(s) address');
  return url;
}

/** The logo as an attachment. Mail programs show no SVG: then the name stands in its place. */
function readLogo(brand: Brand): Logo | null {
  const match = /^data:(image\/(png|webp));base64,(.+)$/.exec(brand.logo ?? '');
  const [, contentType = '', ending = '', data = ''] = match ?? [];
  return match
    ? { cid: LOGO_CID, contentType, filename: `logo.${ending}`, content: Buffer.from(data, 'base64') }
    : null;
}
