// A new password chosen by a reader who is signed in: whoever calls has checked the current one, or a recent sign-in where there
// is none. It ends every other session and token and gives this browser a new one (security 50, 143).

import type { Audit } from '../audit/audit.ts';
import type { Database } from '../db/database.ts';
import type { Messages } from '../messages/messages.ts';
import type { PasswordFault, Passwords } from '../passwords/passwords.ts';
import type { Realm, Realms } from '../realms/realms.ts';
import type { Credential, Sessions } from '../sessions/sessions.ts';
import type { SignedIn } from './accounts.ts';
import * as store from './contact_store.ts';
import { createNewPasswordCheck } from './new_password.ts';
import type { Ownership } from './ownership.ts';

export type PasswordChanged =
  | { ok: true; credential: Credential }
  | { ok: false; reason: 'password'; fault: PasswordFault }
  /** The session or the account is gone since. */
  | { ok: false; reason: 'ended' };

export type PasswordChange = ReturnType<typeof createPasswordChange>;

export function createPasswordChange(options: {
  db: Database;
  audit: Audit;
  realms: Realms;
  passwords: Passwords;
  sessions: Sessions;
  messages: Messages;
  ownership: Ownership;
}) {
  const { db, audit, passwords, sessions, messages, ownership } = options;
  const checkNewPassword = createNewPasswordCheck(options);

  /** Sets the password. The credential is for this host; the old one is void. */
  async function set(
    realm: Realm,
    { account, session }: SignedIn,
    password: string,
    from: { address: string | null; locale: string; signal?: AbortSignal },
  ): Promise<PasswordChanged> {
    const fault = await checkNewPassword(realm, password, account);
    if (fault) return { ok: false, reason: 'password', fault };
    const passwordHash = await passwords.hash(password, from.signal);
    return db.transaction(async (q): Promise<PasswordChanged> => {
      const locked = await store.lockAccount(q, realm.id, account.id);
      const credential = locked && (await sessions.rotate(q, session));
      if (!locked || !credential) return { ok: false, reason: 'ended' };
      await store.updateContact(q, account.id, { passwordHash });
      const { address } = from;
      await ownership.secure(q, account, { reason: 'password-changed', address, except: session.id });
      const event = { realmId: realm.id, accountId: account.id, sessionId: session.id, address };
      await audit.record(q, { type: 'password.changed', ...event });
      if (locked.email !== null)
        await messages.send(q, {
          realmId: realm.id,
          to: { kind: 'email', address: locked.email },
          template: 'password-changed',
          locale: from.locale,
          values: {
            link: `${realm.authOrigin}/forgot-password`,
            time: Date.now(),
            ...(address !== null && { address }),
          },
          expiresInSeconds: null,
        });
      return { ok: true, credential };
    });
  }

  return { set };
}
