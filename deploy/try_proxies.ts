// Runs the samples of this folder for real: nginx and Caddy from the machine's packages, in front of a running server, and a
// reader who signs in, moves to the second site and signs out through them. `npm run test:proxies`; it installs nothing and
// fails when a proxy is missing. The samples are used as they stand but for addresses, ports and the secret.

import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createBrowser, send } from '../test/support/browser.ts';
import { PASSWORD, startTestServer } from '../test/support/server.ts';

const SECRET = 'a-proxy-secret-for-this-run-0123456789';
const SAMPLE_SECRET = 'the proxy_secret of this client, at least 32 characters';

/** What a site's proxy passes on besides the session-sharing API; whatever Causeway says to it, it says itself. */
const PATHS = ['/api/login/google', '/api/v1/access-token/x', '/api/v1/admin/access-token/x'];

async function main() {
  let failures = 0;
  for (const [name, start] of [
    ['nginx', startNginx],
    ['caddy', startCaddy],
  ] as const) {
    const version = spawnSync(name, [name === 'nginx' ? '-v' : 'version'], { encoding: 'utf8' });
    if (version.error) {
      console.log(`${name}: not installed (Debian: apt-get install ${name})`);
      failures++;
      continue;
    }
    const ports = { site: await freePort(), auth: await freePort() };
    const server = await startTestServer({ yaml: realmFor(ports), env: { CAUSEWAY_PROXIES: '127.0.0.1' } });
    const folder = mkdtempSync(join(tmpdir(), 'causeway-proxy-'));
    const proxy = start(folder, { ...ports, causeway: server.port });
    try {
      await journey(server, ports);
      console.log(
        `${name} (${`${version.stdout}${version.stderr}`.trim().split('\n')[0]}): sign-in on news, signed in on sports, event stream, sign-out, address believed: ok`,
      );
    } catch (error) {
      failures++;
      console.log(`${name}: FAILED: ${error instanceof Error ? error.message : error}`);
    } finally {
      const gone = new Promise((resolve) => proxy.once('exit', resolve));
      proxy.kill('SIGTERM');
      await gone;
      await server.close();
      rmSync(folder, { recursive: true, force: true });
    }
  }
  process.exitCode = failures === 0 ? 0 : 1;
}

const realmFor = (ports: { site: number; auth: number }) => `
realms:
  - slug: test
    auth_domain: auth.localhost:${ports.auth}
    clients:
      - { id: news, kind: first-party, domain: "news.localhost:${ports.site}", proxy_secret: ${SECRET} }
      - { id: sports, kind: first-party, domain: "sports.localhost:${ports.site}" }
`;

async function journey(server: Awaited<ReturnType<typeof startTestServer>>, ports: { site: number; auth: number }) {
  const [news, sports] = [`http://news.localhost:${ports.site}`, `http://sports.localhost:${ports.site}`];
  await untilReady(ports.site, `${news}/api/auth/v1/users/me`);
  const account = await server.makeAccount();
  // The connection goes to the proxy that the address names.
  const browser = createBrowser({ ports: [], portOf: (url) => Number(new URL(url).port) });
  const arrived = await browser.signInThrough(news, account, PASSWORD, 'news', `${news}/story`);
  expect(arrived.hops.at(-1), `${news}/story`, 'callback');
  const silent = await browser.follow(
    `${sports}/api/auth/v1/oauth/auto-sso/authorize?client_id=sports&redirect_uri=${sports}/api/auth/v1/oauth/token&callback_uri=${sports}/`,
    { from: `${sports}/` },
  );
  expect(silent.hops.at(-1), `${sports}/`, 'silent callback');
  expect((await browser.me(sports)).json().user.email, account.email, 'account on the second site');
  const stream = browser.fetch(`${news}/api/auth/v1/events`);
  const listed = (await browser.fetch(`${news}/api/auth/v1/sessions`)).json().sessions;
  expect(listed.length, 1, 'sessions');
  expect(listed[0].ip, '127.0.0.1', 'address');
  for (const path of PATHS) {
    const answer = await browser.fetch(`${news}${path}`);
    expect(answer.headers['x-request-id'] !== undefined, true, `${path} reaches Causeway`);
  }
  expect((await browser.fetch(`${sports}/api/auth/v1/logout`)).status, 204, 'sign-out');
  expect((await stream).text.includes('event: signed-out'), true, 'event');
  expect((await browser.me(news)).status, 401, 'after sign-out');
}

function expect(actual: unknown, wanted: unknown, what: string) {
  if (actual !== wanted) throw new Error(`${what}: ${JSON.stringify(actual)} instead of ${JSON.stringify(wanted)}`);
}

type Ports = { site: number; auth: number; causeway: number };

function startNginx(folder: string, ports: Ports): ChildProcess {
  const fill = (file: string) =>
    readFileSync(join(import.meta.dirname, file), 'utf8')
      .replaceAll('causeway.internal:8080', `127.0.0.1:${ports.causeway}`)
      .replaceAll(SAMPLE_SECRET, SECRET);
  const withoutSecret = fill('nginx.conf').replace(/.*X-Causeway-Proxy-Secret.*\n/, '');
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map((kind) => `${kind}_temp_path ${folder}/${kind};`)
    .join('\n');
  const config = `daemon off; error_log stderr; pid ${folder}/pid; events {} http { access_log off; ${temporary}
    server { listen 127.0.0.1:${ports.site}; server_name news.localhost; ${fill('nginx.conf')} }
    server { listen 127.0.0.1:${ports.site}; server_name sports.localhost; ${withoutSecret} }
    server { listen 127.0.0.1:${ports.auth}; server_name auth.localhost; ${fill('nginx-auth.conf')} } }`;
  writeFileSync(join(folder, 'nginx.conf'), config);
  return spawn('nginx', ['-p', folder, '-c', join(folder, 'nginx.conf')], { stdio: 'inherit' });
}

function startCaddy(folder: string, ports: Ports): ChildProcess {
  const sample = readFileSync(join(import.meta.dirname, 'Caddyfile'), 'utf8')
    .replaceAll('causeway.internal:8080', `127.0.0.1:${ports.causeway}`)
    .replaceAll(SAMPLE_SECRET, SECRET);
  const news = sample
    .replace('news.example', `http://news.localhost:${ports.site}`)
    .replace('auth.example', `http://auth.localhost:${ports.auth}`);
  const sports = `http://sports.localhost:${ports.site} {\n\treverse_proxy /api/auth/v1/* 127.0.0.1:${ports.causeway}\n}\n`;
  mkdirSync(join(folder, 'data'));
  writeFileSync(join(folder, 'Caddyfile'), `{\n\tadmin off\n\tauto_https off\n}\n${news}\n${sports}`);
  const environment = { ...process.env, XDG_DATA_HOME: join(folder, 'data'), XDG_CONFIG_HOME: join(folder, 'data') };
  return spawn('caddy', ['run', '--config', join(folder, 'Caddyfile')], {
    stdio: ['ignore', 'ignore', 'ignore'],
    env: environment,
  });
}

async function untilReady(port: number, url: string) {
  const deadline = Date.now() + 10_000;
  while (Date.now() < deadline) {
    const answer = await send(port, url).catch(() => null);
    if (answer?.status === 401) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error('the proxy did not come up');
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const probe = createServer().listen(0, '127.0.0.1', () => {
      const address = probe.address();
      probe.close(() => resolve(typeof address === 'object' && address ? address.port : 0));
    });
  });
}

await main();
