import test from 'ava';
import { clientAddress, parseNetworks } from '../../server/http/address.ts';

type Row = [
  title: string,
  connection: string,
  forwarded: string,
  trusted: string[],
  extraHops: number,
  expected: string,
];

const TABLE: readonly Row[] = [
  ['nobody is trusted: the header counts for nothing', '203.0.113.9', '1.2.3.4', [], 0, '203.0.113.9'],
  [
    'an untrusted connection cannot speak for others, whoever else is trusted',
    '203.0.113.9',
    '1.2.3.4',
    ['10.0.0.0/8'],
    0,
    '203.0.113.9',
  ],
  ['a trusted proxy is believed for one hop', '10.0.0.1', '1.2.3.4', ['10.0.0.0/8'], 0, '1.2.3.4'],
  ['the right-most untrusted hop is the client', '10.0.0.1', '9.9.9.9, 1.2.3.4', ['10.0.0.0/8'], 0, '1.2.3.4'],
  ['a chain of trusted proxies is followed', '10.0.0.1', '1.2.3.4, 10.0.0.3, 10.0.0.2', ['10.0.0.0/8'], 0, '1.2.3.4'],
  ['only trusted hops: the farthest of them', '10.0.0.1', '10.0.0.3, 10.0.0.2', ['10.0.0.0/8'], 0, '10.0.0.3'],
  ['no header', '10.0.0.1', '', ['10.0.0.0/8'], 0, '10.0.0.1'],
  ['commas and spaces alone', '10.0.0.1', ' , ,, ', ['10.0.0.0/8'], 0, '10.0.0.1'],
  ['a proven publisher proxy is believed for its one hop', '198.51.100.7', '1.2.3.4', [], 1, '1.2.3.4'],
  ['and not for what came to it with the request', '198.51.100.7', '9.9.9.9, 1.2.3.4', [], 1, '1.2.3.4'],
  [
    'a load balancer of ours before the publisher proxy',
    '10.0.0.1',
    '1.2.3.4, 198.51.100.7',
    ['10.0.0.1'],
    1,
    '1.2.3.4',
  ],
  ['and nothing beyond', '10.0.0.1', '9.9.9.9, 1.2.3.4, 198.51.100.7', ['10.0.0.1'], 1, '1.2.3.4'],
  ['what is no address stops the search', '10.0.0.1', '1.2.3.4, not-an-address', ['10.0.0.0/8'], 0, '10.0.0.1'],
  ['an address with a port is none', '10.0.0.1', '1.2.3.4:5678', ['10.0.0.0/8'], 0, '10.0.0.1'],
  ['IPv6', '10.0.0.1', '2001:db8::7', ['10.0.0.0/8'], 0, '2001:db8::7'],
  ['an IPv6 network', '2001:db8:1::1', '1.2.3.4', ['2001:db8:1::/48'], 0, '1.2.3.4'],
  ['an IPv4 address in IPv6 form is itself', '::ffff:10.0.0.1', '::ffff:1.2.3.4', ['10.0.0.0/8'], 0, '1.2.3.4'],
  ['a trusted address in IPv6 form is itself', '10.0.0.1', '1.2.3.4', ['::ffff:10.0.0.1'], 0, '1.2.3.4'],
  ['an IPv4 network does not hold IPv6 addresses', '2001:db8::1', '1.2.3.4', ['0.0.0.0/0'], 0, '2001:db8::1'],
  ['20 hops are read', '10.0.0.1', ['1.2.3.4', ...Array(19).fill('10.0.0.2')].join(','), ['10.0.0.0/8'], 0, '1.2.3.4'],
  ['21 hops are not', '10.0.0.1', ['1.2.3.4', ...Array(20).fill('10.0.0.2')].join(','), ['10.0.0.0/8'], 0, '10.0.0.1'],
];

for (const [title, connection, forwarded, trusted, extraHops, expected] of TABLE) {
  test(`security 36: the client's address: ${title}`, (t) => {
    t.is(clientAddress({ connection, forwarded, trusted: parseNetworks(trusted), extraHops }), expected);
  });
}

/** Milliseconds of processor time that work takes; other programs on the machine do not count. */
function processorTime(work: () => void): number {
  const before = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
}

test("security 36: the client's address: a list of 10,000 entries is ignored, at once", (t) => {
  const options = {
    connection: '10.0.0.1',
    forwarded: Array(10_000).fill('1.2.3.4').join(', '),
    trusted: parseNetworks(['10.0.0.0/8']),
    extraHops: 1,
  };
  t.is(clientAddress(options), '10.0.0.1');
  t.true(processorTime(() => clientAddress(options)) < 50);
});

test("security 36: the client's address: spaces without end cost no time", (t) => {
  const options = {
    connection: '10.0.0.1',
    forwarded: `1.2.3.4,${' '.repeat(1900)}x`,
    trusted: parseNetworks(['10.0.0.0/8']),
    extraHops: 0,
  };
  t.is(clientAddress(options), '10.0.0.1');
  t.true(processorTime(() => clientAddress(options)) < 50);
});
