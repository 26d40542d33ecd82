// The views around letters with a value in every place, for the tests that render all views.

export const letterViews = (value: string): [view: string, data: object][] => [
  [
    'login/forgot_password',
    { csrfToken: value, handle: value, email: value, problem: null, retryAfterSeconds: null, signInUrl: value },
  ],
  [
    'login/check_mail',
    {
      action: value,
      csrfToken: value,
      handle: value,
      kind: 'verify-email',
      sentTo: value,
      problem: 'wrong',
      triesLeft: 3,
      retryAfterSeconds: null,
      codeMinutes: 10,
      mostMails: 3,
      mostMailsMinutes: 15,
      changeUrl: value,
      signInUrl: '/login',
    },
  ],
  [
    'login/new_password',
    { csrfToken: value, handle: value, email: value, token: value, proof: '', problem: null, minimumPasswordLength: 8 },
  ],
  [
    'login/confirm_link',
    {
      clientName: value,
      clientHost: value,
      csrfToken: value,
      purpose: 'verify-email',
      action: value,
      token: value,
      email: value,
      isRenewed: true,
    },
  ],
  [
    'login/link_result',
    { outcome: 'verify-email-done', email: value, actions: [{ url: value, key: 'sign-in', isPrimary: true }] },
  ],
  ['login/show_code', { code: value }],
];
