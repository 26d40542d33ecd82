// Signing in with a passkey on the page itself: the passkey is the auth domain's, and its list of sites lets this page use it
// (WebAuthn L3 §5.11). Endpoints: POST /api/auth/v1/passkeys/sign-in/options, then /sign-in.

import { failure, probe } from './browser_state.ts';
import type { User } from './public_types.ts';
import { api } from './rules.ts';
import { signIn } from './sign_in.ts';

async function ask(path: string, body: object) {
  const response = await fetch(`${api}/passkeys/sign-in${path}`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify(body),
  });
  if (!response.ok) throw failure(`${path || '/sign-in'} answered ${response.status}`, response.status);
  return response.json();
}

/** See Causeway.signInWithPasskey. */
export async function signInWithPasskey(): Promise<User | null> {
  const { PublicKeyCredential: passkeys } = globalThis;
  if (!passkeys?.parseRequestOptionsFromJSON) return signIn();
  const { ceremony, options } = await ask('/options', {});
  try {
    const publicKey = passkeys.parseRequestOptionsFromJSON(options);
    const credential = (await navigator.credentials.get({ publicKey })) as PublicKeyCredential;
    // More is asked for than a passkey: the sign-in page knows how.
    if ((await ask('', { ceremony, response: credential.toJSON() })).code) return signIn();
  } catch (error) {
    const { name } = error as Error;
    // No passkey, or the reader thought better of it; or a browser that does not let this site use it.
    if (name === 'NotAllowedError') return null;
    if (name === 'SecurityError') return signIn();
    throw error;
  }
  return probe();
}
