import { randomBytes } from 'node:crypto';
import test from 'ava';
import { API, postJson, UNLIMITED_YAML } from '../support/raw.ts';
import { PASSWORD, startTestServer } from '../support/server.ts';

const server = await startTestServer({ yaml: UNLIMITED_YAML });
const second = await startTestServer({ database: server.database });
test.after.always(async () => {
  await second.close();
  await server.close();
});

for (const [what, size, bodyOf] of [
  ['address', 100, (shared: string) => ({ email: `${shared}@example.com` })],
  ['user name', 30, (shared: string, index: number) => ({ email: `${shared}-${index}@example.com`, username: shared })],
] as const) {
  test(`reliability R-27: ${size} sign-ups of one ${what} at once over two nodes make one account, and all others are told that it exists`, async (t) => {
    const shared = `race${randomBytes(5).toString('hex')}`;
    const asks = Array.from({ length: size }, (_, index) => {
      const { port } = index % 2 === 0 ? server : second;
      return postJson(port, `${API}/signup`, { ...bodyOf(shared, index), password: PASSWORD, 'dont-login': true });
    });
    const answers = await Promise.all(asks);
    const by = (status: number) => answers.filter((answer) => answer.status === status);
    t.is(by(200).length, 1);
    t.is(by(409).length, size - 1);
    for (const answer of by(409)) t.is(answer.json().message, 'User Already exists');
    const rows = await server.services.db.builder('accounts').where('email', 'like', `${shared}%`);
    t.is(rows.length, 1);
    t.is(Number(rows[0].id), by(200)[0]?.json().user.id);
  });
}
