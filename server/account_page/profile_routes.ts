// Name, telephone number for contact, picture: what a reader says of themselves.

import { z } from 'zod';
import type { Accounts, SignedIn } from '../accounts/accounts.ts';
import { parsePhone } from '../accounts/accounts.ts';
import { readForm } from '../http/body.ts';
import { csrfToken } from '../http/csrf.ts';
import { seeOther } from '../http/redirect.ts';
import { type Context, routes } from '../http/route.ts';
import { addressOf, type SitePages, siteOf } from '../realms/middleware.ts';
import { type Gate, leaveNote, takeNote } from './middleware.ts';

const PAGE = '/account/profile';
const field = z.string().max(8000).default('');
const profileForm = z.object({
  csrf_token: field,
  name: field,
  first_name: field,
  last_name: field,
  phone_number: field,
  avatar_url: field,
});
type Values = Omit<z.infer<typeof profileForm>, 'csrf_token'>;
type Problems = Partial<Record<keyof Values | 'form', string>>;

const LONGEST_NAME = 200;
const LONGEST_URL = 2048;

export function profileRoutes(options: { accounts: Accounts; pages: SitePages }, gate: Gate) {
  const { accounts, pages } = options;

  async function show(ctx: Context) {
    const signedIn = await gate.enter(ctx, PAGE);
    if (!signedIn) return;
    const kept = await gate.readKept(ctx, signedIn);
    render(ctx, signedIn, { values: { ...storedOf(signedIn), ...kept }, problems: {}, isKept: kept !== null });
  }

  async function save(ctx: Context) {
    const { csrf_token, ...values } = await readForm(ctx, profileForm);
    const signedIn = await gate.admit(ctx, {
      form: { csrf_token },
      path: PAGE,
      needs: 'session',
      kept: values,
      again: (who) => render(ctx, who, { values, problems: { form: 'form-renewed' } }),
    });
    if (!signedIn) return;
    const { realm } = siteOf(ctx);
    const typedPhone = values.phone_number.trim();
    // A number that stands as it was stored is no new one: an older user base may have brought another form.
    const isPhoneKept = typedPhone === (signedIn.account.phoneNumber ?? '');
    const phone = isPhoneKept ? signedIn.account.phoneNumber : parsePhone(typedPhone, realm.settings.default_country);
    const problems = checkProfile(values, typedPhone === '' || phone !== null);
    if (Object.keys(problems).length > 0) {
      ctx.status = 400;
      return render(ctx, signedIn, { values, problems });
    }
    const change = {
      name: values.name.trim() || null,
      firstName: values.first_name.trim() || null,
      lastName: values.last_name.trim() || null,
      avatarUrl: values.avatar_url.trim() || null,
      phoneNumber: typedPhone === '' ? null : phone,
    };
    const changed = Object.entries(change).filter(
      ([name, value]) => signedIn.account[name as keyof typeof change] !== value,
    );
    if (changed.length > 0) await accounts.updateProfile(signedIn, Object.fromEntries(changed), addressOf(ctx));
    leaveNote(ctx, 'saved');
    seeOther(ctx, PAGE);
  }

  function render(
    ctx: Context,
    { account }: SignedIn,
    page: { values: Values; problems: Problems; isKept?: boolean },
  ): void {
    pages.render(ctx, {
      view: 'account_page/profile',
      data: {
        csrfToken: csrfToken(ctx),
        note: takeNote(ctx),
        username: account.username,
        values: page.values,
        problems: page.problems,
        isKept: page.isKept === true,
      },
    });
  }

  const page = { on: 'auth', answers: 'page', limit: 'none: only what belongs to the caller' } as const;
  return routes([
    {
      ...page,
      name: 'account_page.show_profile',
      method: 'GET',
      path: '/account/profile',
      effect: 'reads',
      csrf: 'none: reads',
      handle: show,
    },
    {
      ...page,
      name: 'account_page.save_profile',
      method: 'POST',
      path: '/account/profile',
      effect: 'acts',
      csrf: 'form',
      handle: save,
    },
  ]);
}

const storedOf = ({ account }: SignedIn): Values => ({
  name: account.name ?? '',
  first_name: account.firstName ?? '',
  last_name: account.lastName ?? '',
  phone_number: account.phoneNumber ?? '',
  avatar_url: account.avatarUrl ?? '',
});

function checkProfile(values: Values, isPhone: boolean): Problems {
  const problems: Problems = {};
  for (const name of ['name', 'first_name', 'last_name'] as const)
    if (values[name].trim().length > LONGEST_NAME) problems[name] = 'too-long';
  if (!isPhone) problems.phone_number = 'invalid';
  const url = values.avatar_url.trim();
  const isUrl = url.length <= LONGEST_URL && z.url({ protocol: /^https?$/ }).safeParse(url).success;
  if (url !== '' && !isUrl) problems.avatar_url = 'invalid';
  return problems;
}
