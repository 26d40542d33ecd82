// Apache with mod_auth_openidc in front of a page, from Debian's packages, as a process of its own in the foreground.

import { type ChildProcess, spawn } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export const APACHE = '/usr/sbin/apache2';
export const MODULES = '/usr/lib/apache2/modules';
export const OPENIDC = `${MODULES}/mod_auth_openidc.so`;

export const redirectUriOf = (port: number) => `http://rp.localhost:${port}/protected/redirect_uri`;

function configuration(
  folder: string,
  options: { issuer: string; port: number; clientId: string; secret: string },
): string {
  const modules = ['mpm_event', 'authn_core', 'authz_core', 'authz_user', 'headers', 'auth_openidc'];
  return `
ServerRoot ${folder}
PidFile ${folder}/pid
ErrorLog ${folder}/error.log
Listen 127.0.0.1:${options.port}
ServerName rp.localhost:${options.port}
${modules
  .filter((name) => existsSync(`${MODULES}/mod_${name}.so`))
  .map((name) => `LoadModule ${name}_module ${MODULES}/mod_${name}.so`)
  .join('\n')}
User www-data
Group www-data
DocumentRoot ${folder}/site
OIDCProviderMetadataURL ${options.issuer}/.well-known/openid-configuration
OIDCClientID ${options.clientId}
OIDCClientSecret ${options.secret}
OIDCRedirectURI ${redirectUriOf(options.port)}
OIDCCryptoPassphrase only-for-this-run-of-the-peers
OIDCScope "openid email profile"
OIDCPKCEMethod S256
OIDCProviderTokenEndpointAuth client_secret_basic
<Location /protected>
  AuthType openid-connect
  Require valid-user
  Header set X-Reader "%{OIDC_CLAIM_sub}e %{OIDC_CLAIM_email}e"
</Location>
`;
}

/** Starts Apache; resolves when it takes connections. */
export async function startApache(options: { issuer: string; port: number; clientId: string; secret: string }) {
  const folder = mkdtempSync(join(tmpdir(), 'causeway-apache-'));
  chmodSync(folder, 0o755);
  mkdirSync(`${folder}/site/protected`, { recursive: true });
  writeFileSync(`${folder}/site/protected/page.html`, 'behind the gate');
  writeFileSync(`${folder}/httpd.conf`, configuration(folder, options));
  const child = spawn(APACHE, ['-X', '-f', `${folder}/httpd.conf`], { stdio: 'inherit' });
  await untilListening(child, options.port);
  const log = () => readFileSync(`${folder}/error.log`, 'utf8');
  async function close() {
    const exited = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGTERM');
    await exited;
    rmSync(folder, { recursive: true, force: true });
  }
  return { log, close };
}

async function untilListening(child: ChildProcess, port: number): Promise<void> {
  for (const started = Date.now(); Date.now() - started < 10_000; ) {
    if (child.exitCode !== null) throw new Error(`Apache ended with ${child.exitCode}`);
    const isOpen = await new Promise<boolean>((resolve) => {
      const socket = connect(port, '127.0.0.1', () => resolve(true)).on('error', () => resolve(false));
      socket.on('connect', () => socket.destroy());
    });
    if (isOpen) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error('Apache does not listen');
}
