// `causeway keys …`: the signing keys of a realm's issuer. `rotate` publishes new keys now and lets them sign once every
// verifier can know them; `revoke` is for a key that got out.

import { type CommandContext, CommandFailed } from './context.ts';

/** Prints a line for each key: kid, algorithm, state, and since or from when it signs. */
export async function listKeys(context: CommandContext, slug: string): Promise<void> {
  const realm = await context.getRealm(slug);
  const keys = await context.openKeys().list(context.db, realm.id);
  if (keys.length === 0) context.print('no keys yet: the first start of the server, or the first token, makes them');
  for (const { kid, alg, state, activatesAt } of keys)
    context.print(
      `${kid}  ${alg.padEnd(5)}  ${state.padEnd(8)}  ${state === 'upcoming' ? 'signs from' : 'signed from'} ${activatesAt.toISOString()}`,
    );
}

/** Starts the replacement of a realm's keys ahead of schedule. */
export async function rotateKeys(context: CommandContext, slug: string): Promise<void> {
  const realm = await context.getRealm(slug);
  const keys = context.openKeys();
  const made = await context.db.transaction(async (q) => {
    const kids = await keys.rotateEarly(q, realm.id);
    if (kids.length > 0) await context.audit.record(q, { type: 'keys.rotated', realmId: realm.id, detail: { kids } });
    return kids;
  });
  for (const kid of made) context.print(kid);
  context.print(
    made.length === 0
      ? 'a rotation is under way already; see: npx causeway keys list'
      : `${made.length} keys published; they sign once every verifier can know them`,
  );
}

/** Withdraws a key at once, with every token that it signed. @throws CommandFailed when the realm has no such key */
export async function revokeKey(context: CommandContext, slug: string, kid: string): Promise<void> {
  const realm = await context.getRealm(slug);
  const keys = context.openKeys();
  const isRevoked = await context.db.transaction(async (q) => {
    const known = await keys.list(q, realm.id);
    if (!known.some((key) => key.kid === kid) || !(await keys.revoke(q, realm.id, kid))) return false;
    await context.audit.record(q, { type: 'keys.revoked', realmId: realm.id, detail: { kid } });
    return true;
  });
  if (!isRevoked)
    throw new CommandFailed(`Realm ${realm.slug} has no key ${kid}; see: npx causeway keys list --realm ${realm.slug}`);
  context.print('1 key revoked; tokens signed with it are refused by every verifier that fetches the keys anew');
}
