// Security 139: nobody can tell from an answer, or from how long it takes, who has an account. For each endpoint that is told
// somebody's address, 200 samples with an account and 200 without, in turn; their answers must be the same to the byte, and
// their times are compared by the Mann-Whitney test. Then the same question about secrets (comparisons.ts). Writes
// docs/enumeration.md.

import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Answer, type Ask, send } from '../test/support/browser.ts';
import { startMailbox } from '../test/support/mailbox.ts';
import { HOSTS, originOf, PASSWORD, startTestServer } from '../test/support/server.ts';
import { CLIENTS, type Comparison, measureComparisons, presentComparisons, SAMPLES as TRIES } from './comparisons.ts';
import type { Bench } from './run.ts';
import { mannWhitney, median } from './statistics.ts';

const SAMPLES = 200;
const WARM_UP = 20;
const MOST_APART = 0.1;
const LEAST_P = 0.01;

// Limits out of the way: what is limited is answered before anything is looked up. Sign-up answers neutrally, the one setting
// under which it does not tell.
const REALM = `
realms:
  - slug: test
    auth_domain: ${HOSTS.auth}
    settings:
      signup: open
      duplicate_signup: neutral
      sign_in_methods: [password, code, link]
      sign_in_per_account: 1000000/1h
      sign_in_per_address: 1000000/1h
      sign_in_per_realm: 1000000/1h
      sign_up_per_address: 1000000/1h
      messages_per_recipient: 1000000/1h
      messages_per_address: 1000000/1h
      codes_per_recipient: 1000000/1h
      code_tries_per_address: 1000000/1h
    clients:
      - { id: news, kind: first-party, name: The News, domain: ${HOSTS.news} }
${CLIENTS}`;

type Subject = { email: string };
type Endpoint = { title: string; ask(subject: Subject): readonly [path: string, body: object] };

const ENDPOINTS: readonly Endpoint[] = [
  { title: 'sign-in, wrong password', ask: ({ email }) => ['login', { email, password: 'not the right password' }] },
  { title: 'sign-in, wrong code', ask: ({ email }) => ['login', { email, otp: '000000' }] },
  {
    title: 'sign-up, `duplicate_signup: neutral`',
    ask: ({ email }) => ['signup', { email, name: 'Somebody', password: PASSWORD, 'dont-login': true }],
  },
  { title: 'forgotten password', ask: ({ email }) => ['users/forgot-password', { email }] },
  { title: 'one-time code', ask: ({ email }) => ['users/send-otp', { email }] },
  {
    title: 'verification link',
    ask: ({ email }) => ['users/send-verification-link', { email, 'redirect-url': `${originOf('news')}/welcome` }],
  },
  {
    title: 'reset with a wrong code',
    ask: ({ email }) => ['users/reset-password', { email, otp: '000000', 'new-password': 'another quite long one' }],
  },
];

type Row = { title: string; isSame: boolean; with: number; without: number; p: number };

/** Measures every endpoint and writes the report. */
export async function reportEnumeration(bench: Bench): Promise<void> {
  const mailbox = await startMailbox();
  const database = {
    url: bench.databaseUrl,
    moveClock: () => Promise.reject(new Error('no')),
    drop: async () => undefined,
  };
  // The proxy of the bench is believed about addresses, so that limits for each are out of the way.
  const server = await startTestServer({ database, mailbox, env: { CAUSEWAY_PROXIES: '127.0.0.1' } });
  try {
    await server.apply(REALM);
    bench.say(`Enumeration: ${SAMPLES} samples a side for each of ${ENDPOINTS.length} endpoints`);
    const rows: Row[] = [];
    for (const endpoint of ENDPOINTS) {
      const row = await measure(server, endpoint);
      bench.say(present(row));
      rows.push(row);
    }
    bench.say(`Wrong secrets: ${TRIES} samples for each place of the first wrong character`);
    const compared = await measureComparisons(server, bench.say);
    writeFileSync(join(import.meta.dirname, '../docs/enumeration.md'), presentPage(bench, rows, compared));
  } finally {
    await server.close();
    await mailbox.close();
  }
}

