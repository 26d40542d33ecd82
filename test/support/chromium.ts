// Real Chromium through playwright-core: /usr/bin/chromium where the machine has one, else the build that comes as an npm
// package, so that the tests need only Node and npm. TEST_CHROMIUM=bundled takes the package's, or names another program.

import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { ExecutionContext } from 'ava';
import { type Browser, type BrowserContext, type BrowserContextOptions, chromium } from 'playwright-core';

const ARGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];
/** Without the word that says that nobody looks at the window: such browsers are not signed in by themselves. */
const USER_AGENT =
  'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/147.0.0.0 Safari/537.36';
/** A test that waits longer than this waits for something that does not come. */
const PATIENCE_MS = 15_000;

export type ContextOptions = BrowserContextOptions & {
  /** Looks like a person's browser to the page, so that automatic sign-in does its work. */
  isPerson?: boolean;
};

/** Starts a browser with a fresh profile. */
export async function launchChromium(more: { args?: string[] } = {}): Promise<Browser> {
  return chromium.launch({ ...(await findChromium()), args: [...ARGS, ...(more.args ?? [])] });
}

/** A browser whose profile has these preferences, for one test. */
export async function launchProfile(
  t: ExecutionContext,
  options: { preferences: object; args?: string[] },
): Promise<BrowserContext> {
  const folder = await mkdtemp(join(tmpdir(), 'causeway-profile-'));
  await mkdir(join(folder, 'Default'));
  await writeFile(join(folder, 'Default', 'Preferences'), JSON.stringify(options.preferences));
  const args = [...ARGS, ...(options.args ?? [])];
  const context = await chromium.launchPersistentContext(folder, {
    ...(await findChromium()),
    args,
    userAgent: USER_AGENT,
  });
  t.teardown(async () => {
    await context.close();
    await rm(folder, { recursive: true, force: true, maxRetries: 5 });
  });
  context.setDefaultTimeout(PATIENCE_MS);
  return context;
}

/**
 * Whether the browser is a whole one. The package's build is a bare shell, which reads no preferences and never prerenders;
 * a test that needs them says so in its log and passes.
 */
export async function isWholeBrowser(t: ExecutionContext): Promise<boolean> {
  const isWhole = (await findChromium()).env === undefined;
  if (!isWhole) t.log('not tried: the packaged Chromium cannot do this');
  if (!isWhole) t.pass();
  return isWhole;
}

/** The reader of one test: cookies and storage of his own, and the name of an ordinary browser. */
export async function newReader(
  t: ExecutionContext,
  browser: Browser,
  { isPerson, ...options }: ContextOptions = {},
): Promise<BrowserContext> {
  const context = await browser.newContext({ userAgent: USER_AGENT, locale: 'en-GB', ...options });
  t.teardown(() => context.close());
  context.setDefaultTimeout(PATIENCE_MS);
  if (isPerson) await context.addInitScript(`Object.defineProperty(navigator, 'webdriver', { get: () => false })`);
  return context;
}

/** Everything that the pages of a context ask for, redirects included, and everything that their consoles complain of. */
export function record(context: BrowserContext) {
  const urls: string[] = [];
  const complaints: string[] = [];
  context.on('request', (request) => urls.push(request.url()));
  context.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) complaints.push(`${message.page()?.url()}: ${message.text()}`);
  });
  context.on('weberror', (error) => complaints.push(error.error().message));
  return { urls, complaints };
}

/** Waits until something outside the page has come about. */
export async function until(what: string, condition: () => boolean | Promise<boolean>): Promise<void> {
  const end = performance.now() + PATIENCE_MS;
  while (!(await condition())) {
    if (performance.now() > end) throw new Error(`never: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

async function findChromium(): Promise<{ executablePath: string; env?: Record<string, string> }> {
  const wanted = process.env['TEST_CHROMIUM'];
  if (wanted && wanted !== 'bundled') return { executablePath: wanted };
  if (wanted !== 'bundled' && existsSync('/usr/bin/chromium')) return { executablePath: '/usr/bin/chromium' };
  return unpackChromium();
}

/**
 * Unpacks the npm package's build, once per version and machine. Its own way of unpacking writes straight to the final place
 * (two test files at once would start half a program), and leaves out the libraries that a bare machine lacks.
 */
async function unpackChromium() {
  const { version } = createRequire(import.meta.url)('../../node_modules/@sparticuz/chromium/package.json') as {
    version: string;
  };
  const place = join(tmpdir(), `causeway-chromium-${process.getuid?.() ?? 0}-${version}-own-fonts`);
  if (!existsSync(place)) {
    const unpacking = await mkdtemp(`${place}-`);
    // The package asks os.tmpdir() where to unpack, and the other variable whether to bring its libraries.
    const env = { ...process.env, TMPDIR: unpacking, AWS_EXECUTION_ENV: 'AWS_Lambda_nodejs24.x' };
    const script = `import('@sparticuz/chromium').then(({ default: bundled }) => bundled.executablePath())`;
    await promisify(execFile)(process.execPath, ['-e', script], { env, cwd: import.meta.dirname });
    await writeFile(join(unpacking, 'fonts', 'fonts.conf'), fontsConfig(join(place, 'fonts')));
    // Another test file may have been quicker; then its copy is as good.
    await rename(unpacking, place).catch(() => rm(unpacking, { recursive: true, force: true }));
  }
  const libraries = join(place, 'al2023', 'lib');
  const paths = [libraries, process.env['LD_LIBRARY_PATH']].filter(Boolean).join(':');
  const env = { ...process.env, LD_LIBRARY_PATH: paths, FONTCONFIG_PATH: join(place, 'fonts') } as Record<
    string,
    string
  >;
  return { executablePath: join(place, 'chromium'), env };
}

/** The package looks for its fonts in places of its own; a Chromium that finds none at all crashes with the first page. */
function fontsConfig(folder: string): string {
  return `<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig>
  <dir>${folder}</dir>
  <dir>/usr/share/fonts</dir>
  <cachedir>${join(folder, 'cache')}</cachedir>
</fontconfig>
`;
}
