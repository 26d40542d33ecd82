import test from 'ava';
import { createSecret, presentEnrolment, stepOfCode } from '../../server/mfa/totp.ts';

/** The key of the test vectors, `12345678901234567890`, in base32. */
const KEY = 'GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ';
/** RFC 6238 appendix B, SHA-1; its codes have eight digits, six of them are the last six. */
const VECTORS: [seconds: number, code: string][] = [
  [59, '287082'],
  [1111111109, '081804'],
  [1111111111, '050471'],
  [1234567890, '005924'],
  [2000000000, '279037'],
  [20000000000, '353130'],
];
for (const [seconds, code] of VECTORS)
  test(`RFC 6238 appendix B: at ${seconds} the code is ${code}`, (t) => {
    const step = Math.floor(seconds / 30);
    t.is(stepOfCode(KEY, code, seconds), step);
    t.is(stepOfCode(KEY, code, seconds + 30), step, 'RFC 6238 §5.2: one step late');
    t.is(stepOfCode(KEY, code, seconds - 30), step, 'one step early');
    t.is(stepOfCode(KEY, code, seconds + 60), null, 'two steps late');
    t.is(stepOfCode(KEY, code, seconds - 60), null, 'two steps early');
  });

test('what is not six digits is no code', (t) => {
  for (const code of ['', '94287082', '28708', ' 287082', '２８７０８２', '287082\n'])
    t.is(stepOfCode(KEY, code, 59), null);
});

test('RFC 4226 §4 R6: keys have 160 random bits, and an enrolment names brand and account without breaking the address', async (t) => {
  const secrets = new Set(Array.from({ length: 100 }, createSecret));
  t.is(secrets.size, 100);
  for (const secret of secrets) t.regex(secret, /^[A-Z2-7]{32}$/);
  const { uri, qrCode } = await presentEnrolment(KEY, {
    issuer: 'The Daily: News & more',
    label: 'a:b@example.com?x=1#y',
  });
  const url = new URL(uri);
  t.is(url.protocol, 'otpauth:');
  t.is(url.searchParams.get('secret'), KEY);
  t.is(url.searchParams.get('issuer'), 'The Daily  News & more');
  t.is(url.hash, '');
  t.true(qrCode.startsWith('data:image/png;base64,'));
});