async function measure(server: Awaited<ReturnType<typeof startTestServer>>, endpoint: Endpoint): Promise<Row> {
  const times = { with: [] as number[], without: [] as number[] };
  const answers = { with: new Set<string>(), without: new Set<string>() };
  for (let sample = -WARM_UP; sample < SAMPLES; sample++) {
    const account = await server.makeAccount({ email: address() });
    const turns = [
      ['with', account.email],
      ['without', address()],
    ] as const;
    // Now one first, now the other, so that neither always follows the other's traces in memory.
    for (const [side, email] of sample % 2 === 0 ? turns : turns.toReversed()) {
      await untilIdle(server);
      const [path, body] = endpoint.ask({ email });
      const asked = json(`${originOf('news')}/api/auth/v1/${path}`, body);
      const start = performance.now();
      const answer = await send(server.port, ...asked);
      if (sample < 0) continue;
      times[side].push(performance.now() - start);
      answers[side].add(whatCanBeSeen(answer, email));
    }
  }
  const isSame = answers.with.size === 1 && [...answers.with][0] === [...answers.without].join();
  return {
    title: endpoint.title,
    isSame,
    with: median(times.with),
    without: median(times.without),
    p: mannWhitney(times.with, times.without),
  };
}

/** What a request has left to be done (letters, for those who have an account) must not slow down the next one. */
async function untilIdle({ services }: Awaited<ReturnType<typeof startTestServer>>): Promise<void> {
  for (;;) {
    const { rows } = await services.db.builder.raw(
      'select exists (select from causeway_jobs.jobs where run_at <= now()) as is_busy',
    );
    if (!rows[0].is_busy) return;
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

const address = () => `reader-${randomBytes(8).toString('hex')}@example.com`;

const json = (url: string, body: object): [string, Ask] => [
  url,
  {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', Origin: originOf('news') },
    body: JSON.stringify(body),
  },
];

/** The answer but for what is new in every one: the time, the request's own id, random values of cookies, and ids of accounts. */
function whatCanBeSeen({ status, headers, text }: Answer, email: string): string {
  const { date, 'x-request-id': _id, 'set-cookie': cookies = [], ...rest } = headers;
  const names = cookies.map((line) => line.replace(/=[^;]*/, '=…'));
  const body = text.replaceAll(email, '…@…').replace(/"(id|created-at|updated-at)":\d+/g, '"$1":0');
  return JSON.stringify([status, Boolean(date), rest, names, body]);
}

const apart = (row: Row) => Math.abs(row.with - row.without) / Math.min(row.with, row.without);
const isEven = (row: Row) => row.p > LEAST_P && apart(row) <= MOST_APART;

function present(row: Row): string {
  const ms = (value: number) => `${value.toFixed(2)} ms`;
  const words = `${row.isSame ? 'same bytes' : 'DIFFERENT BYTES'}, ${isEven(row) ? 'no difference in time' : 'A DIFFERENCE IN TIME'}`;
  return `  ${row.title}: ${ms(row.with)} with, ${ms(row.without)} without, p ${row.p.toFixed(3)}: ${words}`;
}

function presentPage(bench: Bench, rows: readonly Row[], compared: readonly Comparison[]): string {
  const lines = rows.map(
    (row) =>
      `| ${row.title} | ${row.isSame ? 'yes' : '**no**'} | ${row.with.toFixed(2)} | ${row.without.toFixed(2)} | ${(100 * apart(row)).toFixed(1)} % | ${row.p.toFixed(3)} | ${isEven(row) ? 'yes' : '**no**'} |`,
  );
  return `<!-- Written by \`npm run bench -- enumeration\`. Do not edit. -->

# Can a stranger tell who has an account?

${SAMPLES} requests for addresses with an account and ${SAMPLES} for addresses without, in turn, each once the letters of
the one before are sent, at a running server over PostgreSQL with durable settings. The answers are compared to the byte (but for
the time, request ids, and random values); the times by the Mann-Whitney test: a p above ${LEAST_P} and medians within ${100 * MOST_APART} % count as no difference (security check 139).

Measured on ${new Date().toISOString().slice(0, 10)}: ${bench.machine}.

| Endpoint | Same bytes | Median with, ms | Median without, ms | Apart | p | No difference |
| --- | --- | --- | --- | --- | --- | --- |
${lines.join('\n')}

A realm with \`duplicate_signup: tell\` (the default, which published clients need) does tell at sign-up; DECISIONS 11.

${presentComparisons(compared)}`;
}
