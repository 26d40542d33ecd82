// `npm run test:peers`: independent relying parties from Debian's packages against the running server: Python Authlib and
// Apache mod_auth_openidc. Installs nothing; says what is missing and ends with 1 then. Run through test/support/run.ts.

import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { createBrowser } from '../support/browser.ts';
import { reservePort, startReachable } from '../support/real_ports.ts';
import { putClients, REDIRECT, SECRET, walk } from '../support/relying_party.ts';
import { APACHE, OPENIDC, redirectUriOf, startApache } from './apache.ts';

type Reachable = Awaited<ReturnType<typeof startReachable>>;

const PYTHON = ['/usr/bin/python3', 'python3'].find(
  (python) => spawnSync(python, ['-c', 'import authlib, requests'], { stdio: 'ignore' }).status === 0,
);

function listMissing(): string[] {
  return [
    ...(PYTHON ? [] : ['python3-authlib python3-requests']),
    ...(existsSync(APACHE) ? [] : ['apache2']),
    ...(existsSync(OPENIDC) ? [] : ['libapache2-mod-auth-openidc']),
  ];
}

const browserOf = ({ server }: Reachable) =>
  createBrowser({ ports: [server.port], portOf: (url) => Number(new URL(url).port) });

async function playAuthlib(reachable: Reachable, clientId: string, method: string): Promise<void> {
  const { server, issuer } = reachable;
  const account = await server.makeAccount();
  const child = spawn(
    PYTHON ?? '',
    [join(import.meta.dirname, 'authlib_client.py'), issuer, clientId, SECRET, REDIRECT, method],
    { stdio: ['pipe', 'pipe', 'inherit'] },
  );
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const url = (await lines.next()).value ?? '';
  const { to } = await walk(browserOf(reachable), String(url), { account, issuer });
  child.stdin.end(`${to}\n`);
  const result = JSON.parse((await lines.next()).value ?? 'null');
  assert.equal(result.sub, account.sub);
  assert.equal(result.userinfo.email, account.email);
  assert.deepEqual([result.isNew, result.active, result.dead], [true, true, false]);
}

async function playApache(reachable: Reachable): Promise<void> {
  const { server, issuer } = reachable;
  const port = await reservePort();
  const site = `http://rp.localhost:${port}`;
  await putClients(server, [
    {
      id: 'apache',
      scopes: ['openid', 'email', 'profile'],
      redirect_uris: [redirectUriOf(port)],
      post_logout_redirect_uris: [`${site}/bye`],
    },
  ]);
  const apache = await startApache({ issuer, port, clientId: 'apache', secret: SECRET });
  try {
    const account = await server.makeAccount();
    const browser = browserOf(reachable);
    const asked = await browser.navigate(`${site}/protected/page.html`);
    assert.ok(
      asked.location?.startsWith(`${issuer}/oauth/authorize?`),
      `Apache sends to the provider: ${asked.status} ${asked.text}\n${apache.log()}`,
    );
    const { to } = await walk(browser, String(asked.location), { account, issuer });
    const landed = await browser.navigate(to ?? '', { from: issuer });
    assert.equal(landed.location, `${site}/protected/page.html`, `${landed.status} ${landed.text}\n${apache.log()}`);
    const page = await browser.navigate(landed.location, { from: issuer });
    assert.equal(page.status, 200);
    assert.equal(page.text, 'behind the gate');
    assert.equal(page.headers['x-reader'], `${account.sub} ${account.email}`);
    // Logout from the product: Apache sends the hint, the provider ends the session and sends back.
    const out = await browser.navigate(`${redirectUriOf(port)}?logout=${encodeURIComponent(`${site}/bye`)}`);
    assert.ok(out.location?.startsWith(`${issuer}/oauth/end_session?`), `${out.status} ${out.location}`);
    assert.equal((await walk(browser, String(out.location), { issuer })).to?.split('?')[0], `${site}/bye`);
    assert.equal((await browser.navigate(`${site}/protected/page.html`)).status, 302);
  } finally {
    await apache.close();
  }
}

async function main(): Promise<void> {
  const missing = listMissing();
  if (missing.length > 0) {
    console.error(
      `These Debian packages are missing: ${missing.join(' ')}\nInstall them with: apt-get install ${missing.join(' ')}`,
    );
    process.exitCode = 1;
    return;
  }
  const reachable = await startReachable('http');
  try {
    const scopes = ['openid', 'email', 'profile'];
    await putClients(reachable.server, [
      { id: 'authlib', scopes },
      { id: 'authlib-post', scopes, token_endpoint_auth_method: 'client_secret_post' },
    ]);
    await playAuthlib(reachable, 'authlib', 'client_secret_basic');
    console.log(
      'ok  Python Authlib: code with PKCE, ID token, userinfo, refresh, introspection, revocation (client_secret_basic)',
    );
    await playAuthlib(reachable, 'authlib-post', 'client_secret_post');
    console.log('ok  Python Authlib: the same with client_secret_post');
    await playApache(reachable);
    console.log('ok  Apache mod_auth_openidc: protected page, claims, RP-initiated logout');
  } finally {
    await reachable.close();
  }
}

await main();
