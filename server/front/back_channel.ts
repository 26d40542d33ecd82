// Token endpoint and introspection of the standard provider in front of everything else: products ask them for every reader and
// every call. Answered here is a client that proves itself by its secret, and brings what it asks as a small form
// (oauth/usual_back_channel.ts); who fails to, pages of other origins, and proofs of a key are the general way's.

import type { AccessLines } from '../http/access_log.ts';
import { parseForm, withoutEmpty } from '../http/body.ts';
import type { ReadyJson, SendJson } from '../http/json_answer.ts';
import type { BackChannelAsked, UsualBackChannel } from '../oauth/oauth.ts';
import type { Realm } from '../realms/realms.ts';
import { bringsSmallForm } from './form.ts';
import type { FrontRequest } from './front.ts';

export const TOKEN_PATH = '/oauth/token';
export const INTROSPECT_PATH = '/oauth/introspect';

/** Visible ASCII: all that a form consists of. */
const FORM_TEXT = /^[\x21-\x7e]*$/;

export function createBackChannel(options: {
  usual: UsualBackChannel;
  send: SendJson;
  lines: AccessLines;
  general(front: FrontRequest): void;
  addressOf(front: FrontRequest): string | null;
}) {
  const { usual, send, lines, general, addressOf } = options;
  const grant = answering('oauth.token', usual.grant);
  const introspect = answering('oauth.introspect', usual.introspect);

  function answering(
    route: string,
    answerOf: (realm: Realm, asked: BackChannelAsked) => ReadyJson | null | Promise<ReadyJson | null>,
  ) {
    return async function answer(front: FrontRequest): Promise<void> {
      const { peer, asked, place } = front;
      const startedAt = performance.now();
      if (!isUsual(front) || !bringsSmallForm(front.rawHeaders)) return general(front);
      const { domain, realm } = place.site;
      const address = addressOf(front);
      const form = await peer.readBody().then(formIn, () => null);
      let made: ReadyJson | null = null;
      try {
        made = form && (await answerOf(realm, { authorization: asked.authorization ?? '', form, address }));
      } catch (error) {
        // What was begun is not begun again by the general way, which only tells of it.
        front.failure = { error };
      }
      if (!made) return general(front);
      const id = send(peer, made);
      lines({ request: id, method: 'POST', route, host: domain.host, address, status: 200, startedAt });
    };
  }

  return { grant, introspect };
}

const isUsual = ({ asked, place }: FrontRequest): boolean =>
  place.site.domain.role === 'auth' &&
  asked.origin === undefined &&
  asked.dpop === undefined &&
  asked.ahead === undefined;

/** The fields of a form; null where there is something to refuse or to look at more closely. */
function formIn(bytes: Buffer): ReadonlyMap<string, string> | null {
  const text = bytes.toString('latin1');
  if (!FORM_TEXT.test(text)) return null;
  try {
    return withoutEmpty(parseForm(text));
  } catch {
    return null;
  }
}
