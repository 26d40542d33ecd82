// Readers who sign up, sign in, move to another site, look at pages and sign out, and a ledger of what they were told. What
// was acknowledged must hold afterwards; what was answered 503, or not at all, may have happened or not.

import { randomBytes } from 'node:crypto';
import { type Answer, authorizeUrl, type Browser, createBrowser } from '../../test/support/browser.ts';
import { AUTH, UNLIMITED_YAML } from '../../test/support/raw.ts';
import { originOf, PASSWORD } from '../../test/support/server.ts';
import { READERS_PORT } from './cluster.ts';

export { UNLIMITED_YAML as REALM };

type Act = 'sign-up' | 'sign-in' | 'hop' | 'sign-out' | 'users/me';
type Session = {
  email: string;
  browser: Browser;
  /** Sites whose cookie was acknowledged. */
  sites: string[];
  /** `unsure`: a sign-out was sent and not acknowledged. */
  state: 'in' | 'out' | 'unsure';
  /** The cookies from before the sign-out, as a thief would have kept them. */
  stolen: { site: string; cookies: string }[];
};
export type Verdict = {
  signUps: number;
  signedIn: number;
  signedOut: number;
  unsure: number;
  lost: string[];
  resurrected: string[];
  wrong: string[];
};

const NEWS = originOf('news');
const SPORTS = originOf('sports');
const PAUSE_MS = 50;
const INSIST_MS = 120_000;
const CHECKERS = 6;

