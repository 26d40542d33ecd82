// The small window of a sign-in speaks only to pages of its own site: by a BroadcastChannel, which other origins cannot hear,
// never by postMessage to whoever opened it.

import test from 'ava';
import { listFiles } from '../../docs/source_text.ts';
import { launchChromium, newReader } from '../support/chromium.ts';
import { comesTrue, startPages, startStack } from './stack.ts';

const stack = await startStack();
const chromium = await launchChromium();
const evil = await startPages('evil.localhost', {
  '/': `<!doctype html><title>Evil</title><button>open</button><script>
    const heard = [];
    addEventListener('message', ({ origin, data }) => heard.push(origin + ' ' + JSON.stringify(data)));
    new BroadcastChannel('causeway').onmessage = ({ data }) => heard.push(JSON.stringify(data));
    document.querySelector('button').onclick = () => { window.small = open(decodeURIComponent(location.hash.slice(1)), 'causeway', 'popup'); };
  </script>`,
});
test.after.always(async () => {
  await chromium.close();
  await evil.close();
  await stack.close();
});

test.serial('security 66: no page, script or answer of ours posts to another window or listens to one', (t) => {
  const sources = listFiles(['server', 'sdk', 'views', 'demo'], /\.(ts|js|eta|html)$/).filter(
    ({ path }) => path !== 'sdk/browser/causeway.js',
  );
  const posting = sources.filter(({ text }) => /postMessage\(/.test(text));
  t.deepEqual(
    posting.map(({ path }) => path),
    ['sdk/browser/browser_state.ts'],
  );
  t.regex(posting[0]?.text ?? '', /channel = new BroadcastChannel|channel \?\?= new BroadcastChannel/);
  t.is(posting[0]?.text.match(/postMessage\(/g)?.length, 1);
  for (const { path, text } of sources) {
    t.notRegex(text, /\bwindow\.opener\b|\bopener\.|\bparent\.postMessage|addEventListener\(\s*['"]message['"]/, path);
  }
});

test.serial(
  'security 66: a small window that another site opened tells its own site that it is done, and that other site nothing',
  async (t) => {
    const reader = await newReader(t, chromium);
    const own = await reader.newPage();
    await own.goto(stack.article);
    // What the site's own page leaves when it opens a small window; without it the page would not take itself for one.
    await own.evaluate(`localStorage.setItem('causeway:popup', String(Date.now())); window.heard = [];
      (window.channel = new BroadcastChannel('causeway')).onmessage = ({ data }) => heard.push(data.kind)`);
    const tab = await reader.newPage();
    await tab.goto(`${evil.origin}/#${encodeURIComponent(`${stack.article}?causeway_popup=1`)}`);
    const opened = reader.waitForEvent('page');
    await tab.click('button');
    const small = await opened;
    if (!small.isClosed()) await small.waitForEvent('close');
    await comesTrue(own, `heard.includes('popup')`);
    t.deepEqual(await tab.evaluate('heard'), []);
  },
);
