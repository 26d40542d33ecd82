// `causeway clients api-key ID`: lets the backend of a site redeem codes host to host (docs/backend-sign-in.md), or ends that.

import { createTaggedToken, hashToken } from '../lib/token.ts';
import { change, getClient, SHOWN_ONCE } from './clients.ts';
import { type CommandContext, CommandFailed } from './context.ts';

/** Gives a site a new API key in place of any other, and a secret if it has none; prints what is new. @throws CommandFailed */
export async function makeApiKey(context: CommandContext, slug: string, id: string): Promise<void> {
  const realm = await context.getRealm(slug);
  const client = await getClient(context, realm, id);
  if (client.kind !== 'first-party')
    throw new CommandFailed(`Client ${id} is a product: it uses /oauth/token with its secret and needs no API key.`);
  const secret = client.secretHashes.length === 0 ? createTaggedToken('cws') : null;
  const key = createTaggedToken('cwk');
  await change(context, realm, id, { type: 'client.api-key-changed', detail: { what: 'made' } }, async (q) => {
    if (secret !== null) await context.clients.changeSecrets(q, realm.id, id, { add: secret });
    return context.clients.setApiKey(q, realm.id, id, hashToken(key));
  });
  if (secret !== null) context.print(`secret ${secret}`);
  context.print(`api-key ${key}`);
  context.print(SHOWN_ONCE);
  if (client.redirectUris.length < 2)
    context.print(
      `Write the page of the backend that takes codes into the realm file: backend_redirect_uris of ${id}.`,
    );
}

/** Takes the API key away: the backend redeems no further code. @throws CommandFailed when there is none */
export async function removeApiKey(context: CommandContext, slug: string, id: string): Promise<void> {
  const realm = await context.getRealm(slug);
  const client = await getClient(context, realm, id);
  if (!client.hasApiKey) throw new CommandFailed(`Client ${id} has no API key.`);
  await change(context, realm, id, { type: 'client.api-key-changed', detail: { what: 'ended' } }, (q) =>
    context.clients.setApiKey(q, realm.id, id, null),
  );
  context.print('1 API key ended');
}
