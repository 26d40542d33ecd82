// Load while signing keys are replaced, and a verifier that does what the published max-age allows: it keeps the set that
// long and asks no earlier, not even for a kid that it does not know.

import { send } from './browser.ts';
import { type Jwks, verifyJws } from './jws_verifier.ts';
import { createRelyingParty, ISSUER, putClients } from './relying_party.ts';
import type { TestServer } from './server.ts';

export type RotationReport = { tokens: number; failures: string[]; kids: number; fetches: number };

/** Fetches the set from a node, keeps it for its max-age. */
function createCachingVerifier(port: number) {
  let kept: { jwks: Jwks; until: number } | null = null;
  let fetches = 0;
  async function keys(): Promise<Jwks> {
    if (kept && performance.now() < kept.until) return kept.jwks;
    const asked = performance.now();
    const answer = await send(port, `${ISSUER}/oauth/jwks`);
    const maxAge = Number(/max-age=(\d+)/.exec(String(answer.headers['cache-control']))?.[1]);
    kept = { jwks: answer.json() as Jwks, until: asked + maxAge * 1000 };
    fetches++;
    return kept.jwks;
  }
  return { keys, fetches: () => fetches };
}

/** Issues and verifies tokens on all nodes for so many seconds. @param workers how many at a time */
export async function loadWhileRotating(
  nodes: readonly TestServer[],
  options: { seconds: number; workers: number },
): Promise<RotationReport> {
  const [first] = nodes as [TestServer];
  await putClients(first, [
    { id: 'load', grant_types: ['client_credentials'], scopes: ['reports'], access_token: { format: 'jwt' } },
  ]);
  const verifiers = nodes.map(({ port }) => createCachingVerifier(port));
  const issued: string[] = [];
  const report: RotationReport = { tokens: 0, failures: [], kids: 0, fetches: 0 };
  const kids = new Set<unknown>();
  const end = performance.now() + options.seconds * 1000;

  async function work(number: number) {
    const rp = createRelyingParty(first, 'load', { ports: [(nodes[number % nodes.length] as TestServer).port] });
    while (performance.now() < end) {
      const answer = await rp.token({ grant_type: 'client_credentials' });
      if (answer.status !== 200) {
        report.failures.push(`${answer.status} ${answer.text}`);
        continue;
      }
      const token: string = answer.json().access_token;
      report.tokens++;
      if (report.tokens % 20 === 0) issued.push(token);
      // Every node's set must prove every node's token, and so must the oldest tokens that are still valid.
      for (const verifier of verifiers)
        for (const one of [token, issued[0]]) if (one) check(one, await verifier.keys());
    }
  }

  function check(token: string, jwks: Jwks) {
    try {
      kids.add(verifyJws(token, jwks).header['kid']);
    } catch (error) {
      report.failures.push(String(error));
    }
  }

  await Promise.all(Array.from({ length: options.workers }, (_, number) => work(number)));
  const now = await verifiers[0]?.keys();
  for (const token of issued) if (now) check(token, now);
  return { ...report, kids: kids.size, fetches: verifiers.reduce((sum, verifier) => sum + verifier.fetches(), 0) };
}
