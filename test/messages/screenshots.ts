// Pictures of every e-mail as HTML, and of the demo's mail page, for a person to look at: each language, desktop and phone,
// light and dark, on contact sheets. By hand: `node test/messages/screenshots.ts FOLDER`.

import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { createTransport } from 'nodemailer';
import { startMailCatcher } from '../../demo/mail_catcher.ts';
import { startDemoSites } from '../../demo/sites.ts';
import { signatureHeaders } from '../../server/lib/webhook_signature.ts';
import { TEMPLATES } from '../../server/messages/messages.ts';
import { launchChromium } from '../support/chromium.ts';
import { BRAND, draftOf, NAMES, renderer, views } from './samples.ts';

const [folder] = process.argv.slice(2);
if (!folder) throw new Error('usage: node test/messages/screenshots.ts FOLDER');
mkdirSync(folder, { recursive: true });

const SIZES = { desktop: { width: 800, height: 700 }, phone: { width: 390, height: 700 } } as const;
const SCHEMES = ['light', 'dark'] as const;
const LOGO = `data:image/png;base64,${(await readPng()).toString('base64')}`;
const chromium = await launchChromium();
try {
  for (const locale of views.locales)
    for (const size of ['desktop', 'phone'] as const)
      for (const scheme of SCHEMES) await takeSheet(locale, size, scheme);
  await takeMailPage();
} finally {
  await chromium.close();
}

/** A logo as a publisher has one. */
async function readPng(): Promise<Buffer> {
  const browser = await launchChromium();
  const tab = await browser.newPage({ viewport: { width: 240, height: 60 } });
  await tab.setContent(
    '<body style="margin:0;display:grid;place-items:center;height:60px;background:#0b5d4b;color:#fff;font:700 30px Georgia">The Daily</body>',
  );
  const png = await tab.screenshot();
  await browser.close();
  return png;
}

async function takeSheet(locale: string, size: keyof typeof SIZES, scheme: (typeof SCHEMES)[number]) {
  const mails = NAMES.filter((name) => TEMPLATES[name].channel === 'email');
  const pictures: string[] = [];
  const tab = await chromium.newPage({ viewport: SIZES[size], colorScheme: scheme });
  for (const [index, name] of mails.entries()) {
    const brand = index % 3 === 0 ? { ...BRAND, logo: LOGO } : BRAND;
    const { html } = renderer.mail(draftOf(name, locale, { brand }));
    await tab.setContent(html.replace('cid:logo', LOGO));
    const overflow = Number(await tab.evaluate('document.documentElement.scrollWidth - innerWidth'));
    if (overflow > 0) process.stdout.write(`${name}.${locale}.${size}: ${overflow} px wider than the window\n`);
    pictures.push((await tab.screenshot({ fullPage: true })).toString('base64'));
  }
  await tab.close();
  const columns = size === 'desktop' ? 4 : 6;
  const sheet = await chromium.newPage({ viewport: { width: 2000, height: 1000 } });
  await sheet.setContent(
    `<style>body{margin:8px;background:#888;display:grid;grid-template-columns:repeat(${columns},1fr);gap:8px}img{width:100%}</style>${pictures
      .map((data) => `<img src="data:image/png;base64,${data}">`)
      .join('')}`,
  );
  await sheet.screenshot({ path: join(folder as string, `mails.${locale}.${size}.${scheme}.png`), fullPage: true });
  await sheet.close();
}

async function takeMailPage() {
  const catcher = await startMailCatcher();
  const sites = await startDemoSites({
    port: 0,
    host: '127.0.0.1',
    causeway: 'http://127.0.0.1:9',
    authOrigin: 'http://auth.localhost:9',
    log: (line) => process.stdout.write(`${line}\n`),
    catcher,
  });
  const origin = `http://mail.localhost:${new URL(sites.origins[0] as string).port}`;
  const tab = await chromium.newPage();
  const shoot = async (name: string) => {
    for (const size of [{ width: 1280, height: 800 }, SIZES.phone])
      for (const colorScheme of SCHEMES) {
        await tab.emulateMedia({ colorScheme });
        await tab.setViewportSize(size);
        await tab.screenshot({
          path: join(folder as string, `${name}.${size.width}.${colorScheme}.png`),
          fullPage: true,
        });
      }
  };
  await tab.goto(origin);
  await shoot('catcher-empty');
  // The page reloads itself when a message comes, and would be in the way of the next address.
  await tab.goto('about:blank');
  const transport = createTransport(catcher.smtpUrl);
  for (const name of NAMES.filter((one) => TEMPLATES[one].channel === 'email')) {
    const { logo, ...mail } = renderer.mail(draftOf(name, 'en'));
    const to = name.length % 2 === 0 ? 'reader@example.com' : 'somebody.else@example.com';
    await transport.sendMail({
      ...mail,
      from: 'The Daily <no-reply@auth.daily.example>',
      to,
      attachments: logo ? [logo] : [],
    });
  }
  const text = renderer.text(draftOf('phone-code', 'en'));
  const body = JSON.stringify({
    id: 'one',
    to: '+4915112345678',
    text,
    template: 'phone-code',
    locale: 'en',
    realm: 'daily',
  });
  catcher.takeText(
    signatureHeaders(catcher.webhookSecret, { id: 'one', timestamp: Math.floor(Date.now() / 1000), body }),
    body,
  );
  await tab.goto(origin);
  await shoot('catcher-list');
  await tab.setViewportSize({ width: 1280, height: 800 });
  await tab.goto(
    `${origin}/messages/${catcher.caught.find(({ subject }) => subject.startsWith('Confirm your email'))?.id}`,
  );
  await tab.waitForTimeout(300);
  await shoot('catcher-mail');
  await tab.close();
  await sites.close();
  await catcher.close();
}
