// The hosted page of a sign-in beyond the limit of sessions: who else is signed in, and whether to sign them out. It works
// without JavaScript.

import { z } from 'zod';
import type { Reader } from '../accounts/middleware.ts';
import type { Clients } from '../clients/clients.ts';
import { readForm } from '../http/body.ts';
import { csrfToken, hasCsrfToken } from '../http/csrf.ts';
import { readQuery } from '../http/query.ts';
import { seeOther } from '../http/redirect.ts';
import { type Context, routes } from '../http/route.ts';
import { browserName } from '../lib/browser_name.ts';
import { type SitePages, siteOf } from '../realms/middleware.ts';
import type { Login } from './login.ts';
import { clearHeld, findHeld, goOn, readAttempt, readReturnOf, withReturn } from './middleware.ts';

const answerForm = z.object({
  csrf_token: z.string().max(200).default(''),
  handle: z.string().max(8000).default(''),
  answer: z.enum(['continue', 'cancel']).catch('cancel'),
});

export function sessionLimitRoutes(options: { login: Login; clients: Clients; reader: Reader; pages: SitePages }) {
  const { login, reader, pages } = options;
  const readReturn = (ctx: Context, handle: string | undefined) => readReturnOf(ctx, options, handle);
  const findQuestion = (ctx: Context) => login.limitQuestions.find(siteOf(ctx).domain.host, findHeld(ctx));

  async function show(ctx: Context) {
    const to = await readReturn(ctx, readQuery(ctx, ['request_handle']).request_handle);
    const question = await findQuestion(ctx);
    // Answered in another tab, or too long ago: the endpoint that wants a sign-in asks for it again.
    if (!question) return seeOther(ctx, to?.path ?? '/');
    const { account, sessions } = question;
    pages.render(ctx, {
      view: 'login/session_limit',
      formTargets: to?.targets ?? [],
      data: {
        csrfToken: csrfToken(ctx),
        handle: to?.handle ?? null,
        accountName: account.name ?? account.username ?? account.email ?? '',
        most: siteOf(ctx).realm.settings.sessions_max,
        sessions: sessions.map(({ userAgent, lastSeenAt }) => ({ ...browserName(userAgent), lastSeenAt })),
      },
    });
  }

  async function answer(ctx: Context) {
    const form = await readForm(ctx, answerForm);
    const to = await readReturn(ctx, form.handle);
    // A stale form asks again instead of failing.
    if (!hasCsrfToken(ctx, form.csrf_token)) return seeOther(ctx, withReturn('/login/sessions', to));
    const question = await findQuestion(ctx);
    const attempt = await readAttempt(ctx, reader);
    clearHeld(ctx);
    if (question && form.answer === 'continue') {
      const now = await login.limitQuestions.proceed(attempt, question);
      if (now) return goOn(ctx, now, to);
    } else if (question) {
      await login.limitQuestions.cancel(attempt, question);
      return seeOther(ctx, withReturn('/login', to));
    }
    seeOther(ctx, to?.path ?? '/');
  }

  const page = { on: 'auth', answers: 'page' } as const;
  return routes([
    {
      ...page,
      name: 'login.show_session_limit',
      method: 'GET',
      path: '/login/sessions',
      effect: 'reads',
      csrf: 'none: reads',
      limit: 'none: no write, indexed reads',
      handle: show,
    },
    {
      ...page,
      name: 'login.answer_session_limit',
      method: 'POST',
      path: '/login/sessions',
      effect: 'acts',
      csrf: 'form',
      limit: 'none: answers a sign-in that was limited itself',
      handle: answer,
    },
  ]);
}
