// What the tests of the hosted pages of codes and links share: a server with a mailbox, and ways through its pages.

import type { Answer, Browser } from '../support/browser.ts';
import { authorizeUrl } from '../support/browser.ts';
import { originOf, type TestServer } from '../support/server.ts';

export const [AUTH, NEWS] = [originOf('auth'), originOf('news')];
export const CALLBACK = `${NEWS}/story`;

/** The sign-in page as a site opens it. */
export const signInPage = (browser: Browser) =>
  browser.follow(authorizeUrl(NEWS, 'news', CALLBACK), { from: `${NEWS}/` });

/** Submits a form and opens the page that the answer leads to. */
export async function submitAndFollow(
  browser: Browser,
  page: Answer,
  fields: Record<string, string>,
): Promise<Answer & { hops: string[] }> {
  const answer = await browser.submit(page, fields);
  if (!answer.location) throw new Error(`no redirect: ${answer.status} ${headingOf(answer)}`);
  return browser.follow(new URL(answer.location, page.url).href, { from: page.url });
}

/** Opens the link on a page by its words. */
export function click(browser: Browser, page: Answer, words: string): Promise<Answer & { hops: string[] }> {
  const found = [...page.text.matchAll(/<a [^>]*href="([^"]*)"[^>]*>([^<]*)<\/a>/g)].find(([, , text]) =>
    text?.includes(words),
  );
  if (!found) throw new Error(`no link "${words}" on ${headingOf(page)}`);
  return browser.follow(new URL(String(found[1]).replaceAll('&amp;', '&'), page.url).href, { from: page.url });
}

export const headingOf = (page: Answer): string =>
  (/<h1>([\s\S]*?)(?:<span|<\/h1>)/.exec(page.text)?.[1] ?? '').replaceAll('&#39;', "'").trim();
/** The words of the notice above the form; null without one. */
export const noticeOf = (page: Answer): string | null =>
  /id="problem" role="alert"[\s\S]*?<p>([\s\S]*?)<\/p>/.exec(page.text)?.[1]?.replaceAll('&#39;', "'").trim() ?? null;
export const errorOf = (page: Answer): string | null =>
  /class="field-error"[^>]*>([^<]*)</.exec(page.text)?.[1] ?? null;
export const isSignedIn = async (browser: Browser, site = AUTH): Promise<boolean> =>
  (await browser.me(site)).status === 200;
/** A code that is not this one. */
export const wrongCode = (code: string | null | undefined): string => (code === '123456' ? '654321' : '123456');

/** Lets what was sent to somebody before be older than that. */
export async function letPass(server: TestServer, email: string, seconds: number): Promise<void> {
  await server.services.db.builder.raw(
    `update challenges set code_expires_at = code_expires_at - make_interval(secs => ?),
                           expires_at = expires_at - make_interval(secs => ?) where recipient = ?`,
    [seconds, seconds, email],
  );
}
