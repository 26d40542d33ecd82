// Userinfo of the standard provider in front of everything else: products ask it of everybody who comes to them. Answered here in
// the usual case alone (oidc/usual_userinfo.ts), and for no page of another origin, whose rights the general way judges.

import type { Clients } from '../clients/clients.ts';
import type { AccessLines } from '../http/access_log.ts';
import type { SendJson } from '../http/json_answer.ts';
import type { Provider } from '../oauth/oauth.ts';
import { createUsualUserinfo } from '../oidc/oidc.ts';
import type { FrontRequest } from './front.ts';

export const USERINFO_PATH = '/oauth/userinfo';

export function createUserinfo(options: {
  provider: Pick<Provider, 'peekActive'>;
  clients: Pick<Clients, 'peekByRowId'>;
  send: SendJson;
  lines: AccessLines;
  general(front: FrontRequest): void;
  addressOf(front: FrontRequest): string | null;
}) {
  const { send, lines, general, addressOf } = options;
  const find = createUsualUserinfo(options);

  return function tellUserinfo(front: FrontRequest): void {
    const startedAt = performance.now();
    const { peer, asked, place } = front;
    const { domain, realm } = place.site;
    const isUsual = domain.role === 'auth' && asked.origin === undefined && asked.dpop === undefined;
    const answer = isUsual && asked.authorization !== undefined ? find(realm, asked.authorization) : null;
    if (!answer) {
      general(front);
      return;
    }
    const id = send(peer, answer);
    const address = addressOf(front);
    lines({ request: id, method: 'GET', route: 'oidc.userinfo', host: domain.host, address, status: 200, startedAt });
  };
}
