import test from 'ava';
import { createMetrics } from '../../server/lib/metrics.ts';

test('requests are counted by route and status at every look, each once', async (t) => {
  const metrics = createMetrics();
  const counts = async () =>
    [...(await metrics.text()).matchAll(/^causeway_request_seconds_count\{(.*)\} (\d+)$/gm)].map(
      ([, labels = '', count]) => `${labels} ${count}`,
    );
  t.deepEqual(await counts(), []);
  for (let n = 0; n < 450; n++) metrics.observeRequest({ route: 'oauth.token', status: 200, seconds: 0.002 });
  metrics.observeRequest({ route: 'oauth.token', status: 400, seconds: 3 });
  const expected = ['route="oauth.token",status="200" 450', 'route="oauth.token",status="400" 1'];
  t.deepEqual(await counts(), expected);
  t.deepEqual(await counts(), expected);
  const text = await metrics.text();
  t.regex(text, /^causeway_request_seconds_bucket\{le="0\.001",route="oauth\.token",status="200"\} 0$/m);
  t.regex(text, /^causeway_request_seconds_bucket\{le="0\.0025",route="oauth\.token",status="200"\} 450$/m);
  t.regex(text, /^causeway_request_seconds_sum\{route="oauth\.token",status="400"\} 3$/m);
});
