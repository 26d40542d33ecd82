// Hashes of other systems, against hashes that those systems made (vectors.ts says how).

import test from 'ava';
import { findFamily, standInFor, verifyForeign } from '../../server/passwords/foreign_hash.ts';
import { createPasswords, type HashParameters, toStoredHash } from '../../server/passwords/passwords.ts';
import { PASSWORD, VECTORS } from './vectors.ts';

for (const { from, stored, password = PASSWORD } of VECTORS) {
  test(`a hash made by ${from} is right for its password alone`, async (t) => {
    const hash = toStoredHash({ hash: stored, salt: null }, null);
    t.truthy(hash);
    t.true(await verifyForeign(String(hash), password));
    t.false(await verifyForeign(String(hash), `${password}x`));
    t.false(await verifyForeign(String(hash), ''));
    const standIn = standInFor(String(hash));
    t.not(standIn, hash);
    t.is(findFamily(standIn)?.name, findFamily(String(hash))?.name, 'a stand-in costs the same');
    t.false(await verifyForeign(standIn, password), 'and is nobody’s');
  });
}

// https://github.com/firebase/scrypt, its README.
const FIREBASE: HashParameters = {
  kind: 'firebase-scrypt',
  signer_key: 'jxspr8Ki0RYycVU8zykbdLGjFQ3McFUH0uiiTvC8pVMXAn210wjLNmdZJzxUECKbm0QsEmYUSDzZvpjeJ9WmXA==',
  salt_separator: 'Bw==',
  rounds: 8,
  mem_cost: 14,
};

test('the published example of Firebase’s scrypt is right for its password alone', async (t) => {
  const hash = toStoredHash(
    {
      hash: 'lSrfV15cpx95/sZS2W9c9Kp6i/LVgQNDNC/qzrCnh1SAyZvqmZqAjTdn3aoItz+VHjoZilo78198JAdRuid5lQ==',
      salt: '42xEC+ixf3L2lw==',
    },
    FIREBASE,
  );
  t.true(await verifyForeign(String(hash), 'user1password'));
  t.false(await verifyForeign(String(hash), 'user2password'));
  const other = toStoredHash(
    { hash: String(hash).split('$').at(-1) ?? '', salt: '42xEC+ixf3L2lw==' },
    { ...FIREBASE, salt_separator: '' },
  );
  t.false(await verifyForeign(String(other), 'user1password'), 'the separator counts');
});

// PHP 8.2.32 with $s = 'x1Z$;': md5(md5(PASSWORD) . $s), md5(PASSWORD), md5($s . PASSWORD), md5(PASSWORD . $s) and so on
const DIGESTS = [
  ['vBulletin', 'md5', 'hex(password)+salt', 'e123070b072a3447dc76eb9a01d27bcf'],
  ['md5', 'md5', 'password', '87707de948adcf6f06d6b9568e648ff3'],
  ['md5, salt first', 'md5', 'salt+password', '4f826cc87fa2e2c143f88cfda0c7389a'],
  ['md5, salt last', 'md5', 'password+salt', '9ce24437fd0cf3a2d262e84117fc235c'],
  ['sha1, salt first', 'sha1', 'salt+password', '4445c7053c69cc6035bad3d53f7ef0814797615b'],
  ['sha256, salt last', 'sha256', 'password+salt', '2cd878429894784f7587bae38bdf19e7a0ac62a56195532ffc8828cbc4b81878'],
  [
    'sha512, salt last',
    'sha512',
    'password+salt',
    '6011bb08b7640e481304e23514f8f89dc5f0ef0155b415c47b481716067578fda0b4cbc01226608be3a13f8b4a2c64218dffc23c55522b9eb07612eda98319ac',
  ],
] as const;
for (const [name, algorithm, order, hex] of DIGESTS) {
  test(`a digest made by PHP (${name}) is right for its password alone, in hex and in base64`, async (t) => {
    const parameters = { kind: 'digest', algorithm, order, salt_encoding: 'utf8' } as const;
    const hash = toStoredHash({ hash: hex.toUpperCase(), salt: 'x1Z$;' }, { ...parameters, hash_encoding: 'hex' });
    t.true(await verifyForeign(String(hash), PASSWORD));
    t.false(await verifyForeign(String(hash), 'grüße an 1 möwe'));
    const base64 = Buffer.from(hex, 'hex').toString('base64');
    t.is(toStoredHash({ hash: base64, salt: 'x1Z$;' }, { ...parameters, hash_encoding: 'base64' }), hash);
    if (order === 'password') return;
    const other = toStoredHash({ hash: hex, salt: 'x1Z$' }, { ...parameters, hash_encoding: 'hex' });
    t.false(await verifyForeign(String(other), PASSWORD), 'the salt counts');
  });
}

test('parts of PBKDF2 and scrypt in columns of their own are joined into what carries its parameters', (t) => {
  const [salt, hash] = ['IITwnvP+n3PO2bu3tlaqlQ==', 'SWBtF1YzgjI0uACuHs/R3e+p6kfSs+r+tuf9Pg9h8xk='];
  t.is(
    toStoredHash(
      { hash, salt },
      { kind: 'pbkdf2', algorithm: 'sha256', iterations: 2000, salt_encoding: 'base64', hash_encoding: 'base64' },
    ),
    '$pbkdf2-sha256$i=2000$IITwnvP+n3PO2bu3tlaqlQ$SWBtF1YzgjI0uACuHs/R3e+p6kfSs+r+tuf9Pg9h8xk',
  );
  t.is(
    toStoredHash(
      { hash, salt },
      { kind: 'scrypt', ln: 10, r: 8, p: 1, salt_encoding: 'base64', hash_encoding: 'base64' },
    ),
    '$scrypt$ln=10,r=8,p=1$IITwnvP+n3PO2bu3tlaqlQ$SWBtF1YzgjI0uACuHs/R3e+p6kfSs+r+tuf9Pg9h8xk',
  );
});

