import test from 'ava';
import { asHost } from '../../server/lib/ids.ts';
import { SECRET, type Setup, setUp } from './setup.ts';

// A database of its own for each test, since each compares the whole configuration; one after the other, because twenty
// clones at once would starve each other.
const withSetup = (title: string, run: (t: import('ava').ExecutionContext, s: Setup) => Promise<void>) =>
  test.serial(title, async (t) => {
    const setup = await setUp();
    try {
      await run(t, setup);
    } finally {
      await setup.close();
    }
  });

const DAILY = `realms:
  - slug: daily
    auth_domain: auth.daily.example
    settings: { session_idle: 30d, signup: open }
    clients:
      - { id: news, kind: first-party, domain: news.daily.example }
      - { id: sports, kind: first-party, domain: sports.daily.example }
      - id: campaign
        kind: third-party
        name: Qualifio
        secret: "\${CAMPAIGN}"
        redirect_uris: [https://player.qualifio.com/oauth/callback]
        token_endpoint_auth_method: client_secret_post
        require_pkce: false
        scopes: [openid, email]
        access_token: { format: jwt, claims: [email] }
`;
const environment = { CAMPAIGN: SECRET };

withSetup('a file makes its realm, and a second time nothing', async (t, { change, realms, clients }) => {
  const changes = await change(DAILY, { environment });
  t.deepEqual(changes, [
    'daily: + realm daily',
    'daily: + auth domain https://auth.daily.example',
    'daily: + client domain https://news.daily.example',
    'daily: + client domain https://sports.daily.example',
    'daily: + client news (first-party)',
    'daily: + client sports (first-party)',
    'daily: + client campaign (third-party)',
  ]);
  t.deepEqual(await change(DAILY, { environment }), []);
  t.deepEqual(await change(DAILY, { environment, isPrune: true }), []);
  const realm = (await realms.findBySlug('daily'))!;
  t.is(realm.settings.session_idle, '30d');
  t.deepEqual((await clients.find(realm.id, 'news'))!.redirectUris, [
    'https://news.daily.example/api/auth/v1/oauth/token',
  ]);
});

withSetup('a dry run tells the same changes and makes none', async (t, { change, readState }) => {
  const told = await change(DAILY, { environment, isDryRun: true });
  t.deepEqual(await readState(), []);
  t.deepEqual(await change(DAILY, { environment }), told);
});

withSetup('one fault anywhere and nothing is changed', async (t, { refuse, readState }) => {
  const faults = await refuse(`${DAILY}  - { slug: other, auth_domain: auth.daily.example }\n`, { environment });
  t.deepEqual(faults, [
    '17:33: realms[1].auth_domain: auth.daily.example is the auth domain of realm daily already (line 3); write a host that nothing else has',
  ]);
  t.deepEqual(await readState(), []);
});

withSetup('what a file does not mention is left alone, except with prune', async (t, { change, realms, readState }) => {
  await change(DAILY, { environment });
  await change('realms: [{ slug: other, auth_domain: auth.other.example }]');
  const less = `realms:
  - slug: daily
    auth_domain: auth.daily.example
    settings: { signup: closed }
    clients: [{ id: news, kind: first-party, domain: news.daily.example }]
`;
  t.deepEqual(await change(less), ['daily: ~ settings.signup: open → closed']);
  await change(`${less}    brand: { name: Daily }\n    authentication_url: https://news.daily.example/sign-in\n`);
  await change(less.replace('signup: closed', 'session_idle: 1d'));
  t.like((await realms.findBySlug('daily'))!.settings, { session_idle: '1d', signup: 'closed' });
  t.deepEqual(await change(less, { isPrune: true }), [
    'daily: ~ settings.session_idle: 1d → 30d',
    'daily: ~ brand.name: Daily → none',
    'daily: ~ authentication_url: https://news.daily.example/sign-in → hosted page',
    'daily: - client domain sports.daily.example; every session on it ends',
    'daily: - client campaign (third-party)',
    'daily: - client sports (first-party)',
  ]);
  t.deepEqual(
    (await readState()).map(({ realm, clients }) => [realm.slug, clients.length]),
    [
      ['daily', 1],
      ['other', 0],
    ],
  );
});

withSetup(
  'a client as the file describes it: what the file leaves out of it is the default, but secrets stay',
  async (t, { change, clients, realms, db }) => {
    await change(DAILY, { environment });
    const changes = await change(`realms:
  - slug: daily
    auth_domain: auth.daily.example
    clients:
      - id: campaign
        kind: third-party
        redirect_uris: [https://player.qualifio.com/oauth/callback, https://two.example/]
`);
    t.deepEqual(
      changes,
      [
        'daily: ~ client campaign: name: Qualifio → campaign',
        'daily: ~ client campaign: redirect_uris: ["https://player.qualifio.com/oauth/callback"] → ["https://player.qualifio.com/oauth/callback","https://two.example/"]',
        'daily: ~ client campaign: scopes: ["openid","email"] → none',
        'daily: ~ client campaign: access_token: {"claims":["email"],"format":"jwt"} → none',
        'daily: ~ client campaign: require_pkce: false → none',
        'daily: ~ client campaign: token_endpoint_auth_method: client_secret_post → none',
      ].map((line) => line),
    );
    const realm = (await realms.findBySlug('daily'))!;
    const stored = (await clients.listStored(db, realm.id)).find(({ clientId }) => clientId === 'campaign')!;
    t.is(stored.secretHashes.length, 1);
  },
);

