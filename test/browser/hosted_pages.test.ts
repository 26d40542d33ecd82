import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import test from 'ava';
import type { Page } from 'playwright-core';
import { launchChromium, newReader, record } from '../support/chromium.ts';
import { startMailbox } from '../support/mailbox.ts';
import { foreignTo, HOSTED_PAGES, HOSTED_PAGES_SETTINGS, ofPolicy } from './hosted_pages.ts';
import { signInFrom, startStack } from './stack.ts';

const stack = await startStack({ settings: HOSTED_PAGES_SETTINGS, mailbox: await startMailbox() });
const chromium = await launchChromium();
test.after.always(() => chromium.close());
test.after.always(() => stack.close());

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const SCHEMES = ['light', 'dark'] as const;
type Violation = { id: string; impact: string; nodes: { html: string; failureSummary: string }[] };

for (const { name, heading, open } of HOSTED_PAGES) {
  test.serial(
    `security 192: no foreign request, no breach of its policy and nothing serious for axe on the hosted page “${name}”`,
    async (t) => {
      const account = await stack.makeAccount();
      const reader = await newReader(t, chromium);
      const { urls, complaints } = record(reader);
      const tab = await reader.newPage();
      await open({ tab, stack, account });
      t.true((await tab.innerText('h1')).startsWith(heading));
      for (const scheme of SCHEMES) t.deepEqual(await violations(tab, scheme), [], scheme);
      t.deepEqual(ofPolicy(complaints), []);
      t.deepEqual(foreignTo(stack, urls), []);
    },
  );

  test.serial(
    `in Arabic the hosted page “${name}” is turned around, fits a phone, and axe finds nothing serious`,
    async (t) => {
      const account = await stack.makeAccount();
      const reader = await newReader(t, chromium, { locale: 'ar', viewport: { width: 390, height: 844 } });
      const tab = await reader.newPage();
      await open({ tab, stack, account });
      t.is(await tab.evaluate('document.documentElement.dir'), 'rtl');
      t.regex(await tab.innerText('h1'), /\p{Script=Arabic}/u);
      t.true(Number(await tab.evaluate('document.documentElement.scrollWidth - innerWidth')) <= 0);
      t.deepEqual(await violations(tab, 'light'), []);
    },
  );
}

test.serial('axe finds nothing serious on the demo’s pages, light and dark', async (t) => {
  const account = await stack.makeAccount();
  const tab = await (await newReader(t, chromium)).newPage();
  for (const origin of [stack.news, stack.sports, stack.shop]) {
    await tab.goto(`${origin}/`);
    for (const scheme of SCHEMES) t.deepEqual(await violations(tab, scheme), [], `${origin} ${scheme}`);
  }
  await signInFrom(tab, stack.article, account);
  for (const scheme of SCHEMES) t.deepEqual(await violations(tab, scheme), [], `article ${scheme}`);
});

test.serial('axe as run here does find what is wrong: a field without a label, grey on white', async (t) => {
  const tab = await (await newReader(t, chromium)).newPage();
  await tab.goto(`${stack.auth}/login`);
  await tab.evaluate(`document.querySelector('main').insertAdjacentHTML('beforeend', '<input><p id="pale">pale</p>')`);
  await tab.evaluate(`Object.assign(document.querySelector('#pale').style, { color: '#ccc', background: '#fff' })`);
  const found = await violations(tab, 'light');
  t.deepEqual(found.map((text) => text.split(':')[0]).sort(), ['color-contrast', 'label']);
});

async function violations(tab: Page, colorScheme: 'light' | 'dark'): Promise<string[]> {
  await tab.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
  if (!(await tab.evaluate('Boolean(window.axe)'))) await bringAxe(tab);
  // Only colours differ between the schemes.
  const run = colorScheme === 'light' ? '{}' : `{ runOnly: ['color-contrast'] }`;
  const { violations: all } = (await tab.evaluate(`axe.run(document, ${run})`)) as { violations: Violation[] };
  const serious = all.filter(({ impact }) => impact === 'serious' || impact === 'critical');
  return serious.flatMap(({ id, nodes }) =>
    nodes.map(({ html, failureSummary }) => `${id}: ${html} ${failureSummary}`),
  );
}

/** Straight to the browser: what the tab evaluates by itself is parsed here first, and axe is long. */
async function bringAxe(tab: Page): Promise<void> {
  const devtools = await tab.context().newCDPSession(tab);
  const { exceptionDetails } = await devtools.send('Runtime.evaluate', { expression: `${AXE}; 'axe'` });
  if (exceptionDetails) throw new Error(exceptionDetails.text);
  await devtools.detach();
}
