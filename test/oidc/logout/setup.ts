// Clients whose back-channel endpoints are a sink, on a server of the test's own.

import type { Browser } from '../../support/browser.ts';
import { startSink } from '../../support/logout_sink.ts';
import { createRelyingParty, REDIRECT, SECRET } from '../../support/relying_party.ts';
import { HOSTS, startTestServer, type TestServer } from '../../support/server.ts';

export type ClientLine = { id: string; more?: string; isUntold?: boolean };

/** The realm of the tests: the three sites, `news` with an endpoint of its own, and third-party clients with one each. */
export function realmYaml(urlOf: (name: string) => string, clients: readonly ClientLine[]): string {
  const lines = clients.map(
    ({ id, more = '', isUntold = false }) =>
      `      - { id: ${id}, kind: third-party, name: Product ${id}, secret: ${SECRET}, redirect_uris: ["${REDIRECT}"], consent: implied, require_pkce: false${isUntold ? '' : `, backchannel_logout_uri: "${urlOf(id)}"`}${more} }`,
  );
  return `
realms:
  - slug: test
    auth_domain: ${HOSTS.auth}
    clients:
      - { id: news, kind: first-party, name: The News, domain: ${HOSTS.news}, backchannel_logout_uri: "${urlOf('news')}" }
      - { id: sports, kind: first-party, name: The Sports, domain: ${HOSTS.sports} }
      - { id: shop, kind: first-party, name: The Shop, domain: ${HOSTS.shop} }
${lines.join('\n')}
`;
}

/** A sink, and a server with clients that are told there. */
export async function startWithSink(clients: readonly ClientLine[], env: Record<string, string> = {}) {
  const sink = await startSink();
  const server = await startTestServer({ yaml: realmYaml(sink.urlOf, clients), env });
  async function close() {
    sink.release();
    await server.close();
    await sink.close();
  }
  return { sink, server, close };
}

/** Signs a reader in at clients. @returns the ID tokens by client */
export async function visit(
  server: TestServer,
  browser: Browser,
  clients: readonly string[],
): Promise<Record<string, string>> {
  const idTokens: Record<string, string> = {};
  for (const id of clients) idTokens[id] = (await createRelyingParty(server, id).signIn(browser)).id_token;
  return idTokens;
}
