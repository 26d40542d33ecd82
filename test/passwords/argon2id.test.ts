// Two libraries, one hash: whichever made it, the other reads it, and without the fast one nothing is missing.

import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import test from 'ava';
import { argon2id, isCurrent, portableArgon2id } from '../../server/passwords/argon2id.ts';

const run = promisify(execFile);
const OURS = /^\$argon2id\$v=19\$m=19456,p=1,t=2\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}$/;
const PASSWORD = 'a long enough 🔑 pässword';
const LIBRARIES = new Set([portableArgon2id, argon2id]);

test('the fast library hashes on every machine for which it has a binary', (t) => {
  const hasBinary = ['linux', 'darwin', 'win32'].includes(process.platform) && ['x64', 'arm64'].includes(process.arch);
  t.is(argon2id.library, hasBinary ? '@node-rs/argon2' : 'argon2');
});

for (const maker of LIBRARIES)
  for (const reader of LIBRARIES)
    test(`security 135: what ${maker.library} hashed is current and ${reader.library} verifies it`, async (t) => {
      const stored = await maker.hash(PASSWORD);
      t.regex(stored, OURS);
      t.true(isCurrent(stored));
      t.true(await reader.verify(stored, PASSWORD));
      t.false(await reader.verify(stored, `${PASSWORD}x`));
      t.false(await reader.verify(stored.replace(/.{4}$/, 'aaaa'), PASSWORD));
    });

for (const { library, verify } of LIBRARIES)
  test(`${library}: a hash with the parameters in the order of RFC 9106 is read, and what is no hash is wrong`, async (t) => {
    const stored = await portableArgon2id.hash(PASSWORD);
    t.true(await verify(stored.replace('p=1,t=2', 't=2,p=1'), PASSWORD));
    for (const broken of ['', 'x', '$argon2id$', '$argon2id$v=19$m=19456,t=2,p=1$x$y', '$2b$10$'])
      t.false(await verify(broken, PASSWORD), broken);
  });

test('where the fast library has no binary, `argon2` hashes and verifies what the fast one made', async (t) => {
  const missing = `import { registerHooks } from 'node:module';
    registerHooks({ resolve(specifier, context, next) {
      if (specifier === '@node-rs/argon2') throw new Error('no binary for this machine');
      return next(specifier, context);
    } });`;
  const program = `const { argon2id, fastArgon2id } = await import(process.argv[1]);
    console.log(JSON.stringify([argon2id.library, fastArgon2id, await argon2id.verify(process.argv[2], process.argv[3])]));`;
  const { stdout } = await run(process.execPath, [
    ...['--import', `data:text/javascript,${encodeURIComponent(missing)}`, '--input-type=module', '--eval', program],
    ...[new URL('../../server/passwords/argon2id.ts', import.meta.url).href, await argon2id.hash(PASSWORD), PASSWORD],
  ]);
  t.deepEqual(JSON.parse(stdout), ['argon2', null, true]);
});
