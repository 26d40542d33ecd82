// The browser script of Causeway: sets the global `causeway`. Served as causeway.js at GET /api/auth/v1/sdk.js on every
// client domain; talks only to its own origin. API and types: causeway.d.ts; bundled by build.ts. Safe to load twice.

import { enableAutoSignIn, prepareAutoSignIn } from './auto_sign_in.ts';
import { onChange, openChannel, probe, settings } from './browser_state.ts';
import { follow } from './live.ts';
import { signInWithPasskey } from './passkey.ts';
import type { Settings } from './public_types.ts';
import { landPopup, signIn, signOut } from './sign_in.ts';

function configure(changes: Settings): void {
  Object.assign(settings, changes);
  if (settings.autoSignIn) enableAutoSignIn();
}

/** A module script has no currentScript, and an element named "currentScript" can stand in its place. */
function scriptTag(): HTMLScriptElement | null {
  const tag = document.currentScript;
  return tag instanceof HTMLScriptElement ? tag : document.querySelector('script[data-client-id]');
}

function install(): void {
  const { clientId, autoSignIn, quietMinutes, closeText } = scriptTag()?.dataset ?? {};
  globalThis.causeway = { me: () => probe(), signIn, signInWithPasskey, signOut, onChange, configure };
  openChannel();
  if (closeText) settings.closeText = closeText;
  prepareAutoSignIn(landPopup());
  follow();
  configure({
    ...(clientId && { clientId }),
    ...(quietMinutes && { quietMinutes: Number(quietMinutes) }),
    autoSignIn: autoSignIn !== undefined && autoSignIn !== 'false',
  });
}

// Not just "is there something": an element with id="causeway" is a global of that name too.
if (typeof globalThis.causeway?.onChange !== 'function') install();
