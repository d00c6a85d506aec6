// proxy.mjs - an HTTP proxy with a password, that can be told to fail, and a TLS front for a plain server.
import http from 'node:http';
import net from 'node:net';
import tls from 'node:tls';
import { freePort } from './world.mjs';

export class Proxy {
  constructor(user = 'walter', password = 'pa%ss') {
    Object.assign(this, { user, password, seen: [], fault: null, sockets: new Set() });
  }

  /** As an operator would write it. */
  get url() {
    return `http://${encodeURIComponent(this.user)}:${encodeURIComponent(this.password)}@127.0.0.1:${this.port}`;
  }

  allowed(request) {
    const expected = `Basic ${Buffer.from(`${this.user}:${this.password}`).toString('base64')}`;
    return request.headers['proxy-authorization'] === expected;
  }

  async start() {
    this.port ??= await freePort();
    this.server = http.createServer((request, response) => {
      this.seen.push(`${request.method} ${request.url}`);
      if (!this.allowed(request)) return response.writeHead(407, { 'Proxy-Authenticate': 'Basic realm="x"' }).end();
      const { 'proxy-authorization': secret, ...headers } = request.headers;
      const forward = http.request(request.url, { method: request.method, headers }, (reply) => {
        const fault = request.url.includes('send.php') ? this.fault : null; // the upstream has had it
        if (fault === 'cut') return request.socket.destroy();
        if (fault === 'html') return response.end('<html><body>Bad gateway</body></html>');
        if (fault === 'truncated') return response.writeHead(200).end('{"id": "s1", "cn');
        if (fault === 'foreign') return response.writeHead(200).end('[1, 2, 3]');
        response.writeHead(reply.statusCode, reply.headers);
        reply.pipe(response);
      });
      forward.on('error', () => response.writeHead(502).end('<html>no upstream</html>'));
      request.pipe(forward);
    });
    this.server.on('connect', (request, socket) => {
      this.seen.push(`CONNECT ${request.url}`);
      socket.on('error', () => {});
      if (!this.allowed(request)) return socket.end('HTTP/1.1 407 No\r\nContent-Length: 0\r\n\r\n');
      const [host, port] = request.url.split(':');
      const peer = net.connect(Number(port), host, () => {
        socket.write('HTTP/1.1 200 OK\r\nX-Proxy: yes\r\n\r\n');
        socket.pipe(peer).pipe(socket);
      });
      peer.on('error', () => socket.end('HTTP/1.1 502 No\r\n\r\n'));
      socket.on('close', () => peer.destroy());
    });
    this.server.on('connection', (socket) => {
      this.sockets.add(socket);
      socket.on('close', () => this.sockets.delete(socket));
    });
    await new Promise((resolve) => this.server.listen(this.port, '127.0.0.1', resolve));
    return this;
  }

  stop() {
    for (const socket of this.sockets) socket.destroy();
    return new Promise((resolve) => this.server.close(resolve));
  }
}

/** What a TLS server in front of `port` would be; resolves with its own port and a function that ends it. */
export async function tlsFront(port, { cert, keyText }) {
  const sockets = new Set();
  const server = tls.createServer({ cert, key: keyText }, (socket) => {
    const peer = net.connect(port, '127.0.0.1');
    sockets.add(socket);
    socket.on('error', () => peer.destroy());
    peer.on('error', () => socket.destroy());
    socket.on('close', () => sockets.delete(socket));
    socket.pipe(peer).pipe(socket);
  });
  server.on('tlsClientError', () => {});
  const own = await freePort();
  await new Promise((resolve) => server.listen(own, '127.0.0.1', resolve));
  return {
    port: own,
    stop: () => {
      for (const socket of sockets) socket.destroy();
      return new Promise((resolve) => server.close(resolve));
    },
  };
}
