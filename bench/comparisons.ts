// Security 100 and 199: how long a wrong secret takes to be refused does not tell how much of it is right. 10,000 samples for
// each place of the first wrong character, in turn, at a running server; a trend is looked for over all of them by Spearman's
// rank correlation. Part of the report of enumeration.ts.

import { randomBytes } from 'node:crypto';
import { Agent } from 'node:http';
import { type Ask, send } from '../test/support/browser.ts';
import { basicOf } from '../test/support/relying_party.ts';
import { HOSTS, originOf, type startTestServer } from '../test/support/server.ts';
import { median, trend } from './statistics.ts';

export const SAMPLES = 10_000;
const WARM_UP = 500;
const LEAST_P = 0.01;
/** Tries of one address, fewer than the limit on failed client authentications: the limit is not what is measured. */
const TRIES_OF_AN_ADDRESS = 200;

export const CLIENT_SECRET = randomBytes(32).toString('base64url');
export const PROXY_SECRET = randomBytes(32).toString('base64url');
/** Clients of the realm that is measured, beside its own: as lines of a realm file. */
export const CLIENTS = `      - { id: sports, kind: first-party, name: The Sports, domain: ${HOSTS.sports}, proxy_secret: ${PROXY_SECRET} }
      - { id: machine, kind: third-party, name: Machine, secret: ${CLIENT_SECRET}, redirect_uris: ["https://rp.example/cb"], grant_types: [client_credentials], scopes: [reports] }
`;

type Server = Awaited<ReturnType<typeof startTestServer>>;
type Secret = {
  title: string;
  right: string;
  status: number;
  ask(wrong: string, turn: number): [url: string, ask: Ask];
};
export type Comparison = {
  title: string;
  /** Median in ms for each place of the first wrong character, front to back. */
  medians: number[];
  rho: number;
  p: number;
};

/** Measures every secret that a stranger can send. */
export async function measureComparisons(server: Server, say: (line: string) => void): Promise<Comparison[]> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const compared: Comparison[] = [];
  try {
    for (const secret of [clientSecret, proxySecret, await formToken(server)]) {
      const comparison = await measure(secret, ([url, ask]) => send(server.port, url, { ...ask, agent }));
      say(`  ${comparison.title}: rho ${comparison.rho.toFixed(4)}, p ${comparison.p.toFixed(3)}`);
      compared.push(comparison);
    }
  } finally {
    agent.destroy();
  }
  return compared;
}

async function measure(
  secret: Secret,
  ask: (asked: [string, Ask]) => Promise<{ status: number }>,
): Promise<Comparison> {
  const last = secret.right.length - 1;
  const places = [0, Math.floor(last / 4), Math.floor(last / 2), Math.floor((3 * last) / 4), last];
  const times = places.map(() => [] as number[]);
  for (let round = -WARM_UP; round < SAMPLES; round++)
    for (let turn = 0; turn < places.length; turn++) {
      // Each place comes first in its turn, so that none always follows the same other.
      const at = (turn + round + WARM_UP) % places.length;
      const asked = secret.ask(spoil(secret.right, places[at] ?? 0), round * places.length + turn);
      const start = performance.now();
      const { status } = await ask(asked);
      const took = performance.now() - start;
      if (status !== secret.status) throw new Error(`${secret.title}: answered ${status}`);
      if (round >= 0) times[at]?.push(took);
    }
  return { title: secret.title, medians: times.map(median), ...trend(times) };
}

/** The right value up to a place, and another character there. What follows is right, so that only the place differs. */
function spoil(right: string, at: number): string {
  return `${right.slice(0, at)}${right[at] === 'A' ? 'B' : 'A'}${right.slice(at + 1)}`;
}

const form = { 'Content-Type': 'application/x-www-form-urlencoded' };

const clientSecret: Secret = {
  title: 'secret of a client',
  right: CLIENT_SECRET,
  status: 401,
  ask: (wrong, turn) => [
    `${originOf('auth')}/oauth/token`,
    {
      method: 'POST',
      headers: { ...form, Authorization: basicOf('machine', wrong), 'X-Forwarded-For': addressOf(turn) },
      body: 'grant_type=client_credentials',
    },
  ],
};

const proxySecret: Secret = {
  title: 'secret of a proxy',
  right: PROXY_SECRET,
  status: 403,
  ask: (wrong) => [`${originOf('sports')}/api/auth/v1/users/me`, { headers: { 'X-Causeway-Proxy-Secret': wrong } }],
};

/** The token of a form, in the browser that it is for. */
async function formToken(server: Server): Promise<Secret> {
  const browser = server.browser();
  const page = await browser.navigate(`${originOf('auth')}/login`);
  const right = /name="csrf_token" value="([^"]+)"/.exec(page.text)?.[1] ?? '';
  return {
    title: 'token of a form (CSRF)',
    right,
    status: 403,
    ask: (wrong) => [
      `${originOf('auth')}/login`,
      {
        method: 'POST',
        headers: { ...form, Origin: originOf('auth'), Cookie: browser.cookieHeader(HOSTS.auth) },
        body: new URLSearchParams({ csrf_token: wrong, identifier: 'x', password: 'x' }).toString(),
      },
    ],
  };
}

function addressOf(turn: number): string {
  const block = Math.floor(turn / TRIES_OF_AN_ADDRESS) + 1_000_000;
  return `10.${(block >> 16) & 255}.${(block >> 8) & 255}.${block & 255}`;
}

/** The part of the page about them. */
export function presentComparisons(compared: readonly Comparison[]): string {
  const lines = compared.map(
    ({ title, medians, rho, p }) =>
      `| ${title} | ${medians.map((value) => value.toFixed(3)).join(' · ')} | ${rho.toFixed(4)} | ${p.toFixed(3)} | ${p > LEAST_P ? 'yes' : '**no**'} |`,
  );
  return `## Does the time of a refusal tell how much of a secret is right?

${SAMPLES.toLocaleString('en')} wrong values for each place of the first wrong character (first, quarter, half, three quarters, last), in turn. A trend
over the places would show in Spearman's rank correlation; a p above ${LEAST_P} counts as none (security checks 100 and 199).

| Secret | Medians by place, ms | rho | p | No trend |
| --- | --- | --- | --- | --- |
${lines.join('\n')}
`;
}
