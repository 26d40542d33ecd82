import test from 'ava';
import type { Host } from '../../server/lib/ids.ts';
import { HOSTS, startTestServer } from '../support/server.ts';

const server = await startTestServer();
test.after.always(() => server.close());

test('a configuration that changes while it is being read fails no request and leaves nothing stale', async (t) => {
  const { realms, clients, db } = server.services;
  const realm = await server.realm();
  for (let round = 0; round < 30; round++) {
    const reads = Array.from({ length: 20 }, () => [
      realms.findSite(HOSTS.news as Host),
      clients.find(realm.id, 'news'),
    ]).flat();
    const announced = db.transaction((q) => realms.announce(q));
    const found = await Promise.all(reads);
    t.true(found.every((one) => one !== null));
    await announced;
  }
});
