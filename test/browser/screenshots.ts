// Pictures of every page, hosted and demo, for a person to look at: desktop and phone, light and dark, and a contact sheet
// of each. By hand: `node test/browser/screenshots.ts FOLDER [LANGUAGE]`.

import { spawn } from 'node:child_process';
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { launchChromium } from '../support/chromium.ts';
import { startMailbox } from '../support/mailbox.ts';
import { HOSTED_PAGES, HOSTED_PAGES_SETTINGS } from './hosted_pages.ts';
import { type Stack, signInFrom, startStack } from './stack.ts';

const SIZES = { desktop: { width: 1280, height: 800 }, phone: { width: 390, height: 844 } } as const;
const SCHEMES = ['light', 'dark'] as const;
/** Pages on one contact sheet, so that their words can still be read. */
const PER_SHEET = { desktop: 9, phone: 12 } as const;

type Visit = { tab: Page; stack: Stack; account: { email: string } };
type Shot = { name: string; open(visit: Visit): Promise<unknown> };

const DEMO_PAGES: readonly Shot[] = [
  { name: 'demo-news', open: ({ tab, stack }) => tab.goto(`${stack.news}/`) },
  { name: 'demo-sports', open: ({ tab, stack }) => tab.goto(`${stack.sports}/`) },
  { name: 'demo-shop', open: ({ tab, stack }) => tab.goto(`${stack.shop}/`) },
  { name: 'demo-article', open: ({ tab, stack }) => tab.goto(stack.article) },
  { name: 'demo-article-signed-in', open: ({ tab, stack, account }) => signInFrom(tab, stack.article, account) },
  {
    name: 'demo-report-signed-in',
    open: ({ tab, stack, account }) => signInFrom(tab, `${stack.sports}/reports/derby-late-goal`, account),
  },
  {
    name: 'demo-product-signed-in',
    open: ({ tab, stack, account }) => signInFrom(tab, `${stack.shop}/products/sailcloth-bag`, account),
  },
  { name: 'demo-missing', open: ({ tab, stack }) => tab.goto(`${stack.news}/nowhere`) },
];

const [folder, language = 'en-GB'] = process.argv.slice(2);
if (!folder) throw new Error('usage: node test/browser/screenshots.ts FOLDER [LANGUAGE]');
if (process.env['TEST_TEMPLATE']) await takeAll(folder);
else againWithDatabase();

/** The server of the tests needs their database, which run.ts brings up. */
function againWithDatabase() {
  const run = join(import.meta.dirname, '../support/run.ts');
  const child = spawn(process.execPath, [run, '--script', ...process.argv.slice(1)], { stdio: 'inherit' });
  child.on('exit', (code) => {
    process.exitCode = code ?? 1;
  });
}

async function takeAll(into: string) {
  mkdirSync(into, { recursive: true });
  const stack = await startStack({ settings: HOSTED_PAGES_SETTINGS, mailbox: await startMailbox() });
  const chromium = await launchChromium();
  try {
    for (const size of ['desktop', 'phone'] as const) await takeSize({ stack, chromium, into, size });
  } finally {
    await chromium.close();
    await stack.close();
  }
}

async function takeSize({
  stack,
  chromium,
  into,
  size,
}: {
  stack: Stack;
  chromium: Browser;
  into: string;
  size: keyof typeof SIZES;
}) {
  const pages = language.startsWith('en') ? [...HOSTED_PAGES, ...DEMO_PAGES] : HOSTED_PAGES;
  for (const { name, open } of pages) {
    const account = await stack.makeAccount();
    const context = await chromium.newContext({ viewport: SIZES[size], locale: language });
    const tab = await context.newPage();
    await open({ tab, stack, account });
    for (const colorScheme of SCHEMES) {
      // Without motion: a colour on its way from light to dark is neither.
      await tab.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
      await tab.screenshot({ path: join(into, `${name}.${size}.${colorScheme}.png`), fullPage: true });
    }
    const overflow = await tab.evaluate('document.documentElement.scrollWidth - innerWidth');
    if (Number(overflow) > 0) process.stdout.write(`${name}.${size}: ${overflow} px wider than the window\n`);
    await context.close();
  }
  const tab = await chromium.newPage({ viewport: { width: 1800, height: 1000 } });
  for (const scheme of SCHEMES) {
    for (let start = 0; start < pages.length; start += PER_SHEET[size]) {
      const files = pages.slice(start, start + PER_SHEET[size]).map(({ name }) => `${name}.${size}.${scheme}.png`);
      await tab.setContent(presentSheet(into, files, size === 'desktop' ? 3 : 6));
      const path = join(into, `sheet-${size}-${scheme}-${start / PER_SHEET[size] + 1}.png`);
      await tab.screenshot({ path, fullPage: true });
      process.stdout.write(`${path}\n`);
    }
  }
}

function presentSheet(into: string, files: readonly string[], columns: number): string {
  const figures = files.map((file) => {
    const data = readFileSync(join(into, file)).toString('base64');
    return `<figure><figcaption>${file}</figcaption><img src="data:image/png;base64,${data}"></figure>`;
  });
  return `<style>body{margin:8px;background:#888;font:14px sans-serif;display:grid;grid-template-columns:repeat(${columns},1fr);gap:8px}figure{margin:0}img{width:100%;max-height:90vh;object-fit:cover;object-position:top}</style>${figures.join('')}`;
}
