// One example of every message, for tests and pictures. The type makes it complete.

import { join } from 'node:path';
import type { Brand } from '../../server/http/brand.ts';
import { createPages } from '../../server/http/page.ts';
import { TEMPLATES, type TemplateName, type ValuesOf } from '../../server/messages/messages.ts';
import { createRenderer } from '../../server/messages/render.ts';

export const LINK = 'https://auth.daily.example/verify?token=3k2jXh0Zr8aVw1mQpT5sYc7uBnE4fGd9&from=mail';
const TIME = Date.UTC(2026, 10, 26, 17, 5);
const WHERE = { time: TIME, device: 'Firefox on Linux', address: '203.0.113.7' };

export const SAMPLES: { readonly [Name in TemplateName]: ValuesOf<Name> } = {
  'verify-email': { minutes: 30, link: LINK, code: '482913' },
  'reset-password': { minutes: 30, link: LINK },
  'sign-in-code': { minutes: 10, code: '482913' },
  'sign-in-link': { minutes: 10, link: LINK },
  'sign-up-code': { minutes: 15, code: '482913' },
  'account-exists': { link: LINK },
  'change-email': { minutes: 30, link: LINK },
  'email-changed': { link: LINK, days: 7, time: TIME },
  'password-changed': { link: LINK, ...WHERE },
  'new-device': { link: LINK, ...WHERE },
  'factor-changed': { change: 'removed', factor: 'passkey', link: LINK, ...WHERE },
  'account-deleted': { time: TIME },
  'phone-code': { code: '482913', minutes: 10 },
};

export const NAMES = Object.keys(TEMPLATES) as TemplateName[];
export const BRAND: Brand = { name: 'The Daily', logo: null, accent: '#0b5d4b', accentDark: null };
export const views = createPages({ viewsFolder: join(import.meta.dirname, '../../views') });
export const renderer = createRenderer({ views });

export const draftOf = (template: TemplateName, locale: string, more: { brand?: Brand; values?: object } = {}) => ({
  template,
  locale,
  brand: more.brand ?? BRAND,
  host: 'auth.daily.example',
  to: 'reader@example.com',
  realm: { slug: 'daily', locale: 'en', locales: [] as string[] },
  values: { ...SAMPLES[template], ...more.values } as Record<string, string | number>,
});
