// `causeway users add`: makes an account. Its password comes from standard input or is asked for without echo, never from
// the command line, where every process of the machine could read it.

import { text as readAll } from 'node:stream/consumers';
import type { RegisterFault } from '../accounts/accounts.ts';
import { LONGEST_PASSWORD } from '../passwords/passwords.ts';
import type { Realm } from '../realms/realms.ts';
import { type CommandContext, CommandFailed, UsageFault } from './context.ts';
import { askSecret, isTerminal } from './terminal.ts';

export type NewUser = { email: string; name: string | null; username: string | null; password: string };

/** Makes an account and prints its id and sub. @throws CommandFailed listing every fault */
export async function addUser(context: CommandContext, slug: string, user: NewUser): Promise<void> {
  const realm = await context.getRealm(slug);
  const registered = await context.openAccounts().register(realm, user, { address: null });
  if (!registered.ok)
    throw new CommandFailed(
      `No account was made:\n${registered.faults.map((fault) => `  ${describe(fault, realm)}`).join('\n')}`,
    );
  context.print(`id ${registered.account.id}`);
  context.print(`sub ${registered.account.sub}`);
}

/**
 * Takes every second factor off an account and prints what it was; its owner is told by e-mail. Its sessions end: who took the
 * phone may be in one of them.
 * @throws CommandFailed
 */
export async function resetFactors(context: CommandContext, slug: string, email: string): Promise<void> {
  const { db, sessions } = context;
  const realm = await context.getRealm(slug);
  const account = await context.openAccounts().findByEmail(db, realm.id, email);
  if (!account) throw new CommandFailed(`Realm ${realm.slug} has no account with the address ${email}.`);
  const kinds = await db.transaction(async (q) => {
    const removed = await context.openMfa().reset(q, realm, account);
    const of = { realmId: realm.id, accountId: account.id };
    if (removed.length > 0) await sessions.revokeAllOf(q, of, { reason: 'operator', address: null });
    return removed;
  });
  context.print(kinds.length === 0 ? 'it had no second factor' : `removed: ${kinds.join(', ')}`);
}

/** The password of a new account. @throws UsageFault when there is nobody to ask, CommandFailed when the two answers differ */
export async function readPassword(isOnStandardInput: boolean): Promise<string> {
  if (isOnStandardInput) return (await readAll(process.stdin)).replace(/\r?\n$/, '');
  if (!isTerminal()) throw new UsageFault('users add needs a terminal to ask for the password, or --password-stdin');
  const password = await askSecret('Password: ');
  if ((await askSecret('Once more: ')) !== password)
    throw new CommandFailed('The two passwords differ. No account was made.');
  return password;
}

function describe({ field, fault }: RegisterFault, realm: Realm): string {
  const name = field === 'email' ? 'the e-mail address' : field === 'username' ? 'the user name' : 'the password';
  switch (fault) {
    case 'missing':
      return `${name} is missing`;
    case 'invalid':
      return field === 'email'
        ? `${name} is not one that is accepted`
        : `${name} may hold letters and digits joined by dots, hyphens or underscores, or be the e-mail address itself`;
    case 'taken':
      return `${name} belongs to another account of this realm`;
    case 'too-short':
      return `${name} is too short: ${realm.settings.password_min_length} characters or more`;
    case 'too-long':
      return `${name} is too long: ${LONGEST_PASSWORD} characters or fewer`;
    case 'common':
      return `${name} is too easy to guess: it is much used, or made of this person's or site's name; take several words`;
    case 'breached':
      return `${name} is in a known leak of passwords; take another one`;
    default:
      return fault satisfies never;
  }
}