withSetup('a changed secret is replaced and never shown', async (t, { change }) => {
  await change(DAILY, { environment });
  t.deepEqual(await change(DAILY, { environment: { CAMPAIGN: `${SECRET}, another` } }), [
    'daily: ~ client campaign: secret: replaced',
  ]);
});

withSetup('a new third-party client needs a secret unless it has no authentication', async (t, { refuse, change }) => {
  const file = (extra: string) =>
    `realms: [{ slug: a, auth_domain: auth.a.example, clients: [{ id: c, kind: third-party, redirect_uris: ["https://c.example/"]${extra} }] }]`;
  t.regex(
    (await refuse(file(''))).join(),
    /^1:\d+: realms\[0\]\.clients\[0\]\.secret is missing: a new client needs one/,
  );
  t.is((await change(file(', token_endpoint_auth_method: none'))).length, 3);
});

withSetup('a host belongs to one realm', async (t, { change, refuse }) => {
  await change(DAILY, { environment });
  const faults = await refuse(`realms:
  - slug: other
    auth_domain: auth.daily.example
    clients: [{ id: x, kind: first-party, domain: news.daily.example }]
`);
  t.is(faults.length, 2);
  t.regex(faults[0]!, /3:18: .*auth\.daily\.example belongs to realm daily already/);
  t.regex(faults[1]!, /4:51: .*news\.daily\.example belongs to realm daily already/);
});

withSetup('a host goes from one realm to another in one file that says so', async (t, { change, realms }) => {
  await change(DAILY, { environment });
  await change(
    `realms:
  - { slug: daily, auth_domain: auth.daily.example }
  - slug: other
    auth_domain: auth.other.example
    clients: [{ id: x, kind: first-party, domain: news.daily.example }]
`,
    { isPrune: true },
  );
  t.is((await realms.findSite(asHost('news.daily.example')))!.realm.slug, 'other');
});

withSetup('a host of a client that the file does not mention is not taken from it', async (t, { change, refuse }) => {
  await change(DAILY, { environment });
  const taken = `realms:
  - slug: daily
    auth_domain: news.daily.example
    clients: [{ id: newspaper, kind: first-party, domain: sports.daily.example }]
`;
  const faults = await refuse(taken);
  t.regex(faults[0]!, /3:18: .*is the domain of client news, which this file does not mention; .* --prune/);
  t.regex(faults[1]!, /4:59: .*is the domain of client sports, which this file does not mention/);
  await change(taken, { isPrune: true });
});

withSetup('two clients exchange their hosts', async (t, { change, clients, realms }) => {
  await change(DAILY, { environment });
  const exchanged = DAILY.replace('domain: news', 'domain: x')
    .replace('domain: sports', 'domain: news')
    .replace('domain: x', 'domain: sports');
  t.is((await change(exchanged, { environment })).filter((line) => line.includes('domain: ')).length, 2);
  const realm = (await realms.findBySlug('daily'))!;
  t.deepEqual((await clients.find(realm.id, 'news'))!.domain, {
    host: asHost('sports.daily.example'),
    origin: 'https://sports.daily.example',
  });
  t.deepEqual(await change(exchanged, { environment }), []);
});

withSetup(
  'the auth domain of a realm can be changed, also to a host that a client had',
  async (t, { change, realms, readState }) => {
    await change(DAILY, { environment });
    t.deepEqual(await change('realms: [{ slug: daily, auth_domain: id.daily.example }]'), [
      'daily: - auth domain auth.daily.example; every session on it ends',
      'daily: + auth domain https://id.daily.example',
    ]);
    t.is((await realms.findBySlug('daily'))!.authOrigin, 'https://id.daily.example');
    await change(`realms:
  - slug: daily
    auth_domain: news.daily.example
    clients: [{ id: news, kind: first-party, domain: id.daily.example }]
`);
    const [state] = await readState();
    t.deepEqual(
      state!.domains.map(({ host, role }) => `${role} ${host}`),
      ['auth news.daily.example', 'client id.daily.example', 'client sports.daily.example'],
    );
  },
);