/** Starts so many readers, each living one life after the other. */
export function startLoad(workers: number) {
  const sessions: Session[] = [];
  const signedUp: string[] = [];
  const acknowledged: Record<Act, number> = { 'sign-up': 0, 'sign-in': 0, hop: 0, 'sign-out': 0, 'users/me': 0 };
  /** Times of acknowledged writes, and of answers that no client should see. */
  const writes: { asked: number; answered: number }[] = [];
  const refusals: { at: number; what: string }[] = [];
  const resurrected: string[] = [];
  /** What no server may ever answer, whatever goes wrong. */
  const wrong: string[] = [];
  let isStopping = false;

  /** One act; null when it was not acknowledged. */
  async function act(kind: Act, wanted: readonly number[], ask: () => Promise<Answer>): Promise<Answer | null> {
    const asked = performance.now();
    const answer = await ask().catch((error: Error) => error);
    if (!(answer instanceof Error) && wanted.includes(answer.status)) {
      acknowledged[kind]++;
      if (kind !== 'users/me') writes.push({ asked, answered: performance.now() });
      return answer;
    }
    refusals.push({ at: performance.now(), what: `${kind}: ${tell(answer)}` });
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    return null;
  }

  const newBrowser = () => createBrowser({ ports: [READERS_PORT] });

  async function signUp(): Promise<Session | null> {
    const [email, browser] = [`reader-${randomBytes(8).toString('hex')}@example.com`, newBrowser()];
    const body = { email, password: PASSWORD, name: 'A Reader' };
    if (!(await act('sign-up', [200], () => browser.post(`${AUTH}/api/auth/v1/signup`, body)))) return null;
    signedUp.push(email);
    return keep({ email, browser, sites: [AUTH], state: 'in', stolen: [] });
  }

  async function signIn(email: string): Promise<Session | null> {
    const browser = newBrowser();
    const body = { email, password: PASSWORD };
    if (!(await act('sign-in', [200], () => browser.post(`${AUTH}/api/auth/v1/login`, body)))) return null;
    return keep({ email, browser, sites: [AUTH], state: 'in', stolen: [] });
  }

  function keep(session: Session): Session {
    sessions.push(session);
    return session;
  }

  async function hop({ browser, sites }: Session, site: string, clientId: string) {
    const callback = `${site}/story`;
    const arrived = await act('hop', [302, 303], async () => {
      const answer = await browser.follow(authorizeUrl(site, clientId, callback), { from: `${site}/` });
      return answer.hops.at(-1) === callback
        ? answer
        : { ...answer, status: answer.status === 303 ? 0 : answer.status };
    });
    if (arrived) sites.push(site);
  }

  async function look({ browser, sites, email }: Session) {
    for (const site of sites) {
      const answer = await act('users/me', [200], () => browser.me(site));
      if (answer && answer.json().user.email !== email) wrong.push(`${email} on ${site}: somebody else's account`);
    }
  }

  /** @returns whether it was acknowledged; then no site may know the reader from the very next request on */
  async function signOut(session: Session): Promise<boolean> {
    const { browser, sites } = session;
    session.stolen = sites.map((site) => ({ site, cookies: browser.cookieHeader(new URL(site).host) }));
    session.state = 'unsure';
    const site = sites.at(-1) as string;
    const headers = { Accept: 'application/json' };
    const answer = await act('sign-out', [204], () => browser.fetch(`${site}/api/auth/v1/logout`, { headers }));
    if (!answer) return false;
    session.state = 'out';
    await checkOut(session);
    return true;
  }

  async function checkOut({ browser, stolen, email }: Session) {
    for (const { site, cookies } of stolen) {
      const answer = await insist(() => browser.me(site, { cookies }));
      if (answer.status === 200) resurrected.push(`${email} on ${site}`);
    }
  }

  async function live() {
    while (!isStopping) {
      const first = await signUp();
      if (!first) continue;
      await hop(first, NEWS, 'news');
      const second = await signIn(first.email);
      for (const session of [first, second]) {
        if (!session) continue;
        await hop(session, SPORTS, 'sports');
        for (let page = 0; page < 4; page++) await look(session);
      }
      await signOut(first);
      if (second && Math.random() < 0.3) await signOut(second);
    }
  }

  // A life that ends by an error is told with the verdict; the others go on.
  const lives = Promise.all(
    Array.from({ length: workers }, () =>
      live().catch((error: Error) => void wrong.push(`a reader: ${error.message}`)),
    ),
  );

  /** Holds everything acknowledged so far against the servers. @param find which of these e-mail addresses have an account */
  async function verify(find: (emails: readonly string[]) => Promise<Set<string>>): Promise<Verdict> {
    const lost: string[] = [];
    const [known, settled] = [[...signedUp], sessions.filter(({ state }) => state !== 'unsure')];
    const found = await find(known);
    for (const email of known) if (!found.has(email)) lost.push(`account of ${email}`);
    const before = settled.map((session) => ({ session, state: session.state, sites: [...session.sites] }));
    const waiting = before.values();
    async function checkNext() {
      for (const { session, state, sites } of waiting) {
        if (state === 'out') await checkOut(session);
        if (state !== 'in') continue;
        for (const site of sites) {
          const answer = await insist(() => session.browser.me(site));
          const isKnown = answer.status === 200 && answer.json().user.email === session.email;
          // The reader may have signed out meanwhile.
          if (!isKnown && session.state === 'in') lost.push(`${session.email} on ${site}: ${answer.status}`);
        }
      }
    }
    await Promise.all(Array.from({ length: CHECKERS }, checkNext));
    return {
      signUps: known.length,
      signedIn: before.filter(({ state }) => state === 'in').length,
      signedOut: before.filter(({ state }) => state === 'out').length,
      unsure: sessions.filter(({ state }) => state === 'unsure').length,
      lost,
      resurrected: [...resurrected],
      wrong: [...wrong],
    };
  }

  /** When the first acknowledged write that was asked for after that moment was answered. */
  const firstWriteAfter = (moment: number) => writes.find(({ asked }) => asked >= moment)?.answered ?? null;

  /** The longest time between two acknowledged writes since that moment, in milliseconds. */
  function longestGapSince(moment: number): number {
    const times = writes.map(({ answered }) => answered).filter((time) => time >= moment);
    return Math.max(0, ...times.map((time, index) => time - (times[index - 1] ?? moment)));
  }

  return {
    acknowledged,
    refusalsSince: (moment: number) => refusals.filter(({ at }) => at >= moment).map(({ what }) => what),
    firstWriteAfter,
    longestGapSince,
    signUp,
    signOut,
    verify,
    async stop() {
      isStopping = true;
      await lives;
    },
  };
}

export type Load = ReturnType<typeof startLoad>;

/** Asks until somebody answers for good: not 503, not a broken connection. @throws when nobody does for two minutes */
async function insist(ask: () => Promise<Answer>): Promise<Answer> {
  const end = performance.now() + INSIST_MS;
  for (;;) {
    const answer = await ask().catch((error: Error) => error);
    if (!(answer instanceof Error) && answer.status < 500) return answer;
    if (performance.now() > end) throw new Error(`no answer for ${INSIST_MS / 1000} s: ${tell(answer)}`);
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
}

const tell = (answer: Answer | Error) =>
  answer instanceof Error ? answer.message : `${answer.status} ${answer.text.slice(0, 120)}`;
