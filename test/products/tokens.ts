// Access tokens of an application that signs a reader in with the standard flow and PKCE, without a secret.

import { createHash, randomBytes } from 'node:crypto';
import type { Account } from '../../server/accounts/accounts.ts';
import { send } from '../support/browser.ts';
import { walk } from '../support/relying_party.ts';
import { originOf, type TestServer } from '../support/server.ts';
import { beginSession, keepIn } from '../support/signed_in.ts';

export async function obtainToken(
  server: TestServer,
  account: Account & { email: string },
  of: { clientId: string; redirectUri: string },
): Promise<string> {
  const browser = server.browser();
  keepIn(browser, await beginSession(server, account, ['auth']));
  const verifier = randomBytes(32).toString('base64url');
  const query = new URLSearchParams({
    client_id: of.clientId,
    redirect_uri: of.redirectUri,
    response_type: 'code',
    scope: 'openid profile email',
    code_challenge: createHash('sha256').update(verifier).digest('base64url'),
    code_challenge_method: 'S256',
  });
  const outcome = await walk(browser, `${originOf('auth')}/oauth/authorize?${query}`, { account });
  const code = outcome.answer?.get('code');
  if (!code) throw new Error(`no code: ${outcome.last.text}`);
  const body = new URLSearchParams({
    grant_type: 'authorization_code',
    code,
    redirect_uri: of.redirectUri,
    client_id: of.clientId,
    code_verifier: verifier,
  });
  const answer = await send(server.port, `${originOf('auth')}/oauth/token`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/x-www-form-urlencoded' },
    body: body.toString(),
  });
  if (answer.status !== 200) throw new Error(answer.text);
  return answer.json().access_token;
}