withSetup('a sign-in page must be on a domain of the realm', async (t, { change, refuse }) => {
  const file = (url: string) =>
    `realms: [{ slug: a, auth_domain: auth.a.example, authentication_url: "${url}", clients: [{ id: s, kind: first-party, domain: s.a.example }] }]`;
  t.regex((await refuse(file('https://elsewhere.example/in'))).join(), /elsewhere\.example is no domain of this realm/);
  t.regex((await refuse(file('http://s.a.example/in'))).join(), /write the URL with https/);
  await change(file('https://s.a.example/in'));
  const moved =
    'realms: [{ slug: a, auth_domain: auth.a.example, clients: [{ id: s, kind: first-party, domain: t.a.example }] }]';
  t.regex(
    (await refuse(moved)).join(),
    /authentication_url \(https:\/\/s\.a\.example\/in, as stored\): s\.a\.example is no domain/,
  );
  t.true(
    (await change(moved.replace('clients:', 'authentication_url: null, clients:'))).includes(
      'a: ~ authentication_url: https://s.a.example/in → hosted page',
    ),
  );
});

withSetup('realms and clients stand once in a file', async (t, { refuse }) => {
  const faults = await refuse(`realms:
  - slug: a
    auth_domain: auth.a.example
    clients:
      - { id: x, kind: first-party, domain: x.a.example, proxy_secret: ${SECRET.replaceAll(' ', '-')} }
      - { id: x, kind: first-party, domain: y.a.example, proxy_secret: ${SECRET.replaceAll(' ', '-')} }
      - { id: z, kind: first-party, domain: auth.a.example }
  - { slug: a, auth_domain: auth.b.example }
`);
  t.deepEqual(
    faults.map((fault) => fault.replace(/^(\d+:\d+): (\S+): .*/, '$1 $2')),
    [
      '6:15 realms[0].clients[1].id',
      '6:72 realms[0].clients[1].proxy_secret',
      '7:45 realms[0].clients[2].domain',
      '8:13 realms[1].slug',
    ],
  );
});

withSetup('security 198: http on loopback names and a public auth domain never meet', async (t, { change, refuse }) => {
  const local = 'realms: [{ slug: local, auth_domain: auth.localhost:8080 }]';
  const open = 'realms: [{ slug: open, auth_domain: auth.open.example }]';
  t.regex((await refuse(local)).join(), /needs CAUSEWAY_DANGEROUSLY_ALLOW_LOOPBACK=1/);
  t.regex(
    (await refuse(open, { allowLoopback: true })).join(),
    /is public, which is refused .* unset CAUSEWAY_DANGEROUSLY_ALLOW_LOOPBACK/,
  );
  t.regex((await refuse(open, { allowLoopback: true, isTrial: true })).join(), /set DATABASE_URL/);
  await change(open);
  t.regex(
    (await refuse(local, { allowLoopback: true })).join(),
    /but realm open has the public auth domain auth\.open\.example/,
  );
});

withSetup(
  'disabling a client ends the sessions on its domain at once, and they do not come back with it',
  async (t, { change, signIn }) => {
    await change(DAILY, { environment });
    const onNews = await signIn('daily', 'news.daily.example');
    const onSports = await signIn('daily', 'sports.daily.example');
    const disabled = DAILY.replace('domain: news.daily.example', 'domain: news.daily.example, disabled: true');
    t.deepEqual(await change(disabled, { environment }), [
      'daily: ~ client news: disabled; every session on its domain ends',
    ]);
    t.false(await onNews.isSignedIn());
    t.true(await onSports.isSignedIn());
    t.deepEqual(await change(DAILY, { environment }), ['daily: ~ client news: enabled']);
    t.false(await onNews.isSignedIn());
  },
);

withSetup(
  'removing a client ends the sessions on its domain at once, whoever stands for the domain next',
  async (t, { change, signIn }) => {
    await change(DAILY, { environment });
    const onNews = await signIn('daily', 'news.daily.example');
    const onSports = await signIn('daily', 'sports.daily.example');
    await change(
      'realms: [{ slug: daily, auth_domain: auth.daily.example, clients: [{ id: paper, kind: first-party, domain: news.daily.example }] }]',
      { isPrune: true },
    );
    t.false(await onNews.isSignedIn());
    t.false(await onSports.isSignedIn());
  },
);

withSetup('each changed realm has an event of what changed, without secrets', async (t, { change, db }) => {
  await change(DAILY, { environment });
  await change(DAILY, { environment });
  await change(DAILY, { environment: { CAMPAIGN: `${SECRET}, another` } });
  const events = await db
    .builder('audit_events')
    .select('detail')
    .where({ type: 'configuration.applied' })
    .orderBy('id');
  t.is(events.length, 2);
  t.deepEqual(events[1].detail, { changes: ['~ client campaign: secret: replaced'] });
  t.notRegex(JSON.stringify(events), new RegExp(SECRET));
});

withSetup('two operators at once apply one after the other', async (t, { apply }) => {
  const results = await Promise.all(Array.from({ length: 4 }, () => apply(DAILY, { environment })));
  t.deepEqual(
    results.map((result) => (result.ok ? result.changes.length : -1)).sort((a, b) => a - b),
    [0, 0, 0, 7],
  );
});
