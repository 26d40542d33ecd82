// What a session begins with: a credential, of which hashes are stored, and the lifetimes that its realm sets.

import { createToken, hashToken } from '../lib/token.ts';
import { type Realm, settingSeconds } from '../realms/realms.ts';
import type { Credential } from './sessions.ts';

export function newCredential(): Credential {
  return { token: createToken(), companion: createToken() };
}

export function hashed(credential: Credential) {
  return { tokenHash: hashToken(credential.token), companionHash: hashToken(credential.companion) };
}

export function lifetimes(realm: Realm) {
  return {
    idleSeconds: settingSeconds(realm.settings.session_idle),
    absoluteSeconds: settingSeconds(realm.settings.session_absolute),
  };
}
