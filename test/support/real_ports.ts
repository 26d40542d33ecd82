// A provider as products reach it: under its own name and port, over http on a loopback name or over https behind a proxy
// that terminates TLS, with a certificate of a test CA. For client libraries that open their own connections.

import dns from 'node:dns';
import { connect, createServer } from 'node:net';
import tls from 'node:tls';
import { startTestServer } from './server.ts';
import { makeTestCa } from './test_ca.ts';

/** A port that nobody holds. */
export async function reservePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (typeof address !== 'object' || !address) throw new Error('no port');
  return address.port;
}

/**
 * Makes `*.localhost` resolve in this process, as RFC 6761 §6.3 asks of resolvers and browsers do; the C library of many
 * systems does not. The libraries under test stay as they are.
 */
export function resolveLocalhost(): void {
  const original = dns.lookup as unknown as (name: string, ...rest: unknown[]) => void;
  const lookup = (name: string, ...rest: unknown[]) =>
    original(name.endsWith('.localhost') ? '127.0.0.1' : name, ...rest);
  dns.lookup = lookup as unknown as typeof dns.lookup;
}

/** Starts a provider whose issuer is `<scheme>://auth.localhost:<port>`. */
export async function startReachable(scheme: 'http' | 'https') {
  const port = await reservePort();
  const issuer = `${scheme}://auth.localhost:${port}`;
  const yaml = `realms: [{ slug: test, auth_domain: '${issuer}', clients: [] }]`;
  const server = await startTestServer({ yaml, env: scheme === 'http' ? { PORT: String(port) } : {} });
  const proxy = scheme === 'https' ? await terminateTls(port, server.port) : null;
  async function close() {
    proxy?.close();
    await server.close();
  }
  return { server, issuer, close };
}

/** Bytes in and out; Host stays as the client sent it. */
async function terminateTls(port: number, to: number) {
  const { ca, cert, key } = makeTestCa(['auth.localhost']);
  tls.setDefaultCACertificates([...tls.getCACertificates('default'), ca]);
  const proxy = tls.createServer({ cert, key }, (socket) => {
    const upstream = connect(to, '127.0.0.1');
    socket.on('error', () => upstream.destroy());
    upstream.on('error', () => socket.destroy());
    socket.pipe(upstream).pipe(socket);
  });
  proxy.listen(port, '127.0.0.1');
  await new Promise((resolve) => proxy.once('listening', resolve));
  return proxy;
}
