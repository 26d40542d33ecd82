// What a new password of a person in a realm must be, wherever it is chosen: sign-up, change, reset, operator's command.

import type { PasswordFault, Passwords } from '../passwords/passwords.ts';
import type { Realm, Realms } from '../realms/realms.ts';
import { brandOf } from '../realms/realms.ts';

/** Who chooses; whatever is known of them must not be their password. */
export type Choosing = { email?: string | null; username?: string | null; name?: string | null };
export type CheckNewPassword = (realm: Realm, password: string, who: Choosing) => Promise<PasswordFault | null>;

/** @param options realms: to know the sites of a realm by name */
export function createNewPasswordCheck(options: {
  passwords: Passwords;
  realms: Pick<Realms, 'listDomains'>;
}): CheckNewPassword {
  return async (realm, password, who) => {
    const domains = await options.realms.listDomains(realm.id);
    const site = [realm.slug, brandOf(realm).name, ...domains.map(({ host }) => host)];
    const person = [who.email, who.username, who.name].filter((text) => text !== null && text !== undefined);
    return options.passwords.checkNew(password, {
      minimum: realm.settings.password_min_length,
      context: [...person, ...site],
    });
  };
}