test('security 136: a password that was hashed decomposed elsewhere is right as it is typed, and one hashed composed in both forms', async (t) => {
  const [composed, decomposed] = [PASSWORD.normalize('NFC'), PASSWORD.normalize('NFD')];
  // hashlib.md5(unicodedata.normalize('NFD', PASSWORD).encode()).hexdigest() of Python, and the composed one of PHP
  const parameters = {
    kind: 'digest',
    algorithm: 'md5',
    order: 'password',
    salt_encoding: 'utf8',
    hash_encoding: 'hex',
  } as const;
  const hashedComposed = String(toStoredHash({ hash: '87707de948adcf6f06d6b9568e648ff3', salt: null }, parameters));
  const hashedDecomposed = String(toStoredHash({ hash: 'b24b2a39740bc7402d30748080e622fa', salt: null }, parameters));
  t.true(await verifyForeign(hashedComposed, composed));
  t.true(await verifyForeign(hashedComposed, decomposed));
  t.true(await verifyForeign(hashedDecomposed, decomposed));
});

const UNACCEPTABLE = [
  ['nothing', ''],
  ['a word', 'secret'],
  ['bcrypt cut short', '$2b$05$BnxsUxgoLEf7GsOhs8DK5'],
  ['bcrypt at cost 31', '$2b$31$BnxsUxgoLEf7GsOhs8DK5.R.62bNdCai4JMM8BBDwBiHxKPzHODIu'],
  [
    'argon2 that takes 4 GB',
    '$argon2id$v=19$m=4194304,t=2,p=1$ZW1uZXdURnY0amEuMmJycQ$hP0XBd7HVIodvMuUwlphpcw/WxEtHJZhRAMoRgLWiM8',
  ],
  [
    'argon2 of 999 passes',
    '$argon2id$v=19$m=1024,t=999,p=1$ZW1uZXdURnY0amEuMmJycQ$hP0XBd7HVIodvMuUwlphpcw/WxEtHJZhRAMoRgLWiM8',
  ],
  ['argon2 without parameters', '$argon2id$v=19$$$'],
  [
    'scrypt that takes 8 GB',
    '$scrypt$ln=23,r=8,p=1$gnAO4dz73zvHeE8pJcQ4xw$F+SKbDrA4bWLQOK8CUNaS4qlcPieh4euZzZCaqx2bgY',
  ],
  ['scrypt with a cost that is no power of two', 'scrypt:1000:8:1$salt$1fd4fb4e65966b5e0c1f5fcb14004d28'],
  [
    'PBKDF2 of 99 million rounds',
    '$pbkdf2-sha256$99000000$IITwnvP.n3PO2bu3tlaqlQ$SWBtF1YzgjI0uACuHs/R3e.p6kfSs.r.tuf9Pg9h8xk',
  ],
  ['PBKDF2 with an empty key', '$pbkdf2-sha256$2000$IITwnvP.n3PO2bu3tlaqlQ$'],
  [
    'an ASP.NET blob whose salt is longer than the blob',
    'AQAAAAEAACcQAP//////////AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA==',
  ],
  ['phpass of 2^30 rounds', '$P$SDXrRTXN00TKSDnXp2JgbXr4150AP4.'],
  ['SSHA without a salt', '{SSHA}TEQR6WOptA/VEeIaNvaEA00tXDc='],
  ['a digest of the wrong length', '$digest$md5,password$$87707de9'],
  ['an order that is a name of every object', '$digest$md5,constructor$$87707de948adcf6f06d6b9568e648ff3'],
  ['a megabyte', `{SSHA}${'A'.repeat(1_000_000)}`],
] as const;
for (const [what, stored] of UNACCEPTABLE) {
  test(`what no family accepts is right for nobody and breaks nothing: ${what}`, async (t) => {
    t.is(toStoredHash({ hash: stored, salt: null }, null), null);
    t.false(await verifyForeign(stored, PASSWORD));
    t.deepEqual(await createPasswords({ concurrency: 1 }).verify(stored, PASSWORD), {
      isRight: false,
      isOutdated: false,
    });
  });
}

// Turns are counted, not milliseconds, because the machine may be busy with other things.
for (const [name, stored, password] of [
  ['bcrypt at cost 12', 'bcrypt_sha256$$2b$12$Zjh0nB/HWHbI4h3CQxwMFO7iQXcczPUam//QIcq0oYzAUD6fVPBoi', PASSWORD],
  ['Drupal’s 32,768 rounds of SHA-512', '$S$DeIZ1KTE.VzRvudZ5.xgOakipuMFrVyPmRdWTjAdYieWj27NMglI', 'password1234'],
] as const) {
  // One after the other, before all others: what else the file verifies would take the turns.
  test.serial(`R-60: the event loop goes on turning while ${name} is verified`, async (t) => {
    let turns = 0;
    let isDone = false;
    const turn = () => {
      turns++;
      if (!isDone) setImmediate(turn);
    };
    setImmediate(turn);
    t.true(await verifyForeign(stored, password));
    isDone = true;
    t.true(turns >= 25, `${turns} turns`);
  });
}
